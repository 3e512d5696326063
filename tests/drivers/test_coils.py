"""The only writes: what can be ordered, what leaves the program, and how an order is verified."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu.register_message import WriteSingleRegisterRequest

from drivers.bus import Bus
from drivers.clock import SystemClock
from drivers.coils import AllowList, CoilOrder, NotAllowed, may_leave
from drivers.lamps import Lamps
from drivers.links import Links
from drivers.modbus import ModbusClient
from drivers.options import BusOptions
from drivers.trouble import LinkDown, NoAnswer, Refused, WrongAnswer
from tests.support.aio import run
from tests.support.house import ROOT
from tests.support.relay import RtuRelay, TcpRelay

TIMED = AllowList(3, frozenset({0, 2}), "timed")
WATCHED = AllowList(3, frozenset({0, 700}), "watchdog")


PATIENT = 5.0
"""s to wait for an answer that comes; a busy machine is no fault of the code."""


def patient(options: BusOptions) -> Bus:
    return Bus(options, SystemClock(), floor=options.timeout)


def tcp(relay: TcpRelay) -> BusOptions:
    return BusOptions(name="io", framing="tcp", host="127.0.0.1", port=relay.port, timeout=PATIENT)


def serial(relay: RtuRelay, timeout: float = 2.0) -> BusOptions:
    return BusOptions(name="io", framing="rtu", port=str(relay.pty.path), baud=115200, parity="N", timeout=timeout)


# ------------------------------------------------------------------ what can be ordered
def test_an_order_stands_on_the_list_or_cannot_be_made() -> None:
    assert CoilOrder(TIMED, 2, 6.0).pdu == bytes.fromhex("05 0202 003C")
    assert CoilOrder(TIMED, 2, 0.0).pdu == bytes.fromhex("05 0002 0000")
    assert CoilOrder(WATCHED, 700, 6.0).pdu == bytes.fromhex("05 02BC FF00")
    assert CoilOrder(WATCHED, 700, 0.0).pdu == bytes.fromhex("05 02BC 0000")
    for allowed, coil, seconds in ((TIMED, 1, 6.0), (WATCHED, 1, 0.0), (TIMED, 0, 60.1), (TIMED, 0, -1.0), (TIMED, 0, float("nan"))):
        with pytest.raises(NotAllowed):
            CoilOrder(allowed, coil, seconds)
    with pytest.raises(NotAllowed):
        CoilOrder(AllowList(3, frozenset({8}), "timed"), 8, 1.0)


@given(unit=st.integers(0, 255), pdu=st.binary(min_size=1, max_size=8))
def test_nothing_leaves_but_reads_and_the_order_itself(unit: int, pdu: bytes) -> None:
    order = CoilOrder(TIMED, 0, 6.0)
    assert may_leave(unit, pdu, None) == (pdu[0] in (1, 2, 3, 4))
    assert may_leave(unit, pdu, order) == ((unit, pdu) == (3, order.pdu))
    assert may_leave(3, order.pdu, order)
    assert not may_leave(4, order.pdu, order)
    assert not may_leave(3, order.pdu, None)


# ------------------------------------------------------------------ on the wire
def test_pymodbus_itself_cannot_write_through_our_client() -> None:
    async def main(relay: TcpRelay) -> None:
        client = ModbusClient(tcp(relay))
        await client.connect()
        inner = client._client
        for request in (
            lambda: inner.write_register(1, 7, device_id=3),
            lambda: inner.write_registers(1, [7, 8], device_id=3),
            lambda: inner.write_coil(0, True, device_id=3),
            lambda: inner.write_coils(0, [True] * 9, device_id=3),
            lambda: inner.mask_write_register(address=1, device_id=3),
            lambda: inner.readwrite_registers(read_address=1, read_count=1, write_address=1, values=[1], device_id=3),
            lambda: inner.execute(False, WriteSingleRegisterRequest(address=1, registers=[1], dev_id=3)),
        ):
            with pytest.raises(NotAllowed):
                await request()
        client.close()

    with TcpRelay() as relay:
        run(main(relay))
        assert relay.asked == []


def test_lit_for_a_time_and_put_out_over_tcp() -> None:
    async def main(relay: TcpRelay) -> None:
        lamps = Lamps(patient(tcp(relay)), TIMED, own=True)
        await lamps.set(2, 60.0)
        assert relay.lit(2)
        await lamps.set(2, 0.0)
        assert not relay.lit(2)
        with pytest.raises(NotAllowed):
            await lamps.set(1, 6.0)
        lamps.close()

    with TcpRelay() as relay:
        run(main(relay))
        assert relay.asked[0] == (3, bytes.fromhex("03 8000 0001"))
        assert relay.writes() == [(3, bytes.fromhex("05 0202 0258")), (3, bytes.fromhex("05 0002 0000"))]


@pytest.mark.parametrize("hears_itself", [False, True])
def test_on_a_serial_line_the_coil_is_read_back(tmp_path: Path, hears_itself: bool) -> None:
    async def main(relay: RtuRelay) -> None:
        lamps = Lamps(patient(serial(relay)), TIMED, own=True)
        await lamps.set(0, 60.0)
        assert relay.lit(0)
        relay.obeys = False
        with pytest.raises(WrongAnswer, match="not_switched"):
            await lamps.set(0, 60.0)
        lamps.close()

    with RtuRelay(tmp_path / "line", hears_itself=hears_itself) as relay:
        run(main(relay))
        assert (3, bytes.fromhex("01 0000 0001")) in relay.asked


def test_an_adapter_that_hears_itself_is_not_taken_for_a_relay(tmp_path: Path) -> None:
    """The echo of a write is the same as its answer: without the module behind it, nothing may count as done."""

    async def main(relay: RtuRelay) -> None:
        bus = Bus(serial(relay, 0.3), SystemClock())
        lamps = Lamps(bus, AllowList(3, frozenset({0}), "watchdog"), own=True)  # not recognised first
        with pytest.raises((NoAnswer, WrongAnswer)):
            await lamps.set(0, 6.0)
        lamps.close()

    with RtuRelay(tmp_path / "line", hears_itself=True, dead=True) as relay:
        run(main(relay))


def test_what_does_not_answer_like_a_relay_module_is_never_written_to() -> None:
    async def main(relay: TcpRelay) -> None:
        lamps = Lamps(patient(tcp(relay)), TIMED, own=True)
        for _ in range(3):
            with pytest.raises(WrongAnswer, match="no_coupler"):
                await lamps.set(0, 6.0)
        lamps.close()

    with TcpRelay(firmware=False) as relay:
        run(main(relay))
        assert relay.writes() == []
        assert len(relay.asked) == 3


def test_on_a_shared_bus_the_module_is_recognised_again_after_an_opening_and_after_trouble() -> None:
    async def main(relay: TcpRelay) -> None:
        bus = patient(tcp(relay))
        await bus.open()
        lamps = Lamps(bus, TIMED, own=False)
        await lamps.set(0, 0.0)
        await lamps.set(2, 0.0)
        assert [pdu[0] for _, pdu in relay.asked] == [3, 5, 5]
        relay.refuses = {2}
        with pytest.raises(Refused):
            await lamps.set(2, 6.0)
        await lamps.set(0, 0.0)
        assert [pdu[0] for _, pdu in relay.asked[3:]] == [5, 3, 5], "after trouble it may be another device"
        # Somebody opens the bus again, and a drive answers there.
        relay.firmware = False
        await bus.open()
        for _ in range(2):
            with pytest.raises(WrongAnswer, match="no_coupler"):
                await lamps.set(0, 6.0)
        assert [pdu[0] for _, pdu in relay.asked[6:]] == [3, 3]
        bus.close()

    with TcpRelay() as relay:
        run(main(relay))


def test_a_shared_bus_that_is_down_is_not_opened_by_the_lamps() -> None:
    async def main() -> None:
        lamps = Lamps(Bus(BusOptions(name="io", framing="tcp", host="127.0.0.1", port=1), SystemClock()), TIMED, own=False)
        with pytest.raises(LinkDown):
            await lamps.set(0, 6.0)

    run(main())
    with pytest.raises(ValueError, match="no bus"):
        Links([], [], {}, [], SystemClock(), lambda _: None).lamps("io", TIMED)


# ------------------------------------------------------------------ in the source
WRITES = re.compile(r"write_coil|write_register|mask_write|readwrite|Write(Single|Multiple)|MaskWrite|ReadWriteMultiple|execute")


def test_one_file_alone_knows_how_to_write() -> None:
    """Names of pymodbus that write, and its door for any PDU, stand in drivers/coils.py; elsewhere `execute` of SQLite in the store, and of
    FFTW in `bench`."""
    found: dict[str, set[str]] = {}
    for path in [*(ROOT / "drivers").rglob("*.py"), *(ROOT / "agent").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            if isinstance(node, ast.alias):
                name = node.name
            if name and WRITES.search(name):
                found.setdefault(path.relative_to(ROOT).as_posix(), set()).add(name)
    assert found.pop("drivers/coils.py") == {"WriteSingleCoilRequest"}
    assert found.pop("agent/cli/_bench_peers.py") == {"execute"}
    assert {name for name in found if not name.startswith(("agent/store", "agent/outbox"))} == set()


def test_who_sends_orders() -> None:
    """From the source: the daemon's beacon is the only caller of the lamps, and the client the only place where bytes go out."""
    callers: dict[str, set[str]] = {"pdu_of": set(), "switch": set(), "lamps": set(), "bytes": set()}
    for path in [*(ROOT / "drivers").rglob("*.py"), *(ROOT / "agent").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT).as_posix()
        if re.search(r"from drivers\.coils import [^\n]*\bpdu_of\b", text):
            callers["pdu_of"].add(name)
        if re.search(r"\bctx\.(send|transport)\b|\bpdu_send\(", text):
            callers["bytes"].add(name)
        if re.search(r"\.switch\(", text):
            callers["switch"].add(name)
        if re.search(r"\.lamps\(", text):
            callers["lamps"].add(name)
    assert callers == {
        "pdu_of": {"drivers/modbus.py"},
        "bytes": {"drivers/modbus.py"},
        "switch": {"drivers/lamps.py"},
        "lamps": {"agent/beacon.py"},
    }
