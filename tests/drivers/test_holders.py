"""Who has a port: real processes that hold it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers.holders import command_of, holders

OPENS = "import sys; file = open(sys.argv[1], 'rb+', buffering=0); print(0, flush=True); sys.stdin.read()"
LOCKS = OPENS.replace("print", "import fcntl; fcntl.flock(file, fcntl.LOCK_EX); print")


@contextmanager
def holding(code: str, path: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", code, path, "who I am"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child.pid


def test_who_opened_a_port_is_told(tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.touch()
    assert holders(str(path)) == ()
    with path.open("rb"):
        assert holders(str(path)) == (), "this process itself"
    with holding(OPENS, str(path)) as pid:
        (holder,) = holders(str(path))
        assert (holder.pid, holder.locked) == (pid, False)
        assert holder.command.startswith("python")
        assert " -c import sys; " in holder.command
    assert holders(str(path)) == ()
    assert holders(str(tmp_path / "none")) == ()


def test_who_locked_a_pty_is_told_through_a_link(tmp_path: Path) -> None:
    master, slave = os.openpty()
    link = tmp_path / "by-id"
    link.symlink_to(os.ttyname(slave))
    try:
        with holding(OPENS, str(link)):
            assert holders(str(link)) == (), "open, but not locked: a pty is always open to who made it"
        with holding(LOCKS, str(link)) as pid:
            (holder,) = holders(str(link))
            assert (holder.pid, holder.locked) == (pid, True)
        assert holders(str(link)) == ()
    finally:
        os.close(master)
        os.close(slave)


def test_a_command_is_one_short_line(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(b"/usr/bin/tool\0a\nb\0" + b"x" * 500 + b"\0")
    said = command_of(7, tmp_path)
    assert said.startswith("tool a b xxx")
    assert len(said) == 120
    assert command_of(8, tmp_path) == ""
