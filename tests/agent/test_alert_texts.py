"""What alerts say: how much against what, what it is not, what to do; and nothing that is not known."""

from __future__ import annotations

import re
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model import Alert, Evidence, Kind, Scalar
from agent.paths import DataPaths
from agent.settings import ToolOptions
from agent.texts import LANGUAGES, AlertText, Texts

CATALOGUES = {language: Texts.load(DataPaths.find(None), language) for language in LANGUAGES}

EVIDENCE: dict[str, tuple[str, ...]] = {
    "wear": ("change_pct", "limit_pct", "cuts_since_new", "since_part", "part", "n_baseline", "others_flat", "others_total", "new_part"),
    "breakage": ("fall_pct", "at_s", "usual_fall_pct", "load_before", "load_after", "n_baseline", "part"),
    "missing": ("work_pct", "n_baseline", "absent", "expected_s", "part"),
    "overload": ("peak", "limit", "over_pct", "n_baseline", "part", "at_s"),
    "sensor": ("reason", "channel"),
    "spindle": (
        *(
            "change_pct",
            "value",
            "baseline",
            "unit",
            "n_baseline",
            "rpm",
            "several",
            "indicator",
            "axis",
            "figures",
            "figures_of",
            "n_looks",
        ),
        *("zone", "inner_race", "outer_race", "ball", "bearing", "hz", "order", "band_low", "band_high", "records"),
    ),
    "process": (
        *("change_pct", "tools", "part"),
        *("group", "group_name", "channel", "value", "baseline", "unit", "share_pct", "also", "also_pct", "n_vectors"),
    ),
    "drift": ("change_pct", "since_part", "n_baseline"),
    "chatter": ("value", "line", "hz", "rpm", "records"),
}
"""Keys of the contract."""


def alert(kind: str, evidence: Evidence, tool: str = "4", channel: str = "load", spindle: str = "S1") -> Alert:
    return Alert(
        id="a1",
        kind=typing.cast("Kind", kind),
        severity="warning",
        state="active",
        returned=False,
        raised=0.0,
        updated=0.0,
        transition="raised",
        channel=channel,
        spindle=spindle,
        operation="",
        tool=tool,
        score=1.0,
        threshold=1.0,
        count=1,
        evidence=evidence,
        checklist="",
    )


def said(kind: str, language: str = "fr", tool: str = "4", **evidence: Scalar) -> AlertText:
    """With ordinary spaces and apostrophes."""
    told = CATALOGUES[typing.cast("typing.Literal['fr', 'en']", language)].alert(alert(kind, evidence, tool), units={"load": "%"})
    plain = {0x202F: " ", 0xA0: " ", 0x2019: "'"}
    return AlertText(
        told.title.translate(plain),
        told.text.translate(plain),
        tuple(line.translate(plain) for line in told.evidence),
        told.others.translate(plain),
        told.todo.translate(plain),
    )


def test_the_picture_to_beat() -> None:
    text = said("wear", change_pct=18.2, limit_pct=20.0, since_part=104, part=138, new_part=21, n_baseline=5, others_flat=6, others_total=6)
    assert text.title == "Usure outil T4"
    assert text.text == "+18 % de travail de coupe depuis l'outil neuf (pièce 21), en hausse depuis la pièce 104."
    assert text.others == "Les 6 autres outils ne bougent pas : ni la matière ni le lubrifiant."
    assert text.todo == "Finir la passe, contrôler l'arête, changer la plaquette."
    assert "Écart : +18,2 %" in text.evidence


def test_the_same_in_english() -> None:
    text = said("wear", "en", change_pct=18.2, since_part=104, cuts_since_new=1117, others_flat=6, others_total=6)
    assert text.title == "Wear, tool T4"
    assert text.text == "+18% cutting work since the tool was new (1,117 passes ago), rising since part 104."
    assert text.others == "The 6 other tools do not move: neither the material nor the coolant."


