"""The cycle `hahn`: 177 s, the main spindle of a production lathe, fitted on one recorded part and on 9,750 cuts.

Source: data/hahn_lathe (tvhahn/Tool-Wear-Files, Queen's University / Checkfluid, MIT): one_part_1khz.npz, segments_1khz.npz,
cuts_features.csv.gz. Every figure below is what `python benchmarks/fit_hahn.py` prints, with its n and its spread.

Left out: the sub spindle (it works from 5 to 70 s, during which the main spindle stands still and the tool number is the sub spindle's),
the transfer of the part between both spindles (155.6 to 177 s, tool 8, current held at 1035 counts: no cut), the position errors, and the
oscillation at the end of hard run-ups. Cuts that the control flags while nothing is to be seen in the current (about half of them) are kept
as they are: cuts with next to no work above idle.
"""

from __future__ import annotations

from drivers.simulate.cycle import CutPlan, Cycle, Spindle, Track

PROGRAM = 677
PERIOD = 177.0
RATED = 1600.0
"""Counts of the recording that are shown as 100 %: an assumption (the unit of the recorded current is not documented); the drive's limit,
2351 counts, then is 147 %."""

IDLE = (331.99, -31.01, 16.23)
"""Counts: constant, per krpm, per krpm^2. 7 stretches of steady air, 8.9 s, 799 to 3000 rpm; residual sd 6.1 counts."""
RIPPLE_RATIO = 0.273
"""Of the spindle frequency: a belt's own frequency, by the look of it. 6 stretches, sd 0.0004."""
RIPPLE_AT_3000 = 105.9
RIPPLE_EXPONENT = 2.56
"""Amplitude = 105.9 counts (n / 3000)^2.56; 6 stretches, 1800 to 3000 rpm (23 counts at 1800)."""
NOISE = 4.8
"""Counts, sd of the current smoothed over 50 ms, without ripple, in steady air. Measured in the 7 stretches, ripple and its harmonics
removed: 3.92; this is what must be drawn so that the same measurement of the simulation gives 3.8 (six seeds, sd 0.36)."""
NOISE_LAG1 = 0.91
"""Its autocorrelation at 10 ms: measured 0.857, the same of the simulation 0.850 (sd 0.023)."""
ACCELERATION = 0.54
GENTLE = 300.0
"""Counts per rpm/s of a change of speed faster than GENTLE; 856 ticks of 10 ms above 1000 rpm/s, interquartile range 0.12."""
LIMIT = 2351.0
"""Counts, 99.9th percentile."""
SPREAD = 0.0175
TAILS = 4
"""Scale and degrees of freedom of Student's t for the deviation of a cut's mean current, idle included. 3,343 good cuts of the main
spindle's tools against the median of up to 30 before: p50 1.3 %, p75 2.6 %, p90 4.2 %, p95 5.2 %, p99 7.8 %; t(4) x 0.0175 has p50
1.3 %, p90 3.7 %, p99 8.1 %. (Three parts of one day, n 46: p50 1.9 %, p90 6.1 %.) What of it is slow drift over weeks is here drawn anew
for each part."""

