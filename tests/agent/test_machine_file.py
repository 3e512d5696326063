"""What a right machine file gives, and mistakes that need more than the file to be seen. The sentences: test_machine_file_golden.py."""

from __future__ import annotations

import math
import os
import typing
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.machine_file import MachineFileError, for_replay, load
from agent.machine_file.decode import LIMITS
from agent.machine_file.line_time import bus_uses
from agent.machine_file.wires import renewal_of
from agent.paths import DataPaths
from agent.settings import MachineSettings, Role, SpindleOptions, ToolOptions
from agent.texts import Texts
from drivers.options import ChannelRoute, DeviceMap, Register, SourceOptions
from tests.support.house import ROOT
from tests.support.machine_files import RIGHT, SHOP, codes, written, wrong


def test_settings_of_a_right_file(tmp_path: Path) -> None:
    file = load(written(tmp_path, RIGHT), paths=SHOP)
    settings = file.settings
    assert (settings.machine.name, settings.machine.language, settings.spindle[0].rated_power) == ("lathe-03", "en", 11.0)
    assert settings.tool == (ToolOptions(number=4, name="ébauche", name_en="roughing", life_parts=150),)
    assert [bus.framing for bus in settings.bus] == ["tcp", "rtu", "cobs"]
    assert file.paths == SHOP
    assert set(file.maps) == {"plc", "drive", "accelerometer"}
    assert file.warnings == ()


def test_routes_lead_from_registers_to_channels_in_the_order_of_the_channels(tmp_path: Path) -> None:
    routes = load(written(tmp_path, RIGHT), paths=SHOP).routes
    assert routes[0] == ChannelRoute(channel="load", source="drive", register="load")
    assert [route.channel for route in routes] == [
        "load", "speed", "tool", "program", "part", "mode", "feed_override", "power_on", "section", "speed_override", "feed_hold",
        "single_block", "dry_run", "door", "z_load", "vibration_x", "vibration",
    ]  # fmt: skip


def test_a_channel_without_a_unit_has_that_of_its_register(tmp_path: Path) -> None:
    units = {channel.name: channel.unit for channel in load(written(tmp_path, RIGHT), paths=SHOP).settings.channel}
    assert units["load"] == "%"
    assert units["speed"] == "tr/min", "what the file says goes first"
    assert units["vibration"] == "g"
    assert units["tool"] == ""


def test_hold_may_be_without_end(tmp_path: Path) -> None:
    hold = {channel.name: channel.hold for channel in load(written(tmp_path, RIGHT), paths=SHOP).settings.channel}
    assert hold["tool"] == math.inf
    assert hold["load"] is None


def test_what_a_busy_control_leaves_out_holds_until_it_speaks_again(tmp_path: Path) -> None:
    text = """
[machine]
name = "m"
[[bus]]
name = "b"
framing = "mdc"
host = "10.0.0.1"
port = 5051
[[source]]
name = "s"
bus = "b"
device = "haas_mdc"
every = 0.5
"""
    for name, role in (("program", "program"), ("parts", "part"), ("mode", "mode"), ("tool", "tool")):
        text += f'[[channel]]\nname = "{name}"\nrole = "{role}"\nfrom = "s.{name}"\n'
    text += '[[channel]]\nname = "again"\nrole = "other"\nfrom = "s.program"\nhold = 7\n'
    hold = {channel.name: channel.hold for channel in load(written(tmp_path, text)).settings.channel}
    assert hold == {"program": math.inf, "parts": math.inf, "mode": None, "tool": None, "again": 7.0}


@pytest.mark.parametrize(
    ("text", "key", "header"),
    [
        ("channel = [1]\n", "channel[1]", "[[channel]]"),
        ("[beacon]\ncoil = [1]\n", "beacon.coil[1]", "[[beacon.coil]]"),
        ("[beacon]\ncoil = 1\n", "beacon.coil", "[[beacon.coil]]"),
        ("display = 5\n", "display", "[display]"),
    ],
)
def test_the_brackets_that_are_proposed_are_those_of_the_table(tmp_path: Path, text: str, key: str, header: str) -> None:
    mistakes = {mistake.key: mistake for mistake in wrong(written(tmp_path, f'{text}[machine]\nname = "m"\n'))}
    for language in ("fr", "en"):
        remedy = Texts.load(DataPaths.find(None), language).mistake(mistakes[key])[1]
        assert f"`{header}`" in remedy


def test_the_least_there_can_be(tmp_path: Path) -> None:
    file = load(written(tmp_path, '[machine]\nname = "m"\n'), paths=SHOP)
    assert file.settings.bus == ()
    assert file.settings.spindle[0].name == "S1"
    assert file.routes == ()


