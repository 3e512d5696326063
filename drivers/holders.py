"""Who has a serial port: two programs that read one port take each other's bytes, and neither knows why its answers are cut."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 120
"""Characters of a command line that are told."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a port.

    Attributes
    ----------
    pid: 0 where the system does not tell (a process of another container).
    command: as it was called; '' where that cannot be read.
    locked: it holds the port for itself alone, and opening it would fail.
    """

    pid: int
    command: str
    locked: bool


def holders(port: str, proc: Path = Path("/proc")) -> tuple[Holder, ...]:
    """Processes other than this one that have `port`; empty if nobody has it, or it is not there.

    Who locked it is told whoever he is (/proc/locks); who merely opened it only as far as this user may look (/proc/PID/fd). Of a pty only
    the lock counts: who made it always has it open.
    """
    try:
        path = os.path.realpath(port)
        status = Path(path).stat()
    except OSError:
        return ()
    own = os.getpid()
    locked = [pid for pid in _locked_by(f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}", proc) if pid != own]
    if locked:
        return tuple(Holder(max(pid, 0), command_of(pid, proc), True) for pid in locked)
    if path.startswith("/dev/pts/"):
        return ()
    return tuple(Holder(pid, command_of(pid, proc), False) for pid in _opened_by(path, proc) if pid != own)


def command_of(pid: int, proc: Path = Path("/proc")) -> str:
    """How a process was called, on one short line, without the folder of the program; '' if it is gone."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        words[0] = words[0].rpartition(b"/")[2]
        line = b" ".join(words).decode(errors="replace") or (proc / str(pid) / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    line = "".join(letter if letter.isprintable() else " " for letter in line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _locked_by(file: str, proc: Path) -> list[int]:
    """From lines such as '1: FLOCK  ADVISORY  WRITE 12156 00:1a:3 0 EOF'; one that waits has '->' behind its number."""
    try:
        lines = (proc / "locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return sorted({int(row[4]) for row in rows if len(row) >= 8 and row[1] != "->" and row[3] == "WRITE" and row[5] == file})


def _opened_by(path: str, proc: Path) -> list[int]:
    found = []
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                links = list((entry / "fd").iterdir())
            except OSError:
                continue  # ended meanwhile, or somebody else's
            if any(_target(link) == path for link in links):
                found.append(int(entry.name))
    return sorted(found)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # closed meanwhile
