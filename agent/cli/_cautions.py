"""What who connects a device must know, from its map, in the language of the person who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.texts.typeset import typeset

if TYPE_CHECKING:
    from agent.settings import Language
    from drivers.options import DeviceMap


def cautions(device: DeviceMap, language: Language) -> list[str]:
    """One sentence or a few for each [[cautions]], set as it should be printed."""
    return [typeset(caution.said(language), language) for caution in device.cautions]
