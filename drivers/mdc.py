"""Haas Machine Data Collection, read-only: which questions may be asked, and what their answers mean. Pure.

A question is one line of text, `?Q104` or `?Q600 1098`; the answer is one line, or stands between STX and ETB (RS-232, older Ethernet).
What one client asks is answered to all of them, so an answer is checked against the question (Haas, Next Generation Control, Machine Data
Collection). Commands that write begin with `?E`; nothing here can make one, and `line_of` refuses whatever is no question.

In a device map a field is a register of the table `query`. Its address is 10 times the number of the question plus the number of the field
behind the first word (5001: first field of Q500), or 10000 plus the variable that Q600 reads (11098: #1098).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.decode import MOST_TEXTS
from drivers.model import Quality, Words
from drivers.options import Register

VARIABLES = 10_000
"""Added to the number of a variable."""
_QUESTION = re.compile(r"\?Q[1-9][0-9]{2}|\?Q600 [1-9][0-9]{0,4}")
_ANSWERS: dict[int, tuple[tuple[str, int], ...]] = {
    100: (("SERIAL NUMBER", 1),),
    104: (("MODE", 1),),
    201: (("USING TOOL", 1),),
    402: (("M30 #1", 1),),
    403: (("M30 #2", 1),),
    500: (("PROGRAM", 4), ("STATUS", 1)),
}
"""Questions that are known: first words of their answers, and how many fields follow. Q600: `MACRO` with or without the variable."""
MODES = {
    "MEM": "AUTOMATIC",
    "DNC": "AUTOMATIC",
    "MDI": "MANUAL_DATA_INPUT",
    "JOG": "MANUAL",
    "HANDLE JOG": "MANUAL",
    "ZERO": "MANUAL",
    "ZERO RET": "MANUAL",
    "ZERORET": "MANUAL",
    "LIST PROG": "EDIT",
    "EDIT": "EDIT",
}
"""What Q104 says, without its brackets, in words of MTConnect; another word stays as it is, and is no production."""
STATES = {"IDLE": "READY", "RUNNING": "ACTIVE", "BUSY": "ACTIVE", "FEED HOLD": "FEED_HOLD", "ALARM ON": "STOPPED"}
"""What Q500 says of the program, in words of MTConnect; another word stays as it is."""
_TEXTS = {1041: MODES, 5001: {}, 5002: STATES}
"""Fields that are a text; all others are numbers."""
_PARTS = "PARTS"
_UNKNOWN = "UNKNOWN"
"""The answer to a question that this control does not know."""
_LONGEST = 200
"""Characters of an answer; longer ones are none."""
_STX, _ETB = 0x02, 0x17


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and which fields of the answer are wanted: index in the source's registers, the register, number of the field."""

    number: int
    variable: int
    fields: tuple[tuple[int, Register, int], ...]

    @property
    def line(self) -> bytes:
        """As it goes over the wire."""
        return line_of(f"?Q600 {self.variable}" if self.number == 600 else f"?Q{self.number}")


HELLO = Question(100, 0, ())
"""Asked first, and after each doubt: whatever comes before its answer is the answer to something else."""


def line_of(question: str) -> bytes:
    """The bytes of a question.

    Raises
    ------
    ValueError: it is no question.
    """
    if not _QUESTION.fullmatch(question):
        raise ValueError(f"{question!r} is no question: only ?Qnnn is ever sent")
    return question.encode("ascii") + b"\r\n"


def place_of(register: Register) -> tuple[int, int, int] | None:
    """Number of the question, variable, number of the field; None: no question that is known has such a field."""
    if register.table != "query":
        return None
    if register.address > VARIABLES:
        return 600, register.address - VARIABLES, 1
    number, field = divmod(register.address, 10)
    known = {index for word, count in _ANSWERS.get(number, ()) for index in range(1, count + 1) if word != "STATUS"}
    return (number, 0, field) if field in known and (number, field) != (500, 3) else None


def pauses(register: Register) -> bool:
    """Whether a control that is busy leaves this field out: what it said before holds until it speaks again, or is lost."""
    return register.table == "query" and register.address in {5001, 5004}


