"""Chatter: in a cut the vibration rings at a frequency that is no multiple of the spindle's own, window after window.

Cutting makes lines at multiples of the rotation (runout, teeth) and noise without lines; chatter is a line, or a few, between them
(Y. Altintas, Manufacturing Automation, 2nd ed. 2012, chapter 4). Of a record under a Hann window the energy from `LOWEST` Hz to rate / 2.56
is taken, at most to `HIGHEST`. A line is a bin that stands `CLEAR` times above the median around it and is the largest within two bins. It
counts when it lies off every multiple by more than `OFF` bins and 0.1 %, and stands `ABOVE` times higher than anything near it did in
air: a pump and a fan turn then, too. The score is the share of the `LINES` largest such lines in the energy of the band.

The speed register is not good enough for that: 0.5 % are half a multiple at the 100th. So the speed is taken from the signal, first from
the strongest of 1x, 2x and 3x, then by the multiples up to the 20th together; where none of the three stands out nothing is judged.

`SHARE` was chosen on synthetic signals (tests/agent/detect/test_chatter.py); there is no public recording of chatter to judge it by.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.model import Coverage, Cut, Finding, Indicator, Word
from drivers.model import Waveform

LOWEST, HIGHEST = 200.0, 5000.0
"""Hz"""
OF_RATE = 2.56
LOWEST_RATE = OF_RATE * 2000.0
"""Hz; chatter of tools and workpieces lies up to some kHz: below 2 kHz nothing may be claimed (detection.md 3)."""
SHORTEST, LONGEST = 0.5, 1.5
"""s of a window: `TURNS` turns, so that multiples are that many bins apart."""
TURNS = 24.0
SLIP = 0.03
"""By which the speed register may be off."""
FINE = 0.003
CLEAR = 20.0
CERTAIN = 40.0
"""Times above the median around it for the line that tells the speed: its place is then known to a tenth of a bin."""
ABOVE = 4.0
OFF = 2.5
OFF_SHARE = 0.001
LINES = 6
AROUND = 24
SHARE = 0.15
PERSIST = 3
"""Windows in which the same line stands, one after the other."""
SAME = 0.02
"""Of the frequency of a line from one window to the next."""
CELL = 10.0
"""Hz, of what is remembered of air."""
FORGET = 0.95
"""By which what was seen in air fades with each look at it."""
AIR_EVERY = 10.0
APART = 0.02
"""s, as in `agent.looks`."""


class ChatterState(msgspec.Struct):
    """What survives a restart."""

    air: bytes = b""
    """float32, highest density seen in air, a cell of `CELL` Hz each; unit2/Hz"""
    told: list[str] = []
    """Operations"""


class Seen(NamedTuple):
    """One window.

    Attributes
    ----------
    share: 0 to 1, NaN where nothing can be said. hz: of the strongest line that counts; NaN: none. rpm: from the signal.
    """

    share: float
    hz: float
    rpm: float


class Chatter:
    """Follows one channel of raw vibration; of its axes the one that shows most.

    Parameters
    ----------
    channel, spindle: names.
    """

    def __init__(self, channel: str, spindle: str) -> None:
        self.channel = channel
        self.spindle = spindle
        self.state = ChatterState()
        self._blocks: list[Waveform] = []
        self._cut = ""
        self._run = 0
        self._hz = math.nan
        self._judged = 0
        self._most = 0
        self._rate = 0.0
        self._speed_seen: bool | None = None
        self._looked = -math.inf

    def air(self, wave: Waveform) -> None:
        """A block without a cut: what stands there is no chatter."""
        self._rate, self._blocks = wave.rate, []
        end = wave.start + len(wave.samples) / wave.rate
        if wave.rate < LOWEST_RATE or len(wave.samples) < 0.1 * wave.rate or (self.state.air and end - self._looked < AIR_EVERY):
            return
        self._looked = end
        power, step = _density(_record([wave]), wave.rate)
        cells = np.zeros(int(HIGHEST / CELL) + 1)
        at = np.minimum((np.arange(len(power)) * step / CELL).astype(np.int64), len(cells) - 1)
        np.maximum.at(cells, at, power)
        if self.state.air:
            cells = np.maximum(cells, FORGET * np.frombuffer(self.state.air, dtype=np.float32))
        self.state.air = cells.astype(np.float32).tobytes()

    def cutting(self, wave: Waveform, cut: Cut, rpm: float, width: float = 1.0) -> list[Finding | Indicator]:
        """A block within a cut, the spindle at about `rpm`. `width`: of the limit, by the operator's word."""
        self._rate = wave.rate
        if wave.rate < LOWEST_RATE or not self.state.air or not rpm > 0.0 or TURNS / (rpm / 60.0) > LONGEST:
            return []
        if self._cut != cut.id:
            self._cut, self._run, self._judged, self._most, self._blocks = cut.id, 0, 0, 0, []
        if self._blocks:
            last = self._blocks[-1]
            if wave.lost or wave.rate != last.rate or abs(wave.start - last.start - len(last.samples) / last.rate) > APART:
                self._blocks, self._run = [], 0
        self._blocks.append(wave)
        samples = sum(len(block.samples) for block in self._blocks)
        if samples < max(SHORTEST, TURNS / (rpm / 60.0)) * wave.rate:
            return []
        record, self._blocks = _record(self._blocks), []
        seen = look(record, wave.rate, rpm, np.frombuffer(self.state.air, dtype=np.float32))
        if seen.share != seen.share:
            self._speed_seen, self._run = False, 0
            return []
        self._speed_seen = True
        self._judged += 1
        limit = SHARE * width
        same = self._run > 0 and abs(seen.hz - self._hz) <= SAME * self._hz
        self._run = 0 if seen.share <= limit else self._run + 1 if same else 1
        self._hz = seen.hz
        self._most = max(self._most, self._run)
        end = wave.start + len(wave.samples) / wave.rate
        key = cut.operation.key
        if self._run < PERSIST or key in self.state.told:
            return []
        self.state.told = [*self.state.told, key]
        return [self._finding(end, cut, seen, limit, finished=False)]

    def closed(self, cut: Cut) -> list[Finding | Indicator]:
        """A cut has ended: one of the same operation in which nothing rang ends the episode."""
        judged, most = (self._judged, self._most) if self._cut == cut.id else (0, 0)
        self._cut, self._blocks = "", []
        key = cut.operation.key
        if key not in self.state.told or judged < PERSIST or most > 0:
            return []
        self.state.told = [other for other in self.state.told if other != key]
        return [self._finding(cut.time, cut, Seen(0.0, math.nan, math.nan), SHARE, finished=True)]

    def unmark(self) -> None:
        """What was told was false: it may be told again."""
        self.state.told = []
        self._run = 0

    def words(self, now: float, *, speed_known: bool) -> tuple[Coverage, ...]:
        """Whether chatter can be seen."""
        scope = f"chatter/{self.channel}"
        if 0.0 < self._rate < LOWEST_RATE:
            return (Coverage(time=now, scope=scope, word=Word.NOT_MONITORABLE, reason="chatter_rate"),)
        if not speed_known:
            return (Coverage(time=now, scope=scope, word=Word.NOT_MONITORABLE, reason="no_speed_channel"),)
        if not self.state.air:
            return (Coverage(time=now, scope=scope, word=Word.LEARNING, reason="chatter_air"),)
        if self._speed_seen is False:
            return (Coverage(time=now, scope=scope, word=Word.NOT_MONITORABLE, reason="chatter_speed"),)
        return (Coverage(time=now, scope=scope, word=Word.MONITORING),)

    def saved(self) -> ChatterState:
        """What survives a restart."""
        return self.state

    def restore(self, state: ChatterState) -> None:
        """Take back what `saved` gave."""
        self.state = state

    def _finding(self, time: float, cut: Cut, seen: Seen, limit: float, *, finished: bool) -> Finding:
        return Finding(
            time=time,
            kind="chatter",
            severity="warning",
            channel=self.channel,
            spindle=self.spindle,
            operation=cut.operation.key,
            tool=cut.operation.tool,
            score=seen.share,
            threshold=limit,
            evidence={} if finished else {"line": True, "value": 100.0 * seen.share, "hz": seen.hz, "rpm": seen.rpm, "records": PERSIST},
            cut=cut.id,
            finished=finished,
        )


