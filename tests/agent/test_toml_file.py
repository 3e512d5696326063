"""Lines of keys, and structs from tables that are partly wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.toml_file.decode import table_of
from agent.toml_file.found import Found, dotted
from agent.toml_file.lines import Place, line_of, lines_of

TEXT = '''# a comment with [brackets] and = signs
top = 1
[machine]
name = "x # no comment"   # a comment
"quoted.key" = [1,
  2,   # ] not the end
  { a = 3 }]
long = """
[not.a.header]
key = "no key"
"""
a.b.c = 'it\\'
[[channel]]
name = "q"
[[channel]]
  role = "r"
[[channel.sub]]
z = 1
[[channel.sub]]
z = 2
[channel.one]
y = 3
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("machine",), 3),
        (("machine", "name"), 4),
        (("machine", "quoted.key"), 5),
        (("machine", "quoted.key", 1), 6),
        (("machine", "quoted.key", 2), 7),
        (("machine", "quoted.key", 2, "a"), 7),
        (("machine", "long"), 8),
        (("machine", "a", "b", "c"), 12),
        (("channel", 0), 13),
        (("channel", 0, "name"), 14),
        (("channel", 1, "role"), 16),
        (("channel", 1, "missing"), 15),
        (("channel", 1, "sub", 0, "z"), 18),
        (("channel", 1, "sub", 1, "z"), 20),
        (("channel", 1, "one", "y"), 22),
        (("nowhere",), 0),
    ],
)
def test_line_of_a_key(place: Place, line: int) -> None:
    tomllib.loads(TEXT)
    assert line_of(lines_of(TEXT), place) == line


NAMES = st.text("abcdefgh", min_size=1, max_size=3)
VALUES = st.sampled_from(
    ["1", '"x"', "[1, 2]", "[\n  1,\n  [2, 3],\n]", "{ q = 1 }", '"""\nname = 1\n"""', "'''\n[x]\n'''", "1.5", "true", '"#"']
)


@given(st.lists(st.tuples(NAMES, st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=4)), max_size=4))
@settings(max_examples=60, deadline=None)
def test_every_key_stands_on_the_line_that_wrote_it(tables: list[tuple[str, list[tuple[str, str, bool]]]]) -> None:
    rows: list[str] = []
    expected: dict[Place, int] = {}
    counts: dict[str, int] = {}
    for name, keys in tables:
        at = counts.get(name, 0)
        counts[name] = at + 1
        rows.append(f"[[{name}]]")
        expected[(name, at)] = len(rows)
        for key, value, comment in {key: (key, value, comment) for key, value, comment in keys}.values():
            if comment:
                rows.append("# x = [ ")
            expected[(name, at, key)] = len(rows) + 1
            rows += f"{key} = {value}".split("\n")
    text = "\n".join(rows)
    tomllib.loads(text)
    lines = lines_of(text)
    assert {place: lines[place] for place in expected} == expected


def test_places_are_written_as_people_count() -> None:
    assert dotted(("channel", 1, "from")) == "channel[2].from"
    assert dotted(()) == ""


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    """A nested table."""

    id: str


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    """A table with every kind of value."""

    name: str
    size: float = 1.0
    count: int = 1
    either: int | str = 1
    maybe: float | None = None
    on: bool = False
    word: Literal["left", "right"] = "left"
    texts: tuple[str, ...] = ()
    facts: dict[str, float | str] = {}
    inner: tuple[Inner, ...] = ()


def decoded(raw: object, limits: dict[tuple[str, str], tuple[float, float]] | None = None) -> tuple[Outer | None, dict[str, str]]:
    found = Found(Path("x.toml"), limits)
    return table_of(Outer, raw, "outer", ("outer",), found), {mistake.key: mistake.code for mistake in found.mistakes}


def test_a_right_table() -> None:
    raw = {
        "name": "a",
        "size": 2,
        "either": "x",
        "maybe": 1,
        "on": True,
        "word": "right",
        "texts": ["t"],
        "facts": {"a": 1},
        "inner": [{"id": "i"}],
    }
    outer, wrong = decoded(raw)
    assert wrong == {}
    assert outer == Outer(
        name="a", size=2.0, either="x", maybe=1.0, on=True, word="right", texts=("t",), facts={"a": 1}, inner=(Inner(id="i"),)
    )


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("name", 1, "type_unquoted"),
        ("size", "2", "type_quoted"),
        ("size", "big", "type_text"),
        ("size", True, "type"),
        ("size", float("nan"), "between"),
        ("size", float("inf"), "between"),
        ("count", 1.5, "type"),
        ("count", 10**400, "between"),
        ("either", [], "type"),
        ("on", 1, "type"),
        ("word", "rigth", "not_listed"),
        ("texts", "t", "type"),
        ("facts", [], "type"),
        ("inner", {}, "many_tables"),
        ("nmae", "a", "unknown_key"),
        ("name", "a\x1b[31m", "control"),
    ],
)
def test_one_wrong_value_gives_way_to_its_default_and_is_named(key: str, value: object, code: str) -> None:
    outer, wrong = decoded({"name": "a", key: value})
    assert wrong == {f"outer.{key}": code}
    assert outer == (Outer(name="a") if key != "name" else None)


def test_limits_hold_for_their_table_and_key() -> None:
    limits = {("outer", "size"): (0.0, 2.0)}
    assert decoded({"name": "a", "size": 2.0}, limits)[1] == {}
    assert decoded({"name": "a", "size": 2.1}, limits)[1] == {"outer.size": "between"}


def test_all_mistakes_of_a_table_at_once() -> None:
    outer, wrong = decoded({"size": "2", "word": 3, "colour": 1, "inner": [{"id": 1}, {"name": "x"}, 5]})
    assert outer is None
    assert set(wrong) == {
        "outer",
        "outer.size",
        "outer.word",
        "outer.colour",
        "outer.inner[1].id",
        "outer.inner[2].name",
        "outer.inner[2]",
        "outer.inner[3]",
    }
    assert wrong["outer"] == "missing_key"


@pytest.mark.parametrize(
    ("word", "meant"), [("nmae", "name"), ("Name", "name"), ("tour", "lathe"), ("zzz", ""), ("", ""), ("x" * 100_000, "")]
)
def test_nearest(word: str, meant: str) -> None:
    assert Found.nearest(word, ["name", "lathe", "mill"]) == meant


def test_what_is_repeated_is_short_and_has_no_control_characters() -> None:
    assert Found.shown("\x1b[31mred\n") == "·[31mred·"
    assert len(Found.shown("x" * 1000)) == 40
    assert Found.shown(10**300) == "…"
    assert Found.shown({"a": 1}) == "{ … }"
