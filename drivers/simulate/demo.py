"""The cycle of `demo`: a small turned part in 6.6 s, three tools, one cut each, made up (no recording stands behind it).

T4 roughs (ébauche), T1 turns (chariotage), T2 cuts the groove (gorge). Every run-up of the spindle draws more than any cut, and is none.
Idle 3 to 8 % with the speed, cuts 20 to 55 %, spread from part to part 1 % (median absolute deviation), noise 0.6 % of rated torque.
"""

from __future__ import annotations

from drivers.simulate.cycle import CutPlan, Cycle, Spindle

PROGRAM = 4711
ROUGHING, TURNING, GROOVE = 4, 1, 2

_SPINDLE = Spindle(
    idle=(2.6, 1.1, 0.12),
    acceleration=0.0082,
    gentle=0.0,
    limit=150.0,
    slew=9000.0,
    noise=0.6,
    lag1=0.88,
    ripple_ratio=0.0,
    ripple_at_3000=0.0,
    ripple_exponent=0.0,
    spread=0.0148,
    tails=0,
    spread_of_idle=False,
    magnetising=4.2,
    amperes=0.16,
)


def cycle() -> Cycle:
    """One part in 6.6 s."""
    return Cycle(
        name="demo",
        program=PROGRAM,
        period=6.6,
        poll=0.05,
        speed=(
            (0.0, 0.0),
            (0.15, 0.0),
            (0.50, 2400.0),
            (2.40, 2400.0),
            (2.55, 2800.0),
            (4.27, 2800.0),
            (4.47, 1600.0),
            (6.12, 1600.0),
            (6.34, 0.0),
            (6.60, 0.0),
        ),
        tools=((0.0, ROUGHING), (2.35, TURNING), (4.22, GROOVE)),
        cuts=(
            CutPlan(ROUGHING, 1, 0.95, 1.20, 720.0, ((0.0, 0.0), (0.08, 49.0), (0.20, 46.0), (1.08, 43.5), (1.20, 0.0))),
            CutPlan(TURNING, 2, 3.00, 1.02, 560.0, ((0.0, 0.0), (0.12, 26.0), (0.90, 28.5), (1.02, 0.0))),
            CutPlan(GROOVE, 3, 4.90, 1.00, 128.0, ((0.0, 0.0), (0.15, 24.0), (0.88, 31.0), (1.00, 0.0))),
        ),
        ends=6.12,
        door=(6.34, 6.55),
        spindle=_SPINDLE,
    )
