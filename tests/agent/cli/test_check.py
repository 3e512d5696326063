"""`broche check`: exit status, both languages, and the arithmetic that it prints."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.budget import alarms_per_hour
from tests.support.house import ROOT
from tests.support.machine_files import RIGHT

DEMO = str(ROOT / "config" / "demo.toml")


def plain(text: str) -> str:
    return text.translate({0x202F: " ", 0xA0: " ", 0x2019: "'"})


def in_a_shop(folder: Path, text: str) -> str:
    """A machine file beside device maps of its own."""
    if not (folder / "devices").exists():
        (folder / "devices").symlink_to(ROOT / "tests" / "golden" / "machine_file" / "_shop" / "devices")
    path = folder / "machine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def wrong_file(tmp_path: Path) -> str:
    path = tmp_path / "machine.toml"
    path.write_text('[machine]\nname = "m"\nkind = "tour"\n[[bus]]\nname = "b"\nframing = "tcp"\n', encoding="utf-8")
    return str(path)


def test_a_right_file_in_french(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = in_a_shop(tmp_path, RIGHT)
    assert main(["check", path, "--lang", "fr"]) == 0
    out = plain(capsys.readouterr().out)
    assert out.startswith(f"{path} : bon.\n")
    for said in (
        "Machine lathe-03 (tour), shop / turning",
        "machine: tcp 192.168.0.10:502\n    lathe: plc, adresse 1, 1 lecture toutes les 0,2 s : holding 10–47",
        "drive: rtu /dev/serial/by-id/usb-FTDI-if00-port0 115200 8E1, ligne occupée à 11 %",
        "nose: accelerometer, flux, 6 667 Hz par axe",
        "load            spindle.load    drive.load            %",
        "oui  usure de chaque outil",
        "une fausse alarme toutes les 40 h de marche automatique",
        "20 outils × 5 détecteurs × 25 pièces par heure = 2 500 jugements par heure",
        "une fois sur 100 000",
    ):
        assert said in out
    assert "[" not in out, "no text is missing"


def test_the_same_in_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", in_a_shop(tmp_path, RIGHT), "--lang", "en"]) == 0
    out = plain(capsys.readouterr().out)
    for said in ("right.", "line busy 11%", "1 read every 0.2 s", "6,667 Hz an axis", "yes  wear of each tool", "once in 100,000"):
        assert said in out
    assert "[" not in out


def test_the_machine_of_the_demonstration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", DEMO, "--lang", "fr"]) == 0
    out = plain(capsys.readouterr().out)
    assert "Machine tour-03 (tour), atelier / tournage" in out
    assert "`broche demo` s'en charge" in out
    assert "NON" not in out


def test_everything_wrong_at_once(capsys: pytest.CaptureFixture[str], wrong_file: str) -> None:
    assert main(["check", wrong_file, "--lang", "fr"]) == 1
    out = plain(capsys.readouterr().out)
    assert f"{wrong_file}:3: machine.kind: `tour` n'est pas un mot connu ici\n    Vouliez-vous dire « lathe » ?" in out
    assert f"{wrong_file}:4: bus[1]: le bus `b` (tcp) n'a pas d'adresse" in out
    assert out.endswith(f"2 erreurs dans {wrong_file}.\n")


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["check", str(tmp_path / "none.toml"), "--lang", "en"]) == 2
    assert "no such file" in capsys.readouterr().out
    assert main(["check", str(tmp_path), "--lang", "en"]) == 2


def test_json_of_a_right_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", in_a_shop(tmp_path, RIGHT.replace("127.0.0.1", "0.0.0.0")), "--json", "--lang", "fr"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["mistakes"], report["machine"]["name"]) == (True, [], "lathe-03")
    assert [(row["key"], row["code"]) for row in report["warnings"]] == [("display.bind", "bind_public")]
    assert report["warnings"][0]["line"] > 0
    assert report["buses"][1]["sources"][0]["requests"] == [{"table": "holding", "address": 0, "count": 3, "every": 0.05}]
    assert report["buses"][1]["share"] == pytest.approx((19 * 11 / 115_200 + 2 * 0.00175) / 0.05)
    assert report["channels"][0] == {"name": "load", "role": "spindle.load", "from": "drive.load", "unit": "%"}
    assert all(report["watch"].values())


def test_a_source_comes_with_the_cautions_of_its_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Polled and streaming; below the lines of the source, in the language of the command, in the order of the map."""
    folder = tmp_path / "devices"
    shutil.copytree(ROOT / "tests" / "golden" / "machine_file" / "_shop" / "devices", folder)
    for name, said in (("drive", "A"), ("accelerometer", "B")):
        with (folder / f"{name}.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[[cautions]]\nen = "{said}1: hot."\nfr = "{said}1 : chaud."\n[[cautions]]\nen = "{said}2."\nfr = "{said}2 !"\n')
    path = in_a_shop(tmp_path, RIGHT)
    assert main(["check", path, "--lang", "fr"]) == 0
    lines = plain(capsys.readouterr().out).splitlines()
    for source, said in (("drive: drive,", "A"), ("nose: accelerometer,", "B")):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"    {source}"))
        assert lines[at + 1 : at + 3] == [f"      attention : {said}1 : chaud.", f"      attention : {said}2 !"]
    assert sum("attention" in line for line in lines) == 4
    assert main(["check", path, "--lang", "en"]) == 0
    assert "\n      caution: A1: hot.\n      caution: A2.\n" in capsys.readouterr().out
    assert main(["check", path, "--json", "--lang", "en"]) == 0
    sources = [source for bus in json.loads(capsys.readouterr().out)["buses"] for source in bus["sources"]]
    assert {source["name"]: source["cautions"] for source in sources if source["cautions"]} == {
        "drive": ["A1: hot.", "A2."],
        "nose": ["B1: hot.", "B2."],
    }


