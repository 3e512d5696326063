"""One connection to a broker: the only file that knows how paho is to be held.

A paho client serves for one connection and is thrown away with it, and its loop is ours: callbacks, publishing and acknowledgements all
happen on the publisher's thread. So there is no queue of paho's that is sent again without regard to the window, no lock order, and no
thread that a raising callback could end behind our back. Callbacks only append to a list.
"""

from __future__ import annotations

import select
import socket
import struct
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt import MQTTException
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.publish.problems import UNSUPPORTED_PROTOCOL, Problem, meaning
from agent.publish.wake import Wake
from drivers.clock import Clock

WINDOW = 20
"""Most messages that the broker has not acknowledged."""
LARGEST_INCOMING = 65536
"""Bytes of a packet that an MQTT 5 broker may send us."""

BROKEN = (OSError, MQTTException, struct.error, LookupError, ValueError, TypeError, AttributeError)
"""What paho lets through when a packet is not well-formed or its socket is gone."""

PROTOCOLS = {"5": mqtt.MQTTv5, "3.1.1": mqtt.MQTTv311}


class Address(msgspec.Struct, frozen=True):
    """Where a broker listens."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Address:
        """From mqtt://host:port (port 1883 if it is left out).

        Raises
        ------
        ValueError: another scheme, no host, or no port number.
        """
        parts = urlsplit(url if "//" in url else f"mqtt://{url}")
        if parts.scheme not in ("mqtt", "tcp") or not parts.hostname:
            raise ValueError(f"{url}: not of the form mqtt://host:port")
        return cls(parts.hostname, parts.port or 1883)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is handed to the broker."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry: float = 0.0
    correlation: bytes = b""


class Accepted(msgspec.Struct, frozen=True):
    """CONNACK. What the broker can take."""

    window: int
    largest: int
    qos: int
    retain: bool


class Refused(msgspec.Struct, frozen=True):
    """The connection is over, or did not come about; `protocol`: another version of MQTT may help."""

    problem: Problem
    protocol: bool = False


class Acked(msgspec.Struct, frozen=True):
    """PUBACK (or sent, for QoS 0); `failure` is a reason code from 0x80 on, else 0."""

    mid: int
    failure: int
    words: str


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A message from the broker."""

    payload: bytes
    retained: bool
    seconds_left: float | None
    reply: str
    correlation: bytes


Event = Accepted | Refused | Acked | Arrived


