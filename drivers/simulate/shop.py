"""The shop: one machine, three wires, and the pace of the wall clock."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from drivers.clock import Clock
from drivers.simulate.cycle import MAX_SPEED, MIN_READINGS, Cycle, fastest
from drivers.simulate.faults import CableCut, Late, Silence, WireFault, Wrong, decode, name_of
from drivers.simulate.machine import Machine
from drivers.simulate.registers import DRIVE_UNIT, MACHINE_UNIT, drive_registers, machine_bits, machine_registers
from drivers.simulate.script import Script
from drivers.simulate.state import Moment, State
from drivers.simulate.texts import Refused, in_all
from drivers.simulate.vibration import CHUNK, RATE, SCALE, Vibration
from drivers.simulate.vibration_wire import VibrationWire
from drivers.simulate.wires import RtuWire, TcpWire

PACE = 0.02
"""s between two looks at the clock. Whoever reads a register in between gets the state of that very moment."""


def check_pace(cycle: Cycle, speed: float, poll: float) -> None:
    """Raise Refused where the machine would run too fast for its cuts to be read."""
    if not 0.0 < speed <= MAX_SPEED:
        raise Refused("speed", speed=speed, most=MAX_SPEED)
    shortest = min(plan.duration for plan in cycle.cuts)
    most = fastest(cycle, poll)
    if speed > most:
        readings = int(shortest / speed / poll + 1e-9)
        if most < 1.0 and speed <= 1.0:
            raise Refused("slow_poll", readings=readings, poll=poll, least=MIN_READINGS, slowest=int(shortest / MIN_READINGS * 1e3) / 1e3)
        raise Refused("too_fast", speed=speed, readings=readings, poll=poll, least=MIN_READINGS, fastest=int(most * 100) / 100)


def check_tools(cycle: Cycle, script: Script) -> None:
    """Raise Refused where the script names a tool that the cycle does not have."""
    for tool in sorted(script.tools()):
        if tool not in {plan.tool for plan in cycle.cuts}:
            raise _no_such_tool(cycle, tool)


class Shop:
    """`speed`: machine seconds a second. `wait`: the machine starts when somebody reads it for the first time."""

    def __init__(self, cycle: Cycle, seed: int, script: Script, clock: Clock, *, speed: float = 1.0, wait: bool = False) -> None:
        self._clock = clock
        self._speed = speed
        self._wait = wait
        self._seed = seed
        self._began: float | None = None
        self._waiting: list[WireFault] = []
        self._folder: Path | None = None
        self._machine = Machine(cycle, seed, script, self._waiting.append)
        self._vibration = Vibration(seed, speed)
        self._stopping = False

    async def open(self, host: str, port: int) -> dict[str, Any]:
        """Open the wires; what the ready line says. Raises Refused where the port cannot be had."""
        self._folder = Path(tempfile.mkdtemp(prefix="broche-shop-"))
        self._tcp = TcpWire(MACHINE_UNIT, self._machine_tables, self._clock)
        self._rtu = RtuWire(self._folder / "drive", DRIVE_UNIT, self._drive_tables, self._clock)
        self._stream = VibrationWire(self._folder / "vibration", self._clock)
        try:
            bound = await self._tcp.open(host, port)
        except OSError as error:
            shutil.rmtree(self._folder)
            raise Refused("port", host=host, port=port, reason=error.strerror or str(error)) from error
        self._rtu.port.open()
        self._stream.port.open()
        if not self._wait:
            self._began = self._clock.monotonic()
        cycle = self._machine.cycle
        return {
            "tcp": {"host": bound[0], "port": bound[1], "unit": MACHINE_UNIT},
            "rtu": {"port": str(self._rtu.port.path), "unit": DRIVE_UNIT, "baud": 19200, "parity": "N"},
            "vibration": {"port": str(self._stream.port.path), "baud": 921600, "rate": RATE, "axes": 3, "scale": SCALE, "unit": "g"},
            "pid": os.getpid(),
            "cycle": cycle.name,
            "seed": self._seed,
            "speed": self._speed,
            "period": cycle.period,
            "tools": sorted({plan.tool for plan in cycle.cuts}),
        }

    def state(self) -> State:
        """The machine at this moment of the wall clock."""
        now = 0.0 if self._began is None else (self._clock.monotonic() - self._began) * self._speed
        state = self._machine.advance(now)
        self._pass_on()
        return state

    async def run(self) -> None:
        """Keep pace until `stop`."""
        chunk: list[Moment] = []
        lit = True
        while not self._stopping:
            state = self.state()
            if state.power_on and not lit:
                self._tcp.supply_is_back()
            lit = state.power_on
            trace = self._machine.trace
            while len(trace) + len(chunk) >= CHUNK:
                while len(chunk) < CHUNK:
                    chunk.append(trace.popleft())
                self._stream.send(self._vibration.chunk(chunk))
                chunk.clear()
            await self._clock.sleep(PACE)

    def stop(self) -> None:
        """Let `run` end."""
        self._stopping = True

    async def close(self) -> None:
        """Close every wire; nothing stays behind."""
        await self._tcp.close()
        self._rtu.close()
        self._stream.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def command(self, line: bytes) -> dict[str, Any]:
        """One line from stdin, the answer to it: a fault, {"query": "state"} or {"query": "truth"} (what happened since the last time)."""
        try:
            query = msgspec.json.decode(line)
            if isinstance(query, dict) and "query" in query:
                return self._query(str(query["query"]))
            fault = decode(line)
        except msgspec.DecodeError as error:
            return _refusal(Refused("not_understood", reason=str(error)))
        state = self.state()
        reason = self._machine.apply(fault)
        self._pass_on()
        if reason == "no_such_tool":
            return _refusal(_no_such_tool(self._machine.cycle, getattr(fault, "tool", 0)))
        if reason:
            return _refusal(Refused(reason))
        return {"ok": True, "fault": name_of(fault), "time": round(state.time, 3), "part": state.part}

    def _query(self, what: str) -> dict[str, Any]:
        state = self.state()
        if what == "state":
            return {"ok": True, "state": msgspec.to_builtins(state)}
        if what == "truth":
            records = [msgspec.to_builtins(record) for record in self._machine.log]
            self._machine.log.clear()
            return {"ok": True, "truth": records}
        return _refusal(Refused("not_understood", reason=f"query {what!r}"))

    def _pass_on(self) -> None:
        for fault in self._waiting:
            self._wire_of(fault).fault(fault)
        self._waiting.clear()

    def _wire_of(self, fault: CableCut | Silence | Late | Wrong) -> TcpWire | RtuWire | VibrationWire:
        if fault.link == "tcp":
            return self._tcp
        return self._rtu if fault.link == "rtu" else self._stream

    def _asked(self) -> State:
        if self._began is None:
            self._began = self._clock.monotonic()
        return self.state()

    def _machine_tables(self) -> tuple[Sequence[int], Sequence[int]] | None:
        state = self._asked()
        return None if state.silent else (machine_registers(state), machine_bits(state))

    def _drive_tables(self) -> tuple[Sequence[int], Sequence[int]] | None:
        state = self._asked()
        return (drive_registers(state), ()) if state.power_on else None


def _no_such_tool(cycle: Cycle, tool: int) -> Refused:
    return Refused("tool", cycle=cycle.name, tool=tool, tools=", ".join(str(t) for t in sorted({plan.tool for plan in cycle.cuts})))


def _refusal(refused: Refused) -> dict[str, Any]:
    return {"ok": False, "error": refused.key, "text": in_all(refused)}
