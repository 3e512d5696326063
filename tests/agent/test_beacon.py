"""The own lamp: what it burns for, that it goes dark with the agent, and that nothing else is ever written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from agent.beacon import Beacon, states
from agent.machine_file import MachineFileError, load
from agent.model import Alert, Coverage, Snapshot, Word
from agent.settings import BeaconCoil, BeaconOptions
from drivers.clock import SystemClock
from drivers.links import Links
from drivers.options import BusOptions
from tests.support import snapshots
from tests.support.agent_process import AgentProcess
from tests.support.aio import bounded, run, until
from tests.support.machine_files import written
from tests.support.relay import TcpRelay

BASE = """
[machine]
name = "m"
[[bus]]
name = "io"
framing = "tcp"
host = "127.0.0.1"
port = {port}
[[bus]]
name = "drive"
framing = "tcp"
host = "127.0.0.1"
port = 1
[[source]]
name = "control"
bus = "io"
device = "simulated_lathe"
every = 0.05
[[source]]
name = "drive"
bus = "drive"
device = "simulated_drive"
[[channel]]
name = "tool"
role = "tool"
from = "control.tool"
[[channel]]
name = "load"
role = "spindle.load"
from = "drive.load"
"""
BEACON = """
[beacon]
bus = "io"
address = 3
hold = 2.0
[[beacon.coil]]
coil = 0
shows = "warning"
colour = "amber"
[[beacon.coil]]
coil = 1
shows = "lost"
colour = "blue"
"""


def alert(severity: str, state: str = "active") -> Alert:
    return msgspec.structs.replace(snapshots.broken(0.0).alerts[0], severity=severity, state=state)


# ------------------------------------------------------------------ what burns
@pytest.mark.parametrize(
    ("word", "alerts", "shown"),
    [
        (Word.MONITORING, [], set()),
        (Word.LOST, [], {"lost"}),
        (Word.HOLD, [], set()),
        (Word.NOT_MONITORABLE, [], set()),
        (Word.OFF, [], set()),
        (Word.LEARNING, [("warning", "active")], {"warning"}),
        (Word.MONITORING, [("urgent", "active")], {"warning", "urgent"}),
        (Word.HOLD, [("warning", "active")], {"warning"}),
        (Word.LOST, [("urgent", "active")], {"warning", "urgent", "lost"}),
        (Word.MONITORING, [("advice", "active")], set()),
        (Word.MONITORING, [("urgent", "acknowledged"), ("warning", "cleared")], set()),
    ],
)
def test_what_a_lamp_burns_for(word: Word, alerts: list[tuple[str, str]], shown: set[str]) -> None:
    assert states(word, [alert(*one) for one in alerts]) == shown


def showing(word: Word, *alerts: Alert) -> Snapshot:
    coverage = Coverage(time=0.0, scope="machine", word=word)
    return msgspec.structs.replace(snapshots.broken(0.0), coverage=coverage, alerts=alerts)


OPTIONS = BeaconOptions(
    bus="io",
    address=3,
    hold=2.0,
    coil=(BeaconCoil(coil=0, shows="warning", colour="amber"), BeaconCoil(coil=1, shows="lost", colour="blue")),
)


def test_lamps_follow_the_snapshot_and_are_put_out_at_the_end() -> None:
    async def main(relay: TcpRelay) -> None:
        clock = SystemClock()
        bus = BusOptions(name="io", framing="tcp", host="127.0.0.1", port=relay.port, timeout=5.0)
        beacon = Beacon.of(OPTIONS, Links([bus], [], {}, [], clock, lambda _: None), clock)
        assert beacon is not None
        task = asyncio.create_task(beacon.run())
        await until(lambda: len(relay.writes()) >= 2)
        assert not relay.lit(0)
        assert not relay.lit(1), "nothing is known yet, not even that something is lost"
        beacon.show(showing(Word.MONITORING, alert("urgent")))
        await until(lambda: relay.lit(0))
        beacon.show(showing(Word.LOST))
        await until(lambda: relay.lit(1) and not relay.lit(0))
        # Nothing is shown any more: what is known is no longer live.
        beacon.show(showing(Word.MONITORING))
        await until(lambda: not relay.lit(1))
        await until(lambda: relay.lit(1))
        await bounded(beacon.stop())
        await bounded(task)

    with TcpRelay() as relay:
        run(main(relay))
        relay.wait(lambda: relay.writes()[-1] == (3, bytes.fromhex("05 0001 0000")), "put out at the end")


def test_a_module_that_is_none_is_left_alone_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async def main(relay: TcpRelay) -> None:
        clock = SystemClock()
        bus = BusOptions(name="io", framing="tcp", host="127.0.0.1", port=relay.port, timeout=5.0)
        beacon = Beacon.of(OPTIONS, Links([bus], [], {}, [], clock, lambda _: None), clock)
        assert beacon is not None
        task = asyncio.create_task(beacon.run())
        await until(lambda: beacon.error == "no_coupler")
        await bounded(beacon.stop())
        await bounded(task)

    with TcpRelay(firmware=False) as relay:
        run(main(relay))
        assert relay.writes() == []
    assert [record.message for record in caplog.records if "no_coupler" in record.message]


def test_a_coupler_with_a_watchdog_hears_of_every_lamp_again_and_again() -> None:
    options = msgspec.structs.replace(OPTIONS, coupler="watchdog")
    dark, lit = bytes.fromhex("05 0000 0000"), bytes.fromhex("05 0000 FF00")

    async def main(relay: TcpRelay) -> None:
        clock = SystemClock()
        bus = BusOptions(name="io", framing="tcp", host="127.0.0.1", port=relay.port, timeout=5.0)
        beacon = Beacon.of(options, Links([bus], [], {}, [], clock, lambda _: None), clock)
        assert beacon is not None
        task = asyncio.create_task(beacon.run())
        await until(lambda: relay.writes().count((3, dark)) >= 3)
        beacon.show(showing(Word.MONITORING, alert("warning")))
        await until(lambda: relay.lit(0))
        await bounded(beacon.stop())
        await bounded(task)

    with TcpRelay(firmware=False) as relay:
        run(main(relay))
        relay.wait(lambda: not relay.lit(0), "put out at the end")
        assert (3, lit) in relay.writes()
        assert {pdu[0] for _, pdu in relay.asked} == {5}


@pytest.mark.parametrize("refused", [0, 1])
def test_a_coil_that_is_refused_costs_the_others_nothing(refused: int) -> None:
    """Whichever of the two stands first: the other lamp never misses an order."""

    async def main(relay: TcpRelay) -> None:
        relay.refuses = {refused}
        clock = SystemClock()
        bus = BusOptions(name="io", framing="tcp", host="127.0.0.1", port=relay.port, timeout=5.0)
        beacon = Beacon.of(OPTIONS, Links([bus], [], {}, [], clock, lambda _: None), clock)
        assert beacon is not None
        task = asyncio.create_task(beacon.run())
        beacon.show(showing(Word.LOST, alert("warning")))
        other = 1 - refused

        def orders(coil: int) -> int:
            return sum(pdu[2] == coil and pdu[3] | pdu[4] > 0 for _, pdu in relay.writes())

        await until(lambda: beacon.error == "refused")
        assert orders(refused) == 3
        assert orders(other) >= 3
        await until(lambda: orders(other) >= 6)
        assert orders(refused) < orders(other), "told again after a rest"
        assert beacon.error == "refused"
        await bounded(beacon.stop())
        await bounded(task)
        assert not relay.lit(other)

    with TcpRelay() as relay:
        run(main(relay))


# ------------------------------------------------------------------ a whole run
READS = {1, 2, 3, 4}


def test_over_a_whole_run_only_the_listed_coils_are_written_and_they_go_dark_with_the_agent(tmp_path: Path) -> None:
    with TcpRelay() as relay:
        machine = written(tmp_path, BASE.format(port=relay.port) + BEACON + "[display]\nport = 0\n")
        with AgentProcess(machine, tmp_path / "state") as agent:
            agent.ready()
            relay.wait(lambda: relay.lit(1), "the load is lost: the blue lamp burns")
            before = len(relay.writes())
            relay.wait(lambda: len(relay.writes()) >= before + 3, "and is told again before it goes dark")
            agent.kill()
        relay.wait(lambda: not relay.lit(1), "without an agent it goes dark by itself")
        asked = list(relay.asked)
    assert {pdu[0] for _, pdu in asked} <= READS | {5}
    assert {unit for unit, pdu in asked if pdu[0] in READS} == {1, 3}
    wrote = {(unit, pdu.hex(" ")) for unit, pdu in asked if pdu[0] == 5}
    assert wrote <= {(3, "05 00 00 00 00"), (3, "05 00 01 00 00"), (3, "05 02 01 00 14")}
    assert (3, "05 02 01 00 14") in wrote


def test_without_a_beacon_in_the_machine_file_there_is_none() -> None:
    assert Beacon.of(BeaconOptions(), Links([], [], {}, [], SystemClock(), lambda _: None), SystemClock()) is None


# ------------------------------------------------------------------ the machine file
def codes(folder: Path, text: str) -> dict[str, str]:
    """Key to code of each mistake."""
    try:
        load(written(folder, text))
    except MachineFileError as error:
        return {mistake.key: mistake.code for mistake in error.mistakes}
    return {}


def right(text: str) -> str:
    return BASE.format(port=502) + text


@pytest.mark.parametrize(
    ("old", "new", "key", "code"),
    [
        ('colour = "amber"', 'colour = "red"', "beacon.coil[1].colour", "beacon_red"),
        ('colour = "amber"', 'colour = "Rouge"', "beacon.coil[1].colour", "beacon_red"),
        ('colour = "amber"', 'colour = "vert"', "beacon.coil[1].colour", "beacon_green"),
        ('colour = "amber"', 'colour = "ambre"', "beacon.coil[1].colour", "not_listed"),
        ('shows = "warning"', 'shows = "advice"', "beacon.coil[1].shows", "not_listed"),
        ("coil = 1", "coil = 0", "beacon.coil[2].coil", "beacon_coil_twice"),
        ("coil = 1", "coil = 8", "beacon.coil[2].coil", "between"),
        ("hold = 2.0", "hold = 90.0", "beacon.hold", "between"),
        ('bus = "io"\naddress = 3', 'bus = "oi"\naddress = 3', "beacon.bus", "no_bus"),
        ('bus = "io"\naddress = 3', "address = 3", "beacon", "missing_key"),
        ("address = 3", "address = 1", "beacon.address", "beacon_unit"),
        ("hold = 2.0", 'coupler = "watchdog"', "beacon", "beacon_hold"),
        ("hold = 2.0", 'coupler = "watchdog"\nhold = 5.0', "beacon.address", "beacon_unit"),
    ],
)
def test_what_a_machine_file_may_not_say_of_a_beacon(tmp_path: Path, old: str, new: str, key: str, code: str) -> None:
    assert old in BEACON
    found = codes(tmp_path, right(BEACON.replace(old, new, 1)))
    assert found.get(key) == code, found


def test_a_stream_or_ascii_carries_no_beacon(tmp_path: Path) -> None:
    other = '[[bus]]\nname = "x"\nframing = "ascii"\nport = "/dev/serial/by-id/x"\n'
    assert codes(tmp_path, right(other + BEACON.replace('bus = "io"', 'bus = "x"')))["beacon.bus"] == "beacon_framing"
    empty = BEACON[: BEACON.index("[[beacon.coil]]")]
    assert codes(tmp_path, right(empty))["beacon"] == "beacon_no_coil"


def test_a_right_beacon_is_read_and_a_replay_has_none(tmp_path: Path) -> None:
    path = written(tmp_path, right(BEACON))
    beacon = load(path).settings.beacon
    assert (beacon.bus, beacon.address, [coil.coil for coil in beacon.coil]) == ("io", 3, [0, 1])
    assert load(path, replay=True).settings.beacon == BeaconOptions()
    assert load(written(tmp_path, right(""))).settings.beacon.bus == ""
