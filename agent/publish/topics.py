"""Every topic: `<prefix>/<site>/<area>/<machine>/...`, lower-case ASCII levels, the machine at a fixed depth (docs/topics.md)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from agent.settings import MachineOptions

_ODD = re.compile(r"[^a-z0-9._-]+")
_ODD_ID = re.compile(r"[^A-Za-z0-9._-]+")


def level(name: str) -> str:
    """A name as one level of a topic: 'Tour n° 3 / Usinage' becomes 'tour-n-3-usinage'."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _ODD.sub("-", plain).strip("-") or "-"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one machine."""

    base: str

    @classmethod
    def of(cls, prefix: str, machine: MachineOptions) -> Topics:
        """`prefix` may have several levels, separated by '/'."""
        levels = [part for part in prefix.split("/") if part] + [machine.site, machine.area, machine.name]
        return cls("/".join(level(part) for part in levels))

    @property
    def status(self) -> str:
        """Retained; also the will."""
        return f"{self.base}/status"

    @property
    def telemetry(self) -> str:
        """Latest values, flat."""
        return f"{self.base}/telemetry"

    @property
    def cut(self) -> str:
        """One message a closed cut."""
        return f"{self.base}/cut"

    @property
    def command(self) -> str:
        """In."""
        return f"{self.base}/command"

    @property
    def result(self) -> str:
        """What became of a command."""
        return f"{self.base}/command/result"

    def alert(self, alert: str) -> str:
        """Retained: the latest state of this alert."""
        return f"{self.base}/alert/{_ODD_ID.sub('-', alert)}"

    def checklist(self, checklist: str) -> str:
        """Retained: the latest state of this checklist."""
        return f"{self.base}/checklist/{_ODD_ID.sub('-', checklist)}"
