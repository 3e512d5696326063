"""Switched off, or lost? What hangs on the machine's own supply falls silent together when somebody turns the main switch.

A register that says so (role `power_on`) is better, and is believed first. Without it, all sources that the machine file names as fed by
the machine (`supply = "machine"`) must go within one window, no cut open and the spindle standing: that is OFF, grey and without an alert.
While cutting, or only some of them, or together with something that has a supply of its own: that is a fault, and LOST. A speed that is
not there or not believed does not say that the spindle stands: without one, nothing is ever called OFF here.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.settings import ChannelOptions, MachineSettings
from drivers.model import Quality
from drivers.options import SourceOptions

WINDOW = 2.0
"""s, besides the longest period among them, between the last values of sources that went together: switches, power supplies with their
capacitors and time-outs differ by that much."""
DECIDED = WINDOW + 5.0
"""s after which a loss of only some of them is told, whatever the others may still turn out to be (where a source is slower than 2.5 s, two
of its periods instead of the 5 s): a channel that is asked every ten minutes, or whose value holds without end, would keep it undecided for
ever."""

Held = Callable[[str, float], tuple[float, float, int]]
"""Value, time and quality of a channel at some moment."""


class Supply:
    """Follows the sources.

    Attributes
    ----------
    off: the machine is switched off.
    undecided: some are gone, and the others have not been read since: what this is shows in a moment.
    """

    def __init__(self, settings: MachineSettings) -> None:
        self._fed: dict[str, list[str]] = {}
        self._own: dict[str, list[str]] = {}
        self._window, self._decided = WINDOW, DECIDED
        for source in settings.source:
            channels = [c for c in settings.channel if c.source.partition(".")[0] == source.name]
            if channels:
                (self._fed if source.supply == "machine" else self._own)[source.name] = [c.name for c in channels]
            if channels and source.supply == "machine":
                self._window = max(self._window, WINDOW + _period(source, channels))
                self._decided = max(self._decided, WINDOW + 2.0 * source.every)
        first = settings.spindle[0].name
        stands = {spindle.name: spindle.minimum_speed for spindle in settings.spindle}
        self._speeds = [
            (c.name, c.source.partition(".")[0], stands.get(c.spindle or first, 0.0)) for c in settings.channel if c.role == "spindle.speed"
        ]
        self._power = next(((c.name, c.off_value or 0.0) for c in settings.channel if c.role == "power_on"), None)
        self._seen: dict[str, float] = {}
        """Source to the time of its last value."""
        self._calm = False
        """When all were last there, nothing was cut and nothing turned."""
        self._asleep: set[str] = set()
        """Fed sources that have not been heard since the machine was switched off: still off, as far as is known."""
        self._since: float | None = None
        """When the first of those that are gone now, while others are there, was missed."""
        self.off = False
        self.undecided = False

    @property
    def groups(self) -> list[list[str]]:
        """The channels of each source that is followed."""
        return [*self._fed.values(), *self._own.values()] if self._fed else []

    @property
    def settled(self) -> bool:
        """Whether a look at which each source is there tells no more than the next such look."""
        return not (self.off or self.undecided or self._asleep or self._since is not None)

    def resume(self) -> None:
        """A restart: the machine was off, and is until something is heard."""
        self.off = bool(self._fed)
        self._asleep = set(self._fed)

    def look(self, now: float, held: Held, *, cutting: bool) -> None:
        """Judge at one moment; `cutting`: a cut is open."""
        if not self._fed:
            return
        there = [name for name, channels in self._fed.items() if self._heard(name, channels, now, held)]
        lost = [name for name, channels in self._own.items() if not self._heard(name, channels, now, held)]
        self._asleep.difference_update(there)
        gone = [name for name in self._fed if name not in there and name not in self._asleep]
        if gone or not there:
            self._calm = self._calm and not cutting
        else:
            self._calm = not cutting and not self._turns(now, held)
        if not gone or not there:
            self._since, self.undecided = None, False
        if there:
            self.off = False
            if gone:
                self.undecided = self._may_follow(gone, there, now)
        elif not self.off and self._calm and not self._says_on(now, held) and self._together(lost):
            self.off = True
            self._asleep = set(self._fed)

    def _heard(self, name: str, channels: list[str], now: float, held: Held) -> bool:
        """Whether any of its channels has a value; notes when it was read."""
        there = [time for _, time, quality in (held(channel, now) for channel in channels) if quality <= Quality.UNCERTAIN]
        if there:
            self._seen[name] = max(there)
        return bool(there)

    def _may_follow(self, gone: list[str], there: list[str], now: float) -> bool:
        """Whether those that are still there may only not have been asked yet."""
        self._since = now if self._since is None else self._since
        first = min(self._seen.get(name, 0.0) for name in gone)
        return self._calm and max(self._seen[name] for name in there) <= first + self._window and now - self._since < self._decided

    def _together(self, lost: list[str]) -> bool:
        """Whether all that were not off before were there and went within one window, and nothing with a supply of its own did."""
        times = [self._seen.get(name) for name in self._fed if name not in self._asleep]
        known = [time for time in times if time is not None]
        if not known or len(known) < len(times) or max(known) - min(known) > self._window:
            return False
        others = [self._seen[name] for name in lost if name in self._seen]
        return not any(abs(time - max(known)) <= self._window for time in others)

    def _turns(self, now: float, held: Held) -> bool:
        """Whether a spindle turns, or none is known to stand. A drive that is still off turns nothing."""
        speeds = [(held(name, now), stands) for name, source, stands in self._speeds if source not in self._asleep]
        return not self._speeds or any(quality > Quality.UNCERTAIN or abs(speed) >= stands for (speed, _, quality), stands in speeds)

    def _says_on(self, now: float, held: Held) -> bool:
        if self._power is None:
            return False
        value, _, quality = held(self._power[0], now)
        return quality <= Quality.UNCERTAIN and value != self._power[1]


def _period(source: SourceOptions, channels: list[ChannelOptions]) -> float:
    """Seconds between two values of a source, from whichever of its channels."""
    return max(min(channel.every or source.every for channel in channels), source.update or 0.0)
