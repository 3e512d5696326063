from __future__ import annotations

import pytest

from drivers.options import BusOptions
from drivers.plan import worthwhile_hole
from drivers.wire_time import character, characters, databits, silence
from tests.support.bad_device import Asked, framed, wrap_ascii, wrap_rtu


def bus(framing: str, **more: object) -> BusOptions:
    return BusOptions(name="b", framing=framing, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        (bus("rtu"), 11),
        (bus("rtu", parity="N"), 10),
        (bus("rtu", parity="N", stopbits=2), 11),
        (bus("ascii"), 10),
        (bus("ascii", parity="N", stopbits=2), 10),
        (bus("ascii", databits=8, parity="N", stopbits=2), 11),
        (bus("rtu_tcp"), 11),
    ],
)
def test_bits_of_a_character(options: BusOptions, bits: int) -> None:
    assert character(options) == pytest.approx(bits / 19200)
    assert databits(options) in {7, 8}


@pytest.mark.parametrize(("framing", "wrap"), [("rtu", wrap_rtu), ("rtu_tcp", wrap_rtu), ("ascii", wrap_ascii)])
@pytest.mark.parametrize("count", [1, 2, 125])
def test_characters_are_those_of_the_frames(framing: str, wrap, count: int) -> None:  # type: ignore[no-untyped-def]
    request = wrap(bytes((1, 3, 0, 0, 0, count)))
    assert characters(bus(framing), 2 * count) == len(request) + len(framed(Asked(1, 1, 3, 0, count), wrap))


@pytest.mark.parametrize(
    ("framing", "baud", "gap", "seconds"),
    [
        ("rtu", 9600, None, 3.5 * 11 / 9600),
        ("rtu", 19200, None, 3.5 * 11 / 19200),
        ("rtu", 38400, None, 0.00175),
        ("rtu", 9600, 0.01, 0.01),
        ("rtu_tcp", 9600, None, 3.5 * 11 / 9600),
        ("ascii", 9600, None, 3.5 * 10 / 9600),
        ("tcp", 9600, None, 0.0),
        ("tcp", 9600, 0.02, 0.02),
    ],
)
def test_the_silence_between_frames(framing: str, baud: int, gap: float | None, seconds: float) -> None:
    assert silence(bus(framing, baud=baud, gap=gap)) == pytest.approx(seconds)


def test_a_register_of_an_ascii_line_costs_four_characters() -> None:
    # 17 characters out, 11 back, twice 3.5 of silence: 35, and a register is 4.
    assert worthwhile_hole(bus("ascii", baud=9600)) == 8.75
    assert worthwhile_hole(bus("rtu_tcp", baud=9600)) == worthwhile_hole(bus("rtu", baud=9600))
