"""Answers that may still come. Pure.

RTU has no transaction number: an answer that comes after its time-out looks like the answer to the next request. So an unanswered
request is remembered by the size that its answer would have, and no request to that device and function asks for an answer of that
size until the late one was seen, or its time has passed. A device answers in order: a late answer that a younger one has overtaken is
most likely lost, and is waited for no longer than `OVERTAKEN`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LIFE = 10.0
"""Seconds after which an answer is taken for lost for good. The bound up to which no late answer can be taken for another."""

OVERTAKEN = 1.0
"""Seconds for which it is still kept in mind once the device has answered a younger request."""


@dataclass(frozen=True, slots=True)
class _Awaited:
    function: int
    size: int
    sent: float
    until: float


class LateAnswers:
    """Unanswered requests to one device. Times are those of Clock.monotonic()."""

    def __init__(self, life: float = LIFE, overtaken: float = OVERTAKEN) -> None:
        self._life = life
        self._overtaken = overtaken
        self._awaited: list[_Awaited] = []

    def missed(self, function: int, size: int, sent: float) -> None:
        """The answer to a request of `sent` did not come in time; `size` bytes of data if it does."""
        self._awaited.append(_Awaited(function, size, sent, sent + self._life))

    def came(self, function: int, size: int, now: float) -> float | None:
        """A stray answer was seen. Returns how late, s after its request, if it is the one that is awaited longest.

        Another of them is not taken off at once: it may be a miscounted answer to an older request. What was sent before it is overtaken.
        """
        match = next((a for a in self._awaited if (a.function, a.size) == (function, size)), None)
        if match is None:
            return None
        if all(match.sent <= a.sent for a in self._awaited):
            self._awaited.remove(match)
            return now - match.sent
        self._awaited = [replace(a, until=min(a.until, now + self._overtaken)) if a.sent <= match.sent else a for a in self._awaited]
        return None

    def answered(self, now: float) -> None:
        """A request that was sent after all of these was answered."""
        if self._awaited:
            self._awaited = [replace(a, until=min(a.until, now + self._overtaken)) for a in self._awaited]

    def any(self, now: float) -> bool:
        """Whether an answer may still be on its way."""
        self._forget(now)
        return bool(self._awaited)

    def sizes(self, function: int, now: float) -> frozenset[int]:
        """Sizes that the answer to the next request must not have."""
        self._forget(now)
        return frozenset(a.size for a in self._awaited if a.function == function)

    def _forget(self, now: float) -> None:
        self._awaited = [a for a in self._awaited if now < a.until]
