"""Finds cuts in the load of one spindle, row by row: idle as a function of speed, hysteresis above it, and the figures of the open cut.

State and idle table are plain float64 arrays, saved and restored bit for bit. The kernel returns at each event (a cut opens, grows by
`GROW` seconds, closes), so that the result does not depend on how the rows were batched.
"""

from __future__ import annotations

import numba
import numpy as np

from drivers import jit

BINS = 160
"""Speed bins of the idle table: 5 % wide, from 30 rpm; bin 0 is standing or no speed channel."""
RING = 64
LOADS, SPEEDS, TIMES, AIRS, GATES, STATE = range(32, 33 + 5 * RING, RING)
OPEN, T_OPEN, T_LAST, N, SUM, PEAK, PEAK2, WORK, IDLE, RISE, FALL = range(11)
T_FALL, BEFORE, HERE, NEXT_GROW, T_LOW, NOISE, RANGE, LAST_LOAD, LAST_TIME, COUNT, STEADY_SINCE = range(11, 22)
S_N, S_SUM, S_WORK, S_IDLE, S_T, LEVEL, T_CAND, SECTIONED, SETTLED, SURE = range(22, 32)
KEPT = ((S_N, N), (S_SUM, SUM), (S_WORK, WORK), (S_IDLE, IDLE), (S_T, T_LAST))
"""Where the figures of a cut are put by when its load falls low, and taken back from if that was its end."""
TABLE = 6
"""Rows of the idle table: level (u), readings seen, readings that confirmed it since it was last corrected downwards; ripple (u, median
distance of a steady reading from the mean of `SMOOTH` seconds), readings that told it; noise of that mean about idle (u). State `HERE`:
the noise that counts at this speed."""

NONE, OPENED, GROWN, CLOSED, RUN_UP_ENDED = 0, 1, 2, 3, 4

TOP, SHARE, GONE, FAINT, GRID, LOOKS, LOOKED = range(7)
"""Of `looks`: load above idle above which a look at a growing cut is told; largest fall as a share of the load before it from which on it
is; share of the usual load above idle at this place below which it is, where that is at least so many times the noise; s between two
places; how many looks were not told since that was last set to 0, and the time of the latest of them."""
EQUAL = 1e-9
"""A fall that is this much (relative) below the share is told all the same: whoever judges divides, and rounds, for himself."""

CONFIRMED = 4.0
"""Readings of idle at a speed that must agree before it counts as known."""
GROW = 0.1
"""s between two looks at an open cut."""
LOW_HOLD = 0.25
"""s below the lower threshold that end a cut; an interrupted cut is bridged."""
LEARN_DELAY = 0.8
"""s after which a reading in air counts as idle: only if no change of speed has followed it, for the load moves before the speed that is
reported (0.65 s before it on the production lathe of data/hahn_lathe: braking would pass for a very light idle)."""
TRANSIENT = 0.1
"""s of steady speed in which a drive's load is still settling."""
SMOOTH = 0.2001
"""s, and what a clock rounds. The current of a drive may ripple with the spindle (0.27 times its frequency in data/hahn_lathe, 80 counts
RMS on an idle of 380): there one reading says nothing, and the mean of the latest 0.2 s is taken for it."""
ROUGH, ROUGH_RANGE, ROUGH_NOISE = 1.4826, 0.015, 0.3
"""Median distance to standard deviation; ripple below this fraction of the largest steady load does not matter; share of the ripple that is
left in the mean, until that is known."""
SETTLE = 0.15
"""s of steady speed before a load counts as cutting: the run-up is no cut."""
LOOK_BACK, UNSTEADY = 0.11, 0.03
"""Relative change of speed within LOOK_BACK seconds above which the spindle is accelerating; constant surface speed stays below."""
SLOW_UNSTEADY, SLOW_MOST = 0.08, 0.3
"""Where readings come further apart: change a second, and between two. Facing (0.2 mm/rev, 1,000 rpm, 40 mm radius) gains 8 % a second."""
COUNTED, BRIDGE = 1.0, 1.5
"""s between readings over which the load may be counted, or three periods of its source; periods that stand for `LOW_HOLD` if longer."""
RUN_UP = 1.2
"""s; a rise of the load that ends within this time because the speed begins to change was the drive accelerating."""
THRESHOLD_RANGE, THRESHOLD_NOISE = 0.01, 5.0
"""Upper threshold above idle: a fraction of the largest steady load seen, standard deviations of the noise, whichever is larger."""
SAME_NOISE, SAME_RANGE = 3.0, 0.02
"""Difference within which two readings of idle say the same: in standard deviations of the noise, as a fraction of the largest load."""
TWICE = 2.0
"""Within a section, a load above this many times the idle of neighbouring speeds is not taken for the idle of a speed not seen before."""


