"""Switched off, or lost? What hangs on the machine's own supply falls silent together when somebody turns the main switch.

A register that says so (role `power_on`) is better, and is believed first. Without it, all sources that the machine file names as fed by
the machine (`supply = "machine"`) must go within one window, no cut open and the spindle standing: that is OFF, grey and without an alert.
While cutting, or only some of them, or together with something that has a supply of its own: that is a fault, and LOST.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.settings import MachineSettings
from drivers.model import Quality

WINDOW = 2.0
"""s, besides the longest period among them, between the last values of sources that went together: switches, power supplies with their
capacitors and time-outs differ by that much."""

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
        channels = {
            source.name: [c.name for c in settings.channel if c.source.partition(".")[0] == source.name] for source in settings.source
        }
        fed = {source.name for source in settings.source if source.supply == "machine"}
        self._fed = {name: names for name, names in channels.items() if name in fed and names}
        self._own = {name: names for name, names in channels.items() if name not in fed and names}
        self._window = WINDOW + max((source.every for source in settings.source if source.name in self._fed), default=0.0)
        first = settings.spindle[0].name
        stands = {spindle.name: spindle.minimum_speed for spindle in settings.spindle}
        self._speeds = [(c.name, stands.get(c.spindle or first, 0.0)) for c in settings.channel if c.role == "spindle.speed"]
        self._power = next(((c.name, c.off_value or 0.0) for c in settings.channel if c.role == "power_on"), None)
        self._seen: dict[str, float] = {}
        """Source to the time of its last value."""
        self._calm = False
        """When all were last there, nothing was cut and nothing turned."""
        self.off = False
        self.undecided = False

    def resume(self) -> None:
        """A restart: the machine was off, and is until something is heard."""
        self.off = bool(self._fed)

    def look(self, now: float, held: Held, *, cutting: bool) -> None:
        """Judge at one moment; `cutting`: a cut is open."""
        if not self._fed:
            return
        gone = [name for name, channels in self._fed.items() if not self._heard(name, channels, now, held)]
        lost = [name for name, channels in self._own.items() if not self._heard(name, channels, now, held)]
        self._calm = not cutting and (self._calm if gone else not self._turns(now, held))
        if not gone:
            self.off = self.undecided = False
        elif len(gone) < len(self._fed):
            # What is still there may only not have been asked yet.
            first = min(self._seen.get(name, 0.0) for name in gone)
            there = [self._seen[name] for name in self._fed if name not in gone]
            self.undecided = not self.off and self._calm and max(there) <= first + self._window
            self.off = False
        elif not self.off:
            self.undecided = False
            self.off = self._calm and not self._says_on(now, held) and self._together(lost)

    def _heard(self, name: str, channels: list[str], now: float, held: Held) -> bool:
        """Whether any of its channels has a value; notes when it was read."""
        there = [time for _, time, quality in (held(channel, now) for channel in channels) if quality <= Quality.UNCERTAIN]
        if there:
            self._seen[name] = max(there)
        return bool(there)

    def _together(self, lost: list[str]) -> bool:
        """Whether all were there and went within one window, and nothing with a supply of its own did."""
        times = [self._seen.get(name) for name in self._fed]
        known = [time for time in times if time is not None]
        if len(known) < len(times) or max(known) - min(known) > self._window:
            return False
        others = [self._seen[name] for name in lost if name in self._seen]
        return not any(abs(time - max(known)) <= self._window for time in others)

    def _turns(self, now: float, held: Held) -> bool:
        speeds = [(held(name, now), stands) for name, stands in self._speeds]
        return any(quality <= Quality.UNCERTAIN and abs(speed) >= stands for (speed, _, quality), stands in speeds)

    def _says_on(self, now: float, held: Held) -> bool:
        if self._power is None:
            return False
        value, _, quality = held(self._power[0], now)
        return quality <= Quality.UNCERTAIN and value != self._power[1]
