"""The catalogues: both languages say the same, in the manner of each; and what the house asks for is there."""

from __future__ import annotations

import ast
import logging
import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.mistakes import Mistake
from agent.model import Coverage, Kind, Operation, Severity, Step, Transition, Word
from agent.paths import DataPaths
from agent.settings import Language, ToolOptions
from agent.texts import LANGUAGES, Texts, flatten
from agent.texts.typeset import fill, number, placeholders, typeset
from tests.support.house import ROOT

TEXTS = ROOT / "config" / "texts"
ROOMS = sorted({path.name.split(".")[0] for path in TEXTS.glob("*.toml")})
FINE, FIRM = "\u202f", "\u00a0"


def entries(room: str, language: str) -> dict[str, tuple[str, ...]]:
    return flatten(tomllib.loads((TEXTS / f"{room}.{language}.toml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def french() -> Texts:
    return Texts.load(DataPaths.find(None), "fr")


@pytest.fixture(scope="module")
def english() -> Texts:
    return Texts.load(DataPaths.find(None), "en")


def made(language: Language = "fr", **texts: str | tuple[str, ...]) -> Texts:
    return Texts(language, {key.replace("__", "."): (text,) if isinstance(text, str) else text for key, text in texts.items()})


# ------------------------------------------------------------------ parity
@pytest.mark.parametrize("room", ROOMS)
def test_both_languages_have_the_same_keys(room: str) -> None:
    assert set(entries(room, "fr")) == set(entries(room, "en"))


@pytest.mark.parametrize("room", ROOMS)
def test_both_languages_fill_in_the_same_values(room: str) -> None:
    french, english = entries(room, "fr"), entries(room, "en")
    for key, texts in french.items():
        assert [placeholders(text) for text in texts] == [placeholders(text) for text in english[key]], key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_files_have_the_same_key(language: str) -> None:
    seen: dict[str, str] = {}
    for room in ROOMS:
        for key in entries(room, language):
            assert key not in seen, f"{key}: {room} and {seen.get(key)}"
            seen[key] = room


@pytest.mark.parametrize("language", LANGUAGES)
def test_alternatives_go_from_more_to_less_and_the_last_of_an_alert_needs_nothing(language: str) -> None:
    for key, texts in entries("alerts", language).items():
        if len(texts) > 1:
            needs = [set(placeholders(text)) for text in texts]
            assert all(not (earlier < later) for i, earlier in enumerate(needs) for later in needs[i + 1 :]), key
            if key.startswith("alert."):
                assert not needs[-1], key


@pytest.mark.parametrize("room", ["alerts", "common", "coverage", "errors", "check"])
def test_catalogues_are_typed_with_ordinary_spaces_and_apostrophes(room: str) -> None:
    for language in LANGUAGES:
        text = (TEXTS / f"{room}.{language}.toml").read_text(encoding="utf-8")
        assert not re.search("[\u202f\u00a0\u2019]", text)


@pytest.mark.parametrize("room", ["alerts", "common", "coverage", "errors", "check"])
def test_french_spaces(room: str) -> None:
    """No double punctuation without its space, none with an ordinary one, no space before a point or a comma; outside `code`."""
    for key, texts in entries(room, "fr").items():
        for text in texts:
            prose = re.sub(r"`[^`]*`|https?://\S+", "x", typeset(text, "fr"))
            assert not re.search(r"[^\s\u202f\u00a0?!(…][;!?»](?!\w)", prose), f"{key}: {text}"
            assert not re.search(r"\w:(?=\s|$)", prose), f"{key}: {text}"
            assert not re.search(r" [;:!?%»](?=\s|$)|« ", prose), f"{key}: {text}"
            assert not re.search(r" [.,](?=\s|$)", prose), f"{key}: {text}"
            assert not re.search(r"[\d}]%", prose), f"{key}: {text}"
            assert "'" not in re.sub(r"(?<=\W)'|'(?=\W|$)", "", prose), f"{key}: {text}"


@pytest.mark.parametrize("room", ["alerts", "coverage", "errors", "check"])
def test_english_has_no_french_spaces(room: str) -> None:
    for key, texts in entries(room, "en").items():
        for text in texts:
            assert not re.search(r"\w [;:!?%](?=\s|$)", re.sub(r"`[^`]*`", "x", text)), f"{key}: {text}"


def test_nobody_is_spoken_to_with_tu_or_vous() -> None:
    """Infinitives, as on the sheets of a shop; the one question 'Vouliez-vous dire' is the exception."""
    for room in ("alerts", "common", "coverage", "errors", "check"):
        for key, texts in entries(room, "fr").items():
            for text in texts:
                assert not re.search(r"\b(tu|toi|ton|vous|votre|vos)\b", text.replace("Vouliez-vous", ""), re.IGNORECASE), f"{key}: {text}"


# ------------------------------------------------------------------ what the house asks for
def calls(name: str, keyword: str) -> Iterator[tuple[str, str]]:
    """(file, value) of every constant `keyword` of every call of `name` in agent/."""
    for path in sorted((ROOT / "agent").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                for given_ in node.keywords:
                    if given_.arg == keyword and isinstance(given_.value, ast.Constant) and given_.value.value:
                        yield path.name, given_.value.value


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_coverage_is_said_with_what_would_help(language: Language) -> None:
    texts = Texts.load(DataPaths.find(None), language)
    reasons = {reason for _, reason in calls("Coverage", "reason")}
    assert {"learning", "machine_off"} <= reasons
    for reason in reasons:
        assert texts.has(f"reason.{reason}.means"), reason
        assert texts.has(f"reason.{reason}.helps"), reason


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_is_said(language: Language) -> None:
    texts = Texts.load(DataPaths.find(None), language)
    refusals = {reason for _, reason in calls("CommandResult", "reason")}
    refusals |= {"unknown_alert", "unknown_tool", "unknown_checklist", "unknown_step", "checklist_done", "safety_first"}
    for reason in refusals:
        assert texts.has(f"refusal.{reason}"), reason


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mistake_that_can_be_found_is_said(language: Language) -> None:
    """Codes are written as constants in calls of wrong, wrong_line and warn."""
    texts = Texts.load(DataPaths.find(None), language)
    codes = set()
    for folder in ("machine_file", "toml_file", "maintenance"):
        for path in (ROOT / "agent" / folder).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in {"wrong", "wrong_line", "warn"}
                ):
                    codes |= {
                        part.value for part in ast.walk(node.args[1]) if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    }
    assert {"no_bus", "placeholder", "no_tree"} <= codes
    words = {"tool", "program", "context", "from", "role", "channel", ".", "_", "missing_", "cost_", "cutting_", "syntax_", "map."}
    for code in codes - words:
        assert texts.has(f"mistake.{code}.what"), code
        assert texts.has(f"mistake.{code}.remedy"), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_nouns_is_said(language: Language) -> None:
    texts = Texts.load(DataPaths.find(None), language)
    for kind in typing.get_args(Kind):
        assert texts.has(f"kind.{kind}")
        assert all(texts.has(f"alert.{kind}.{part}") for part in ("title", "text", "todo"))
    assert all(texts.has(f"severity.{word}") for word in typing.get_args(Severity))
    assert all(texts.has(f"transition.{word}") for word in typing.get_args(Transition) if word)
    kinds, results = (typing.get_args(typing.get_type_hints(Step)[name]) for name in ("kind", "result"))
    assert all(texts.has(f"step_kind.{word}") for word in kinds)
    assert all(texts.has(f"step_result.{word}") for word in results if word)
    assert all(texts.has(f"coverage.{word}.{part}") for word in Word for part in ("word", "means", "helps"))


# ------------------------------------------------------------------ numbers
@pytest.mark.parametrize(
    ("value", "digits", "fr", "en"),
    [
        (0, None, "0", "0"),
        (18.24, 0, "18", "18"),
        (1234567.891, 1, f"1{FINE}234{FINE}567,9", "1,234,567.9"),
        (-3.2, 1, "−3,2", "−3.2"),
        (-0.04, 1, "0,0", "0.0"),
        (46.0, None, "46", "46"),
        (46.3, None, "46,3", "46.3"),
        (1.1, None, "1,1", "1.1"),
        (1.123, None, "1,12", "1.12"),
        (0.034, None, "0,034", "0.034"),
        (640.7, None, "641", "641"),
        (float("nan"), 1, "–", "–"),
        (float("inf"), 1, "∞", "∞"),
        (float("-inf"), 1, "−∞", "−∞"),
    ],
)
def test_numbers(value: float, digits: int | None, fr: str, en: str) -> None:
    assert number(value, digits, "fr") == fr
    assert number(value, digits, "en") == en


def test_signs() -> None:
    assert [number(value, 0, "fr", signed=True) for value in (18.0, -18.0, 0.0, 0.4)] == ["+18", "−18", "0", "0"]


@given(st.floats(-1e12, 1e12), st.one_of(st.none(), st.integers(0, 6)))
def test_a_number_reads_back(value: float, digits: int | None) -> None:
    text = number(value, digits, "fr")
    back = float(text.replace(FINE, "").replace(",", ".").replace("−", "-"))
    assert back == pytest.approx(value, rel=0.05, abs=0.5 * 10.0 ** -(3 if digits is None else digits))


@pytest.mark.parametrize(
    ("value", "unit", "fr", "en"),
    [
        (46.0, "%", f"46{FINE}%", "46%"),
        (1.1, "mm/s", f"1,1{FIRM}mm/s", f"1.1{FIRM}mm/s"),
        (3000.0, "rpm", f"3{FINE}000{FIRM}tr/min", f"3,000{FIRM}rpm"),
        (41.0, "degC", f"41{FIRM}°C", f"41{FIRM}°C"),
        (4711.0, "", f"4{FINE}711", "4,711"),
        (None, "%", f"–{FINE}%", "–%"),
    ],
)
def test_numbers_with_units(french: Texts, english: Texts, value: float | None, unit: str, fr: str, en: str) -> None:
    assert french.measured(value, unit) == fr
    assert english.measured(value, unit) == en


# ------------------------------------------------------------------ typography
@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("Outil absent ?", f"Outil absent{FINE}?"),
        ("Cause : l'arête ; n° 4", f"Cause{FIRM}: l’arête{FINE}; n°{FIRM}4"),
        ("« Outil changé »", f"«{FIRM}Outil changé{FIRM}»"),
        ("{x:+0} % de 3 s à 1,1 mm/s", f"{{x:+0}}{FINE}% de 3{FIRM}s à 1,1{FIRM}mm/s"),
        ("`port = 'a' ; b : c ?` !", f"`port = 'a' ; b : c ?`{FINE}!"),
        ("à 12:30", "à 12:30"),
        ("4 sur 20", "4 sur 20"),
    ],
)
def test_french_typography(typed: str, printed: str) -> None:
    assert typeset(typed, "fr") == printed


def test_english_typography() -> None:
    assert typeset("Didn't it: 3 s? `it's`", "en") == f"Didn’t it: 3{FIRM}s? `it's`"


# ------------------------------------------------------------------ filling in
def test_fill() -> None:
    values = {"a": "x", "b": 1234.5, "c": True, "d": None, "e": float("nan"), "f": 7}
    assert fill("{a} {b:1} {c} {f}", values, "fr") == f"x 1{FINE}234,5 True 7"
    assert fill("{d} {e} {missing}", values, "fr") == "– – –"
    assert fill("{b:+0} {f:2}", values, "en") == "+1,234 7.00"
    assert fill("{a.__class__} {a!r} {} {0:>9999}", values, "en") == "{a.__class__} {a!r} {} {0:>9999}"


def test_the_first_alternative_whose_values_are_known_is_taken() -> None:
    texts = made(key=("{a} and {b}", "{a}", "nothing"))
    assert texts.say("key", a=1, b=2) == "1 and 2"
    assert texts.say("key", a=1, b=float("nan")) == "1"
    assert texts.say("key", b=2) == "nothing"


def test_plurals(french: Texts, english: Texts) -> None:
    assert [french.say("alerts", n=n) for n in (0, 1, 2)] == ["0 alerte", "1 alerte", "2 alertes"]
    assert [english.say("alerts", n=n) for n in (0, 1, 2)] == ["0 alerts", "1 alert", "2 alerts"]


def test_a_missing_key_is_seen_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    texts = made()
    with caplog.at_level(logging.WARNING, logger="agent.texts"):
        assert [texts.say("no.such", n=1), texts.say("no.such")] == ["[no.such]", "[no.such]"]
    assert [record.getMessage() for record in caplog.records] == ["no fr text for key no.such"]


def test_a_value_may_be_called_key(french: Texts) -> None:
    assert made(it="{key}").say("it", key="x") == "x"


def test_lists(french: Texts, english: Texts) -> None:
    assert [french.listed(words) for words in ([], ["T1"], ["T1", "T2"], ["T1", "T2", "T4"])] == ["", "T1", "T1 et T2", "T1, T2 et T4"]
    assert english.listed(["T1", "T2"]) == "T1 and T2"


# ------------------------------------------------------------------ loading
def test_a_nearer_key_replaces_a_farther_one_and_a_broken_file_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    for folder in (near, far):
        (folder / "texts").mkdir(parents=True)
    (far / "texts" / "a.fr.toml").write_text('[x]\none_key = "far"\nother = "far"\n', encoding="utf-8")
    (near / "texts" / "shop.fr.toml").write_text('x.one_key = "near"\nx.number = 3\n', encoding="utf-8")
    (near / "texts" / "broken.fr.toml").write_text("x = = y", encoding="utf-8")
    (near / "texts" / "latin1.fr.toml").write_bytes(b'x = "\xe9"')
    with caplog.at_level(logging.ERROR, logger="agent.texts"):
        texts = Texts.load(DataPaths((near, far)), "fr")
    assert (texts.say("x.one_key"), texts.say("x.other")) == ("near", "far")
    assert texts.keys == {"x.one_key", "x.other"}
    assert len(caplog.records) == 3


def test_branch() -> None:
    texts = made(page__title="Broche : {name}", page__tools__none=("a {n}", "b"), pages__other="x")
    assert texts.branch("page") == {"title": f"Broche{FIRM}: {{name}}", "tools": {"none": "a {n}"}}


# ------------------------------------------------------------------ coverage, scopes, mistakes
def coverage(word: Word, reason: str = "", n: int = 0, of: int = 0) -> Coverage:
    return Coverage(time=0.0, scope="machine", word=word, reason=reason, n=n, of=of)


def test_the_seven_words(french: Texts, english: Texts) -> None:
    assert [french.coverage(coverage(word, n=3, of=20))[0] for word in Word] == [
        "SIGNAL PERDU", "NON SURVEILLABLE", "SUSPENDU", "APPRENTISSAGE 3 sur 20", "PROVISOIRE", "SURVEILLÉ", "ARRÊTÉE",
    ]  # fmt: skip
    assert [english.coverage(coverage(word, n=3, of=20))[0] for word in Word] == [
        "LOST", "NOT MONITORABLE", "HOLD", "LEARNING 3 of 20", "PROVISIONAL", "MONITORING", "OFF",
    ]  # fmt: skip


def test_a_coverage_says_why_and_what_helps(french: Texts) -> None:
    held = coverage(Word.HOLD, "feed_override")
    assert french.coverage(held) == ("SUSPENDU", f"Le correcteur d’avance n’est pas à 100{FINE}%.")
    assert french.helps(held) == f"Remettre le correcteur d’avance à 100{FINE}%."
    learning = coverage(Word.LEARNING, "learning", 3, 5)
    assert french.coverage(learning) == ("APPRENTISSAGE 3 sur 5", f"Bonnes passes vues{FIRM}: 3 sur 5.")
    assert french.coverage(coverage(Word.LEARNING, "learning"))[0] == "APPRENTISSAGE", "of how many is not known yet"
    assert french.helps(coverage(Word.MONITORING)) == "Rien à faire."


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (Operation(spindle="S1", program="4711", revision=1, tool="4", section="2"), "outil T4, programme 4711, passe 2"),
        (Operation(spindle="S1", program="", revision=0, tool="4", section=""), "outil T4"),
        (Operation(spindle="S1", program="4711", revision=1, tool="4", section="~2"), "outil T4, programme 4711"),
        (Operation(spindle="S1", program="SUB/O1", revision=0, tool="", section="2"), "programme SUB/O1, passe 2"),
        (Operation(spindle="S1", program="", revision=0, tool="", section=""), "une opération sans nom"),
    ],
)
def test_operations(french: Texts, operation: Operation, said: str) -> None:
    assert french.scope(f"operation/{operation.key}") == said


