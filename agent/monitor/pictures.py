"""What a detector saw, as a drawing needs it: few points, few digits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from agent.detect.trend import FLOOR
from agent.explained import Picture
from agent.model import Cut, EnvelopeView, Finding, Scalar
from agent.monitor.trends import Trend

BARS = 12
"""Tools that are shown together."""
POINTS = 200
"""Of one line at the most."""


def cut_picture(cut: Cut | None, band: EnvelopeView | None, finding: Finding) -> Picture | None:
    """The cut on its band; without a cut (it did not come) the band alone. None where there is neither."""
    if band is None and (cut is None or len(cut.curve) < 2):
        return None
    low, high, band_grid = ((), (), 0.0) if band is None else _thinned_band(band)
    y, grid = _thinned(cut.curve, cut.grid) if cut is not None else ((), 0.0)
    evidence = finding.evidence
    at = _figure(evidence.get("at_s"))
    return Picture(
        shape="cut",
        name="load",
        unit="",
        y=y,
        grid=grid,
        low=low,
        high=high,
        band_grid=band_grid,
        n=band.n if band is not None else 0,
        since=band.since if band is not None else 0.0,
        limit=_figure(evidence.get("limit")),
        at=at,
        spoke=finding.time - cut.opened if cut is not None and cut.phase != "closed" else None,
        cut=cut.id if cut is not None and cut.phase != "closed" else "",
    )


def completed(picture: Picture, cut: Cut) -> Picture:
    """The same with the whole cut, now that it is over."""
    y, grid = _thinned(cut.curve, cut.grid)
    return msgspec.structs.replace(picture, y=y, grid=grid, cut="")


def trend_picture(trend: Trend, name: str, finding: Finding) -> Picture | None:
    """One value a cut (or a look) up to now; a ratio as % of change. None below two values."""
    times, parts, values = trend.points()
    if len(values) < 2:
        return None
    ratio = name.endswith("_ratio")
    axis, x = _across(times, parts, finding)
    evidence = finding.evidence
    limit, base = _figure(evidence.get("limit_pct")), 0.0 if ratio or name.endswith("_score") else _figure(evidence.get("baseline"))
    if not ratio:
        limit = _limit(name, base, finding)
    since = _figure(evidence.get("since_part"))
    return Picture(
        shape="trend",
        name=name,
        unit="%" if ratio else trend.unit,
        y=_short(tuple(100.0 * (value - 1.0) for value in values) if ratio else values),
        x=x,
        axis=axis,  # type: ignore[arg-type]
        n=_count(evidence.get("n_baseline")),
        since=times[0],
        base=base,
        limit=limit,
        at=since if axis == "part" and since is not None and x[0] <= since <= x[-1] else None,
    )


def bars_picture(changes: Mapping[str, float], finding: Finding) -> Picture | None:
    """How far each tool moved since it was new, %; None of no tool. At most `BARS`, the largest change first."""
    if not changes:
        return None
    order = sorted(changes, key=lambda tool: (-changes[tool], tool))[:BARS]
    return Picture(
        shape="bars",
        name="work_ratio",
        unit="%",
        y=_short(tuple(changes[tool] for tool in order)),
        names=tuple(order),
        base=0.0,
        limit=100.0 * math.expm1(finding.threshold) if finding.kind == "process" else None,
    )


def _limit(name: str, base: float | None, finding: Finding) -> float | None:
    """Of a figure itself, where what spoke was a limit of this figure and not of several together."""
    if name == "group_score":
        return finding.threshold
    if name == "condition_score":
        # As `condition.Condition` hands it out, for the operator's word.
        return math.log(finding.threshold) / FLOOR if finding.threshold > 0.0 else None
    if name.startswith("bearing_"):
        return math.log(finding.threshold) if finding.threshold > 0.0 else None
    if base is None or finding.evidence.get("several") is True or finding.threshold <= 1.0:
        return None
    return base * finding.threshold


def _across(times: tuple[float, ...], parts: tuple[int, ...], finding: Finding) -> tuple[str, tuple[float, ...]]:
    """By part where parts are counted, by cut where they are not, by time where it is no cut."""
    if not finding.operation:
        return "time", times
    if min(parts) >= 0 and parts[-1] > parts[0]:
        return "part", tuple(float(part) for part in parts)
    return "cut", tuple(float(i) for i in range(1, len(parts) + 1))


def _thinned(curve: tuple[float, ...], grid: float) -> tuple[tuple[float, ...], float]:
    step = max(1, math.ceil(len(curve) / POINTS))
    return _short(curve[::step]), grid * step


def _thinned_band(band: EnvelopeView) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    low, grid = _thinned(band.low, band.grid)
    high, _ = _thinned(band.high, band.grid)
    return low, high, grid


def _short(values: tuple[float, ...]) -> tuple[float, ...]:
    """Four digits that count: no screen shows more."""
    return tuple(float(f"{value:.4g}") for value in values)


def _figure(value: Scalar) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else None


def _count(value: Scalar) -> int:
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0
