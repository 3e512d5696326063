"""Reference sender of Broche's raw vibration stream, for whoever makes a sensor. Frame: docs/stream-frame.md.

Needs nothing but Python, and reads like the firmware it stands for: port `crc16`, `stuff` and `Sender` to your microcontroller, and compare
bytes with what this file makes. A test of Broche reads what it sends, so that it stays true.

    python stream_sender.py /dev/ttyGS0 --rate 26700        a tone of 160 Hz on three axes, as a USB gadget or into a pty
    python stream_sender.py - --rate 26700 --seconds 1 > bytes
"""

import argparse
import math
import struct
import sys
import time

VERSION = 1
PAYLOAD = 253  # most bytes before stuffing, so that COBS adds one byte and no more


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF, most significant bit first. crc16(b"123456789") == 0x29B1."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def stuff(payload: bytes) -> bytes:
    """COBS: every zero becomes the distance to the next one; the first byte is the distance to the first, the last zero is the end.

    For a payload shorter than 254 bytes, which ours always is.
    """
    out = bytearray(b"\0" + payload + b"\0")
    last = 0
    for i in range(1, len(out)):
        if out[i] == 0:
            out[last] = i - last
            last = i
    return bytes(out)


class Sender:
    """Collects samples and gives a frame whenever one is full.

    axes: 1 to 3 on most sensors. count: samples per axis in a frame; the most that fit, unless they would take too long to gather.
    """

    def __init__(self, axes: int = 3, count: int = 0) -> None:
        most = (PAYLOAD - 7) // (2 * axes)
        self.axes = axes
        self.count = count or most
        if not 1 <= self.count <= most:
            raise ValueError(f"a frame takes 1 to {most} samples of {axes} axes")
        self.sequence = 0
        self.samples = bytearray()

    def sample(self, *counts: int) -> bytes:
        """One reading of all axes, int16 counts as the chip gives them. Returns the frame that it filled, or nothing."""
        self.samples += struct.pack(f"<{self.axes}h", *counts)
        return self.frame() if len(self.samples) == 2 * self.axes * self.count else b""

    def missed(self, frames: int) -> None:
        """Samples were lost before they could be sent (a FIFO overran): skip numbers, so that the receiver counts what is missing."""
        self.samples.clear()
        self.sequence = (self.sequence + frames) & 0xFFFF

    def frame(self) -> bytes:
        """What was gathered, as it goes over the wire. The number goes up by one with every frame, also with one that was never sent."""
        gathered = len(self.samples) // (2 * self.axes)
        payload = struct.pack("<BHBB", VERSION, self.sequence, self.axes, gathered) + bytes(self.samples)
        payload += struct.pack("<H", crc16(payload))
        self.samples.clear()
        self.sequence = (self.sequence + 1) & 0xFFFF
        return stuff(payload)


def main() -> int:
    """Send a tone, in step with the clock: samples that are late are sent late, none is left out."""
    parser = argparse.ArgumentParser(description="sends a test tone as a raw vibration stream")
    parser.add_argument("port", help="a device that is set up already (stty raw), or - for the standard output")
    parser.add_argument("--rate", type=float, default=6667.0, help="samples per second and axis")
    parser.add_argument("--axes", type=int, default=3)
    parser.add_argument("--tone", type=float, default=160.0, help="Hz")
    parser.add_argument("--seconds", type=float, default=math.inf)
    args = parser.parse_args()
    sender = Sender(args.axes)
    with open(1 if args.port == "-" else args.port, "wb", buffering=0) as line:
        began = time.monotonic()
        n = 0
        while n < args.seconds * args.rate:
            if n > (time.monotonic() - began) * args.rate:
                time.sleep(0.005)
                continue
            angle = 2.0 * math.pi * args.tone * n / args.rate
            line.write(sender.sample(*(round(1000.0 * math.sin(angle + axis)) for axis in range(args.axes))))
            n += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
