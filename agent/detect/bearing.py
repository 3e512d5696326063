"""Lines of a damaged race in the spectrum of the squared envelope: 'inner race', 'outer race', and a ball never for certain.

A record of vibration is taken apart into bands; where the structure rings one of them shows the strikes, which one is not known beforehand.
Of each band |z|^2 is taken, z its analytic signal (R. B. Randall and J. Antoni, Mechanical Systems and Signal Processing 25 (2011) 485-520,
5.2): the bins of the band alone are transformed back, at a rate that is twice as wide as the band, so that nothing folds.

Of the spectrum P of |z|^2 over its mean, under a Hann window, each bin is worth ln(P ln 2 / median of the bins around), at least 0: bins of
noise are exponential, so that ln 2 times their mean is their median, and a bin of noise is worth -Euler's 0.58 on average. Of a defect the
worth of its first three harmonics is added, at the frequency within `SLIP` of the calculated one at which the sum is largest (balls slip by
2 to 3 %, and a drive's speed is not the shaft's: the signal itself says the speed); the best band counts.

A race is named where its sum is above `NAMED` and `APART` above that of the others. benchmarks/detection/_bearings.py chooses both on one
rig and scores them on another; the values here were chosen with sight of both. A ball was found in a fifth of the windows of a damaged
ball, and a race was named in a tenth: it is called uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.model import Finding, Indicator
from agent.passages import Passages

SLIP = 0.02
HARMONICS = 3
AROUND = 24
"""Bins to either side whose median is what is usual there."""
STEP = 8
"""Bins that share one such median."""
NAMED = 11.0
APART = 2.5
PERSIST = 3
"""Records of which the same race was named, one after the other."""
SECONDS = 2.0
"""Shortest record: lines 1 Hz apart are told apart."""
OF_RATE = 2.56
"""Rate over the highest frequency believed; the custom of analysers."""
LOWEST_RATE = 10_000.0
"""Hz; below it the ringing of a bearing is not in the record (detection.md 2.7)."""
DEFECTS = ("outer_race", "inner_race", "ball")


class Verdict(NamedTuple):
    """What one record says.

    Attributes
    ----------
    defect: '', or one of `DEFECTS`. scores: of each of those, in nats. found: Hz, of the strongest.
    band: Hz, lower and upper edge of the band in which it stood.
    """

    defect: str
    scores: tuple[float, float, float]
    found: float
    band: tuple[float, float]


class BearingState(msgspec.Struct):
    """What survives a restart."""

    last: str = ""
    run: int = 0
    told: str = ""
    clear: int = 0


def bands(rate: float) -> list[tuple[float, float]]:
    """Seven bands of a quarter of what is believed, each over half of its neighbour, and the whole; Hz."""
    top = rate / OF_RATE
    step = top / 8.0
    return [*((max(k * step, 0.02 * top), (k + 2) * step) for k in range(7)), (0.05 * top, top)]


def verdict(
    record: NDArray[np.floating], rate: float, rpm: float, passages: Passages, named: float = NAMED, apart: float = APART
) -> Verdict:
    """Judge a record of one axis.

    Parameters
    ----------
    record: (n,) acceleration, any unit; at least `SECONDS`.
    rate: Hz. rpm: of the shaft. passages: of `agent.passages`. named, apart: nats.
    """
    return verdicts(record, rate, rpm, [passages], named, apart)[0]


def verdicts(
    record: NDArray[np.floating], rate: float, rpm: float, bearings: Sequence[Passages], named: float = NAMED, apart: float = APART
) -> list[Verdict]:
    """The same for all bearings of a shaft: the record is taken apart once."""
    nothing = Verdict("", (0.0, 0.0, 0.0), math.nan, (math.nan, math.nan))
    seconds = len(record) / rate
    if seconds < 0.99 * SECONDS or not np.isfinite(record).all() or not math.isfinite(rpm) or rpm == 0.0 or not bearings:
        return [nothing] * len(bearings)
    turning = abs(rpm) / 60.0 * seconds
    best = [[0.0, 0.0, 0.0] for _ in bearings]
    where = [[(math.nan, (math.nan, math.nan))] * 3 for _ in bearings]
    highest = max(max(passages) for passages in bearings)
    for band, power in _envelopes(record, rate):
        top = min(len(power) - 1, math.ceil((HARMONICS + 1) * highest * turning) + AROUND)
        worth = _worth(power[:top])
        for b, passages in enumerate(bearings):
            for d, order in enumerate(passages):
                score, at = _comb(worth, order * turning)
                if score > best[b][d]:
                    best[b][d], where[b][d] = score, (at / seconds, band)
    return [_named(best[b], where[b], named, apart) for b in range(len(bearings))]


def _named(best: Sequence[float], where: Sequence[tuple[float, tuple[float, float]]], named: float, apart: float) -> Verdict:
    ranked = sorted(range(3), key=lambda d: best[d], reverse=True)
    first, second = ranked[0], ranked[1]
    clear = best[first] > named and best[first] - best[second] > apart
    return Verdict(DEFECTS[first] if clear else "", (best[0], best[1], best[2]), *where[first])


def follow(state: BearingState, found: str) -> tuple[str, str]:
    """Persistence: ('begun' | 'over' | '', defect) after one more record that named `found` ('': none)."""
    state.run = state.run + 1 if found == state.last else 1
    state.last = found
    if found and found != state.told and state.run >= PERSIST:
        state.told = found
        return "begun", found
    if state.told and not found and state.run >= 2 * PERSIST:
        over, state.told = state.told, ""
        return "over", over
    return "", ""


def _envelopes(record: NDArray[np.floating], rate: float) -> Iterator[tuple[tuple[float, float], NDArray[np.float64]]]:
    """Each band and the spectrum of its squared envelope over its mean; bins of 1 / length of the record."""
    spectrum = np.fft.rfft(np.asarray(record, dtype=np.float64) - float(np.mean(record)))
    seconds = len(record) / rate
    for low, high in bands(rate):
        first, last = int(low * seconds), int(high * seconds)
        n = 1 << math.ceil(math.log2(2 * (last - first)))
        inside = np.zeros(n, dtype=np.complex128)
        inside[: last - first] = spectrum[first:last]
        envelope = np.abs(np.fft.ifft(inside)) ** 2
        mean = float(envelope.mean())
        if mean <= 0.0:
            continue
        window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)
        yield (low, high), np.abs(np.fft.rfft((envelope / mean - 1.0) * window))[: n // 2] ** 2


def _worth(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nats by which each bin stands above the median of those around."""
    padded = np.pad(power, AROUND, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    # What is usual changes little over a few bins, and a median costs as much as all the rest.
    usual = np.repeat(np.median(around[STEP // 2 :: STEP], axis=1), STEP)
    usual = np.concatenate([usual, np.full(max(len(power) - len(usual), 0), usual[-1] if len(usual) else 0.0)])[: len(power)]
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = np.log(power / usual * math.log(2.0))
    return np.where(np.isfinite(worth), np.maximum(worth, 0.0), 0.0)


def _comb(worth: NDArray[np.float64], line: float) -> tuple[float, float]:
    """Largest sum over harmonics within `SLIP` of a line, both in bins; 0 where the line does not lie within the spectrum."""
    if line < 4.0 or line * (1.0 + SLIP) >= len(worth) - 2:
        return 0.0, math.nan
    tried = np.arange(line * (1.0 - SLIP), line * (1.0 + SLIP) + 0.25, 0.25)
    total = np.zeros(len(tried))
    for harmonic in range(1, HARMONICS + 1):
        at = np.rint(harmonic * tried).astype(np.int64)
        inside = at < len(worth) - 1
        at = np.minimum(at, len(worth) - 2)
        here = worth[at] if harmonic == 1 else np.maximum(np.maximum(worth[at - 1], worth[at]), worth[at + 1])
        total += np.where(inside, here, 0.0)
    k = int(np.argmax(total))
    return float(total[k]), float(tried[k])


class Bearings:
    """Follows the bearings of one spindle in the records of one sensor.

    Parameters
    ----------
    channel, spindle: names.
    bearings: name and passages of each.
    """

    def __init__(self, channel: str, spindle: str, bearings: Sequence[tuple[str, Passages]]) -> None:
        self.channel = channel
        self.spindle = spindle
        self._bearings = tuple(bearings)
        self.states: dict[str, BearingState] = {name: BearingState() for name, _ in bearings}

    @property
    def told(self) -> bool:
        """Whether a name stands."""
        return any(state.told for state in self.states.values())

    def take(self, time: float, record: NDArray[np.floating], rate: float, rpm: float, width: float = 1.0) -> list[Finding | Indicator]:
        """Judge a record (n, axes) in air at a steady speed; of the axes the one that shows most. `width`: of the limit."""
        seen = [verdicts(record[:, a], rate, rpm, [p for _, p in self._bearings], NAMED * width) for a in range(record.shape[1])]
        out: list[Finding | Indicator] = []
        most = [0.0, 0.0, 0.0]
        for b, (name, _) in enumerate(self._bearings):
            axis, best = max(enumerate(its[b] for its in seen), key=lambda pair: max(pair[1].scores))
            most = [max(pair) for pair in zip(most, best.scores, strict=True)]
            state = self.states[name]
            # What is certain is not taken back by what is not.
            found = state.told if best.defect == "ball" and state.told else best.defect
            change, defect = follow(state, found)
            if change == "begun" or (change == "over" and not self.told):
                out.append(self._finding(time, name, defect, best, rpm, "xyz"[axis : axis + 1], NAMED * width, finished=change == "over"))
        return [*(self._indicator(time, defect, score) for defect, score in zip(DEFECTS, most, strict=True)), *out]

    def unmark(self) -> None:
        """What was told was false: it may be told again."""
        for state in self.states.values():
            state.told = ""
            state.run = 0

    def restore(self, states: dict[str, BearingState]) -> None:
        """Take back what `states` was; of bearings that are not there any more nothing."""
        self.states.update({name: state for name, state in states.items() if name in self.states})

    def _indicator(self, time: float, defect: str, score: float) -> Indicator:
        return Indicator(time=time, channel=self.channel, operation="", tool="", name=f"bearing_{defect}", value=score)

    def _finding(
        self, time: float, bearing: str, defect: str, seen: Verdict, rpm: float, axis: str, limit: float, *, finished: bool
    ) -> Finding:
        score = max(seen.scores)
        return Finding(
            time=time,
            kind="spindle",
            severity="advice" if defect == "ball" else "warning",
            channel=self.channel,
            spindle=self.spindle,
            operation="",
            tool="",
            # Nats are logarithms, as the operator's word takes them (`detect.tuning`).
            score=math.exp(score),
            threshold=math.exp(limit),
            evidence={
                defect: True,
                "indicator": "bearing",
                "bearing": bearing,
                "axis": axis,
                "hz": seen.found,
                "order": seen.found * 60.0 / abs(rpm),
                "band_low": seen.band[0],
                "band_high": seen.band[1],
                "rpm": abs(rpm),
                "records": PERSIST,
            },
            finished=finished,
        )
