"""Where the data files are: texts, checklists, device maps. Found once, by the commands, and handed down to whoever needs them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

SYSTEM = Path("/etc/broche")


class DataMissing(Exception):
    """A file that ships with Broche is in none of the folders: the installation is not whole."""

    def __init__(self, name: str, folders: tuple[Path, ...]) -> None:
        super().__init__(f"{name}: in none of {', '.join(str(folder) for folder in folders) or 'no folder'}")
        self.name = name
        self.folders = folders


@dataclass(frozen=True, slots=True)
class DataPaths:
    """The folders that may hold `devices/`, `texts/`, `checklists/`, nearest first: what stands nearer wins.

    Beside the machine file, /etc/broche, the checkout's config/, share/broche/config of the installation.
    """

    folders: tuple[Path, ...]

    @classmethod
    def find(
        cls,
        machine_file: Path | None,
        *,
        system: Path = SYSTEM,
        checkout: Path | None = None,
        prefix: Path | None = None,
    ) -> DataPaths:
        """Those of the folders that exist, each once. The keyword arguments stand in for the real places in a test."""
        checkout = Path(__file__).resolve().parent.parent if checkout is None else checkout
        prefix = Path(sys.prefix) if prefix is None else prefix
        wanted = [] if machine_file is None else [machine_file.absolute().parent]
        wanted += [system, checkout / "config", prefix / "share" / "broche" / "config"]
        found: dict[Path, None] = {}
        for folder in wanted:
            if _is_folder(folder):
                found.setdefault(folder.resolve())
        return cls(tuple(found))

    @property
    def devices(self) -> tuple[Path, ...]:
        """Folders of device maps, nearest first."""
        return tuple(folder / "devices" for folder in self.folders if (folder / "devices").is_dir())

    def file(self, name: str) -> Path:
        """The nearest file of that name, such as 'texts/common.fr.toml'.

        Raises
        ------
        DataMissing: no folder has it.
        """
        for folder in self.folders:
            if (folder / name).is_file():
                return folder / name
        raise DataMissing(name, self.folders)

    def files(self, folder: str, pattern: str) -> tuple[Path, ...]:
        """Every file of `folder` that matches `pattern`, sorted by name; of two with one name only the nearer."""
        found: dict[str, Path] = {}
        for place in self.folders:
            for path in (place / folder).glob(pattern):
                if path.is_file():
                    found.setdefault(path.name, path)
        return tuple(found[name] for name in sorted(found))


def _is_folder(path: Path) -> bool:
    """Whether there is such a folder that we may look into."""
    try:
        return path.is_dir() and os.access(path, os.R_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
    except OSError:
        return False
