"""The model as it is shipped: made of the sentences beside it, and the command that reads with it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from activities.service.bot.text import marked_pieces, normalised
from activities.service.bot.understanding import Mind
from activities.service.bot.weights import SENTENCES, Weights, WeightsUnreadable, digest_of, read, vocabulary, write
from bench.train_bot import sentences, trained
from contracts.bot import INTENTS, Thresholds

PLAIN = {
    "我的快递到哪了": "order_status",
    "大概几天能到": "delivery_eta",
    "帮我取消订单": "cancel_order",
    "收货地址填错了 帮我改一下": "change_address",
    "不合适 我要退货": "return_request",
    "退款什么时候到账": "refund_status",
    "刚买就降价了 能补差价吗": "price_protection",
    "麻烦开一张公司抬头的发票": "invoice",
    "附近有没有维修网点": "nearest_outlet",
    "门店几点关门": "opening_hours",
    "我要投诉你们的店员": "complaint",
    "转人工": "talk_to_human",
    "这款有蓝色吗": "other",
    "Where is my parcel?": "order_status",
    "What time does the store open?": "opening_hours",
}


@pytest.fixture(scope="module")
def mind() -> Mind:
    return Mind()


def test_weights_are_made_of_the_sentences_beside_them() -> None:
    assert read().digest == digest_of(), "sentences were changed: python -m bench.train_bot"


def test_each_intent_has_its_sentences_and_no_sentence_is_in_both_halves() -> None:
    halves = {half: sentences(SENTENCES / half) for half in ("training", "validation")}
    for intent in INTENTS:
        assert sum(one.intent == intent for half in halves.values() for one in half) >= 60
    texts = [one.text for half in halves.values() for one in half]
    assert len(set(texts)) == len(texts)


def test_plain_wishes_are_understood(mind: Mind) -> None:
    assert {text: mind.classified(text).intent for text in PLAIN} == PLAIN


@pytest.mark.parametrize("text", ["转人工", "垃圾平台 骗子 气死我了", "let me talk to a human"])
def test_a_person_is_wanted(mind: Mind, text: str) -> None:
    assert mind.classified(text).handover


@pytest.mark.parametrize("text", ["", "？？？", "😀", " ", "\ud800", "啊" * 5000, "\0"])
def test_nothing_that_is_written_is_too_odd(mind: Mind, text: str) -> None:
    assert 0 <= mind.classified(text).confidence <= 1


def test_what_is_denied_is_marked() -> None:
    assert marked_pieces("不是退款，查物流")["-退款"] == 1
    assert marked_pieces("不是退款，查物流")["+物流"] == 1
    assert normalised("ＡＢＣ１２３！！！！！！") == "abc000!!!"


def test_the_same_sentences_give_the_same_weights(tmp_path: Path) -> None:
    some = sentences(SENTENCES / "validation")
    vectors = np.random.default_rng(1).normal(size=(len(some), 384)).astype(np.float32)
    made = [trained(some, vectors, Thresholds(0.8, 0.4, 0.5), "d") for _ in range(2)]
    for number, one in enumerate(made):
        write(one, tmp_path / f"{number}.npz")
    kept = [read(tmp_path / f"{number}.npz") for number in range(2)]
    assert all(np.array_equal(one.coefficients, kept[0].coefficients) for one in kept)
    fresh, stored = made[0].scores("我要退货", vectors[0]), kept[0].scores("我要退货", vectors[0])
    assert np.allclose(fresh[0], stored[0], atol=0.02)
    assert kept[0].thresholds == Thresholds(0.8, 0.4, 0.5)


def test_a_file_that_is_no_model_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(b"x")
    with pytest.raises(WeightsUnreadable, match="train anew"):
        read(tmp_path / "w.npz")


def test_pieces_that_were_never_seen_count_nothing() -> None:
    words = vocabulary([marked_pieces("退货"), marked_pieces("退货")], 2)
    columns, values = words.vector(marked_pieces("发票"))
    assert len(columns) == len(values) == 0
    assert isinstance(read(), Weights)


def test_the_command_reads_lines_and_writes_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in PLAIN]
    (tmp_path / "asked.jsonl").write_text("\n".join(lines) + "\n\n", "utf-8")
    command = [sys.executable, "-m", "workers.cli", "bot", "classify"]
    by_file = subprocess.run([*command, str(tmp_path / "asked.jsonl")], capture_output=True, check=True)
    piped = subprocess.run(command, input="\n".join(lines).encode(), capture_output=True, check=True)
    assert by_file.stdout == piped.stdout
    answers = [json.loads(line) for line in piped.stdout.splitlines()]
    assert [answer["intent"] for answer in answers] == list(PLAIN.values())
    assert all(set(answer) == {"intent", "confidence", "handover"} for answer in answers)


@pytest.mark.parametrize("line", ["x", "[]", "{}", '{"text": 5}'])
def test_a_line_that_is_none_is_named(line: str) -> None:
    command = [sys.executable, "-m", "workers.cli", "bot", "classify"]
    done = subprocess.run(command, input=line.encode(), capture_output=True, check=False)
    assert done.returncode != 0
    assert b"Line 1" in done.stderr
