"""Do sensors that lie get named? NUAA_Ideahouse milling, layer after layer of each tool through the whole pass; not an adapter by itself.

Two of its sensors are dead and one gives NaN for a while; nobody labelled it, the rows say so: a vibration channel that moves less than
`DEAD` over a whole layer, while it moves a hundred times that in all others, and a layer that holds NaN. A vibration layer below half or
above twice the median of its tool's layers is doubtful (it sinks tenfold for a layer or two, and nobody knows why): to name it is neither
right nor wrong, and it is counted apart. All others are well, and to name a channel there is false.

The authors cut out what is no cut, so the spindle never stands and idle is not known here: stuck and noisy are hardly asked, and no wear
can be judged anyway. PLC power and current change once in 50 to 100 rows: slow, not stuck.

The plain rule beside it: a block of 5 s whose standard deviation is below a share of the median of what was seen before, k of 4 blocks in a
row; the share, k, and whether the median is of its own or of both vibration channels are chosen on the other tools.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.maintenance.plan import plan
from agent.model import Alert, Cut
from agent.monitor import Monitor
from agent.paths import DataPaths
from agent.settings import ChannelOptions, MachineOptions, MachineSettings
from benchmarks.detection.table import Progress, Row, wilson
from drivers.model import Quality, Readings

DEAD = 0.05
"""Standard deviation of a whole layer; README of the set: dead ones 0.005 to 0.02, all others above 0.1, most above 3."""
VIBRATION = ("vib1", "vib2")
ROLES = {"axial_force_N": ("axis.load", "N"), "torsion_Nm": ("axis.load", "Nm"), "vib1": ("vibration", "g"), "vib2": ("vibration", "g"),
         "spindle_power": ("spindle.load", "kW"), "spindle_current": ("axis.load", "A")}  # fmt: skip
"""The sensory holder and the current stand as axis loads: the pass has no other place for a second load."""
CONTEXT = ("tool", "section", "part")
AT_ONCE = 6000
BLOCK = 1500
RECOVERED = 30.0
"""s that an alert may stay after its cause has gone."""
SHARES = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5)
FIXED = "defaults of the product; its rules were written with sight of W1, W2, W4, W6 and W7, W5, W8 and W9 were never seen"


@dataclass(slots=True)
class Named:
    """One naming of a channel."""

    channel: str
    reason: str
    raised: float
    returned: float = np.inf


@dataclass(slots=True)
class Tool:
    """One tool and what the pass said of its sensors."""

    name: str
    layers: list[tuple[int, float, float]] = field(default_factory=list)
    """Number, beginning and end, s"""
    named: list[Named] = field(default_factory=list)
    others: list[tuple[str, float]] = field(default_factory=list)
    """Kind and time of every other alert"""
    held: int = 0
    cuts: int = 0
    spread: dict[tuple[str, int], float] = field(default_factory=dict)
    """Channel and layer to the standard deviation of the whole layer"""
    first_bad: dict[tuple[str, int], float] = field(default_factory=dict)
    """Channel and layer to the time of the first NaN"""
    blocks: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """Of each vibration channel: layer and standard deviation, block after block"""


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Rows about the sensors of every tool in `folder`.

    Raises
    ------
    FileNotFoundError: layers.csv, or there is not one tool.
    """
    files = sorted(folder.glob("W*.npz"))
    if not files:
        raise FileNotFoundError("W*.npz")
    with (folder / "layers.csv").open(newline="") as text:
        speeds = {(row["tool"], int(row["layer"])): float(row["n_rpm"]) for row in csv.DictReader(text)}
    tools = []
    for i, file in enumerate(files):
        progress(i / len(files), f"sensors {file.stem}")
        tools.append(run(file, {layer: rpm for (tool, layer), rpm in speeds.items() if tool == file.stem}))
    return rows(tools)


def settings(names: list[str]) -> MachineSettings:
    """The machine file: what the rows hold, nothing else."""
    wanted = [ChannelOptions(name="speed", role="spindle.speed", unit="rpm")]
    wanted += [ChannelOptions(name=name, role=ROLES[name][0], unit=ROLES[name][1]) for name in names if name in ROLES]  # type: ignore[arg-type]
    wanted += [ChannelOptions(name=name, role=name) for name in CONTEXT]  # type: ignore[arg-type]
    return MachineSettings(machine=MachineOptions(name="nuaa", kind="mill"), channel=tuple(wanted))


