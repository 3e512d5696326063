"""The files of the page, read once: nothing else of the disk can be asked for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes out."""

    body: bytes
    type: str
    tag: str
    """ETag"""


@dataclass(frozen=True, slots=True)
class Assets:
    """All files by name."""

    files: dict[str, Asset]
    build: str
    """Changes with any of them: a page that is older than the agent reloads itself."""

    @staticmethod
    def read(folder: Path | None = None) -> Assets:
        """Read the folder `static` beside this file."""
        files = {}
        for path in sorted((folder or Path(__file__).parent / "static").iterdir()):
            if path.suffix in TYPES:
                body = path.read_bytes()
                files[path.name] = Asset(body, TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        return Assets(files, hashlib.sha256("".join(asset.tag for asset in files.values()).encode()).hexdigest()[:16])