def test_a_change_that_is_due_by_what_earlier_tools_lasted() -> None:
    text = said("wear", due=True, chance_pct=21.4, lives=1, parts=1210, part=5)
    assert text.title == "Outil T4 à changer"
    assert text.text == (
        "Après la prochaine pièce, 21 % des outils comme celui-ci seraient usés (outils précédents ici : 1) ; celui-ci a fait 1 210 pièces."
    )
    assert text.todo == "Contrôler l'arête : la changer, ou indiquer « encore bon »."
    assert "Outils précédents ici : 1" in text.evidence
    measured = said("wear", due=True, chance_pct=10.0, measures=3, parts=40)
    assert "avec 10 % de chances ou plus (mesures d'usure : 3) ; cet outil a fait 40 pièces" in measured.text
    assert said("wear", "en", due=True).text == "By its wear, or as long as earlier tools lasted here: a change is due."


@pytest.mark.parametrize(
    ("flat", "total", "others"),
    [
        (1, 1, "L'autre outil ne bouge pas : ni la matière ni le lubrifiant."),
        (1, 2, "1 autre outil sur 2 ne bouge pas : plutôt cet outil que la matière."),
        (2, 3, "2 autres outils sur 3 ne bougent pas : plutôt cet outil que la matière."),
        (0, 2, "Les autres outils montent aussi : voir d'abord la matière et le lubrifiant."),
        (0, 0, ""),
        (3, 2, ""),
        (None, 2, ""),
    ],
)
def test_what_the_other_tools_say(flat: int | None, total: int, others: str) -> None:
    assert said("wear", others_flat=flat, others_total=total).others == others


@pytest.mark.parametrize(
    ("kind", "evidence", "title", "text"),
    [
        (
            "breakage",
            {"fall_pct": 61.2, "at_s": 1.234, "usual_fall_pct": 12.0},
            "Casse outil T4",
            "La charge a chuté de 61 % en pleine passe, à 1,2 s ; d'habitude 12 % au plus.",
        ),
        (
            "missing",
            {"work_pct": 3.1, "n_baseline": 20, "absent": False},
            "Outil T4 absent ?",
            "3 % seulement du travail de coupe habituel (20 bonnes passes) : outil cassé, absent, ou pas de pièce.",
        ),
        (
            "missing",
            {"work_pct": 0.0, "absent": True, "expected_s": 1.25},
            "Outil T4 absent ?",
            "La passe attendue n'est pas venue (1,2 s d'habitude) : outil cassé, absent, ou pas de pièce.",
        ),
        (
            "overload",
            {"peak": 92.1, "limit": 71.2, "over_pct": 29.3, "at_s": 0.7},
            "Surcharge outil T4",
            "Pointe de charge à 92 % pour une limite de 71 % (+29 %), à 0,7 s.",
        ),
        (
            "spindle",
            {"change_pct": 120.0, "value": 3.21, "baseline": 1.4, "unit": "mm/s"},
            "Vibration broche S1",
            "Vibration à 3,2 mm/s pour 1,4 mm/s au départ (+120 %).",
        ),
        (
            "sensor",
            {"reason": "no_signal", "channel": "spindle_temperature"},
            "Signal en défaut : température de broche",
            "La voie ne donne plus de valeur.",
        ),
        (
            "process",
            {"change_pct": 12.0, "tools": 3, "part": 30},
            "Tous les outils ensemble",
            "3 outils ont bougé ensemble (+12 %), depuis la pièce 30 : matière, brut ou lubrifiant, pas l'usure.",
        ),
    ],
)
def test_sentences(kind: str, evidence: Evidence, title: str, text: str) -> None:
    told = said(kind, **evidence)
    assert (told.title, told.text) == (title, text)


def test_the_name_of_a_channel_that_is_not_common_stands_as_it_is() -> None:
    assert said("sensor", reason="no_signal", channel="pince_3").title == "Signal en défaut : pince_3"


def test_what_helps_against_a_lost_signal_is_what_to_do() -> None:
    assert said("sensor", reason="no_signal", channel="load").todo == "Contrôler câble, connecteur et alimentation."