def test_json_of_a_wrong_file(capsys: pytest.CaptureFixture[str], wrong_file: str) -> None:
    assert main(["check", wrong_file, "--json", "--lang", "en"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert [(row["line"], row["key"], row["code"]) for row in report["mistakes"]] == [
        (3, "machine.kind", "not_listed"),
        (4, "bus[1]", "bus_host"),
    ]
    assert report["mistakes"][0]["remedy"].startswith("Did you mean")


def test_the_budget_is_shared_by_all_judgements(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One false alarm in 160 h, 2,500 judgements an hour; the limits are no nearer than a Gaussian's for that share."""
    main(["check", in_a_shop(tmp_path, RIGHT.replace("1 per week", "1 per month")), "--json"])
    budget = json.loads(capsys.readouterr().out)["budget"]
    assert budget["alarms_per_hour"] == alarms_per_hour("1 per month")
    assert budget["evaluations_per_alarm"] == 400_000
    assert budget["probability"] == pytest.approx(1 / 400_000)
    sigmas = statistics.NormalDist().inv_cdf(1 - 1 / 400_000)
    assert sigmas < budget["factor_known"] < budget["factor_first"]


def watch_of(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> dict[str, bool]:
    assert main(["check", in_a_shop(folder, text), "--json"]) == 0
    watch: dict[str, bool] = json.loads(capsys.readouterr().out)["watch"]
    return watch


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("", "", set()),
        ("every = 0.05", "every = 0.5", {"breakage"}),
        ("every = 0.05", "every = 5", {"breakage", "wear", "missing", "first"}),
        ('role = "spindle.load"', 'role = "other"', {"wear", "missing", "breakage", "overload", "condition", "first"}),
        ('role = "section"', 'role = "other"', {"first"}),
        ('role = "tool"', 'role = "other"', {"tool"}),
        ('role = "part"', 'role = "other"', {"part"}),
    ],
)
def test_what_cannot_be_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, lost: set[str]) -> None:
    watch = watch_of(tmp_path, RIGHT.replace(old, new) if old else RIGHT, capsys)
    assert {name for name, possible in watch.items() if not possible} == lost


def test_without_a_waveform_the_spindle_is_not_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RIGHT.replace('from = "nose.x"', 'from = "drive.torque"').replace('from = "nose.all"', 'from = "drive.torque"')
    assert not watch_of(tmp_path, text, capsys)["spindle"]


def test_without_context_nothing_can_be_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RIGHT.replace('role = "tool"', 'role = "other"').replace('role = "program"', 'role = "other"')
    text = text.replace('role = "section"', 'role = "other"')
    watch = watch_of(tmp_path, text, capsys)
    assert not any(watch[name] for name in ("wear", "missing", "breakage", "overload", "tool"))


CUTTING = """
[[cutting]]
tool = 4
section = 2
kind = "turning"
material = "P2"
ap = 2.5
f = 0.25
vc = 200
D = 60

[[cutting]]
tool = 1
kind = "drilling"
material = "N"
D = 6
f = 0.1
vc = 150
"""


def with_cutting(text: str) -> str:
    return text.replace("rated_power", "base_speed = 1500\nrated_power", 1) + CUTTING


def test_cutting_data_are_told_as_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = in_a_shop(tmp_path, with_cutting(RIGHT))
    assert main(["check", path, "--lang", "fr"]) == 0
    out = plain(capsys.readouterr().out)
    for said in (
        "Outil 4, passe 2\n    4,24 à 4,24 kW à l'outil",
        "compte comme absente, dès la première",
        "sans `section`, elles valent pour la plus forte passe de l'outil",
        "une arête usée prend jusqu'à +50 %, le modèle se trompe de 25 % au plus, rendement 80 %",
    ):
        assert said in out
    assert main(["check", path, "--json"]) == 0
    turning, drilling = json.loads(capsys.readouterr().out)["cutting"]
    assert turning["ceiling"] == pytest.approx(1.875 * turning["load"], rel=1e-6)
    assert (turning["why"], drilling["why"], drilling["floor"]) == ("", "no_floor", 0.0)


@pytest.mark.parametrize(
    ("old", "new", "why", "said"),
    [
        ('role = "section"', 'role = "other"', "no_section", "no channel `section` says when the pass is"),
        ("ap = 2.5", "ap = 0.02", "coarse", "the load is read in steps of"),
        ("base_speed = 1500", "", "no_base_speed", "Add `base_speed`"),
    ],
)
def test_what_cutting_data_cannot_tell_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, why: str, said: str
) -> None:
    path = in_a_shop(tmp_path, with_cutting(RIGHT).replace(old, new))
    assert main(["check", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cutting"][0]["why"] == why
    assert main(["check", path, "--lang", "en"]) == 0
    assert said in plain(capsys.readouterr().out)


def shell(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment)


@pytest.mark.parametrize(("language", "said"), [("fr", "Code de sortie"), ("en", "Exit status")])
def test_help_teaches(language: str, said: str) -> None:
    done = shell("-m", "agent", "check", "--help", "--lang", language)
    assert done.returncode == 0
    assert said in done.stdout
    assert "MACHINE.toml" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = "'numpy', 'numba', 'pymodbus', 'agent.machine_file', 'drivers.devices'"
    done = shell("-c", f"import sys; from agent.cli import check; print([name for name in ({heavy}) if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_bearings_and_groups_are_told_where_they_are_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    group = '\n[[group]]\nname = "g"\nchannels = ["load"]\n'
    wanted = RIGHT + group
    watch = watch_of(tmp_path, wanted, capsys)
    assert watch["group"] is True
    assert "bearing" not in watch
