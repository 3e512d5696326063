"""False alarms of the drift charts against their budget, on simulated cuts: issue 5, Show 1.

  python -m benchmarks.run_lengths                      all 48 cells: about 8 minutes of one core; a line each, in order
  python -m benchmarks.run_lengths --length 2000        one run length; also --phi, --tails, --teach-in, --cells 12 --cells 13
  python -m benchmarks.run_lengths --others 20          as if 20 other operations had told the same autocorrelation before
  python -m benchmarks.run_lengths --proof              splitting against plain counting at T = 2,000
  python -m benchmarks.run_lengths --wear 8             wear alerts in 4,000 healthy cuts of so many tools a cell, and how many cuts after
                                                        the beginning of a rise of 25 % within 50 cuts (from cut 120 on) wear is told
  python -m benchmarks.run_lengths --json               a JSON object a line

A cell is one autocorrelation (AR(1), 0 / .3 / .6 / .9), one tail (normal; Student's t with 4 degrees of freedom for the innovations), one
teach-in (30, 100, 300 cuts) and one run length T: 2,000, or what `check` prints (400,000 cuts: 20 tools x 5 detectors x 4,000 parts a
month, one false alarm a month). The values have a mean of 4 and a standard deviation of 0.05: log(work) of an operation that repeats
within 5 %. The charts are those of the pass, called as `agent.detect.drift.Drift` calls them (a test holds both against each other),
without the floor of `smallest_drift`: with it there are fewer alarms. Each teach-in is one operation of its own, nothing known of it from
others. Rare alarms are counted by splitting (`benchmarks._continue`), which changes no expected count.

  early    alarms in the 512 cuts after the teach-in, over what the budget allows there: at most 1. 95 % bounds.
  each     the same of each of 100 teach-ins, gone on with in many ways: how many have at most 3 times the budget (at least 90 %).
  long     alarms over budget in 8 T cuts (T = 2,000) or T cuts (400,000) of further teach-ins, and how many have at most 3 times.
  delay    cuts until a fall of 2 standard deviations that begins right after the teach-in is told: median (never: not within 400), and
           the share told within 20 cuts (T = 2,000) or 35 (400,000).

Nothing is tuned on these draws: PCG64 seeded with (SEED, cell, part). What was tuned was tuned with other seeds, or on draws of the
coefficient alone, without charts (docs/decisions/0014).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from scipy import stats

from agent.budget import alarms_per_hour
from agent.detect import wear
from agent.detect.baseline import Baseline, Prior
from agent.detect.budget import probability
from agent.detect.drift import chart_settings
from agent.model import Cut, CutFeatures, Operation
from benchmarks._continue import Operations, Split, process
from benchmarks.detection.table import wilson

SEED = 20261126
PHIS, TAILS, TEACH_INS = (0.0, 0.3, 0.6, 0.9), ("normal", "t4"), (30, 100, 300)
REAL = float(round(1.0 / probability(alarms_per_hour("1 per month") or 0.0)))
LENGTHS = (2000.0, REAL)
WITHIN = {2000.0: 20, REAL: 35}
WINDOW = 512
SELDOM: Split = ((0.4, 5), (0.7, 5))
RARE: Split = ((0.3, 5), (0.5, 5), (0.7, 5))
"""Levels, and in how many ways operations go on beyond them."""
WEAR_CUTS = 4000
WEAR_LIMIT = 0.20
RAMP, RAMP_FROM, RAMP_OVER, RAMP_CUTS = 0.25, 120, 50, 420
Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Cell:
    """One autocorrelation, tail, teach-in and run length.

    Attributes
    ----------
    number: of its draws. others: so many operations of the machine have told the same autocorrelation before (0: none).
    """

    number: int
    length: float
    phi: float
    tail: str
    teach_in: int
    others: int = 0

    def taught(self, part: int, teach_ins: int) -> Operations:
        """Operations that have learned, with draws of their own."""
        return Operations(
            np.random.default_rng((SEED, self.number, part)),
            self.phi,
            chart_settings(self.length, min(self.teach_in, 20), 0.0),
            teach_ins,
            self.teach_in,
            heavy=self.tail == "t4",
            others=self.others,
        )

    @property
    def split(self) -> Split:
        """Where operations are counted in several ways."""
        return RARE if self.length > 1e4 else SELDOM


def bounds(each: Vector) -> tuple[float, float]:
    """95 % bounds of a mean of counts that weigh differently: those of as many equal ones as scatter alike (M. P. Fay and E. J. Feuer,
    Statistics in Medicine 16 (1997) 791), by D. B. Byar's approximation of Poisson bounds (K. J. Rothman and J. D. Boice, 1979)."""
    total, squares = float(each.sum()), float((each * each).sum())
    if total == 0.0:
        return 0.0, 3.69 / len(each)
    count, worth = total * total / squares, squares / total
    low = count * (1 - 1 / (9 * count) - 1.96 / (3 * math.sqrt(count))) ** 3
    high = (count + 1) * (1 - 1 / (9 * (count + 1)) + 1.96 / (3 * math.sqrt(count + 1))) ** 3
    return max(low, 0.0) * worth / len(each), high * worth / len(each)


