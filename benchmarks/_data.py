"""Where the real recordings are that the benchmarks read: nothing of them is committed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def data_folder(given: Path | None, name: str) -> Path:
    """The folder of one set: of --data, of $BROCHE_DATA, or of ../shared/data beside the checkout. Ends the script where there is none."""
    checkout = Path(__file__).resolve().parent.parent
    places = [given] if given is not None else [Path(os.environ.get("BROCHE_DATA") or checkout.parent / "shared" / "data")]
    for place in places:
        for folder in (place / name, place):
            if folder.name == name and folder.is_dir():
                return folder
    sys.exit(f"no folder {name} in {places[0]}: name the folder that holds it with --data")


def parser(description: str) -> argparse.ArgumentParser:
    """Arguments that all converters have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("out", type=Path, help="new folder for the recording")
    made.add_argument("--data", type=Path, help="folder of the recordings (default: $BROCHE_DATA, or ../shared/data beside the checkout)")
    return made
