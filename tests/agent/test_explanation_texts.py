"""What an explanation says, in both languages: every kind, every key, with and without what is not known."""

from __future__ import annotations

import typing

import msgspec
import pytest

from agent.explained import Cause
from agent.maintenance import plan
from agent.model import Kind
from agent.paths import DataPaths
from agent.texts import LANGUAGES, ExplanationText, Texts
from agent.texts.moments import moment
from tests.support import snapshots

PATHS = DataPaths.find(None)
CATALOGUES = {str(language): Texts.load(PATHS, language) for language in LANGUAGES}
PLAN = plan(PATHS)
NOW = 1_764_063_000.0
"""25 Nov 2025, 10:30 in Paris"""
ZONE = "Europe/Paris"
PLAIN = {0x202F: " ", 0xA0: " ", 0x2019: "'"}


def told(kind: str, language: str = "fr", **changes: object) -> ExplanationText:
    alert = snapshots.alert(NOW, kind)
    known = msgspec.structs.replace(snapshots.explained(alert, NOW), **changes)
    return CATALOGUES[language].explanation(alert, known, ZONE)


def plain(told: ExplanationText) -> str:
    rows = [f"{name}: {value}" for name, value in told.rows]
    causes = [cause.text for cause in told.causes]
    return "\n".join([*rows, *told.chance, told.first, *causes, *told.unseen, told.picture]).translate(PLAIN)


@pytest.mark.parametrize("language", CATALOGUES)
@pytest.mark.parametrize("kind", ["wear", "breakage", "missing", "overload", "spindle", "process", "sensor"])
def test_every_kind_is_explained_without_a_key_or_a_dash(kind: str, language: str) -> None:
    text = plain(told(kind, language))
    assert "[" not in text
    assert "–" not in text
    assert "{" not in text


def test_wear_is_compared_with_the_new_tool() -> None:
    text = plain(told("wear"))
    assert "Comparé à: 3 passes de l'outil neuf, le 16 nov." in text
    assert "Depuis: pièce 104, 08:55" in text
    assert "1 fausse alarme par mois au plus, pour toute la machine" in text
    assert "au plus 1 passe sur 400 000" in text
    assert "Arête nette" in text


def test_a_break_is_judged_by_a_rule_and_says_so() -> None:
    text = plain(told("breakage"))
    assert "Comparé à: 31 bonnes passes depuis le 16 nov." in text
    assert "règle fixe" in text
    assert "400" not in text
    assert "20 lectures par seconde : rien de plus bref que 0,10 s" in text


def test_a_state_passes_no_limit_by_chance() -> None:
    assert told("sensor").chance == [CATALOGUES["fr"].say("explain.chance.state")]


@pytest.mark.parametrize(
    ("per_month", "said"), [(1.0, "1 fausse alarme par mois"), (4.0, "4 fausses alarmes par mois"), (0.25, "en 4 mois")]
)
def test_the_budget_is_said_as_the_shop_set_it(per_month: float, said: str) -> None:
    assert said in plain(told("wear", per_month=per_month))


def test_what_was_judged_false_here_is_said() -> None:
    assert "déjà jugé fausse 1 alerte" in plain(told("wear", judged_false=1))
    assert "déjà jugé fausses 3 alertes" in plain(told("wear", judged_false=3))
    assert "jugé" not in plain(told("wear"))


def test_what_is_not_known_is_left_out() -> None:
    text = plain(told("wear", n=0, baseline_since=None, since=None, since_part=None, first="", causes=(), unseen=(), picture=None))
    assert "Comparé à: l'outil neuf\n" in text
    assert "Depuis" not in text


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_cause_of_every_tree_is_a_short_sentence(language: str) -> None:
    causes = [f"{tree.id}.{other.id}" for tree in PLAN.trees.values() for other in tree.other]
    assert len(causes) > 40
    for key in causes:
        text = CATALOGUES[language].say(f"cause.{key}")
        assert 3 < len(text) <= 60, key


def test_every_tree_of_an_alert_names_another_cause() -> None:
    for choice in PLAN.choices:
        if choice.kind is not None:
            assert PLAN.trees[choice.tree].other, choice.tree


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_kind_says_what_is_not_seen(language: str) -> None:
    for kind in [*typing.get_args(Kind), "slow", "provisional", "no_vibration", "no_axis"]:
        assert CATALOGUES[language].has(f"explain.unseen.{kind}"), kind


def test_an_unlikely_cause_stays_marked() -> None:
    causes = told("wear", causes=(Cause(key="T01.program"), Cause(key="T01.material", likely=False))).causes
    assert [cause.likely for cause in causes] == [True, False]


def test_moments_of_a_zone_a_recording_and_nowhere() -> None:
    fr, en = CATALOGUES["fr"], CATALOGUES["en"]
    assert moment(fr, NOW, ZONE).translate(PLAIN) == "25 nov. 10:30"
    assert moment(en, NOW, "America/New_York").translate(PLAIN) == "25 Nov 04:30"
    assert moment(fr, NOW, "Mars/Phobos").translate(PLAIN) == "25 nov. 09:30"
    assert moment(fr, NOW, ZONE, NOW + 60.0) == "10:30"
    assert moment(fr, NOW, ZONE, NOW + 86400.0).translate(PLAIN) == "le 25 nov."
    assert moment(fr, 12.345, ZONE, 20.0).translate(PLAIN) == "12,3 s"
    assert moment(fr, None, ZONE) == ""