@numba.njit("i8(f8)", **jit.options())
def speed_bin(speed):  # type: ignore[no-untyped-def]
    """Bin of the idle table for a speed in rpm (sign does not matter, NaN: bin 0)."""
    magnitude = abs(speed)
    if not magnitude >= 30.0:
        return 0
    if magnitude >= 1.0e5:
        return BINS - 1
    return min(1 + int(np.log(magnitude / 30.0) / np.log(1.05)), BINS - 1)


@numba.njit("f8(f8[:, ::1], f8)", **jit.options())
def idle_at(table, speed):  # type: ignore[no-untyped-def]
    """Idle load at a speed: of its bin, else of the nearest known bins on both sides (within 15 bins, linear), else NaN."""
    centre = speed_bin(speed)
    if table[1, centre] > 0.0:
        return table[0, centre]
    if centre == 0:
        return np.nan
    below, above = -1, -1
    for d in range(1, 16):
        if below < 0 and centre - d >= 1 and table[1, centre - d] > 0.0:
            below = centre - d
        if above < 0 and centre + d < BINS and table[1, centre + d] > 0.0:
            above = centre + d
    if below >= 0 and above >= 0:
        share = (centre - below) / (above - below)
        return table[0, below] + share * (table[0, above] - table[0, below])
    if below >= 0 and centre - below <= 4:
        return table[0, below]
    return table[0, above] if above >= 0 and above - centre <= 4 else np.nan


@numba.njit("b1(f8[:, ::1], f8)", **jit.options())
def idle_is_sure(table, speed):  # type: ignore[no-untyped-def]
    """Whether idle at a speed was confirmed there, or on both sides of it: one that is still sinking would pass for wear."""
    centre = speed_bin(speed)
    if table[2, centre] >= CONFIRMED:
        return True
    if centre == 0:
        return False
    below, above = False, False
    for d in range(1, 16):
        below = below or (centre - d >= 1 and table[2, centre - d] >= CONFIRMED)
        above = above or (centre + d < BINS and table[2, centre + d] >= CONFIRMED)
    return below and above


@numba.njit("f8(f8[:, ::1], f8)", **jit.options())
def ripple_at(table, speed):  # type: ignore[no-untyped-def]
    """Standard deviation of the ripple at a speed: of its bin, else the largest known within 15 bins, else 0."""
    centre = speed_bin(speed)
    widest = table[3, centre]
    if table[4, centre] == 0.0 and centre != 0:
        for b in range(max(centre - 15, 1), min(centre + 16, BINS)):
            widest = max(widest, table[3, b])
    return ROUGH * widest


@numba.njit("void(f8[:, ::1], i8, f8)", **jit.options())
def _learn_ripple(table, b, off):  # type: ignore[no-untyped-def]
    """A running median: a step up or down by what each reading says (Robbins and Monro, Ann. Math. Stat. 22 (1951) 400-407), so that the
    edges of a cut, which are few, do not count."""
    if table[4, b] == 0.0 or table[3, b] == 0.0:
        table[3, b] = off
    else:
        step = max(0.005, 1.0 / (table[4, b] + 1.0))
        table[3, b] *= 1.0 + step if off > table[3, b] else 1.0 - step
    table[4, b] += 1.0


@numba.njit("f8(f8, f8, f8)", **jit.options())
def median3(a, b, c):  # type: ignore[no-untyped-def]
    """Median of three; NaN if one is."""
    if a != a or b != b or c != c:
        return np.nan
    return max(min(a, b), min(max(a, b), c))


@numba.njit("void(f8[::1], f8)", **jit.options())
def _begin(state, time):  # type: ignore[no-untyped-def]
    state[N : FALL + 1] = 0.0
    state[PEAK : PEAK2 + 1] = -np.inf
    state[T_OPEN] = state[T_LAST] = state[T_FALL] = time
    state[BEFORE] = state[LEVEL] = state[SETTLED] = state[SURE] = 0.0
    state[NEXT_GROW] = time + GROW
    state[T_LOW] = np.nan


