"""What is known of an operation: its good cuts, its new-tool anchor, its band for the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import numpy as np

from agent.detect.middle import Curve, band, median, winsorised
from agent.detect.neighbours import Neighbours, anchor_again
from agent.model import Cut, EnvelopeView

CURVES = 25
"""Good curves kept for the band."""
FIRST_BAND = 3
FRESH_BAND = 10
"""Curves that make a first band, and that replace one that was kept over a restart (or as many as that was made of)."""
POINTS = 200
"""Points of a curve at the most: the grid is doubled until it fits."""
ANCHOR = 3
"""First good cuts of a new tool, whose median is its anchor: more of them would take in wear that has begun."""
ANCHOR_MINIMUM = 3
MEMORY = 60
"""Good cuts over which mean and spread are taken: older ones fade."""
SPREAD_FLOOR = 0.01
"""Smallest relative spread believed: a coarse register repeats itself and knows nothing of the next batch (field.md 2.5: guard)."""
STEP = 0.29
"""Standard deviation of what a register in steps keeps for itself, in steps: 1 / sqrt(12), uniform."""
BAND_FLOOR = 0.03
"""Half-width of the band, at least, as a fraction of the largest load of the band (field.md 5, P0-3: +-3 % of learned)."""
MEDIAN_EFFICIENCY = 0.37
"""Of the median absolute deviation for Gaussian values (Rousseeuw & Croux 1993, JASA 88, 1273): so many degrees of freedom a value."""
RECENT = 40
"""Latest log ratios that are kept: of them the slope is taken."""


class Spread(msgspec.Struct):
    """Mean and standard deviation of a logarithm over its latest values, those beyond three robust standard deviations pulled in to there
    (winsorised; Huber, Robust Statistics, 1981, section 1.7), so that one odd first cut does not blind the limits for a day."""

    n: int = 0
    """Values taken in so far"""
    mean: float = 0.0
    sd: float = SPREAD_FLOOR
    """at least `SPREAD_FLOOR`"""
    robust: float = SPREAD_FLOOR
    """1.4826 times the median absolute deviation, at least `SPREAD_FLOOR`"""
    values: list[float] = []

    def learn(self, value: float, floor: float = SPREAD_FLOOR) -> None:
        """Take one value in; no spread below `floor` is believed."""
        self.n += 1
        self.values = [*self.values, value][-MEMORY:]
        self.mean, self.sd, self.robust = winsorised(self.values, floor)


class Prior(msgspec.Struct, frozen=True):
    """What the machine's other operations say of a spread before this one has spoken: their typical relative standard deviation, worth
    `dof` degrees of freedom (empirical Bayes shrinkage of variances: Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3(1) art. 3, eq. 3)."""

    sd: float = 0.0
    dof: int = 0

    def with_own(self, sd: float, dof: int) -> tuple[float, int]:
        """Standard deviation and degrees of freedom of both together."""
        total = self.dof + dof
        if total <= 0:
            return sd, 0
        return math.sqrt((self.dof * self.sd**2 + dof * sd**2) / total), total


class Priors(msgspec.Struct, frozen=True):
    """Of the three spreads that limits are made of."""

    work: Prior = Prior()
    peak: Prior = Prior()
    step: Prior = Prior()


PRIOR_DOF = 10
"""The most that other operations may weigh: an operation that repeats worse than its neighbours must soon speak for itself."""


class Baseline(msgspec.Struct):
    """Of one operation. Learned from good cuts only: never from held, lost or alarmed ones."""

    key: str
    spindle: str
    program: str
    tool: str
    section: str
    since: float
    seen: int = 0
    """Cuts, good or not."""
    good: int = 0
    blind: int = 0
    """Latest cuts, one behind the other, that could not be judged because idle at their speed is not known."""
    work: Spread = msgspec.field(default_factory=Spread)
    """of log(work)"""
    peak: Spread = msgspec.field(default_factory=Spread)
    """of log(peak - idle)"""
    duration: Spread = msgspec.field(default_factory=Spread)
    """of log(duration)"""
    middle: Spread = msgspec.field(default_factory=Spread)
    """of log(`middle_of`)"""
    fall_share: float = 0.0
    """Largest fall within a good cut before its last fifth, as a share of the load above idle before it."""
    end: float = 0.0
    """Earliest moment, s from the opening, at which a good cut fell to its end; 0: none fell there."""
    samples: float = 0.0
    """Mean number of readings in a cut."""
    update: float = 0.0
    """s between two changes of the register that is read, mean over cuts; 0: not known"""
    idle: float = 0.0
    """Mean idle load in its cuts, unit of the load"""
    came: list[bool] = msgspec.field(default_factory=list)
    """Of the latest whole parts of its program since it was first seen: whether it came in them"""
    by_load: bool = False
    """No register says when its cuts are: the load does, and one that does not rise far enough is not there."""
    spoilt: int = 0
    """Times that its tool was told to be broken or missing by it, since it was new"""
    contrast: float = 0.0
    """Mean load above idle in standard deviations of the reading noise: is the cut there at all."""
    anchor: list[float] = msgspec.field(default_factory=list)
    """log(work) of the first cuts of the present tool"""
    anchor_since: float = 0.0
    anchor_part: int = 0
    tool_cuts: int = 0
    """Cuts of the present tool"""
    ratios: list[float] = msgspec.field(default_factory=list)
    """Latest log ratios of the work to the anchor, newest last"""
    rise_since: int = -1
    """Part from which on the ratio has been above half the limit; -1: it is not"""
    cutting_time: float = 0.0
    """s, of the present tool"""
    steps: Spread = msgspec.field(default_factory=Spread)
    """of the second difference of log(work) over neighbouring cuts: repeatability, which a steady rise does not touch"""
    last_works: list[float] = msgspec.field(default_factory=list)
    neighbours: Neighbours = msgspec.field(default_factory=Neighbours)
    """of log(work): how far cuts resemble those before them"""
    rising: bool = False
    """The present tool's level has left what cuts stray by: see `wear.rises`"""
    curves: list[Curve] = msgspec.field(default_factory=list)
    """Of good cuts, on `grid`; not kept over a restart, the band is"""
    grid: float = 0.0
    """s between two points of the band, fixed by the first curve"""
    banded: int = 0
    """Curves that the band was made of"""
    used: float = 0.0
    """Time of the latest cut"""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def new_tool(self) -> float | None:
        """log(work) of the new tool, None until three of its cuts were good."""
        return median(self.anchor) if len(self.anchor) >= ANCHOR_MINIMUM else None

    @property
    def repeatability(self) -> float:
        """Relative standard deviation of the work from cut to cut: the second difference of three independent values has a variance
        of 6 (1 + 4 + 1). The median deviation, because the onset of wear is an outlier among the differences."""
        return max(self.steps.robust / math.sqrt(6.0), SPREAD_FLOOR)

    @property
    def unsure(self) -> bool:
        """A new operation counts as one of independent cuts, so that wear of its first tool is told; its limit is wide anyway."""
        return False

    def spread_of_work(self, prior: Prior) -> tuple[float, int]:
        """Of log(work): standard deviation, degrees of freedom."""
        return prior.with_own(self.work.sd, max(min(self.work.n, MEMORY) - 1, 0))

    def spread_of_peak(self, prior: Prior) -> tuple[float, int]:
        """Of log(peak above idle)."""
        return prior.with_own(self.peak.sd, max(min(self.peak.n, MEMORY) - 1, 0))

    def spread_of_step(self, prior: Prior) -> tuple[float, int]:
        """Of log(work) from one cut to the next, free of the slow rise that wear is."""
        return prior.with_own(self.repeatability, int(MEDIAN_EFFICIENCY * min(self.steps.n, MEMORY)))

    @property
    def expected_duration(self) -> float:
        """s; nan before the first good cut."""
        return math.exp(self.duration.mean) if self.duration.n else math.nan

    @property
    def expected_level(self) -> float:
        """Mean load above idle, unit of the load; nan before the first good cut."""
        return math.exp(self.work.mean - self.duration.mean) if self.work.n else math.nan

    def ratio(self, cut: Cut) -> float | None:
        """Log ratio of this cut's work to the new tool's; None where either is not known."""
        anchor = self.new_tool
        return math.log(cut.features.work) - anchor if anchor is not None and cut.features.work > 0.0 else None

    def count(self, cut: Cut) -> None:
        """A closed cut, good or not; the run-up of a spindle does not wear its tool."""
        self.seen += 1
        if cut.held != "run_up":
            self.tool_cuts += 1
            self.cutting_time += cut.features.duration

    def learn(self, cut: Cut, noise: float) -> None:
        """Take a good, closed cut in."""
        f = cut.features
        if f.work <= 0.0 or f.duration <= 0.0:
            return
        self.good += 1
        work, level = math.log(f.work), f.work / f.duration
        # A register in steps repeats itself to the digit, and may say the next step of the very same cut.
        coarse = STEP * f.step / max(level, 1e-9)
        self.work.learn(work, max(SPREAD_FLOOR, min(coarse, 1.0)))
        self.peak.learn(math.log(max(f.peak - f.idle, 1e-9)), max(SPREAD_FLOOR, min(STEP * f.step / max(f.peak - f.idle, 1e-9), 1.0)))
        self.duration.learn(math.log(f.duration))
        if (middle := middle_of(cut)) > 0.0:
            self.middle.learn(math.log(middle))
        self.last_works = [*self.last_works, work][-3:]
        if len(self.last_works) == 3:
            a, b, c = self.last_works
            self.steps.learn(a - 2.0 * b + c, math.sqrt(6.0) * max(SPREAD_FLOOR, min(coarse, 1.0)))
        if len(self.anchor) < ANCHOR:
            if not self.anchor:
                self.anchor_since, self.anchor_part = cut.opened, cut.part
            self.anchor.append(work)
        self.neighbours.take(work, rising=self.rising)
        anchor_again(self)
        if f.fall_before > 0.0 and f.fall_at >= 0.8 * f.duration:
            self.end = min(self.end, f.fall_at) if self.end > 0.0 else f.fall_at
        if f.fall_before > 0.0 and f.fall_at < 0.8 * f.duration:
            self.fall_share = max(self.fall_share, min(f.largest_fall / f.fall_before, 1.0))
        self.samples += (f.samples - self.samples) / min(self.good, MEMORY)
        self.idle += (f.idle - self.idle) / min(self.good, MEMORY)
        if f.update > 0.0:
            self.update += (f.update - self.update) / (min(self.good, MEMORY) if self.update > 0.0 else 1.0)
        self.contrast += (level / max(noise, 1e-9) - self.contrast) / min(self.good, MEMORY)
        if len(cut.curve) >= 2:
            self._keep(cut)

    def new(self, time: float) -> None:
        """A new tool or edge: its anchor starts again, what is known of the operation stays."""
        self.anchor = []
        self.ratios = []
        self.anchor_since = time
        self.tool_cuts = self.spoilt = 0
        self.cutting_time = 0.0
        self.rise_since, self.rising = -1, False
        self.last_works = []
        self.neighbours.begin()

    def envelope(self) -> EnvelopeView | None:
        """The band of good cuts; None before three."""
        if len(self.low) < 2:
            return None
        return EnvelopeView(grid=self.grid, low=self.low, high=self.high, n=self.banded, since=self.since)

    def without_curves(self) -> Baseline:
        """As it is kept on disk."""
        return msgspec.structs.replace(self, curves=[])

    def _keep(self, cut: Cut) -> None:
        """The curve of a good cut, on the grid of this operation."""
        if self.grid <= 0.0:
            self.grid = cut.grid
            while len(cut.curve) * cut.grid > POINTS * self.grid:
                self.grid *= 2.0
        step = max(1, round(self.grid / cut.grid))
        self.curves = [*self.curves, np.array(cut.curve[::step])][-CURVES:]
        if len(self.curves) >= (FRESH_BAND if self.banded > len(self.curves) else FIRST_BAND):
            self._band()

    def _band(self) -> None:
        """Median +- 3 robust standard deviations per position (1.4826 MAD), at least `BAND_FLOOR` of the largest median."""
        found = band(self.curves, BAND_FLOOR)
        if found is not None:
            self.banded = len(self.curves)
            self.low, self.high = found


def middle_of(cut: Cut) -> float:
    """Median load above idle over a closed cut, unit of the load; 0 where it has no curve, or does not stand above idle."""
    return max(median(cut.curve) - cut.features.idle, 0.0) if cut.curve else 0.0


def begun(cut: Cut) -> Baseline:
    """Of an operation that is seen for the first time."""
    operation = cut.operation
    return Baseline(
        key=operation.key,
        spindle=operation.spindle,
        program=operation.program,
        tool=operation.tool,
        section=operation.section,
        since=cut.opened,
        anchor_since=cut.opened,
    )


def priors(baselines: Iterable[Baseline]) -> Priors:
    """Median spreads of the operations that were seen at least three times, and what they are worth together."""
    known = [b for b in baselines if b.good >= ANCHOR_MINIMUM]
    if not known:
        return Priors()
    dof = min(PRIOR_DOF, sum(b.good - 1 for b in known))

    def prior(values: list[float]) -> Prior:
        return Prior(median(values), dof)

    return Priors(prior([b.work.sd for b in known]), prior([b.peak.sd for b in known]), prior([b.repeatability for b in known]))
