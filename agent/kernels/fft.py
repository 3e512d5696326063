# ruff: noqa: ARG001 - numba binds the arguments of an intrinsic by name, llvmlite gets them by place
"""Power of the bins of real signals: |X_k|^2 of windowed rows, every row one after another in vectors of eight.

X_k = sum_i u_i x_i exp(-2 pi i k / n), k = 0 .. n / 2, u the window. n real values are read as n / 2 complex ones, the even samples real,
the odd imaginary; Z their transform, E and O its even and odd half: X_k = E_k + exp(-2 pi i k / n) O_k (Press et al., Numerical Recipes,
12.3). Z by Stockham's self-sorting passes of radix 4 (C. Van Loan, Computational Frameworks for the FFT, 1992, 1.7): each reads four rows
from one end to the other and writes blocks of 4^pass values, so that nothing has to be put in order. The window is in the first pass,
the powers in the last.

Only powers of two from 64 on go this way; other lengths are left to rocket-fft. Why: docs/decisions/0009-fft.md.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray
from rocket_fft import r2c

from drivers import jit

SHORTEST = 64
_WIDTH = 8
"""Values in a vector: one register of AVX2, two of NEON or SSE2."""
_FLAGS = ("contract", "nsz")
_ALONG = np.array([1])


def quick(length: int) -> int:
    """The next length whose transform is quick: no prime factor above 5."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


class _Vector(types.Type):
    """Eight float32 in a register; numba has no such type."""

    def __init__(self) -> None:
        super().__init__(name="eight float32")


_EIGHT = _Vector()
_REGISTER = ir.VectorType(ir.FloatType(), _WIDTH)


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _REGISTER)  # type: ignore[no-untyped-call]


def _intrinsic(function: Any) -> Any:
    return intrinsic(function)


def _address(context: Any, builder: Any, array: Any, args: Any, width: int) -> Any:
    """Of `width` values of the array args[0] from args[1] on."""
    data = context.make_array(array)(context, builder, value=args[0]).data
    vector = ir.VectorType(ir.FloatType(), width)
    return builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer())


