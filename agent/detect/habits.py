"""What is usual for one channel: how noisy it is, how much it moves in a cut, how often it changes, how it stands to its sister."""

from __future__ import annotations

import math

import msgspec

from agent.detect.budget import prediction_factor

MEMORY = 4096
"""Values after which an older one counts for less: a mean follows what changes over weeks."""
STEPS = (3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 400, 1000)
"""Numbers of values at which the factor of a limit is worked out: it hardly moves between, and costs a bisection."""


class Usual(msgspec.Struct):
    """Mean, spread and ends of one figure, mostly a logarithm, over all stretches of rows in which the channel was well (Welford 1962)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared deviations from the mean"""
    low: float = math.inf
    high: float = -math.inf

    def learn(self, value: float) -> None:
        """Take one value in."""
        if self.n >= MEMORY:
            self.n //= 2
            self.squares /= 2.0
        self.n += 1
        delta = value - self.mean
        self.mean += delta / self.n
        self.squares += delta * (value - self.mean)
        self.low, self.high = min(self.low, value), max(self.high, value)

    @property
    def sd(self) -> float:
        """Standard deviation; 0 below two values."""
        return math.sqrt(self.squares / (self.n - 1)) if self.n > 1 else 0.0

    def lowest(self, p: float, least: float, beyond: float) -> float:
        """Limit that a healthy value falls below with chance p: a prediction limit (`agent.detect.budget`), at least `least` below the mean
        and `beyond` below all that was seen; -inf below three values."""
        return min(self.mean - max(least, self._far(p)), self.low - beyond)

    def highest(self, p: float, least: float, beyond: float) -> float:
        """The same upwards."""
        return max(self.mean + max(least, self._far(p)), self.high + beyond)

    def _far(self, p: float) -> float:
        n = max((step for step in STEPS if step <= self.n), default=0)
        return prediction_factor(n, n - 1, p) * self.sd if n else math.inf


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a channel."""

    reason: str
    """Key under [reason]"""
    since: float
    """Beginning of the first stretch that showed it, s"""
    told: float
    """When it was named, s"""


class Habits(msgspec.Struct):
    """Of one channel; survives a restart."""

    carry: list[float]
    """Row of the kernel's carry (`agent.kernels.health`)"""
    gaps: int = 0
    """Times between two changes while the spindle turned or cut: how many, their sum and the longest, s"""
    gap_sum: float = 0.0
    gap_max: float = 0.0
    step: float = 0.0
    """Smallest change seen: its resolution, or less"""
    period: float = math.nan
    """s between two readings; NaN: not known, or not regular"""
    noise: Usual = msgspec.field(default_factory=Usual)
    """Log of the median difference between neighbours while the spindle stands"""
    missing: Usual = msgspec.field(default_factory=Usual)
    """Share of the time in which readings are missing"""
    spread: dict[str, Usual] = {}
    """By operation: log of the standard deviation while cutting"""
    level: dict[str, Usual] = {}
    """By operation: log of the mean while cutting"""
    against: dict[str, Usual] = {}
    """By sister channel: log of the ratio of the two spreads"""
    votes: dict[str, int] = {}
    """By reason: what the latest stretches said, one bit each, the newest lowest"""
    first: dict[str, float] = {}
    """By reason: beginning of the first stretch of those that spoke"""
    faults: dict[str, Fault] = {}
    """By reason"""

    @property
    def update_period(self) -> float | None:
        """Mean s between two changes while the spindle turns or cuts; None: not known yet."""
        return self.gap_sum / self.gaps if self.gaps >= FEWEST_CHANGES else None

    def changed(self, gaps: float, total: float, longest: float) -> None:
        """Take the changes of one stretch in."""
        if self.gaps > 100_000:
            self.gaps //= 2
            self.gap_sum /= 2.0
        self.gaps += int(gaps)
        self.gap_sum += total
        self.gap_max = max(self.gap_max, longest)

    def patience(self, p: float) -> float | None:
        """How long (s), spindle turning or cutting, a value may stand before it is stuck; None: not known yet.

        Times between changes that come at random are exponential, P(longer than t) = exp(-t / mean); the longest that was ever seen, four
        times over, stands for those that do not. Never below `SHORTEST`.
        """
        if self.gaps < FEWEST_CHANGES:
            return None
        return max(SHORTEST, self.gap_sum / self.gaps * math.log(1.0 / p), LONGEST * self.gap_max)


FEWEST_CHANGES = 50
"""Changes after which it is known how often a channel changes."""
SHORTEST = 10.0
"""s for which any value may stand."""
LONGEST = 4.0
"""... and how many times the longest that it stood before."""
