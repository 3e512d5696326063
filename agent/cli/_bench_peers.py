"""The same figures by other libraries, for `broche bench`: numpy as one writes it with care, scipy and river where they are installed."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.kernels import vibration

Floats = NDArray[np.float64]


def installed(name: str) -> Any:
    """A module by its name, or None; only `bench` may look for it, for scipy merely imported costs memory."""
    return importlib.import_module(name) if importlib.util.find_spec(name.partition(".")[0]) else None


def fftw(*shapes: tuple[int, bool]) -> Callable[[], object] | None:
    """Transforms of three rows by FFTW, single precision, plans measured: (length, whether real) each; None where pyfftw is not installed.

    FFTW is GPL: it is never asked for by Broche, only compared with.
    """
    library = installed("pyfftw")
    if library is None:
        return None
    plans = []
    for n, real in shapes:
        given = library.empty_aligned((3, n), "float32" if real else "complex64")
        made = library.empty_aligned((3, n // 2 + 1 if real else n), "complex64")
        plans.append(library.FFTW(given, made, axes=(1,), flags=("FFTW_MEASURE",)))
        given[:] = np.random.default_rng(n).normal(size=given.shape)  # after the plan was made: measuring overwrites
    return lambda: [plan.execute() for plan in plans]


FLOOR = ((4096, True), (2048, False), (2048, True))
"""The three transforms without which there are no figures and no envelope of a block (performance.md 1)."""


class CarefulFigures:
    """All figures of kernels/vibration.py in numpy: single precision, all axes at once, one transform, weights made beforehand."""

    def __init__(
        self, samples: int, rate: float, rfft: Callable[..., Any] = np.fft.rfft, bands: tuple[tuple[float, float], ...] = ()
    ) -> None:
        self._rfft = rfft
        self._window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(samples) / samples)).astype(np.float32)
        self._df = rate / samples
        k = np.arange(samples // 2 + 1)
        low, high = vibration.LOWEST / self._df, vibration.HIGHEST / self._df
        share = np.clip(np.minimum(k + 0.5, high) - np.maximum(k - 0.5, low), 0.0, None)
        self._weights = np.divide(share, k.astype(float) ** 2, out=np.zeros(len(k)), where=k > 0).astype(np.float32)
        self._energy = 2.0 / (0.375 * samples * samples)
        edge = np.where(2 * k == samples, 0.0, 0.5)
        shares = [np.clip(np.minimum(k + edge, b / self._df) - np.maximum(k - 0.5, a / self._df), 0.0, None) for a, b in bands]
        self._shares = np.array(shares, dtype=np.float32).reshape(len(bands), len(k)).T

    def measure(self, block: NDArray[np.int16], scale: float, speed: float, limit: float) -> Floats:
        """(axes, FIGURES + bands) as `Meter.measure`."""
        x = np.ascontiguousarray(block.T).astype(np.float32)
        out = np.empty((len(x), vibration.FIGURES + self._shares.shape[1]))
        n = x.shape[1]
        out[:, vibration.SATURATED] = (np.abs(x) >= limit).mean(axis=1)
        mean = x.mean(axis=1, dtype=np.float64)
        x -= mean[:, None].astype(np.float32)
        peak = np.abs(x).max(axis=1)
        x /= peak[:, None]
        square = x * x
        s2 = np.einsum("ij->i", square)
        s3 = np.einsum("ij,ij->i", square, x)
        s4 = np.einsum("ij,ij->i", square, square)
        rms = np.sqrt(s2 / n)
        out[:, vibration.MEAN] = mean * scale
        out[:, vibration.PEAK] = peak * scale
        out[:, vibration.RMS] = rms * peak * scale
        out[:, vibration.CREST] = 1.0 / rms
        out[:, vibration.KURTOSIS] = n * s4 / (s2 * s2)
        out[:, vibration.SKEWNESS] = math.sqrt(n) * s3 / (s2 * np.sqrt(s2))
        x *= self._window
        spectrum = self._rfft(x, axis=1)
        power = spectrum.real * spectrum.real + spectrum.imag * spectrum.imag
        unit = peak * scale * vibration.G * 1000.0 / (2.0 * math.pi * self._df)
        out[:, vibration.VELOCITY] = unit * np.sqrt(self._energy * (power @ self._weights))
        line = abs(speed) / 60.0 / self._df
        middle = math.floor(line + 0.5)
        out[:, vibration.LINE] = unit * np.sqrt(2.0 * self._energy * power[:, middle - 2 : middle + 3].sum(axis=1)) / line
        if self._shares.size:
            out[:, vibration.FIGURES :] = (peak * scale)[:, None] * np.sqrt(self._energy * (power @ self._shares))
        return out


class TextbookFigures:
    """As a textbook has it: integration by trapezoids, a band pass forwards and backwards, scipy.stats for each axis."""

    def __init__(self, rate: float) -> None:
        self._signal = importlib.import_module("scipy.signal")
        self._integrate = importlib.import_module("scipy.integrate")
        self._stats = importlib.import_module("scipy.stats")
        self._rate = rate
        self._band = self._signal.butter(2, (vibration.LOWEST, vibration.HIGHEST), "bandpass", fs=rate, output="sos")

    def measure(self, block: NDArray[np.int16], scale: float, speed: float) -> list[tuple[float, ...]]:
        """Of each axis: RMS, peak, crest, kurtosis, skewness, velocity RMS, line at the speed."""
        out: list[tuple[float, ...]] = []
        for axis in range(block.shape[1]):
            x = block[:, axis] * scale
            x = x - x.mean()
            rms, peak = math.sqrt(float(np.mean(x**2))), float(np.abs(x).max())
            velocity = self._integrate.cumulative_trapezoid(x * vibration.G * 1000.0, dx=1.0 / self._rate, initial=0.0)
            velocity = self._signal.sosfiltfilt(self._band, self._signal.detrend(velocity))
            spectrum = np.abs(np.fft.rfft(velocity * np.hanning(len(x)))) * 4.0 / len(x)
            line = float(spectrum[round(abs(speed) / 60.0 * len(x) / self._rate)])
            kurtosis, skewness = float(self._stats.kurtosis(x, fisher=False)), float(self._stats.skew(x))
            out.append((rms, peak, peak / rms, kurtosis, skewness, math.sqrt(float(np.mean(velocity**2))), line))
        return out


class Condensed:
    """The long record by scipy's polyphase filter: a low pass, and the squared envelope of a band, each kept every `factor`-th value."""

    def __init__(self, rate: float, factor: int, band: tuple[float, float], taps: int = 203) -> None:
        self._signal = importlib.import_module("scipy.signal")
        self._factor = factor
        window = ("kaiser", 7.857)
        self._low = self._signal.firwin(taps, rate / factor / 2, window=window, fs=rate).astype(np.float32)
        narrow = self._signal.firwin(taps, (band[1] - band[0]) / 2, window=window, fs=rate)
        turned = 2 * narrow * np.exp(2j * np.pi * (band[0] + band[1]) / 2 / rate * np.arange(taps))
        self._band = turned.astype(np.complex64)

    def take(self, block: NDArray[np.int16], scale: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(axes, values) of both."""
        x = np.ascontiguousarray(block.T).astype(np.float32) * np.float32(scale)
        low = self._signal.upfirdn(self._low, x, down=self._factor, axis=1)
        z = self._signal.upfirdn(self._band, x, down=self._factor, axis=1)
        return low, z.real * z.real + z.imag * z.imag


def control(values: Floats, weight: float, width: float, slack: float, interval: float) -> NDArray[np.bool_]:
    """EWMA and two-sided CUSUM with alarms, all channels of a row at once; Page-Hinkley with its running mean. (n, channels)."""
    channels = values.shape[1]
    ewma, up, down, mean, rise, fall = (np.zeros(channels) for _ in range(6))
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    out = np.empty(values.shape, np.bool_)
    for i, z in enumerate(values):
        ewma += weight * (z - ewma)
        up = np.maximum(0.0, up + z - slack)
        down = np.maximum(0.0, down - z - slack)
        mean += (z - mean) / (i + 1)
        rise = 0.9999 * rise + (z - mean) - 0.005
        fall = 0.9999 * fall + (z - mean) + 0.005
        low, high = np.minimum(low, rise), np.maximum(high, fall)
        limit = width * math.sqrt(weight / (2.0 - weight) * (1.0 - (1.0 - weight) ** (2 * i + 2)))
        out[i] = (np.abs(ewma) > limit) | (up > interval) | (down > interval) | (rise - low > 50.0) | (high - fall > 50.0)
        up[up > interval] = 0.0
        down[down > interval] = 0.0
    return out


def cusum(values: Floats, slack: float, interval: float) -> NDArray[np.bool_]:
    """Two-sided CUSUM alone, all channels of a row at once."""
    up, down = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    out = np.empty(values.shape, np.bool_)
    for i, z in enumerate(values):
        up = np.maximum(0.0, up + z - slack)
        down = np.maximum(0.0, down - z - slack)
        out[i] = (up > interval) | (down > interval)
        up[up > interval] = 0.0
        down[down > interval] = 0.0
    return out


def robust(windows: Floats, values: Floats) -> Floats:
    """Robust score of a row of values: windows (window, channels)."""
    middle = np.median(windows, axis=0)
    spread = 1.482602218505602 * np.median(np.abs(windows - middle), axis=0)
    return np.asarray((values - middle) / spread)


def envelope(curves: Floats) -> tuple[Floats, Floats]:
    """Median and MAD at each position: curves (cuts, positions, channels)."""
    middle = np.median(curves, axis=0)
    return middle, 1.482602218505602 * np.median(np.abs(curves - middle), axis=0)


def dtw(a: list[float], b: list[float], band: int) -> float:
    """Banded time warping in plain Python."""
    n, m = len(a), len(b)
    before = [math.inf] * m
    for i in range(n):
        now = [math.inf] * m
        straight = i * (m - 1) / (n - 1)
        for j in range(max(0, math.ceil(straight - band)), min(m - 1, math.floor(straight + band)) + 1):
            best = min(before[j], before[j - 1] if j else math.inf, now[j - 1] if j else math.inf)
            now[j] = (0.0 if i + j == 0 else best) + abs(a[i] - b[j])
        before = now
    return before[-1]


def cobs(data: bytes) -> int:
    """Good frames of a stream, with the C checksum of the standard library."""
    import binascii

    good = 0
    for frame in data.split(b"\0"):
        payload = bytearray()
        at = 0
        while at < len(frame):
            code = frame[at]
            payload += frame[at + 1 : at + code]
            at += code
            if code < 0xFF and at < len(frame):
                payload.append(0)
        if len(payload) > 7 and binascii.crc_hqx(payload[:-2], 0xFFFF) == int.from_bytes(payload[-2:], "little"):
            np.frombuffer(payload, "<i2", offset=5, count=payload[3] * payload[4])
            good += 1
    return good
