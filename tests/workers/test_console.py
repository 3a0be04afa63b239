"""What others have written does nothing to the terminal of who reads it."""

import json

import pytest

from workers.cli.console import out, plain, print_json

EVIL = "\x1b]52;c;cm0=\x07 \x9b2J [red]x[/] \u202eecilA\u2066 \u200b\r"


def test_controls_and_turns_of_direction_are_shown_as_codes() -> None:
    shown = plain(EVIL)
    assert (
        shown.startswith("<U+001B>]52;c;cm0=<U+0007> <U+009B>2J ") and "<U+202E>ecilA<U+2066> <U+200B><U+000D>" in shown
    )
    assert plain("第一行\n第二行 👩\u200d🔧 [red]") == "第一行\n第二行 👩\u200d🔧 \\[red]"


def test_json_is_the_same_json(capsys: pytest.CaptureFixture[str]) -> None:
    with out.capture() as caught:
        print_json({"text": EVIL, "name": "王小明"})
    words = caught.get()
    assert json.loads(words) == {"text": EVIL, "name": "王小明"}
    assert "王小明" in words and not {"\x1b", "\x9b", "\u202e", "\u2066"} & set(words)
