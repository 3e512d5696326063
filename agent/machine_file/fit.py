"""Whether the wire carries what the machine file asks for; and if not, the nearest plan that it does carry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from agent.machine_file.line_time import BusUse, bus_use
from agent.toml_file.found import Found
from drivers.options import ChannelRoute, DeviceMap, SourceOptions

TIGHT = 0.7
"""Share of the line's time above which a slow answer or a repeated question no longer fits in. What is proposed stays below it."""
BAUDS = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400)
"""What drives and meters can be set to."""
_SLOWEST = 3600.0


def check_time(uses: Sequence[BusUse], maps: Mapping[str, DeviceMap], routes: Sequence[ChannelRoute], found: Found) -> None:
    """A mistake for each bus that is asked for more than it carries, with the nearest plan that fits; a warning for one nearly full.

    Streams: `agent.machine_file.streams`.
    """
    for i, use in enumerate(uses):
        if use.share is None or use.bus.framing == "cobs" or use.share <= TIGHT:
            continue
        percent = 100.0 * use.share
        if use.share <= 1.0:
            found.warn(("bus", i), "bus_tight", name=use.bus.name, percent=percent)
            continue
        plan = slower(use, maps, routes)
        periods, channels = _said(plan), _said(slower_channels(routes, plan))
        baud = faster(use, maps, routes)
        if periods and baud:
            found.wrong(
                ("bus", i), "bus_full_or_baud", name=use.bus.name, percent=percent, periods=periods, channels=channels, baud=str(baud)
            )
        elif periods:
            found.wrong(("bus", i), "bus_full", name=use.bus.name, percent=percent, periods=periods, channels=channels)
        else:
            found.wrong(("bus", i), "bus_hopeless", name=use.bus.name, percent=percent)


def slower(use: BusUse, maps: Mapping[str, DeviceMap], routes: Sequence[ChannelRoute]) -> dict[str, float]:
    """The nearest plan at this baud rate: `every` by name of source, three digits, rounded up. Channels: `slower_channels`.

    If one source alone can make the room by going at most ten times slower, only the one that takes most is named; else all are slowed down
    alike. Empty if nothing below an hour fits.
    """
    share = use.share or 0.0
    greediest = max(use.sources, key=lambda source: source.share)
    room = TIGHT - (share - greediest.share)
    choices = [[greediest.source], [source.source for source in use.sources if source.requests]]
    factors = [greediest.share / room if room > 0 else math.inf, share / TIGHT]
    for chosen, factor in zip(choices, factors, strict=True):
        if factor > 10.0 and chosen is choices[0] and len(choices[1]) > 1:
            continue
        for _ in range(40):
            if any(source.every * factor > _SLOWEST for source in chosen):
                break
            names = {source.name: _up(source.every * factor) for source in chosen}
            slowed = [msgspec.structs.replace(s.source, every=names.get(s.source.name, s.source.every)) for s in use.sources]
            if (bus_use(use.bus, slowed, maps, _slowed(routes, names)).share or 0.0) <= TIGHT:
                return names
            factor *= 1.1
    return {}


def slower_channels(routes: Sequence[ChannelRoute], periods: Mapping[str, float]) -> dict[str, float]:
    """`every` by name of channel, of those whose own period is shorter than the one that `periods` gives their source.

    Such a period goes before that of the source: left as it is, the plan would not fit.
    """
    return {route.channel: periods[route.source] for route in routes if route.every and route.every < periods.get(route.source, 0.0)}


def faster(use: BusUse, maps: Mapping[str, DeviceMap], routes: Sequence[ChannelRoute]) -> int | None:
    """The next baud rate at which everything fits as it is asked for; None: there is none."""
    sources: list[SourceOptions] = [source.source for source in use.sources]
    for baud in BAUDS:
        if baud > use.bus.baud:
            share = bus_use(msgspec.structs.replace(use.bus, baud=baud), sources, maps, routes).share
            if share is not None and share <= TIGHT:
                return baud
    return None


def _slowed(routes: Sequence[ChannelRoute], periods: Mapping[str, float]) -> list[ChannelRoute]:
    """A channel with a period of its own is not read more often than its source."""
    own = slower_channels(routes, periods)
    return [msgspec.structs.replace(route, every=own[route.channel]) if route.channel in own else route for route in routes]


def _said(periods: Mapping[str, float]) -> str:
    """As it is to be typed: what `_up` leaves of a number is printed whole."""
    return ", ".join(f"{name} {every:g} s" for name, every in periods.items())


def _up(value: float) -> float:
    """Three significant digits, rounded up."""
    digits = 2 - math.floor(math.log10(value))
    return float(f"{math.ceil(value * 10.0**digits - 1e-9) / 10.0**digits:g}")
