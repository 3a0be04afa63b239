"""The trained model as numbers in one file, and what it says about a message. Nothing in the file is code."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from activities.service.bot.text import marked_pieces, normalised, pieces
from contracts.bot import INTENTS, Thresholds

Floats = npt.NDArray[np.float32]
WEIGHTS = Path(__file__).with_name("weights.npz")
SENTENCES = Path(__file__).with_name("sentences")


class WeightsUnreadable(RuntimeError):
    """The file is not what this version trains."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pieces of text by their column, with the inverse document frequency of each."""

    column: Mapping[str, int]
    idf: Floats

    def vector(self, found: Counter[str]) -> tuple[npt.NDArray[np.int64], Floats]:
        """Columns and values of tf-idf with logarithmic counts, of length 1; pieces never seen are left out."""
        known = [(self.column[piece], count) for piece, count in sorted(found.items()) if piece in self.column]
        columns = np.array([column for column, _ in known], dtype=np.int64)
        values = np.array([1 + np.log(count) for _, count in known], dtype=np.float32) * self.idf[columns]
        length = float(np.linalg.norm(values))
        return columns, values / length if length else values


@dataclass(frozen=True, slots=True)
class Weights:
    """`coefficients`: a row for each intent, then one for whether a person is needed; columns are the pieces, the
    marked pieces and the embedding, in this order. `centre` is taken off every embedding."""

    plain: Vocabulary
    marked: Vocabulary
    centre: Floats
    coefficients: Floats
    intercepts: Floats
    thresholds: Thresholds
    digest: str

    def scores(self, text: str, embedding: Floats) -> tuple[Floats, float]:
        """Probability of each intent, in the order of INTENTS, and that a person is wanted or needed."""
        tidy = normalised(text)
        first, first_values = self.plain.vector(pieces(tidy))
        second, second_values = self.marked.vector(marked_pieces(tidy))
        width, begin = len(self.plain.column), len(self.plain.column) + len(self.marked.column)
        sums = (
            self.intercepts
            + self.coefficients[:, first] @ first_values
            + self.coefficients[:, width + second] @ second_values
            + self.coefficients[:, begin:] @ centred(embedding, self.centre)
        )
        intents = np.exp(sums[:-1] - sums[:-1].max())
        return intents / intents.sum(), float(1 / (1 + np.exp(-sums[-1])))


def centred(embedding: Floats, centre: Floats) -> Floats:
    """Without what all sentences have in common, and of length 1."""
    moved = embedding - centre
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-9), dtype=np.float32)


def digest_of(directory: Path = SENTENCES) -> str:
    """Of all sentences, so that weights can say of which they were made."""
    sums = hashlib.sha256()
    for file in sorted(directory.rglob("*.jsonl")):
        sums.update(file.relative_to(directory).as_posix().encode() + b"\0" + file.read_bytes())
    return sums.hexdigest()


def write(weights: Weights, file: Path = WEIGHTS) -> None:
    head = {
        "intents": INTENTS,
        "digest": weights.digest,
        "answer": weights.thresholds.answer,
        "ask": weights.thresholds.ask,
        "person": weights.thresholds.person,
    }
    np.savez_compressed(
        file,
        head=_bytes(json.dumps(head)),
        plain=_bytes("\0".join(weights.plain.column)),
        marked=_bytes("\0".join(weights.marked.column)),
        plain_idf=weights.plain.idf,
        marked_idf=weights.marked.idf,
        centre=weights.centre,
        coefficients=weights.coefficients.astype(np.float16),
        intercepts=weights.intercepts,
    )


def read(file: Path = WEIGHTS) -> Weights:
    """Raises WeightsUnreadable."""
    try:
        with np.load(file, allow_pickle=False) as held:
            head = json.loads(_text(held["head"]))
            if tuple(head["intents"]) != INTENTS:
                raise WeightsUnreadable(f"{file} knows other intents; train anew: python -m bench.train_bot")
            return Weights(
                _vocabulary(held["plain"], held["plain_idf"]),
                _vocabulary(held["marked"], held["marked_idf"]),
                held["centre"],
                held["coefficients"].astype(np.float32),
                held["intercepts"],
                Thresholds(head["answer"], head["ask"], head["person"]),
                head["digest"],
            )
    except (OSError, ValueError, KeyError) as error:
        raise WeightsUnreadable(f"{file} cannot be read; train anew: python -m bench.train_bot") from error


def vocabulary(texts: Sequence[Counter[str]], least: int) -> Vocabulary:
    """Of pieces that are in at least so many texts. idf as scikit-learn smooths it: ln((1 + n) / (1 + df)) + 1."""
    frequency = Counter(piece for text in texts for piece in text)
    kept = sorted(piece for piece, count in frequency.items() if count >= least and "\0" not in piece)
    counts = np.array([frequency[piece] for piece in kept], dtype=np.float64)
    idf = np.log((1 + len(texts)) / (1 + counts)) + 1
    return Vocabulary({piece: at for at, piece in enumerate(kept)}, idf.astype(np.float32))


def _vocabulary(joined: npt.NDArray[np.uint8], idf: Floats) -> Vocabulary:
    return Vocabulary({piece: at for at, piece in enumerate(_text(joined).split("\0"))}, idf)


def _bytes(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _text(held: npt.NDArray[Any]) -> str:
    return held.tobytes().decode()
