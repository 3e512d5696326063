"""What is proposed where a bus cannot carry what is asked: it fits, and it is near."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent.__main__ import main
from agent.machine_file import MachineFileError, load
from agent.machine_file.fit import TIGHT, faster, slower
from agent.machine_file.line_time import bus_use
from agent.paths import DataPaths
from agent.texts import Texts
from drivers.options import BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from tests.support.machine_files import SHOP, written


@st.composite
def a_full_bus(draw: st.DrawFn) -> tuple[BusOptions, list[SourceOptions], dict[str, DeviceMap], list[ChannelRoute]]:
    bus = BusOptions(name="b", framing="rtu", baud=draw(st.sampled_from((1200, 9600, 19200, 115200))), parity="E")
    maps, sources, routes = {}, [], []
    for i in range(draw(st.integers(1, 5))):
        addresses = draw(st.sets(st.integers(0, 60), min_size=1, max_size=5))
        registers = tuple(Register(name=f"r{a}", address=a) for a in sorted(addresses))
        maps[f"d{i}"] = DeviceMap(
            name=f"d{i}", registers=registers, max_count=draw(st.integers(1, 20)), delay=draw(st.sampled_from((0.0, 0.01)))
        )
        every = draw(st.sampled_from((0.01, 0.05, 0.1, 1.0)))
        sources.append(SourceOptions(name=f"s{i}", bus="b", device=f"d{i}", address=i + 1, every=every))
        for register in registers:
            own = draw(st.sampled_from((None, None, every * 10)))
            routes.append(ChannelRoute(channel=f"{i}{register.name}", source=f"s{i}", register=register.name, every=own))
    return bus, sources, maps, routes


@settings(max_examples=60)
@given(a_full_bus())
def test_what_is_proposed_fits_and_a_little_faster_does_not(
    case: tuple[BusOptions, list[SourceOptions], dict[str, DeviceMap], list[ChannelRoute]],
) -> None:
    bus, sources, maps, routes = case
    use = bus_use(bus, sources, maps, routes)
    assert use.share is not None
    assume(use.share > 1.0)

    def share(periods: dict[str, float]) -> float:
        slowed = [
            SourceOptions(name=s.name, bus="b", device=s.device, address=s.address, every=periods.get(s.name, s.every)) for s in sources
        ]
        own = [
            ChannelRoute(
                channel=r.channel, source=r.source, register=r.register, every=r.every and max(r.every, periods.get(r.source, 0.0))
            )
            for r in routes
        ]
        found = bus_use(bus, slowed, maps, own).share
        assert found is not None
        return found

    proposed = slower(use, maps, routes)
    assert proposed
    assert share(proposed) <= TIGHT
    assert all(every > next(s.every for s in sources if s.name == name) for name, every in proposed.items())
    if not any(route.every for route in routes):
        assert share({name: every * 0.9 for name, every in proposed.items()}) > 0.9 * TIGHT
    baud = faster(use, maps, routes)
    if baud is not None:
        assert baud > bus.baud
        again = bus_use(BusOptions(name="b", framing="rtu", baud=baud, parity="E"), sources, maps, routes).share
        assert again is not None
        assert again <= TIGHT


TEXT = """
[machine]
name = "m"
[[bus]]
name = "b"
framing = "rtu"
port = "/dev/serial/by-id/usb-x"
baud = {baud}
[[source]]
name = "drive"
bus = "b"
device = "drive"
every = {every}
[[channel]]
name = "load"
role = "spindle.load"
from = "drive.load"
[[channel]]
name = "speed"
role = "spindle.speed"
from = "drive.speed"
{more}
"""


def test_a_file_that_cannot_be_carried_is_refused_and_what_it_is_told_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(MachineFileError) as caught:
        load(written(tmp_path, TEXT.format(baud=9600, every=0.02, more="")), paths=SHOP)
    (mistake,) = caught.value.mistakes
    assert mistake.code == "bus_full_or_baud"
    assert mistake.values == {
        "name": "b", "percent": pytest.approx(148.96, abs=0.1), "periods": "drive 0.0426 s", "channels": "", "baud": "38400",
    }  # fmt: skip
    for baud, every in ((9600, 0.0426), (38_400, 0.02)):
        file = load(written(tmp_path, TEXT.format(baud=baud, every=every, more="")), paths=SHOP)
        assert not {warning.code for warning in file.warnings} & {"bus_full", "bus_tight"}


@pytest.mark.parametrize(("baud", "code"), [(9600, "bus_full_or_baud"), (230_400, "bus_full")])
def test_a_plan_names_the_channels_that_must_be_slower_too_and_is_accepted_as_it_is_printed(baud: int, code: str, tmp_path: Path) -> None:
    """A period of the channel's own goes before that of its source."""
    own = '[[channel]]\nname = "torque"\nrole = "other"\nfrom = "drive.torque"\nevery = {fast}\n'
    own += '[[channel]]\nname = "slow"\nrole = "other"\nfrom = "drive.speed"\nevery = 60'
    fast, gap = (0.02, "") if baud == 9600 else (0.005, "\ngap = 0.01")  # what no baud rate shortens
    with pytest.raises(MachineFileError) as caught:
        load(written(tmp_path, TEXT.format(baud=baud, every=f"{fast}{gap}", more=own.format(fast=fast))), paths=SHOP)
    (mistake,) = caught.value.mistakes
    assert mistake.code == code
    for language, word in (("en", "channels"), ("fr", "voies")):
        remedy = Texts.load(DataPaths.find(None), language).mistake(mistake)[1]
        said = re.search(rf"of drive (\S+) s, and of the {word} torque (\S+) s[.;]|de drive (\S+) s, et des {word} torque (\S+) s", remedy)
        assert said is not None, remedy
        source, channel = (word for word in said.groups() if word)
        file = load(written(tmp_path, TEXT.format(baud=baud, every=f"{source}{gap}", more=own.format(fast=channel))), paths=SHOP)
        assert not {warning.code for warning in file.warnings} & {"bus_full", "bus_tight"}
        with pytest.raises(MachineFileError):
            load(written(tmp_path, TEXT.format(baud=baud, every=f"{source}{gap}", more=own.format(fast=fast))), paths=SHOP)


