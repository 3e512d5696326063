"""How often the balls of a bearing pass a defect, a turn of the shaft: by its geometry, or as its maker says."""

from __future__ import annotations

import math

from agent.settings import BearingOptions

Passages = tuple[float, float, float]
"""Strikes a turn of the shaft on the outer race, the inner race, and of a ball on both races."""


def defect_lines(balls: int, ball: float, pitch: float, angle: float = 0.0) -> tuple[float, float, float, float]:
    """BPFO, BPFI, BSF and FTF, a turn of the shaft, of a bearing whose outer race stands.

    N/2 (1 - q), N/2 (1 + q), D/2d (1 - q2), (1 - q)/2, with q = d/D cos(angle) (field.md 2.4).

    Parameters
    ----------
    balls: of a row. ball, pitch: diameters in the same unit. angle: of contact, degrees.

    Raises
    ------
    ValueError: figures that no bearing has.
    """
    if balls < 3 or not 0.0 < ball < pitch or not 0.0 <= angle < 90.0:
        raise ValueError(f"no bearing has {balls} balls of {ball:g} on a circle of {pitch:g} at {angle:g} degrees")
    q = ball / pitch * math.cos(math.radians(angle))
    return balls / 2.0 * (1.0 - q), balls / 2.0 * (1.0 + q), pitch / (2.0 * ball) * (1.0 - q * q), (1.0 - q) / 2.0


def orders(balls: int, ball: float, pitch: float, angle: float = 0.0) -> Passages:
    """Of a bearing by its geometry; see `defect_lines`."""
    outer, inner, spin, _ = defect_lines(balls, ball, pitch, angle)
    return outer, inner, 2.0 * spin


def passages_of(bearing: BearingOptions) -> Passages:
    """Of one that the machine file describes; the factors that a maker gives go before the geometry.

    `bsf` is the ball's own turns: a defect of it strikes twice in each.

    Raises
    ------
    ValueError: neither is whole, or no bearing has such figures.
    """
    if bearing.bpfo is not None and bearing.bpfi is not None:
        # Without `bsf` it follows: bpfi + bpfo is the number of balls, bpfi - bpfo is q times that, and d/D is close to q.
        balls, q = bearing.bpfi + bearing.bpfo, (bearing.bpfi - bearing.bpfo) / (bearing.bpfi + bearing.bpfo)
        if not (balls > 0.0 and 0.0 < q < 1.0):
            raise ValueError(f"no bearing has {bearing.bpfo:g} and {bearing.bpfi:g} passages a turn")
        return bearing.bpfo, bearing.bpfi, 2.0 * bearing.bsf if bearing.bsf is not None else (1.0 - q * q) / q
    if bearing.n is None or bearing.d is None or bearing.D is None:
        raise ValueError("a bearing needs n, d and D, or bpfo and bpfi")
    return orders(bearing.n, bearing.d, bearing.D, bearing.angle)
