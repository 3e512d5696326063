"""Production lathe (von Hahn): missing and broken tools put into a real part, through the pass; healthy history through its detectors.

Parts are made of the one whole part at 1 kHz by `_hahn_parts` (which says what is real and what is repeated), read at 1 kHz, 10 Hz and
1 Hz, and driven through `Monitor` with tool number, part counter, current and speed: the load alone says when a cut is. The cut signal of
the recording is a label: it says where to break, and what counts as found, never what is read. The monitor learns `LEARN` good parts; then
each test part starts from that same state. In it about a third of the tools break (within one cut, drawn evenly from 5 to 90 % of it) or
are missing from the start. Found: a finding 'missing' or 'breakage' of this tool, for a break at the latest 1 s after the cut should have
ended, for a missing tool before another tool has cut for 1 s. Declared monitorable: the pass promises it (`Watch.promise`) for an operation
that covers the cut.

The plain rule is a fixed limit: the mean of the cut lies x % below the median of the learned ones. It is told where each cut begins and
ends (the pass is not). x is chosen among 12, for each tool on the other tools: the most found at no more false alarms among the good cuts
than the pass had.
"""

from __future__ import annotations

import copy
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.machine_file import load
from agent.maintenance import MaintenancePlan, plan
from agent.model import Cut, Finding
from agent.monitor import Monitor
from agent.settings import ChannelOptions, MachineSettings
from benchmarks.detection._hahn_history import history_rows
from benchmarks.detection._hahn_parts import CHANNELS, Parts
from benchmarks.detection.table import Progress, Row, wilson
from drivers.model import Readings

MACHINE = Path(__file__).resolve().parent.parent / "machines" / "hahn.toml"
RATES = (1000, 10, 1)
"""Hz."""
LEARN = 22
TESTS = {1000: 24, 10: 60, 1: 60}
"""Test parts; a third as many first parts."""
SHARE = 1.0 / 3.0
BREAKS = (0.05, 0.90)
LATE = 1.0
CLASSES = (("above 25 %", 0.25, math.inf), ("5 to 25 %", 0.05, 0.25), ("below 5 %", -math.inf, 0.05))
LIMITS = (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.10, 0.15, 0.20, 0.30, 0.40, 0.60)
BROKEN = ("missing", "breakage")


@dataclass(frozen=True)
class Trial:
    """One tool that was missing or broke.

    Attributes
    ----------
    cut: index of the cut. kind: 'broken', 'missing', or 'first' (broken in the first part ever). at: share of the cut, 0 if missing.
    found: the pass told it in time. promised: it had said that it would. delay: s from the break. drop: fall of the mean of this cut.
    """

    cut: int
    kind: str
    at: float
    found: bool
    promised: bool
    delay: float
    drop: float


