"""HIT-SM rigs: which race is damaged, with settings fixed on the CWRU rig."""

from __future__ import annotations

from pathlib import Path

from benchmarks.detection._bearings import READERS, measure_set
from benchmarks.detection.table import Progress, Row


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Races named, healthy records."""
    return measure_set("hit_bearing", "cwru_bearing", folder, READERS, progress)
