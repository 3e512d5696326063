"""Days of a Mazak in a contract shop (data/nist_sms_mtconnect, NIST Smart Manufacturing Systems test bed) as a recording for `replay`.

  python -m benchmarks.convert_nist recordings/nist --machine Mazak01 --day 20161024 --day 20161129
  ./broche replay recordings/nist --machine benchmarks/machines/nist_mazak01.toml

Every channel is on_change, as MTConnect is. `NA` becomes `unavailable`. Rows are sorted by time (a few events of a day come out of order).
Left out: conditions (`*_cond`, coolant_temp: what the control itself calls a fault is not for the monitor to see beforehand) and
PartCountAct, which is 0 on all days.
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

from benchmarks._data import data_folder, parser

CHANNELS = {
    "Sload": "load",
    "S1load": "load",
    "Srpm": "speed",
    "Stemp": "temperature",
    "S2load": "load_sub",
    "S2rpm": "speed_sub",
    "S2temp": "temperature_sub",
    "Xload": "load_x",
    "Yload": "load_y",
    "Zload": "load_z",
    "Fact": "feed",
    "Fovr": "feed_override",
    "Sovr": "speed_override",
    "Tool_number": "tool",
    "program": "program",
    "mode": "mode",
    "execution": "execution",
    "estop": "estop",
    "avail": "avail",
}
NOT_THERE = {"Mazak01": {"avail"}, "Mazak03": {"load_y"}}
"""Channels that a machine has not got."""
UNITS = {"load": "%", "load_sub": "%", "load_x": "%", "load_y": "%", "load_z": "%", "speed": "rpm", "speed_sub": "rpm", "feed": "mm/min"}
UNITS |= {"temperature": "degC", "temperature_sub": "degC", "feed_override": "%", "speed_override": "%"}


def rows_of(path: Path, names: list[str]) -> list[dict[str, str]]:
    """A row for each moment in which something changed."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        events = [(line["time"], CHANNELS[line["tag"]], line["value"]) for line in csv.DictReader(file) if line["tag"] in CHANNELS]
    rows: list[dict[str, str]] = []
    for moment, name, value in sorted(events, key=lambda event: event[0]):
        if not rows or rows[-1]["time"] != moment:
            rows.append({"time": moment, **dict.fromkeys(names, "")})
        rows[-1][name] = "unavailable" if value == "NA" else value
    return rows


def main(argv: list[str] | None = None) -> int:
    """Convert; exit status 0 if all days were there."""
    asked = parser(__doc__ or "")
    asked.add_argument("--machine", choices=("Mazak01", "Mazak03"), default="Mazak01")
    asked.add_argument("--day", action="append", metavar="YYYYMMDD", help="may be given more than once; default: every day there is")
    args = asked.parse_args(argv)
    folder = data_folder(args.data, "nist_sms_mtconnect")
    days = sorted(args.day) if args.day else sorted(p.name.split("_")[1].split(".")[0] for p in folder.glob(f"{args.machine}_*.csv.gz"))
    paths = [folder / f"{args.machine}_{day}.csv.gz" for day in days]
    lost = [path.name for path in paths if not path.is_file()]
    if lost or not paths:
        print(f"not in {folder}: {', '.join(lost) or args.machine}", file=sys.stderr)
        return 1
    if args.out.exists() and any(args.out.iterdir()):
        print(f"{args.out} is not empty: name a new folder", file=sys.stderr)
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    names = [name for name in dict.fromkeys(CHANNELS.values()) if name not in NOT_THERE[args.machine]]
    channels = [f"\n[channel.{name}]\non_change = true\n" + (f'unit = "{UNITS[name]}"\n' if name in UNITS else "") for name in names]
    (args.out / "recording.toml").write_text('timezone = "America/New_York"\n' + "".join(channels), encoding="utf-8")
    last, count, late = "", 0, 0
    for path in paths:
        rows = rows_of(path, names)
        # A day begins with what held before it, stamped when it began to hold: of a day before, where that day is there too.
        kept = [row for row in rows if row["time"] > last]
        late += len(rows) - len(kept)
        if kept:
            last = kept[-1]["time"]
        with (args.out / path.name.removesuffix(".gz")).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["time", *names], lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
        count += len(kept)
    print(f"{len(paths)} days, {count} rows, {late} left out because they repeat what a day before holds, in {args.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
