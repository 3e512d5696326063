"""The simulated machine: pure, no I/O and no clock. `advance(t)` gives its state at machine time t; the same seed, script and commands give
the same signals, however often it is asked.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from drivers.simulate.conditions import Conditions
from drivers.simulate.cycle import TICK, Cycle, tracks
from drivers.simulate.faults import Fault, WireFault
from drivers.simulate.script import Listed, Script
from drivers.simulate.state import Moment, Record, Services, State
from drivers.simulate.tool import Tool

FEED_EXPONENT = 0.75
"""Cutting force over feed: Fc = kc1.1 b h^(1 - mc) (Kienzle 1952), mc about 0.25 for steels."""
HOLD_DECAY = 0.1
"""s in which the cutting load dies away when the feed stops."""
COASTING = 3000.0
"""rpm/s, a spindle without supply."""
STANDSTILL = 30.0
"""rpm below which the drive draws nothing."""
RAPID = 8000.0
"""mm/min"""
LARGEST_DEVIATION = 6.0
"""Spread is cut off there, in its own scale."""
NOISE_BLOCK = 512


def _nowhere(fault: WireFault) -> None:
    """A machine without wires."""


class Machine:
    """One machine that makes part after part. `wire` takes the wire faults of the script when their time has come."""

    def __init__(self, cycle: Cycle, seed: int, script: Script | None = None, wire: Callable[[WireFault], None] = _nowhere) -> None:
        self.cycle = cycle
        self.log: deque[Record] = deque(maxlen=100_000)
        """The truth, oldest first; whoever keeps it takes it out."""
        self.trace: deque[Moment] = deque(maxlen=100_000)
        """One moment a tick for the vibration, oldest first; whoever synthesises takes them out."""
        self._seed = seed
        self._tracks = tracks(cycle)
        self._length = len(self._tracks.speed)
        self._tools = {number: Tool() for number in {plan.tool for plan in cycle.cuts}}
        self._services = Services(seed)
        self._now = Conditions(seed, self._tools, self._services, script or Listed(), wire, self.log.append)
        self._noise_rng = np.random.default_rng([seed, 1])
        self._noise_left: list[float] = []
        self._tick = 0
        self._u = 0.0
        self._part = 1
        self._cut = -1
        self._cut_began = 0.0
        self._factors: list[float] = []
        self._stop_until = 0.0
        self._was_off = False
        self._feeding = 1.0
        self._speed = self._idle = self._load = self._work = self._register = self._noise = self._phase = 0.0
        self._begin_part()

    @property
    def time(self) -> float:
        """s, machine time so far."""
        return self._tick * TICK

    def advance(self, time: float) -> State:
        """State at machine time `time` (s), to the tick below; time never goes back."""
        target = int(time / TICK + 1e-6)
        while self._tick < target:
            self._step()
        return self.state()

    def apply(self, fault: Fault) -> str:
        """A fault from outside. '' or why it is refused: 'no_such_tool', 'past'."""
        return self._now.apply(fault)

    def state(self) -> State:
        """State now."""
        i, now, cycle, services = self._index(), self._now, self.cycle, self._services
        on, stopped = now.off is None, self.time < self._stop_until
        running = on and not stopped and i * TICK < cycle.ends
        load = max(0.0, self._register + self._noise) if on else 0.0
        magnetising = cycle.spindle.magnetising if on and self._speed > STANDSTILL else 0.0
        return State(
            time=self.time,
            made=self._part - 1,
            part=self._part,
            program=cycle.program,
            tool=self._tracks.tool[i],
            section=self._tracks.section[i],
            load=load,
            current=math.hypot(magnetising, cycle.spindle.amperes * load),
            speed=self._speed,
            feed=self._feed(i) if running else 0.0,
            feed_override=now.feed_override,
            speed_override=now.speed_override,
            feed_hold=now.hold,
            mode="AUTOMATIC" if on else "MANUAL",
            execution=("FEED_HOLD" if now.hold else "ACTIVE") if running else "STOPPED" if stopped or not on else "PROGRAM_COMPLETED",
            door="OPEN" if stopped or cycle.door[0] <= i * TICK < cycle.door[1] else "CLOSED",
            cycle=running,
            power_on=on,
            silent=now.silent(),
            cut=self._cut if on else -1,
            spindle_temperature=services.spindle,
            ambient_temperature=services.ambient,
            air_pressure=services.air,
            hydraulic_pressure=services.hydraulic if on else 0.0,
            coolant_level=services.coolant,
        )

    def _index(self) -> int:
        return min(int(self._u + 1e-6), self._length - 1)

    def _feed(self, i: int) -> float:
        if self._cut >= 0:
            return self.cycle.cuts[self._cut].feed * self._pace() * self._feeding
        return 0.0 if self._now.hold or self._tracks.speed[i] < STANDSTILL else RAPID

    def _pace(self) -> float:
        """Program seconds a second in a cut: feed per revolution times revolutions."""
        return self._now.feed_override * self._now.speed_override / 1e4

    def _step(self) -> None:
        """One tick: the program moves on, the spindle follows, the load is what that takes."""
        self._tick += 1
        time = self._tick * TICK
        self._now.tick(time)
        on = self._now.off is None
        if on and self._was_off:
            self._u, self._cut, self._register = 0.0, -1, 0.0
        self._was_off = not on
        if on and time >= self._stop_until:
            self._move(time)
        i = self._index()
        self._turn(self._tracks.speed[i] * self._now.speed_override / 100.0, on)
        self._draw(i, time, on)
        if self._tick % 100 == 0:
            self._services.second(self._speed, self._cut >= 0, on)
        tool = self._tools.get(self._tracks.tool[i])
        wear = tool.wear if tool else 0.0
        self.trace.append(Moment(self._tick, self._speed, self._work, wear, self._now.unbalance, self._now.bearing))

    def _move(self, time: float) -> None:
        """Program time: slower with an override in a cut, standing in feed hold."""
        if self._now.hold:
            self._feeding = max(0.0, self._feeding - TICK / HOLD_DECAY)
            return
        self._feeding = min(1.0, self._feeding + TICK / HOLD_DECAY)
        self._u += self._pace() if self._cut >= 0 else 1.0
        i = int(self._u + 1e-6)
        cut = self._tracks.cut[i] if i < self._length else -1
        if cut != self._cut:
            if self._cut >= 0:
                plan = self.cycle.cuts[self._cut]
                self._tools[plan.tool].cut_ends()
                self.log.append(Record("cut", time, self._part, plan.tool, section=plan.section, began=self._cut_began))
            self._cut, self._cut_began = cut, time
        if i >= self._length:
            self._u -= self._length
            self._part += 1
            self._begin_part()

    def _turn(self, target: float, on: bool) -> None:
        """The spindle follows its track; what it draws in air at that speed, and for the change of speed."""
        spindle = self.cycle.spindle
        step = (spindle.slew if on else COASTING) * TICK
        change = min(step, max(-step, (target if on else 0.0) - self._speed))
        self._speed += change
        self._phase += 2.0 * math.pi * spindle.ripple_ratio * self._speed / 60.0 * TICK
        k = self._speed / 1000.0
        self._idle = self._load = 0.0
        if not on:
            return
        if self._speed > STANDSTILL:
            self._idle = (spindle.idle[0] + (spindle.idle[1] + spindle.idle[2] * k) * k) * self._now.warmth()
            self._load = self._idle
            if spindle.ripple_at_3000:
                self._load += spindle.ripple_at_3000 * (k / 3.0) ** spindle.ripple_exponent * math.sin(self._phase)
        rate = abs(change) / TICK
        if rate > spindle.gentle:
            self._load += rate * spindle.acceleration

    def _draw(self, i: int, time: float, on: bool) -> None:
        """Work of the cut on top, the drive's own smoothing, the noise of its register."""
        spindle = self.cycle.spindle
        self._work = 0.0
        if self._cut >= 0 and on:
            plan = self.cycle.cuts[self._cut]
            share, broke = self._tools[plan.tool].factor(time, i * TICK - plan.start)
            if broke:
                self.log.append(Record("broken", time, self._part, plan.tool, section=plan.section))
            spread = self._factors[self._cut]
            feed = (self._now.feed_override / 100.0) ** FEED_EXPONENT * self._feeding
            self._work = self._tracks.work[i] * share * self._now.material * feed * spread
            if spindle.spread_of_idle:
                self._load += self._idle * (spread - 1.0)
        self._register += (min(spindle.limit, self._load + self._work) - self._register) * -math.expm1(-TICK / spindle.smoothing)
        scale = spindle.noise if self._idle else 0.05 * spindle.noise
        self._noise = spindle.lag1 * self._noise + math.sqrt(1.0 - spindle.lag1**2) * scale * self._normal()

    def _normal(self) -> float:
        if not self._noise_left:
            self._noise_left = self._noise_rng.standard_normal(NOISE_BLOCK)[::-1].tolist()
        return self._noise_left.pop()

    def _begin_part(self) -> None:
        """A new part: its own spread from cut to cut, and what the script has for it."""
        spindle = self.cycle.spindle
        rng = np.random.default_rng([self._seed, 3, self._part])
        n = len(self.cycle.cuts)
        deviation = rng.standard_t(spindle.tails, n) if spindle.tails else rng.standard_normal(n)
        self._factors = (1.0 + spindle.spread * np.clip(deviation, -LARGEST_DEVIATION, LARGEST_DEVIATION)).tolist()
        self._services.part()
        self.log.append(Record("part", self.time, self._part))
        stop = self._now.part_begins(self._part)
        if stop:
            self._stop_until = self.time + stop