class LinkFailed(Exception):
    """No connection; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.key}: {problem.detail}")
        self.problem = problem


class Link:
    """One connection, from CONNECT to its end. Belongs to one thread; `wake` (any thread) ends a `poll`."""

    def __init__(self, address: Address, protocol: str, client_id: str, will: Letter, keepalive: int, clock: Clock, wake: Wake) -> None:
        self.heard = clock.monotonic()
        """Monotonic time of the last bytes from the broker."""
        self.protocol = protocol
        self._address = address
        self._keepalive = keepalive
        self._clock = clock
        self._wake = wake
        self._events: deque[Event] = deque()
        self._accepted = self._over = False
        self._properties: dict[float, Properties] = {}
        clean = None if protocol == "5" else True
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=clean, protocol=PROTOCOLS[protocol], reconnect_on_failure=False
        )
        self._client.suppress_exceptions = True
        self._client.max_inflight_messages = WINDOW
        self._client.on_socket_open = _no_delay
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.will_set(will.topic, will.payload, will.qos, will.retain)

    def open(self, username: str, password: str, timeout: float) -> None:
        """Connect the socket and send CONNECT; `Accepted` or `Refused` comes as an event.

        Raises
        ------
        LinkFailed: no such host, or nobody listens.
        """
        client = self._client
        options: dict[str, Any] = {}
        if username:
            client.username_pw_set(username, password or None)
        if self.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = WINDOW
            properties.MaximumPacketSize = LARGEST_INCOMING
            options = {"clean_start": True, "properties": properties}
        client.connect_timeout = timeout
        try:
            client.connect(self._address.host, self._address.port, self._keepalive, **options)
        except (socket.gaierror, UnicodeError) as error:
            raise LinkFailed(Problem("unknown_host", str(error))) from error
        except OSError as error:
            raise LinkFailed(Problem("unreachable", str(error))) from error
        self.heard = self._clock.monotonic()

    def poll(self, seconds: float) -> None:
        """Wait for the broker, for `wake` or for `seconds`, and do what there is to do."""
        sock = self._client.socket()
        if sock is None or self._over:
            self._end(Problem("closed"))
            return
        waiting = select.poll()
        waiting.register(self._wake.fd, select.POLLIN)
        waiting.register(sock.fileno(), select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        ready = dict(waiting.poll(max(0.0, seconds) * 1000.0))
        if ready.pop(self._wake.fd, 0):
            self._wake.clear()
        state = next(iter(ready.values()), 0)
        try:
            if state & ~select.POLLOUT:
                self.heard = self._clock.monotonic()
                self._client.loop_read()
            if state & select.POLLOUT or self._client.want_write():
                self._client.loop_write()
            self._client.loop_misc()
        except BROKEN as error:
            self._end(Problem("closed", f"{type(error).__name__}: {error}"))

    def events(self) -> list[Event]:
        """What has happened since the last call."""
        happened = list(self._events)
        self._events.clear()
        return happened

    def publish(self, letter: Letter) -> int | None:
        """Hand a message over; its id for `Acked`, or None: the connection is gone and nothing was handed over."""
        properties = self._properties_of(letter) if self.protocol == "5" else None
        if self._over or self._client.socket() is None:
            return None
        try:
            info = self._client.publish(letter.topic, letter.payload, letter.qos, letter.retain, properties)
        except BROKEN as error:
            self._end(Problem("closed", f"{type(error).__name__}: {error}"))
            return None
        return info.mid if info.rc == mqtt.MQTT_ERR_SUCCESS else None

    def subscribe(self, topic: str) -> None:
        """With QoS 1."""
        try:
            self._client.subscribe(topic, 1)
        except BROKEN as error:
            self._end(Problem("closed", f"{type(error).__name__}: {error}"))

    def want_write(self) -> bool:
        """Whether something handed over is not on the wire yet."""
        return not self._over and self._client.want_write()

    def leave(self) -> None:
        """Send DISCONNECT: the will is not wanted."""
        try:
            self._client.disconnect()
        except BROKEN:
            self._over = True

    def close(self) -> None:
        """Drop the socket without a word."""
        self._over = True
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _properties_of(self, letter: Letter) -> Properties:
        """Made once for each expiry: paho takes longer to make them than to send a message."""
        properties = self._properties.get(letter.expiry)
        if properties is None or letter.correlation:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = "application/json"
            if letter.expiry:
                properties.MessageExpiryInterval = max(1, int(letter.expiry))
            if letter.correlation:
                properties.CorrelationData = letter.correlation
            else:
                self._properties[letter.expiry] = properties
        return properties

    def _end(self, problem: Problem, *, protocol: bool | None = None) -> None:
        """`protocol` None: a broker that hangs up before CONNACK may do so because of the version."""
        if not self._over:
            self._over = True
            self._events.append(Refused(problem, not self._accepted if protocol is None else protocol))

    def _on_connect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            self._end(meaning(reason.value, str(reason), "refused"), protocol=reason.value == UNSUPPORTED_PROTOCOL)
            return
        self._accepted = True
        self._events.append(
            Accepted(
                window=max(1, min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))),
                largest=getattr(properties, "MaximumPacketSize", 0),
                qos=getattr(properties, "MaximumQoS", 2),
                retain=bool(getattr(properties, "RetainAvailable", 1)),
            )
        )

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end(meaning(reason.value, str(reason), "closed"))
        else:
            self._end(Problem("closed", str(reason)))

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._events.append(Acked(mid, reason.value if reason.is_failure else 0, str(reason)))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        properties = message.properties
        self._events.append(
            Arrived(
                payload=bytes(message.payload),
                retained=message.retain,
                seconds_left=getattr(properties, "MessageExpiryInterval", None),
                reply=getattr(properties, "ResponseTopic", ""),
                correlation=getattr(properties, "CorrelationData", b""),
            )
        )


def _no_delay(_client: mqtt.Client, _data: Any, sock: Any) -> None:
    """Without it the first messages of a connection wait up to 40 ms for Nagle and a delayed acknowledgement (performance.md, 5)."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
