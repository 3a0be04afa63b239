"""The first level on what others wrote: reviews with their sentiment, and dialogues with marks of where a person should
take over. Neither is ours to ship, and neither knows our intents."""

import csv
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from activities.service.bot.understanding import Mind

REVIEWS = 600
SEED = 7
_FOLDS = 5
_SHORT = 60


def reviews(mind: Mind, data: Path) -> dict[str, Any]:
    """How far the probability that a person is needed tells bad reviews from good ones, of at most so many
    characters. A bad review is not always an angry one, so this is a floor."""
    with (data / "zh_text" / "shopping_reviews.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if 4 <= len(row["review"] or "") <= _SHORT]
    drawn = random.Random(SEED).sample(rows, min(REVIEWS, len(rows)))
    bad = [row["label"] == "0" for row in drawn]
    seen = [mind.understood(row["review"]) for row in drawn]
    person = [one.person for one in seen]
    complaint = [one.person >= mind.thresholds.person or one.intent == "complaint" for one in seen]
    return {
        "reviews": len(drawn),
        "bad": sum(bad),
        "auc": round(float(roc_auc_score(bad, person)), 3),
        "bad_taken_for_complaint_or_anger": round(
            float(np.mean([c for c, b in zip(complaint, bad, strict=True) if b])), 3
        ),
        "good_taken_for_it": round(float(np.mean([c for c, b in zip(complaint, bad, strict=True) if not b])), 3),
    }


def dialogues(data: Path) -> dict[str, Any]:
    """The same method, runs of tokens into a logistic regression, beside what our rules look at: how often before the
    other side gave no way on. The dialogues' words are numbers, so our own model cannot read them. Folds by dialogue.

    `rule`: a customer's message counts where it is bad in mood, or the one before was: anger, or a second failure."""
    with (data / "handoff" / "dialogues.jsonl").open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    rows, truth, fold, rule = [], [], [], []
    for number, one in enumerate(found):
        bad_before, before = False, Counter[str]()
        for at, turn in enumerate(one["turns"]):
            own = _runs(turn["tokens"])
            if turn["role"] == "c":
                rows.append({**own, **{f"<{name}": 0.5 for name in before}, "turn": min(at, 40) / 10})
                truth.append(turn["handoff"])
                fold.append(number % _FOLDS)
                rule.append(turn["senti"] == 0 or bad_before)
                bad_before = turn["senti"] == 0
            before = own
    table = DictVectorizer().fit_transform(rows)
    table = csr_matrix(hstack([table]))
    labels, folds, scores = np.array(truth), np.array(fold), np.zeros(len(truth))
    for held in range(_FOLDS):
        model = LogisticRegression(C=1.0, max_iter=300, class_weight="balanced").fit(
            table[folds != held], labels[folds != held]
        )
        scores[folds == held] = model.predict_proba(table[folds == held])[:, 1]
    return {
        "messages": len(truth),
        "marked": int(labels.sum()),
        "auc": round(float(roc_auc_score(labels, scores)), 3),
        "average_precision": round(float(average_precision_score(labels, scores)), 3),
        "f1": round(float(f1_score(labels, scores >= 0.5)), 3),
        "recall": round(float(scores[labels == 1].__ge__(0.5).mean()), 3),
        "rule_f1": round(float(f1_score(labels, rule)), 3),
        "rule_recall": round(float(np.array(rule)[labels == 1].mean()), 3),
    }


def _runs(tokens: list[int]) -> Counter[str]:
    words = [str(token) for token in tokens]
    return Counter(" ".join(words[at : at + size]) for size in (1, 2, 3) for at in range(len(words) - size + 1))
