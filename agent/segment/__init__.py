"""Rows of one spindle to Cuts as they open, grow and close."""

from __future__ import annotations

from agent.segment.fill import Fill
from agent.segment.frame import Frame, believed, bin_rows
from agent.segment.segmenter import SegmenterState, SpindleSegmenter
from agent.segment.visit import VisitSegmenter, is_visit

__all__ = ["Fill", "Frame", "SegmenterState", "SpindleSegmenter", "VisitSegmenter", "believed", "bin_rows", "is_visit"]
