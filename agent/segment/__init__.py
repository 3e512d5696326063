"""Rows of one spindle to Cuts as they open, grow and close."""

from __future__ import annotations

from agent.segment.fill import Fill
from agent.segment.frame import Frame, believed, bin_rows
from agent.segment.segmenter import SegmenterState, SpindleSegmenter

__all__ = ["Fill", "Frame", "SegmenterState", "SpindleSegmenter", "believed", "bin_rows"]
