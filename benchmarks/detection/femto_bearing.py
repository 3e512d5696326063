"""FEMTO-ST PRONOSTIA: bearings run to failure. Each is watched from its first look on by the whole pass.

The set's table of figures is what a vibration sensor on a field bus would tell: its columns are polled channels of role `vibration`, beside
a spindle that turns in air, and an alarm is the pass's own alert of kind `spindle`. Nothing of the bearing's life is known while it runs:
the teach-in is a number of looks (`FIRST`, 20 looks of 10 s; it goes on learning while calm, to 18 min at the most). The limit of trend and
of the plain rule is chosen among 12, for each bearing on the others (there by `agent.detect.trend` alone, which is quicker), by one rule:
the lowest at which at most one of them was alarmed in the first fifth of its life. The plain rule: EWMA of log(RMS / start), larger of two
axes, with the same weight, persistence and teach-in.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.detect.budget import probability
from agent.detect.trend import FIRST, LIMIT, PERSIST, WEIGHT, Trend
from agent.features import CONDITION, condition_figures
from agent.maintenance import plan
from agent.model import Alert
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineOptions, MachineSettings
from benchmarks.detection.table import Progress, Row, by_detector, wilson
from drivers.model import Readings

EARLY = 0.2
"""Share of life before which an alarm counts as early."""
EVERY = 10.0
COLUMNS = ("rms", "peak", "kurt", "vel_rms_10_1000", "b0_1000", "b1000_2500", "b2500_5000", "b5000_10000")
"""Of each axis, as the pass takes them; the set's table has no envelope."""
LIMITS = (4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 17.0, 20.0, 25.0)
RATIOS = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0)
IDLE, TURNING = 5.0, 1800.0
"""%, rpm: of a spindle in air; the set names one speed a bearing, and the trend only asks that it is the same."""
Alarm = int | None


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Leads, early alarms, and the plain rule beside them."""
    lives, rms = _read(folder / "features_per_10s.csv.gz")
    p = probability(1.0 / 160.0)
    trend: dict[str, list[Alarm]] = {}
    plain: dict[str, list[Alarm]] = {}
    for i, (name, looks) in enumerate(lives.items()):
        progress(0.2 * i / len(lives), name)
        trend[name] = [_first(looks, limit, p) for limit in LIMITS]
        plain[name] = [_plain(rms[name], ratio) for ratio in RATIOS]
    n = {name: len(looks) for name, looks in lives.items()}
    chosen, chosen_plain = _left_out(trend, n), _left_out(plain, n)
    tuned_plain = {name: plain[name][chosen_plain[name]] for name in n}
    default: dict[str, Alarm] = {}
    tuned: dict[str, Alarm] = {}
    for i, (name, looks) in enumerate(lives.items()):
        progress(0.2 + 0.8 * i / len(lives), name)
        default[name] = _passed(looks, LIMIT)
        limit = LIMITS[chosen[name]]
        tuned[name] = default[name] if limit == LIMIT else _passed(looks, limit)
    rows = [
        *_rows("default", "limit of the product (8 widths, detection.md 2.7: chosen with sight of all 17)", default, tuned_plain, n),
        *_rows("left_out", f"limit of {len(LIMITS)} on the other bearings, each left out in turn", tuned, tuned_plain, n),
        *by_detector(_equal(trend, plain, n)),
    ]
    rows.extend(
        _row(
            f"lead_{name}",
            f"lead of {name}, limit of the product",
            _lead(alarm, n[name]),
            "1 bearing",
            "defaults of the product",
            unit="min",
            baseline="RMS rule, limit chosen on the others",
            baseline_value=_lead(tuned_plain[name], n[name]),
            note="never alarmed" if alarm is None else f"after {100.0 * alarm / n[name]:.0f} % of its life of {n[name] / 6.0:.0f} min",
        )
        for name, alarm in default.items()
    )
    rows.extend(by_detector(_raw(folder, lives)))
    progress(1.0, "")
    return rows


def _read(path: Path) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Per bearing (looks, figures), logarithms; and log RMS of both axes."""
    lives: dict[str, list[list[float]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as text:
        for line in csv.DictReader(text):
            lives.setdefault(line["bearing"], []).append(
                [math.log(max(float(line[f"{axis}_{column}"]), 1e-9)) for axis in "hv" for column in COLUMNS]
            )
    known = {name: np.array(looks) for name, looks in lives.items()}
    return known, {name: looks[:, [0, len(COLUMNS)]] for name, looks in known.items()}


def _passed(looks: NDArray[np.float64], limit: float) -> Alarm:
    """Look of the first alert of kind `spindle` of the whole pass, with the trend's limit as given."""
    names = [f"{axis}_{column}" for axis in "hv" for column in COLUMNS]
    channels = (
        ChannelOptions(name="load", role="spindle.load", unit="%", hold=math.inf),
        ChannelOptions(name="speed", role="spindle.speed", unit="rpm", hold=math.inf),
        *(ChannelOptions(name=name, role="vibration", hold=1.5 * EVERY) for name in names),
    )
    monitor = Monitor(MachineSettings(machine=MachineOptions(name="pronostia"), channel=channels), plan(DataPaths.find(None)))
    for polled in monitor.conditions.polled:
        polled.condition.limit = limit
    # The rig turns without a pause and does not cut.
    time = EVERY * np.arange(len(looks))
    values = np.column_stack([np.full(len(looks), IDLE), np.full(len(looks), TURNING), np.exp(looks)])
    for i in range(len(looks)):
        row = slice(i, i + 1)
        block = Readings("pronostia", ("load", "speed", *names), time[row], values[row], np.zeros((1, values.shape[1]), np.uint8))
        for event in monitor.feed(block):
            if isinstance(event, Alert) and event.kind == "spindle" and event.transition == "raised":
                return round(float(event.raised) / EVERY)
    return None


def _first(looks: NDArray[np.float64], limit: float, p: float) -> Alarm:
    judge = Trend(p, limit)
    return next((i for i, look in enumerate(looks.tolist()) if judge.take(look).changed == "begun"), None)


def _plain(rms: NDArray[np.float64], ratio: float) -> Alarm:
    start = np.median(rms[:FIRST], axis=0)
    smooth, above = start.copy(), 0
    for i in range(FIRST, len(rms)):
        smooth += WEIGHT * (rms[i] - smooth)
        above = above + 1 if float((smooth - start).max()) > math.log(ratio) else 0
        if above >= PERSIST:
            return i
    return None


def _early(alarm: Alarm, n: int) -> bool:
    return alarm is not None and alarm < EARLY * n


def _lead(alarm: Alarm, n: int) -> float:
    """Minutes; 0 where there was no alarm."""
    return 0.0 if alarm is None else (n - alarm) * EVERY / 60.0


def _left_out(alarms: dict[str, list[Alarm]], n: dict[str, int]) -> dict[str, int]:
    """For each bearing the place of the limit that the others would choose."""
    out: dict[str, int] = {}
    for name in n:
        others = [other for other in n if other != name] or [name]
        grid = range(len(alarms[name]))
        fit = [i for i in grid if sum(_early(alarms[other][i], n[other]) for other in others) <= 1]
        out[name] = fit[0] if fit else len(alarms[name]) - 1
    return out


def _rows(name: str, fixed: str, mine: dict[str, Alarm], plain: dict[str, Alarm], n: dict[str, int]) -> list[Row]:
    def count(what: Callable[[Alarm, int], bool], alarms: dict[str, Alarm]) -> int:
        return sum(what(alarms[bearing], n[bearing]) for bearing in n)

    def warned(alarm: Alarm, _: int) -> bool:
        return alarm is not None

    of = f"{len(n)} bearings"
    beside = "RMS rule, limit chosen on the others"
    low, high = wilson(count(warned, mine), len(n))
    early_low, early_high = wilson(count(_early, mine), len(n))
    return [
        _row(
            f"{name}_warned", "warned before the end", count(warned, mine), of, fixed, "bearings", low * len(n), high * len(n), beside,
            count(warned, plain),
        ),
        _row(
            f"{name}_early", "alarmed in the first fifth of life", count(_early, mine), of, fixed, "bearings", early_low * len(n),
            early_high * len(n), beside, count(_early, plain), "FEMTO has no onset: an early alarm may be right",
        ),
        _row(
            f"{name}_lead", "median lead, 0 where not warned", _median([_lead(mine[b], n[b]) for b in n]), of, fixed, "min",
            baseline=beside, baseline_value=_median([_lead(plain[b], n[b]) for b in n]),
        ),
    ]  # fmt: skip


def _equal(trend: dict[str, list[Alarm]], plain: dict[str, list[Alarm]], n: dict[str, int]) -> list[Row]:
    """Both at the limit that gives the longest median lead among those with at most this many early alarms: the same sight for both."""

    def best(alarms: dict[str, list[Alarm]], most: int) -> tuple[float, int] | None:
        tried = [
            (_median([_lead(alarms[b][i], n[b]) for b in n]), sum(alarms[b][i] is not None for b in n))
            for i in range(len(next(iter(alarms.values()))))
            if sum(_early(alarms[b][i], n[b]) for b in n) <= most
        ]
        return max(tried, default=None)

    rows = []
    for most in (0, 1, 2):
        mine, other = best(trend, most), best(plain, most)
        rows.append(
            _row(
                f"equal_early_{most}",
                f"median lead with at most {most} early alarms",
                mine[0] if mine else None,
                f"{len(n)} bearings",
                "best of 12 limits with sight of these bearings, for both rules alike",
                "min",
                baseline="RMS rule at as many early alarms",
                baseline_value=other[0] if other else None,
                note=f"warned {mine[1] if mine else 0}, RMS rule {other[1] if other else 0}; not a blind figure",
            )
        )
    return rows


def _raw(folder: Path, lives: dict[str, NDArray[np.float64]]) -> list[Row]:
    """Whether the figures that the pass takes of raw blocks are those of the table that was judged above."""
    apart: list[float] = []
    columns = [CONDITION.index("rms"), CONDITION.index("kurtosis"), CONDITION.index("band_3")]
    ours = [COLUMNS.index("rms"), COLUMNS.index("kurt"), COLUMNS.index("b2500_5000")]
    for path in sorted(folder.glob("raw_*.npz")):
        name = path.stem.removeprefix("raw_")
        blocks = np.load(path)
        for snap, h, v in zip(blocks["snap"], blocks["h"], blocks["v"], strict=True):
            if name not in lives or not 1 <= int(snap) <= len(lives[name]):
                continue
            figures = condition_figures(np.column_stack([h, v]).astype(np.float64), 25600.0)
            for axis in range(2):
                for mine, theirs in zip(columns, ours, strict=True):
                    apart.append(abs(figures[axis * len(CONDITION) + mine] - lives[name][int(snap) - 1, axis * len(COLUMNS) + theirs]))
    if not apart:
        return []
    return [
        _row(
            "raw_blocks",
            "RMS, kurtosis and band from raw blocks against the table, 99th percentile of the log ratio",
            float(np.quantile(apart, 0.99)),
            f"{len(apart)} figures",
            "nothing to fix",
            note="raw blocks are there for every 40th look only: too few for a teach-in of a tenth of life, so they are not judged alone",
        )
    ]


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _row(
    name: str, figure: str, value: float | None, n: str, fixed: str, unit: str = "", low: float | None = None, high: float | None = None,
    baseline: str = "", baseline_value: float | None = None, note: str = "",
) -> Row:  # fmt: skip
    return Row(
        set="femto_bearing", name=name, figure=figure, value=value, n=n, fixed=fixed, unit=unit, low=low, high=high, baseline=baseline,
        baseline_value=baseline_value, published="" if "lead" not in name else "no onset truth; RUL scores only", note=note,
    )  # fmt: skip
