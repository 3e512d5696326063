"""state.sqlite on the writer thread: one FULL transaction for all that waits, and what to do when the disk says no."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.store.files import NewerFile, StoreUnusable, open_or_begin_again, read_copy, set_aside
from agent.store.pending import Pending
from agent.store.schema import (
    STATE_TABLES,
    Audit,
    Commit,
    Row,
    StoreTrouble,
    add_rows,
    delete_rows,
    kind_of,
    number,
    put,
    read_rows,
    trouble,
)

BLOCK = 65536
"""Message numbers reserved at a time."""
GONE = 64
"""Acknowledged messages after which they are deleted before their time."""
TIDY = 256
"""Transactions between two rounds of tidying."""
LOG_BYTES, LOG_OVERHEAD = 4 * 1024 * 1024, 16384
"""Bytes in the write-ahead log after which it is moved into the file; of them for each transaction beside what it holds, about."""
ALERTS, CHECKLISTS, AUDITS = 5000, 5000, 20000
"""Newest rows kept as history."""
OUTBOX_ROWS, OUTBOX_BYTES, OUTBOX_AGE = 20000, 32 * 1024 * 1024, 90 * 86400.0
"""Bounds of the critical outbox; age counts only for what a later message of the same topic replaces, for a Pi may begin in 1970."""
LONGEST_PAUSE = 30.0
"""s between two attempts on a disk that says no."""


class State:
    """The file, and what waits to be written to it.

    `make_room` gives up what can be spared on the disk; `report` hears of each trouble, and None when it is over.
    """

    def __init__(self, path: Path, every: float, make_room: Callable[[], None], report: Callable[[StoreTrouble | None], None]) -> None:
        self.db: sqlite3.Connection | None = None
        self.waiting = Pending()
        self.trouble: StoreTrouble | None = None
        self.saved: list[bytes] = []
        """States found at the start, newest first."""
        self.id = ""
        self.session = 0
        self.transactions = 0
        self.committed = 0
        """Number of the newest commit on disk."""
        self.on_disk = 0
        """Messages in the outbox, acknowledged ones included until they are deleted."""
        self.reserved = 0
        """Message numbers up to here may have been used."""
        self._path = path
        self._every = every
        self._make_room = make_room
        self._report = report
        self._version = 0
        self._retry, self._pause = 0.0, every
        self._gone_since = 0.0
        self._log_bytes = 0
        self._tidied = -TIDY

    @property
    def blocked(self) -> bool:
        """Nothing can be written just now."""
        return self.trouble is not None and self.trouble.kind != "corrupt"

    def begin(self, last: int, wall: float) -> int:
        """Open the file at the start; the highest message number that may have been used, `last` being what the caller knows of.

        On a disk that cannot be written it goes on with what a copy of the file says.

        Raises
        ------
        StoreUnusable
        """
        try:
            return self._open_with_room(last, wall)
        except NewerFile as error:
            raise StoreUnusable(trouble("newer", str(self._path), str(error))) from error
        except sqlite3.Error as error:
            why = trouble(kind_of(error), str(self._path), str(error))
            if not self._path.exists() or why.kind == "corrupt":
                raise StoreUnusable(why) from error
            try:
                self.saved, reserved = read_copy(self._path)
            except OSError as failed:
                raise StoreUnusable(why) from failed
            self._tell(why)
            return max(last, reserved)

    def forget(self, seqs: list[int], now: float) -> None:
        """The broker has these messages."""
        if not self.waiting.gone:
            self._gone_since = now
        self.waiting.forget(seqs)

    def hurry(self) -> None:
        """Delete the acknowledged messages at the next turn: something waits for it."""
        self._gone_since = -self._every

    def short_of_numbers(self, seq: int) -> bool:
        """A new block must be reserved soon."""
        return seq + BLOCK // 2 > self.reserved

    def due(self) -> float | None:
        """Monotonic time at which to write, or to open the file again; None: nothing waits."""
        if self.db is None or self.waiting.holds_commits() or len(self.waiting.gone) >= GONE:
            return self._retry
        return max(self._retry, self._gone_since + self._every) if self.waiting.gone else None

    def write(self, now: float, wall: float, seq: int) -> None:
        """Everything that waits, now; after a failure a pause that doubles. `seq`: the message number given last."""
        for attempt in (1, 2):
            try:
                if self.db is None:
                    self._open(seq, wall)
                self._transaction(wall, seq + BLOCK if self.short_of_numbers(seq) else self.reserved)
                break
            except NewerFile as error:
                return self._failed(trouble("newer", str(self._path), str(error)), now)
            except sqlite3.Error as error:
                kind = kind_of(error)
                self._recoil(kind, wall)
                if attempt == 2 or kind not in ("disk_full", "corrupt"):
                    return self._failed(trouble(kind, str(self._path), str(error)), now)
        self._retry, self._pause = 0.0, self._every
        if self.blocked:
            self._tell(None)
        return None

    def rows(self, rest: str, values: tuple[int | float, ...], now: float, wall: float) -> list[Row]:
        """Messages of the outbox; `rest` is what follows FROM outbox. None of them when the file cannot be read."""
        if self.db is None:
            return []
        try:
            return read_rows(self.db, rest, values)
        except sqlite3.Error as error:
            kind = kind_of(error)
            self._recoil(kind, wall)
            self._failed(trouble(kind, str(self._path), str(error)), now)
            return []

    def rest(self, wall: float) -> None:
        """When there is time: move the log into the file, and keep the history bounded. Not in a transaction that an alert waits for."""
        if self.db is None or self.blocked:
            return
        try:
            if self.transactions >= self._tidied + TIDY:
                self._tidied = self.transactions
                self.db.execute("BEGIN IMMEDIATE")
                cut = _tidy(self.db, wall)
                self.db.execute("COMMIT")
                self.on_disk -= cut
                self.waiting.lose("messages", cut)
            if self._log_bytes > LOG_BYTES:
                self._log_bytes = 0
                self.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            self._recoil(kind_of(error), wall)

    def close(self, wall: float, seq: int) -> None:
        """Write what waits and the message number given last, and close; what cannot be written now is lost."""
        if self.db is not None:
            try:
                self._transaction(wall, seq)
            except sqlite3.Error as error:
                self._failed(trouble(kind_of(error), str(self._path), str(error)), 0.0)
            self._let_go()

    def _open_with_room(self, last: int, wall: float) -> int:
        try:
            return self._open(last, wall)
        except sqlite3.Error as error:
            if kind_of(error) not in ("disk_full", "io"):
                raise
            self._make_room()
            return self._open(last, wall)

    def _open(self, last: int, wall: float) -> int:
        self.db, news = open_or_begin_again(self._path, STATE_TABLES, "FULL", wall)
        try:
            self.db.execute("PRAGMA wal_autocheckpoint = 0")
            found = self.db.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
            last = max(last, number(self.db, "reserved"), self.db.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()[0])
            self.id = str(found[0]) if found else secrets.token_hex(4)
            session = self.session or number(self.db, "session") + 1
            self.db.execute("BEGIN IMMEDIATE")
            put(self.db, "id", self.id)
            put(self.db, "session", session)
            put(self.db, "reserved", last + BLOCK)
            self.db.execute("COMMIT")
            self._version = max(self._version, self.db.execute("SELECT coalesce(max(version), 0) FROM state").fetchone()[0])
            self.on_disk = self.db.execute("SELECT count(*) FROM outbox").fetchone()[0]
            if not self.saved:
                self.saved = [bytes(body) for (body,) in self.db.execute("SELECT body FROM state ORDER BY version DESC")]
        except sqlite3.Error:
            self._let_go()
            raise
        self.session, self.reserved = session, last + BLOCK
        if news is not None:
            self._note_broken(news, wall)
        return last

    def _transaction(self, wall: float, reserved: int) -> None:
        db, work = self.db, self.waiting
        if db is None:
            return
        version = self._version + 1
        encode = msgspec.json.encode
        db.execute("BEGIN IMMEDIATE")
        if work.state is not None:
            db.execute(
                "INSERT OR REPLACE INTO state (slot, version, saved, body) VALUES (?, ?, ?, ?)", (version % 2, version, wall, work.state)
            )
        db.executemany(
            "INSERT OR REPLACE INTO alerts (id, updated, state, body) VALUES (?, ?, ?, ?)",
            [(alert.id, alert.updated, alert.state, encode(alert)) for alert in work.alerts.values()],
        )
        db.executemany(
            "INSERT OR REPLACE INTO checklists (id, opened, done, body) VALUES (?, ?, ?, ?)",
            [(checklist.id, checklist.opened, checklist.done, encode(checklist)) for checklist in work.checklists.values()],
        )
        db.executemany(
            "INSERT INTO audit (time, by, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
            [(line.time, line.by, line.action, line.subject, line.detail) for line in work.audit],
        )
        add_rows(db, list(work.rows.values()))
        on_disk = self.on_disk + len(work.rows) - delete_rows(db, list(work.gone))
        if reserved != self.reserved:
            put(db, "reserved", reserved)
        db.execute("COMMIT")
        self.transactions += 1
        self.committed = max(self.committed, work.number)
        self.on_disk, self.reserved = on_disk, reserved
        self._log_bytes += work.size() + LOG_OVERHEAD
        if work.state is not None:
            self._version = version
        self.waiting = Pending()
        self.waiting.lost = work.lost

    def _recoil(self, kind: str, wall: float) -> None:
        """After a failure: make room, set a broken file aside, and never trust a connection after an I/O error."""
        if kind in ("disk_full", "in_use"):
            if self.db is not None and self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if kind == "disk_full":
                self._make_room()
            return
        self._let_go()
        if kind == "corrupt":
            with contextlib.suppress(OSError):
                self._note_broken(trouble("corrupt", str(self._path), set_aside(self._path, wall).name), wall)

    def _let_go(self) -> None:
        if self.db is not None:
            self.db.close()
            self.db = None

    def _note_broken(self, news: StoreTrouble, wall: float) -> None:
        line = Audit(time=wall, by="broche", action="store_set_aside", subject=news.path, detail=news.detail)
        self.waiting.add(self.waiting.number, Commit(audit=(line,)), [])
        self._tell(news)

    def _failed(self, why: StoreTrouble, now: float) -> None:
        self._retry = now + self._pause
        self._pause = min(LONGEST_PAUSE, 2.0 * self._pause)
        if self.trouble is None or self.trouble.kind != why.kind:
            self._tell(why)

    def _tell(self, news: StoreTrouble | None) -> None:
        self.trouble = news
        self._report(news)


def _tidy(db: sqlite3.Connection, wall: float) -> int:
    """Keep the history bounded; how many messages had to go."""
    db.execute("DELETE FROM alerts WHERE id NOT IN (SELECT id FROM alerts ORDER BY updated DESC LIMIT ?)", (ALERTS,))
    db.execute("DELETE FROM checklists WHERE id NOT IN (SELECT id FROM checklists ORDER BY opened DESC LIMIT ?)", (CHECKLISTS,))
    db.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (AUDITS,))
    replaced = "EXISTS (SELECT 1 FROM outbox AS later WHERE later.topic = outbox.topic AND later.seq > outbox.seq)"
    old = db.execute(f"DELETE FROM outbox WHERE time < ? AND {replaced}", (wall - OUTBOX_AGE,)).rowcount
    rows, size = db.execute("SELECT count(*), coalesce(sum(length(payload)), 0) FROM outbox").fetchone()
    cut = []
    if rows > OUTBOX_ROWS or size > OUTBOX_BYTES:
        for seq, length in db.execute(f"SELECT seq, length(payload) FROM outbox ORDER BY {replaced} DESC, seq").fetchall():
            if rows <= OUTBOX_ROWS and size <= OUTBOX_BYTES:
                break
            cut.append(seq)
            rows, size = rows - 1, size - length
    return old + delete_rows(db, cut)
