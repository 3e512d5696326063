"""Listening: who talks on a line is known before a byte is sent."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import SystemClock
from drivers.options import BusOptions
from drivers.overhear import Heard, judge, loudest, overhear
from drivers.trouble import LinkDown
from tests.support.aio import run
from tests.support.bad_device import crc
from tests.support.ptys import Pty


def frame(text: str) -> bytes:
    body = bytes.fromhex(text)
    return body + crc(body)


ASKS = frame("02 03 0000 0003")
ANSWERS = frame("02 03 06 0102 0304 0506")


def test_a_master_is_known_by_its_questions() -> None:
    heard = judge(b"\x00" + ASKS + ANSWERS + ASKS + frame("07 04 0048 0002"))
    assert heard.asked == ((2, 3), (7, 4))
    assert heard.huanyang == ()
    assert not heard.quiet
    assert judge(frame("05 06 2000 0001")).asked == ((5, 6),), "one that writes"


@pytest.mark.parametrize("said", ["01 04 03 01 00 00", "01 01 03 8E 00 00", "01 03 01 08", "01 05 02 13 88"])
def test_a_huanyang_is_known_when_somebody_else_asks_it(said: str) -> None:
    """Frames of LinuxCNC's driver for it: status, parameter, control, frequency."""
    assert judge(frame(said)).huanyang == (1,)
    assert judge(b"\xff" * 3 + frame(said) + ASKS).asked == ((2, 3),)


def test_ordinary_reads_are_not_taken_for_a_huanyang() -> None:
    for address in range(0, 0x800, 0x55):
        for count in (1, 2, 125):
            read = frame(f"01 03 {address:04X} {count:04X}")
            assert judge(read) == Heard(8, ((1, 3),)), read.hex()
            assert judge(frame(f"01 04 {address:04X} {count:04X}")).huanyang == ()


@given(st.binary(max_size=200))
def test_whatever_comes_more_than_a_glitch_is_somebody(data: bytes) -> None:
    heard = judge(data)
    assert heard.size == len(data)
    assert heard.quiet == (len(data) <= 3)


def test_at_which_rate_it_was_understood() -> None:
    slow, fast = (BusOptions(name="line", framing="rtu", port="/dev/x", baud=baud) for baud in (9600, 19200))
    assert loudest([(slow, Heard(0)), (fast, Heard(2))]) is None
    assert loudest([(slow, Heard(500)), (fast, Heard(80, ((1, 3),)))]) == (fast, Heard(80, ((1, 3),)))


def test_on_a_port_nothing_is_sent(tmp_path: Path) -> None:
    with Pty(tmp_path / "line") as line:
        options = BusOptions(name="line", framing="rtu", port=str(line.path), baud=9600, parity="N")
        assert run(overhear(options, SystemClock(), 0.2)) == Heard(0)
        with pytest.raises(BlockingIOError):
            os.read(line.fd, 1)
        # A master that asks until it is heard, however long the listener takes to begin.
        heard = threading.Event()

        def master() -> None:
            while not heard.is_set():
                line.write(ASKS)
                heard.wait(0.02)

        thread = threading.Thread(target=master)
        thread.start()
        try:
            said = run(overhear(options, SystemClock(), 30.0))
        finally:
            heard.set()
            thread.join()
        assert said.asked == ((2, 3),)
        with pytest.raises(BlockingIOError):
            os.read(line.fd, 1)
    with pytest.raises(LinkDown):
        run(overhear(options, SystemClock(), 0.1))
