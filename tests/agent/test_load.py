"""Which derivation a load takes, what it makes of values, and that nothing that is judged depends on it."""

from __future__ import annotations

import io
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.load import Basis, Derivation, Loads, basis, derivation, share_of_rated, shown_unit, torque_limit
from agent.machine_file import MachineFile, load
from agent.paths import DataPaths
from agent.replay import replay
from agent.settings import ChannelOptions, SpindleOptions
from agent.texts import Texts
from agent.timeline import Rows, Timeline
from drivers.model import Quality, Readings
from drivers.recording import read
from tests.support.house import ROOT
from tests.support.machine_files import SHOP, codes, written, wrong

S1 = (SpindleOptions(name="S1", rated_power=11.0),)


@pytest.mark.parametrize(
    ("channel", "right", "unit"),
    [
        ({"unit": "%"}, Derivation("percent"), "%"),
        ({"unit": "kW"}, Derivation("power", 11.0), "%"),
        ({"unit": "W"}, Derivation("power", 11_000.0), "%"),
        ({"unit": "kW", "rated": 7.5}, Derivation("power", 7.5), "%"),
        ({"unit": "A", "rated": 24.0}, Derivation("current", 24.0), "%"),
        ({"unit": "A", "rated_channel": "ith"}, Derivation("current", None, "ith"), "%"),
        ({"unit": "Nm", "rated": 70.0}, Derivation("torque", 70.0), "%"),
        ({"unit": "A"}, Derivation("current"), "A"),
        ({"unit": "raw"}, Derivation("own"), "raw"),
        ({"unit": "raw", "rated": 1000.0}, Derivation("own", 1000.0), "%"),
        ({"unit": "kW", "role": "axis.load"}, Derivation("power"), "kW"),
        ({"unit": "kW", "role": "other"}, None, "kW"),
    ],
)
def test_which_derivation(channel: dict[str, str], right: Derivation | None, unit: str) -> None:
    options = ChannelOptions(**{"name": "load", "role": "spindle.load", **channel})  # type: ignore[arg-type]
    assert derivation(options, S1) == right
    assert shown_unit(options, S1) == unit


def test_the_rated_power_is_that_of_its_own_spindle() -> None:
    spindles = (*S1, SpindleOptions(name="S2", rated_power=5.5), SpindleOptions(name="S3"))
    powers = [derivation(ChannelOptions(name="l", role="spindle.load", unit="kW", spindle=s), spindles) for s in ("", "S2", "S3")]
    assert [how.rated for how in powers if how is not None] == [11.0, 5.5, None]


@pytest.mark.parametrize(
    ("saved", "now", "right"),
    [
        (Basis("kW"), Basis("kW"), True),
        (Basis("%", 7.5), Basis("%", 7.5), True),
        (Basis("%", channel="rated"), Basis("%", channel="rated"), True),
        (Basis("kW"), Basis("%", 7.5), False),
        (Basis("%", 7.5), Basis("kW"), False),
        (Basis("%", 7.5), Basis("%", 5.5), False),
        (Basis("%", 7.5), Basis("%", channel="rated"), False),
        (Basis("%"), Basis("%", 7.5), False),
        (Basis("kW"), Basis("W"), False),
        (None, Basis("kW"), True),
        (None, Basis("%"), True),
        (None, Basis("%", 7.5), False),
        (None, Basis("%", channel="rated"), False),
    ],
)
def test_what_was_learned_holds_on_the_same_basis_only(saved: Basis | None, now: Basis, right: bool) -> None:
    assert now.takes_over(saved) is right


def test_basis_of_a_channel() -> None:
    spindles = (SpindleOptions(name="S1", rated_power=7.5),)
    assert basis(ChannelOptions(name="p", role="spindle.load", unit="W"), spindles) == Basis("%", 7500.0)
    assert basis(ChannelOptions(name="p", role="axis.load", unit="kW"), spindles) == Basis("kW")
    assert basis(ChannelOptions(name="p", role="axis.load", unit="A", rated_channel="i"), spindles) == Basis("%", None, "i")


def test_share_of_rated() -> None:
    assert share_of_rated(5.5, 11.0) == 50.0
    assert math.isnan(share_of_rated(5.5, 0.0))


