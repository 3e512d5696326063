"""A Haas control over real TCP and over a pty: what is delivered while it answers wrongly, late, to others, or not at all."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.devices import load_map
from drivers.health import DeviceHealth
from drivers.links import Links
from drivers.mdc_poll import MdcSource
from drivers.model import Quality, Readings, Waveform, word_of
from drivers.options import BusOptions, ChannelRoute, SourceOptions
from tests.support.aio import ended, run, until
from tests.support.haas import ANSWERS, Choose, Haas, framed, ngc, usual
from tests.support.house import ROOT
from tests.support.ptys import Pty
from tests.support.virtual_time import LoopClock, run_virtual

MAP = load_map(ROOT / "config" / "devices" / "haas_mdc.toml")
CONTEXT = ("mode", "tool", "program", "execution", "parts")
ONLY_QUESTIONS = re.compile(rb"(\?Q[1-9]\d\d\r\n|\?Q600 [1-9]\d{0,4}\r\n)*")


class Shop:
    """Collects what is delivered."""

    def __init__(self) -> None:
        self.rows: list[Readings] = []

    def deliver(self, item: Readings | Waveform) -> None:
        assert isinstance(item, Readings)
        self.rows.append(item)

    def lost(self) -> list[Readings]:
        return [row for row in self.rows if bool((row.quality == Quality.UNAVAILABLE).all())]

    def said(self, register: str) -> list[tuple[str, int]]:
        """Text and quality of one register, row by row; rows in which it was not asked left out."""
        out = []
        for row in self.rows:
            at = row.channels.index(register)
            if row.quality[0, at] != Quality.ABSENT:
                out.append((word_of(float(row.values[0, at]), row.words), int(row.quality[0, at])))
        return out


def links_of(bus: BusOptions, shop: Shop, names: tuple[str, ...] = CONTEXT) -> Links:
    source = SourceOptions(name="haas", bus=bus.name, device="haas_mdc", every=0.02)
    routes = [ChannelRoute(channel=name, source="haas", register=name) for name in names]
    return Links([bus], [source], {"haas_mdc": MAP}, routes, SystemClock(), shop.deliver)


@asynccontextmanager
async def watched(haas: Haas, shop: Shop, names: tuple[str, ...] = CONTEXT, timeout: float = 3.0) -> AsyncIterator[Links]:
    links = links_of(BusOptions(name="control", framing="mdc", host="127.0.0.1", port=haas.port, timeout=timeout), shop, names)
    task = asyncio.create_task(links.run())
    try:
        yield links
        assert not task.done(), task.exception()
    finally:
        await ended(task)
        assert ONLY_QUESTIONS.fullmatch(haas.received), "something else than a question was sent"
        assert haas.received, "nothing was asked"


def only(links: Links) -> DeviceHealth:
    ((device,),) = (bus.devices for bus in links.health())
    return device


def answering(choose: Choose, test: Callable[[Haas, Shop, Links], object], names: tuple[str, ...] = CONTEXT, **how: float) -> Shop:
    """Run until `test` is true."""
    shop = Shop()

    async def main() -> None:
        async with Haas(choose) as haas, watched(haas, shop, names, **how) as links:
            await until(lambda: bool(test(haas, shop, links)))

    run(main())
    return shop


@pytest.mark.parametrize("dressed", [ngc, framed])
def test_context_of_a_control_that_answers(dressed: Callable[[str], bytes]) -> None:
    shop = answering(lambda q, _: dressed(ANSWERS[q]), lambda h, s, links: len(s.rows) >= 5 and only(links).state == "ok")
    for row in shop.rows:
        said = [word_of(float(value), row.words) for value in row.values[0]]
        assert said == ["AUTOMATIC", "4", "O01234", "READY", "380"]
        assert set(row.quality[0].tolist()) == {Quality.GOOD}


def test_a_channel_may_want_its_answer_less_often_than_its_source_asks() -> None:
    shop = Shop()

    async def main() -> None:
        async with Haas() as haas:
            bus = BusOptions(name="control", framing="mdc", host="127.0.0.1", port=haas.port, timeout=3.0)
            source = SourceOptions(name="haas", bus="control", device="haas_mdc", every=0.02)
            routes = [
                ChannelRoute(channel="mode", source="haas", register="mode"),
                ChannelRoute(channel="tool", source="haas", register="tool", every=60.0),
            ]
            links = Links([bus], [source], {"haas_mdc": MAP}, routes, SystemClock(), shop.deliver)
            task = asyncio.create_task(links.run())
            try:
                await until(lambda: haas.asked.count("?Q104") >= 5)
                assert haas.asked.count("?Q201") == 1
            finally:
                await ended(task)

    run(main())
    assert shop.said("tool") == [("4", Quality.GOOD)]


def rarely(port: int, shop: Shop, *names: str) -> Links:
    """The mode as often as the source, `names` once a minute."""
    bus = BusOptions(name="control", framing="mdc", host="127.0.0.1", port=port, timeout=0.1)
    source = SourceOptions(name="haas", bus="control", device="haas_mdc", every=0.02)
    routes = [ChannelRoute(channel=name, source="haas", register=name, every=None if name == "mode" else 60.0) for name in names]
    return Links([bus], [source], {"haas_mdc": MAP}, routes, SystemClock(), shop.deliver)


def test_what_is_asked_once_a_minute_is_back_with_the_control() -> None:
    silent = [False]

    def choose(question: str, _: int) -> bytes | None:
        return None if silent[0] else usual(question)

    shop = Shop()

    async def main() -> None:
        async with Haas(choose) as haas:
            task = asyncio.create_task(rarely(haas.port, shop, "mode", "tool").run())
            try:
                await until(lambda: ("4", Quality.GOOD) in shop.said("tool"))
                silent[0] = True
                await until(lambda: ("", Quality.UNAVAILABLE) in shop.said("tool"))
                silent[0] = False
                await until(lambda: shop.said("tool")[-1] == ("4", Quality.GOOD))
            finally:
                await ended(task)

    run(main())
    assert [one for one, _ in itertools.groupby(shop.said("tool"))] == [("4", Quality.GOOD), ("", Quality.UNAVAILABLE), ("4", Quality.GOOD)]


def test_a_source_of_rare_questions_is_not_lost_at_one_answer_that_is_missing() -> None:
    shop = Shop()

    missed: list[int] = []

    def choose(question: str, number: int) -> bytes | None:
        if question == "?Q201" and not missed:
            missed.append(number)
            return None
        return usual(question)

    async def main() -> None:
        async with Haas(choose) as haas:
            links = rarely(haas.port, shop, "tool")
            task = asyncio.create_task(links.run())
            try:
                await until(lambda: ("4", Quality.GOOD) in shop.said("tool"))
                assert only(links).timeouts >= 1
            finally:
                await ended(task)

    run(main())
    assert missed
    assert shop.lost() == []


def test_a_question_that_the_control_does_not_know_keeps_its_rest_when_the_control_is_lost() -> None:
    options = SourceOptions(name="haas", bus="control", device="haas_mdc")
    routes = [ChannelRoute(channel=name, source="haas", register=name) for name in ("mode", "tool")]
    source = MdcSource(options, BusOptions(name="control", framing="mdc"), MAP, routes)
    mode, tool = source.asked
    mode.rest_until = tool.rest_until = 60.0
    tool.lost = True
    source.forget()
    assert (mode.rest_until, tool.rest_until) == (0.0, 60.0)


def test_one_question_at_a_time_and_q500_once_for_three_fields() -> None:
    shop = Shop()

    async def main() -> None:
        async with Haas() as haas, watched(haas, shop):
            await until(lambda: len(shop.rows) >= 4)
            assert haas.asked[:7] == ["?Q100", "?Q104", "?Q201", "?Q500", "?Q104", "?Q201", "?Q500"]

    run(main())


@pytest.mark.parametrize("deaf", [1, 2])
def test_the_first_question_may_have_to_be_asked_again(deaf: int) -> None:
    shop = Shop()

    async def main() -> None:
        async with Haas(deaf=deaf) as haas, watched(haas, shop, timeout=0.1):
            await until(lambda: len(shop.said("tool")) >= 3)
            assert haas.asked[: deaf + 1] == ["?Q100"] * (deaf + 1)

    run(main())


def test_what_another_client_asks_is_not_taken_for_ours() -> None:
    """A second collector is answered on our connection, too: before, between and behind our own answers."""
    noise = [ngc("TOOL CHANGES, 35"), ngc("SERIAL NUMBER, 7"), ngc("M30 #1, 999"), ngc("MODEL, VF-2"), ngc("UNKNOWN")]

    def choose(question: str, number: int) -> bytes:
        return noise[number % 5] + noise[(number + 1) % 5] + usual(question) + noise[(number + 3) % 5]

    shop = answering(choose, lambda h, s, links: len(s.rows) >= 20 and only(links).stale_replies > 20)
    for name, expected in zip(CONTEXT, ("AUTOMATIC", "4", "O01234", "READY", "380"), strict=True):
        assert set(shop.said(name)) == {(expected, Quality.GOOD)}


def test_a_variable_is_uncertain_and_dropped_if_it_may_be_another_ones() -> None:
    """Newer controls answer `MACRO, 41.5` to whichever variable; another client reads #5041 all the time."""

    def choose(question: str, number: int) -> bytes:
        foreign = ngc("MACRO, 777.0")
        return {0: foreign + usual(question), 1: usual(question) + foreign}.get(number % 5, usual(question))

    shop = answering(choose, lambda h, s, links: len(s.said("load")) >= 20 and only(links).mismatches > 3, ("load", "tool"))
    assert set(shop.said("load")) == {("41.5", Quality.UNCERTAIN)}
    assert set(shop.said("tool")) == {("4", Quality.GOOD)}


