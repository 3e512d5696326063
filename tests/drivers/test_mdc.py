"""Questions to a Haas control and what their answers mean: nothing but a question can be made, and no answer is taken for another."""

from __future__ import annotations

import ast
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers import mdc
from drivers.decode import MOST_TEXTS
from drivers.devices import load_map
from drivers.mdc import Heard, Question, Reader, decode, heard, line_of, place_of, questions, refused
from drivers.model import Quality, Words, word_of
from drivers.options import Register
from tests.support.haas import ANSWERS, framed, ngc
from tests.support.house import ROOT

MAP = load_map(ROOT / "config" / "devices" / "haas_mdc.toml")
BY_NAME = {register.name: register for register in MAP.registers}
ONLY_A_QUESTION = re.compile(rb"\?Q[1-9]\d\d\r\n|\?Q600 [1-9]\d{0,4}\r\n")


def question(*names: str) -> Question:
    (one,) = questions([BY_NAME[name] for name in names])
    return one


def test_the_least_questions_in_the_order_of_the_registers() -> None:
    asked = questions([BY_NAME[name] for name in ("program", "mode", "parts", "load", "execution", "tool")])
    assert [one.line for one in asked] == [b"?Q500\r\n", b"?Q104\r\n", b"?Q600 1098\r\n", b"?Q201\r\n"]
    assert [(index, field) for index, _, field in asked[0].fields] == [(0, 1), (2, 4), (4, 2)]


@pytest.mark.parametrize("address", [1040, 1042, 1051, 5000, 5003, 5005, 10_000, 1, 0, 9991, 65_535 - 65_534])
def test_fields_that_no_known_answer_has(address: int) -> None:
    register = Register(name="r", table="query", address=address)
    assert place_of(register) is None
    with pytest.raises(ValueError, match="no field"):
        questions([register])


def test_a_modbus_register_is_no_question() -> None:
    assert place_of(Register(name="r", address=5001)) is None


@given(st.integers(0, 65_535))
@example(5001)
@example(11098)
def test_whatever_a_map_says_only_a_question_can_come_of_it(address: int) -> None:
    register = Register(name="r", table="query", address=address)
    if place_of(register) is not None:
        (one,) = questions([register])
        assert ONLY_A_QUESTION.fullmatch(one.line)


@given(st.text(max_size=30))
@example("?E1098 5.0")
@example("?Q600 1098\r\n?E100 1")
@example("?Q100\n")
@example("?Q٣٣٣")
@example("?Q600 100000")
@example("")
def test_no_other_line_can_be_made(text: str) -> None:
    try:
        line = line_of(text)
    except ValueError:
        return
    assert ONLY_A_QUESTION.fullmatch(line)


