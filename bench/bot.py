"""`make bench-bot`: how well the first level understands, what it costs, and a keyword baseline in the same run.

On sentences that somebody else wrote who had seen neither the model nor what it learnt from. With DATA, the folder of
reviews and of dialogues with marks of where a person should take over, also on those, which were written by others.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from activities.service.bot.understanding import Mind, wants_person
from bench.bot_baseline import by_keywords
from bench.bot_others import dialogues, reviews
from bench.goals import Goal
from bench.machine import settings_of
from bench.train_bot import WRONG_MOST, Sentence, sentences
from contracts.bot import INTENTS

TEST = Path("tests/service/sentences")
DRAWS = 2000
_Z = 1.96


def wilson(hits: int, of: int) -> list[float]:
    """A share with its 95 % interval after Wilson (1927)."""
    if of == 0:
        return [0.0, 0.0, 1.0]
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * ((share * (1 - share) + square / (4 * of)) / of) ** 0.5 / (1 + square / of)
    return [round(value, 4) for value in (share, middle - half, middle + half)]


def f1_by_intent(truth: list[str], found: list[str]) -> dict[str, float]:
    """2TP / (2TP + FP + FN); of the intents that are in `truth`."""
    scores = {}
    for intent in sorted(set(truth)):
        hits = sum(a == b == intent for a, b in zip(truth, found, strict=True))
        named = truth.count(intent) + found.count(intent)
        scores[intent] = 2 * hits / named if named else 0.0
    return scores


def macro_f1(truth: list[str], found: list[str]) -> list[float]:
    """With its 95 % interval by drawing sentences with replacement, from a fixed seed."""
    chance = np.random.default_rng(7)
    drawn = []
    for _ in range(DRAWS):
        rows = chance.integers(0, len(truth), len(truth))
        scores = f1_by_intent([truth[row] for row in rows], [found[row] for row in rows])
        drawn.append(statistics.fmean(scores.values()))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return [round(float(value), 4) for value in (statistics.fmean(f1_by_intent(truth, found).values()), low, high)]


def judged(of: Sequence[Sentence], found: list[str], person: list[bool]) -> dict[str, Any]:
    """Accuracy, macro-F1 and hand-over of one way to understand."""
    truth = [one.intent for one in of]
    needed = [one.handover for one in of]
    caught = sum(a and b for a, b in zip(needed, person, strict=True))
    by_intent = {
        intent: {
            "sentences": truth.count(intent),
            "recall": wilson(sum(a == b == intent for a, b in zip(truth, found, strict=True)), truth.count(intent)),
            "f1": round(score, 4),
        }
        for intent, score in f1_by_intent(truth, found).items()
    }
    return {
        "accuracy": wilson(sum(a == b for a, b in zip(truth, found, strict=True)), len(truth)),
        "macro_f1": macro_f1(truth, found),
        "handover_recall": wilson(caught, sum(needed)),
        "handover_false_alarms": wilson(sum(person) - caught, len(needed) - sum(needed)),
        "by_intent": by_intent,
    }


def measured(mind: Mind, of: Sequence[Sentence]) -> dict[str, Any]:
    """The model on sentences: how right, how much it answers without a person, and what a message costs."""
    spent, seen = [], []
    for one in of:
        before = time.process_time()
        seen.append(mind.understood(one.text))
        spent.append(time.process_time() - before)
    person = [wants_person(one, mind.thresholds) for one in seen]
    answered = [
        not wanted and one.confidence >= mind.thresholds.answer for one, wanted in zip(seen, person, strict=True)
    ]
    wrong = sum(one.intent != known.intent for one, known, did in zip(seen, of, answered, strict=True) if did)
    calm = [did for did, known in zip(answered, of, strict=True) if not known.handover]
    return {
        **judged(of, [one.intent for one in seen], person),
        "answered": wilson(sum(answered), len(answered)),
        "answered_of_those_who_need_no_person": wilson(sum(calm), len(calm)),
        "wrong_among_answered": wilson(wrong, sum(answered)),
        "cpu_ms": {
            "mean": round(1000 * statistics.fmean(spent), 2),
            "p99": round(1000 * float(np.quantile(spent, 0.99)), 2),
        },
        "mistakes": [
            {"text": known.text, "intent": known.intent, "found": one.intent, "confidence": round(one.confidence, 3)}
            for one, known in zip(seen, of, strict=True)
            if one.intent != known.intent
        ],
    }


def goals_of(result: dict[str, Any]) -> list[Goal]:
    model, keywords = result["model"], result["keywords"]
    wrong, right, other = model["wrong_among_answered"][0], model["accuracy"][0], keywords["accuracy"][0]
    return [
        {"name": "wrong among answered", "value": wrong, "target": WRONG_MOST, "met": wrong <= WRONG_MOST},
        {"name": "accuracy above the keywords'", "value": right, "target": other, "met": right > other},
    ]


def _memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(test: Path, data: Path | None) -> dict[str, Any]:
    of = sentences(test)
    if not of:
        raise SystemExit(f"{test} holds no sentences; name a folder of JSON lines with --sentences")
    before, began = _memory_mib(), time.perf_counter()
    mind = Mind()
    mind.understood("我的快递到哪了")
    loaded_s, after = time.perf_counter() - began, _memory_mib()
    found = [by_keywords(one.text) for one in of]
    result = {
        "sentences": len(of),
        "intents": len(INTENTS),
        "model": measured(mind, of),
        "keywords": judged(of, [intent for intent, _ in found], [person for _, person in found]),
        "thresholds": {"answer": mind.thresholds.answer, "ask": mind.thresholds.ask, "person": mind.thresholds.person},
        "load_s": round(loaded_s, 2),
        "memory_mib": {"before": round(before, 1), "loaded": round(after, 1), "at_most": round(_memory_mib(), 1)},
    }
    if data is not None:
        result["others"] = {"reviews": reviews(mind, data), "dialogues": dialogues(data)}
    return {**result, "made_on": settings_of()}


def main(show: Callable[[str], object] = print) -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path)
    asked.add_argument("--data", type=Path)
    asked.add_argument("--sentences", type=Path, default=TEST)
    given = asked.parse_args()
    result = run(given.sentences, given.data)
    result["goals"] = goals_of(result)
    if given.out:
        given.out.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    shown = {name: value for name, value in result.items() if name not in ("made_on",)}
    shown["model"] = {name: value for name, value in result["model"].items() if name != "mistakes"}
    show(json.dumps(shown, ensure_ascii=False, indent=1))
    return 0 if all(goal["met"] for goal in result["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
