"""The telemetry backlog: memory first, a second file for what the broker does not take at once, all of it dispensable.

Belongs to the store's writer thread. What is acknowledged within `every` seconds never reaches the disk.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from pathlib import Path

from agent.store.files import NewerFile, connect, remove
from agent.store.schema import TELEMETRY_TABLES, Row, add_rows, delete_rows, number, put, read_rows

ROWS_IN_MEMORY = 20000
BYTES_IN_MEMORY = 8 * 1024 * 1024
BATCH = 100
"""Rows after which a batch is written before its time."""
GONE = 1000
"""Acknowledged rows after which they are deleted before their time."""
RETRY = 30.0
"""s between two attempts to make the file again."""
SPARE = 0.9
"""A file that has grown too large is cut back to this share of its bound, so that it is not cut at every batch."""


class Telemetry:
    """Rows that may be lost: `waiting` in memory, older ones in the file."""

    def __init__(self, path: Path, limit_bytes: int, limit_age: float, every: float) -> None:
        self.waiting: dict[int, Row] = {}
        self.dropped: dict[str, int] = {}
        """Rows lost, by reason: memory, bytes, age, disk."""
        self.on_disk = 0
        self._path = path
        self._limit_bytes = limit_bytes
        self._limit_age = limit_age
        self._every = every
        self._arrived: deque[tuple[float, int]] = deque()
        self._bytes = 0
        self._gone: set[int] = set()
        self._gone_since = 0.0
        self._db: sqlite3.Connection | None = None
        self._retry = 0.0
        self._reserved = 0

    def open(self) -> int:
        """Open the file, or begin a new one in place of a broken one; the highest number in it (0: none, or no file possible)."""
        for attempt in (1, 2):
            try:
                self._db = connect(self._path, TELEMETRY_TABLES, "NORMAL")
                self.on_disk, last = self._db.execute("SELECT count(*), coalesce(max(seq), 0) FROM outbox").fetchone()
                return max(int(last), number(self._db, "reserved"))
            except (sqlite3.Error, NewerFile):
                if self._db is not None:
                    self._db.close()
                    self._db = None
                if attempt == 1:
                    remove(self._path)
        return 0

    def reserve(self, seq: int) -> None:
        """Note up to where numbers may have been given, so that they ascend even when the other file had to be begun again."""
        if self._db is not None and seq != self._reserved:
            self._reserved = seq
            try:
                put(self._db, "reserved", seq)
            except sqlite3.Error:
                self.drop("disk", self._retry)

    def add(self, rows: list[Row], now: float) -> None:
        """New rows, in ascending order."""
        for row in rows:
            self.waiting[row.seq] = row
            self._arrived.append((now, row.seq))
            self._bytes += len(row.message.payload)

    def bound(self) -> None:
        """Let the oldest rows fall out when memory is full, which it is only while the file cannot be written."""
        while self.waiting and (len(self.waiting) > ROWS_IN_MEMORY or self._bytes > BYTES_IN_MEMORY):
            self._forget_waiting(next(iter(self.waiting)))
            self.lose("memory", 1)

    def forget(self, seqs: list[int], now: float) -> None:
        """The broker has them."""
        for seq in seqs:
            if not self._forget_waiting(seq):
                if not self._gone:
                    self._gone_since = now
                self._gone.add(seq)

    def after(self, seq: int, limit: int, now: float) -> list[Row]:
        """Rows of the file above `seq`, ascending; acknowledged ones are not among them."""
        if self._db is None or self.on_disk <= len(self._gone):
            return []
        try:
            rows = read_rows(self._db, "WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit + sum(gone > seq for gone in self._gone)))
            return [row for row in rows if row.seq not in self._gone][:limit]
        except sqlite3.Error:
            self.drop("disk", now)
            return []

    def count(self) -> int:
        """Rows that the broker has not yet."""
        return self.on_disk + len(self.waiting) - len(self._gone)

    def due(self) -> float | None:
        """Monotonic time at which something wants to be written; None: nothing does."""
        self._skip_forgotten()
        times = [self._arrived[0][0] + self._every] if self._arrived else []
        times += [self._gone_since + self._every] if self._gone else []
        if not times:
            return None
        when = 0.0 if len(self.waiting) >= BATCH or len(self._gone) >= GONE else min(times)
        return when if self._db is not None else max(when, self._retry)

    def write(self, now: float, wall: float) -> None:
        """Write everything that waits as one batch; then keep the bounds."""
        if self._db is None:
            if now < self._retry:
                return
            self._retry = now + RETRY
            self.open()
        if self._db is not None:
            self._write(list(self.waiting.values()), now, wall)

    def drop(self, reason: str, now: float) -> None:
        """Give up the file and what is in it; memory goes on, and a new file is made after a while."""
        self._retry = now + RETRY
        self.lose(reason, self.on_disk)
        self.on_disk = 0
        self._gone.clear()
        if self._db is not None:
            self._db.close()
            self._db = None
        remove(self._path)

    def close(self, wall: float) -> None:
        """Write what waits and close."""
        if self.waiting or self._gone:
            self._write(list(self.waiting.values()), 0.0, wall)
        if self._db is not None:
            self._db.close()
            self._db = None

    def _write(self, rows: list[Row], now: float, wall: float) -> None:
        db = self._db
        if db is None:
            return
        before = self.on_disk
        try:
            db.execute("BEGIN IMMEDIATE")
            add_rows(db, rows)
            deleted = delete_rows(db, list(self._gone))
            self.on_disk += len(rows) - deleted
            if wall:
                self._trim(db, wall)
            db.execute("COMMIT")
        except sqlite3.Error:
            self.on_disk = before
            self.drop("disk", now)
            return
        self._gone.clear()
        for row in rows:
            self._forget_waiting(row.seq)

    def _trim(self, db: sqlite3.Connection, wall: float) -> None:
        if not self.on_disk:
            return
        oldest = "SELECT seq FROM outbox ORDER BY seq LIMIT ?"
        old = db.execute(f"DELETE FROM outbox WHERE seq IN ({oldest}) AND time < ?", (10 * BATCH, wall - self._limit_age)).rowcount
        self.on_disk -= old
        self.lose("age", old)
        size = db.execute("PRAGMA page_size").fetchone()[0]
        used = (db.execute("PRAGMA page_count").fetchone()[0] - db.execute("PRAGMA freelist_count").fetchone()[0]) * size
        if used > self._limit_bytes:
            excess = 1.0 - SPARE * self._limit_bytes / used
            many = max(1, min(self.on_disk, int(excess * self.on_disk)))
            cut = db.execute(f"DELETE FROM outbox WHERE seq IN ({oldest})", (many,)).rowcount
            self.on_disk -= cut
            self.lose("bytes", cut)

    def _forget_waiting(self, seq: int) -> bool:
        row = self.waiting.pop(seq, None)
        if row is None:
            return False
        self._bytes -= len(row.message.payload)
        return True

    def _skip_forgotten(self) -> None:
        while self._arrived and self._arrived[0][1] not in self.waiting:
            self._arrived.popleft()

    def lose(self, reason: str, count: int) -> None:
        """Count a loss."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