def test_a_variable_that_is_named_is_good_and_another_ones_is_passed_over() -> None:
    def choose(question: str, _: int) -> bytes:
        named = {"?Q600 1098": "MACRO, 1098,       41.500", "?Q600 3027": "MACRO, 3027,     1200.000"}
        return framed("MACRO, 5041, 777.0") + framed(named.get(question, ANSWERS[question]))

    shop = answering(choose, lambda h, s, links: len(s.rows) >= 10, ("load", "speed"))
    assert set(shop.said("load")) == {("41.5", Quality.GOOD)}
    assert set(shop.said("speed")) == {("1200", Quality.GOOD)}


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """The tool is answered one question late, as another tool by then: whatever is delivered is what was asked last."""
    owed: list[bytes] = []

    def choose(question: str, number: int) -> bytes | None:
        if question == "?Q201" and number % 3 == 0:
            owed.append(ngc("USING TOOL, 99"))
            return None
        late = b"".join(owed)
        owed.clear()
        return late + usual(question)

    shop = answering(choose, lambda h, s, links: len(s.said("tool")) >= 10 and only(links).timeouts >= 3, ("tool",), timeout=0.05)
    assert {text for text, quality in shop.said("tool") if quality == Quality.GOOD} == {"4"}


def test_a_busy_control_says_nothing_of_the_program_and_the_rest_goes_on() -> None:
    def choose(question: str, number: int) -> bytes:
        return ngc("STATUS BUSY") if question == "?Q500" and number > 8 else usual(question)

    shop = answering(choose, lambda h, s, links: ("ACTIVE", Quality.GOOD) in s.said("execution"))
    assert set(shop.said("program")) == {("O01234", Quality.GOOD)}
    assert shop.said("execution")[-1] == ("ACTIVE", Quality.GOOD)
    assert not shop.lost()


