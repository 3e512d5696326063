"""Appends the blocks of one waveform to NAME@RATE.npy and its index; both can be read at any moment, whatever ended the writing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from drivers.model import Quality, Waveform
from drivers.recording_error import RecordingError
from drivers.recording_format import time_text

HEADER = 128
"""Bytes of the .npy header; padded so that the final number of samples fits in place."""


class WaveWriter:
    """One waveform of a recording. Samples are written before the index row that names them.

    While it is open the header says 0 samples; the reader then goes by the size of the file. The index has the columns start,first,count;
    it is written anew with lost,quality added once a block lost samples or is not GOOD.
    """

    def __init__(self, folder: Path, first: Waveform) -> None:
        self._folder = folder
        self._like = first
        self._type = np.dtype("<i2") if first.samples.dtype == np.int16 else np.dtype("<f4")
        name = f"{first.channel}@{first.rate:.15g}"
        self._index_path = folder / f"{name}.csv"
        self._samples = 0
        self._last = -np.inf
        self._marked = False
        self.bytes = 0
        self._data = (folder / f"{name}.npy").open("xb", buffering=0)
        _write(self._data.fileno(), self._header(0))
        self._index = self._index_path.open("xb", buffering=0)
        _write(self._index.fileno(), b"start,first,count\n")

    def append(self, item: Waveform) -> bool:
        """Write a block; False if it is older than the last one. Raises OSError, and RecordingError if the waveform has changed."""
        like = self._like
        same = item.samples.dtype == like.samples.dtype and item.samples.shape[1] == like.samples.shape[1]
        if not same or item.scale != like.scale or item.unit != like.unit:
            raise RecordingError("wave_changed", self._folder, column=item.channel)
        if item.start < self._last:
            return False
        if not len(item.samples):
            return True
        if not self._marked and (item.lost or item.quality != Quality.GOOD):
            self._mark()
        samples = np.ascontiguousarray(item.samples, dtype=self._type).tobytes()
        _write(self._data.fileno(), samples)
        row = f"{time_text(item.start)},{self._samples},{len(item.samples)}"
        if self._marked:
            row += f",{item.lost},{int(item.quality)}"
        _write(self._index.fileno(), row.encode() + b"\n")
        self._last = item.start
        self._samples += len(item.samples)
        self.bytes += len(samples) + len(row) + 1
        return True

    def close(self) -> None:
        """Say in the header how many samples there are."""
        if not self._data.closed:
            self._data.seek(0)
            _write(self._data.fileno(), self._header(self._samples))
            os.fsync(self._data.fileno())
        self._data.close()
        self._index.close()

    def _header(self, samples: int) -> bytes:
        text = repr({"descr": self._type.str, "fortran_order": False, "shape": (samples, self._like.samples.shape[1])})
        return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + text.encode().ljust(HEADER - 11) + b"\n"

    def _mark(self) -> None:
        """Give the index the columns lost and quality."""
        head, *rows = self._index_path.read_text(encoding="utf-8").splitlines()
        new = self._index_path.with_suffix(".new")
        index = new.open("xb", buffering=0)
        _write(index.fileno(), "".join([f"{head},lost,quality\n", *(f"{row},0,0\n" for row in rows)]).encode())
        new.replace(self._index_path)
        self._index.close()
        self._index, self._marked = index, True


def _write(file: int, data: bytes) -> None:
    """All of it, or OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