def test_evidence_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = CATALOGUES["en"]
    rows = texts.evidence(
        alert("overload", {"peak": 92.1, "limit": float("nan"), "n_baseline": 20, "new_key": 3, "at_s": None}), {"load": "%"}
    )
    assert rows == [("Peak", "92.1%"), ("Compared with", "20 good passes")]
    assert texts.evidence(alert("missing", {"absent": True})) == [("Expected pass", "did not come")]
    assert texts.evidence(alert("missing", {"absent": False})) == []


def test_tools_by_name() -> None:
    tools = (ToolOptions(number=4, name="ébauche", name_en="roughing"),)
    for language in LANGUAGES:
        assert CATALOGUES[language].alert(alert("wear", {}), tools).title


VALUES = st.one_of(st.none(), st.floats(), st.integers(-(10**6), 10**9), st.booleans(), st.text(max_size=5))


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(sorted(EVIDENCE)), data=st.data(), tool=st.sampled_from(["", "4", "T4"]), unit=st.sampled_from(["", "%", "A"]))
def test_whatever_is_missing_the_sentences_stand(kind: str, data: st.DataObject, tool: str, unit: str) -> None:
    """No placeholder and no dash is left where a figure is missing, in either language; the title is short."""
    keys = data.draw(st.lists(st.sampled_from(EVIDENCE[kind]), unique=True))
    evidence = {key: data.draw(st.floats(-1e6, 1e6) if key not in {"reason", "channel", "unit", "absent"} else st.none()) for key in keys}
    for texts in CATALOGUES.values():
        told = texts.alert(alert(kind, evidence, tool), units={"load": unit})
        for sentence in (told.title, told.text, told.todo, told.others, *told.evidence):
            assert not re.search(r"[{}\[\]–]", sentence)
        assert told.title
        assert told.text
        assert told.todo
        assert len(told.title) <= 45


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(typing.get_args(Kind)),
    evidence=st.dictionaries(st.sampled_from(sorted({k for v in EVIDENCE.values() for k in v})), VALUES),
)
def test_no_evidence_breaks_it(kind: str, evidence: Evidence) -> None:
    for texts in CATALOGUES.values():
        assert texts.alert(alert(kind, evidence)).title


def test_what_the_condition_of_a_spindle_says() -> None:
    several = said(
        "spindle",
        tool="",
        several=True,
        indicator="kurtosis",
        figures=7,
        figures_of=27,
        rpm=3000.0,
        change_pct=212.0,
        zone="B",
        n_looks=108,
    )
    assert (
        several.text == "7 mesures de vibration sur 27 en hausse à 3 000 tr/min, surtout kurtosis (chocs) : +212 % par rapport au départ."
    )
    assert "ISO 20816-3 (comme déclaré ; pour information) : zone B" in several.evidence
    race = said("spindle", "en", tool="", inner_race=True, indicator="bearing", bearing="front", hz=162.4, rpm=1800.0)
    assert race.title == "Bearing, spindle S1"
    assert race.text == "Bearing front: shocks at the rate of the inner race (162.4 Hz at 1,800 rpm)."
    ball = said("spindle", "fr", tool="", ball=True, bearing="avant", hz=141.4, rpm=1800.0)
    assert "Incertain" in ball.text
    own = said("spindle", "en", tool="", several=True, indicator="hf_peak", figures=3, figures_of=4, rpm=1500.0, change_pct=140.0)
    assert "most of all hf_peak" in own.text


def test_what_a_unit_says() -> None:
    told = said(
        "process", tool="", group=True, group_name="arrosage", channel="coolant_pressure", value=3.1, baseline=5.2, unit="bar",
        share_pct=71.0, also="coolant_level", also_pct=12.0,
    )  # fmt: skip
    assert told.title == "Inhabituel : arrosage"
    assert "3,1 bar pour 5,2 bar d'habitude : 71 % de l'écart de arrosage, puis niveau de lubrifiant (12 %)." in told.text
    assert said("process", tools=5, change_pct=9.0, part=7).title == "Tous les outils ensemble"


def test_what_chatter_says() -> None:
    assert said("chatter", "en", line=True, hz=1130.0, rpm=3000.0, value=41.0).text == (
        "The pass chatters at 1,130 Hz, off the harmonics of 3,000 rpm: 41% of the vibration's energy."
    )
