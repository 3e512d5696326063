"""The page's server for a test: on the test's own loop, or in a process that can be killed; and a client for its stream."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0


class PageServer:
    """`tests.support.page_server` as a child."""

    def __init__(self, language: str = "fr", port: int = 0) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.page_server", language, str(port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._left = b""
        self.url = self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def show(self, state: str) -> None:
        """Show a state of `tests.support.snapshots` from now on."""
        assert self._child.stdin is not None
        self._child.stdin.write(state.encode() + b"\n")
        self._child.stdin.flush()

    def command(self) -> dict[str, Any]:
        """The next command that it received."""
        found: dict[str, Any] = json.loads(self._line())
        return found

    def kill(self) -> None:
        """As a crash would: no farewell on any stream."""
        self._child.kill()
        self._child.wait()

    def close(self) -> None:
        """Let it end."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(10.0)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def _line(self) -> str:
        assert self._child.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._left:
            ready, _, _ = select.select([self._child.stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._child.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                raise AssertionError("the page's server said nothing")
            self._left += chunk
        line, _, self._left = self._left.partition(b"\n")
        return line.decode()


class EventReader:
    """A server-sent event stream as a plain socket reads it."""

    def __init__(self, port: int, language: str = "fr", *, receive_buffer: int = 0) -> None:
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(f"GET /events?lang={language} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self._buffer = b""
        head = self._until(b"\r\n\r\n").decode()
        self.status = int(head.split()[1])
        self.head = head.lower()
        self._events = b""
        self.ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next(self) -> tuple[str, Any]:
        """Name and content of the next event; ('', None) when the stream has ended."""
        while b"\n\n" not in self._events:
            chunk = self._chunk()
            if not chunk:
                self.ended = True
                return "", None
            self._events += chunk
        text, _, self._events = self._events.partition(b"\n\n")
        name, _, data = text.decode().partition("\n")
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    def until(self, name: str) -> Any:
        """Content of the next event of that name."""
        for _ in range(10_000):
            found, content = self.next()
            if found == name:
                return content
            assert found, "the stream has ended"
        raise AssertionError(f"no event {name}")

    def close(self) -> None:
        """Go without a word."""
        self._socket.close()

    def _chunk(self) -> bytes:
        size = int(self._until(b"\r\n"), 16)
        while len(self._buffer) < size + 2:
            self._more()
        chunk, self._buffer = self._buffer[:size], self._buffer[size + 2 :]
        return chunk

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(end)
        return head

    def _more(self) -> None:
        chunk = self._socket.recv(65536)
        if not chunk:
            raise AssertionError("the connection has ended")
        self._buffer += chunk
