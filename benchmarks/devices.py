"""The table of all device maps in the README: `python3 benchmarks/devices.py` prints it, `--write` puts it there."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from drivers.devices import load_map  # noqa: E402
from drivers.options import DeviceMap  # noqa: E402

BEGIN, END = "<!-- devices: benchmarks/devices.py -->\n", "<!-- end of devices -->\n"
KINDS = ("machine", "drive", "meter", "vibration", "plc")


def table() -> str:
    """Markdown: one row a map, by kind and name."""
    maps = [load_map(path) for path in sorted((ROOT / "config" / "devices").glob("*.toml")) if path.stem != "template"]
    maps.sort(key=lambda device: (device.name.startswith("simulated"), KINDS.index(device.kind), device.name))
    rows = [row(device) for device in maps]
    verified, guessed = (sum(column) for column in zip(*(counts(device) for device in maps), strict=True))
    head = ["| map | device | kind | verified | guess | golden frames | update |", "|---|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| **{len(maps)}** | | | **{verified}** | **{guessed}** | | |"]) + "\n"


def counts(device: DeviceMap) -> tuple[int, int]:
    """Registers whose address and scale were read in a source, and the others."""
    verified = sum(register.verified and register.scale_verified for register in device.registers)
    return verified, len(device.registers) - verified


def row(device: DeviceMap) -> str:
    """One line of the table."""
    verified, guessed = counts(device)
    if device.reading_writes:
        return f"| `{device.name}` | {device.vendor} {device.model} | {device.kind} | **never asked: a read may command it** | | | |"
    update = f"{device.update:g} s{'' if device.update_verified else ' (guess)'}" if device.update else ""
    if device.rate:
        return f"| `{device.name}` | {device.vendor} {device.model} | {device.kind} | stream, {device.rate:g} Hz | | | |"
    frames = str(len(device.frames) or "")
    return f"| `{device.name}` | {device.vendor} {device.model} | {device.kind} | {verified} | {guessed or ''} | {frames} | {update} |"


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put it into README.md")
    if not parser.parse_args().write:
        sys.stdout.write(table())
        return
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(
        re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: BEGIN + table() + END, text, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