def run(file: Path, speeds: dict[int, float]) -> Tool:
    """One tool through the pass, its layers without a break between."""
    tool = Tool(file.stem)
    monitor: Monitor | None = None
    for number, start, readings in blocks(file, speeds, tool):
        monitor = monitor or Monitor(settings(list(readings.channels)), plan(DataPaths.find(None)))
        if not tool.layers or tool.layers[-1][0] != number:
            tool.layers.append((number, start, start))
        tool.layers[-1] = (number, tool.layers[-1][1], float(readings.time[-1]))
        _note(tool, monitor.feed(readings))
    if monitor is not None:
        _note(tool, monitor.finish())
    return tool


def blocks(file: Path, speeds: dict[int, float], tool: Tool) -> Iterator[tuple[int, float, Readings]]:
    """Layer, its beginning and a block of rows; what is needed for truth and plain rule is noted in `tool`."""
    at = 0.0
    with np.load(file) as arrays:
        names = [str(name) for name in arrays["channels"]]
        rate = float(arrays["rate_hz"])
        for key in sorted(k for k in arrays.files if k.startswith("L") and k[1:].isdigit()):
            number = int(key[1:])
            raw = arrays[key]
            values = np.where(raw == -32768, np.nan, raw * arrays[f"{key}_scale"].astype(np.float64)[:, None]).T
            n = len(values)
            time = np.round(at + np.arange(n) / rate, 6)
            for c, name in enumerate(names):
                column = values[:, c]
                tool.spread[name, number] = float(np.nanstd(column))
                bad = np.flatnonzero(np.isnan(column))
                if len(bad):
                    tool.first_bad[name, number] = float(time[bad[0]])
                if name in VIBRATION:
                    parts = [float(np.nanstd(column[a : a + BLOCK])) for a in range(0, n - BLOCK + 1, BLOCK)]
                    tool.blocks.setdefault(name, []).extend((number, part) for part in parts)
            known = [np.full(n, speeds.get(number, np.nan)), np.ones(n), np.ones(n), np.full(n, float(number))]
            matrix = np.column_stack([values, *known])
            quality = np.where(np.isnan(matrix), int(Quality.BAD), int(Quality.GOOD)).astype(np.uint8)
            channels = (*names, "speed", *CONTEXT)
            for a in range(0, n, AT_ONCE):
                part = slice(a, a + AT_ONCE)
                yield number, at, Readings("nuaa", channels, time[part], matrix[part], quality[part])
            at = float(time[-1]) + 1.0 / rate


def _note(tool: Tool, events: list[object]) -> None:
    for event in events:
        if isinstance(event, Cut) and event.phase == "closed":
            tool.cuts += 1
            tool.held += bool(event.held)
        if not isinstance(event, Alert):
            continue
        if event.kind != "sensor":
            if event.transition == "raised":
                tool.others.append((event.kind, event.updated))
        elif event.transition == "raised":
            tool.named.append(Named(event.channel, str(event.evidence.get("reason", "")), event.updated))
        elif event.transition in {"returned", "cleared"}:
            for named in tool.named:
                if named.channel == event.channel and named.returned == np.inf:
                    named.returned = event.updated


def state(tool: Tool, channel: str, layer: int) -> str:
    """`dead`, `nan`, `doubtful` or `well`: what the rows of a whole layer say."""
    if (channel, layer) in tool.first_bad:
        return "nan"
    if channel not in VIBRATION:
        return "well"
    spread = tool.spread[channel, layer]
    if spread < DEAD:
        return "dead"
    usual = float(np.median([s for (name, _), s in tool.spread.items() if name in VIBRATION and s >= DEAD] or [spread]))
    return "well" if 0.5 * usual <= spread <= 2.0 * usual else "doubtful"


