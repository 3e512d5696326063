"""One RTU link with a device on it that misbehaves; every value says which request it answers."""

from __future__ import annotations

import asyncio
import logging
import os
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from drivers.bus import Bus
from drivers.clock import SystemClock
from drivers.options import BusOptions
from drivers.plan import Request
from drivers.trouble import LinkDown, NoAnswer, Refused, WrongAnswer
from tests.support.aio import bounded, ended, run, until
from tests.support.bad_device import FAULTS, GOOD, NOISE, Asked, BadRtu, register
from tests.support.hostile import Judge
from tests.support.ptys import Pty
from tests.support.virtual_time import LoopClock, run_virtual

FLOOR = 0.02


def options(pty: Pty, timeout: float = 0.2, **more: object) -> BusOptions:
    return BusOptions(name="line", framing="rtu", port=str(pty.path), baud=1_000_000, timeout=timeout, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def line(
    tmp_path: Path, choose: Callable[[Asked], str], *, units: tuple[int, ...] = (1,), seed: int = 0, timeout: float = 0.2
) -> AsyncIterator[tuple[Bus, BadRtu]]:
    with Pty(tmp_path / "line") as pty:
        device = BadRtu(pty, choose, units, seed)
        device.start()
        bus = Bus(options(pty, timeout), SystemClock(), floor=FLOOR)
        try:
            await bus.open()
            yield bus, device
        finally:
            bus.close()
            device.stop()


def script(*acts: str) -> Callable[[Asked], str]:
    """These, then good for ever."""
    left = list(acts)
    return lambda _: left.pop(0) if left else GOOD


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_gives_a_wrong_value_and_the_next_reads_are_good(tmp_path: Path, fault: str) -> None:
    async def main() -> None:
        async with line(tmp_path, script(GOOD, fault)) as (bus, device):
            judge = Judge(bus, device)
            for i in range(8):
                await judge.read(100 + 7 * i, 6)
            assert judge.count["wrong"] == 0
            assert device.did[fault] == 1
            refused = 8 - judge.count["delivered"]
            assert refused <= 2, "one fault costs the read that it hits, and at most one more"
            assert refused == 0 or fault != "foreign_first"

    run(main())


@pytest.mark.parametrize("noise", NOISE)
def test_noise_around_an_answer_is_no_reason_to_refuse_it(tmp_path: Path, noise: str) -> None:
    async def main() -> None:
        async with line(tmp_path, script(*[noise] * 6)) as (bus, device):
            judge = Judge(bus, device)
            for i in range(8):
                await judge.read(100 + 7 * i, 6)
            assert judge.count == {"delivered": 8}

    run(main())


def test_a_late_answer_is_told_by_its_size(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script("hold")) as (bus, device):
            with pytest.raises(NoAnswer):
                await bus.read(1, Request("holding", 0, 10))
            # The device answers the old request as soon as it sees the new one, which asks for the same registers.
            answer = await bus.read(1, Request("holding", 0, 10))
            assert [(a.address, a.count) for a in device.asked] == [(0, 10), (0, 9), (9, 1)]
            assert answer.values == [register(i, 2) for i in range(9)] + [register(9, 3)]
            assert bus.device(1).stale_replies == 1
            await bus.read(1, Request("holding", 0, 10))
            assert device.asked[-1].count == 10, "it was seen: nothing is owed any more"

    run(main())


def test_a_copy_that_is_held_back_is_not_taken_for_the_next_answer(tmp_path: Path) -> None:
    async def main() -> None:
        # Trouble, a copy held back, and an answer that never comes: the copy looks like it, but for being the same byte by byte.
        async with line(tmp_path, script("cut", GOOD, GOOD, "double_hold", "silent")) as (bus, device):
            judge = Judge(bus, device)
            while device.did.get("silent", 0) == 0 or judge.count["delivered"] < 6:
                await judge.read(100, 6)
            assert judge.count["wrong"] == 0

    run(main())


COPIES = {
    "a copy instead of an answer, which comes when its size is asked for again": (
        "double_hold",
        "hold_long",
        GOOD,
        GOOD,
        "silent",
    ),
    "a copy beside an answer, and a copy of that one instead of the next": ("double_hold", "double_hold", "silent"),
}


@pytest.mark.parametrize("acts", COPIES.values(), ids=COPIES.keys())
def test_copies_that_a_repeater_holds_back(tmp_path: Path, acts: tuple[str, ...]) -> None:
    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            # Something was wrong on this line a little while ago.
            device = BadRtu(pty, script("cut", GOOD, GOOD, *acts))
            device.start()
            clock = LoopClock()
            bus = Bus(options(pty), clock, floor=FLOOR)
            await bus.open()
            judge = Judge(bus, device)
            await judge.read(100, 6)
            await judge.read(100, 6)
            await clock.sleep(2.0)
            for _ in range(6):
                await judge.read(100, 6)
            assert set(acts) <= set(device.did)
            assert judge.count["wrong"] == 0
            bus.close()
            device.stop()

    run_virtual(main())


def test_after_a_copy_no_request_is_sent_that_a_late_answer_fits(tmp_path: Path) -> None:
    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            # The late answer comes with the third request behind its own, and would fit that.
            device = BadRtu(pty, script(GOOD, "hold_long"))
            device.frozen = True
            device.start()
            bus = Bus(options(pty), LoopClock(), floor=FLOOR)
            await bus.open()
            bus.device(1).may_pad = False
            await bus.read(1, Request("holding", 0, 1))
            with pytest.raises(NoAnswer):
                await bus.read(1, Request("holding", 100, 2))
            # Read in two parts, the first of which is equal to an answer of before: may be a copy.
            with pytest.raises(NoAnswer) as caught:
                await bus.read(1, Request("holding", 0, 2))
            assert caught.value.key == "late_answers"
            assert [(a.address, a.count) for a in device.asked] == [(0, 1), (100, 2), (0, 1), (1, 1)]
            bus.close()
            device.stop()

    run_virtual(main())


def test_a_copy_after_which_nothing_else_can_be_asked_is_kept_in_mind(tmp_path: Path) -> None:
    """Found once in 100,000 requests: the answer whose copy came first comes behind the next request, and would fit its first part."""

    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            device = BadRtu(pty, script("cut", "double_hold", "swap", "wrong_function"))
            device.start()
            clock = LoopClock()
            bus = Bus(options(pty), clock, floor=FLOOR)
            await bus.open()
            judge = Judge(bus, device)
            await judge.read(0, 1)
            known = bus.device(1)
            known.may_pad = False
            for size in (4, 8, 10, 12):  # so that six registers are asked in two halves
                known.late.missed(3, size, clock.monotonic())
            for _ in range(4):
                await judge.read(100, 6)
            assert [(a.address, a.count) for a in device.asked][1:3] == [(100, 3), (103, 3)]
            assert judge.count["wrong"] == 0
            bus.close()
            device.stop()

    run_virtual(main())


def test_an_answer_that_never_changes_costs_nothing_on_a_good_line(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script()) as (bus, device):
            device.frozen = True
            for _ in range(10):
                await bus.read(1, Request("holding", 0, 6))
            assert device.number == 10

    run(main())


def test_a_dead_device_does_not_make_the_others_be_asked_twice(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script(), units=(1, 3)) as (bus, device):
            device.frozen = True
            for unit in (1, 3):
                await bus.read(unit, Request("holding", 0, 6))
            with pytest.raises(NoAnswer):
                await bus.read(2, Request("holding", 0, 6))
            for unit in (1, 3):
                await bus.read(unit, Request("holding", 0, 6))
            assert [a.unit for a in device.asked] == [1, 3, 1, 3]
            # One that was silent itself may have an answer on its way, and something wrong on the line concerns all.
            device.choose = script("silent", GOOD, GOOD, "bad_crc")
            with pytest.raises(NoAnswer):
                await bus.read(1, Request("holding", 0, 6))
            asked = device.number
            await bus.read(3, Request("holding", 0, 6))
            assert device.number == asked + 1
            await bus.read(1, Request("holding", 0, 5))
            with pytest.raises(WrongAnswer):
                await bus.read(1, Request("holding", 0, 4))
            asked = device.number
            await bus.read(3, Request("holding", 0, 6))
            assert device.number > asked + 1

    run(main())


@pytest.mark.parametrize("device_answers", [True, False])
def test_a_line_that_babbles_without_end_is_closed(tmp_path: Path, device_answers: bool) -> None:
    async def main() -> None:
        async def babble() -> None:
            while True:
                with suppress(BlockingIOError):
                    os.write(pty.fd, b"\x55")
                await clock.sleep(0.0005)

        with Pty(tmp_path / "line") as pty:
            clock = LoopClock()
            device = BadRtu(pty, script(GOOD), (1,) if device_answers else ())
            device.start()
            bus = Bus(options(pty), clock)
            await bus.open()
            if device_answers:
                await bus.read(1, Request("holding", 0, 6))
            talk = asyncio.create_task(babble())
            start = clock.monotonic()
            with pytest.raises((WrongAnswer, LinkDown)):
                await bus.read(1, Request("holding", 0, 6))
            assert not bus.connected
            assert clock.monotonic() - start < 5.0
            await ended(talk)
            await bus.open()
            bus.close()
            device.stop()

    run_virtual(main())


def test_a_single_register_is_asked_with_its_neighbour(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script("hold")) as (bus, device):
            with pytest.raises(NoAnswer):
                await bus.read(1, Request("holding", 40, 1))
            answer = await bus.read(1, Request("holding", 40, 1))
            assert answer.values == [register(40, 2)]
            assert [a.count for a in device.asked] == [1, 2]

    run(main())


def test_a_neighbour_that_may_not_be_read_is_not_asked_again(tmp_path: Path) -> None:
    async def main() -> None:
        acts = ["silent", "illegal"]
        async with line(tmp_path, lambda a: acts.pop(0) if acts else GOOD) as (bus, device):
            for _ in range(3):
                with pytest.raises(NoAnswer):
                    await bus.read(1, Request("holding", 40, 1))
            assert [a.count for a in device.asked] == [1, 2], "the third read waits for the late answer without asking"
            assert not bus.device(1).may_pad

    run(main())


def test_an_answer_that_came_while_nobody_waited_is_thrown_away(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script("silent")) as (bus, device):
            judge = Judge(bus, device)
            await judge.read(100, 6)
            from tests.support.bad_device import rtu

            device.pty.write(rtu(device.asked[0]))
            await asyncio.sleep(0)
            while not (bus.device(1).stale_replies or judge.count["delivered"]):
                await judge.read(100, 6)
            await judge.read(100, 6)
            assert judge.count["wrong"] == 0
            assert bus.device(1).stale_replies + judge.count["delivered"] >= 2

    run(main())


def test_a_cancelled_read_leaves_nothing_for_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script("hold")) as (bus, device):
            judge = Judge(bus, device)
            reading = asyncio.create_task(bus.read(1, Request("holding", 0, 10)))
            await until(lambda: device.number == 1)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            for _ in range(3):
                await judge.read(100, 10)
            assert judge.count == {"delivered": 3}

    run(main())


