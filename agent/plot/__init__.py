"""Pictures of what a detector saw, as SVG: for the page, and for anything else that can show one."""

from __future__ import annotations

from agent.plot.picture import picture_svg
from agent.plot.sheet import Size

__all__ = ["Size", "picture_svg"]
