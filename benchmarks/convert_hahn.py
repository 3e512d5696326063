"""One part of a production lathe at 1 kHz (data/hahn_lathe/one_part_1khz.npz, MIT, T. von Hahn) as a recording that `replay` reads.

  python -m benchmarks.convert_hahn recordings/hahn
  ./broche replay recordings/hahn --machine benchmarks/machines/hahn.toml --nouns cut,coverage

load_main and load_sub are the spindle currents, in counts of the data logger: the unit is not documented. They were taken because the
published work on this machine is (von Hahn and Mechefske, Machines 2022, 10, 1233) and because the logged features of 9,750 further cuts
are of the currents; the powers stand beside them as power_main and power_sub. CUT_Signal is a label and is left out.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks._data import data_folder, parser
from drivers.model import Readings
from drivers.recording import ChannelSettings, RecordingError, Writer

CHANNELS = {
    "load_main": ("Current_MainSpindle", "counts"),
    "load_sub": ("Current_SubSpindle", "counts"),
    "power_main": ("Power_MainSpindle", ""),
    "power_sub": ("Power_SubSpindle", ""),
    "speed_main": ("Speed_MainSpindle", "rpm"),
    "speed_sub": ("Speed_SubSpindle", "rpm"),
    "tool": ("TOOL_Number", ""),
}
ROWS = 10_000


def main(argv: list[str] | None = None) -> int:
    """Convert; exit status 0 if the recording is whole."""
    asked = parser(__doc__ or "")
    asked.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth sample: 100 is what a poll of 10 Hz sees")
    args = asked.parse_args(argv)
    with np.load(data_folder(args.data, "hahn_lathe") / "one_part_1khz.npz") as part:
        rate = float(part["rate_hz"]) / args.every
        columns = [part[key][:: args.every].astype(np.float64) for key, _ in CHANNELS.values()]
    settings = {name: ChannelSettings(unit=unit, rate=rate) for name, (_, unit) in CHANNELS.items() if name != "tool"}
    values = np.column_stack(columns)
    time = np.arange(len(values)) / rate
    try:
        writer = Writer(args.out, list(CHANNELS), settings=settings)
    except RecordingError as error:
        print(error, file=sys.stderr)
        return 1
    for a in range(0, len(values), ROWS):
        some = values[a : a + ROWS]
        writer.write(Readings("hahn", tuple(CHANNELS), time[a : a + ROWS], some, np.zeros(some.shape, np.uint8)))
    writer.close()
    if writer.stopped is not None:
        print(writer.stopped, file=sys.stderr)
        return 1
    print(f"{writer.rows} rows, {writer.bytes / 1e6:.1f} MB in {args.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
