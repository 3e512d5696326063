"""The catalogue of the page: whole in both languages, and the files of the page: plain, local, and without markup from outside."""

from __future__ import annotations

import re
import string
import tomllib
from pathlib import Path

import pytest

from agent.display.assets import TYPES, Assets
from agent.paths import DataPaths
from agent.texts import Texts, flatten

STATIC = Path(__file__).resolve().parents[3] / "agent" / "display" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
FILES = sorted(path for path in STATIC.iterdir() if path.is_file())


def catalogue(language: str) -> dict[str, str]:
    path = DataPaths.find(None).file(f"texts/page.{language}.toml")
    return {key.removeprefix("page."): texts[0] for key, texts in flatten(tomllib.loads(path.read_text())).items()}


def known(key: str, texts: dict[str, str]) -> bool:
    return key in texts or f"{key}.other" in texts


def test_both_languages_say_the_same_things_with_the_same_figures() -> None:
    french, english = catalogue("fr"), catalogue("en")
    assert french.keys() == english.keys()
    for key, text in french.items():
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} == {
            name for _, name, _, _ in string.Formatter().parse(english[key]) if name
        }, key


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_key_that_a_script_names_is_there(script: Path) -> None:
    texts = catalogue("fr")
    source = script.read_text()
    keys = set(re.findall(r"""\bt\(["']([\w.]+)["']""", source))
    for choice in re.findall(r"\bt\(([^`;]*?\?[^;]*?)[,)]", source):
        keys |= set(re.findall(r'"([a-z_]+\.[a-z_.]+)"', choice))
    keys |= set(re.findall(r'\["(tool\.row\.\w+)"', source))
    assert [key for key in sorted(keys) if not known(key, texts)] == []


def test_every_key_that_is_put_together_is_there() -> None:
    texts = catalogue("fr")
    words = ("LOST", "NOT_MONITORABLE", "HOLD", "LEARNING", "PROVISIONAL", "MONITORING", "OFF")
    wanted = [f"next.{word}.title" for word in words]
    wanted += [f"nav.{place}" for place in ("machine", "tools", "maintenance", "history", "installer")]
    wanted += [f"severity.{one}" for one in ("advice", "warning", "urgent")]
    wanted += [f"alert.state.{one}" for one in ("active", "acknowledged", "cleared")]
    wanted += [f"step.{one}.{kind}" for one in ("good", "kind") for kind in ("safety", "ask", "act", "escalate")]
    wanted += [f"step.{one}.{result}" for one in ("result", "was") for result in ("ok", "corrected", "escalate")]
    wanted += [f"cut.{form}{one}" for form in ("", "short.") for one in ("this", "last", "none")]
    wanted += [f"quality.{one}" for one in ("good", "uncertain", "bad", "unavailable", "absent")]
    wanted += [f"health.{one}" for one in ("good", "warning", "lost", "off")]
    wanted += [f"group.{one}" for one in ("bus", "source", "broker", "store", "clock", "version")]
    wanted += [f"installer.{one}" for one in ("channel", "value", "quality", "age")]
    wanted += [f"error.{one}" for one in ("port_taken", "port_forbidden", "bind")]
    reasons = "not_found no_snapshot too_many_viewers not_json too_slow too_large not_a_command no_answer"
    wanted += [f"refused.{one}" for one in reasons.split()]
    assert [key for key in wanted if not known(key, texts)] == []


def test_french_spaces_do_not_break() -> None:
    words = Texts.load(DataPaths.find(None), "fr").branch("page")
    assert words["alert"]["todo"] == "À faire\u00a0:"
    assert words["ask"]["tool_changed"].count("\u202f?") == 2


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_or_code_of_a_text(script: Path) -> None:
    assert (
        re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|setAttribute\(\"style",
            script.read_text(),
        )
        == []
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", path.read_text()))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert path.suffix in TYPES


def test_the_page_is_small() -> None:
    assets = Assets.read()
    assert set(assets.files) == {path.name for path in FILES}
    assert sum(len(asset.body) for asset in assets.files.values()) < 140_000


def test_another_file_is_another_build(tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("1")
    before = Assets.read(tmp_path).build
    (tmp_path / "page.js").write_text("2")
    assert Assets.read(tmp_path).build != before
