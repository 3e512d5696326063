"""Is the signal there: what the machine cannot be watched without, and for how long it has been gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent.model import Finding
from agent.settings import MachineSettings
from drivers.model import Quality

PATIENCE = 5.0
"""s for which a needed channel may be gone before somebody is asked to look at the cable; the coverage word says LOST at once."""
NEVER = 30.0
"""s for a channel that has not been read at all since the start: a stream's parser is compiled, a sensor boots."""
NEEDED = ("spindle.load", "spindle.speed")
LOOKED_AFTER = (
    *NEEDED,
    *("axis.load", "vibration", "tool", "program", "section", "part", "cycle", "mode", "execution", "feed_override", "speed_override"),
    *("feed_hold", "single_block", "dry_run", "door", "power_on"),
)
TOGETHER = 1.0
"""s within which channels that went have gone for one reason: one cable, one alert."""


class Sensors:
    """Follows the quality of the channels that are needed."""

    def __init__(self, settings: MachineSettings) -> None:
        wanted = sorted((c for c in settings.channel if c.role in LOOKED_AFTER), key=lambda c: LOOKED_AFTER.index(c.role))
        self._channels = tuple((c.name, c.role, c.spindle) for c in wanted)
        self._spindle = {c.name: c.spindle for c in wanted}
        self._source = {c.name: c.source.partition(".")[0] for c in wanted}
        self._gone: dict[str, float] = {}
        self._told: dict[str, list[str]] = {}
        """Channel that speaks for a loss, and all that went with it and are not back"""
        self._seen: set[str] = set()
        self._named: Mapping[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the channels that are looked after."""
        return tuple(name for name, _, _ in self._channels)

    @property
    def settled(self) -> bool:
        """Whether a look at which all channels are there would change nothing."""
        return not self._gone and not self._told and len(self._seen) == len(self._channels)

    def lost(self) -> str:
        """Reason why the machine is not watched at all: '' or a key under [reason]."""
        gone = [name for name, role, _ in self._channels if role in NEEDED and name in self._gone]
        return self._named.get(gone[0], "no_signal") if gone else ""

    def gone(self, channel: str) -> bool:
        """Whether this channel is lost now."""
        return channel in self._gone

    def resume(self, channels: Iterable[str]) -> None:
        """A restart: these losses were told, for all that their source gives, and their end has still to be."""
        for name in channels:
            if source := self._source.get(name):
                self._told[name] = [name, *(other for other, its in self._source.items() if other != name and its == source)]
            elif name in self._spindle:
                self._told[name] = [name]

    def look(
        self,
        now: float,
        held: Callable[[str, float], tuple[float, float, int]],
        *,
        off: bool,
        undecided: bool = False,
        named: Mapping[str, str] | None = None,
    ) -> list[Finding]:
        """Judge at one moment; `held` gives value, time and quality of a channel at that moment. While `undecided`, no new loss is told.

        `named`: channels that answer and are not believed, each with its reason: `agent.detect.health` has told of them.
        """
        findings: list[Finding] = []
        self._named = named or {}
        quality = {name: held(name, now)[2] for name, _, _ in self._channels}
        if self.settled and max(quality.values(), default=0) <= Quality.UNCERTAIN:
            return findings
        for name, grade in quality.items():
            if grade <= Quality.UNCERTAIN:
                self._seen.add(name)
                self._gone.pop(name, None)
            elif off:
                # Switched on again, a device may take as long to come as at the very first.
                self._seen.discard(name)
                self._gone[name] = now
            else:
                self._gone.setdefault(name, now)
        for speaker, others in list(self._told.items()):
            left = [name for name in others if name in self._gone and not off]
            if not left:
                del self._told[speaker]
                findings.append(_finding(speaker, self._spindle[speaker], now, 0.0, "", finished=True))
            else:
                self._told[speaker] = left
        if off or undecided:
            return findings
        told = {name for others in self._told.values() for name in others}
        for name, since in sorted(self._gone.items(), key=lambda item: (item[1], list(quality).index(item[0]))):
            if name in told or name in self._named or now - since < (PATIENCE if name in self._seen else NEVER):
                continue
            with_it = [o for o, its in self._gone.items() if o not in told and o not in self._named and abs(its - since) <= TOGETHER]
            speaker = min(with_it, key=list(quality).index)
            self._told[speaker] = with_it
            told.update(with_it)
            reason = "sensor_bad" if quality[speaker] == Quality.BAD else "no_signal"
            findings.append(_finding(speaker, self._spindle[speaker], now, now - since, reason, finished=False))
        return findings


def _finding(channel: str, spindle: str, now: float, age: float, reason: str, *, finished: bool) -> Finding:
    return Finding(
        time=now,
        kind="sensor",
        severity="warning",
        channel=channel,
        spindle=spindle,
        operation="",
        tool="",
        score=age,
        threshold=PATIENCE,
        evidence={"reason": reason, "channel": channel},
        finished=finished,
    )