def test_a_replay_does_not_care_for_wires(tmp_path: Path) -> None:
    text = (
        RIGHT.replace('device = "plc"', 'device = "gone"')
        .replace("mqtt://", "mqtts://")
        .replace('framing = "tcp"', 'framing = "tcp"\nport = 0')
    )
    assert codes(tmp_path, text)
    file = load(written(tmp_path, text), paths=SHOP, replay=True)
    assert (file.settings.bus, file.settings.source, file.settings.broker, file.routes) == ((), (), (), ())
    assert {channel.source for channel in file.settings.channel} == {""}
    assert next(channel for channel in file.settings.channel if channel.name == "load").unit == "%"


def test_a_replay_still_cares_for_everything_else(tmp_path: Path) -> None:
    text = RIGHT.replace("1 per week", "rarely").replace('role = "spindle.load"', 'role = "spindle.lode"')
    assert codes(tmp_path, text, replay=True) == {"monitoring.false_alarms": "budget", "channel[1].role": "not_listed"}


def test_for_replay_keeps_how_long_a_value_may_stand(tmp_path: Path) -> None:
    settings = load(written(tmp_path, RIGHT.replace("every = 0.05", "every = 2.0")), paths=SHOP).settings
    hold = {channel.name: channel.hold for channel in for_replay(settings).channel}
    assert hold["load"] == 6.0, "three periods"
    assert hold["part"] == 1.0, "at least a second"
    assert hold["tool"] == math.inf, "as written"
    slow = [msgspec.structs.replace(channel, every=5.0) if channel.name in {"load", "tool"} else channel for channel in settings.channel]
    rare = {channel.name: channel.hold for channel in for_replay(msgspec.structs.replace(settings, channel=tuple(slow))).channel}
    assert rare == {**hold, "load": 15.0}, "three periods of its own"
    bare = MachineSettings(machine=settings.machine, channel=for_replay(settings).channel)
    assert for_replay(bare) == bare
    assert for_replay(settings).source == ()
    fed = msgspec.structs.replace(settings, source=(msgspec.structs.replace(settings.source[0], supply="machine"), *settings.source[1:]))
    assert for_replay(fed).source == fed.source
    assert [channel.source for channel in for_replay(fed).channel] == [channel.source for channel in settings.channel]
    assert for_replay(for_replay(fed)) == for_replay(fed)


@pytest.mark.parametrize("name", ["Europe", "../../etc/passwd", "/etc/passwd", "europe/paris x", "Mars/Olympus"])
def test_a_time_zone_that_is_none(tmp_path: Path, name: str) -> None:
    assert codes(tmp_path, f'[machine]\nname = "m"\ntimezone = "{name}"\n') == {"machine.timezone": "timezone"}


def test_a_system_without_time_zones_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    assert codes(tmp_path, '[machine]\nname = "m"\ntimezone = "Mars/Olympus"\n') == {}


def broker_with(password_file: str) -> str:
    return f'[machine]\nname = "m"\n[[broker]]\nurl = "mqtt://h"\nusername = "u"\npassword_file = "{password_file}"\n'


def test_a_password_that_only_its_owner_reads_is_found_beside_the_machine_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    file = load(written(tmp_path, broker_with("secret")), paths=SHOP)
    assert file.settings.broker[0].password_file == str(secret)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_password_that_others_read(tmp_path: Path, mode: int) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(mode)
    assert codes(tmp_path, broker_with("secret")) == {"broker[1].password_file": "password_open"}


def test_a_password_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir(mode=0o700)
    assert codes(tmp_path, broker_with("secret")) == {"broker[1].password_file": "password_unreadable"}


@pytest.mark.usefixtures("not_root")
def test_a_password_that_we_may_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0)
    assert codes(tmp_path, broker_with("secret")) == {"broker[1].password_file": "password_unreadable"}


@pytest.fixture
def not_root(tmp_path: Path) -> Iterator[None]:
    """Root may read everything: for this test we are somebody else."""
    if os.geteuid():
        yield
        return
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o777)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_password_in_the_address_is_not_repeated(tmp_path: Path) -> None:
    for url in ("mqtt://u:hunter2@h", "mqtts://u:hunter2@h", "http://u:hunter2@h", "mqtt://u:hunter2@h:99999"):
        mistakes = wrong(written(tmp_path, f'[machine]\nname = "m"\n[[broker]]\nurl = "{url}"\n'))
        assert mistakes
        assert "hunter2" not in Texts.load(DataPaths.find(None), "en").mistakes(mistakes)


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_the_machines_own_screen_needs_no_word(tmp_path: Path, bind: str) -> None:
    file = load(written(tmp_path, f"{RIGHT.replace('127.0.0.1', bind)}"), paths=SHOP)
    assert file.warnings == ()


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.168.0.3"])
def test_an_open_page_is_said(tmp_path: Path, bind: str) -> None:
    file = load(written(tmp_path, RIGHT.replace("127.0.0.1", bind)), paths=SHOP)
    assert [(warning.key, warning.code) for warning in file.warnings] == [("display.bind", "bind_public")]