def test_a_question_that_the_control_does_not_know_is_unavailable_and_costs_the_others_nothing() -> None:
    def choose(question: str, _: int) -> bytes:
        return ngc("UNKNOWN") if question == "?Q201" else usual(question)

    shop = Shop()

    async def main() -> None:
        async with Haas(choose) as haas, watched(haas, shop, timeout=1.0) as links:
            await until(lambda: len(shop.said("mode")) >= 8)
            assert haas.asked.count("?Q201") == 1
            assert (only(links).state, only(links).error, only(links).exceptions) == ("degraded", "refused", 1)

    run(main())
    assert set(shop.said("tool")) == {("", Quality.UNAVAILABLE)}
    assert set(shop.said("mode")) == {("AUTOMATIC", Quality.GOOD)}


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x00\xff\xfe" * 50,
        b"\x02PROGRAM, O0",
        b">PROGRAM, O01234, IDLE, PAR",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"x" * 5000,
        b"\r\n" * 40,
    ],
)
def test_garbage_half_answers_and_silence_are_a_loss_and_no_value(garbage: bytes) -> None:
    hostile = [True]

    def choose(question: str, _: int) -> bytes | None:
        return (garbage or None) if hostile[0] else b"\r\n" + usual(question)

    shop = Shop()

    async def main() -> None:
        async with Haas(choose) as haas, watched(haas, shop, timeout=0.05) as links:
            await until(lambda: len(shop.lost()) >= 1)
            assert len(shop.lost()) == len(shop.rows)
            assert only(links).state == "offline"
            hostile[0] = False
            await until(lambda: len(shop.said("tool")) > len(shop.lost()))

    run(main())
    assert {text for text, quality in shop.said("tool") if quality != Quality.UNAVAILABLE} == {"4"}


