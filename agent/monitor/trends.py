"""One value a cut (or a look) of everything that is followed over weeks, kept small: what the picture of a slow change is drawn from."""

from __future__ import annotations

import msgspec

from agent.model import Indicator

OLD = 64
"""Points before the recent ones: when there are more, two neighbours become their mean and every later point stands for twice as many."""
RECENT = 16
"""Newest values, each a point of its own."""
MOST = 400
"""Figures that are followed: as many as operations are remembered (`detect.watch`)."""
SCALE = 1e4
"""Values are kept as whole ten-thousandths: three bytes instead of nine, and finer than any of these figures repeats."""
LARGEST = 2**31 - 1


class Trend(msgspec.Struct):
    """Of one figure: times (s), parts and values, the oldest first."""

    unit: str = ""
    used: float = 0.0
    """Time of the newest value"""
    span: int = 1
    """Values that one of the older points stands for"""
    times: list[int] = []
    parts: list[int] = []
    values: list[int] = []
    waiting: list[tuple[int, int, int]] = []
    """Values that left the recent ones and do not make a point yet"""
    recent: list[tuple[int, int, int]] = []

    def take(self, time: float, part: int, value: float) -> None:
        """One more value."""
        self.used = time
        scaled = round(min(max(value * SCALE, -LARGEST), LARGEST))
        self.recent.append((int(time), part, scaled))
        if len(self.recent) > RECENT:
            self.waiting.append(self.recent.pop(0))
        if len(self.waiting) >= self.span:
            self._point()
        if len(self.values) > OLD:
            self._halve()

    def points(self) -> tuple[tuple[float, ...], tuple[int, ...], tuple[float, ...]]:
        """Times, parts and values, each newest last; at most `OLD` + `RECENT` + 1 of them."""
        tail = [*([_mean(self.waiting)] if self.waiting else []), *self.recent]
        times = [*self.times, *(t for t, _, _ in tail)]
        parts = [*self.parts, *(p for _, p, _ in tail)]
        values = [*self.values, *(v for _, _, v in tail)]
        return tuple(float(t) for t in times), tuple(parts), tuple(v / SCALE for v in values)

    def _point(self) -> None:
        time, part, value = _mean(self.waiting)
        self.times.append(time)
        self.parts.append(part)
        self.values.append(value)
        self.waiting = []

    def _halve(self) -> None:
        pairs = range(0, len(self.values) - 1, 2)
        left = [(self.times[-1], self.parts[-1], self.values[-1])] * self.span if len(self.values) % 2 else []
        self.times = [self.times[i + 1] for i in pairs]
        self.parts = [self.parts[i + 1] for i in pairs]
        self.values = [round((self.values[i] + self.values[i + 1]) / 2) for i in pairs]
        self.waiting = [*left, *self.waiting]
        self.span *= 2


class Trends:
    """Of a machine: by '<operation or channel>|<name of the figure>', and the channel where an operation has several."""

    def __init__(self) -> None:
        self._known: dict[str, Trend] = {}

    def take(self, indicator: Indicator, part: int) -> None:
        """A value that is not finite is left out."""
        if not abs(indicator.value) < LARGEST / SCALE:
            return
        key = _key(indicator.operation or indicator.channel, indicator.name, indicator.channel if indicator.operation else "")
        trend = self._known.get(key)
        if trend is None:
            if len(self._known) >= MOST:
                del self._known[min(self._known, key=lambda k: self._known[k].used)]
            trend = self._known[key] = Trend(unit=indicator.unit)
        trend.take(indicator.time, part, indicator.value)

    def of(self, where: str, name: str, channel: str = "") -> Trend | None:
        """Of an operation or a channel; of an operation's `channel` where each has its own (feed axes)."""
        return self._known.get(_key(where, name, channel))

    def forget(self, operations: list[str]) -> None:
        """A new tool: what was compared with the old one says nothing of it."""
        for key in [k for k in self._known if k.partition("|")[0] in operations]:
            del self._known[key]

    def saved(self) -> dict[str, Trend]:
        """What survives a restart."""
        return self._known

    def restore(self, saved: dict[str, Trend]) -> None:
        """Take back what `saved` gave."""
        self._known = dict(saved)


def _key(where: str, name: str, channel: str = "") -> str:
    return f"{where}|{name}|{channel}" if channel else f"{where}|{name}"


def _mean(values: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Time and part of the last, mean of the values."""
    return values[-1][0], values[-1][1], round(sum(v for _, _, v in values) / len(values))
