"""A snapshot for the stream: figures of four digits, because sixteen of them cost the Pi three times the bytes and no eye sees them, and
without what a view asks for by itself (explanations, the table of operations)."""

from __future__ import annotations

import msgspec

from agent.model import CutView, EnvelopeView, Snapshot, SpindleView


def slim(snapshot: Snapshot) -> Snapshot:
    """The same snapshot with curves of four significant digits, and no more than every view needs ten times a second."""
    spindles = tuple(_spindle(s) for s in snapshot.spindles)
    return msgspec.structs.replace(snapshot, spindles=spindles, explanations=(), operations=(), coverages=())


def _cut(cut: CutView) -> CutView:
    """The same cut with curves of four significant digits."""
    envelope = cut.envelope
    if envelope is not None:
        envelope = _envelope(envelope)
    return msgspec.structs.replace(cut, curve=_short(cut.curve), envelope=envelope)


def _spindle(spindle: SpindleView) -> SpindleView:
    return spindle if spindle.cut is None else msgspec.structs.replace(spindle, cut=_cut(spindle.cut))


def _envelope(envelope: EnvelopeView) -> EnvelopeView:
    return msgspec.structs.replace(envelope, low=_short(envelope.low), high=_short(envelope.high))


def _short(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(float(f"{value:.4g}") for value in values)