def look(record: NDArray[np.float64], rate: float, rpm: float, air: NDArray[np.float32]) -> Seen:
    """One window (n, axes) of a cut; `air`: cells of what stands without one."""
    power, step = _density(record, rate)
    first, last = int(LOWEST / step), min(int(min(HIGHEST, rate / OF_RATE) / step), len(power) - AROUND - 1)
    turning = _turning(power, rpm / 60.0 / step)
    if turning is None or last <= first:
        return Seen(math.nan, math.nan, rpm)
    here = np.arange(first, last + 1)
    p = power[first : last + 1]
    usual = _usual(p)
    top = (p > power[here - 1]) & (p >= power[here + 1]) & (p > power[here - 2]) & (p >= power[here + 2])
    order = np.rint(here / turning)
    beside = np.abs(here - order * turning) > OFF + OFF_SHARE * here
    cells = np.minimum((here * step / CELL).astype(np.int64), len(air) - 1)
    near = np.maximum(np.maximum(air[np.maximum(cells - 1, 0)], air[cells]), air[np.minimum(cells + 1, len(air) - 1)])
    counts = np.flatnonzero(top & beside & (p > CLEAR * usual) & (p > ABOVE * near))
    total = float(p.sum())
    if not len(counts) or total <= 0.0:
        return Seen(0.0, math.nan, turning * step * 60.0)
    energies = np.array([power[here[i] - 2 : here[i] + 3].sum() for i in counts.tolist()])
    largest = np.sort(energies)[-LINES:]
    return Seen(min(float(largest.sum()) / total, 1.0), float(here[counts[int(np.argmax(energies))]]) * step, turning * step * 60.0)


