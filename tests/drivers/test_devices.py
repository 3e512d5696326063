from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.devices import MapError, find_map, load_map

MAPS = sorted((Path(__file__).parents[2] / "config" / "devices").glob("*.toml"))

SOUND = """
name = "drive"
kind = "drive"
max_count = 16
[[registers]]
name = "load"
address = 4
type = "i16"
scale = 0.1
bad = [0x7FFF]
[[registers]]
name = "mode"
table = "input"
words = { 1 = "AUTOMATIC", "-1" = "FAULT" }
"""


ONE = 'name = "x"\n[[registers]]\nname = "a"\n'
FRAME = '[[frames]]\nrequest = "010300000001840A"\nresponse = "01030200057847"\n'


def write(folder: Path, text: str, name: str = "drive") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> dict[str, str]:
    with pytest.raises(MapError) as caught:
        load_map(write(folder, text))
    for problem in caught.value.problems:
        assert problem.what
        assert problem.remedy
    assert str(caught.value.path) in str(caught.value)
    return {problem.key: problem.code for problem in caught.value.problems}


@pytest.mark.parametrize("path", MAPS, ids=lambda p: p.stem)
def test_every_map_that_ships_is_sound(path: Path) -> None:
    device = load_map(path)
    assert device.name == path.stem
    assert all(register.unit.isascii() for register in device.registers)


def test_a_sound_map(tmp_path: Path) -> None:
    device = load_map(write(tmp_path, SOUND))
    assert (device.name, device.max_count, [r.name for r in device.registers]) == ("drive", 16, ["load", "mode"])
    assert device.registers[0].bad == (0x7FFF,)
    assert device.registers[1].words == {"1": "AUTOMATIC", "-1": "FAULT"}


def test_everything_wrong_at_once(tmp_path: Path) -> None:
    text = """
name = "x"
max_cnt = 3
max_count = 126
[[registers]]
name = "a"
typ = "u16"
[[registers]]
name = "b"
type = "u61"
address = "3"
[[registers]]
name = "c"
bit = 17
scale = 0
address = 65536
bad = [70000]
words = { x = "A" }
[[registers]]
name = "c"
min = 3
max = 3
[[registers]]
address = 3
"""
    assert problems(tmp_path, text) == {
        "max_cnt": "unknown_key",
        "max_count": "count",
        "registers[1].typ": "unknown_key",
        "registers[2].type": "not_listed",
        "registers[2].address": "type",
        "registers[3].bit": "bit",
        "registers[3].scale": "scale",
        "registers[3].address": "address",
        "registers[3].bad": "sentinel",
        "registers[3].words": "word",
        "registers[4].name": "twice",
        "registers[4].min": "limits",
        "registers[5]": "missing_key",
    }


@pytest.mark.parametrize(
    ("text", "key", "code"),
    [
        ('name = "x"', "", "empty"),
        ('name = "x"\nrate = -1', "rate", "rate"),
        ('name = "x"\nrate = 100\naxes = 9', "axes", "axes"),
        ('name = "x"\nmax_count = 0\n[[registers]]\nname="a"', "max_count", "count"),
        ('name = "x"\n[[registers]]\nname = "a"\ntable = "coil"', "registers[1].type", "bits_type"),
        ('name = "x"\n[[registers]]\nname = "a"\naddress = 65535\ntype = "u32"', "registers[1].address", "address"),
        ('name = "x"\n[registers]\nname = "a"', "registers", "type"),
        ('name = "x"\nregisters = [1]', "registers[1]", "type"),
        ("name = x", "", "no_toml"),
        ("[[registers]]\nname='a'", "", "missing_key"),
        (ONE + 'type = "u16"\nmask = 0x10000', "registers[1].mask", "mask"),
        (ONE + 'type = "i16"\nmask = 3', "registers[1].mask", "mask"),
        (ONE + "bit = 1\nmask = 3", "registers[1].mask", "mask"),
        (ONE + 'type = "string"', "registers[1].length", "length"),
        (ONE + "length = 2", "registers[1].length", "length"),
        (ONE + 'type = "string"\nlength = 2\nbad = [0]', "registers[1].bad", "string"),
        (ONE + 'type = "string"\nlength = 9\naddress = 65530', "registers[1].address", "address"),
        (ONE + "clips = [65536]", "registers[1].clips", "sentinel"),
        (ONE + "update = -1", "registers[1].update", "seconds"),
        (ONE + 'type = "u64"\naddress = 65533', "registers[1].address", "address"),
        ("smoothing = 4000\n" + ONE, "smoothing", "seconds"),
        ("barriers = [70000]\n" + ONE, "barriers", "address"),
        (ONE + "[serial]\naddress = 300", "serial.address", "unit"),
        (ONE + "[serial]\nbaudrate = 300", "serial.baudrate", "unknown_key"),
        (ONE + '[serial]\nparity = "even"', "serial.parity", "not_listed_far"),
        ("serial = 3\n" + ONE, "serial", "type"),
        (ONE + "[identify]\ntests = []", "identify", "no_test"),
        (ONE + '[identify]\ntests = [{ register = "b" }]', "identify.tests[1].register", "no_such_register_far"),
        (ONE + '[identify]\ntests = [{ register = "a", like = "aa" }]', "identify.tests[1].like", "no_such_register"),
        ("reading_writes = true\n" + ONE, "", "not_asked"),
        (ONE + '[[cautions]]\nen = "Hot."', "cautions[1]", "caution"),
        (ONE + '[[cautions]]\nen = " "\nfr = "Chaud."', "cautions[1]", "caution"),
        (ONE + '[[cautions]]\nen = "Hot."\nfr = "Chaud."\n[[cautions]]\nfr = "Chaud."', "cautions[2]", "caution"),
        (ONE + '[[cautions]]\nen = "Hot."\nde = "Heiss."', "cautions[1].de", "unknown_key_far"),
        (ONE + '[cautions]\nen = "Hot."\nfr = "Chaud."', "cautions", "type"),
        ('cautions = ["Hot."]\n' + ONE, "cautions[1]", "type"),
        (ONE + '[[frames]]\nrequest = "xx"', "frames[1]", "frame_hex"),
        (ONE + '[[frames]]\nrequest = "010300000001840B"', "frames[1]", "frame_hex"),
        (ONE + '[[frames]]\nrequest = "010600000001480A"', "frames[1]", "frame_hex"),
        (ONE + '[[frames]]\nrequest = "010300050001940B"', "frames[1]", "frame_request"),
        (ONE + FRAME + "values = { a = 6 }", "frames[1].values", "frame_value"),
        (ONE + FRAME + "values = { aa = 5 }", "frames[1].values", "no_such_register"),
    ],
)
def test_one_thing_wrong(tmp_path: Path, text: str, key: str, code: str) -> None:
    assert problems(tmp_path, text)[key] == code


