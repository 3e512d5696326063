"""Raw vibration on a serial line: whether the line can carry it at all. A poll that does not fit comes late; a stream loses samples."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from agent.machine_file.checks import placed
from agent.settings import MachineSettings
from agent.toml_file.found import Found
from drivers.options import BusOptions, DeviceMap
from drivers.wire_time import character

FULL = 0.9
"""Share of the line's bytes above which samples get lost: a sensor that runs a little fast, and a sender that waits between frames, want
the rest (docs/stream-frame.md)."""
BAUDS = (115_200, 230_400, 460_800, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000, 4_000_000)
"""What UARTs and adapters are set to."""

_FRAME = 1.06
"""Bytes on the wire to bytes of samples: header, CRC and stuffing (docs/stream-frame.md)."""
_USB = 1_216_000.0
"""Bytes a second of a full-speed USB bulk pipe: 19 transactions of 64 bytes in each frame of 1 ms (USB 2.0, table 5-9)."""
_ACM = re.compile(r"/dev/ttyACM\d+")
_BY_NAME = re.compile(r"/dev/serial/by-(id|path)/.+")
_ADAPTER = re.compile(r".*-port\d+")


def usb_cdc(port: str) -> bool:
    """Whether the port is a device that speaks USB itself (CDC ACM), so that its baud rate means nothing.

    Told by the name: /dev/ttyACM0; and in /dev/serial the names of USB-to-serial adapters end with -port0, those of CDC devices do not
    (systemd's 60-serial.rules). Another link is followed if it is there.
    """
    if _BY_NAME.fullmatch(port):
        return _ADAPTER.fullmatch(port) is None
    return _ACM.fullmatch(os.path.realpath(port)) is not None


def needs(device: DeviceMap) -> float:
    """Bytes a second on the wire."""
    return _FRAME * 2.0 * device.rate * device.axes


def carries(bus: BusOptions) -> float:
    """Bytes a second of a line that carries a stream."""
    return _USB if usb_cdc(str(bus.port)) else 1.0 / character(bus)


def check_streams(settings: MachineSettings, document: dict[str, Any], maps: Mapping[str, DeviceMap], found: Found) -> None:
    """A mistake for each line that is too slow for the raw vibration that it shall carry."""
    for bus, place in placed(settings.bus, document, "bus"):
        device = next((maps[s.device] for s in settings.source if s.bus == bus.name and s.device in maps), None)
        if bus.framing != "cobs" or device is None or device.rate <= 0 or needs(device) <= FULL * carries(bus):
            continue
        stream = {"name": bus.name, "rate": device.rate, "axes": device.axes, "needs": needs(device) / 1000.0}
        enough = next((baud for baud in BAUDS if needs(device) <= FULL * baud / 10.0), None)
        if usb_cdc(str(bus.port)) or enough is None:
            found.wrong(place, "stream_too_fast", **stream, carries=carries(bus) / 1000.0)
        else:
            key = (*place, "baud")
            found.wrong(
                key if key in found.lines else place,
                "stream_slow",
                **stream,
                baud=str(bus.baud),
                carries=carries(bus) / 1000.0,
                enough=str(enough),
            )
