"""What waits for the disk: commits folded together, so that a slow disk costs fewer transactions and never an alert."""

from __future__ import annotations

from agent.model import Alert, Checklist
from agent.store.schema import Audit, Commit, Row

BYTES_IN_MEMORY = 16 * 1024 * 1024
"""Bound of the messages that wait while the disk cannot be written."""
AUDIT_IN_MEMORY = 5000


class Pending:
    """Several commits as one: the latest state, the latest of each alert and checklist, every audit line, every message.

    Folding keeps the promise of the single commit: all of it is written in one transaction or none of it.
    """

    def __init__(self) -> None:
        self.number = 0
        """Of the last commit in it."""
        self.state: bytes | None = None
        self.alerts: dict[str, Alert] = {}
        self.checklists: dict[str, Checklist] = {}
        self.audit: list[Audit] = []
        self.rows: dict[int, Row] = {}
        self.gone: set[int] = set()
        """Messages that the broker has."""
        self.lost: dict[str, int] = {}
        """audit, messages: thrown away because memory is bounded; states: folded into a later one"""
        self._bytes = 0

    def holds_commits(self) -> bool:
        """Whether there is more in it than messages to forget."""
        return bool(self.state is not None or self.alerts or self.checklists or self.audit or self.rows)

    def size(self) -> int:
        """Bytes of state and messages, and about those of the rest."""
        nouns = len(self.alerts) + len(self.checklists) + len(self.audit)
        return len(self.state or b"") + self._bytes + 1500 * nouns

    def add(self, number: int, commit: Commit, rows: list[Row]) -> None:
        """One more commit, `rows` being its messages with their numbers."""
        self.number = number
        self._take_state(commit.state)
        self.alerts.update((alert.id, alert) for alert in commit.alerts)
        self.checklists.update((checklist.id, checklist) for checklist in commit.checklists)
        self.audit.extend(commit.audit)
        self._take_rows(rows)
        self._bound()

    def fold(self, later: Pending) -> None:
        """Everything of `later`, which came after this."""
        self.number = max(self.number, later.number)
        self._take_state(later.state)
        self.alerts.update(later.alerts)
        self.checklists.update(later.checklists)
        self.audit.extend(later.audit)
        self.gone |= later.gone
        self._take_rows(list(later.rows.values()))
        for what, count in later.lost.items():
            self.lose(what, count)
        self._bound()

    def forget(self, seqs: list[int]) -> None:
        """The broker has these: not to be written any more, or to be deleted."""
        for seq in seqs:
            row = self.rows.pop(seq, None)
            if row is None:
                self.gone.add(seq)
            else:
                self._bytes -= len(row.message.payload)

    def _take_state(self, state: bytes | None) -> None:
        if state is not None:
            if self.state is not None:
                self.lose("states", 1)
            self.state = state

    def _take_rows(self, rows: list[Row]) -> None:
        for row in rows:
            self.rows[row.seq] = row
            self._bytes += len(row.message.payload)

    def _bound(self) -> None:
        if len(self.audit) > AUDIT_IN_MEMORY:
            self.lose("audit", len(self.audit) - AUDIT_IN_MEMORY)
            del self.audit[:-AUDIT_IN_MEMORY]
        if self._bytes <= BYTES_IN_MEMORY:
            return
        newest = {row.message.topic: seq for seq, row in self.rows.items()}
        superseded = [seq for seq, row in self.rows.items() if newest[row.message.topic] != seq]
        for seq in superseded + list(self.rows):
            if self._bytes <= BYTES_IN_MEMORY:
                return
            row = self.rows.pop(seq, None)
            if row is not None:
                self._bytes -= len(row.message.payload)
                self.lose("messages", 1)

    def lose(self, what: str, count: int) -> None:
        """Count a loss."""
        self.lost[what] = self.lost.get(what, 0) + count