def test_a_control_that_hangs_up_is_connected_to_again() -> None:
    shop = Shop()

    async def main() -> None:
        async with Haas() as haas, watched(haas, shop) as links:
            await until(lambda: len(shop.rows) >= 2)
            haas.hang_up()
            seen = len(shop.rows)
            await until(lambda: haas.accepted >= 2 and len(shop.rows) >= seen + 3)
            assert links.health()[0].opened == 2
            assert only(links).state == "ok"

    run(main())


def test_a_control_that_is_switched_off_and_on() -> None:
    shop = Shop()

    async def main() -> None:
        off = Haas()
        async with off:
            port = off.port
        links = links_of(BusOptions(name="control", framing="mdc", host="127.0.0.1", port=port, timeout=0.1), shop)
        task = asyncio.create_task(links.run())
        try:
            await until(lambda: len(shop.lost()) >= 1)
            assert (links.health()[0].state, links.health()[0].error) == ("down", "cannot_connect")
            async with off:
                await until(lambda: only(links).state == "ok")
        finally:
            await ended(task)

    run(main())


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_a_control_that_closes_after_so_many_answers_is_told_once(asked: int, caplog: pytest.LogCaptureFixture) -> None:
    """After the greeting, in the middle of a row, behind a row."""

    async def main() -> None:
        async with Haas() as haas:

            def choose(question: str, number: int) -> bytes | None:
                if number % (asked + 1) == 0:
                    haas.hang_up()
                    return None
                return usual(question)

            haas.choose = choose
            bus = BusOptions(name="control", framing="mdc", host="127.0.0.1", port=haas.port, timeout=0.4)
            source = SourceOptions(name="haas", bus="control", device="haas_mdc", every=1.0)
            routes = [ChannelRoute(channel=name, source="haas", register=name) for name in ("mode", "tool")]
            clock = LoopClock()
            task = asyncio.create_task(Links([bus], [source], {"haas_mdc": MAP}, routes, clock, lambda _: None).run())
            await clock.sleep(100.0)
            await ended(task)
            assert 8 <= haas.accepted <= (110 if asked == 3 else 30)

    with caplog.at_level(logging.INFO, logger="drivers"):
        run_virtual(main(), sockets=True)
    said = [record.getMessage() for record in caplog.records if "bus control:" in record.getMessage()]
    assert [line.split(": ")[1].split(" ")[0] for line in said] == ["open", "down"], said


def test_over_a_serial_line_nothing_is_proven(tmp_path: Path) -> None:
    shop = Shop()

    async def main() -> None:
        with Pty(tmp_path / "line") as pty:
            received = bytearray()

            async def control() -> None:
                rest = b""
                while True:
                    await asyncio.sleep(0.002)
                    try:
                        data = os.read(pty.fd, 1024)
                    except BlockingIOError:
                        continue
                    received.extend(data)
                    *lines, rest = (rest + data).split(b"\r\n")
                    for line in lines:
                        pty.write(line + b" " + framed(ANSWERS[line.decode()]))  # with its echo

            machine = asyncio.create_task(control())
            links = links_of(BusOptions(name="control", framing="mdc", port=str(pty.path), baud=19200, timeout=5.0), shop)
            task = asyncio.create_task(links.run())
            try:
                await until(lambda: len(shop.said("tool")) >= 3)
                assert only(links).state == "ok"
            finally:
                await ended(task)
                await ended(machine)
            assert ONLY_QUESTIONS.fullmatch(bytes(received))

    run(main())
    assert set(shop.said("tool")) == {("4", Quality.UNCERTAIN)}
    assert set(shop.said("program")) == {("O01234", Quality.UNCERTAIN)}
