"""The full set of vibration figures by other means, for `broche bench`: each block's figures, and from a record of two seconds the lines of
the rotation and of a bearing. In numpy as one writes it with care, and as the textbooks of scipy have it. Both keep the kernels' hours: the
lines are told when half of the record is new.
"""

from __future__ import annotations

import importlib
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.cli._bench_peers import CarefulFigures, Floats, TextbookFigures
from agent.kernels import bearing, spectrum
from agent.kernels.decimate import Record

Samples = NDArray[np.float32]


class Sensor(NamedTuple):
    """What is measured: rate (Hz), g per count, speed of block figures and of lines (rpm), teeth, bands (Hz), band that rings, orders."""

    rate: float
    scale: float
    speed: float
    turning: float
    teeth: int
    bands: tuple[tuple[float, float], ...]
    ringing: tuple[float, float]
    orders: Floats
    seconds: float = 2.0
    chatter: tuple[float, float] = (200.0, 5000.0)


class _Lines:
    """Powers of one axis of a record, n values, mean removed, largest 1, under a Hann window."""

    def __init__(self, power: Samples, n: int) -> None:
        self.power = power
        self.top = n // 2
        self.n = n

    def near(self, line: float) -> float:
        """Energy of the five bins around a line."""
        middle = math.floor(line + 0.5)
        return float(self.power[max(middle - 2, 0) : middle + 3].sum(dtype=np.float64))

    def sought(self, line: float, slip: float, least: int) -> tuple[int, int, int]:
        """First and last bin within `slip`, and the strongest."""
        first, last = max(least, math.floor(line * (1.0 - slip))), min(self.top - 1, math.ceil(line * (1.0 + slip)))
        return first, last, first + int(np.argmax(self.power[first : last + 1])) if last >= first else first

    def beside(self, at: int, reach: int, least: int) -> tuple[float, int]:
        """Energy, and number, of the bins around a line that are not of it."""
        left, right = self.power[max(at - reach, least) : max(at - 2, least)], self.power[at + 3 : at + reach + 1]
        return float(left.sum(dtype=np.float64)) + float(right.sum(dtype=np.float64)), len(left) + len(right)

    def between(self, at: int, least: float = -math.inf, most: float = math.inf) -> float:
        """Place of a line whose strongest bin is `at`; how far from it at least and at most."""
        below, middle, above = np.sqrt(self.power[at - 1 : at + 2].astype(np.float64)).tolist()
        ratio = max(below, above) / middle if middle else 0.0
        shift = min(max((2.0 * ratio - 1.0) / (ratio + 1.0), least), most)
        return at + shift if above >= below else at - shift