def test_exceptions_are_about_the_device_not_the_link(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script("exception")) as (bus, _):
            with pytest.raises(Refused) as caught:
                await bus.read(1, Request("holding", 0, 10))
            assert caught.value.code in {1, 2, 4, 6}
            assert bus.connected
            assert bus.device(1).exceptions == 1
            assert (await bus.read(1, Request("holding", 0, 10))).values[0] == register(0, 2)

    run(main())


def test_bits(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script("hold")) as (bus, device):
            with pytest.raises(NoAnswer):
                await bus.read(1, Request("coil", 0, 12))
            answer = await bus.read(1, Request("coil", 0, 12))
            numbers = [a.number for a in device.asked[1:] for _ in range(a.count)][:12]
            assert answer.values == [(i + n) & 1 for i, n in enumerate(numbers)] or len(device.asked) == 3

    run(main())


def test_the_timeout_follows_the_device(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script()) as (bus, _):
            assert bus.device(1).replies.timeout() == 0.2
            for _ in range(10):
                await bus.read(1, Request("holding", 0, 4))
            assert FLOOR <= bus.device(1).replies.timeout() < 0.2

    run(main())


def test_one_request_at_a_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with line(tmp_path, script()) as (bus, device):
            answers = await asyncio.gather(*(bus.read(1, Request("holding", 10 * i, 5)) for i in range(8)))
            assert [a.values[0] >> 8 for a in answers] == [10 * i for i in range(8)]
            assert device.number == 8

    run(main())