def test_a_slow_register_costs_next_to_nothing(tmp_path: Path) -> None:
    slow = '[[channel]]\nname = "torque"\nrole = "other"\nfrom = "drive.torque"\nevery = 5'
    file = load(written(tmp_path, TEXT.format(baud=9600, every=0.05, more=slow)), paths=SHOP)
    route = file.routes[-1]
    assert (route.register, route.every) == ("torque", 5.0)
    assert {c.name: c.hold for c in file.settings.channel} == {"load": None, "speed": None, "torque": 15.0}
    (use,) = [bus_use(file.settings.bus[0], file.settings.source, file.maps, file.routes)]
    assert [(r.address, r.count, r.every) for r in use.sources[0].requests] == [(0, 3, 0.05), (4, 1, 5.0)]


MAPS = """
[machine]
name = "m"
[[spindle]]
name = "S1"
[[bus]]
name = "b"
framing = "rtu"
port = "/dev/serial/by-id/usb-x"
[[source]]
name = "drive"
bus = "b"
device = "siemens_g120"
every = 0.1
[[source]]
name = "meter"
bus = "b"
device = "eastron_sdm630"
address = 2
every = 0.5
{update}
[[channel]]
name = "load"
role = "spindle.load"
from = "drive.power"
rated_channel = "rated"
[[channel]]
name = "rated"
role = "other"
from = "drive.rated_power"
every = 60
[[channel]]
name = "x"
role = "axis.load"
from = "meter.power"
rated = 3000
"""


def test_maps_that_ship_in_a_machine_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every period is planned by itself and printed; a guessed update period is told until it is measured."""
    path = written(tmp_path, MAPS.format(update=""))
    assert main(["check", str(path), "--lang", "en"]) == 0
    out = capsys.readouterr().out
    for said in (
        "drive: siemens_g120, address 1, 1 read every 0.1 s: holding 346–346",
        "drive: siemens_g120, address 1, 1 read every 60 s: holding 319–319",
        "meter: eastron_sdm630, address 2, 1 read every 0.5 s: input 52–53",
        "load: kW over channel rated = %",
        "that `eastron_sdm630` updates every 1 s is a guess",
    ):
        assert said in out.replace("\xa0", " ").replace("\u202f", " ")
    file = load(written(tmp_path, MAPS.format(update="update = 0.75")))
    assert "update_guessed" not in {warning.code for warning in file.warnings}
    assert {c.name: c.hold for c in file.settings.channel} == {"load": None, "rated": 180.0, "x": 2.25}


def test_a_drive_that_must_not_be_asked_is_refused_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, MAPS.format(update="").replace("siemens_g120", "huanyang_hy"))
    assert main(["check", str(path), "--lang", "fr"]) == 1
    french = capsys.readouterr().out.translate({0xA0: " ", 0x202F: " ", 0x2019: "'"})
    assert "une lecture Modbus peut le commander" in french
    assert "L'enlever de ce bus. Il a des trames RTU avec ses propres codes de fonction : 01 lit un paramètre" in french
    assert "Prendre sa charge sur un compteur de son alimentation" in french
    assert main(["check", str(path), "--lang", "en"]) == 1
    english = capsys.readouterr().out
    assert "Take it off this bus. It has RTU frames with its own function codes: 01 reads a parameter" in english
    assert "Take its load from a meter on its supply" in english
    assert "paramètre" not in english
