"""Commands as they come over MQTT: anything may come, and only a well-formed command gets through."""

from __future__ import annotations

import msgspec

from agent.commands import Command, CommandResult
from agent.publish.link import Arrived

LARGEST = 4096
"""Bytes of a command."""
ASKED = 50
"""Commands that may wait for their answer."""
ANSWER_KEPT = 60.0
"""s for which an answer is worth anything."""

_DECODER: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


class _Named(msgspec.Struct):
    """Enough of a bad command to answer it."""

    id: str = ""


def read(payload: bytes, *, retained: bool, seconds_left: float | None, otherwise: str) -> Command | CommandResult:
    """A command, with an id (its own, or `otherwise`), or the answer that refuses it.

    Parameters
    ----------
    retained: the broker kept it from before this connection: obeying it would repeat it at every connection.
    seconds_left: of its message expiry (MQTT 5); None: it has none.
    """
    if len(payload) > LARGEST:
        return CommandResult(id=otherwise, accepted=False, reason="too_large")
    name = _name(payload)[:64] or otherwise
    if retained:
        return CommandResult(id=name, accepted=False, reason="retained")
    if seconds_left is not None and seconds_left <= 0:
        return CommandResult(id=name, accepted=False, reason="expired")
    try:
        command = _DECODER.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return CommandResult(id=name, accepted=False, reason="not_understood")
    return msgspec.structs.replace(command, id=name)


class Asked(msgspec.Struct, frozen=True):
    """Where the answer to a command goes."""

    when: float
    topic: str
    correlation: bytes = b""


class Inbox:
    """Commands that wait for their answer; at most so many that a flood cannot fill the memory."""

    def __init__(self, result: str) -> None:
        self._result = result
        self._asked: dict[str, Asked] = {}

    def take(self, arrived: Arrived, now: float, otherwise: str) -> Command | CommandResult:
        """What came, as `read`, and where its answer goes kept. A response topic (MQTT 5) is kept only below our own."""
        for name in [name for name, asked in self._asked.items() if now - asked.when > ANSWER_KEPT]:
            del self._asked[name]
        got = read(arrived.payload, retained=arrived.retained, seconds_left=arrived.seconds_left, otherwise=otherwise)
        if not isinstance(got, CommandResult) and (len(self._asked) >= ASKED or got.id in self._asked):
            got = CommandResult(id=got.id, accepted=False, reason="busy")
        if got.id not in self._asked:
            ours = arrived.reply.startswith(f"{self._result}/") and not set("+#") & set(arrived.reply)
            self._asked[got.id] = Asked(now, arrived.reply if ours else self._result, arrived.correlation)
        return got

    def asked(self, name: str) -> Asked:
        """Where the answer to this command goes; asked once."""
        return self._asked.pop(name, None) or Asked(0.0, self._result)


def _name(payload: bytes) -> str:
    try:
        return msgspec.json.decode(payload, type=_Named).id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