def test_a_golden_frame_that_says_what_the_map_says(tmp_path: Path) -> None:
    frame = load_map(write(tmp_path, ONE + FRAME + "values = { a = 5 }", "x")).frames[0]
    assert frame.values == {"a": 5.0}


def test_a_caution_says_which_language_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MapError) as caught:
        load_map(write(tmp_path, ONE + '[[cautions]]\nen = "Hot."\n[[cautions]]'))
    assert [(p.key, p.values["word"]) for p in caught.value.problems] == [
        ("cautions[1]", "fr"),
        ("cautions[2]", "en"),
        ("cautions[2]", "fr"),
    ]
    with pytest.raises(MapError, match=re.escape("write [[cautions]], with two brackets")):
        load_map(write(tmp_path, 'cautions = ["Hot."]\n' + ONE))
    device = load_map(write(tmp_path, ONE + '[[cautions]]\nen = "Hot."\nfr = "Chaud."'))
    assert [caution.said(language) for caution in device.cautions for language in ("fr", "en")] == ["Chaud.", "Hot."]


def test_a_device_that_must_not_be_asked_needs_no_registers(tmp_path: Path) -> None:
    device = load_map(write(tmp_path, 'name = "x"\nreading_writes = true', "x"))
    assert (device.reading_writes, device.registers) == (True, ())


def test_what_was_probably_meant(tmp_path: Path) -> None:
    with pytest.raises(MapError, match=re.escape("did you mean 'address'?")):
        load_map(write(tmp_path, 'name = "x"\n[[registers]]\nname = "a"\nadress = 3'))
    with pytest.raises(MapError, match="take one of: "):
        load_map(write(tmp_path, 'name = "x"\n[[registers]]\nname = "a"\nqqqq = 3'))


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(MapError) as caught:
        load_map(tmp_path / "none.toml")
    assert caught.value.problems[0].code == "unreadable"
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MapError) as caught:
        load_map(path)
    assert caught.value.problems[0].code == "no_toml"


def test_the_nearer_folder_wins(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    near.mkdir()
    far.mkdir()
    write(far, SOUND)
    assert find_map("drive", [near, far]) == far / "drive.toml"
    write(near, SOUND)
    assert find_map("drive", [near, far]) == near / "drive.toml"
    with pytest.raises(MapError) as caught:
        find_map("drve", [near, far])
    assert caught.value.problems[0].values["meant"] == "drive"
    with pytest.raises(MapError) as caught:
        find_map("zzz", [near, far])
    assert caught.value.problems[0].values["known"] == "drive"


def test_every_code_is_said_in_both_languages() -> None:
    import tomllib

    from drivers.map_problems import WHAT

    texts = Path(__file__).parents[2] / "config" / "texts"
    for language in ("fr", "en"):
        entries = tomllib.loads((texts / f"devices.{language}.toml").read_text(encoding="utf-8"))["map"]
        assert set(entries) == set(WHAT)
        for code, (what, remedy) in WHAT.items():
            for own, said in ((what, entries[code]["what"]), (remedy, entries[code]["remedy"])):
                assert set(re.findall(r"{(\w+)}", said)) <= set(re.findall(r"{(\w+)}", own)) | {"table"}
