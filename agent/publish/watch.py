"""An MQTT subscriber of its own process, independent of the publisher: `python -m agent.publish.watch URL TOPIC [--protocol 3.1.1]`.

One JSON object a message on stdout, {"topic", "payload"}; a payload that is not JSON is given as text. It reconnects as long as it lives
and ends when its stdin ends. On stderr: one line for each subscription, `subscribed TOPIC`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.publish.link import PROTOCOLS, Address


def line(topic: str, payload: bytes) -> bytes:
    """One message as it is printed."""
    try:
        said: object = msgspec.json.decode(payload)
        return msgspec.json.encode({"topic": topic, "payload": said}) + b"\n"
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return msgspec.json.encode({"topic": topic, "payload": payload.decode("utf-8", "replace")}) + b"\n"


def main(arguments: list[str] | None = None) -> int:
    """Run until stdin ends or nobody reads stdout any more."""
    parser = argparse.ArgumentParser(prog="python -m agent.publish.watch")
    parser.add_argument("url")
    parser.add_argument("topic")
    parser.add_argument("--protocol", choices=sorted(PROTOCOLS), default="5")
    options = parser.parse_args(arguments)
    address = Address.of(options.url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, f"broche-watch-{os.getpid()}", protocol=PROTOCOLS[options.protocol])
    client.suppress_exceptions = True
    client.reconnect_delay_set(1, 2)

    def on_connect(*_: Any) -> None:
        client.subscribe(options.topic, 1)

    def on_subscribe(*_: Any) -> None:
        print(f"subscribed {options.topic}", file=sys.stderr, flush=True)

    def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            os.write(1, line(message.topic, bytes(message.payload)))
        except OSError:
            os._exit(0)

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect_async(address.host, address.port, keepalive=10)
    client.loop_start()
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.buffer.read()
    client.disconnect()
    client.loop_stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
