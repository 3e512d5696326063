"""Power of the bins of real signals: |X_k|^2 of windowed rows, every row one after another in vectors of eight.

X_k = sum_i u_i x_i exp(-2 pi i k / n), k = 0 .. n / 2, u the window. n real values are read as n / 2 complex ones, the even samples real, the odd
imaginary; Z their transform, E and O the even and the odd half of it: X_k = E_k + exp(-2 pi i k / n) O_k (Press et al., Numerical Recipes, 12.3).
Z by Stockham's self-sorting passes of radix 4 (C. Van Loan, Computational Frameworks for the FFT, 1992, 1.7): each reads four rows from one end to
the other and writes blocks of 4^pass values, so that nothing has to be put in order. The window is in the first pass, the powers in the last.

Only powers of two from 64 on go this way; other lengths are left to rocket-fft. Why: docs/decisions/0009-fft.md.
"""

from __future__ import annotations

import operator

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray
from rocket_fft import r2c

from drivers import jit

SHORTEST = 64
_WIDTH = 8
"""Values in a vector: one register of AVX2, two of NEON or SSE2."""
_FLAGS = ("contract", "nsz")
_ALONG = np.array([1])


class _Vector(types.Type):  # type: ignore[misc]
    """Eight float32 in a register; numba has no such type."""

    def __init__(self) -> None:
        super().__init__(name="eight float32")


_EIGHT = _Vector()
_REGISTER = ir.VectorType(ir.FloatType(), _WIDTH)


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm, fe_type) -> None:  # type: ignore[no-untyped-def]
        super().__init__(dmm, fe_type, _REGISTER)