class Careful:
    """All of it in numpy: single precision, all axes in one transform, filters as one product of matrices, windows made beforehand."""

    def __init__(self, samples: int, axes: int, sensor: Sensor) -> None:
        self._sensor = sensor
        self._block = CarefulFigures(samples, sensor.rate, bands=sensor.bands)
        kept = Record(sensor.rate, axes, sensor.seconds, sensor.ringing)
        self.factor, self.rate, self.length = kept.factor, kept.rate, kept.low.shape[1]
        half = kept.taps // 2
        at, window = np.arange(-half, half + 1), np.kaiser(kept.taps, 0.1102 * (80.0 - 8.7))

        def low(cut: float) -> Floats:
            taps = np.sinc(2.0 * cut / sensor.rate * at) * window
            return np.asarray(taps / taps.sum())

        first, last = sensor.ringing
        turned = 2.0 * low(0.5 * (last - first)) * np.exp(1j * np.pi * (first + last) / sensor.rate * at)
        self._taps = np.ascontiguousarray(np.stack([low(0.5 * self.rate), turned.real, turned.imag])[:, ::-1].T, dtype=np.float32)
        self._history = np.zeros((axes, kept.taps - 1), np.float32)
        self._phase = self._new = 0
        self.low, self.envelope = np.zeros((2, axes, self.length), np.float32)
        n = self.length
        self._window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)).astype(np.float32)
        self._bins = np.arange(n // 2 + 1)
        self._energy = 2.0 / (0.375 * n * n)

    def block(self, block: NDArray[np.int16]) -> Floats:
        """Figures of a block, which is put behind the record."""
        sensor = self._sensor
        x = np.concatenate([self._history, block.T.astype(np.float32) * np.float32(sensor.scale)], axis=1)
        spread = np.lib.stride_tricks.sliding_window_view(x, len(self._taps), axis=1)[:, self._phase :: self.factor]
        new = spread @ self._taps
        self._history = x[:, -(len(self._taps) - 1) :]
        self._phase = (self._phase - len(block)) % self.factor
        self.low = np.concatenate([self.low[:, new.shape[1] :], new[:, :, 0]], axis=1)
        squares = new[:, :, 1] * new[:, :, 1] + new[:, :, 2] * new[:, :, 2]
        self.envelope = np.concatenate([self.envelope[:, new.shape[1] :], squares], axis=1)
        self._new += new.shape[1]
        return self._block.measure(block, sensor.scale, sensor.speed, 32767.0)

    def due(self) -> bool:
        """Half of the record is new."""
        if 2 * self._new < self.length:
            return False
        self._new = 0
        return True

    def lines(self) -> Floats:
        """(axes, BANDS + bands) as `Spectrum.measure`."""
        sensor, df = self._sensor, self.rate / self.length
        power, peak, _ = self._powers(self.low)
        out = np.full((len(power), spectrum.BANDS + len(sensor.bands)), np.nan)
        whole = power[:, 1:].sum(axis=1, dtype=np.float64) - (0.5 * power[:, -1] if self.length % 2 == 0 else 0.0)
        out[:, spectrum.TOTAL] = peak * np.sqrt(self._energy * whole)
        edge = np.where(2 * self._bins == self.length, 0.0, 0.5)
        for b, (low, high) in enumerate(sensor.bands):
            share = np.clip(np.minimum(self._bins + edge, high / df) - np.maximum(self._bins - 0.5, low / df), 0.0, None)
            out[:, spectrum.BANDS + b] = peak * np.sqrt(self._energy * (power[:, 1:] @ share[1:]))
        for a, row in enumerate(power):
            found = self._turning(_Lines(row, self.length), abs(sensor.turning) / 60.0 / df)
            out[a, spectrum.SPEED] = found * df
            for order in range(1, 4):
                for place, line in ((spectrum.ORDER1, order * found), (spectrum.TOOTH1, order * sensor.teeth * found)):
                    if 0.0 < line * df <= self.rate / 2.56:
                        amplitude = peak[a] * math.sqrt(2.0 * self._energy * _Lines(row, self.length).near(line))
                        out[a, place + order - 1] = amplitude * spectrum.G * 1000.0 / (2.0 * math.pi * line * df)
            first, last = math.ceil(sensor.chatter[0] / df), min(len(row) - 1, math.floor(sensor.chatter[1] / df))
            k = self._bins[first : last + 1]
            reach = 2.5 + 0.001 * k
            k, reach = k[reach <= found / 3.0], reach[reach <= found / 3.0]
            if len(k):
                some = row[k].astype(np.float64)
                apart = np.abs(k - found * np.round(k / found)) > reach
                out[a, spectrum.NON_HARMONIC] = some[apart].sum() / some.sum()
        return out

    def bearing(self) -> Floats:
        """(axes, DEFECTS, FIGURES) as `BearingLines.measure`."""
        sensor, df = self._sensor, self.rate / self.length
        power, peak, mean = self._powers(self.envelope)
        out = np.full((len(power), bearing.DEFECTS, bearing.FIGURES), np.nan)
        turning = abs(sensor.turning) / 60.0 / df
        for a, row in enumerate(power):
            lines = _Lines(row, self.length)
            unit = math.sqrt(2.0 * self._energy) * peak[a] / mean[a]

            def depth(line: float, lines: _Lines = lines, unit: float = unit) -> float:
                return unit * math.sqrt(lines.near(line)) if 4.0 <= line <= 2.0 * lines.top / 2.56 else math.nan

            for d, order in enumerate(sensor.orders.tolist()):
                line = order * turning
                if not 4.0 <= line <= self.length / 2.56:
                    continue
                _, _, at = lines.sought(line, bearing.SLIP, 2)
                found = lines.between(at, 0.0, 0.5)
                around, count = lines.beside(at, bearing.AROUND, 2)
                out[a, d, :3] = [depth(k * found) for k in (1, 2, 3)]
                out[a, d, bearing.FOUND] = found * df
                out[a, d, bearing.PROMINENCE] = row[at] / (around / count)
                if d != bearing.FTF:
                    step = sensor.orders[bearing.FTF] * turning if d == bearing.BSF else turning
                    out[a, d, bearing.SIDEBANDS] = np.nanmean([depth(found - step), depth(found + step)])
        return out

    def _powers(self, record: Samples) -> tuple[Samples, Floats, Floats]:
        mean = record.mean(axis=1, dtype=np.float64)
        x = record - mean[:, None].astype(np.float32)
        peak = np.abs(x).max(axis=1)
        x *= self._window / peak[:, None]
        z = np.fft.rfft(x, axis=1)
        power = (z.real * z.real + z.imag * z.imag).astype(np.float32, copy=False)
        return power, peak.astype(np.float64), np.asarray(mean)

    def _turning(self, lines: _Lines, given: float) -> float:
        best, found = 0.0, given
        for order in range(1, 4):
            first, last, at = lines.sought(order * given, spectrum.SLIP, 1)
            if last < first:
                continue
            reach = max(last - first, 16)
            around, _ = lines.beside(at, reach, 0)
            strongest = float(lines.power[at])
            if strongest > best and strongest * 2.0 * (reach - 2) > 20.0 * around:
                best, found = strongest, lines.between(at) / order
        return found if abs(found - given) <= spectrum.SLIP * given else given


class Textbook:
    """As the textbooks have it: the newest two seconds of samples are kept; filtered, decimated and turned into an envelope each time."""

    def __init__(self, samples: int, axes: int, sensor: Sensor) -> None:
        self._signal = importlib.import_module("scipy.signal")
        self._figures = TextbookFigures(sensor.rate)
        self._sensor = sensor
        self._factor = int(sensor.rate / 2560.0)
        self._raw = np.zeros((round(sensor.seconds * sensor.rate), axes))
        self._band = self._signal.butter(4, sensor.ringing, "bandpass", fs=sensor.rate, output="sos")
        self._samples = samples
        self._new = 0

    def block(self, block: NDArray[np.int16]) -> list[tuple[float, ...]]:
        """Figures of a block."""
        sensor = self._sensor
        self._raw = np.vstack([self._raw[len(block) :], block * sensor.scale])
        self._new += len(block)
        told = self._figures.measure(block, sensor.scale, sensor.speed)
        for axis in range(block.shape[1]):
            frequency, density = self._signal.periodogram(block[:, axis] * sensor.scale, sensor.rate, "hann")
            bands = [density[(frequency >= low) & (frequency < high)].sum() * frequency[1] for low, high in sensor.bands]
            told[axis] = (*told[axis], *(math.sqrt(band) for band in bands))
        return told

    def due(self) -> bool:
        """Half of what is kept is new."""
        if 2 * self._new < len(self._raw):
            return False
        self._new = 0
        return True

    def lines(self) -> list[list[float]]:
        """Of each axis: velocity at 1x, 2x, 3x and at the teeth (mm/s), RMS of the bands, share beside the comb of the rotation."""
        out = []
        for axis in range(self._raw.shape[1]):
            low = self._signal.decimate(self._raw[:, axis], self._factor, ftype="fir", zero_phase=True)
            out.append(self._one(low, self._sensor.rate / self._factor))
        return out

    def bearing(self) -> list[list[float]]:
        """Of each axis and defect: depth of its line, twice, three times, and of the lines beside it."""
        out = []
        for axis in range(self._raw.shape[1]):
            rung = self._signal.sosfiltfilt(self._band, self._raw[:, axis])
            squared = np.abs(self._signal.hilbert(rung)) ** 2
            envelope = self._signal.decimate(squared, self._factor, ftype="fir", zero_phase=True)
            rate = self._sensor.rate / self._factor
            mean = envelope.mean()
            frequency, power = self._signal.periodogram(envelope - mean, rate, "hann", scaling="spectrum")
            depth = np.sqrt(2.0 * power) / mean
            turn = self._sensor.turning / 60.0
            told: list[float] = []
            for order in self._sensor.orders.tolist():
                near = np.flatnonzero(np.abs(frequency - order * turn) <= 0.02 * order * turn)
                at = frequency[near[np.argmax(depth[near])]] if len(near) else order * turn
                told.extend(float(np.interp(f, frequency, depth)) for f in (at, 2 * at, 3 * at, at - turn, at + turn))
            out.append(told)
        return out

    def _one(self, low: Floats, rate: float) -> list[float]:
        sensor = self._sensor
        frequency, power = self._signal.periodogram(low, rate, "hann", scaling="spectrum")
        turn = sensor.turning / 60.0
        told: list[float] = []
        for order in (1, 2, 3, sensor.teeth, 2 * sensor.teeth, 3 * sensor.teeth):
            near = np.flatnonzero(np.abs(frequency - order * turn) <= max(0.03 * turn, frequency[1]))
            acceleration = math.sqrt(2.0 * float(power[near].max())) if len(near) else math.nan
            told.append(acceleration * spectrum.G * 1000.0 / (2.0 * math.pi * order * turn))
        _, density = self._signal.periodogram(low, rate, "hann")
        told.extend(math.sqrt(float(density[(frequency >= a) & (frequency < b)].sum()) * frequency[1]) for a, b in sensor.bands)
        looked = (frequency >= sensor.chatter[0]) & (frequency <= sensor.chatter[1])
        apart = np.abs(frequency - turn * np.round(frequency / turn)) > 2.5 * frequency[1]
        told.append(float(density[looked & apart].sum() / density[looked].sum()))
        return told