SPEED: Track = (
    (0.00, 0),
    (0.95, 3),
    (1.02, 127),
    (1.23, 904),
    (1.27, 995),
    (2.11, 1019),
    (2.19, 1164),
    (2.45, 1854),
    (2.82, 2661),
    (2.98, 2952),
    (3.09, 3005),
    (4.46, 3000),
    (4.57, 2918),
    (4.78, 2531),
    (5.07, 1785),
    (5.19, 1358),
    (5.49, 50),
    (5.61, 0),
    (71.37, 0),
    (71.42, 28),
    (71.47, 154),
    (71.77, 1286),
    (71.88, 1627),
    (72.08, 2109),
    (72.17, 2208),
    (75.63, 2199),
    (75.93, 2409),
    (84.53, 2399),
    (84.69, 2514),
    (84.98, 2962),
    (85.11, 3006),
    (93.42, 3000),
    (93.62, 2780),
    (93.79, 2419),
    (94.01, 1859),
    (94.09, 1797),
    (99.74, 1800),
    (99.94, 2012),
    (100.41, 2932),
    (100.54, 3006),
    (108.90, 3000),
    (109.06, 2848),
    (109.42, 2055),
    (109.52, 1995),
    (113.16, 1999),
    (113.34, 2165),
    (113.74, 2911),
    (113.83, 3000),
    (116.45, 3000),
    (116.63, 2819),
    (116.89, 2255),
    (117.08, 1733),
    (117.18, 1374),
    (117.29, 890),
    (117.34, 798),
    (123.34, 825),
    (123.43, 669),
    (123.57, 175),
    (123.62, 142),
    (123.66, 220),
    (123.94, 1267),
    (124.04, 1586),
    (124.49, 2629),
    (124.61, 2807),
    (125.00, 3000),
    (131.99, 2999),
    (132.76, 2539),
    (133.69, 2181),
    (134.88, 1888),
    (136.52, 1634),
    (138.12, 1880),
    (139.79, 1634),
    (141.45, 1882),
    (143.06, 1634),
    (144.73, 1881),
    (146.32, 1634),
    (147.97, 1882),
    (151.31, 1612),
    (152.28, 1612),
    (152.36, 1520),
    (152.43, 1351),
    (152.70, 245),
    (152.74, 150),
    (153.66, 137),
    (153.71, 169),
    (153.78, 313),
    (154.12, 1532),
    (154.48, 2374),
    (155.61, 2399),
    (156.60, 0),
    (177.00, 0),
)
"""(s, rpm): the recording within 40 rpm (Douglas-Peucker)."""

TOOLS: Track = (
    (0.00, 8),
    (0.05, 22),
    (5.00, 54),
    (38.36, 32),
    (47.56, 36),
    (54.67, 57),
    (62.59, 37),
    (70.52, 5),
    (75.61, 15),
    (83.56, 11),
    (92.57, 23),
    (98.89, 1),
    (108.24, 21),
    (112.36, 3),
    (116.42, 13),
    (122.32, 17),
    (152.85, 15),
    (155.62, 8),
)

Work = tuple[int, float, float, Track]