def _operator(symbol, name):  # type: ignore[no-untyped-def]
    """a + b, a - b, a * b of vectors."""

    @infer_global(symbol)
    class _Template(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args, kws):  # type: ignore[no-untyped-def]
            return signature(_EIGHT, _EIGHT, _EIGHT) if args == (_EIGHT, _EIGHT) else None

    @lower_builtin(symbol, _EIGHT, _EIGHT)
    def _lower(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return getattr(builder, name)(*args, flags=_FLAGS)


_operator(operator.add, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.mul, "fmul")


def _address(context, builder, array, value, index, width):  # type: ignore[no-untyped-def]
    data = context.make_array(array)(context, builder, value=value).data
    vector = ir.VectorType(ir.FloatType(), width)
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _order(builder, first, second, places):  # type: ignore[no-untyped-def]
    """The values of two vectors, one behind the other, at `places`."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    return builder.shuffle_vector(first, second, mask)


@intrinsic
def _load(typingctx, array, index):  # type: ignore[no-untyped-def]
    def make(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return builder.load(_address(context, builder, sig.args[0], *args, _WIDTH), align=4)

    return _EIGHT(array, types.intp), make


@intrinsic
def _store(typingctx, array, index, vector):  # type: ignore[no-untyped-def]
    def make(context, builder, sig, args):  # type: ignore[no-untyped-def]
        builder.store(args[2], _address(context, builder, sig.args[0], *args[:2], _WIDTH), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _EIGHT), make


@intrinsic
def _splat(typingctx, value):  # type: ignore[no-untyped-def]
    def make(context, builder, sig, args):  # type: ignore[no-untyped-def]
        alone = builder.insert_element(ir.Constant(_REGISTER, ir.Undefined), args[0], ir.Constant(ir.IntType(32), 0))
        return _order(builder, alone, alone, [0] * _WIDTH)

    return _EIGHT(types.float32), make


@intrinsic
def _turned(typingctx, vector):  # type: ignore[no-untyped-def]
    """Last value first."""

    def make(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return _order(builder, args[0], args[0], range(_WIDTH - 1, -1, -1))

    return _EIGHT(_EIGHT), make


@intrinsic
def _pairs(typingctx, array, index):  # type: ignore[no-untyped-def]
    """Sixteen values as the even and the odd ones."""

    def make(context, builder, sig, args):  # type: ignore[no-untyped-def]
        whole = builder.load(_address(context, builder, sig.args[0], *args, 2 * _WIDTH), align=4)
        halves = [_order(builder, whole, whole, range(odd, 2 * _WIDTH, 2)) for odd in (0, 1)]
        return context.make_tuple(builder, sig.return_type, halves)

    return types.UniTuple(_EIGHT, 2)(array, types.intp), make


def _woven(block):  # type: ignore[no-untyped-def]
    """Stores four vectors, `block` values of each in turn."""

    @intrinsic
    def weave(typingctx, array, index, a, b, c, d):  # type: ignore[no-untyped-def]
        def make(context, builder, sig, args):  # type: ignore[no-untyped-def]
            low = _order(builder, args[2], args[3], range(2 * _WIDTH))
            high = _order(builder, args[4], args[5], range(2 * _WIDTH))
            places = [k * _WIDTH + at + i for at in range(0, _WIDTH, block) for k in range(4) for i in range(block)]
            whole = _order(builder, low, high, places)
            builder.store(whole, _address(context, builder, sig.args[0], *args[:2], 4 * _WIDTH), align=4)
            return context.get_dummy_value()

        return types.void(array, types.intp, _EIGHT, _EIGHT, _EIGHT, _EIGHT), make

    return weave


_weave1 = _woven(1)
_weave4 = _woven(4)


@numba.njit(forceinline=True, error_model="numpy", nogil=True)
def _four(ar, ai, br, bi, cr, ci, dr, di):  # type: ignore[no-untyped-def]
    """Transform of four values."""
    sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
    ur, ui, vr, vi = br + dr, bi + di, br - dr, bi - di
    return sr + ur, si + ui, tr + vi, ti - vr, sr - ur, si - ui, tr - vi, ti + vr


@numba.njit(
    [
        types.void(
            types.Array(types.float32, 2, "C", readonly=True),
            types.Array(types.float32, 1, "C", readonly=True),
            types.Array(types.float32, 1, "C", readonly=True),
            types.float32[:, ::1],
            types.float32[:, ::1],
        )
    ],
    **jit.options(),
)
def _powers(rows, window, table, work, out):  # type: ignore[no-untyped-def]
    """See `Powers`; work: (4, n / 2)."""
    n = rows.shape[1]
    m = n // 2
    q = m // 4
    for a in range(rows.shape[0]):
        row = rows[a]
        xr, xi, yr, yi = work[0], work[1], work[2], work[3]
        for j in range(0, q, 8):
            ar, ai = _pairs(row, 2 * j)
            br, bi = _pairs(row, 2 * (j + q))
            cr, ci = _pairs(row, 2 * (j + 2 * q))
            dr, di = _pairs(row, 2 * (j + 3 * q))
            ur, ui = _pairs(window, 2 * j)
            ar, ai = ar * ur, ai * ui
            ur, ui = _pairs(window, 2 * (j + q))
            br, bi = br * ur, bi * ui
            ur, ui = _pairs(window, 2 * (j + 2 * q))
            cr, ci = cr * ur, ci * ui
            ur, ui = _pairs(window, 2 * (j + 3 * q))
            dr, di = dr * ur, di * ui
            ar, ai, br, bi, cr, ci, dr, di = _four(ar, ai, br, bi, cr, ci, dr, di)
            ur, ui = _load(table, j), _load(table, q + j)
            br, bi = br * ur - bi * ui, br * ui + bi * ur
            ur, ui = _load(table, 2 * q + j), _load(table, 3 * q + j)
            cr, ci = cr * ur - ci * ui, cr * ui + ci * ur
            ur, ui = _load(table, 4 * q + j), _load(table, 5 * q + j)
            dr, di = dr * ur - di * ui, dr * ui + di * ur
            _weave1(yr, 4 * j, ar, br, cr, dr)
            _weave1(yi, 4 * j, ai, bi, ci, di)
        at = 6 * q
        xr, xi, yr, yi = yr, yi, xr, xi
        for j in range(0, q, 8):
            ar, ai = _load(xr, j), _load(xi, j)
            br, bi = _load(xr, j + q), _load(xi, j + q)
            cr, ci = _load(xr, j + 2 * q), _load(xi, j + 2 * q)
            dr, di = _load(xr, j + 3 * q), _load(xi, j + 3 * q)
            ar, ai, br, bi, cr, ci, dr, di = _four(ar, ai, br, bi, cr, ci, dr, di)
            ur, ui = _load(table, at + j), _load(table, at + q + j)
            br, bi = br * ur - bi * ui, br * ui + bi * ur
            ur, ui = _load(table, at + 2 * q + j), _load(table, at + 3 * q + j)
            cr, ci = cr * ur - ci * ui, cr * ui + ci * ur
            ur, ui = _load(table, at + 4 * q + j), _load(table, at + 5 * q + j)
            dr, di = dr * ur - di * ui, dr * ui + di * ur
            _weave4(yr, 4 * j, ar, br, cr, dr)
            _weave4(yi, 4 * j, ai, bi, ci, di)
        at += 6 * q
        s = 16
        while 4 * s <= m:
            xr, xi, yr, yi = yr, yi, xr, xi
            for p in range(q // s):
                u1r, u1i = _splat(table[at]), _splat(table[at + 1])
                u2r, u2i = _splat(table[at + 2]), _splat(table[at + 3])
                u3r, u3i = _splat(table[at + 4]), _splat(table[at + 5])
                at += 6
                for i in range(0, s, 8):
                    j = i + s * p
                    ar, ai = _load(xr, j), _load(xi, j)
                    br, bi = _load(xr, j + q), _load(xi, j + q)
                    cr, ci = _load(xr, j + 2 * q), _load(xi, j + 2 * q)
                    dr, di = _load(xr, j + 3 * q), _load(xi, j + 3 * q)
                    ar, ai, br, bi, cr, ci, dr, di = _four(ar, ai, br, bi, cr, ci, dr, di)
                    j = i + 4 * s * p
                    _store(yr, j, ar)
                    _store(yi, j, ai)
                    _store(yr, j + s, br * u1r - bi * u1i)
                    _store(yi, j + s, br * u1i + bi * u1r)
                    _store(yr, j + 2 * s, cr * u2r - ci * u2i)
                    _store(yi, j + 2 * s, cr * u2i + ci * u2r)
                    _store(yr, j + 3 * s, dr * u3r - di * u3i)
                    _store(yi, j + 3 * s, dr * u3i + di * u3r)
            s *= 4
        if s < m:
            xr, xi, yr, yi = yr, yi, xr, xi
            for i in range(0, s, 8):
                ar, ai, br, bi = _load(xr, i), _load(xi, i), _load(xr, i + s), _load(xi, i + s)
                _store(yr, i, ar + br)
                _store(yi, i, ai + bi)
                _store(yr, i + s, ar - br)
                _store(yi, i + s, ai - bi)
        power = out[a]
        half = _splat(np.float32(0.5))
        for k in range(1, m // 2, 8):
            back = m - k - 7
            ar, ai, br, bi = _load(yr, k), _load(yi, k), _turned(_load(yr, back)), _turned(_load(yi, back))
            ur, ui = _load(table, at), _load(table, at + 8)
            at += 16
            er, ei, dr, di = (ar + br) * half, (ai - bi) * half, (ai + bi) * half, (br - ar) * half
            cr, ci = dr * ur - di * ui, dr * ui + di * ur
            ar, ai, br, bi = er + cr, ei + ci, er - cr, ei - ci
            _store(power, k, ar * ar + ai * ai)
            _store(power, back, _turned(br * br + bi * bi))
        power[0] = (yr[0] + yi[0]) * (yr[0] + yi[0])
        power[m] = (yr[0] - yi[0]) * (yr[0] - yi[0])


@numba.njit(
    [
        types.void(
            types.Array(types.float32, 2, "C", readonly=True),
            types.Array(types.float32, 1, "C", readonly=True),
            types.float32[:, ::1],
            types.complex64[:, ::1],
            types.float32[:, ::1],
        )
    ],
    **jit.options(),
)
def _others(rows, window, lanes, spectrum, out):  # type: ignore[no-untyped-def]
    """The same for any length, by rocket-fft."""
    for a in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            lanes[a, i] = rows[a, i] * window[i]
    r2c(lanes, spectrum, _ALONG, True, 1.0, 1)
    for a in range(rows.shape[0]):
        for k in range(out.shape[1]):
            z = spectrum[a, k]
            out[a, k] = z.real * z.real + z.imag * z.imag


@numba.njit(
    [
        types.void(
            types.Array(types.float32, 2, "C", readonly=True),
            types.Array(types.int32, 2, "C", readonly=True),
            types.float32[:, ::1],
            types.float64[:, ::1],
        )
    ],
    fastmath={"reassoc", "contract", "arcp", "nsz"},
    **jit.options(),
)
def centre(samples, bits, lanes, told):  # type: ignore[no-untyped-def]
    """Take the mean away and divide by the peak, so that neither denormal nor huge values leave the range.

    Parameters
    ----------
    samples: (rows, n); `bits` the same as whole numbers. Smallest and largest are sought among these, as numba does not vectorise that for
        floats; with the sign folded they are ordered as the floats are.
    lanes: (rows, n), is filled; zeros where a row is constant or not finite.
    told: (rows, 3), is filled: mean; largest deviation from it, 0 where constant, NaN where not finite; largest |x|.
    """
    n = samples.shape[1]
    fold = np.int32(0x7FFFFFFF)
    for a in range(len(samples)):
        total = 0.0
        low = np.int32(2147483647)
        high = np.int32(-2147483648)
        for i in range(n):
            whole = bits[a, i]
            whole ^= (whole >> np.int32(31)) & fold
            low = min(low, whole)
            high = max(high, whole)
        smallest = np.int32(low ^ ((low >> np.int32(31)) & fold)).view(np.float32)
        largest = np.int32(high ^ ((high >> np.int32(31)) & fold)).view(np.float32)
        # All that is not finite is the smallest or the largest of all.
        finite = np.isfinite(smallest) and np.isfinite(largest)
        moved = finite and largest > smallest
        for i in range(n):
            total += samples[a, i]
        mean = total / n
        peak = max(largest - mean, mean - smallest) if moved else 0.0
        inverse = 1.0 / peak if moved else 0.0
        for i in range(n):
            lanes[a, i] = np.float32((samples[a, i] - mean) * inverse) if moved else np.float32(0.0)
        told[a, 0] = mean
        told[a, 1] = peak if finite else np.nan
        told[a, 2] = max(abs(np.float64(smallest)), abs(np.float64(largest)))


def _factors(m: int) -> NDArray[np.float32]:
    """What is multiplied with, in the order in which `_powers` comes to it."""
    parts: list[NDArray[np.float64]] = []
    s = 1
    while 4 * s <= m:
        turns = np.exp(-2j * np.pi * s / m * np.outer([1, 2, 3], np.arange(m // 4 // s)))
        if s < 16:
            turns = np.repeat(turns, s, axis=1)
            parts.append(np.stack([turns.real, turns.imag], axis=1).ravel())
        else:
            parts.append(np.stack([turns.real.T, turns.imag.T], axis=2).ravel())
        s *= 4
    last = np.exp(-1j * np.pi / m * np.arange(1, m // 2 + 1)).reshape(-1, _WIDTH)
    parts.append(np.stack([last.real, last.imag], axis=1).ravel())
    return np.concatenate(parts).astype(np.float32)


class Powers:
    """|X_k|^2 of rows of one shape under a periodic Hann window.

    Parameters
    ----------
    rows, n: number of rows, samples of each.

    Attributes
    ----------
    window: (n,) u.
    """

    def __init__(self, rows: int, n: int) -> None:
        self.window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / max(n, 1))).astype(np.float32)
        self._own = n >= SHORTEST and n & (n - 1) == 0
        self._out = np.zeros((rows, n // 2 + 1), np.float32)
        if self._own:
            self._table = _factors(n // 2)
            self._work = np.zeros((4, n // 2), np.float32)
        else:
            lanes = 1 if rows == 1 else -(-rows // 4) * 4  # rocket-fft takes four at a time; three take longer than four
            self._lanes = np.zeros((lanes, n), np.float32)
            self._spectrum = np.zeros((lanes, n // 2 + 1), np.complex64)

    def of(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, n / 2 + 1) from (rows, n) samples, C order; belongs to this object, the next call overwrites it."""
        if self._own:
            _powers(samples, self.window, self._table, self._work, self._out)
        elif samples.shape[1]:
            _others(samples, self.window, self._lanes, self._spectrum, self._out)
        return self._out
