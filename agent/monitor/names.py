"""What a cut is called where the control names nothing."""

from __future__ import annotations

import msgspec

from agent.detect.recurring import Recurring
from agent.model import Cut
from agent.segment import SpindleSegmenter


def named(cut: Cut, segmenter: SpindleSegmenter, recurring: Recurring) -> Cut:
    """The same cut, by the name that its place and shape give it: as it opens by its time, as it closes by its shape too."""
    if cut.phase == "closed":
        return recurring.closed(cut)
    tool = recurring.opened(cut) if cut.phase == "opened" else ""
    if not tool:
        return cut
    segmenter.called(tool)
    return msgspec.structs.replace(segmenter.current() or cut, phase="opened", curve=())