CUTS: tuple[Work, ...] = (
    (22, 2.44, 1.64, ((0.0, 0.0), (1.14, 0.0), (1.21, 32.0), (1.63, 0.0))),
    (
        5,
        72.96,
        2.07,
        (
            (0.0, 14.0),
            (0.51, 13.0),
            (0.54, 105.0),
            (0.62, 743.0),
            (0.64, 827.0),
            (0.66, 841.0),
            (0.8, 636.0),
            (0.89, 580.0),
            (1.99, 567.0),
            (2.06, 484.0),
        ),
    ),
    (15, 76.32, 0.34, ((0.0, 0.0), (0.17, 4.0), (0.25, 91.0), (0.33, 99.0))),
    (15, 76.90, 0.36, ((0.0, 0.0), (0.17, 0.0), (0.27, 116.0), (0.35, 107.0))),
    (15, 77.50, 0.36, ((0.0, 0.0), (0.17, 0.0), (0.26, 151.0), (0.35, 196.0))),
    (15, 78.11, 0.35, ((0.0, 2.0), (0.17, 0.0), (0.29, 67.0), (0.34, 19.0))),
    (15, 78.71, 0.35, ((0.0, 0.0), (0.16, 0.0), (0.25, 151.0), (0.34, 190.0))),
    (15, 79.31, 0.35, ((0.0, 25.0), (0.16, 0.0), (0.26, 185.0), (0.3, 198.0), (0.34, 144.0))),
    (15, 79.91, 0.35, ((0.0, 0.0), (0.17, 5.0), (0.26, 201.0), (0.34, 217.0))),
    (15, 80.51, 0.35, ((0.0, 15.0), (0.16, 0.0), (0.27, 227.0), (0.34, 171.0))),
    (15, 81.11, 0.35, ((0.0, 0.0), (0.17, 3.0), (0.26, 219.0), (0.34, 205.0))),
    (15, 81.72, 0.34, ((0.0, 0.0), (0.15, 0.0), (0.26, 240.0), (0.33, 201.0))),
    (15, 82.32, 0.34, ((0.0, 0.0), (0.16, 8.0), (0.23, 195.0), (0.27, 244.0), (0.33, 186.0))),
    (
        11,
        85.45,
        5.93,
        (
            (0.0, 0.0),
            (0.12, 3.0),
            (0.16, 56.0),
            (0.27, 0.0),
            (1.67, 0.0),
            (1.74, 13.0),
            (1.87, 217.0),
            (2.11, 141.0),
            (5.83, 185.0),
            (5.89, 176.0),
            (5.92, 119.0),
        ),
    ),
    (23, 94.47, 3.43, ((0.0, 0.0), (3.42, 18.0))),
    (1, 100.84, 2.88, ((0.0, 0.0), (0.24, 31.0), (0.32, 0.0), (1.89, 27.0), (2.87, 0.0))),
    (1, 104.29, 1.69, ((0.0, 0.0), (1.62, 12.0), (1.68, 46.0))),
    (1, 106.55, 0.56, ((0.0, 0.0), (0.55, 0.0))),
    (21, 109.84, 1.61, ((0.0, 0.0), (1.33, 21.0), (1.6, 59.0))),
    (3, 114.18, 0.88, ((0.0, 0.0), (0.18, 0.0), (0.22, 53.0), (0.34, 0.0), (0.67, 42.0), (0.87, 0.0))),
    (13, 117.96, 3.08, ((0.0, 0.0), (2.35, 19.0), (3.07, 62.0))),
    (17, 124.34, 2.69, ((0.0, 0.0), (1.13, 0.0), (1.23, 33.0), (2.62, 2.0), (2.68, 34.0))),
    (17, 127.16, 0.83, ((0.0, 35.0), (0.02, 0.0), (0.61, 0.0), (0.82, 64.0))),
    (17, 128.24, 1.45, ((0.0, 47.0), (0.03, 0.0), (1.44, 0.0))),
    (17, 129.76, 0.94, ((0.0, 0.0), (0.93, 26.0))),
    (
        17,
        130.83,
        7.31,
        (
            (0.0, 0.0),
            (1.1, 3.0),
            (1.22, 175.0),
            (1.26, 146.0),
            (1.33, 0.0),
            (2.92, 0.0),
            (2.99, 47.0),
            (3.68, 4.0),
            (5.65, 0.0),
            (5.77, 129.0),
            (5.84, 161.0),
            (6.18, 146.0),
            (7.11, 205.0),
            (7.22, 195.0),
            (7.3, 112.0),
        ),
    ),
    (17, 138.18, 3.22, ((0.0, 33.0), (1.55, 0.0), (1.78, 159.0), (3.04, 205.0), (3.21, 142.0))),
    (17, 141.44, 3.23, ((0.0, 26.0), (1.55, 0.0), (1.77, 157.0), (2.99, 200.0), (3.12, 193.0), (3.22, 129.0))),
    (17, 144.70, 3.22, ((0.0, 40.0), (0.32, 2.0), (1.55, 0.0), (1.72, 140.0), (1.79, 161.0), (3.06, 202.0), (3.21, 139.0))),
    (17, 148.04, 4.07, ((0.0, 13.0), (4.06, 6.0))),
    (15, 154.40, 0.36, ((0.0, 0.0), (0.35, 0.0))),
)
"""(tool, start s, duration s, (s from start, counts above idle)): the 31 cuts of the main spindle that the control's CUT_Signal marks
before the transfer; work within 25 counts after the ripple is averaged out, run-ups taken off."""


def cycle() -> Cycle:
    """One part in 177 s, loads in % of RATED."""
    percent = 100.0 / RATED
    cuts = tuple(
        CutPlan(tool, i + 1, start, duration, 200.0, tuple((s, w * percent) for s, w in work))
        for i, (tool, start, duration, work) in enumerate(CUTS)
    )
    return Cycle(
        name="hahn",
        program=PROGRAM,
        period=PERIOD,
        poll=0.04,
        speed=SPEED,
        tools=TOOLS,
        cuts=cuts,
        ends=173.0,
        door=(173.5, 176.5),
        spindle=Spindle(
            idle=(IDLE[0] * percent, IDLE[1] * percent, IDLE[2] * percent),
            acceleration=ACCELERATION * percent,
            gentle=GENTLE,
            limit=LIMIT * percent,
            slew=6000.0,
            noise=NOISE * percent,
            lag1=NOISE_LAG1,
            ripple_ratio=RIPPLE_RATIO,
            ripple_at_3000=RIPPLE_AT_3000 * percent,
            ripple_exponent=RIPPLE_EXPONENT,
            spread=SPREAD,
            tails=TAILS,
            spread_of_idle=True,
            magnetising=0.0,
            amperes=RATED / 100.0 * 0.01,
        ),
    )
