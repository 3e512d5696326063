"""Brokers for tests: a real mosquitto, the embedded one, and a fake where no real one can be made to behave so badly.

All on 127.0.0.1 and free ports. Each can be killed and started again on the same port. Whoever starts one stops it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent import embedded_broker

HOST = "127.0.0.1"
PATIENCE = 20.0
"""s after which a test gives up waiting for what must come."""

needs_mosquitto = pytest.mark.skipif(embedded_broker.mosquitto() is None, reason="needs mosquitto: apt install mosquitto")


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Poll a condition that nobody signals."""
    deadline = time.monotonic() + seconds
    nap = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        nap.wait(0.005)


def listening(port: int) -> bool:
    """Whether somebody accepts on this port."""
    try:
        socket.create_connection((HOST, port), timeout=0.2).close()
    except OSError:
        return False
    return True


class Mosquitto:
    """A real broker with a configuration of ours; `extra` are further lines of mosquitto.conf."""

    def __init__(self, folder: Path, extra: Sequence[str] = (), *, open_to_all: bool = True) -> None:
        self.port = embedded_broker.free_port()
        self._settings = folder / f"mosquitto-{self.port}.conf"
        user = pwd.getpwuid(os.geteuid()).pw_name
        lines = [f"listener {self.port} {HOST}", f"user {user}", "set_tcp_nodelay true", *extra]
        if open_to_all:
            lines.append("allow_anonymous true")
        self._settings.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    def start(self) -> Mosquitto:
        program = embedded_broker.mosquitto()
        assert program is not None
        self._process = subprocess.Popen([program, "-c", str(self._settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process = self._process
        wait_until(lambda: listening(self.port) or process.poll() is not None, "mosquitto listens")
        assert process.poll() is None, f"mosquitto ended with {process.returncode}"
        return self

    def kill(self) -> None:
        """SIGKILL: no farewell to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: the sockets stay, nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.kill()


class Listener:
    """An independent subscriber that notes what it gets."""

    def __init__(self, port: int, topic: str = "#", *, protocol: int = mqtt.MQTTv5, client_id: str = "", user: str = "") -> None:
        self.messages: list[tuple[str, Any, bool]] = []
        """(topic, payload as JSON or None, retain flag)"""
        self._news = threading.Condition()
        self._subscribed = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id or f"listener-{os.getpid()}-{id(self)}", protocol=protocol)
        self._client.reconnect_delay_set(1, 1)
        if user:
            self._client.username_pw_set(user, "secret")
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect_async(HOST, port, keepalive=10)
        self._client.loop_start()
        self.subscribed(1)

    def subscribed(self, times: int) -> None:
        """Wait for the nth subscription (a reconnection makes one more)."""
        with self._news:
            assert self._news.wait_for(lambda: self._subscribed >= times, PATIENCE), "listener not subscribed"

    def wait(self, enough: Callable[[list[tuple[str, Any, bool]]], object], what: str, seconds: float = PATIENCE) -> None:
        """Until `enough` holds for the messages so far."""
        with self._news:
            assert self._news.wait_for(lambda: enough(self.messages), seconds), f"not within {seconds} s: {what}; got {self.messages[-5:]}"

    def of(self, part: str) -> list[dict[str, Any]]:
        """Payloads of topics that contain `part`, in order."""
        with self._news:
            return [payload for topic, payload, _ in self.messages if part in topic]

    def publish(self, topic: str, payload: bytes, **more: Any) -> None:
        """As another client would."""
        self._client.publish(topic, payload, 1, **more)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: Any) -> None:
        with self._news:
            self._subscribed += 1
            self._news.notify_all()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            payload = msgspec.json.decode(message.payload)
        except msgspec.DecodeError:
            payload = None
        with self._news:
            self.messages.append((message.topic, payload, message.retain))
            self._news.notify_all()


class Gate:
    """A forwarder before a broker: shut, it refuses and cuts; stalled, it keeps every socket and passes nothing (a cable pulled out)."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = threading.Event()
        self._flow = threading.Event()
        self._open.set()
        self._flow.set()
        self._pairs: list[socket.socket] = []
        self._server = socket.create_server((HOST, 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    def shut(self) -> None:
        self._open.clear()
        self._cut()

    def open(self) -> None:
        self._open.set()

    def stall(self) -> None:
        self._flow.clear()

    def flow(self) -> None:
        self._flow.set()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._flow.set()
        self._cut()

    def _cut(self) -> None:
        for sock in self._pairs:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                if not self._open.is_set():
                    raise ConnectionRefusedError
                far = socket.create_connection((HOST, self._target), timeout=2.0)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flow.wait()
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


class FakeBroker:
    """Enough of MQTT on raw sockets to misbehave as no real broker can be made to: it need not acknowledge, can speak 3.1.1 only, refuse,
    hang up, or send bytes that are no MQTT. It never claims that anything was delivered.

    `connack`: the bytes sent for CONNECT of the given protocol level, None: hang up. `puback`: the bytes sent for a PUBLISH with this
    message id; without it PUBLISH is counted and not answered. `after`: sent behind CONNACK.
    """

    def __init__(
        self,
        connack: Callable[[int], bytes | None],
        *,
        puback: Callable[[bytes], bytes] | None = None,
        pongs: bool = True,
        after: bytes = b"",
    ) -> None:
        self.levels: list[int] = []
        """Protocol level of each CONNECT (4: 3.1.1, 5: 5)"""
        self.most_unacked = 0
        self.published: list[str] = []
        self._connack, self._puback, self._pongs, self._after = connack, puback, pongs, after
        self._news = threading.Condition()
        self._server = socket.create_server((HOST, 0))
        self.port = int(self._server.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    def wait(self, enough: Callable[[], object], what: str) -> None:
        with self._news:
            assert self._news.wait_for(enough, PATIENCE), what

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for sock in self._sockets:
            sock.close()
        self._thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self._sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        level = 4
        unacked = 0
        try:
            while True:
                head = _exactly(sock, 1)[0]
                body = _exactly(sock, _remaining_length(sock))
                kind = head >> 4
                with self._news:
                    if kind == 1:
                        level = body[6]
                        self.levels.append(level)
                        answer = self._connack(level)
                        if answer is None:
                            sock.close()
                            return
                        sock.sendall(answer + self._after)
                    elif kind == 3:
                        size = struct.unpack("!H", body[:2])[0]
                        topic = body[2 : 2 + size].decode()
                        self.published.append(topic)
                        if head & 0x06:
                            unacked += 1
                            self.most_unacked = max(self.most_unacked, unacked)
                            if self._puback is not None:
                                unacked -= 1
                                sock.sendall(self._puback(body[2 + size : 4 + size]))
                    elif kind == 12 and self._pongs:
                        sock.sendall(b"\xd0\x00")
                    self._news.notify_all()
        except (OSError, EOFError):
            sock.close()


def accept_v5(receive_maximum: int = 0, largest: int = 0) -> bytes:
    """CONNACK of MQTT 5, success."""
    properties = b"\x21" + struct.pack("!H", receive_maximum) if receive_maximum else b""
    properties += b"\x27" + struct.pack("!I", largest) if largest else b""
    return bytes([0x20, 3 + len(properties), 0, 0, len(properties)]) + properties


def taken_v5(mid: bytes, reason: int = 0) -> bytes:
    """PUBACK of MQTT 5."""
    return b"\x40\x03" + mid + bytes([reason]) if reason else b"\x40\x02" + mid


ACCEPT_311 = b"\x20\x02\x00\x00"
REFUSE_311 = b"\x20\x02\x00\x01"
"""CONNACK 'unacceptable protocol version', as a broker that knows 3.1.1 only answers an MQTT 5 CONNECT."""


def _exactly(sock: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        piece = sock.recv(count - len(got))
        if not piece:
            raise EOFError
        got += piece
    return got


def _remaining_length(sock: socket.socket) -> int:
    total, shift = 0, 0
    while True:
        byte = _exactly(sock, 1)[0]
        total |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return total


def remove(folder: Path) -> None:
    """For folders that a killed process left."""
    shutil.rmtree(folder, ignore_errors=True)
