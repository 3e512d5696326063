"""What the page remembers between two snapshots: alerts seen since the start, and the cut that each was seen in."""

from __future__ import annotations

import msgspec

from agent.model import Alert, CutView, Snapshot

HISTORY = 100
OPERATIONS = 200


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it was last seen. `ended`: when it left the list of open alerts."""

    alert: Alert
    ended: float | None = None


class Memory:
    """Lives as long as the display; the store keeps what must outlive it."""

    def __init__(self) -> None:
        self._episodes: dict[str, Episode] = {}
        self._cuts: dict[str, CutView] = {}
        self._pictures: dict[str, CutView] = {}
        self.history_version = 0
        self.pictures_version = 0

    def see(self, snapshot: Snapshot) -> None:
        """Take in what is open now."""
        for spindle in snapshot.spindles:
            if spindle.cut is not None:
                self._see_cut(spindle.cut)
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

    def pictures(self) -> dict[str, CutView]:
        """By alert id: the cut that was on the spindle when it was raised, or the last one of its operation."""
        return dict(self._pictures)

    def _see_cut(self, cut: CutView) -> None:
        self._cuts.pop(cut.operation, None)
        self._cuts[cut.operation] = cut
        if len(self._cuts) > OPERATIONS:
            del self._cuts[next(iter(self._cuts))]
        for alert, picture in self._pictures.items():
            if picture.id == cut.id and picture is not cut and picture != cut:
                self._pictures[alert] = cut
                self.pictures_version += 1

    def _keep(self, alert: Alert, ended: float | None) -> None:
        before = self._episodes.get(alert.id)
        if before is not None and before.alert == alert and before.ended == ended:
            return
        if before is None or alert.id not in self._pictures:
            self._take_picture(alert)
        self._episodes[alert.id] = Episode(alert=alert, ended=ended)
        self.history_version += 1
        if len(self._episodes) > HISTORY:
            self._forget()

    def _take_picture(self, alert: Alert) -> None:
        cut = self._cuts.get(alert.operation)
        if cut is None:
            cut = next((c for c in reversed(self._cuts.values()) if alert.tool and c.tool == alert.tool), None)
        if cut is not None:
            self._pictures[alert.id] = cut
            self.pictures_version += 1

    def _forget(self) -> None:
        oldest = min(self._episodes.values(), key=lambda e: (e.ended is None, e.alert.raised)).alert.id
        del self._episodes[oldest]
        if self._pictures.pop(oldest, None) is not None:
            self.pictures_version += 1
