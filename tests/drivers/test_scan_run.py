"""Who is on a bus: what is asked, in which order, and what is made of the answers. Real lines: ptys, loopback, libmodbus."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.devices import load_map
from drivers.options import BusOptions, DeviceMap
from drivers.scan import TCP_UNITS, Guess, Questions, seconds, settings
from drivers.scan_run import Progress, ScanRun
from drivers.trouble import LinkDown
from tests.support.aio import run
from tests.support.house import ROOT
from tests.support.libmodbus import LibModbus, missing
from tests.support.ptys import Pty
from tests.support.relay import Relay, RtuRelay, TcpRelay


@functools.cache
def maps() -> tuple[DeviceMap, ...]:
    return tuple(load_map(path) for path in sorted((ROOT / "config" / "devices").glob("*.toml")))


QUESTIONS = Questions(maps())
QUICK = 0.06
"""s; only where nobody answers."""


def scanned(ways: Sequence[BusOptions], units: Sequence[int], questions: Questions = QUESTIONS, stop_after: int = 10**9) -> ScanRun:
    told: list[Progress] = []
    scan = ScanRun(ways, units, questions, SystemClock(), told.append, lambda: len(told) >= stop_after)
    run(scan.run())
    assert [one.done for one in told] == list(range(len(told)))
    assert all(one.left >= 0.0 for one in told)
    return scan


def serial(path: Path, baud: int = 9600, timeout: float = QUICK) -> BusOptions:
    return BusOptions(name="line", framing="rtu", port=str(path), baud=baud, parity="N", timeout=timeout)


# ------------------------------------------------------------------ what may be asked
def test_only_what_a_map_names_for_its_recognition_is_asked() -> None:
    allowed: set[tuple[str, int]] = set()
    for device in QUESTIONS.maps:
        names = {name for test in device.identify.tests for name in (test.register, test.like)} if device.identify else set()
        for register in device.registers:
            if register.name in names:
                allowed |= {(register.table, register.address + i) for i in range(8 if register.type == "string" else 4)}
    for request in QUESTIONS.all:
        assert request.table in ("holding", "input")
        assert {(request.table, request.address), (request.table, request.address + request.count - 1)} <= allowed
    assert len(QUESTIONS.all) >= 20
    assert "huanyang_hy" not in {device.name for device in QUESTIONS.maps}


def test_presence_is_one_read_of_each_table_and_what_makers_devices_answer_to() -> None:
    tables = [request.table for request in QUESTIONS.presence(serial(Path("/dev/x")), 9)]
    assert sorted(tables) == ["holding", "input"]
    wit = QUESTIONS.presence(serial(Path("/dev/x")), 80)
    assert ("holding", 64) in {(request.table, request.address) for request in wit}


def test_makers_settings_go_first_and_every_rate_and_parity_comes() -> None:
    ways = settings(maps(), "/dev/x", (9600, 19200), ("N", "E"), 0.25)
    assert (ways[0].framing, ways[0].baud, ways[0].parity) == ("rtu", 9600, "N")
    assert {("rtu", baud, parity, 1) for baud in (9600, 19200) for parity in "NE"} <= {
        (way.framing, way.baud, way.parity, way.stopbits) for way in ways
    }
    assert ("ascii", 9600, "N", 2) in {(way.framing, way.baud, way.parity, way.stopbits) for way in ways}
    assert all(way.baud == 9600 for way in settings(maps(), "/dev/x", (9600,), ("N", "E", "O"), 0.25))
    assert seconds(ways[0], range(1, 33), QUESTIONS) > 2 * 32 * 2 * 0.25


# ------------------------------------------------------------------ on the wire
def test_a_device_is_recognised_by_its_map_with_reads_only(tmp_path: Path) -> None:
    with RtuRelay(tmp_path / "line", unit=3) as relay:
        scan = scanned([serial(relay.pty.path, timeout=2.0)], [3])
        (seen,) = scan.seen
        assert (seen.unit, seen.bus.baud) == (3, 9600)
        assert Guess("waveshare_relay", False) in seen.guesses
        asked = {(pdu[0], int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")) for _, pdu in relay.asked}
    assert asked <= {(request.function, request.address, request.count) for request in QUESTIONS.all}


def test_the_other_settings_are_left_out_once_somebody_answers(tmp_path: Path) -> None:
    """A pty has no rate: whatever the setting, the device hears it. So the first one must be the last."""
    with RtuRelay(tmp_path / "line", unit=2) as relay:
        scan = scanned([serial(relay.pty.path, timeout=2.0), serial(relay.pty.path, 19200, timeout=2.0)], [2])
        assert [seen.bus.baud for seen in scan.seen] == [9600]
        assert len(relay.asked) == len(QUESTIONS.all), "no second round"


def test_a_silent_line_is_nobody_and_the_scan_can_be_stopped(tmp_path: Path) -> None:
    with RtuRelay(tmp_path / "line", dead=True) as relay:
        assert scanned([serial(relay.pty.path)], [1, 2, 3]).seen == []
        before = {unit for unit, _ in relay.asked}
        assert before == {1, 2, 3}
        relay.asked.clear()
        assert scanned([serial(relay.pty.path)], range(1, 200), stop_after=2).seen == []
        assert {unit for unit, _ in relay.asked} == {1, 2}


@contextmanager
def cable(near: Pty, far: Pty) -> Iterator[None]:
    """Bytes from each end to the other, in a thread."""
    import select

    wake, end = os.pipe()

    def carry() -> None:
        other = {near.fd: far.fd, far.fd: near.fd}
        while True:
            ready, _, _ = select.select([*other, wake], [], [])
            if wake in ready:
                return
            for fd in ready:
                os.write(other[fd], os.read(fd, 4096))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield
    finally:
        os.close(end)
        thread.join()
        os.close(wake)


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_device_that_no_map_fits_is_a_result_too(tmp_path: Path) -> None:
    """libmodbus, which we did not write: 300 registers that look like none of the maps, and refusals beyond them."""
    with Pty(tmp_path / "near") as near, Pty(tmp_path / "far") as far, cable(near, far), LibModbus("rtu", str(far.path), "7"):
        few = Questions([device for device in maps() if device.name in ("eastron_sdm230", "banner_qm30vt2", "waveshare_relay")])
        (seen,) = scanned([serial(near.path, timeout=1.0)], [7], few).seen
        assert (seen.unit, seen.guesses) == (7, ())
        assert None in seen.answers.values()
        # Counting registers happen to be plausible for some maps: such a guess is never certain.
        (seen,) = scanned([serial(near.path, timeout=1.0)], [7]).seen
        assert not [guess for guess in seen.guesses if guess.certain]


def test_over_tcp_a_device_that_does_not_look_at_the_unit_is_one_device() -> None:
    with TcpRelay() as relay:
        way = BusOptions(name="network", framing="tcp", host="127.0.0.1", port=relay.port, timeout=2.0)
        scan = scanned([way], TCP_UNITS)
        (seen,) = scan.seen
        assert (seen.unit, seen.also) == (1, (0, 255, 247))
        assert Guess("waveshare_relay", False) in seen.guesses
        assert {pdu[0] for _, pdu in relay.asked} == {3, 4}


class Gateway(TcpRelay):
    """Only unit 9 is behind it."""

    def answer(self, unit: int, pdu: bytes) -> bytes:
        answer = Relay.answer(self, unit, pdu)
        return answer if unit == 9 else bytes((pdu[0] | 0x80, 11))


def test_a_gateway_that_says_nobody_is_there_is_believed() -> None:
    with Gateway() as relay:
        way = BusOptions(name="network", framing="tcp", host="127.0.0.1", port=relay.port, timeout=2.0)
        assert [seen.unit for seen in scanned([way], range(7, 12)).seen] == [9]


def test_a_host_that_hangs_up_on_a_unit_and_one_that_is_not_there() -> None:
    async def main() -> None:
        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(12)
            writer.close()

        server = await asyncio.start_server(client, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        way = BusOptions(name="network", framing="tcp", host="127.0.0.1", port=port, timeout=0.2)
        scan = ScanRun([way], [1, 2], QUESTIONS, SystemClock(), lambda _: None, lambda: False)
        await scan.run()
        assert scan.seen == []
        server.close()
        await server.wait_closed()
        with pytest.raises(LinkDown):
            await ScanRun([way], [1], QUESTIONS, SystemClock(), lambda _: None, lambda: False).run()

    run(main())
