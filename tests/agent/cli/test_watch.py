"""`broche watch`: the table against the simulated shop behind real wires, on a terminal and elsewhere."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from agent.cli import CommandError, dispatch
from agent.cli._board import Board, Changes
from agent.cli._ports import taken
from agent.cli._watch_page import page, raw_text, wire
from agent.machine_file import load
from agent.paths import DataPaths
from agent.texts import Texts
from drivers.health import BusHealth, DeviceHealth
from drivers.model import Quality, Readings, Waveform, lost_row
from drivers.options import BusOptions
from drivers.polled import RawWords
from tests.support.agent_process import environment, machine_file, warm
from tests.support.house import ROOT
from tests.support.machine_files import written
from tests.support.shop import ShopProcess, shop_process

SECONDS = 60.0

POLLED = """
[machine]
name = "m"
[[bus]]
name = "b"
framing = "tcp"
host = "127.0.0.1"
port = 1
[[source]]
name = "drive"
bus = "b"
device = "simulated_drive"
[[source]]
name = "control"
bus = "b"
device = "simulated_lathe"
address = 2
[[channel]]
name = "load"
role = "spindle.load"
from = "drive.load"
[[channel]]
name = "mode"
role = "mode"
from = "control.mode"
"""


def words(*more: str) -> list[str]:
    return [sys.executable, "-P", "-m", "agent", "watch", *more]


def watched(*more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words(*more), env=environment(), cwd="/", capture_output=True, text=True, timeout=SECONDS, check=False)


def devices(line: str) -> dict[str, dict[str, Any]]:
    return {device["source"]: device for bus in json.loads(line)["buses"] for device in bus["devices"]}


@pytest.fixture(scope="module")
def shop() -> Iterator[ShopProcess]:
    with shop_process("--faults", "none", "--seed", "3") as running:
        yield running


@pytest.fixture
def machine(shop: ShopProcess, tmp_path: Path) -> Path:
    """The drive on its pty and the control over TCP. Nobody is lost because this machine is busy."""
    drive, control = json.dumps(shop.ready["rtu"]["port"]), shop.ready["tcp"]["port"]
    text = (
        POLLED.replace('name = "b"', 'name = "b"\ntimeout = 10.0').replace("port = 1\n", f"port = {control}\n").replace("address = 2", "")
    )
    text = text.replace('bus = "b"\ndevice = "simulated_drive"', 'bus = "line"\naddress = 2\ndevice = "simulated_drive"')
    text += f'[[bus]]\nname = "line"\nframing = "rtu"\nparity = "N"\ntimeout = 10.0\nport = {drive}\n'
    return written(tmp_path, text)


# ------------------------------------------------------------------ the update period
@pytest.mark.parametrize("update", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("poll", [0.02, 0.05, 0.1])
def test_update_period_of_a_device_that_renews_its_value_slower_than_it_is_read(update: float, poll: float) -> None:
    draw = np.random.default_rng(5)
    seen = Changes()
    time = 0.0
    while time < 60.0:
        # Every tenth update happens to give the same value again.
        number = int(time / update)
        seen.seen(number - (number % 10 == 9), time)
        time += poll * (1.0 + 0.2 * draw.uniform(-1.0, 1.0))
    assert seen.period is not None
    assert not seen.period.fast
    assert seen.period.seconds == pytest.approx(update, abs=1.2 * poll)


def test_a_value_that_is_new_at_each_reading_gives_an_upper_bound_and_one_that_stands_none() -> None:
    fast, still = Changes(), Changes()
    for i in range(40):
        fast.seen(i, 0.1 * i)
        still.seen(7, 0.1 * i)
    assert fast.period is not None
    assert fast.period.fast
    assert fast.period.seconds == pytest.approx(0.1)
    assert still.period is None


def test_a_gap_is_no_update() -> None:
    seen = Changes()
    for i in range(20):
        seen.seen(i, float(i))
        seen.broken()
    assert seen.period is None


# ------------------------------------------------------------------ the table
def test_raw_beside_scaled_word_and_what_is_lost(tmp_path: Path) -> None:
    file = load(written(tmp_path, POLLED))
    board = Board(file)
    buses = {bus.name: bus for bus in file.settings.bus}
    health = (
        BusHealth(
            bus="b",
            state="open",
            since=0.0,
            opened=1,
            devices=(
                DeviceHealth(source="drive", unit=1, state="ok", since=0.0, answers=3, latency=0.004, timeout=0.05, stale_replies=7),
                DeviceHealth(source="control", unit=2, state="offline", since=0.0, error="no_answer"),
            ),
        ),
    )
    texts = Texts.load(DataPaths((ROOT / "config",)), "fr")
    assert not board.told(["drive", "control"])
    board.take_raw(RawWords("drive", 10.0, {"load": (65413,)}))
    board.take(Readings("drive", ("load",), np.array([10.0]), np.array([[-12.3]]), np.zeros((1, 1), np.uint8), ("AUTOMATIC",)))
    board.take_raw(RawWords("control", 10.0, {"mode": (1,)}))
    board.take(Readings("control", ("mode",), np.array([10.0]), np.array([[-1.0]]), np.zeros((1, 1), np.uint8), ("AUTOMATIC",)))
    assert board.good
    assert board.told(["drive", "control"])
    lines = "\n".join(page(board, health, buses, 12.5, texts)).replace("\u202f", " ").replace("\u00a0", " ")
    assert re.search(r"load +drive\.load +65413 = FF85 +−12,3 % +bonne +2,5 s", lines), lines
    assert re.search(r"mode +control\.mode +1 = 0001 +AUTOMATIC +bonne", lines), lines
    assert "réponses en retard 7" in lines
    assert "L’appareil ne répond pas." in lines
    board.take(lost_row("drive", ("load",), 13.0))
    assert not board.good
    lines = "\n".join(page(board, health, buses, 14.0, texts)).replace("\u202f", " ").replace("\u00a0", " ")
    assert re.search(r"load +drive\.load +– +– +indisponible +4,0 s", lines), lines


def test_rms_of_a_block_leaves_gravity_out(tmp_path: Path) -> None:
    text = POLLED.replace('framing = "tcp"\nhost = "127.0.0.1"\nport = 1', 'framing = "cobs"\nport = "/dev/serial/by-id/x"\nbaud = 921600')
    text = text[: text.index('[[source]]\nname = "control"')].replace("simulated_drive", "simulated_vibration")
    file = load(written(tmp_path, text + '[[channel]]\nname = "v"\nrole = "vibration"\nfrom = "drive.xyz"\n'))
    board = Board(file)
    samples = np.array([[1000, 3, 0], [1000, -3, 0]] * 8, np.int16)
    board.take(Waveform("drive", "v", 5.0, 16.0, samples, 0.5, "g", Quality.GOOD, 0))
    assert board.rows["v"].axes == pytest.approx((0.0, 1.5, 0.0))
    assert board.rows["v"].time == pytest.approx(6.0)


def test_raw_words_as_a_manual_shows_them() -> None:
    assert raw_text((523,)) == "523 = 020B"
    assert raw_text((1, 0x86A0)) == "0001 86A0"
    assert raw_text(()) == ""


def test_a_reading_that_only_repeats_the_one_before_is_fresh_and_counts_for_the_period(tmp_path: Path) -> None:
    """A slow device gives the same words again and again; the drivers hand those on as 'nothing was read'."""
    board = Board(load(written(tmp_path, POLLED)))
    absent = np.full((1, 1), Quality.ABSENT, np.uint8)
    for i in range(200):
        fresh = i % 10 == 0
        board.take_raw(RawWords("drive", 0.1 * i, {"load": (i // 10,)}))
        values, quality = (np.array([[float(i)]]), np.zeros((1, 1), np.uint8)) if fresh else (np.full((1, 1), np.nan), absent)
        board.take(Readings("drive", ("load",), np.array([0.1 * i]), values, quality))
    row = board.rows["load"]
    assert (row.value, row.quality, row.time) == (190.0, Quality.GOOD, pytest.approx(19.9))
    assert row.changes.period is not None
    assert row.changes.period.seconds == pytest.approx(1.0)


# ------------------------------------------------------------------ the command
def test_once_as_json_says_raw_and_scaled_of_every_channel(shop: ShopProcess, tmp_path: Path) -> None:
    warm()
    machine = machine_file(tmp_path / "machine.toml", shop.ready)
    machine.write_text(re.sub(r"(?m)^(framing = .*)$", r"\1\ntimeout = 10.0", machine.read_text(encoding="utf-8")), encoding="utf-8")
    done = watched(str(machine), "--once", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    (line,) = done.stdout.splitlines()
    said = devices(line)
    assert {device["state"] for device in said.values()} <= {"ok", "degraded"}
    load_ = next(channel for channel in said["drive"]["channels"] if channel["channel"] == "load")
    (raw,) = load_["raw"]
    assert load_["value"] == pytest.approx(0.1 * (raw - 65536 if raw > 32767 else raw))
    assert (load_["quality"], load_["unit"]) == ("GOOD", "%")
    mode = next(channel for channel in said["lathe"]["channels"] if channel["channel"] == "mode")
    assert (mode["raw"], mode["value"]) == ([1], "AUTOMATIC")
    part = next(channel for channel in said["lathe"]["channels"] if channel["channel"] == "part")
    assert len(part["raw"]) == 2
    vibration = said["vibration"]
    assert vibration["frames"] > 0
    assert all(rms > 0 for rms in vibration["channels"][0]["rms"])
    assert len(vibration["channels"][0]["rms"]) == 3


def test_on_a_terminal_the_picture_is_renewed_in_place_and_ctrl_c_leaves_it_as_it_was(machine: Path) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen(
        words(str(machine), "--lang", "fr"),
        env=environment(TERM="xterm", COLUMNS="150", LINES="50"),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        os.close(slave)
        said = b""
        asked = False
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break  # the other end is closed
            if not piece:
                break
            said += piece
            if not asked and said.count(b"\x1b[H") >= 3 and b"AUTOMATIC" in said:
                asked = True
                child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        errors = child.stderr.read()
        assert child.wait(SECONDS) == 0, errors
    os.close(master)
    assert asked
    assert errors == ""
    assert said.startswith(b"\x1b[?1049h\x1b[?25l")
    picture, left, kept = said.rpartition(b"\x1b[?25h\x1b[?1049l")
    assert left
    assert "Ctrl-C arrête".encode() in picture
    assert b"\x1b" not in kept, "what stays is plain text"
    assert "drive.load" in kept.decode()


def test_elsewhere_plain_tables_until_the_time_is_over(machine: Path) -> None:
    done = watched(str(machine), "--seconds", "1.2", "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert done.stdout.count("drive.load") >= 1
    assert re.search(r"drive, unit 2: [^,]+, \d+ answers, .*stale replies 0.*missed periods \d+", done.stdout)


def test_a_port_that_another_program_has_is_named_with_its_owner(machine: Path) -> None:
    with subprocess.Popen(words(str(machine), "--json"), env=environment(), cwd="/", stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        try:
            while not any(device["answers"] for device in devices(first.stdout.readline()).values() if device["source"] == "drive"):
                continue
            done = watched(str(machine), "--once", "--lang", "fr")
        finally:
            first.terminate()
        first.stdout.read()
    assert done.returncode == 2
    assert f"processus {first.pid}" in done.stderr
    assert "agent watch" in done.stderr
    assert "Traceback" not in done.stderr
    assert first.returncode == 0


def test_whoever_runs_broche_hears_of_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from drivers import holders

    said: list[str] = []
    monkeypatch.setattr(holders, "holders", lambda _: (holders.Holder(42, "python -P -m agent run lathe.toml --state /x", True),))
    assert taken("/dev/ttyX", lambda key, **_: said.append(key) or key)
    assert "ports.stop_run" in said


def test_what_cannot_begin(tmp_path: Path) -> None:
    empty = written(tmp_path, '[machine]\nname = "m"\n')
    for given, said in (
        ((str(empty),), "names no device"),
        ((str(ROOT / "config" / "demo.toml"),), "waits to be replaced"),
        ((str(empty), "--seconds", "-1"), "cannot be negative"),
    ):
        with pytest.raises(CommandError, match=said):
            dispatch(["watch", *given, "--lang", "en"])
    done = watched(str(written(tmp_path, POLLED)), "--once", "--lang", "en")
    assert done.returncode == 1
    assert "Nobody accepts the connection" in done.stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"framing": "ascii", "parity": "E"}, "7E1"),
        ({"framing": "ascii", "databits": 8, "parity": "N"}, "8N1"),
        ({"framing": "rtu", "parity": "N", "stopbits": 2}, "8N2"),
    ],
)
def test_a_line_is_named_as_it_is_set(more: dict[str, object], said: str) -> None:
    bus = msgspec.convert({"name": "b", "port": "/dev/ttyUSB0", "baud": 9600, **more}, BusOptions)
    assert wire(bus) == f"/dev/ttyUSB0 9600 {said}"
