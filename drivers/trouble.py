"""Why nothing was read, by what the caller must do next."""

from __future__ import annotations


class BusTrouble(Exception):
    """Nothing was read. The subclass says what the caller must do next; `key` says why, `detail` is for the log."""

    def __init__(self, key: str, detail: str = "") -> None:
        super().__init__(f"{key}: {detail}" if detail else key)
        self.key = key
        self.detail = detail


class NoAnswer(BusTrouble):
    """The device is silent. Ask again later."""


class WrongAnswer(BusTrouble):
    """Something was heard, but not the answer. The line was drained; ask again."""


class Refused(BusTrouble):
    """The device is there and says no (Modbus exception `code`). Ask for something else, or later."""

    def __init__(self, code: int) -> None:
        super().__init__("refused", str(code))
        self.code = code


class LinkDown(BusTrouble):
    """The port or the connection is gone. Open it again."""