def test_other_scopes(french: Texts, english: Texts) -> None:
    assert [french.scope(scope) for scope in ("machine", "spindle/S1", "vibration/nose")] == ["la machine", "broche S1", "vibration nose"]
    assert english.scope("spindle/S1") == "spindle S1"


def test_tools(french: Texts, english: Texts) -> None:
    tools = (ToolOptions(number=4, name="ébauche", name_en="roughing"), ToolOptions(number=7, name="taraud"))
    assert [french.tool(number, tools) for number in (4, "T7", 9, "")] == ["T4 ébauche", "T7 taraud", "T9", ""]
    assert [english.tool(number, tools) for number in ("4", 7)] == ["T4 roughing", "T7 taraud"]


def test_a_mistake_is_a_place_what_and_remedy(english: Texts) -> None:
    mistake = Mistake(Path("m.toml"), 3, "source[1].bus", "no_bus", {"name": "machin", "meant": "machine", "known": "machine"})
    assert english.mistakes([mistake]) == (
        'm.toml:3: source[1].bus: there is no bus `machin`\n    Did you mean "machine"? Buses declared: machine.'
    )
    assert english.mistakes([Mistake(Path("m.toml"), 0, "", "empty")]).startswith("m.toml: the file is empty\n")


def test_a_value_of_a_mistake_in_two_languages(french: Texts, english: Texts) -> None:
    values: dict[str, str | int | float] = {"device": "d", "model": "m", "why_fr": "Il chauffe : 5 %.", "why_en": "It's hot: 5%."}
    mistake = Mistake(Path("m.toml"), 1, "source[1]", "reading_writes", values)
    assert french.mistake(mistake)[1] == "L’enlever de ce bus. Il chauffe\u00a0: 5\u202f%."
    assert english.mistake(mistake)[1] == "Take it off this bus. It’s hot: 5%."
    without = Mistake(Path("m.toml"), 1, "source[1]", "reading_writes", {**values, "why_fr": "", "why_en": ""})
    assert "sortie analogique" in french.mistake(without)[1]
    assert "analog output" in english.mistake(without)[1]


def test_steps_trees_and_tasks(french: Texts, english: Texts) -> None:
    assert french.tree("T01") == "La charge monte sur un seul outil"
    assert english.step("T01.change") == "Finish the pass, change the insert or the tool"
    assert "lunettes" in french.step("safety.S1")
    assert french.task("D07").startswith("Voir le niveau de lubrifiant")