@given(st.floats(1.0, 20_000.0), st.floats(1.0, 20_000.0))
def test_the_power_at_the_torque_limit_never_exceeds_that_at_base_speed(speed: float, base: float) -> None:
    limit = torque_limit(speed, base)
    assert 0.0 < limit <= 1.0
    assert limit * speed <= base * (1 + 1e-12) or speed <= base
    assert limit == torque_limit(-speed, base)
    assert (limit == 1.0) == (speed <= base)


def test_columns() -> None:
    channels = (
        ChannelOptions(name="kw", role="spindle.load", unit="kW", rated=10.0),
        ChannelOptions(name="amps", role="axis.load", unit="A", rated_channel="ith"),
        ChannelOptions(name="ith", role="other", unit="A"),
        ChannelOptions(name="speed", role="spindle.speed", unit="rpm"),
    )
    loads = Loads(channels, (), {c.name: i for i, c in enumerate(channels)})
    nan, good, bad = math.nan, Quality.GOOD, Quality.BAD
    values = np.array([[5.0, 6.0, 24.0, 900.0], [nan, 6.0, nan, 900.0], [1.0, 6.0, 0.0, 900.0], [1.0, 12.0, 24.0, 900.0]])
    marks = np.array(
        [[good] * 4, [bad, good, Quality.UNAVAILABLE, good], [good] * 4, [good, Quality.UNCERTAIN, good, good]], dtype=np.uint8
    )
    out, quality = loads.derive(values, marks)
    assert out[:, 0].tolist()[:1] + out[2:, 0].tolist() == [50.0, 10.0, 10.0]
    assert out[0, 1] == 25.0
    assert out[3, 1] == 50.0
    assert np.isnan(out[1:3, 1]).all()
    assert quality[:, 1].tolist() == [good, Quality.UNAVAILABLE, bad, Quality.UNCERTAIN]
    assert (out[:, 3] == 900.0).all()
    assert values[0, 0] == 5.0, "what was read is not touched"


def test_a_denominator_that_nobody_reads_leaves_no_load() -> None:
    channels = (ChannelOptions(name="amps", role="spindle.load", unit="A", rated_channel="ith"),)
    out, quality = Loads(channels, (), {"amps": 0}).derive(np.array([[6.0]]), np.zeros((1, 1), dtype=np.uint8))
    assert np.isnan(out).all()
    assert quality.tolist() == [[Quality.UNAVAILABLE]]


def test_a_denominator_that_is_read_holds_as_long_as_it_may() -> None:
    channels = (
        ChannelOptions(name="amps", role="spindle.load", unit="A", rated_channel="ith"),
        ChannelOptions(name="ith", role="other", unit="A"),
    )
    timeline = Timeline(channels, 0.0, (1.0, 180.0))
    good = np.zeros((1, 1), dtype=np.uint8)
    for time, name, value in ((0.0, "amps", 6.0), (0.5, "ith", 24.0), (1.0, "amps", 12.0), (100.0, "amps", 3.0), (300.0, "amps", 3.0)):
        timeline.push(Readings(name, (name,), np.array([time]), np.array([[value]]), good))
    rows = [item for item in timeline.release(all_of_it=True) if isinstance(item, Rows)]
    assert np.vstack([r.values for r in rows])[:, 0].tolist() == pytest.approx([math.nan, 25.0, 50.0, 12.5, math.nan], nan_ok=True)


FILE = """
[machine]
name = "m"
[[spindle]]
name = "S1"
base_speed = 1500
{spindle}
[[bus]]
name = "b"
framing = "rtu"
port = "/dev/serial/by-id/usb-x"
[[source]]
name = "meter"
bus = "b"
device = "meter"
every = 0.5
[[source]]
name = "drive"
bus = "b"
device = "drive"
address = 2
[[channel]]
name = "load"
role = "spindle.load"
from = "{source}"
{more}
"""


