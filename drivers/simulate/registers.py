"""What stands in which register: the machine's table (unit 1) and the drive's (unit 2). Zero-based wire addresses.

config/devices/simulated_lathe.toml and simulated_drive.toml say the same to the agent; a test compares them.
"""

from __future__ import annotations

from drivers.simulate.state import State

MACHINE_UNIT, DRIVE_UNIT = 1, 2

MODES = ("", "AUTOMATIC", "MANUAL", "MANUAL_DATA_INPUT", "SEMI_AUTOMATIC", "EDIT")
"""MTConnect ControllerMode; the register holds the index."""
EXECUTIONS = (
    "",
    "READY",
    "ACTIVE",
    "INTERRUPTED",
    "FEED_HOLD",
    "STOPPED",
    "OPTIONAL_STOP",
    "PROGRAM_STOPPED",
    "PROGRAM_COMPLETED",
    "WAIT",
    "PROGRAM_OPTIONAL_STOP",
)
"""MTConnect Execution."""
DOORS = ("", "OPEN", "UNLATCHED", "CLOSED")
"""MTConnect DoorState."""


def _u16(value: float) -> int:
    return min(0xFFFF, max(0, round(value)))


def _i16(value: float) -> int:
    return min(0x7FFF, max(-0x8000, round(value))) & 0xFFFF


def machine_registers(state: State) -> list[int]:
    """Holding and input registers 0 to 31 of the machine; 23 to 31 are spare."""
    return [
        int(state.power_on),
        MODES.index(state.mode),
        EXECUTIONS.index(state.execution),
        DOORS.index(state.door),
        int(state.cycle),
        int(state.feed_hold),
        state.program,
        state.tool,
        state.section,
        state.made >> 16 & 0xFFFF,
        state.made & 0xFFFF,
        _i16(state.load * 10.0),
        _u16(state.current * 100.0),
        _i16(state.speed),
        _u16(state.feed),
        _u16(state.feed_override),
        _u16(state.speed_override),
        _i16(state.spindle_temperature * 10.0),
        _i16(state.ambient_temperature * 10.0),
        _u16(state.air_pressure * 100.0),
        _u16(state.hydraulic_pressure * 10.0),
        _u16(state.coolant_level * 10.0),
        int(state.time) & 0xFFFF,
        *(0,) * 9,
    ]


def machine_bits(state: State) -> list[int]:
    """Coils and discrete inputs 0 to 3 of the machine: power on, cycle, feed hold, door closed."""
    return [int(state.power_on), int(state.cycle), int(state.feed_hold), int(state.door == "CLOSED")]


def drive_registers(state: State) -> list[int]:
    """Holding and input registers 0 to 7 of the drive: load 0.1 %, current 0.01 A, speed rpm, frequency 0.01 Hz (two pole pairs), DC link
    V, heat sink 0.1 degC, running, spare."""
    running = state.speed > 0.0
    heat_sink = state.spindle_temperature + 3.0
    return [
        _i16(state.load * 10.0),
        _u16(state.current * 100.0),
        _i16(state.speed),
        _u16(state.speed / 60.0 * 2.0 * 100.0),
        _u16(566.0 - 0.1 * state.load),
        _i16(heat_sink * 10.0),
        int(running),
        0,
    ]