@numba.njit("i8(f8[::1], i8, f8)", **jit.options())
def _back(state, c, t):  # type: ignore[no-untyped-def]
    """How many readings ago was `LEARN_DELAY` seconds ago; 0: not that far back."""
    for k in range(3, min(c + 1, RING)):
        if t - state[TIMES + (c - k) % RING] >= LEARN_DELAY:
            return k
    return 0


@numba.njit("void(f8[::1], f8[:, ::1], i8, f8, f8, b1)", **jit.options())
def _learn_idle(state, table, b, low, near, free):  # type: ignore[no-untyped-def]
    """Idle is the mean of what agrees, the latest fifty. Until it is confirmed it follows quickly down; afterwards a reading far below
    moves it no more than one that just agrees. Up it follows only to what is near it (or when no cut can be: the cycle is off).

    Within a section of the control the approach in air teaches it: the cut itself lies above what is near."""
    same = max(SAME_NOISE * state[HERE], SAME_RANGE * state[RANGE])
    off = abs(low - table[0, b])
    if table[1, b] > 0.0 and off <= near:
        state[NOISE] += 0.02 * (1.2533 * off - state[NOISE])
        table[5, b] += 0.02 * (1.2533 * off - table[5, b]) if table[5, b] > 0.0 else ROUGH_NOISE * ROUGH * table[3, b]
    if table[1, b] == 0.0:
        table[0, b] = low
        table[1, b] = 1.0
        table[2, b] = 0.0
    elif low < table[0, b] - same and table[2, b] < CONFIRMED:
        table[0, b] += 0.5 * (low - table[0, b])
        table[1, b] += 1.0
        table[2, b] = 0.0
    elif low < table[0, b] - same:
        table[1, b] += 1.0
        table[0, b] -= max(0.02, 1.0 / (table[2, b] + 1.0)) * same
    elif low <= table[0, b] + same:
        table[1, b] += 1.0
        table[2, b] += 1.0
        table[0, b] += max(0.02, 1.0 / (table[2, b] + 1.0)) * (low - table[0, b])
    elif low < table[0, b] + near or free:
        table[0, b] += 0.02 * (low - table[0, b])
        table[1, b] += 1.0