def rows(tools: list[Tool]) -> list[Row]:
    """The figures."""
    dead, nan = list(_episodes(tools, "dead")), list(_episodes(tools, "nan"))
    found = [_found(*episode, {"sensor_dead"}) for episode in dead]
    holes = [_found(*episode, {"sensor_nan", "sensor_bad"}) for episode in nan]
    states = [(tool, channel, layer, state(tool, channel, layer)) for tool in tools for channel, layer in tool.spread]
    well = [(tool, channel, layer) for tool, channel, layer, is_ in states if is_ == "well"]
    doubtful = [(tool, channel, layer) for tool, channel, layer, is_ in states if is_ == "doubtful"]
    false = [place for place in well if _spoken(*place)]
    apart = [place for place in doubtful if _spoken(*place, standing=RECOVERED)]
    plain_found, plain_false, chosen = _plain(tools)
    cuts, held = sum(tool.cuts for tool in tools), sum(tool.held for tool in tools)
    beside = "plain rule (share of the median spread), chosen on the other tools"
    of_dead = _list([(f"{t.name} {c} layers {a} to {b}", _said(d)) for (t, c, a, b), d in zip(dead, found, strict=True)])
    by_hole = [(f"{t.name} {c} layer {a}", _said(d)) for (t, c, a, _), d in zip(nan, holes, strict=True)]
    its = [(f"{t.name} {c} layer {layer}", "named" if (t, c, layer) in apart else "silent") for t, c, layer in doubtful]
    of_doubt = f"neither right nor wrong; {_list(its)}"
    kinds = [f"{tool.name} {kind}" for tool in tools for kind, _ in tool.others]
    silent = "no idle in these files, so wear could not be judged in any case"
    wrong = ", ".join(f"{t.name} {c} layer {layer}" for t, c, layer in false) or "none"
    by_fault = [f"{t.name} {kind}" for t in tools for kind, time in t.others if _faulty(t, time)]
    faulty = [tool for tool in tools if any(state(tool, channel, layer) in {"dead", "nan"} for channel, layer in tool.spread)]
    with_others = sum(any(_faulty(tool, time) for _, time in tool.others) for tool in faulty)
    return [
        _row("sensor_dead_found", "dead vibration sensors named", _count(found), len(dead), "episodes", of_dead, beside, plain_found),
        _row("sensor_nan_found", "blocks of NaN named", _count(holes), len(nan), "blocks", _list(by_hole)),
        _row(
            "sensor_false", "channels named in a layer in which they are well", len(false), len(well), "channels x layers",
            f"{wrong}; the plain rule was asked of vibration only: {chosen}", beside, plain_false,
        ),
        _row("sensor_doubtful", "doubtful layers named", len(apart), len(doubtful), "layers", of_doubt),
        _row(
            "sensor_tool_alerts", "tools with an alert of the tool in a layer in which a sensor is dead or gives NaN",
            with_others, len(faulty), "tools with such layers",
            f"{', '.join(by_fault) or 'none'}; in all other layers: {len(kinds) - len(by_fault)}; {held} of {cuts} cuts held; {silent}",
        ),
    ]  # fmt: skip


def _row(name: str, figure: str, hits: int, n: int, what: str, note: str, baseline: str = "", plain: float | None = None) -> Row:
    low, high = wilson(hits, n)
    known = n > 0
    return Row(
        set="nuaa_milling",
        name=name,
        figure=figure,
        value=100.0 * hits / n if known else None,
        unit="%",
        low=100.0 * low if known else None,
        high=100.0 * high if known else None,
        n=f"{hits} of {n} {what}",
        fixed=FIXED,
        baseline=baseline,
        baseline_value=plain,
        note=note if known else "none in these files",
    )


def _list(pairs: list[tuple[str, str]]) -> str:
    return "; ".join(f"{what}: {said}" for what, said in pairs)


def _count(delays: list[float | None]) -> int:
    return sum(delay is not None for delay in delays)


def _episodes(tools: list[Tool], of: str) -> Iterator[tuple[Tool, str, int, int]]:
    """Tool, channel, first and last layer of each run of layers in one state."""
    for tool in tools:
        for channel in dict.fromkeys(channel for channel, _ in tool.spread):
            numbers = [number for number, _, _ in tool.layers]
            for is_, run_ in itertools.groupby(numbers, key=lambda layer, t=tool, c=channel: state(t, c, layer)):  # type: ignore[misc]
                its = list(run_)
                if is_ == of:
                    yield tool, channel, its[0], its[-1]


def _found(tool: Tool, channel: str, first: int, last: int, reasons: set[str]) -> float | None:
    """Seconds until it was named; None: never while it lasted."""
    begun = tool.first_bad.get((channel, first), next(start for number, start, _ in tool.layers if number == first))
    ended = next(end for number, _, end in tool.layers if number == last)
    for named in tool.named:
        if named.channel == channel and named.reason in reasons and begun <= named.raised <= ended + RECOVERED:
            return named.raised - begun
    return None