def test_what_stands_wrong_in_one_table_is_not_missing_in_another(tmp_path: Path) -> None:
    """A bus whose baud rate is wrong is still there; a channel with a wrong role still has its source."""
    text = RIGHT.replace("baud = 115200", 'baud = "fast"').replace('role = "spindle.load"', 'role = "loud"')
    assert codes(tmp_path, text) == {"bus[2].baud": "type_text", "channel[1].role": "not_listed"}


def test_a_slip_of_syntax_hides_neither_the_next_nor_calls_missing_what_it_swallowed(tmp_path: Path) -> None:
    text = RIGHT.replace('name = "drive"\nframing', "name = drive\nframing").replace("every = 0.05", "every = 0,05")
    text = text.replace('kind = "lathe"', 'kind = "late"')
    assert [m.code for m in wrong(written(tmp_path, text))] == ["not_listed", "syntax_quotes_none", "syntax_decimal_comma"]


@pytest.mark.parametrize("path", ["config/demo.toml", "config/machines/lathe.toml", "config/machines/mill.toml"])
def test_what_ships_is_right(path: str) -> None:
    file = load(ROOT / path)
    assert [route.channel for route in file.routes] == [channel.name for channel in file.settings.channel]


def test_the_demo_machine_is_the_one_that_was_agreed() -> None:
    file = load(ROOT / "config" / "demo.toml")
    settings = file.settings
    assert (settings.machine.name, settings.machine.site, settings.machine.area) == ("tour-03", "atelier", "tournage")
    assert [(tool.number, tool.name, tool.name_en) for tool in settings.tool] == [
        (1, "chariotage", "turning"),
        (2, "gorge", "groove"),
        (4, "ébauche", "roughing"),
    ]
    assert [(bus.name, bus.framing, bus.port) for bus in settings.bus] == [
        ("machine", "tcp", 0),
        ("drive", "rtu", "demo"),
        ("vibration", "cobs", "demo"),
    ]
    assert {source.name: (source.bus, source.device, source.address, source.every) for source in settings.source} == {
        "lathe": ("machine", "simulated_lathe", 1, 0.1),
        "drive": ("drive", "simulated_drive", 2, 0.05),
        "vibration": ("vibration", "simulated_vibration", 1, 0.1),
    }
    missing = {"cost_axis_load", "cost_single_block", "cost_dry_run"}  # what the simulated lathe does not say
    assert {warning.code for warning in file.warnings} == {"placeholder", *missing}


def test_line_time_of_the_shortest_question(tmp_path: Path) -> None:
    """One register at 9600 8E1: 8 characters out, 7 back, 11 bits each, and twice 3.5 characters of silence."""
    text = """
[machine]
name = "m"
[[bus]]
name = "b"
framing = "rtu"
port = "/dev/x"
baud = 9600
[[source]]
name = "s"
bus = "b"
device = "plc"
every = 0.1
[[channel]]
name = "tool"
role = "tool"
from = "s.tool"
"""
    file = load(written(tmp_path, text), paths=SHOP)
    (use,) = bus_uses(file.settings, file.maps, file.routes)
    assert use.share == pytest.approx((8 + 7 + 7) * 11 / 9600 / 0.1)
    assert [(request.address, request.count) for request in use.sources[0].requests] == [(10, 1)]


@pytest.mark.parametrize(
    ("framing", "where", "share"),
    [
        ("rtu_tcp", 'host = "192.168.0.7"', (8 + 7 + 7) * 11 / 9600 / 0.2),
        ("ascii", 'port = "/dev/x"', (17 + 15 + 7) * 10 / 9600 / 0.2),
    ],
)
def test_line_time_of_other_framings(tmp_path: Path, framing: str, where: str, share: float) -> None:
    """ASCII: 17 characters out, 15 back, 10 bits each (7E1)."""
    text = f"""
[machine]
name = "m"
[[bus]]
name = "b"
framing = "{framing}"
{where}
baud = 9600
[[source]]
name = "s"
bus = "b"
device = "plc"
every = 0.2
gap = 0.0
[[source]]
name = "t"
bus = "b"
device = "plc"
address = 2
every = 0.2
gap = 0.05
[[channel]]
name = "tool"
role = "tool"
from = "s.tool"
[[channel]]
name = "other"
role = "other"
from = "t.tool"
"""
    file = load(written(tmp_path, text), paths=SHOP)
    (use,) = bus_uses(file.settings, file.maps, file.routes)
    silence = 3.5 * (10 if framing == "ascii" else 11) / 9600
    assert use.share == pytest.approx(2 * share + (0.05 - silence) / 0.2)


