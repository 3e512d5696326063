"""The production lathe at another feed, which nothing tells: its cuts are held as 'feed changed', told as an alert, or neither.

Parts are those of `_hahn_parts`, read at 100 Hz, all their cuts resampled in time, the load above idle times the feed, so that the work is
kept (a real feed keeps about feed ** -0.25 of it). A monitor that learned good
parts sees each such part from the same state. Only cuts that the pass watches are counted: those of operations that it judges.

The plain rule is one length alone: a cut is held when its length is off the median of the learned ones by more than x %, x the smallest
of twelve by which at most 0.5 % of the healthy cuts are.
"""

from __future__ import annotations

import copy
import math
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.detect import feed, restart, revision
from agent.detect.coverage import of_operation
from agent.maintenance import MaintenancePlan
from agent.model import Cut, Finding, Word
from agent.monitor import Monitor
from agent.settings import MachineSettings
from benchmarks.detection._hahn_parts import CHANNELS, Parts
from benchmarks.detection._hahn_trials import LEARN, Learned, learn, readings
from benchmarks.detection.table import Progress, Row, wilson

RATE = 100
"""Hz."""
FEEDS = (0.7, 0.85, 1.15, 1.3)
TESTS, HEALTHY = 8, 16
"""Test parts of each feed, and healthy ones."""
LENGTHS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
HELD = (feed.HELD, restart.HELD, revision.HELD)
ALLOWED = 0.005


@dataclass
class Seen:
    """Of one feed: what became of the cuts that are watched, how far their lengths are off; alerts of changed tools, by kind."""

    became: Counter[str] = field(default_factory=Counter)
    off: list[float] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


def feed_rows(parts: Parts, settings: MachineSettings, work: MaintenancePlan, progress: Progress) -> list[Row]:
    """Rows feed_*."""
    learned = learn(parts, settings, work, RATE, LEARN, lambda x: progress(0.3 * x, "feed"))
    healthy = Seen()
    for test in range(HEALTHY):
        progress(0.3 + 0.2 * test / HEALTHY, "feed")
        _see(parts, learned, settings, test, 1.0, (), healthy)
    seen = {}
    tools = sorted({cut.tool for cut in parts.cuts if math.isfinite(cut.contrast)})
    for k, ratio in enumerate(FEEDS):
        seen[ratio] = Seen()
        for test in range(TESTS):
            progress(0.5 + 0.5 * (k + test / TESTS) / len(FEEDS), "feed")
            _see(parts, learned, settings, test, ratio, tools, seen[ratio])
    limit = next((x for x in LENGTHS if np.mean(np.array(healthy.off) > x) <= ALLOWED), LENGTHS[-1])
    return [_healthy(healthy), *(_row(ratio, one, limit) for ratio, one in seen.items())]


def at_feed(
    parts: Parts, values: NDArray[np.float64], tools: Collection[int], ratio: float, draw: np.random.Generator
) -> NDArray[np.float64]:
    """A part in which these tools cut at another feed, `ratio` times as high."""
    out, at = [], 0
    for cut in sorted((cut for cut in parts.cuts if cut.tool in tools), key=lambda one: one.first):
        out.append(values[at : cut.first])
        n = cut.last - cut.first
        rows = cut.first + np.minimum((np.arange(round(n / ratio)) + 0.5) * ratio, n - 1).astype(int)
        piece = values[rows]
        idle = parts.idle_for(cut.spindle, cut.first, cut.last, draw)
        if idle is not None:
            piece[:, cut.spindle] = idle.mean() + ratio * (piece[:, cut.spindle] - idle.mean())
        out.append(piece)
        at = cut.last
    return np.concatenate([*out, values[at:]])


def _see(parts: Parts, learned: Learned, settings: MachineSettings, number: int, ratio: float, tools: Collection[int], seen: Seen) -> None:
    draw, step = learned.draw, learned.step
    values = at_feed(parts, parts.part(LEARN + number, draw, learned.start), tools, ratio, draw)
    values[:, CHANNELS.index("part")] = LEARN
    monitor: Monitor = copy.deepcopy(learned.monitor)
    events = monitor.feed(readings(values[int(draw.integers(step)) :: step], LEARN * parts.seconds, step / parts.rate))
    events += monitor.finish()
    mine = {str(tool) for tool in tools} if ratio != 1.0 else {str(cut.tool) for cut in parts.cuts}
    told: dict[str, set[str]] = defaultdict(set)
    for event in events:
        # Wear and drift are told of histories that were repeated, at any feed.
        if isinstance(event, Finding) and not event.finished and event.kind in ("missing", "breakage", "overload") and event.tool in mine:
            told[event.operation].add(event.kind)
    for cut in (e for e in events if isinstance(e, Cut) and e.phase == "closed" and e.operation.tool in mine and e.held != "run_up"):
        known = learned.monitor.watch.state.baselines.get(cut.operation.key)
        if known is None or of_operation(known, settings.monitoring, 0.0).word not in (Word.PROVISIONAL, Word.MONITORING):
            seen.became["not watched"] += 1
            continue
        kinds = told.get(cut.operation.key, set())
        seen.became["alert" if kinds else cut.held if cut.held in HELD else "nothing"] += 1
        seen.kinds.update(kinds)
        seen.off.append(abs(cut.features.duration / known.expected_duration - 1.0))


def _healthy(seen: Seen) -> Row:
    held = sum(seen.became[why] for why in HELD)
    n = sum(seen.became.values()) - seen.became["not watched"]
    low, high = wilson(held, n)
    said = ", ".join(f"{seen.became[why]} {why}" for why in HELD if seen.became[why]) or "none"
    return Row(
        set="hahn_lathe", name="feed_healthy", figure="healthy cuts held as at another feed, a restart or another program, 100 Hz",
        value=100.0 * held / n if n else None, low=100.0 * low, high=100.0 * high, unit="%", n=f"{n} cuts that are watched",
        fixed="defaults of the product, chosen with sight of this set",
        note=f"{said}; {seen.became['not watched']} further cuts are not watched",
    )  # fmt: skip


def _row(ratio: float, seen: Seen, limit: float) -> Row:
    n = sum(seen.became.values()) - seen.became["not watched"]
    held, alert = seen.became[feed.HELD], seen.became["alert"]
    low, high = wilson(held, n)
    kinds = ", ".join(f"{k} {kind}" for kind, k in sorted(seen.kinds.items())) or "none"
    return Row(
        set="hahn_lathe", name=f"feed_{round(100 * ratio)}",
        figure=f"cuts at {round(100 * ratio)} % of their feed, 100 Hz: told as feed changed",
        value=100.0 * held / n if n else None, low=100.0 * low, high=100.0 * high, unit="%", n=f"{n} cuts that are watched",
        fixed="defaults of the product, chosen with sight of this set",
        baseline=f"length off by more than {100 * limit:.0f} %: held",
        baseline_value=100.0 * float(np.mean(np.array(seen.off) > limit)) if n else None,
        note=f"alert {alert} ({kinds}), nothing {seen.became['nothing']}, "
        f"other holds {seen.became[restart.HELD] + seen.became[revision.HELD]}; {seen.became['not watched']} further cuts are not watched",
    )  # fmt: skip