def test_there_is_one_place_that_writes_to_a_control() -> None:
    """By the source: one function calls write, and what it writes is `question.line`, which only `line_of` makes."""
    writers = {"write", "writelines", "send", "sendall", "sendto"}
    found = []
    for path in sorted(Path(ROOT / "drivers").glob("mdc*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                calls = [
                    n
                    for n in ast.walk(function)
                    if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in writers
                ]
                if calls:
                    found.append((path.name, function.name, sorted(ast.unparse(call.args[-1]) for call in calls)))
                    assert "data = question.line" in ast.unparse(function)
    assert found == [("mdc_line.py", "_send", ["data", "data"])]


@pytest.mark.parametrize("dressed", [ngc, framed])
@pytest.mark.parametrize("names", [("mode",), ("tool",), ("program", "execution", "parts"), ("m30_counter_1",), ("m30_counter_2",)])
def test_each_answer_answers_its_own_question_and_no_other(dressed, names: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    one = question(*names)
    for asked, text in ANSWERS.items():
        (received,) = Reader().feed(dressed(text))
        answer = heard(one, received)
        assert (answer is not None) == (asked.encode() + b"\r\n" == one.line)
        assert answer is None or answer.proven


def test_words_of_the_control_become_words_of_mtconnect() -> None:
    words = Words()

    def word(name: str, field: str) -> str:
        value, mark = decode(BY_NAME[name], field, words)
        assert mark == Quality.GOOD
        return word_of(value, words.seen())

    assert [word("mode", m) for m in ("(MEM)", "MDI", "(JOG)", "ZERO RET", "LIST PROG", "(SOMETHING)")] == [
        "AUTOMATIC", "MANUAL_DATA_INPUT", "MANUAL", "MANUAL", "EDIT", "SOMETHING",
    ]  # fmt: skip
    assert [word("execution", s) for s in ("IDLE", "FEED HOLD", "ALARM ON", "BUSY", "M00")] == [
        "READY", "FEED_HOLD", "STOPPED", "ACTIVE", "M00",
    ]  # fmt: skip
    assert word("program", "O01234") == "O01234"
    assert decode(BY_NAME["tool"], "4", words) == (4.0, Quality.GOOD)


@pytest.mark.parametrize("text", ["STATUS, BUSY", "STATUS BUSY", "STATUS,BUSY"])
def test_a_busy_control_says_nothing_of_the_program(text: str) -> None:
    answer = heard(question("program", "execution", "parts"), text)
    assert answer == Heard(("", "BUSY", "PARTS", ""), True)
    value, mark = decode(BY_NAME["program"], answer.fields[0], Words())
    assert math.isnan(value)
    assert mark == Quality.ABSENT


def test_a_variable_that_the_answer_names_is_proven_and_another_one_is_not_ours() -> None:
    load = question("load")
    assert heard(load, "MACRO, 1098,       41.500") == Heard(("41.500",), True)
    assert heard(load, "MACRO, 41.5") == Heard(("41.5",), False)
    assert heard(load, "MACRO, 3027, 1200.0") is None


@pytest.mark.parametrize(
    "text",
    ["", ",", "PROGRAM", "PROGRAM, O012", "PROGRAM, O01234, IDLE, PARTS", "PROGRAM, O01, IDLE, PARTS, 3x", "PROGRAM, O01, IDLE, PARTS,",
     "PROGRAM, O0123SERIAL NUMBER, 77", "STATUS", "STATUS, ", "PROGRAM, , IDLE, PARTS, 3", "PROGRAM, A, B, C, 3", "Q500"],
)  # fmt: skip
def test_half_and_damaged_answers_are_none(text: str) -> None:
    assert heard(question("program"), text) is None


@pytest.mark.parametrize("text", ["MODE, (ME", "MODE, MEM)", "MODE", "MODE, ", "MODES, MEM"])
def test_half_modes_are_none(text: str) -> None:
    assert heard(question("mode"), text) is None


def test_a_question_that_the_control_does_not_know() -> None:
    assert refused("UNKNOWN")
    assert refused("UNKNOWN, Q999")
    assert not refused("MODE, UNKNOWN")


@pytest.mark.parametrize("field", ["nan", "inf", "1e400", "0x12", "--1", "12 3", "1,5", "٣"])
def test_what_is_no_number_is_bad(field: str) -> None:
    value, mark = decode(BY_NAME["tool"], field, Words())
    assert math.isnan(value)
    assert mark == Quality.BAD


def test_a_control_that_says_ever_new_words_does_not_fill_the_memory() -> None:
    words = Words()
    for i in range(MOST_TEXTS):
        assert decode(BY_NAME["program"], f"O{i}", words)[1] == Quality.GOOD
    assert decode(BY_NAME["program"], "MORE", words)[1] == Quality.BAD
    assert decode(BY_NAME["program"], "O7", words)[1] == Quality.GOOD
    assert len(words.seen()) == MOST_TEXTS


def test_a_number_is_scaled_and_has_its_limits() -> None:
    raw = Register(name="load", table="query", address=11098, scale=100 / 8192, bad=(8191,), max=150.0)
    assert decode(raw, "4096.000", Words()) == (50.0, Quality.GOOD)
    assert decode(raw, "8191.0", Words())[1] == Quality.BAD
    assert decode(raw, "16000", Words())[1] == Quality.BAD


@given(
    st.lists(st.sampled_from([ngc(t) for t in ANSWERS.values()] + [framed(t) for t in ANSWERS.values()]), max_size=12),
    st.lists(st.integers(0, 400)),
)
def test_reads_may_split_and_merge_answers_anywhere(sent: list[bytes], cuts: list[int]) -> None:
    data, reader, got = b"".join(sent), Reader(), []
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for a, b in pairwise(edges):
        got += reader.feed(data[a:b])
    assert got == [re.sub(rb"[\x02\x17>\r\n]", b"", one).decode() for one in sent]
    assert reader.noise == 0


@given(st.binary(max_size=600))
@example(b"\x02" * 500)
@example(b"x" * 5000 + b"\r\n")
@example(b"Q600 1098 \x02MACRO, 1098, 5.0\x17\r\n>")
def test_rubbish_is_no_answer_and_does_not_pile_up(data: bytes) -> None:
    reader = Reader()
    texts = reader.feed(data)
    assert all(text.isascii() and text.isprintable() and 0 < len(text) < 200 for text in texts)
    assert len(reader._rest) <= mdc._LONGEST
    assert reader.feed(b"\r\n" + ngc("MODE, (MEM)"))[-1] == "MODE, (MEM)"


def test_the_map_holds_only_questions_that_are_known() -> None:
    assert all(place_of(register) for register in MAP.registers)
    assert [register.name for register in MAP.registers if not register.verified] == ["load"]