def _order(builder: Any, first: Any, second: Any, places: Any) -> Any:
    """The values of two vectors, one behind the other, at `places`."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    return builder.shuffle_vector(first, second, mask)


@_intrinsic
def _load(typingctx: Any, array: Any, index: Any) -> Any:
    def make(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, sig.args[0], args, _WIDTH), align=4)

    return _EIGHT(array, types.intp), make


@_intrinsic
def _store(typingctx: Any, array: Any, index: Any, vector: Any) -> Any:
    def make(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, sig.args[0], args, _WIDTH), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _EIGHT), make


@_intrinsic
def _splat(typingctx: Any, array: Any, index: Any) -> Any:
    """One value, eight times."""

    def make(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(_address(context, builder, sig.args[0], args, 1), align=4)
        return _order(builder, value, value, [0] * _WIDTH)

    return _EIGHT(array, types.intp), make


@_intrinsic
def _turned(typingctx: Any, vector: Any) -> Any:
    """Last value first."""

    def make(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _order(builder, args[0], args[0], range(_WIDTH - 1, -1, -1))

    return _EIGHT(_EIGHT), make


@_intrinsic
def _pairs(typingctx: Any, array: Any, index: Any) -> Any:
    """Sixteen values as the even and the odd ones."""

    def make(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        whole = builder.load(_address(context, builder, sig.args[0], args, 2 * _WIDTH), align=4)
        halves = [_order(builder, whole, whole, range(odd, 2 * _WIDTH, 2)) for odd in (0, 1)]
        return context.make_tuple(builder, sig.return_type, halves)

    return types.UniTuple(_EIGHT, 2)(array, types.intp), make  # type: ignore[no-untyped-call]


def _woven(block: Any) -> Any:
    """Stores four vectors, `block` values of each in turn."""

    @_intrinsic
    def weave(typingctx: Any, array: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        def make(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            low = _order(builder, args[2], args[3], range(2 * _WIDTH))
            high = _order(builder, args[4], args[5], range(2 * _WIDTH))
            places = [k * _WIDTH + at + i for at in range(0, _WIDTH, block) for k in range(4) for i in range(block)]
            whole = _order(builder, low, high, places)
            builder.store(whole, _address(context, builder, sig.args[0], args, 4 * _WIDTH), align=4)
            return context.get_dummy_value()

        return types.void(array, types.intp, _EIGHT, _EIGHT, _EIGHT, _EIGHT), make

    return weave


_weave1 = _woven(1)
_weave4 = _woven(4)


def _sums(told: Any, work: Any) -> Any:
    """`told` vectors from a tuple of vectors; `work` gets +, -, *, and the vectors. A product and a sum may become one instruction."""

    @_intrinsic
    def calculate(typingctx: Any, given: Any) -> Any:
        def make(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            parts = [partial(part, flags=_FLAGS) for part in (builder.fadd, builder.fsub, builder.fmul)]
            vectors = [builder.extract_value(args[0], i) for i in range(len(given))]
            return context.make_tuple(builder, sig.return_type, work(*parts, *vectors))

        return types.UniTuple(_EIGHT, told)(given), make  # type: ignore[no-untyped-call]

    return calculate


def _of_four(plus: Any, minus: Any, _: Any, ar: Any, ai: Any, br: Any, bi: Any, cr: Any, ci: Any, dr: Any, di: Any) -> Any:
    """Transform of four values."""
    sr, si, tr, ti = plus(ar, cr), plus(ai, ci), minus(ar, cr), minus(ai, ci)
    ur, ui, vr, vi = plus(br, dr), plus(bi, di), minus(br, dr), minus(bi, di)
    return plus(sr, ur), plus(si, ui), plus(tr, vi), minus(ti, vr), minus(sr, ur), minus(si, ui), minus(tr, vi), plus(ti, vr)


def _product(plus: Any, minus: Any, times: Any, ar: Any, ai: Any, br: Any, bi: Any) -> Any:
    return minus(times(ar, br), times(ai, bi)), plus(times(ar, bi), times(ai, br))


def _by_parts(_plus: Any, _minus: Any, times: Any, ar: Any, ai: Any, ur: Any, ui: Any) -> Any:
    return times(ar, ur), times(ai, ui)


def _powers_of(plus: Any, minus: Any, times: Any, ar: Any, ai: Any, br: Any, bi: Any, ur: Any, ui: Any) -> Any:
    """|X_k|^2 and |X_{m - k}|^2 from a = Z_k, b = Z_{m - k}, u = exp(-i pi k / m): X = E + u O and conj(E - u O)."""
    half = ir.Constant(_REGISTER, [0.5] * _WIDTH)
    er, ei, dr, di = (times(half, twice) for twice in (plus(ar, br), minus(ai, bi), plus(ai, bi), minus(br, ar)))
    cr, ci = _product(plus, minus, times, dr, di, ur, ui)
    xr, xi, yr, yi = plus(er, cr), plus(ei, ci), minus(er, cr), minus(ei, ci)
    return plus(times(xr, xr), times(xi, xi)), plus(times(yr, yr), times(yi, yi))


_four = _sums(8, _of_four)
_two = _sums(4, lambda plus, minus, _, ar, ai, br, bi: (plus(ar, br), plus(ai, bi), minus(ar, br), minus(ai, bi)))
_times = _sums(2, _product)
_scaled = _sums(2, _by_parts)
_ends = _sums(2, _powers_of)


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
            ar, ai = _scaled((ar, ai, ur, ui))
            ur, ui = _pairs(window, 2 * (j + q))
            br, bi = _scaled((br, bi, ur, ui))
            ur, ui = _pairs(window, 2 * (j + 2 * q))
            cr, ci = _scaled((cr, ci, ur, ui))
            ur, ui = _pairs(window, 2 * (j + 3 * q))
            dr, di = _scaled((dr, di, ur, ui))
            ar, ai, br, bi, cr, ci, dr, di = _four((ar, ai, br, bi, cr, ci, dr, di))
            ur, ui = _load(table, j), _load(table, q + j)
            br, bi = _times((br, bi, ur, ui))
            ur, ui = _load(table, 2 * q + j), _load(table, 3 * q + j)
            cr, ci = _times((cr, ci, ur, ui))
            ur, ui = _load(table, 4 * q + j), _load(table, 5 * q + j)
            dr, di = _times((dr, di, ur, ui))
            _weave1(yr, 4 * j, ar, br, cr, dr)
            _weave1(yi, 4 * j, ai, bi, ci, di)
        at = 6 * q
        xr, xi, yr, yi = yr, yi, xr, xi
        for j in range(0, q, 8):
            ar, ai = _load(xr, j), _load(xi, j)
            br, bi = _load(xr, j + q), _load(xi, j + q)
            cr, ci = _load(xr, j + 2 * q), _load(xi, j + 2 * q)
            dr, di = _load(xr, j + 3 * q), _load(xi, j + 3 * q)
            ar, ai, br, bi, cr, ci, dr, di = _four((ar, ai, br, bi, cr, ci, dr, di))
            ur, ui = _load(table, at + j), _load(table, at + q + j)
            br, bi = _times((br, bi, ur, ui))
            ur, ui = _load(table, at + 2 * q + j), _load(table, at + 3 * q + j)
            cr, ci = _times((cr, ci, ur, ui))
            ur, ui = _load(table, at + 4 * q + j), _load(table, at + 5 * q + j)
            dr, di = _times((dr, di, ur, ui))
            _weave4(yr, 4 * j, ar, br, cr, dr)
            _weave4(yi, 4 * j, ai, bi, ci, di)
        at += 6 * q
        s = 16
        while 4 * s <= m:
            xr, xi, yr, yi = yr, yi, xr, xi
            for p in range(q // s):
                u1r, u1i = _splat(table, at), _splat(table, at + 1)
                u2r, u2i = _splat(table, at + 2), _splat(table, at + 3)
                u3r, u3i = _splat(table, at + 4), _splat(table, at + 5)
                at += 6
                for i in range(0, s, 8):
                    j = i + s * p
                    ar, ai = _load(xr, j), _load(xi, j)
                    br, bi = _load(xr, j + q), _load(xi, j + q)
                    cr, ci = _load(xr, j + 2 * q), _load(xi, j + 2 * q)
                    dr, di = _load(xr, j + 3 * q), _load(xi, j + 3 * q)
                    ar, ai, br, bi, cr, ci, dr, di = _four((ar, ai, br, bi, cr, ci, dr, di))
                    br, bi = _times((br, bi, u1r, u1i))
                    cr, ci = _times((cr, ci, u2r, u2i))
                    dr, di = _times((dr, di, u3r, u3i))
                    j = i + 4 * s * p
                    _store(yr, j, ar)
                    _store(yi, j, ai)
                    _store(yr, j + s, br)
                    _store(yi, j + s, bi)
                    _store(yr, j + 2 * s, cr)
                    _store(yi, j + 2 * s, ci)
                    _store(yr, j + 3 * s, dr)
                    _store(yi, j + 3 * s, di)
            s *= 4
        if s < m:
            xr, xi, yr, yi = yr, yi, xr, xi
            for i in range(0, s, 8):
                ar, ai, br, bi = _two((_load(xr, i), _load(xi, i), _load(xr, i + s), _load(xi, i + s)))
                _store(yr, i, ar)
                _store(yi, i, ai)
                _store(yr, i + s, br)
                _store(yi, i + s, bi)
        power = out[a]
        for k in range(1, m // 2, 8):
            back = m - k - 7
            ar, ai, br, bi = _load(yr, k), _load(yi, k), _turned(_load(yr, back)), _turned(_load(yi, back))
            ur, ui = _load(table, at), _load(table, at + 8)
            at += 16
            front, rear = _ends((ar, ai, br, bi, ur, ui))
            _store(power, k, front)
            _store(power, back, _turned(rear))
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


def aligned(*shape: int) -> NDArray[np.float32]:
    """Zeros that begin at a whole cache line: numpy promises 16 bytes, and a vector across two lines takes a third longer."""
    count = math.prod(shape)
    whole = np.zeros(4 * count + 64, np.uint8)
    begin = -whole.ctypes.data % 64
    return whole[begin : begin + 4 * count].view(np.float32).reshape(shape)


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
    whole = np.concatenate(parts)
    table = aligned(len(whole))
    table[:] = whole
    return table


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
        self.window = aligned(n)
        self.window[:] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / max(n, 1))
        self._own = n >= SHORTEST and n & (n - 1) == 0
        self._out = np.zeros((rows, n // 2 + 1), np.float32)
        if self._own:
            self._table = _factors(n // 2)
            self._work = aligned(4, n // 2)
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