@dataclass
class Tried:
    """Everything of one rate."""

    trials: list[Trial]
    good: list[tuple[int, float]]
    """Good cuts of the test parts: index, fall of the mean against the learned median."""
    false: Counter[str]
    """Findings of tools that were well, by kind."""
    promises: dict[int, tuple[bool, float]]
    """By cut: missing promised, share up to which a break is."""


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Every figure of the set."""
    parts = Parts(_recording(folder), folder / "cuts_features.csv.gz")
    machine = load(MACHINE, replay=True)
    settings, work = with_parts(machine.settings), plan(machine.paths)
    rows = [*_shares(parts)]
    for i, rate in enumerate(RATES):
        progress(0.9 * i / len(RATES), f"{rate} Hz")
        tried = try_rate(parts, settings, work, rate, progress, 0.9 * i / len(RATES), 0.9 / len(RATES))
        rows.extend(_rows(parts, tried, rate))
    progress(0.9, "history")
    rows.extend(history_rows(folder / "cuts_features.csv.gz"))
    progress(1.0, "")
    return rows


def _recording(folder: Path) -> Path:
    found = sorted(folder.glob("one_part*.npz"))
    if not found:
        raise FileNotFoundError(folder / "one_part_1khz.npz")
    return found[0]


def with_parts(settings: MachineSettings) -> MachineSettings:
    """The machine with its part counter."""
    part = ChannelOptions(name="part", role="part", hold=math.inf)
    return msgspec.structs.replace(settings, channel=(*settings.channel, part))


def readings(values: NDArray[np.float64], start: float, every: float) -> Readings:
    """Rows as a source hands them out."""
    time = start + every * np.arange(len(values))
    return Readings("hahn", CHANNELS, time, values, np.zeros(values.shape, np.uint8))


@dataclass(frozen=True)
class Learned:
    """A monitor that has seen good parts, the usual mean of each cut, what the monitor promises of it; and how the parts were made."""

    monitor: Monitor
    usual: dict[int, float]
    promises: dict[int, tuple[bool, float]]
    draw: np.random.Generator
    step: int
    start: list[int]


def learn(parts: Parts, settings: MachineSettings, work: MaintenancePlan, rate: int, count: int, told: Callable[[float], None]) -> Learned:
    """Good parts only, read at a rate (Hz)."""
    draw = np.random.default_rng(20181023 + rate)
    step = max(round(parts.rate / rate), 1)
    start = [int(draw.integers(len(cut.deviations))) for cut in parts.cuts]
    monitor = Monitor(settings, work)
    means: dict[int, list[float]] = defaultdict(list)
    covers: dict[int, Counter[str]] = defaultdict(Counter)
    for number in range(count):
        told(number / count)
        values = parts.part(number, draw, start)
        _means(parts, values, means)
        began = number * parts.seconds
        events = monitor.feed(readings(values[int(draw.integers(step)) :: step], began, step / parts.rate))
        if number >= count - 10:
            _cover(parts, [e for e in events if isinstance(e, Cut) and e.phase == "closed"], began, covers)
    usual = {i: float(np.median(found)) for i, found in means.items()}
    return Learned(monitor, usual, _promises(parts, monitor, covers), draw, step, start)


def try_rate(
    parts: Parts, settings: MachineSettings, work: MaintenancePlan, rate: int, progress: Progress, done: float, share: float
) -> Tried:
    """Learn, then break."""
    learned = learn(parts, settings, work, rate, LEARN, lambda x: progress(done + 0.4 * share * x, f"{rate} Hz"))
    draw, step, start = learned.draw, learned.step, learned.start
    every = step / parts.rate
    tests = TESTS[rate]
    out = Tried([], [], Counter(), learned.promises)
    firsts = max(tests // 3, 1)
    for test in range(tests + firsts):
        progress(done + share * (0.4 + 0.6 * test / (tests + firsts)), f"{rate} Hz")
        first = test >= tests
        number = LEARN + test
        broken = _choose(parts, first, draw)
        gone = _gone(parts, broken)
        values = parts.part(number, draw, start, gone)
        monitor = Monitor(settings, work) if first else copy.deepcopy(learned.monitor)
        began = 0.0 if first else LEARN * parts.seconds
        if not first:
            values[:, CHANNELS.index("part")] = LEARN
        events = monitor.feed(readings(values[int(draw.integers(step)) :: step], began, every))
        events += monitor.finish()
        found = [e for e in events if isinstance(e, Finding) and e.kind in BROKEN and not e.finished]
        _judge(parts, out, first, broken, gone, found, values, learned.usual, began)
    return out


def _means(parts: Parts, values: NDArray[np.float64], means: dict[int, list[float]]) -> None:
    for i, cut in enumerate(parts.cuts):
        means[i].append(float(values[cut.first : cut.last, cut.spindle].mean()))


def _cover(parts: Parts, cuts: Sequence[Cut], began: float, covers: dict[int, Counter[str]]) -> None:
    """Which operations the pass sees where the cuts are: at least half of the cut."""
    for i, true in enumerate(parts.cuts):
        first, last = true.first / parts.rate, true.last / parts.rate
        for cut in cuts:
            common = min(cut.time - began, last) - max(cut.opened - began, first)
            if common > 0.5 * (last - first) and cut.operation.tool == str(true.tool):
                covers[i][cut.operation.key] += 1


def _promises(parts: Parts, learned: Monitor, covers: dict[int, Counter[str]]) -> dict[int, tuple[bool, float]]:
    out = {}
    for i in range(len(parts.cuts)):
        out[i] = (False, 0.0)
        for key, count in covers[i].items():
            promise = learned.watch.promise(learned.watch.state.baselines[key])
            if count >= 5 and promise is not None and promise.missing:
                out[i] = (True, max(out[i][1], promise.until if promise.breakage else 0.0))
    return out


def _choose(parts: Parts, first: bool, draw: np.random.Generator) -> dict[int, float]:
    """About a third of the tools: which cut of each breaks, and after what share of it; 0 for the first one: missing from the start."""
    of_tool: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, cut in enumerate(parts.cuts):
        if math.isfinite(cut.contrast):
            of_tool[cut.spindle, cut.tool].append(i)
    chosen = {}
    for cuts in of_tool.values():
        if draw.random() < SHARE:
            missing = not first and draw.random() < 0.4
            chosen[cuts[0] if missing else int(draw.choice(cuts))] = 0.0 if missing else float(draw.uniform(*BREAKS))
    return chosen


def _gone(parts: Parts, broken: dict[int, float]) -> dict[int, int]:
    """By cut, the sample from which on its tool is not there."""
    gone = {}
    for i, at in broken.items():
        cut = parts.cuts[i]
        gone[i] = cut.first + int(at * (cut.last - cut.first))
        for j, later in enumerate(parts.cuts):
            if (later.tool, later.spindle) == (cut.tool, cut.spindle) and later.first > cut.first:
                gone[j] = later.first
    return gone


def _judge(
    parts: Parts,
    out: Tried,
    first: bool,
    broken: dict[int, float],
    gone: dict[int, int],
    found: list[Finding],
    values: NDArray[np.float64],
    usual: dict[int, float],
    began: float,
) -> None:
    tools = {str(parts.cuts[i].tool) for i in broken}
    for i, at in broken.items():
        cut = parts.cuts[i]
        kind = "first" if first else "broken" if at > 0.0 else "missing"
        broke = began + gone[i] / parts.rate
        other = [c.first for c in parts.cuts if c.first >= cut.last and c.tool != cut.tool]
        until = cut.last if kind != "missing" else min(other, default=cut.last)
        told = [e.time for e in found if e.tool == str(cut.tool) and broke <= e.time <= began + until / parts.rate + LATE]
        mean = float(values[cut.first : cut.last, cut.spindle].mean())
        missing, latest = out.promises[i]
        promised = missing if kind == "missing" else latest >= at
        delay = min(told) - broke if told else math.nan
        drop = 1.0 - mean / usual[i]
        out.trials.append(Trial(i, kind, at, bool(told), promised, delay, drop))
    out.false.update(f"{'first' if first else 'learned'}:{e.kind}" for e in found if e.tool not in tools)
    if not first:
        for i, cut in enumerate(parts.cuts):
            if str(cut.tool) not in tools:
                out.good.append((i, 1.0 - float(values[cut.first : cut.last, cut.spindle].mean()) / usual[i]))


def _shares(parts: Parts) -> list[Row]:
    """How many of the cuts are in each class."""
    known = [cut for cut in parts.cuts if math.isfinite(cut.contrast)]
    rows = []
    for name, low, high in CLASSES:
        here = [cut for cut in known if low <= cut.contrast < high]
        out = sum(cut.stands_out for cut in here)
        rows.append(
            _row(
                f"share_{_key(name)}",
                f"cuts with a contrast {name}",
                100.0 * len(here) / len(known),
                f"{len(known)} cuts of one part",
                unit="%",
                note=f"{out} of these {len(here)} at least 3 times the p99.9 of their good cuts; {len(parts.cuts) - len(known)} further "
                "cuts without idle at their speeds in the recording are left out",
            )
        )
    return rows


def _rows(parts: Parts, tried: Tried, rate: int) -> list[Row]:
    label = "1 kHz" if rate == 1000 else f"{rate} Hz"
    rows = []
    for kind, what in (("broken", "broken tool"), ("missing", "missing tool"), ("first", "broken tool in the first part ever")):
        trials = [t for t in tried.trials if t.kind == kind]
        plain = _plain(parts, tried, trials) if kind != "first" else {}
        groups = [("stands_out", "contrast at least 3 times p99.9", [t for t in trials if parts.cuts[t.cut].stands_out])]
        if kind != "first":
            groups.append(("promised", "where the pass promises it", [t for t in trials if t.promised]))
            rest = [t for t in trials if not parts.cuts[t.cut].stands_out]
            for name, low, high in CLASSES:
                groups.append((_key(name), f"contrast {name}", [t for t in trials if low <= parts.cuts[t.cut].contrast < high]))
            rows.append(_declared(rest, rate, kind, f"{what}, contrast below 3 times p99.9, {label}: declared not monitorable"))
        for key, name, group in groups:
            rows.append(_recall(f"{kind}_{key}_{rate}hz", f"{what}, {name}, {label}: told in the same cut", group, plain, kind))
    tools = len(tried.good)
    false = sum(n for key, n in tried.false.items() if not key.startswith("first"))
    low, high = wilson(false, tools)
    said = ", ".join(f"{n} {key.partition(':')[2]}" for key, n in sorted(tried.false.items()) if not key.startswith("first"))
    first = sum(n for key, n in tried.false.items() if key.startswith("first"))
    rows.append(
        _row(
            f"false_{rate}hz",
            f"findings of tools that were well, in the same parts, {label}",
            100.0 * false / max(tools, 1),
            f"{tools} good cuts",
            unit="%",
            low=100.0 * low,
            high=100.0 * high,
            note=f"{said or 'none'}; in first parts ever: {first}",
        )
    )
    return rows


def _recall(name: str, figure: str, trials: list[Trial], plain: dict[Trial, bool], kind: str) -> Row:
    n, hits = len(trials), sum(t.found for t in trials)
    low, high = wilson(hits, n)
    delays = sorted(t.delay for t in trials if t.found)
    promised = sum(t.promised for t in trials)
    kept = sum(t.found for t in trials if t.promised)
    note = f"promised in {promised}, of these told {kept}; not promised and not told {sum(not t.promised and not t.found for t in trials)}"
    if delays:
        note += f"; told after {delays[len(delays) // 2]:.2f} s (median), {delays[int(0.95 * (len(delays) - 1))]:.2f} s (95 %)"
    if kind == "first":
        note = (
            "nothing was learned: without a register that says how long a cut should be, its end and a break are the same fall of the load"
        )
    return _row(
        name,
        figure,
        100.0 * hits / n if n else None,
        f"{n} breaks" if kind != "missing" else f"{n} missing tools",
        unit="%",
        low=100.0 * low if n else None,
        high=100.0 * high if n else None,
        note=note if n else "no such cut",
        baseline="fixed limit on the mean, told where each cut is; limit chosen on the other tools" if plain and n else "",
        baseline_value=100.0 * sum(plain[t] for t in trials) / n if plain and n else None,
    )


def _declared(rest: list[Trial], rate: int, kind: str, figure: str) -> Row:
    n = len(rest)
    silent = sum(not t.promised for t in rest)
    low, high = wilson(silent, n)
    missed = sum(t.promised and not t.found for t in rest)
    return _row(
        f"{kind}_declared_{rate}hz",
        figure,
        100.0 * silent / n if n else None,
        f"{n} trials",
        unit="%",
        low=100.0 * low if n else None,
        high=100.0 * high if n else None,
        note=f"of the {n - silent} that are promised all the same {missed} are missed",
    )


def _plain(parts: Parts, tried: Tried, trials: list[Trial]) -> dict[Trial, bool]:
    """What a fixed limit finds: for each tool the limit chosen on the others."""
    allowed = sum(n for key, n in tried.false.items() if not key.startswith("first")) / max(len(tried.good), 1)
    out = {}
    for tool in {parts.cuts[t.cut].tool for t in trials}:
        good = np.array([drop for i, drop in tried.good if parts.cuts[i].tool != tool])
        others = np.array([t.drop for t in trials if parts.cuts[t.cut].tool != tool and parts.cuts[t.cut].stands_out])
        fits = [x for x in LIMITS if not len(good) or float((good > x).mean()) <= allowed] or [LIMITS[-1]]
        limit = max(fits, key=lambda x: (float((others > x).mean()) if len(others) else 0.0, -x))
        out.update({t: t.drop > limit for t in trials if parts.cuts[t.cut].tool == tool})
    return out


def _key(name: str) -> str:
    return name.replace(" %", "").replace(" ", "_")


def _row(
    name: str,
    figure: str,
    value: float | None,
    n: str,
    *,
    unit: str,
    note: str,
    low: float | None = None,
    high: float | None = None,
    baseline: str = "",
    baseline_value: float | None = None,
) -> Row:
    return Row(
        set="hahn_lathe",
        name=name,
        figure=figure,
        value=value,
        unit=unit,
        low=low,
        high=high,
        n=n,
        fixed="defaults of the product",
        baseline=baseline,
        baseline_value=baseline_value,
        note=note,
    )
