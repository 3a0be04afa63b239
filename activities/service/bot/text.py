"""A message as the model sees it: pieces of two or three characters, and which clauses deny something. Pure."""

import re
import unicodedata
from collections import Counter

_DIGIT = re.compile(r"\d")
_AGAIN = re.compile(r"(.)\1{3,}")
_CLAUSE = re.compile(r"[,，.。;；!！?？、~…\s]+")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_DENIES = re.compile(r"我?(不|没|别|先不|先别|别给|莫|唔|冇|弗|勿)")
_LONGEST = 300


def normalised(text: str) -> str:
    """Full-width letters become plain ones, digits 0, a character that is repeated four times or more three."""
    plain = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode()).lower()
    return _AGAIN.sub(r"\1\1\1", _DIGIT.sub("0", plain)).strip()[:_LONGEST]


def clauses(text: str) -> list[str]:
    """Parts between punctuation and blanks; text without any Chinese is one."""
    if not _CHINESE.search(text):
        return [text] if text else []
    return [part for part in _CLAUSE.split(text) if part]


def pieces(text: str) -> Counter[str]:
    """Every run of one to three characters of a normalised text."""
    return Counter(text[at : at + size] for size in (1, 2, 3) for at in range(len(text) - size + 1))


def marked_pieces(text: str) -> Counter[str]:
    """Runs of two and three characters of each clause, marked with `-` where it begins by denying: what a customer
    does not want is a word of what it wants just as rarely as it is none."""
    found: Counter[str] = Counter()
    for clause in clauses(text):
        mark = "-" if _DENIES.match(clause) else "+"
        for size in (2, 3):
            found.update(mark + clause[at : at + size] for at in range(max(1, len(clause) - size + 1)))
    return found