def _spoken(tool: Tool, channel: str, layer: int, standing: float = np.inf) -> bool:
    """Whether the channel was named in this layer, still was when it ended, or had been for `standing` s of it."""
    start, end = next((start, end) for number, start, end in tool.layers if number == layer)
    its = [named for named in tool.named if named.channel == channel]
    return any(start < n.raised <= end or n.raised <= end < n.returned or n.raised <= start < n.returned - standing for n in its)


def _faulty(tool: Tool, time: float) -> bool:
    """Whether a sensor is dead or gives NaN in the layer of this time, or in the one before."""
    at = next((i for i, (_, start, end) in enumerate(tool.layers) if start <= time <= end), len(tool.layers) - 1)
    its = [number for number, _, _ in tool.layers[max(at - 1, 0) : at + 1]]
    return any(state(tool, channel, layer) in {"dead", "nan"} for channel, layer in tool.spread if layer in its)


def _said(delay: float | None) -> str:
    return "not named" if delay is None else f"named after {delay:.0f} s"


def _plain(tools: list[Tool]) -> tuple[float | None, float | None, str]:
    """Of the plain rule, each tool by what was best on the others: share of dead episodes found, of well layers of vibration named falsely
    (in percent), and what was chosen. Of settings that are equally good, the one that speaks most easily."""
    grid = list(itertools.product(SHARES, (1, 2, 3, 4), (False, True)))
    ratios = {(tool.name, both): list(_ratios(tool, both=both)) for tool in tools for both in (False, True)}
    hits = {setting: [_rule(tool, ratios[tool.name, setting[2]], *setting[:2]) for tool in tools] for setting in grid}
    total = [0, 0, 0, 0]
    chosen: list[str] = []
    for i, tool in enumerate(tools):
        best = max(
            grid, key=lambda setting: (_good([h for j, h in enumerate(hits[setting]) if j != i]), setting[0], setting[2], -setting[1])
        )
        chosen.append(f"{tool.name} {100 * best[0]:.0f} %, {best[1]} blocks, {'both' if best[2] else 'own'}")
        total = [a + b for a, b in zip(total, hits[best][i], strict=True)]
    found, episodes, false, well = total
    return 100.0 * found / episodes if episodes else None, 100.0 * false / well if well else None, "; ".join(chosen)


def _good(of_others: list[tuple[int, int, int, int]]) -> float:
    """Share of the dead found less that of the well named."""
    found, episodes, false, well = (sum(column) for column in zip(*of_others, strict=True)) if of_others else (0, 0, 0, 0)
    return found / max(episodes, 1) - false / max(well, 1)


def _ratios(tool: Tool, *, both: bool) -> Iterator[tuple[str, int, float]]:
    """Channel, layer and spread over the median of the 400 blocks seen before, block after block; of its own, or of both channels."""
    seen: dict[str, list[float]] = {name: [] for name in tool.blocks}
    for now in zip(*tool.blocks.values(), strict=True):
        for name, (layer, spread) in zip(tool.blocks, now, strict=True):
            before = list(itertools.chain.from_iterable(seen.values())) if both else seen[name]
            if len(before) >= 4:
                yield name, layer, spread / float(np.median(before))
        for name, (_, spread) in zip(tool.blocks, now, strict=True):
            seen[name] = [*seen[name], spread][-400:]


def _rule(tool: Tool, ratios: list[tuple[str, int, float]], share: float, needed: int) -> tuple[int, int, int, int]:
    """Dead episodes found, all of them; well layers of vibration named, all of them."""
    spoken: set[tuple[str, int]] = set()
    row: dict[str, int] = dict.fromkeys(tool.blocks, 0)
    for name, layer, ratio in ratios:
        row[name] = row[name] + 1 if ratio < share else 0
        if row[name] >= needed:
            spoken.add((name, layer))
    episodes = list(_episodes([tool], "dead"))
    found = sum(any((channel, layer) in spoken for layer in range(first, last + 1)) for _, channel, first, last in episodes)
    well = [(c, layer) for c, layer in tool.spread if c in VIBRATION and state(tool, c, layer) == "well"]
    return found, len(episodes), sum(place in spoken for place in well), len(well)
