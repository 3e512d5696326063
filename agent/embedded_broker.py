"""A broker on loopback for the demo: mosquitto where it is installed, else iotcore (rumqttd), which came with Broche.

Both are bound to 127.0.0.1, on free ports, and die with this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from agent import children
from drivers.clock import Clock

HOST = "127.0.0.1"
LARGEST = 262144
"""Bytes of a payload."""

Kind = Literal["mosquitto", "iotcore"]

_MOSQUITTO = """\
listener {port} {host}
allow_anonymous true
user {user}
persistence false
set_tcp_nodelay true
max_packet_size {largest}
max_inflight_messages 100
max_queued_messages 100000
log_dest stderr
log_type error
log_type warning
"""

_LISTENER = """\
[v{protocol}.1]
name = "v{protocol}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v{protocol}.1.connections]
connection_timeout_ms = 10000
max_payload_size = {largest}
max_inflight_count = 100
dynamic_filters = true
"""

_ROUTER = """\
id = 0
[router]
id = 0
max_connections = 200
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 10
"""


class NoBroker(Exception):
    """No broker came up; says what was tried."""


@dataclass
class EmbeddedBroker:
    """A running broker. `port` speaks MQTT 5, `port_311` MQTT 3.1.1 (the same one with mosquitto)."""

    kind: Kind
    name: str
    host: str
    port: int
    port_311: int
    _child: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """For [[broker]]."""
        return f"mqtt://{self.host}:{self.port}"

    @property
    def url_311(self) -> str:
        """For a subscriber that speaks MQTT 3.1.1 only."""
        return f"mqtt://{self.host}:{self.port_311}"

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._child.pid

    def running(self) -> bool:
        """Whether its process lives."""
        return self._child.poll() is None

    def listens(self, clock: Clock, seconds: float) -> bool:
        """Wait until it does; False: it has ended, or does not within `seconds`."""
        deadline = clock.monotonic() + seconds
        for port in (self.port, self.port_311):
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection((self.host, port), timeout=0.2).close()
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(0.02)
                if not self.running() or clock.monotonic() > deadline:
                    return False
        # Somebody else may have taken the port in between: then our broker ends at once.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(0.05)
        return self.running()

    def stop(self) -> None:
        """End it."""
        children.stop(self._child, 3.0)
        if self._child.stdin is not None:
            self._child.stdin.close()


def mosquitto() -> str | None:
    """Where mosquitto is; Debian keeps it where a user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def start(clock: Clock, kind: Kind | None = None, *, port: int = 0, port_311: int = 0, seconds: float = 10.0) -> EmbeddedBroker:
    """Start a broker and wait until it listens; from the main thread only (`agent.children`).

    Parameters
    ----------
    kind: None: mosquitto if it is installed.
    port, port_311: 0: free ones.

    Raises
    ------
    NoBroker
    """
    program = mosquitto()
    chosen: Kind = kind or ("mosquitto" if program else "iotcore")
    if chosen == "mosquitto" and program is None:
        raise NoBroker("mosquitto: not installed")
    failure = ""
    for _ in range(3):
        first, second = free_port(port), free_port(port_311)
        # Both read their settings once, so that nothing of it is left even if this process is killed.
        with tempfile.TemporaryDirectory(prefix="broche-broker-") as name:
            folder = Path(name)
            try:
                broker = _mosquitto(program, folder, first) if chosen == "mosquitto" and program else _iotcore(folder, first, second)
            except OSError as error:
                raise NoBroker(f"{chosen}: {error}") from error
            if broker.listens(clock, seconds):
                return broker
        failure = f"{chosen}: does not listen on {HOST}:{first}"
        broker.stop()
    raise NoBroker(failure)


def free_port(port: int = 0) -> int:
    """A port that nobody listens on just now: this one, or (0) any.

    Raises
    ------
    NoBroker: this one is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise NoBroker(f"{HOST}:{port}: {error.strerror}") from error
        return int(probe.getsockname()[1])


def _mosquitto(program: str, folder: Path, port: int) -> EmbeddedBroker:
    settings = folder / "mosquitto.conf"
    # As root mosquitto would become another user, and with that lose the bond that ends it with its parent.
    user = pwd.getpwuid(os.geteuid()).pw_name
    settings.write_text(_MOSQUITTO.format(port=port, host=HOST, largest=LARGEST, user=user), encoding="utf-8")
    said = subprocess.run([program, "-h"], capture_output=True, check=False, timeout=5.0).stdout.split()
    name = f"mosquitto {said[2].decode()}" if len(said) > 2 else "mosquitto"
    child = children.start_program([program, "-c", str(settings)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return EmbeddedBroker("mosquitto", name, HOST, port, port, child)


def _iotcore(folder: Path, port: int, port_311: int) -> EmbeddedBroker:
    settings = folder / "rumqttd.toml"
    listeners = (_LISTENER.format(protocol=p, host=HOST, port=n, largest=LARGEST) for p, n in ((4, port_311), (5, port)))
    settings.write_text(_ROUTER + "".join(listeners), encoding="utf-8")
    child = children.start("iotcore._serve", [json.dumps({"config_path": str(settings)})], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    return EmbeddedBroker("iotcore", f"iotcore {version('iotcore')} (rumqttd)", HOST, port, port_311, child)