def test_seven_data_bits_carry_text_alone(tmp_path: Path) -> None:
    text = """
[machine]
name = "m"
[[bus]]
name = "b"
framing = "{framing}"
port = "/dev/x"
databits = 7
"""
    load(written(tmp_path, text.format(framing="ascii")), paths=SHOP)
    load(written(tmp_path, text.format(framing="mdc")), paths=SHOP)
    with pytest.raises(MachineFileError) as caught:
        load(written(tmp_path, text.format(framing="rtu")), paths=SHOP)
    assert [(mistake.code, mistake.line) for mistake in caught.value.mistakes] == [("databits", 8)]


def test_what_keeps_off_from_being_told_is_said(tmp_path: Path) -> None:
    text = """
[machine]
name = "m"
[[bus]]
name = "b"
framing = "tcp"
host = "10.0.0.1"
[[bus]]
name = "c"
framing = "tcp"
host = "10.0.0.2"
[[source]]
name = "s"
bus = "b"
device = "plc"
supply = "machine"
[[source]]
name = "t"
bus = "{bus}"
device = "plc"
address = 2
supply = "{supply}"
[[channel]]
name = "tool"
role = "tool"
from = "s.tool"
[[channel]]
name = "other"
role = "other"
from = "t.tool"
[[channel]]
name = "speed"
role = "{role}"
from = "s.section"
"""

    def warned(bus: str, supply: str, role: str = "spindle.speed") -> set[str]:
        file = load(written(tmp_path, text.format(bus=bus, supply=supply, role=role)), paths=SHOP)
        return {warning.code for warning in file.warnings}

    assert "supply_one_bus" in warned("b", "machine")
    assert "supply_one_bus" not in warned("b", "own"), "what answers on the same cable tells them apart"
    assert "supply_one_bus" not in warned("c", "machine")
    assert "cost_power_on" not in warned("c", "machine")
    assert "supply_no_speed" not in warned("c", "machine")
    assert "supply_no_speed" in warned("c", "machine", "other"), "nothing says that the spindle stands"


def test_a_source_renews_its_values_as_the_file_says_or_as_its_map_knows() -> None:
    source = SourceOptions(name="s", bus="b", device="d")
    map_ = DeviceMap(name="d", update=10.0, registers=(Register(name="r"),))
    assert renewal_of(source, {"d": map_}) == 10.0
    assert renewal_of(msgspec.structs.replace(source, update=2.0), {"d": map_}) == 2.0
    assert renewal_of(source, {"d": msgspec.structs.replace(map_, update_verified=False)}) is None, "a guess"
    assert renewal_of(source, {"d": msgspec.structs.replace(map_, registers=(Register(name="r", update=1.0),))}) is None
    assert renewal_of(source, {}) is None


def test_limits_belong_to_keys_that_exist() -> None:
    tables = {field.name: field.type for field in msgspec.structs.fields(MachineSettings)}
    tables["bearings"] = {field.name: field.type for field in msgspec.structs.fields(SpindleOptions)}["bearings"]
    for table, key in LIMITS:
        struct = typing.get_args(tables[table])[0] if typing.get_origin(tables[table]) is tuple else tables[table]
        assert key in {field.encode_name for field in msgspec.structs.fields(struct)}


def test_every_key_is_documented() -> None:
    text = (ROOT / "docs" / "machine-file.md").read_text(encoding="utf-8")
    for field in msgspec.structs.fields(MachineSettings):
        struct = typing.get_args(field.type)[0] if typing.get_origin(field.type) is tuple else field.type
        assert f"`[[{field.name}]]`" in text or f"`[{field.name}]`" in text
        for key in msgspec.structs.fields(struct):
            assert f"`{key.encode_name}`" in text, f"{field.name}.{key.encode_name}"
    for role in typing.get_args(Role):
        assert f"`{role}`" in text, role


def test_an_empty_list_of_spindles_is_as_good_as_none(tmp_path: Path) -> None:
    assert load(written(tmp_path, 'spindle = []\n[machine]\nname = "m"\n'), paths=SHOP).settings.spindle[0].name == "S1"
