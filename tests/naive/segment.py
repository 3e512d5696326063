"""Slow, obvious twin of agent/kernels/segment.py: the same rules written with lists and dictionaries, one reading at a time."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field


def bin_of(speed: float) -> int:
    """Idle bin of a speed."""
    size = abs(speed)
    if math.isnan(size) or size < 30.0:
        return 0
    return 159 if math.isinf(size) else min(1 + int(math.log(size / 30.0) / math.log(1.05)), 159)


def middle(values: list[float]) -> float:
    """Median of three, NaN if one is."""
    return math.nan if any(math.isnan(v) for v in values) else statistics.median(values)


@dataclass
class Cut:
    """Sums over the readings of a cut."""

    opened: float
    n: int = 0
    total: float = 0.0
    peaks: list[float] = field(default_factory=list)
    work: float = 0.0
    rise: float = 0.0
    fall: float = 0.0
    fall_at: float = 0.0
    last: float = 0.0
    settled: int = 0
    sure: int = 0


class Segmenter:
    """Feeds readings one by one, collects ('opened' | 'grown' | 'closed' | 'run_up', time) and the sums of closed cuts."""

    def __init__(self, has_speed: bool, minimum_speed: float) -> None:
        self.has_speed, self.minimum = has_speed, minimum_speed
        self.idle: dict[int, float] = {}
        self.confirmed: dict[int, int] = {}
        self.ripple: dict[int, float] = {}
        self.told: dict[int, int] = {}
        self.around: dict[int, float] = {}
        self.here = 0.0
        self.history: list[tuple[float, float, float, float, int]] = []
        self.steady_since = 0.0
        self.noise = 0.0
        self.range = 0.0
        self.candidate: Cut | None = None
        self.cut: Cut | None = None
        self.sectioned = False
        self.low: tuple[float, int, float, float] | None = None
        self.next_look = 0.0
        self.events: list[tuple[str, float]] = []
        self.closed: list[Cut] = []
        self.seen = 0

    def idle_at(self, speed: float) -> float:
        """Known, interpolated between neighbours, or that of a near neighbour."""
        here = bin_of(speed)
        if here in self.idle:
            return self.idle[here]
        if here == 0:
            return math.nan
        below = next((here - d for d in range(1, 16) if here - d >= 1 and here - d in self.idle), None)
        above = next((here + d for d in range(1, 16) if here + d < 160 and here + d in self.idle), None)
        if below is not None and above is not None:
            return self.idle[below] + (here - below) / (above - below) * (self.idle[above] - self.idle[below])
        if below is not None and here - below <= 4:
            return self.idle[below]
        if above is not None and above - here <= 4:
            return self.idle[above]
        return math.nan

    def idle_is_sure(self, speed: float) -> bool:
        """Confirmed here, or on both sides."""
        here = bin_of(speed)
        confirmed = {b for b, n in self.confirmed.items() if n >= 4}
        below = any(here - d >= 1 and here - d in confirmed for d in range(1, 16))
        above = any(here + d < 160 and here + d in confirmed for d in range(1, 16))
        return here in confirmed or (here != 0 and below and above)

    def ripple_at(self, speed: float) -> float:
        """1.4826 times the median distance from the short mean, of this speed or the largest near it."""
        here = bin_of(speed)
        if here in self.ripple or here == 0:
            return 1.4826 * self.ripple.get(here, 0.0)
        return 1.4826 * max(size for b, size in [(here, 0.0), *self.ripple.items()] if b != 0 and abs(b - here) <= 15)

    def _ripple(self, b: int, off: float) -> None:
        n = self.told.get(b, 0)
        if n == 0 or self.ripple[b] == 0.0:
            self.ripple[b] = off
        else:
            step = max(0.005, 1.0 / (n + 1))
            self.ripple[b] *= 1.0 + step if off > self.ripple[b] else 1.0 - step
        self.told[b] = n + 1

    def feed(self, t: float, x: float, ok: bool, v: float, gate: int) -> None:
        """One reading; may have to be looked at again after it closed a cut."""
        while self._look(t, x, ok, v, gate):
            pass

    def _end(self, kind: str, use_low: bool) -> None:
        cut = self.cut
        assert cut is not None
        if use_low and self.low is not None:
            cut.last, cut.n, cut.total, cut.work = self.low
        self.events.append((kind, cut.last))
        self.closed.append(cut)
        self.cut, self.low = None, None

    def _look(self, t: float, x: float, ok: bool, v: float, gate: int) -> bool:
        if not ok:
            last = self.history[-1][0] if self.history else 0.0
            if self.cut is not None and t - last > 1.0:
                self._end("closed", use_low=False)
                return True
            if not self.sectioned or t - last > 1.0:
                self.candidate = None
            return False
        v = v if self.has_speed else 0.0
        step = t - self.history[-1][0] if self.history else 0.0
        step = step if 0.0 <= step < 1e6 else 0.0
        if step > 2.0 and self.cut is None and not self.sectioned:
            self.candidate = None
        before = self.history[-63:]
        steady = True
        if self.has_speed:
            for past, _, speed, _, _ in reversed(before):
                if t - past > 0.11:
                    break
                if abs(v - speed) > 0.03 * max(abs(v), 100.0):
                    steady = False
                    break
            if not steady or not self.history:
                self.steady_since = t
        turning = not self.has_speed or abs(v) >= self.minimum
        settled = steady and (not self.has_speed or t - self.steady_since >= 0.15)
        loads = [load for _, load, _, _, _ in before] + [x]
        m = middle(loads[-3:]) if len(loads) >= 3 else x
        idle = self.idle_at(v)
        if settled and len(loads) >= 3:
            self.range = max(self.range, abs(m))
        fresh, old = [x], []
        for past, load, _, _, _ in reversed(before):
            if not 0.0 <= t - past <= 0.4002 or (self.has_speed and past < self.steady_since + 0.1):
                break
            (fresh if t - past <= 0.2001 else old).append(load)
        mean = sum(fresh) / len(fresh)
        if self.has_speed and settled and len(fresh) >= 3:
            self._ripple(bin_of(v), abs(x - mean))
        ripple = self.ripple_at(v) if self.has_speed else 0.0
        rough = ripple > 0.015 * self.range
        self.here = self.noise
        if rough:
            self.here = self.around.get(bin_of(v), 0.0) or 0.3 * ripple
        high = max(5.0 * self.here, 0.01 * self.range)
        m = mean if rough else m
        ready = settled and (not rough or t - self.steady_since >= 0.1 + 0.2001)
        above = not math.isnan(idle) and (mean if rough else x) > idle + high
        below = not math.isnan(idle) and m < idle + 0.5 * high
        if self.cut is not None:
            wanted = gate == 2 if self.sectioned else gate >= 1 and turning and steady
            if not wanted:
                longest = 1.2 - 0.2001 if rough else 1.2
                quick = not self.sectioned and gate >= 1 and turning and not steady and t - self.cut.opened < longest
                self._end("run_up" if quick else "closed", use_low=not self.sectioned)
                return True
        elif gate == 2 or (gate == 1 and turning and ready and above):
            if self.candidate is None or self.sectioned != (gate == 2):
                self.candidate = Cut(t, last=t, fall_at=t)
                self.next_look = t + 0.1
                self.sectioned = gate == 2
                self.low = None
        elif not above or self.sectioned:
            self.candidate = None
        air = math.nan
        counting = self.cut or self.candidate
        if counting is not None:
            level = 0.0 if math.isnan(idle) else idle
            counting.n += 1
            counting.total += x
            counting.peaks.append(x)
            counting.settled += settled and turning
            counting.sure += settled and turning and self.idle_is_sure(v)
            if counting.n > 1 and step <= 1.0 and (settled or not self.sectioned):
                counting.work += (x - level) * step
            oldest = before[-5][0] if len(before) >= 5 else math.nan
            long_enough = not rough or (len(old) > 0 and t - 0.4002 >= counting.opened)
            if counting.n >= 6 and settled and long_enough and (not self.has_speed or oldest >= self.steady_since + 0.1):
                change = m - (sum(old) / len(old) if rough else middle(loads[-6:-3]))
                counting.rise = max(counting.rise, change)
                if -change > counting.fall:
                    counting.fall, counting.fall_at = -change, t
            counting.last = t
            if self.sectioned and ready:
                air = mean if rough else x
            if self.cut is not None and not self.sectioned:
                if not below:
                    self.low = None
                elif self.low is None:
                    self.low = (t, counting.n, counting.total, counting.work)
        else:
            if len(loads) >= 2 and step <= 1.0 and settled and self.seen <= 50:
                self.noise += (abs(x - self.history[-1][1]) / 1.128 - self.noise) / (self.seen + 1.0)
            if ready and gate != 2:
                air = mean if rough else x
        self.history.append((t, x, v, air, gate))
        self.seen += 1
        if settled:
            self._learn(t, v, 0.5 * high)
        waited = t - self.candidate.opened if self.candidate is not None else 0.0
        if self.cut is None and self.candidate is not None and self.candidate.n >= 2 and (waited > 0 if self.sectioned else waited >= 0.04):
            self.cut, self.candidate = self.candidate, None
            self.events.append(("opened", self.cut.opened))
        elif self.cut is not None:
            if self.low is not None and t - self.low[0] >= 0.25:
                self._end("closed", use_low=True)
            elif t >= self.next_look:
                while self.next_look <= t:
                    self.next_look += 0.1
                self.events.append(("grown", t))
        return False

    def _learn(self, t: float, v: float, near: float) -> None:
        recent = self.history[-64:]
        for k in range(3, len(recent)):
            past = recent[-1 - k]
            if t - past[0] >= 0.8:
                low = past[3]
                if not math.isnan(low) and (not self.has_speed or past[0] > self.steady_since + 0.1):
                    b = bin_of(v)
                    near_by = self.idle_at(v)
                    if past[4] == 2 and b not in self.idle and not math.isnan(near_by) and low > 2 * near_by + near:
                        return
                    same = max(3.0 * self.here, 0.02 * self.range)
                    if b in self.idle and abs(low - self.idle[b]) <= near:
                        self.noise += 0.02 * (1.2533 * abs(low - self.idle[b]) - self.noise)
                        known = self.around.get(b, 0.0)
                        if known > 0.0:
                            self.around[b] = known + 0.02 * (1.2533 * abs(low - self.idle[b]) - known)
                        else:
                            self.around[b] = 0.3 * 1.4826 * self.ripple.get(b, 0.0)
                    if b not in self.idle:
                        self.idle[b], self.confirmed[b] = low, 0
                    elif low < self.idle[b] - same and self.confirmed[b] >= 4:
                        self.idle[b] -= max(0.02, 1.0 / (self.confirmed[b] + 1)) * same
                    elif low < self.idle[b] - same:
                        self.idle[b] += 0.5 * (low - self.idle[b])
                        self.confirmed[b] = 0
                    elif low <= self.idle[b] + same:
                        self.confirmed[b] += 1
                        self.idle[b] += max(0.02, 1.0 / (self.confirmed[b] + 1)) * (low - self.idle[b])
                    elif low < self.idle[b] + near or past[4] == 0:
                        self.idle[b] += 0.02 * (low - self.idle[b])
                return
