"""Tells every browser the newest state: a slow one gets the latest, not a queue."""

from __future__ import annotations

import asyncio

import msgspec

from agent.display.health import Health
from agent.display.memory import Memory
from agent.display.said import Speakers, topic
from agent.display.slim import slim
from agent.explained import Explanation
from agent.model import Alert, Snapshot
from drivers.clock import Clock

PERIOD = 0.1
"""s between two states at least: 10 Hz is more than an eye needs and all that a Pi should pay."""
BEAT = 4
"""Periods of silence after which a beat is sent: 0.4 s, so that a page may give up after 1.5 s without being wrong."""
HEALTH_EVERY = 10
"""Periods between two tables of the installation."""
MOST_VIEWERS = 16
PARTS = ("said", "history", "health", "state")
"""Words before the state that they belong to."""


class Viewer:
    """One open event stream."""

    def __init__(self, hub: Hub, language: str) -> None:
        self._hub = hub
        self._language = language
        self._told: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._wake.set()

    def wake(self) -> None:
        """There may be something new."""
        self._wake.set()

    def leave(self) -> None:
        """The browser has gone."""
        self._hub.leave(self)

    async def next(self) -> bytes:
        """A beat, and the server-sent events that bring this viewer up to date; empty when the hub has closed.

        The beat alone says that what follows is the present: a state that was encoded for somebody else carries no time.
        """
        await self._wake.wait()
        self._wake.clear()
        if self._hub.closed:
            return b""
        events = [self._hub.beat()]
        for part in PARTS:
            version = self._hub.version(part)
            if version and version != self._told.get(part):
                self._told[part] = version
                events.append(self._hub.event(part, self._language))
        return b"".join(events)


class Hub:
    """Holds the newest of everything and wakes the viewers."""

    def __init__(self, clock: Clock, speakers: Speakers, build: str) -> None:
        self._clock = clock
        self._speakers = speakers
        self._build = build
        self._viewers: set[Viewer] = set()
        self._versions = dict.fromkeys(PARTS, 0)
        self._encoded: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._memory = Memory()
        self._health = Health()
        self._topic: tuple[object, ...] = ()
        self._shown = 0.0
        self._new = False
        self._present: Snapshot | None = None
        """What the versions belong to: words and state must be of one snapshot, also when a newer one comes in between."""
        self.snapshot: Snapshot | None = None
        self.closed = False

    def show(self, snapshot: Snapshot, health: Health | None) -> None:
        """Replace what was shown; cheap, encodes nothing."""
        self.snapshot = snapshot
        self._shown = self._clock.monotonic()
        self._memory.see(snapshot)
        if health is not None:
            self._health = health
        self._new = True

    def note(self, alert: Alert) -> None:
        """An alert changed in a way that the snapshot no longer shows (cleared, judged false)."""
        self._memory.note(alert)
        self._new = True

    def explained(self, identity: str) -> tuple[Alert, Explanation] | None:
        """An alert that is open or was since the start, and why it may be believed."""
        return self._memory.explained(identity)

    def join(self, language: str) -> Viewer | None:
        """A new viewer, or None if there are as many as may be."""
        if self.closed or len(self._viewers) >= MOST_VIEWERS:
            return None
        viewer = Viewer(self, language)
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """One stream has ended."""
        self._viewers.discard(viewer)

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._viewers)

    async def run(self) -> None:
        """Wake the viewers for each new state, and for a beat when there is none."""
        silent = 0
        health, told = 0, self._health
        while not self.closed:
            await self._clock.sleep(PERIOD)
            silent += 1
            health += 1
            if health >= HEALTH_EVERY and told != self._health:
                health, told = 0, self._health
                self._versions["health"] += 1
            if self._new or silent >= BEAT:
                self._advance()
                silent = 0
                for viewer in self._viewers:
                    viewer.wake()

    def close(self) -> None:
        """End every stream."""
        self.closed = True
        for viewer in self._viewers:
            viewer.wake()

    def version(self, part: str) -> int:
        """Grows whenever the part changes; 0: there is none yet."""
        return self._versions[part]

    def event(self, part: str, language: str) -> bytes:
        """The newest of one part as a server-sent event."""
        key = (part, language if part in ("said", "history") else "")
        version = self._versions[part]
        kept = self._encoded.get(key)
        if kept is None or kept[0] != version:
            kept = self._encoded[key] = (version, _event(part, self._content(part, language)))
        return kept[1]

    def beat(self) -> bytes:
        """Says that the stream lives, what time it is, and how old the newest snapshot is (null: there was none)."""
        age = None if self.snapshot is None else self._clock.monotonic() - self._shown
        return _event("beat", {"now": self._clock.wall(), "age": age})

    def _advance(self) -> None:
        if not self._new or self.snapshot is None:
            return
        self._new = False
        self._present = self.snapshot
        self._versions["state"] += 1
        self._versions["history"] = self._memory.history_version
        now = topic(self._present)
        if now != self._topic:
            self._topic = now
            self._versions["said"] += 1

    def _content(self, part: str, language: str) -> object:
        snapshot = self._present
        if part == "health" or snapshot is None:
            return self._health
        if part == "state":
            return {"build": self._build, "snapshot": slim(snapshot)}
        if part == "said":
            return self._speakers[language].say(snapshot)
        return self._history(language)

    def _history(self, language: str) -> list[dict[str, object]]:
        episodes = self._memory.history()
        words = self._speakers[language].alerts(episode.alert for episode in episodes)
        return [{"alert": e.alert, "ended": e.ended, "said": words[e.alert.id]} for e in episodes]


def _event(name: str, content: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(content) + b"\n\n"
