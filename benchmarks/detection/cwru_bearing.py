"""CWRU, drive end: which race is damaged, with settings fixed on the HIT rig. Loads of one bearing are no independent test."""

from __future__ import annotations

from pathlib import Path

from benchmarks.detection._bearings import READERS, measure_set
from benchmarks.detection.table import Progress, Row


def measure(folder: Path, progress: Progress) -> list[Row]:
    """Races named, balls, healthy records."""
    return measure_set("cwru_bearing", "hit_bearing", folder, READERS, progress)
