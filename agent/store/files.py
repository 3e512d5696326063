"""Opens the store's files with care: one owner, a broken file set aside under a dated name, a copy read where nothing can be written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from agent.store.schema import STATE_VERSION, StoreTrouble, kind_of, trouble

COMPANIONS = ("", "-wal", "-shm")
KEPT_ASIDE = 3
"""Broken files of one name that are kept to be looked at."""


class StoreUnusable(Exception):
    """There is nothing to go on from; the person who starts the agent must act first (`trouble.remedy`)."""

    def __init__(self, why: StoreTrouble) -> None:
        super().__init__(f"{why.kind}: {why.path} {why.detail}".strip())
        self.trouble = why


class NewerFile(Exception):
    """Written by a newer Broche: not to be touched."""


def own(folder: Path) -> int:
    """Make the folder and lock it for this process; the descriptor holds the lock until it is closed.

    Raises
    ------
    StoreUnusable: another agent owns it, or it can be neither made nor opened.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StoreUnusable(trouble("read_only", str(folder), str(error))) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreUnusable(trouble("in_use", str(folder), str(error))) from error
    return lock


def connect(path: Path, tables: str, synchronous: str) -> sqlite3.Connection:
    """A connection whose transactions are begun and ended by hand, in WAL mode, checked, with its tables made if the file is new.

    Raises
    ------
    sqlite3.Error: it cannot be opened, is not a database, or is damaged.
    NewerFile
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA journal_size_limit = 4194304")
        db.execute("PRAGMA temp_store = MEMORY")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > STATE_VERSION:
            raise NewerFile(str(path))
        if version == 0:
            db.execute("BEGIN IMMEDIATE")
            for statement in filter(None, (part.strip() for part in tables.split(";"))):
                db.execute(statement)
            db.execute("COMMIT")
        else:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise _damaged(str(found))
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
    except (sqlite3.Error, NewerFile):
        db.close()
        raise
    return db


def _damaged(what: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def remove(path: Path) -> None:
    """The file and its companions, whether they are there or not, as far as the disk lets us."""
    for suffix in COMPANIONS:
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def set_aside(path: Path, wall: float) -> Path:
    """Rename a broken file and its companions after the moment; the oldest of more than three are removed."""
    stamp = datetime.fromtimestamp(wall, UTC).strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.broken-{stamp}")
    twin = 1
    while target.exists():
        twin += 1
        target = path.with_name(f"{path.name}.broken-{stamp}-{twin}")
    for suffix in COMPANIONS:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    kept = sorted(p for p in path.parent.glob(f"{path.name}.broken-*") if not p.name.endswith(COMPANIONS[1:]))
    for old in kept[:-KEPT_ASIDE]:
        remove(old)
    return target


def open_or_begin_again(path: Path, tables: str, synchronous: str, wall: float) -> tuple[sqlite3.Connection, StoreTrouble | None]:
    """`connect`, or a new file after the broken one was set aside, and what to report then.

    Raises
    ------
    sqlite3.Error: the disk, not the file, is the trouble.
    NewerFile
    """
    try:
        return connect(path, tables, synchronous), None
    except sqlite3.Error as error:
        if kind_of(error) != "corrupt":
            raise
        try:
            aside = set_aside(path, wall)
        except OSError as refused:
            raise error from refused
        return connect(path, tables, synchronous), trouble("corrupt", str(path), f"{error}; {aside.name}")


def read_copy(path: Path) -> tuple[list[bytes], int]:
    """Saved states, newest first, and the highest number given, of a file whose disk is full or read-only: from a copy elsewhere.

    A damaged copy gives nothing.

    Raises
    ------
    OSError: there is no room for a copy either.
    """
    with tempfile.TemporaryDirectory(prefix="broche-") as folder:
        for suffix in COMPANIONS[:2]:
            part = path.with_name(path.name + suffix)
            if part.exists():
                shutil.copyfile(part, Path(folder) / part.name)
        db = sqlite3.connect(Path(folder) / path.name, isolation_level=None)
        try:
            states = [bytes(body) for (body,) in db.execute("SELECT body FROM state ORDER BY version DESC")]
            reserved = db.execute("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'reserved'").fetchone()[0]
        except sqlite3.DatabaseError:
            return [], 0
        finally:
            db.close()
    return states, int(reserved)