@numba.njit("UniTuple(i8,2)(f8[::1],f8[::1],b1[::1],f8[::1],i8,i8,i8,f8,f8,f8[::1],f8[:,::1],b1[::1],f8[::1],f8[:,::1])", **jit.options())
def advance(time, load, ok, speed, start, gate, has_speed, minimum_speed, period, state, table, air, looks, usual):  # type: ignore[no-untyped-def]
    """Walk rows from `start` until something happens.

    Parameters
    ----------
    time, load, speed: (n,) s, load in its unit, rpm.
    ok: (n,) whether load (and speed, where there is one) may be believed.
    gate: 0 no cut may be open (cycle off), 1 the load decides, 2 the control says that this is a section (the cut is the section).
    has_speed: 0 when the machine has no speed channel: the load alone decides.
    minimum_speed: rpm below which the spindle stands.
    period: s between two readings as the source usually gives them; 0: not known.
    state, table: as initialised by `new_state`, changed in place.
    air: (n,) is filled for the rows that are walked: the spindle turns steadily and its load is that of idling.
    looks: (7,) TOP to LOOKED. A look is counted, not told, while the load is neither above TOP nor low and has not fallen by SHARE.
    usual: (2, places) unit of the load: load of good cuts at each place of a cut from its opening, -inf: not known; TOP above idle there.

    Returns
    -------
    (index of the next row to look at, NONE | OPENED | GROWN | CLOSED | RUN_UP_ENDED: closed, and it was no cut). When a cut closes because
    of what this row says, the row is looked at again.
    """
    n, i = len(time), start
    counted, low_hold, slow = max(COUNTED, 3.0 * period), max(LOW_HOLD, BRIDGE * period), period > LOOK_BACK
    while i < n:
        t = time[i]
        air[i] = False
        if not ok[i]:
            if state[OPEN] == 1.0 and t - state[LAST_TIME] > 1.0:
                state[OPEN] = 0.0
                return i, CLOSED
            if state[SECTIONED] == 0.0 or t - state[LAST_TIME] > 1.0:
                state[T_CAND] = np.nan
            i += 1
            continue
        x = load[i]
        v = speed[i] if has_speed else 0.0
        c = int(state[COUNT])
        dt = t - state[LAST_TIME] if c > 0 and 0.0 <= t - state[LAST_TIME] < 1.0e6 else 0.0
        if dt > 2.0 * counted and state[OPEN] == 0.0 and state[SECTIONED] == 0.0:
            state[T_CAND] = np.nan
        slot = c % RING
        state[LOADS + slot], state[SPEEDS + slot], state[TIMES + slot] = x, v, t
        filled = min(c + 1, RING)
        steady = True
        if has_speed:
            for k in range(1, filled):
                j = (c - k) % RING
                if t - state[TIMES + j] > LOOK_BACK:
                    allowed = max(UNSTEADY, min(SLOW_UNSTEADY * dt, SLOW_MOST)) * max(abs(v), abs(state[SPEEDS + j]), 100.0)
                    steady = k > 1 or not slow or abs(v - state[SPEEDS + j]) <= allowed
                    break
                if abs(v - state[SPEEDS + j]) > UNSTEADY * max(abs(v), 100.0):
                    steady = False
                    break
            if not steady or c == 0:
                state[STEADY_SINCE] = t
        turning, settled = (not has_speed) or abs(v) >= minimum_speed, steady and ((not has_speed) or t - state[STEADY_SINCE] >= SETTLE)
        m = median3(x, state[LOADS + (c - 1) % RING], state[LOADS + (c - 2) % RING]) if filled >= 3 else x
        mean, before = x, np.nan
        inside, earlier = 1.0, 0.0
        for k in range(1, filled):
            j = (c - k) % RING
            age = t - state[TIMES + j]
            if not (age >= 0.0 and age <= 2.0 * SMOOTH) or (has_speed and state[TIMES + j] < state[STEADY_SINCE] + TRANSIENT):
                break
            if age <= SMOOTH:
                inside += 1.0
                mean += (state[LOADS + j] - mean) / inside
            else:
                earlier += 1.0
                before = state[LOADS + j] if earlier == 1.0 else before + (state[LOADS + j] - before) / earlier
        idle = idle_at(table, v if has_speed else 0.0)
        if has_speed and settled and inside >= 3.0:
            _learn_ripple(table, speed_bin(v), abs(x - mean))
        state[RANGE] = max(state[RANGE], abs(m)) if settled and filled >= 3 else state[RANGE]
        ripple = ripple_at(table, v) if has_speed else 0.0
        rough = ripple > ROUGH_RANGE * state[RANGE]
        known = table[5, speed_bin(v)] if rough else state[NOISE]
        state[HERE] = ROUGH_NOISE * ripple if rough and known == 0.0 else known
        high = max(THRESHOLD_NOISE * state[HERE], THRESHOLD_RANGE * state[RANGE])
        now = mean if rough else x
        m = mean if rough else m
        ready = settled and (not rough or t - state[STEADY_SINCE] >= TRANSIENT + SMOOTH)
        below = idle == idle and m < idle + 0.5 * high
        short = RUN_UP - SMOOTH if rough else RUN_UP
        above = idle == idle and now > idle + high
        air[i] = ready and turning and idle == idle and not above

        if state[OPEN] == 1.0:
            wanted = gate == 2 if state[SECTIONED] == 1.0 else (gate >= 1 and turning and steady)
            if not wanted:
                state[OPEN] = 0.0
                if state[T_LOW] == state[T_LOW] and state[SECTIONED] == 0.0:
                    for kept, taken in KEPT:
                        state[taken] = state[kept]
                if state[SECTIONED] == 0.0 and gate >= 1 and turning and not steady and t - state[T_OPEN] < short:
                    return i, RUN_UP_ENDED
                return i, CLOSED
        elif gate == 2 or (gate == 1 and turning and ready and above):
            sectioned = 1.0 if gate == 2 else 0.0
            if state[T_CAND] != state[T_CAND] or state[SECTIONED] != sectioned:
                state[T_CAND] = t
                _begin(state, t)
                state[SECTIONED] = sectioned
        elif not above or state[SECTIONED] == 1.0 or (slow and not steady):
            state[T_CAND] = np.nan

        state[AIRS + slot] = np.nan
        state[GATES + slot] = gate
        counting = state[OPEN] == 1.0 or state[T_CAND] == state[T_CAND]
        if counting:
            level = idle if idle == idle else 0.0
            fresh = state[N] == 0.0
            state[N] += 1.0
            state[SUM] += x
            state[LEVEL] = m - level
            state[PEAK2] = max(state[PEAK2], min(x, state[PEAK]))
            state[PEAK] = max(state[PEAK], x)
            if settled and turning:
                state[SETTLED] += 1.0
                state[SURE] += 1.0 if idle_is_sure(table, v if has_speed else 0.0) else 0.0
            if not fresh and dt <= counted:
                state[WORK] += (x - level) * dt if settled or state[SECTIONED] == 0.0 else 0.0
                state[IDLE] += level * dt
            oldest = state[TIMES + (c - 5) % RING]
            oldest = -np.inf if rough and (before != before or t - 2.0 * SMOOTH < state[T_OPEN]) else oldest
            if state[N] >= 6.0 and settled and oldest > -np.inf and (not has_speed or oldest >= state[STEADY_SINCE] + TRANSIENT):
                old = before
                if not rough:
                    old = median3(state[LOADS + (c - 3) % RING], state[LOADS + (c - 4) % RING], state[LOADS + (c - 5) % RING])
                state[RISE] = max(state[RISE], m - old)
                if old - m > state[FALL]:
                    state[FALL] = old - m
                    state[T_FALL] = t
                    state[BEFORE] = old - level
            state[T_LAST] = t
            if state[SECTIONED] == 1.0 and ready:
                state[AIRS + slot] = now
            if state[OPEN] == 1.0 and state[SECTIONED] == 0.0:
                if below and state[T_LOW] != state[T_LOW]:
                    state[T_LOW] = t
                    for kept, taken in KEPT:
                        state[kept] = state[taken]
                state[T_LOW] = state[T_LOW] if below else np.nan
        else:
            if filled >= 2 and dt <= counted and settled and c <= 50:
                state[NOISE] += (abs(x - state[LAST_LOAD]) / 1.128 - state[NOISE]) / (c + 1.0)
            state[AIRS + slot] = now if ready and gate != 2 else np.nan
        if settled:
            k = _back(state, c, t)
            if k > 0:
                low = state[AIRS + (c - k) % RING]
                if low == low and (not has_speed or state[TIMES + (c - k) % RING] > state[STEADY_SINCE] + TRANSIENT):
                    gate_then = state[GATES + (c - k) % RING]
                    b = speed_bin(v if has_speed else 0.0)
                    # A drive slips: under load it may turn at a speed at which it never idles. What is cut there is no idle.
                    cutting = gate_then == 2.0 and table[1, b] == 0.0 and idle == idle and low > TWICE * idle + 0.5 * high
                    if not cutting:
                        _learn_idle(state, table, b, low, 0.5 * high, gate_then == 0.0)
        state[LAST_LOAD] = x
        state[LAST_TIME] = t
        state[COUNT] = c + 1.0
        # One reading is no cut (a section that a control shows for one poll has no length); slowly read, two may be a run-up.
        long = t > state[T_OPEN] if state[SECTIONED] == 1.0 else t - state[T_CAND] >= 0.04 and (state[N] >= 3.0 or not slow)
        if state[OPEN] == 0.0 and state[T_CAND] == state[T_CAND] and state[N] >= 2.0 and long:
            state[OPEN] = 1.0
            state[T_CAND] = np.nan
            return i + 1, OPENED
        if state[OPEN] == 1.0:
            if state[T_LOW] == state[T_LOW] and t - state[T_LOW] >= low_hold:
                state[OPEN] = 0.0
                for kept, taken in KEPT:
                    state[taken] = state[kept]
                return i + 1, CLOSED
            if t >= state[NEXT_GROW]:
                while state[NEXT_GROW] <= t:
                    state[NEXT_GROW] += GROW
                fallen = state[BEFORE] > 0.0 and state[FALL] >= (1.0 - EQUAL) * looks[SHARE] * state[BEFORE]
                place = int((t - state[T_OPEN]) / looks[GRID])
                stands = usual[0, place] - state[IDLE] / (t - state[T_OPEN]) if place < usual.shape[1] else -np.inf
                low = stands >= looks[FAINT] * state[HERE] and state[LEVEL] < looks[GONE] * stands
                if fallen or low or not state[LEVEL] <= min(looks[TOP], usual[1, place] if place < usual.shape[1] else np.inf):
                    return i + 1, GROWN
                looks[LOOKS] += 1.0
                looks[LOOKED] = t
        i += 1
    return i, NONE


def every_look() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """`looks` by which each look is told."""
    return np.array([-np.inf, 0.0, 0.0, 0.0, np.inf, 0.0, np.nan])


def new_state() -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """State and idle table of a spindle that was never seen."""
    state = np.zeros(STATE)
    state[T_CAND] = state[T_LOW] = np.nan
    return state, np.zeros((TABLE, BINS))
