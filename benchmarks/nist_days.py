"""What the pass makes of each day of a NIST machine: `python -m benchmarks.nist_days [--machine Mazak03] [--last 40]`.

One line a day: hours in which the program ran, cuts that were found, those with a name, those that had come five times before, those
that were watched, those in which a missing tool was promised to be told; minutes by the word of what was made. No faults are put in.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks._data import data_folder
from benchmarks.detection._nist import machines, read
from benchmarks.detection._nist_oracle import by_word
from benchmarks.detection._nist_rows import SET, WATCHED
from benchmarks.detection._nist_told import listen

TAUGHT = 5


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the recordings")
    parser.add_argument("--machine", default="Mazak03")
    parser.add_argument("--last", type=int, default=0, help="so many of the latest days; 0: all")
    args = parser.parse_args(argv)
    log = read(args.machine, machines(data_folder(args.data, SET))[args.machine][-args.last :])
    told = listen(log)
    seen: Counter[str] = Counter()
    nth = []
    for cut in told.cuts:
        seen[cut.operation.key] += not cut.held
        nth.append(seen[cut.operation.key])
    opened, active = np.array([cut.opened for cut in told.cuts]), log.active()
    print("| day | h | cuts | named | recurring | watched | promised | min by word |\n|---|---|---|---|---|---|---|---|")
    for i, day in enumerate(log.days):
        start, end = log.starts[i], log.starts[i + 1] if i + 1 < len(log.days) else len(log.time)
        ended = np.inf if end == len(log.time) else float(log.time[end])
        its = np.flatnonzero((opened >= log.time[start]) & (opened < ended)).tolist()
        shares = by_word(log, [told.cuts[k] for k in its], [told.words[k] for k in its])
        minutes = {word: round(share * active.sum() / 60.0) for word, share in shares.items() if word != "no cut"}
        minutes["no cut"] = round(active[start:end].sum() / 60.0) - sum(minutes.values())
        figures = (
            f"{active[start:end].sum() / 3600.0:.1f}",
            len(its),
            sum(bool(told.cuts[k].operation.tool) for k in its),
            sum(nth[k] > TAUGHT and not told.cuts[k].held for k in its),
            sum(told.words[k] in WATCHED and not told.cuts[k].held for k in its),
            sum(told.promised[k] and not told.cuts[k].held for k in its),
            ", ".join(f"{word} {m}" for word, m in sorted(minutes.items(), key=lambda pair: -pair[1]) if m),
        )
        print(f"| {day} | " + " | ".join(map(str, figures)) + " |")
    for alert in told.alerts:
        if alert.kind != "sensor":
            print(f"{alert.kind} {alert.operation} at {alert.raised:.0f}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