def test_pulled_out_and_put_back(tmp_path: Path) -> None:
    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            device = BadRtu(pty, script())
            device.start()
            bus = Bus(options(pty), SystemClock(), floor=FLOOR)
            await bus.open()
            await bus.read(1, Request("holding", 0, 5))
            device.stop()
            pty.unplug()
            await until(lambda: not bus.connected)
            with pytest.raises(LinkDown):
                await bus.read(1, Request("holding", 0, 5))
            with pytest.raises(LinkDown) as caught:
                await bus.open()
            assert caught.value.key == "cannot_open"
            pty.plug()
            device.start()
            await bus.open()
            assert (await bus.read(1, Request("holding", 0, 5))).values[0] == register(0, 2)
            device.stop()
            bus.close()

    run(main())


def test_pulled_out_while_an_answer_is_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            device = BadRtu(pty, script("silent"))
            device.start()
            bus = Bus(options(pty), SystemClock(), floor=FLOOR)
            await bus.open()
            reading = asyncio.create_task(bus.read(1, Request("holding", 0, 5)))
            await until(lambda: device.number == 1)
            device.stop()
            pty.unplug()
            with pytest.raises(LinkDown):
                await bounded(reading)
            bus.close()

    run(main())


def test_an_adapter_that_is_half_there_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A USB adapter that is being put in opens, and fails at the first tcflush with termios.error, which is no OSError."""

    def fail(*_: object) -> None:
        raise termios.error(5, "Input/output error")

    async def main() -> None:
        async with line(tmp_path, script()) as (bus, _):
            with monkeypatch.context() as half:
                half.setattr(termios, "tcflush", fail)
                with pytest.raises(LinkDown) as caught:
                    await bus.open()
            assert caught.value.key == "cannot_open"
            assert not bus.connected
            await bus.open()
            assert (await bus.read(1, Request("holding", 0, 5))).values[0] == register(0, 1)

    run(main())


@pytest.mark.parametrize("parity", ["N", "E", "O"])
def test_a_pty_has_no_parity(tmp_path: Path, parity: str) -> None:
    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            bus = Bus(options(pty, parity=parity), SystemClock())
            await bus.open()
            assert bus.connected
            bus.close()

    run(main())


def test_a_baud_rate_that_does_not_exist(tmp_path: Path) -> None:
    async def main() -> None:
        bus = Bus(BusOptions(name="line", framing="rtu", port=str(tmp_path / "none"), baud=19200), SystemClock())
        with pytest.raises(LinkDown):
            await bus.open()
        assert not bus.connected

    run(main())


def test_pymodbus_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with line(tmp_path, lambda _: "silent") as (bus, _):
            for _ in range(3):
                with pytest.raises(NoAnswer):
                    await bus.read(1, Request("holding", 0, 5))

    with caplog.at_level(logging.WARNING):
        run(main(), debug=False)
    assert not caplog.records
