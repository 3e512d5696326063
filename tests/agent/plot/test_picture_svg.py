"""Pictures are drawings that a browser takes, say what they show, stay on their sheet, and take any name and any figure."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agent.explained import Picture
from agent.paths import DataPaths
from agent.plot import Size, picture_svg
from agent.plot.cut import leaving, strayed
from agent.plot.sheet import nice
from agent.texts import LANGUAGES, Texts
from tests.support import explanations, snapshots

TEXTS = {language: Texts.load(DataPaths.find(None), language) for language in LANGUAGES}
NOW = 1_764_000_000.0
SIZES = (Size(440.0, 220.0, 16.0), Size(340.0, 240.0, 16.0), Size(900.0, 400.0, 20.0), Size(160.0, 90.0, 8.0))
BROKEN = snapshots.cut(NOW, tool="2", at=None, breaks_at=1.05)
PICTURES = {
    "wear": explanations.trend(),
    "vibration": explanations.vibration_trend(NOW),
    "breakage": explanations.cut_picture(BROKEN, at=1.05, spoke=1.3),
    "overload": explanations.cut_picture(snapshots.cut(NOW, at=None, rise=70.0), at=0.8, spoke=1.0, limit=60.0),
    "absent": explanations.cut_picture(msgspec.structs.replace(BROKEN, curve=())),
    "together": explanations.bars(),
    "bandless": explanations.cut_picture(snapshots.cut(NOW, at=None, banded=False)),
}
NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(picture: Picture, size: Size = SIZES[0], *, language: str = "fr", title: str = "Titre", urgent: bool = False) -> ET.Element:
    svg = picture_svg(picture, TEXTS[language], title, "Ce qui est dit", "%", size, "Europe/Paris", urgent=urgent)  # type: ignore[index]
    return ET.fromstring(svg)


def words(root: ET.Element) -> str:
    text = " | ".join(node.text or "" for node in root.iter(f"{NAMESPACE}text"))
    return text.translate({0x202F: " ", 0xA0: " ", 0x2019: "'"})


def places(root: ET.Element) -> list[tuple[float, float]]:
    found = [(float(node.get("x", 0)), float(node.get("y", 0))) for node in root.iter(f"{NAMESPACE}text")]
    found += [(float(node.get("cx", 0)), float(node.get("cy", 0))) for node in root.iter(f"{NAMESPACE}circle")]
    for node in root.iter(f"{NAMESPACE}path"):
        figures = [float(one) for one in re.findall(r"-?\d+\.?\d*", node.get("d", ""))]
        found += list(zip(figures[::2], figures[1::2], strict=True))
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PICTURES)
def test_everything_lies_on_the_sheet_and_is_told_in_words_too(name: str, language: str, size: Size) -> None:
    root = drawn(PICTURES[name], size, language=language)
    assert [node.text for node in root.iter(f"{NAMESPACE}title")] == ["Titre"]
    assert [node.text for node in root.iter(f"{NAMESPACE}desc")] == ["Ce qui est dit"]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "t d"
    for x, y in places(root):
        assert -1.0 <= x <= size.width + 1.0, (x, y)
        assert -1.0 <= y <= size.height + 1.0, (x, y)


def test_no_style_no_script_no_link() -> None:
    for picture in PICTURES.values():
        tags = {node.tag.removeprefix(NAMESPACE) for node in drawn(picture).iter()}
        assert tags <= {"svg", "title", "desc", "path", "circle", "text"}
        assert not any("style" in node.attrib or any(key.startswith("on") for key in node.attrib) for node in drawn(picture).iter())


def test_what_each_picture_says() -> None:
    assert "limite +15 %" in words(drawn(PICTURES["wear"]))
    assert "hausse dès la pièce 104" in words(drawn(PICTURES["wear"]))
    assert "outil neuf" in words(drawn(PICTURES["wear"]))
    assert "au-dessous de l'habituel" in words(drawn(PICTURES["breakage"]))
    assert "alerte à 1,3 s" in words(drawn(PICTURES["breakage"]))
    assert "limite 60 %" in words(drawn(PICTURES["overload"]))
    assert "aucune passe" in words(drawn(PICTURES["absent"]))
    assert "limite 1,76 mm/s" in words(drawn(PICTURES["vibration"]))
    assert all(word in words(drawn(PICTURES["together"])) for word in ("T4", "+24 %", "T1", "T2", "+18 %"))
    assert "rising from part 104" in words(drawn(PICTURES["wear"], language="en"))


def test_red_is_kept_for_what_is_urgent() -> None:
    red = {"#a8111a", "#8b0a12", "#fdeceb"}
    for picture in PICTURES.values():
        used = {value for node in drawn(picture).iter() for value in node.attrib.values()}
        assert not used & red
        assert {value for node in drawn(picture, urgent=True).iter() for value in node.attrib.values()} & red or picture is PICTURES[
            "bandless"
        ]


def test_where_a_cut_leaves_its_band() -> None:
    at = leaving(PICTURES["breakage"])
    assert at is not None
    assert at * PICTURES["breakage"].grid == pytest.approx(1.05, abs=0.06)
    assert leaving(PICTURES["bandless"]) is None
    assert leaving(PICTURES["absent"]) is None
    assert leaving(explanations.cut_picture(snapshots.cut(NOW, at=None))) is None


def test_a_cut_that_is_a_moment_early_does_not_leave_its_band() -> None:
    whole = explanations.cut_picture(snapshots.cut(NOW, at=None))
    for y in ((*whole.y[1:], whole.y[-1]), (whole.y[0], *whole.y[:-1])):
        assert leaving(msgspec.structs.replace(whole, y=y)) is None


def test_what_is_loud_begins_where_the_alert_is_about() -> None:
    broken = PICTURES["breakage"]
    early = list(broken.y)
    early[6:9] = [80.0, 80.0, 80.0]
    picture = msgspec.structs.replace(broken, y=tuple(early))
    assert leaving(picture) == 6
    at = strayed(picture)
    assert at is not None
    assert at * picture.grid == pytest.approx(1.05, abs=0.06)
    assert strayed(msgspec.structs.replace(picture, at=None)) == 6


def test_names_from_outside_stay_text() -> None:
    hostile = "</title><script>alert(1)</script>\x00\x1f & \"'"
    root = drawn(PICTURES["breakage"], title=hostile)
    assert root.find(f".//{NAMESPACE}script") is None
    assert "<script>" in (root.findtext(f"{NAMESPACE}title") or "")


FIGURE = st.floats(-1e6, 1e6, allow_nan=False)


@hypothesis_settings(max_examples=60, deadline=None)
@given(y=st.lists(FIGURE, max_size=40), band=st.lists(FIGURE, max_size=40), limit=st.none() | FIGURE, at=st.none() | FIGURE)
def test_any_cut_is_drawn(y: list[float], band: list[float], limit: float | None, at: float | None) -> None:
    picture = msgspec.structs.replace(
        PICTURES["breakage"], y=tuple(y), high=tuple(band), low=tuple(v - 1.0 for v in band), limit=limit, at=at, spoke=at
    )
    assert drawn(picture).tag == f"{NAMESPACE}svg"


@hypothesis_settings(max_examples=60, deadline=None)
@given(y=st.lists(FIGURE, min_size=2, max_size=40), base=st.none() | FIGURE, limit=st.none() | FIGURE)
def test_any_trend_is_drawn(y: list[float], base: float | None, limit: float | None) -> None:
    for axis in ("part", "cut", "time"):
        picture = msgspec.structs.replace(
            PICTURES["wear"], y=tuple(y), x=tuple(float(i) for i in range(len(y))), axis=axis, base=base, limit=limit, at=1.0
        )
        assert drawn(picture).tag == f"{NAMESPACE}svg"


def test_round_steps() -> None:
    assert [nice(v) for v in (0.12, 0.2, 3.0, 7.0, 11.0)] == pytest.approx([0.2, 0.2, 5.0, 10.0, 20.0])
    assert nice(0.0) == nice(math.nan) == nice(math.inf) == 1.0
