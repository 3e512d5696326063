"""How the installation is: links, sources, broker, store, clock, and the latest reading of every channel, for page and status topic."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent import __version__
from agent.display.health import ChannelHealth, Health, HealthLine, State
from agent.model import Snapshot
from agent.publish import Statistics
from agent.settings import MachineSettings
from agent.store import StoreCounters
from drivers.health import BusHealth, DeviceHealth
from drivers.model import Quality, Readings, Waveform, word_of

EVERY = 0.5
"""s between two new states for the installer's view: he reads, he does not watch."""
DRIFT = 2.0
"""s by which the system clock may be off the stamps before somebody is told."""
OF_DEVICE: dict[str, State] = {"ok": "good", "degraded": "warning", "starting": "warning", "offline": "lost"}
OF_SOURCE = {"ok": "ok", "degraded": "degraded", "starting": "lost", "offline": "lost"}


class Installation:
    """Remembers the latest reading of every channel and puts everything side by side. Lives on the loop."""

    def __init__(self, settings: MachineSettings) -> None:
        self._settings = settings
        self._words: dict[str, tuple[str, ...]] = {}
        self._latest: dict[str, tuple[float, float, int, str]] = {}
        self._told: Health | None = None
        self._when = -math.inf

    def note(self, item: Readings | Waveform) -> None:
        """The newest row or block."""
        if isinstance(item, Waveform):
            self._latest[item.channel] = (math.nan, item.start + len(item.samples) / item.rate, int(item.quality), item.source)
            return
        self._words[item.source] = item.words
        time = float(item.time[-1])
        for i, name in enumerate(item.channels):
            quality = int(item.quality[-1, i])
            if quality != Quality.ABSENT:
                self._latest[name] = (float(item.values[-1, i]), time, quality, item.source)

    def sources(self, buses: Sequence[BusHealth]) -> dict[str, str]:
        """Each source as ok, degraded or lost."""
        return {device.source: OF_SOURCE[device.state] if bus.state == "open" else "lost" for bus in buses for device in bus.devices}

    def health(
        self,
        buses: Sequence[BusHealth],
        broker: Statistics | None,
        store: StoreCounters,
        drift: float,
        monotonic: float,
        beacon: str = "",
        snapshot: Snapshot | None = None,
    ) -> Health:
        """For the page; made anew at most every `EVERY` seconds.

        Parameters
        ----------
        beacon: why the lamps do not do what they are told, '' if they do.
        snapshot: tells what the compute thread could not take; None: nothing is known yet.
        """
        if self._told is not None and monotonic - self._when < EVERY:
            return self._told
        self._when = monotonic
        lines: list[HealthLine] = []
        for bus in buses:
            lines.append(_bus(bus))
            lines.extend(_device(device) for device in bus.devices)
        if self._settings.beacon.bus:
            facts: dict[str, float | int | str | bool | None] = {"error": beacon} if beacon else {}
            lines.append(HealthLine(group="beacon", name=self._settings.beacon.bus, state="lost" if beacon else "good", facts=facts))
        lines.append(_broker(broker))
        lines.append(_store(store))
        if snapshot is not None:
            state: State = "warning" if snapshot.coverage.reason == "overload_agent" else "good"
            lines.append(HealthLine(group="compute", name="broche", state=state, facts={"dropped_batches": snapshot.counters.dropped}))
            lines.extend(
                HealthLine(
                    group="limit",
                    name=change.where,
                    state="good",
                    facts={"limit_kind": change.kind, "limit_width": round(change.after, 2), "limit_by": change.by},
                )
                for change in snapshot.tunings
                if change.after > 1.0
            )
        lines.append(
            HealthLine(group="clock", name="clock", state="warning" if abs(drift) > DRIFT else "good", facts={"drift_s": round(drift, 1)})
        )
        lines.append(HealthLine(group="version", name="broche", facts={"version": __version__}))
        self._told = Health(lines=tuple(lines), channels=tuple(self._channels()))
        return self._told

    def _channels(self) -> list[ChannelHealth]:
        out: list[ChannelHealth] = []
        for channel in self._settings.channel:
            value, time, quality, source = self._latest.get(
                channel.name, (math.nan, None, int(Quality.UNAVAILABLE), channel.source.partition(".")[0])
            )
            words = self._words.get(source, ())
            shown: float | str | None = None
            if quality <= Quality.UNCERTAIN and channel.role != "vibration":
                shown = word_of(value, words) if value != value or (value < 0 and words) else value
            out.append(
                ChannelHealth(
                    name=channel.name, source=source, role=channel.role, unit=channel.unit, value=shown, quality=quality, time=time
                )
            )
        return out


def _bus(bus: BusHealth) -> HealthLine:
    state: State = "good" if bus.state == "open" else "warning" if bus.state == "starting" else "lost"
    facts: dict[str, float | int | str | bool | None] = {"opened": bus.opened}
    if bus.error:
        facts["error"] = bus.error
    return HealthLine(group="bus", name=bus.bus, state=state, facts=facts)


def _device(device: DeviceHealth) -> HealthLine:
    facts: dict[str, float | int | str | bool | None] = {}
    if device.latency is not None:
        facts["latency_ms"] = round(1000.0 * device.latency, 1)
    for name in (
        "answers",
        "timeouts",
        "mismatches",
        "exceptions",
        "missed_periods",
        "frames",
        "refused_frames",
        "lost_samples",
        "dropped_bytes",
        "stale_replies",
    ):
        if getattr(device, name):
            facts[name] = getattr(device, name)
    if device.error:
        facts["error"] = device.error
    return HealthLine(group="source", name=device.source, state=OF_DEVICE[device.state], facts=facts)


def _broker(broker: Statistics | None) -> HealthLine:
    if broker is None:
        return HealthLine(group="broker", name="-", state="off")
    facts: dict[str, float | int | str | bool | None] = {"url": broker.broker, "waiting": broker.critical + broker.telemetry}
    if broker.problem:
        facts["error"] = broker.problem
    return HealthLine(group="broker", name=broker.protocol or "mqtt", state="good" if broker.connected else "warning", facts=facts)


def _store(store: StoreCounters) -> HealthLine:
    facts: dict[str, float | int | str | bool | None] = {"waiting": store.critical + store.telemetry}
    if store.trouble is not None:
        facts["trouble"] = store.trouble.kind
    return HealthLine(group="store", name="state.sqlite", state="good" if store.trouble is None else "lost", facts=facts)
