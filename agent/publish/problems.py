"""What a broker's answer means, as a key of the text catalogue under [mqtt.problem]. Codes: MQTT 5.0, section 2.4, table 2-6."""

from __future__ import annotations

import msgspec

UNSUPPORTED_PROTOCOL = 0x84
TRANSIENT = frozenset({0x80, 0x83, 0x89, 0x91, 0x97})
"""Refusals of a single message that may be over later: unspecified, implementation specific, busy, id in use, quota exceeded."""

_KEYS = {
    0x82: "protocol",
    UNSUPPORTED_PROTOCOL: "protocol",
    0x85: "refused",
    0x86: "credentials",
    0x87: "not_authorised",
    0x8C: "credentials",
    0x8D: "silent",
    0x8E: "taken_over",
    0x90: "not_authorised",
    0x97: "quota",
}


class Problem(msgspec.Struct, frozen=True):
    """`key` under [mqtt.problem]; `detail` in the words of the library or the broker, for the log."""

    key: str
    detail: str = ""


def meaning(code: int, words: str, otherwise: str) -> Problem:
    """Of a reason code; `otherwise`: the key for all that have none of their own."""
    return Problem(_KEYS.get(code, otherwise), f"{words} (0x{code:02X})")
