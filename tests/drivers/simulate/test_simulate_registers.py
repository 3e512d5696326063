"""The device maps say what the shop's registers hold."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from drivers.devices import load_map
from drivers.simulate import demo
from drivers.simulate.machine import Machine
from drivers.simulate.registers import drive_registers, machine_bits, machine_registers
from drivers.simulate.state import State
from drivers.simulate.vibration import RATE, SCALE

MAPS = Path(__file__).parents[3] / "config" / "devices"


def rows(name: str) -> dict[str, dict[str, Any]]:
    tree = tomllib.loads((MAPS / f"{name}.toml").read_text(encoding="utf-8"))
    return {row["name"]: row for row in tree["registers"]}


def value(row: dict[str, Any], table: list[int]) -> float | str:
    raw = table[row["address"]]
    if row.get("type") == "u32":
        raw = raw << 16 | table[row["address"] + 1]
    if row.get("type") == "i16" and raw > 0x7FFF:
        raw -= 0x10000
    if "words" in row:
        return str(row["words"][str(raw)])
    return float(raw * row.get("scale", 1.0))


@pytest.fixture
def state() -> State:
    return Machine(demo.cycle(), 1).advance(13.9)


def test_machine_map(state: State) -> None:
    table = machine_registers(state)
    told = {name: value(row, table) for name, row in rows("simulated_lathe").items()}
    assert all(0 <= raw <= 0xFFFF for raw in table)
    for name in ("mode", "execution", "door", "program", "tool", "section"):
        assert told[name] == getattr(state, name), name
    for name in (
        "current",
        "speed",
        "feed",
        "feed_override",
        "spindle_temperature",
        "ambient_temperature",
        "air_pressure",
        "coolant_level",
    ):
        assert told[name] == pytest.approx(getattr(state, name), abs=0.51 * rows("simulated_lathe")[name].get("scale", 1.0)), name
    assert told["spindle_load"] == pytest.approx(state.load, abs=0.051)
    assert told["part"] == state.made == 2
    assert (told["power_on"], told["cycle"], told["feed_hold"], told["heartbeat"]) == (1.0, 1.0, 0.0, 13.0)
    assert machine_bits(state) == [1, 1, 0, 1]


def test_drive_map(state: State) -> None:
    table = drive_registers(state)
    told = {name: value(row, table) for name, row in rows("simulated_drive").items()}
    assert told == pytest.approx({"load": round(state.load, 1), "current": round(state.current, 2), "speed": round(state.speed)})


def test_every_word_of_the_state_has_a_number() -> None:
    machine, lathe = Machine(demo.cycle(), 1), rows("simulated_lathe")
    words = set()
    for k in range(700):
        state = machine.advance(k * 0.01)
        table = machine_registers(state)
        read = tuple(value(lathe[name], table) for name in ("mode", "execution", "door"))
        assert read == (state.mode, state.execution, state.door)
        words.update(read)
    assert words == {"AUTOMATIC", "ACTIVE", "PROGRAM_COMPLETED", "CLOSED", "OPEN"}


@pytest.mark.parametrize("name", ["simulated_lathe", "simulated_drive", "simulated_vibration"])
def test_the_agent_can_read_every_map(name: str) -> None:
    device = load_map(MAPS / f"{name}.toml")
    assert device.name == name
    assert all(register.verified for register in device.registers)


def test_vibration_map() -> None:
    tree = tomllib.loads((MAPS / "simulated_vibration.toml").read_text(encoding="utf-8"))
    assert (tree["rate"], tree["axes"], tree["scale"], tree["unit"]) == (RATE, 3, SCALE, "g")
