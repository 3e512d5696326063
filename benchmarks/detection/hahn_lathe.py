"""Production lathe (von Hahn): missing and broken tools put into a real part, through the pass; healthy history through its detectors.

Parts are made of the one whole part at 1 kHz by `_hahn_parts` (which says what is real and what is repeated), read at 1 kHz, 10 Hz and
1 Hz, and driven through `Monitor` with tool number, part counter, current and speed: the load alone says when a cut is. The cut signal of
the recording is a label: it says where to break, and what counts as found, never what is read. Which tools break, what counts as found and
what as declared monitorable: see `_hahn_trials`.

The plain rule is a fixed limit: the mean of the cut, read at the same rate, lies x % below the median of the learned ones. It is told
where each cut begins and ends (the pass is not). x is chosen among 12, for each tool on the other tools: the most found at no more false
alarms among the good cuts than the 95 % bound of what the pass had.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np

from agent.machine_file import load
from agent.maintenance import plan
from benchmarks.detection._hahn_feed import feed_rows
from benchmarks.detection._hahn_history import history_rows
from benchmarks.detection._hahn_parts import Parts
from benchmarks.detection._hahn_trials import Trial, Tried, try_rate, with_parts
from benchmarks.detection.table import Progress, Row, wilson

MACHINE = Path(__file__).resolve().parent.parent / "machines" / "hahn.toml"
RATES = (1000, 10, 1)
"""Hz."""
CLASSES = (("above 25 %", 0.25, math.inf), ("5 to 25 %", 0.05, 0.25), ("below 5 %", -math.inf, 0.05))
LIMITS = (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.10, 0.15, 0.20, 0.30, 0.40, 0.60)

_row = functools.partial(Row, set="hahn_lathe", fixed="defaults of the product")


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
    rows.extend(feed_rows(parts, settings, work, lambda share, what: progress(0.9 + 0.08 * share, what)))
    progress(0.98, "history")
    rows.extend(history_rows(folder / "cuts_features.csv.gz"))
    progress(1.0, "")
    return rows


def _recording(folder: Path) -> Path:
    found = sorted(folder.glob("one_part*.npz"))
    if not found:
        raise FileNotFoundError(folder / "one_part_1khz.npz")
    return found[0]


def _shares(parts: Parts) -> list[Row]:
    """How many of the cuts are in each class."""
    known = [cut for cut in parts.cuts if math.isfinite(cut.contrast)]
    rows = []
    for name, low, high in CLASSES:
        here = [cut for cut in known if low <= cut.contrast < high]
        out = sum(cut.stands_out for cut in here)
        rows.append(
            _row(
                name=f"share_{_key(name)}",
                figure=f"cuts with a contrast {name}",
                value=100.0 * len(here) / len(known),
                n=f"{len(known)} cuts of one part",
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
            name=f"false_{rate}hz",
            figure=f"findings of tools that were well, in the same parts, {label}",
            value=100.0 * false / max(tools, 1),
            n=f"{tools} good cuts",
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
        name=name,
        figure=figure,
        value=100.0 * hits / n if n else None,
        n=f"{n} breaks" if kind != "missing" else f"{n} missing tools",
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
        name=f"{kind}_declared_{rate}hz",
        figure=figure,
        value=100.0 * silent / n if n else None,
        n=f"{n} trials",
        unit="%",
        low=100.0 * low if n else None,
        high=100.0 * high if n else None,
        note=f"of the {n - silent} that are promised all the same {missed} are missed",
    )


def _plain(parts: Parts, tried: Tried, trials: list[Trial]) -> dict[Trial, bool]:
    """What a fixed limit finds: for each tool the limit chosen on the others."""
    # At 0 of n its one stray cut would cost the plain rule all that it finds: it may have as many as the pass might, by the 95 % bound.
    _, allowed = wilson(sum(n for key, n in tried.false.items() if not key.startswith("first")), len(tried.good))
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
