"""What the page remembers between two snapshots: alerts seen since the start, and why each could be believed."""

from __future__ import annotations

import msgspec

from agent.explained import Explanation
from agent.model import Alert, Snapshot

HISTORY = 100


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it was last seen. `ended`: when it left the list of open alerts."""

    alert: Alert
    ended: float | None = None


class Memory:
    """Lives as long as the display; the store keeps what must outlive it."""

    def __init__(self) -> None:
        self._episodes: dict[str, Episode] = {}
        self._explained: dict[str, Explanation] = {}
        self.history_version = 0

    def see(self, snapshot: Snapshot) -> None:
        """Take in what is open now."""
        for known in snapshot.explanations:
            self._explained[known.alert] = known
        open_now = {alert.id for alert in snapshot.alerts}
        for alert in snapshot.alerts:
            before = self._episodes.get(alert.id)
            if before is None or before.ended is None or alert.updated > before.alert.updated:
                self._keep(alert, None)
        for episode in [e for e in self._episodes.values() if e.ended is None and e.alert.id not in open_now]:
            self._keep(msgspec.structs.replace(episode.alert, state="cleared"), snapshot.time)

    def note(self, alert: Alert) -> None:
        """An alert as its last event left it: whether it was a false alarm is known only there."""
        self._keep(alert, alert.updated if alert.state == "cleared" else None)

    def history(self) -> list[Episode]:
        """Newest first."""
        return sorted(self._episodes.values(), key=lambda e: e.alert.raised, reverse=True)

    def explained(self, identity: str) -> tuple[Alert, Explanation] | None:
        """An alert that is remembered, and its explanation; None where either is not known."""
        episode, known = self._episodes.get(identity), self._explained.get(identity)
        return (episode.alert, known) if episode is not None and known is not None else None

    def _keep(self, alert: Alert, ended: float | None) -> None:
        before = self._episodes.get(alert.id)
        if before is not None and before.alert == alert and before.ended == ended:
            return
        self._episodes[alert.id] = Episode(alert=alert, ended=ended)
        self.history_version += 1
        if len(self._episodes) > HISTORY:
            self._forget()

    def _forget(self) -> None:
        oldest = min(self._episodes.values(), key=lambda e: (e.ended is None, e.alert.raised)).alert.id
        del self._episodes[oldest]
        self._explained.pop(oldest, None)
