"""The one place where Broche starts processes. A child dies with its parent, even when the parent is killed and can do nothing.

The kernel does that (PR_SET_PDEATHSIG), asked by the child itself before it becomes what it was started for. It watches the thread that
started the child, so only the main thread may start one.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

Pipe = int | IO[Any] | None
"""What subprocess.Popen takes for one of the three streams."""

_HOUSE = Path(__file__).resolve().parent.parent
_PR_SET_PDEATHSIG = 1


def start(
    module: str,
    args: Sequence[str] = (),
    *,
    stdin: Pipe = subprocess.DEVNULL,
    stdout: Pipe = None,
    stderr: Pipe = None,
) -> subprocess.Popen[bytes]:
    """Run one of our own modules, as `python -m module args`, in a process of its own.

    The interpreter is BROCHE_PYTHON or the present one (an emulator, for example, must be named). The child stands in its own process
    group: Ctrl-C reaches the parent alone, who ends his children in his own order.

    Raises
    ------
    RuntimeError: not called from the main thread.
    OSError: the interpreter cannot be started.
    """
    return _open(["module", module, *args], stdin, stdout, stderr)


def start_program(
    program: Sequence[str],
    *,
    stdin: Pipe = subprocess.DEVNULL,
    stdout: Pipe = None,
    stderr: Pipe = None,
) -> subprocess.Popen[bytes]:
    """Run another program (a broker) with the same life. Exit status 127: it could not be started; stderr says why.

    Raises
    ------
    RuntimeError, OSError: as `start`.
    """
    return _open(["program", *program], stdin, stdout, stderr)


def stop(child: subprocess.Popen[bytes], seconds: float) -> int:
    """Ask a child to end (SIGTERM), kill it after `seconds`, and hand out its exit status. One that has ended already is left alone."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def _open(work: Sequence[str], stdin: Pipe, stdout: Pipe, stderr: Pipe) -> subprocess.Popen[bytes]:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a child lives as long as the thread that started it: start it from the main thread")
    python = os.environ.get("BROCHE_PYTHON") or sys.executable
    others = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder and folder != str(_HOUSE)]
    return subprocess.Popen(
        [python, "-P", "-m", "agent.children", str(os.getpid()), *work],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_HOUSE), *others])},
        process_group=0,
    )


def _become(parent: int, kind: str, work: list[str]) -> None:
    """In the child: bind our life to the parent's, then be what we were started for."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("agent.children: the parent ended before its child began")
    if kind == "module":
        sys.argv = work
        runpy.run_module(work[0], run_name="__main__", alter_sys=True)
        return
    try:
        os.execvp(work[0], work)
    except OSError as error:
        print(f"{work[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