def machine(source: str = "meter.power", more: str = "", spindle: str = "") -> str:
    return FILE.format(source=source, more=more, spindle=spindle)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (machine("drive.load", "rated = 5"), {"channel[1].rated": "rated_percent"}),
        (
            machine(more='rated = 5\nrated_channel = "r"\n' + '[[channel]]\nname = "r"\nrole = "other"'),
            {"channel[1].rated_channel": "rated_twice"},
        ),
        (machine(more='rated_channel = "lod"'), {"channel[1].rated_channel": "rated_no_channel"}),
        (machine(more='rated_channel = "load"'), {"channel[1].rated_channel": "rated_no_channel"}),
        (
            machine(more='rated_channel = "speed"\n[[channel]]\nname = "speed"\nrole = "spindle.speed"\nfrom = "drive.speed"'),
            {"channel[1].rated_channel": "rated_unit"},
        ),
        (machine(more='[[channel]]\nname = "t"\nrole = "other"\nrated = 3\nfrom = "drive.speed"'), {"channel[2].rated": "rated_role"}),
        (machine(more="rated = 0"), {"channel[1].rated": "between"}),
    ],
)
def test_a_denominator_that_cannot_be(tmp_path: Path, text: str, wrong: dict[str, str]) -> None:
    assert codes(tmp_path, text) == wrong


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('rated_channel = "lod"', "there is no other channel `lod`\n    Add a channel"),
        ('rated_channel = "load"', "there is no other channel `load`\n    Add a channel"),
        ('rated_channel = "ratd"\n[[channel]]\nname = "rated"\nrole = "other"', '\n    Did you mean "rated"? Add a channel'),
        ("rated = 0", "\n    From 1e-06 to 1,000,000,000."),
    ],
)
def test_what_helps_is_said_once_and_can_be_typed(tmp_path: Path, more: str, said: str) -> None:
    told = Texts.load(DataPaths.find(None), "en").mistakes(wrong(written(tmp_path, machine(more=more))))
    assert said in told
    assert told.count("Did you mean") == said.count("Did you mean")


def test_a_load_without_one_is_worth_a_word_and_no_more(tmp_path: Path) -> None:
    def said(text: str) -> set[str]:
        return {warning.code for warning in load(written(tmp_path, text), paths=SHOP).warnings}

    assert "load_relative" in said(machine())
    assert "load_relative" not in said(machine(more="rated = 7.5"))
    assert "load_relative" not in said(machine(spindle="rated_power = 11"))
    assert "load_relative" not in said(machine("drive.load"))


def test_check_names_the_derivation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from agent.__main__ import main

    (tmp_path / "devices").symlink_to(ROOT / "tests" / "golden" / "machine_file" / "_shop" / "devices")
    path = str(written(tmp_path, machine(spindle="rated_power = 11")))
    assert main(["check", path, "--lang", "en"]) == 0
    out = capsys.readouterr().out.replace("\xa0", " ").replace("\u202f", " ")
    assert "load: kW over 11 kW = %" in out
    assert "50% at 3,000 rpm" in out
    assert main(["check", path, "--lang", "fr"]) == 0
    assert "sur 11 kW" in capsys.readouterr().out.replace("\u202f", " ").replace("\xa0", " ")


@pytest.mark.parametrize("denominator", ["rated = 12.5", ""])
def test_cuts_and_alerts_are_the_same_in_kw_and_in_percent_of_it(tmp_path: Path, denominator: str) -> None:
    """The golden replay, in percent and in kW of a spindle of 12.5 kW: the same cuts and alerts at the same times, with a denominator and
    without one. With one they are the same to the last digit that is written."""
    golden = ROOT / "tests" / "golden" / "replay"
    recording = tmp_path / "recording"
    recording.mkdir()
    head, *rows = (golden / "recording" / "rows.csv").read_text(encoding="utf-8").splitlines()
    cells = [row.split(",") for row in rows]
    kw = [",".join((time, repr(float(value) / 8.0) if value else "", *rest)) for time, value, *rest in cells]
    (recording / "rows.csv").write_text("\n".join([head, *kw]) + "\n", encoding="utf-8")
    shutil.copy(golden / "recording" / "recording.toml", recording)
    text = (golden / "machine.toml").read_text(encoding="utf-8")
    text = text.replace('role = "spindle.load"\nunit = "%"', f'role = "spindle.load"\nunit = "kW"\n{denominator}')

    def told(machine: MachineFile, rows: Path) -> list[dict[str, object]]:
        out = io.StringIO()
        replay(read(rows), machine, Texts.load(machine.paths, "en"), ("cut", "alert"), out)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    right = told(load(golden / "machine.toml", replay=True), golden / "recording")
    found = told(load(written(tmp_path, text), replay=True), recording)
    keys = ("time", "noun", "kind", "severity", "transition", "operation", "tool", "channel")
    assert [[row[key] for key in keys] for row in found] == [[row[key] for key in keys] for row in right]
    assert len(right) > 20
    if denominator:
        assert found == right
