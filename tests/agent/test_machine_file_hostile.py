"""Whatever stands at the path: an error that can be read, never a traceback, and soon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.paths import DataPaths
from agent.texts import Texts
from tests.support.machine_files import RIGHT, codes, written, wrong

LARGE = 120_000


def test_no_file_names_its_neighbour(tmp_path: Path) -> None:
    written(tmp_path, RIGHT)
    (mistake,) = wrong(tmp_path / "machin.toml")
    assert (mistake.code, mistake.values["meant"], mistake.line) == ("no_file", "machine.toml", 0)


def test_a_folder(tmp_path: Path) -> None:
    assert [mistake.code for mistake in wrong(tmp_path)] == ["folder"]


def test_a_path_through_a_file(tmp_path: Path) -> None:
    assert [mistake.code for mistake in wrong(written(tmp_path, RIGHT) / "more.toml")] == ["unreadable"]


def test_a_path_with_a_null_character() -> None:
    assert [mistake.code for mistake in wrong(Path("a\0b.toml"))] == ["unreadable"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [mistake.code for mistake in wrong(tmp_path / "pipe")] == ["not_a_file"]
    assert [mistake.code for mistake in wrong(Path("/dev/zero"))] == ["not_a_file"]


def test_a_file_and_a_folder_that_we_may_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT)
    path.chmod(0)
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0)
    user = os.geteuid()
    if user == 0:  # root may read everything
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        os.seteuid(65534)
    try:
        assert [mistake.code for mistake in wrong(path)] == ["unreadable"]
        assert [mistake.code for mistake in wrong(hidden / "machine.toml")] == ["unreadable"]
        assert hidden not in DataPaths.find(hidden / "machine.toml").folders
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\xff\xfe[\0", "utf16"),
        (b"\xfe\xff\0[", "utf16"),
        (b"name = \"\xe9\"", "not_utf8"),
        (os.urandom(1_000_000), "too_large"),
        (b"a" * 1_000_000, "too_large"),
        (b"a" * 2000, "line_too_long"),
        (b"a = " + b"[" * 990, "nested"),
        (b"a = " + b"[\n" * 50_000, "nested"),
        (b"# only a comment\n", "no_machine"),
    ],
)  # fmt: skip
def test_what_is_no_machine_file_at_all(tmp_path: Path, text: bytes, code: str) -> None:
    assert [mistake.code for mistake in wrong(written(tmp_path, text))] == [code]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    assert codes(tmp_path, b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode()) == {}


@pytest.mark.parametrize(
    "text",
    [
        "[machine]\nname = 'm'\n" + "\n".join(f"[[channel]]\nname = 'c{i}'\nrole = 'x{i}'\nqq{i} = 1" for i in range(2000)),
        "\n".join(f"[unknown{i}]" for i in range(5000)),
        "\n".join(f"k{i}.{'a.' * 480}b = 1" for i in range(100)),
        "[machine]\nname = 'm'\n" + "\n".join(f"[[bus]]\nname = 'b{i}'\nframing = 'rtu'\nport = '/dev/x'" for i in range(1500)),
        "[machine]\nname = '''\n" + "x\n" * 50_000 + "'''\n",
        "[machine]\nname = 'm'\nkind = " + "9" * 900,
        "x\n" * 50_000,
        "'" * 900 + "\n" + '"' * 900,
    ],
    ids=["channels", "tables", "dotted", "buses", "long text", "long number", "no TOML", "quotes"],
)
def test_much_nonsense_is_given_up_soon(tmp_path: Path, text: str) -> None:
    mistakes = wrong(written(tmp_path, text[:LARGE]))
    assert 0 < len(mistakes) <= 101
    said = Texts.load(DataPaths.find(None), "fr").mistakes(mistakes)
    assert all(len(line) < 1000 for line in said.splitlines())


def test_what_is_repeated_cannot_colour_a_terminal(tmp_path: Path) -> None:
    mistakes = wrong(written(tmp_path, '[machine]\nname = "m"\n"\\u001b[31mred" = 1\nkind = "\\u0007bell"\n'))
    assert len(mistakes) == 2
    assert all(letter.isprintable() or letter == "\n" for letter in Texts.load(DataPaths.find(None), "en").mistakes(mistakes))


LINES = RIGHT.splitlines()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, len(LINES) - 1),
    line=st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            ["[[", "]", "[machine]", "[[machine]]", "a = {", "a = [", "x = ", '"', "'''", "= 1", "name = 1", "channel = 1", "[bus.x]"]
        ),
    ),
    drop=st.integers(0, 3),
)
def test_a_right_file_with_any_line_changed_is_right_or_wrong_but_never_a_traceback(tmp_path: Path, at: int, line: str, drop: int) -> None:
    rows = [*LINES[:at], line, *LINES[at + drop :]]
    for mistake in wrong(written(tmp_path, "\n".join(rows).encode("utf-8", "surrogatepass"))):
        assert mistake.code


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=300))
def test_noise(tmp_path: Path, noise: bytes) -> None:
    assert wrong(written(tmp_path, noise))
