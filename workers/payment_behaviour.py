"""How the payment provider behaves: what it declines, where it fails for a while, how long it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from contracts.payments import PaymentInstruction

FLAKY_FAILURES: Final = 2


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How often and when things go wrong; drawn from seed and key, so that no order of arrival changes it."""

    decline_rate: float
    fail_rate: float
    delay_ms: float
    slow_ms: float
    seed: int

    def declines(self, i: PaymentInstruction) -> bool:
        chance = self.decline_rate if i.operation == "authorise" else 0.0
        return (i.token or "").startswith("tok_decline") or self._draw("decline", i.key) < chance

    def fails(self, i: PaymentInstruction, failures: int) -> bool:
        flaky = (i.token or "").startswith("tok_flaky") and failures < FLAKY_FAILURES
        return flaky or self._draw("fail", i.key, failures) < self.fail_rate

    def expires(self, i: PaymentInstruction, authorisations: int) -> bool:
        """The first authorisation on such a card lapses before it is captured; the second one lasts."""
        return i.operation == "capture" and (i.token or "").startswith("tok_expire") and authorisations == 1

    def delay_s(self, instructions: Sequence[PaymentInstruction]) -> float:
        slow = any((i.token or "").startswith("tok_slow") for i in instructions)
        jitter = 0.5 + self._draw("delay", *(i.key for i in instructions[:1]))
        return (self.delay_ms * jitter + self.slow_ms * slow) / 1000

    def _draw(self, *of: object) -> float:
        digest = blake2b(repr((self.seed, *of)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64
