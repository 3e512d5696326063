"""`broche record` against the simulated shop behind real wires."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from drivers.model import Quality, Readings, Waveform, word_of
from drivers.recording import read
from drivers.recording_error import PROBLEMS
from tests.support.house import ROOT
from tests.support.shop import ShopProcess, shop_process

SECONDS = 60.0


@pytest.fixture
def shop() -> Iterator[ShopProcess]:
    with shop_process("--faults", "none", "--seed", "3") as running:
        yield running


def machine_file(folder: Path, shop: ShopProcess) -> Path:
    """config/demo.toml with the ports of this shop, as `broche demo` fills them in."""
    text = (ROOT / "config" / "demo.toml").read_text(encoding="utf-8")
    head, *buses = re.split(r"(?=\[\[bus\]\])", text)
    ports = [shop.ready["tcp"]["port"], f'"{shop.ready["rtu"]["port"]}"', f'"{shop.ready["vibration"]["port"]}"']
    text = head + "".join(re.sub(r"(?m)^port = .*$", f"port = {port}", bus, count=1) for bus, port in zip(buses, ports, strict=True))
    path = folder / "machine.toml"
    path.write_text(re.sub(r"\n\[\[broker\]\].*?(?=\n\[)", "\n", text, flags=re.DOTALL), encoding="utf-8")
    return path


@contextmanager
def recording(machine: Path, out: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "agent", "record", str(machine), "--out", str(out), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd="/") as child:
        try:
            yield child
        finally:
            child.kill()


def wait_for_rows(out: Path, child: subprocess.Popen[str]) -> None:
    while not any(path.stat().st_size for path in out.glob("rows-*.csv")):
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.05)


def test_records_rows_words_and_raw_vibration(shop: ShopProcess, tmp_path: Path) -> None:
    out = tmp_path / "recording"
    with recording(machine_file(tmp_path, shop), out, "--seconds", "4", "--lang", "en") as child:
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == 0, said
    assert re.search(r"recorded \d+\.\d\ss: \d+ rows and \d+ blocks of vibration", said)
    back = read(out)
    assert not back.relative
    rows = [item for item in back if isinstance(item, Readings)]
    names = rows[0].channels
    quality = np.vstack([item.quality for item in rows])
    values = np.vstack([item.values for item in rows])
    load = names.index("load")
    seen = values[quality[:, load] == Quality.GOOD, load]
    assert len(seen) >= 40
    # Braking at the end of a cut is no load, or a little less.
    assert ((seen > -20) & (seen < 120)).all()
    assert seen.max() > 20
    words = rows[-1].words
    assert {word_of(value, words) for value in values[:, names.index("program")].tolist()} - {""} == {"4711"}
    assert back.column("mode").held
    waves = [item for item in back if isinstance(item, Waveform)]
    assert {wave.rate for wave in waves} == {6667.0}
    assert sum(len(wave.samples) for wave in waves) > 2 * 6667
    assert all(wave.samples.any() for wave in waves)
    assert back.settings.timezone == "Europe/Paris"


def test_interrupt_closes_the_recording_cleanly(shop: ShopProcess, tmp_path: Path) -> None:
    out = tmp_path / "recording"
    with recording(machine_file(tmp_path, shop), out, "--lang", "fr") as child:
        wait_for_rows(out, child)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == 0, said
    assert "Traceback" not in said
    assert "enregistrées" in said
    for path in out.glob("*.npy"):
        assert len(np.load(path)) == sum(len(item.samples) for item in read(out) if isinstance(item, Waveform))


def test_device_that_goes_away_is_recorded_as_unavailable(shop: ShopProcess, tmp_path: Path) -> None:
    out = tmp_path / "recording"
    with recording(machine_file(tmp_path, shop), out, "--seconds", "8", "--lang", "en") as child:
        wait_for_rows(out, child)
        assert shop.ask(fault="cable_cut", link="rtu", seconds=60)
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == 0, said
    rows = [item for item in read(out) if isinstance(item, Readings)]
    load = rows[0].channels.index("load")
    marks = np.concatenate([item.quality[:, load] for item in rows])
    told = marks[marks != Quality.ABSENT]
    assert told[0] == Quality.GOOD
    assert told[-1] == Quality.UNAVAILABLE


def test_nobody_answers(tmp_path: Path) -> None:
    path = tmp_path / "machine.toml"
    path.write_text(
        '[machine]\nname = "m"\n[[bus]]\nname = "b"\nframing = "tcp"\nhost = "127.0.0.1"\nport = 1\n'
        '[[source]]\nname = "s"\nbus = "b"\ndevice = "simulated_lathe"\n'
        '[[channel]]\nname = "tool"\nrole = "tool"\nfrom = "s.tool"\n',
        encoding="utf-8",
    )
    with recording(path, tmp_path / "out", "--seconds", "0.5", "--lang", "fr") as child:
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == 1
    assert "aucun appareil n’a répondu" in said
    with recording(path, tmp_path / "out", "--lang", "fr") as child:
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == 2
    assert "le dossier contient déjà un enregistrement" in said


def test_machine_file_without_devices_and_wrong_arguments(tmp_path: Path) -> None:
    path = tmp_path / "machine.toml"
    path.write_text('[machine]\nname = "m"\n[[channel]]\nname = "load"\nrole = "spindle.load"\n', encoding="utf-8")
    with recording(path, tmp_path / "out", "--lang", "en") as child:
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == 2
    assert "names no device" in said
    with recording(path, tmp_path / "out", "--seconds", "-1", "--lang", "en") as child:
        _, said = child.communicate(timeout=SECONDS)
    assert child.returncode == 2
    assert "--seconds" in said


def test_every_mistake_of_a_recording_is_told_in_both_languages() -> None:
    import tomllib

    for language in ("fr", "en"):
        told = tomllib.loads((ROOT / "config" / "texts" / f"record.{language}.toml").read_text(encoding="utf-8"))["recording"]
        assert set(told["what"]) == set(told["remedy"]) == set(PROBLEMS)
        for key, (what, remedy) in PROBLEMS.items():
            for mine, theirs in ((what, told["what"][key]), (remedy, told["remedy"][key])):
                assert set(re.findall(r"\{(\w+)", theirs)) <= set(re.findall(r"\{(\w+)", mine)), key
                if language == "en":
                    assert theirs == re.sub(r"\{(\w+)!r\}", r"'{\1}'", mine)