def early(cell: Cell, teach_ins: int, split: Split | None = None) -> dict[str, object]:
    """Alarms over budget in the first WINDOW cuts of so many teach-ins."""
    rates = cell.taught(1, teach_ins).alarms(WINDOW, cell.split if split is None else split) * (cell.length / WINDOW)
    low, high = bounds(rates)
    return {"early": round(float(rates.mean()), 3), "early_low": round(low, 3), "early_high": round(high, 3), "teach_ins": teach_ins}


def each(cell: Cell, teach_ins: int, ways: int) -> dict[str, object]:
    """The same of each of so many teach-ins, gone on with in so many ways: how many have at most three times the budget."""
    rates = cell.taught(2, teach_ins).alarms(WINDOW, cell.split, ways) * (cell.length / WINDOW)
    return {"each_mean": round(float(rates.mean()), 3), **shares("each", rates)}


def long(cell: Cell, teach_ins: int) -> dict[str, object]:
    """Alarms over budget in 8 T or T cuts: each has many ways to an alarm, so that Student's bounds of the mean of the teach-ins hold."""
    cuts = int(cell.length * (8 if cell.length < 1e4 else 1))
    rates = cell.taught(3, teach_ins).alarms(cuts, cell.split) * (cell.length / cuts)
    mean, half = float(rates.mean()), float(stats.t.ppf(0.975, len(rates) - 1) * rates.std(ddof=1) / math.sqrt(len(rates)))
    return {"long": round(mean, 3), "long_low": round(mean - half, 3), "long_high": round(mean + half, 3), **shares("long", rates)}


def shares(name: str, rates: Vector) -> dict[str, object]:
    """How many of these teach-ins have at most three times the budget, with 95 % bounds, and what nine of ten stay below."""
    within = int((rates <= 3.0).sum())
    low, high = wilson(within, len(rates))
    return {
        f"{name}_within_3": within, f"{name}_of": len(rates), f"{name}_share_low": round(low, 3), f"{name}_share_high": round(high, 3),
        f"{name}_p90": round(float(np.quantile(rates, 0.9)), 2),
    }  # fmt: skip


def delay(cell: Cell, teach_ins: int) -> dict[str, object]:
    """Cuts until a fall of two standard deviations is told; inf: not within 400."""
    delays = cell.taught(4, teach_ins).delays(400, 2.0)
    within = WITHIN[cell.length]
    # JSON has no infinity.
    middle = float(np.median(delays))
    return {"delay": middle if math.isfinite(middle) else None, "within": within, "told_within": round(float(np.mean(delays <= within)), 3)}


def worn(phi: float, tail: str, tools: int, cell: int, *, ramp: bool = False) -> list[int]:
    """Cuts until wear is told, of each tool of which it is: WEAR_CUTS healthy ones, or RAMP_CUTS with a rise from cut RAMP_FROM on."""
    rng = np.random.default_rng((SEED, cell, 6 if ramp else 5))
    values = process(rng, phi, tools, RAMP_CUTS if ramp else WEAR_CUTS, heavy=tail == "t4")
    if ramp:
        values += math.log1p(RAMP) * np.clip((np.arange(RAMP_CUTS) - RAMP_FROM) / RAMP_OVER, 0.0, 1.0)
    operation = Operation(spindle="S1", program="1", revision=1, tool="1", section="1")
    found = []
    for lane in range(tools):
        baseline = Baseline(key="k", spindle="S1", program="1", tool="1", section="1", since=0.0)
        for i, value in enumerate(values[lane].tolist()):
            work = math.exp(value)
            features = CutFeatures(
                samples=40, duration=2.0, mean=work / 2 + 5, peak=work / 2 + 8, idle=5.0, work=work, largest_rise=9.0, largest_fall=9.0
            )
            cut = Cut(id="c", phase="closed", operation=operation, part=i, opened=7.0 * i, time=7.0 * i + 2.0, features=features)
            wear.follow(baseline, cut, WEAR_LIMIT)
            judged = wear.judged(baseline, Prior(), 1.0 / REAL, WEAR_LIMIT)
            if judged is not None and judged[0] > judged[1]:
                found.append(i)
                break
            baseline.learn(cut, 0.5)
    return found