def questions(registers: Sequence[Register]) -> tuple[Question, ...]:
    """The least questions that these registers need, in the order of the registers.

    Raises
    ------
    ValueError: a register that is no field of an answer.
    """
    found: dict[tuple[int, int], list[tuple[int, Register, int]]] = {}
    for index, register in enumerate(registers):
        place = place_of(register)
        if place is None:
            raise ValueError(f"no field of an answer: {register.name}")
        found.setdefault(place[:2], []).append((index, register, place[2]))
    return tuple(Question(number, variable, tuple(fields)) for (number, variable), fields in found.items())


@dataclass(frozen=True, slots=True)
class Heard:
    """The answer to a question.

    Attributes
    ----------
    fields: behind the first word; the answer to Q500 while the control is busy: none of the program, `BUSY` as its second.
    proven: whether the answer names what was asked. `MACRO, 12.3` does not say of which variable.
    """

    fields: tuple[str, ...]
    proven: bool


def refused(text: str) -> bool:
    """Whether this is what a control says to a question that it does not know."""
    return text.partition(",")[0].strip().upper() == _UNKNOWN


def heard(question: Question, text: str) -> Heard | None:
    """What the answer `text` says; None: it is the answer to something else, or damaged."""
    if question.number == 500 and re.fullmatch(r"STATUS,? +BUSY|STATUS,BUSY", text.strip()):
        return Heard(("", "BUSY", _PARTS, ""), True)
    word, *fields = (part.strip() for part in text.split(","))
    if question.number == 600:
        if word != "MACRO" or not 1 <= len(fields) <= 2 or not all(fields):
            return None
        if len(fields) == 1:
            return Heard((fields[0],), False)
        return Heard((fields[1],), True) if fields[0] == str(question.variable) else None
    if not any(word == known and len(fields) == count for known, count in _ANSWERS[question.number]) or not all(fields):
        return None
    if question.number == 500 and (len(fields) != 4 or fields[2] != _PARTS or not re.fullmatch(r"[0-9]+", fields[3])):
        return None
    if question.number == 104 and fields[0].startswith("(") != fields[0].endswith(")"):
        return None
    return Heard(tuple(fields), True)


def decode(register: Register, field: str, words: Words) -> tuple[float, Quality]:
    """Value of one field: a number scaled as the map says, or the code of a word (BAD: too many different ones).
    '' : the control did not say, ABSENT."""
    if not field:
        return math.nan, Quality.ABSENT
    texts = _TEXTS.get(register.address)
    if texts is not None:
        text = field.strip("()").strip().upper()
        word = texts.get(text, text)
        if not words.knows(word) and len(words.seen()) >= MOST_TEXTS:
            return math.nan, Quality.BAD
        return words.code(word), Quality.GOOD
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", field):
        return math.nan, Quality.BAD
    raw = float(field)
    value = raw * register.scale + register.offset
    outside = (register.min is not None and value < register.min) or (register.max is not None and value > register.max)
    if raw in register.bad or not math.isfinite(value) or outside:
        return math.nan, Quality.BAD
    return value, Quality.GOOD


class Reader:
    """Bytes to answers: what stands between STX and ETB, or on a line of its own; prompts and echoes of questions are left out."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.noise = 0
        """Pieces that can be no answer: too long, or not text."""

    def feed(self, data: bytes) -> list[str]:
        """Answers that are whole now."""
        found: list[str] = []
        for byte in data:
            if byte == _STX:
                # An echo of the question may stand in front; a half answer is given up.
                self._rest.clear()
            elif byte in {_ETB, 0x0A, 0x0D}:
                self._take(found)
            else:
                self._rest.append(byte)
                if len(self._rest) > _LONGEST:
                    # Far too long already; what follows belongs to it.
                    del self._rest[_LONGEST:]
        return found

    def _take(self, found: list[str]) -> None:
        piece, whole = bytes(self._rest), len(self._rest) < _LONGEST
        self._rest.clear()
        text = piece.decode("ascii", "replace").strip(" >\t\0")
        if not whole or (text and not (text.isascii() and text.isprintable())):
            self.noise += 1
        elif text and not text.startswith("?"):
            found.append(text)
