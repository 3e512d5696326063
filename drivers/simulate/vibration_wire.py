"""The vibration sensor's serial line: frames of a few samples, one after the other, whether anybody listens or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drivers.clock import Clock
from drivers.simulate.faults import CableCut, Late, Silence, Wrong
from drivers.simulate.pty_port import PtyPort
from drivers.simulate.vibration import Counts
from drivers.simulate.wires import Outage
from drivers.stream import encode_frame

SAMPLES = 40
"""A frame, of the 41 that fit: 6 ms."""
STALE = 0.5
"""s without a reader after which what lies in the pty is dropped, as a serial port drops it."""


class VibrationWire:
    """Sends what `send` is given. The sequence number goes on while nothing passes: the reader sees what he lost."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.port = PtyPort(path, _deaf)
        self._clock = clock
        self._left = np.empty((0, 3), dtype=np.int16)
        self._sequence = 0
        self._last = clock.monotonic()
        self._outage = Outage(clock, self._back)
        self._silent_until = 0.0
        self._cut = False

    def send(self, samples: Counts) -> None:
        """Frame and send; a frame that finds no room is lost."""
        self._left = np.concatenate([self._left, samples])
        now = self._clock.monotonic()
        dumb = self._cut or now < self._silent_until
        whole = len(self._left) // SAMPLES * SAMPLES
        for at in range(0, whole, SAMPLES):
            frame = encode_frame(self._sequence, self._left[at : at + SAMPLES])
            self._sequence = (self._sequence + 1) & 0xFFFF
            if dumb or not self.port.is_open:
                continue
            if self.port.write(frame):
                self._last = now
            elif now - self._last > STALE:
                self.port.forget()
                self._last = now
        self._left = self._left[whole:]

    def fault(self, fault: CableCut | Silence | Late | Wrong) -> None:
        """Begin or end a cable cut or a silence."""
        if isinstance(fault, Silence):
            self._silent_until = (
                0.0 if fault.end else self._clock.monotonic() + fault.seconds if fault.seconds is not None else float("inf")
            )
        elif isinstance(fault, CableCut) and fault.end:
            self._outage.stop()
            self._back()
        elif isinstance(fault, CableCut):
            self._cut = True
            if fault.unplug:
                self.port.close()
            self._outage.begin(fault.seconds)

    def close(self) -> None:
        """Unplug."""
        self._outage.stop()
        self.port.close()

    def _back(self) -> None:
        self._cut = False
        if not self.port.is_open:
            self.port.open()


def _deaf(data: bytes) -> None:
    """A sensor that takes no commands."""