def _usual(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each bin the median of the piece of about 2 `AROUND` bins in which it lies."""
    pieces = np.array_split(power, max(len(power) // (2 * AROUND), 1))
    return np.concatenate([np.full(len(piece), np.median(piece)) for piece in pieces])


def _record(blocks: list[Waveform]) -> NDArray[np.float64]:
    return np.concatenate([block.samples for block in blocks]).astype(np.float64) * blocks[0].scale


def _density(record: NDArray[np.float64], rate: float) -> tuple[NDArray[np.float64], float]:
    """Mean square density of the axis with the strongest high frequencies, unit2/Hz, and the width of its bins, Hz; Hann window."""
    n = len(record)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)
    x = record[:, int(np.argmax((np.diff(record, axis=0) ** 2).sum(axis=0)))]
    return np.abs(np.fft.rfft((x - x.mean()) * window)) ** 2 * (2.0 / (0.375 * n * rate)), rate / n


def _turning(power: NDArray[np.float64], given: float) -> float | None:
    """Rotation in bins from the strongest of 1x to 3x near the given one, then by all multiples; None: none of them stands out."""
    best, found = 0.0, given
    for order in (1, 2, 3):
        low, high = math.floor(order * given * (1.0 - SLIP)), math.ceil(order * given * (1.0 + SLIP))
        if low < 2 or high + AROUND >= len(power):
            continue
        k = low + int(np.argmax(power[low : high + 1]))
        around = np.concatenate([power[max(k - AROUND, 1) : k - 2], power[k + 3 : k + AROUND]])
        if power[k] > best and power[k] > CERTAIN * float(np.median(around)):
            best = float(power[k])
            # Place between the bins under a Hann window (T. Grandke, IEEE Trans. IM 32 (1983) 350-355).
            below, above = math.sqrt(power[k - 1]), math.sqrt(power[k + 1])
            ratio = max(below, above) / math.sqrt(power[k])
            shift = (2.0 * ratio - 1.0) / (ratio + 1.0)
            found = (k + shift if above >= below else k - shift) / order
    if best == 0.0 or abs(found - given) > SLIP * given:
        return None
    orders = np.arange(1, 21)
    orders = orders[orders * found * (1.0 + FINE) < len(power) - 2]
    tried = found * (1.0 + np.linspace(-FINE, FINE, 61))
    at = np.rint(np.outer(tried, orders)).astype(np.int64)
    # Each multiple counts by the logarithm of its height, so that no single line draws all the others to it.
    worth = np.log1p(power[at] / (np.median(power[: int(21 * found)]) + 1e-30)).sum(axis=1)
    most = np.flatnonzero(worth >= worth.max() - 1e-12)
    return float(tried[most[len(most) // 2]])
