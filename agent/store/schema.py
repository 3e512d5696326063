"""What is kept: the nouns that go into the store, and the tables of its two files."""

from __future__ import annotations

import sqlite3
from typing import Literal

import msgspec

from agent.model import Alert, Checklist

STATE_VERSION = 1
"""PRAGMA user_version of state.sqlite; a file with a larger one was written by a newer Broche and is left alone."""

TroubleKind = Literal["disk_full", "read_only", "corrupt", "io", "in_use", "newer"]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One MQTT message on its way out.

    `payload` is one JSON object without `seq` and `historical`: `agent.outbox.finish` adds both at the moment of sending.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    kind: str
    """alert, checklist, cut, telemetry, ..."""
    time: float
    """s UTC, of what the message tells"""
    expiry: float = 0.0
    """s for which the broker may keep it for a subscriber that is away (MQTT 5); 0: for ever"""


class Row(msgspec.Struct, frozen=True):
    """A message and its number. Numbers ascend over the life of a store; a message that is sent twice has the same one."""

    seq: int
    message: Message


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what: a command, a restart, a store that was set aside."""

    time: float
    by: str
    action: str
    subject: str
    detail: str = ""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What one event leaves behind. All but `telemetry` becomes one durable transaction; telemetry may be lost."""

    state: bytes | None = None
    alerts: tuple[Alert, ...] = ()
    checklists: tuple[Checklist, ...] = ()
    audit: tuple[Audit, ...] = ()
    messages: tuple[Message, ...] = ()
    telemetry: tuple[Message, ...] = ()


class StoreTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing can be kept just now (or what happened to what was kept)."""

    kind: TroubleKind
    path: str
    remedy: str
    """Key of the text catalogue"""
    detail: str = ""
    """For the log: what SQLite said, or the name under which a broken file was set aside"""


def trouble(kind: TroubleKind, path: str, detail: str = "") -> StoreTrouble:
    """With the remedy that goes with its kind."""
    return StoreTrouble(kind=kind, path=path, remedy=f"store.{kind}", detail=detail)


def kind_of(error: sqlite3.Error) -> TroubleKind:
    """SQLite's result code in our words (primary codes: sqlite.org/rescode.html; the extended ones carry them in the low byte)."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return "disk_full"
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return "read_only"
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return "corrupt"
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "in_use"
    return "io"


STATE_TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE state (slot INTEGER PRIMARY KEY, version INTEGER NOT NULL, saved REAL NOT NULL, body BLOB NOT NULL);
CREATE TABLE alerts (id TEXT PRIMARY KEY, updated REAL NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE checklists (id TEXT PRIMARY KEY, opened REAL NOT NULL, done INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE audit (id INTEGER PRIMARY KEY, time REAL NOT NULL, by TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
    detail TEXT NOT NULL);
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, kind TEXT NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL,
    time REAL NOT NULL, expiry REAL NOT NULL, payload BLOB NOT NULL);
CREATE INDEX outbox_topic ON outbox (topic, seq);
PRAGMA user_version = {STATE_VERSION};
"""
"""state has two slots: the newest version and the one before."""

TELEMETRY_TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, kind TEXT NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL,
    time REAL NOT NULL, expiry REAL NOT NULL, payload BLOB NOT NULL);
PRAGMA user_version = {STATE_VERSION};
"""


def add_rows(db: sqlite3.Connection, rows: list[Row]) -> None:
    """Rows of either outbox."""
    db.executemany(
        "INSERT OR IGNORE INTO outbox (seq, topic, kind, qos, retain, time, expiry, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(r.seq, m.topic, m.kind, m.qos, m.retain, m.time, m.expiry, m.payload) for r in rows for m in (r.message,)],
    )


def delete_rows(db: sqlite3.Connection, seqs: list[int]) -> int:
    """How many there were."""
    return db.executemany("DELETE FROM outbox WHERE seq = ?", [(seq,) for seq in seqs]).rowcount


def read_rows(db: sqlite3.Connection, rest: str, values: tuple[int | float, ...]) -> list[Row]:
    """Rows of either outbox; `rest` is what follows FROM outbox."""
    found = db.execute(f"SELECT seq, topic, kind, qos, retain, time, expiry, payload FROM outbox {rest}", values)
    return [
        Row(seq, Message(topic=topic, payload=payload, qos=qos, retain=bool(retain), kind=kind, time=time, expiry=expiry))
        for seq, topic, kind, qos, retain, time, expiry, payload in found
    ]


def number(db: sqlite3.Connection, key: str, otherwise: int = 0) -> int:
    """A whole number from `meta`."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return otherwise if row is None else int(row[0])


def put(db: sqlite3.Connection, key: str, value: int | str) -> None:
    """Into `meta`."""
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