def cells(args: argparse.Namespace) -> list[Cell]:
    """Those asked for."""
    found = []
    for number, (length, phi, tail, n) in enumerate(itertools.product(LENGTHS, PHIS, TAILS, TEACH_INS)):
        asked = ((args.length, length), (args.phi, phi), (args.tails, tail), (args.teach_in, n), (args.cells, number))
        if all(not wanted or value in wanted for wanted, value in asked):
            found.append(Cell(number, length, phi, tail, n, args.others))
    return found


def measured(cell: Cell, effort: float) -> dict[str, object]:
    """The row of a cell; `effort` 1: about 15 s."""
    began, rare = time.process_time(), cell.length > 1e4
    row: dict[str, object] = {"cell": cell.number, "T": cell.length, "ar": cell.phi, "tails": cell.tail, "teach_in": cell.teach_in}
    row |= early(cell, int(effort * (12_000 if rare else 4000)))
    row |= each(cell, 100, int(effort * (120 if rare else 40)))
    row |= long(cell, int(effort * (40 if rare else 200)))
    row |= delay(cell, int(effort * 2000))
    return row | {"seconds": round(time.process_time() - began, 1)}


def said(row: dict[str, object]) -> str:
    """A row as a line."""
    delays = "never" if row["delay"] is None else f"{row['delay']:5.0f}"
    return (
        f"{row['cell']:2}  T {row['T']:>6.0f}  AR {row['ar']}  {row['tails']:6}  {row['teach_in']:3} cuts"
        f"  early {row['early']:5.2f} [{row['early_low']:4.2f}, {row['early_high']:4.2f}]"
        f"  within 3x {row['each_within_3']}/{row['each_of']}, p90 {row['each_p90']:4.2f}"
        f"  long {row['long']:5.2f} [{row['long_low']:4.2f}, {row['long_high']:4.2f}], within 3x {row['long_within_3']}/{row['long_of']}"
        f"  delay {delays:>5}, {100 * float(str(row['told_within'])):3.0f} % within {row['within']}  [{row['seconds']} s]"
    )


def proof(args: argparse.Namespace) -> None:
    """Splitting against plain counting: the same cells, other draws."""
    for cell in cells(args):
        if cell.length > 1e4:
            continue
        plain = early(cell, int(args.effort * 40_000), ())
        split = early(replace(cell, number=cell.number + 1000), int(args.effort * 20_000), RARE)
        names = {"early": "rate", "early_low": "low", "early_high": "high"}
        print(
            json.dumps(
                {
                    "cell": cell.number,
                    **{f"{how}_{names[key]}": row[key] for how, row in (("plain", plain), ("split", split)) for key in names},
                }
            ),
            flush=True,
        )


def wear_rows(args: argparse.Namespace) -> None:
    """Wear in healthy cuts, and in ramps."""
    ramps = min(5 * args.wear, 100)
    for cell, (phi, tail) in enumerate(itertools.product(PHIS, TAILS)):
        if (args.phi and phi not in args.phi) or (args.tails and tail not in args.tails):
            continue
        found = worn(phi, tail, args.wear, cell)
        told = [i - RAMP_FROM for i in worn(phi, tail, ramps, cell, ramp=True)]
        told = [cuts for cuts in told if cuts >= 0]
        low, high = wilson(len(found), args.wear)
        row = {
            "ar": phi,
            "tails": tail,
            "tools": args.wear,
            "cuts": WEAR_CUTS,
            "worn": len(found),
            "low": round(low, 3),
            "high": round(high, 3),
        }
        row |= {"ramps": ramps, "told": len(told), "within_50": sum(cuts <= 50 for cuts in told)}
        print(json.dumps({**row, "delay": float(np.median(told)) if told else None}), flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, action="append", help="by number, 0 to 47; also by the next four")
    parser.add_argument("--length", type=float, action="append", choices=LENGTHS)
    parser.add_argument("--phi", type=float, action="append", choices=PHIS)
    parser.add_argument("--tails", action="append", choices=TAILS)
    parser.add_argument("--teach-in", type=int, action="append", choices=TEACH_INS)
    parser.add_argument("--effort", type=float, default=1.0, help="so many times the draws")
    parser.add_argument("--others", type=int, default=0, help="other operations that have told the same autocorrelation before")
    parser.add_argument("--proof", action="store_true", help="splitting against plain counting at T = 2,000")
    parser.add_argument("--wear", type=int, default=0, metavar="TOOLS", help="healthy tools a cell, instead of the drift charts")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    if args.wear:
        wear_rows(args)
        return 0
    if args.proof:
        proof(args)
        return 0
    asked = cells(args)
    for i, cell in enumerate(asked):
        if sys.stderr.isatty():
            print(f"{i + 1} of {len(asked)}", end="\r", file=sys.stderr, flush=True)
        row = measured(cell, args.effort)
        print(json.dumps(row) if args.json else said(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
