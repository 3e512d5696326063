"""`broche bench --detection [DIR]`: the detection table from real recordings, by the adapters of benchmarks/detection of a checkout."""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import os
import struct
import sys
import textwrap
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.cli import CommandError, Say
from drivers import jit

PACKAGE = "benchmarks.detection"
NO_ADAPTERS = frozenset({"table"})
"""Modules of that folder that are no adapter."""
BROKEN = (OSError, EOFError, ValueError, LookupError, zipfile.BadZipFile, zlib.error, csv.Error, struct.error, msgspec.MsgspecError)
"""What reading a broken file raises: the set is told as broken, the others go on. A mistake of ours of another kind still ends the run."""
WIDTH = 150


def run(args: argparse.Namespace) -> int:
    """Exit status 0: every set that has an adapter was measured; 1: one could not be."""
    say: Say = args.say
    known = adapters(say)
    folders = found_in(place(args.detection, say), known, args.only, say)
    strange = [folder.name for folder in folders if folder.name not in known]
    if strange:
        print(say("bench.detection.strange", names=", ".join(strange)), file=sys.stderr)
    jit.prepare()
    opened = Opened()
    failed = False
    if not args.json:
        print(say("bench.detection.about"))
    for folder in (folder for folder in folders if folder.name in known):
        # Labels are opened only by the adapter, and only after the pass was asked: see benchmarks/detection/table.py.
        progress = Progress(folder.name, say)
        opened.watch(folder)
        try:
            rows = importlib.import_module(f"{PACKAGE}.{folder.name}").measure(folder, progress)
        except ImportError as error:
            # scipy, river: only the environment of the tests has them.
            print(say("bench.detection.library", set=folder.name, name=error.name or str(error)), file=sys.stderr)
            failed = True
            continue
        except BROKEN as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            print(say("bench.detection.broken", set=folder.name, file=opened.where(error), error=reason), file=sys.stderr)
            failed = True
            continue
        finally:
            progress.end()
            opened.watch(None)
        for text in [msgspec.json.encode(row).decode() for row in rows] if args.json else table(folder.name, rows, say):
            print(text, flush=True)
    return 1 if failed else 0


def adapters(say: Say) -> frozenset[str]:
    """Names of the sets that can be measured; they come with a checkout only."""
    try:
        spec = importlib.util.find_spec(PACKAGE)
    except ModuleNotFoundError:
        spec = None
    places = spec.submodule_search_locations if spec is not None else None
    names = {path.stem for folder in places or () for path in Path(folder).glob("[!_]*.py")} - NO_ADAPTERS
    if not names:
        raise CommandError(say("bench.detection.checkout"))
    return frozenset(names)


def place(given: str, say: Say) -> Path:
    """The folder of the recording sets: as given, else $BROCHE_DATA, else ../shared/data beside the checkout."""
    checkout = Path(__file__).resolve().parents[2]
    folder = Path(given or os.environ.get("BROCHE_DATA") or checkout.parent / "shared" / "data")
    if not folder.is_dir():
        raise CommandError(say("bench.detection.no_folder", folder=str(folder)))
    return folder


def found_in(folder: Path, known: frozenset[str], only: str | None, say: Say) -> list[Path]:
    """Set folders, by name; `folder` may be one itself."""
    sets = [folder] if folder.name in known else sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    names = [path.name for path in sets if path.name in known]
    if only is not None:
        if only not in names:
            raise CommandError(say("bench.unknown", what=only, choices=", ".join(names) or "-"))
        return [path for path in sets if path.name == only]
    if not names:
        raise CommandError(say("bench.detection.nothing", folder=str(folder), names=", ".join(sorted(known))))
    return sets


def table(name: str, rows: Sequence[Any], say: Say) -> list[str]:
    """One set for a person: figure, value with its bounds, the plain rule beside it; below, what it rests on."""
    lines = ["", name]
    for row in rows:
        beside = f"{row.baseline}: {number(row.baseline_value)}" if row.baseline else ""
        lines.append(f"  {row.figure:86} {value(row, say):>34}  {beside}".rstrip())
        through = say(f"bench.detection.through_{row.through}")
        said = [("through", through), ("n", row.n), ("fixed", row.fixed), ("published", row.published), ("note", row.note)]
        below = "; ".join(f"{say(f'bench.detection.{key}')}: {text}" for key, text in said if text)
        lines += textwrap.wrap(below, WIDTH, initial_indent="      ", subsequent_indent="      ", break_long_words=False)
    return lines


def value(row: Any, say: Say) -> str:
    """`0.97 [0.95, 0.99]`, or that the data do not give it."""
    if row.value is None:
        return say("bench.detection.not_observable")
    bounds = f" [{number(row.low)}, {number(row.high)}]" if row.low is not None and row.high is not None else ""
    return f"{number(row.value)}{' ' if row.unit else ''}{row.unit}{bounds}"


def number(given: float | None) -> str:
    """Three significant digits; counts whole."""
    if given is None:
        return "-"
    return f"{given:.0f}" if given == int(given) and abs(given) < 1e9 else f"{given:.3g}"


class Opened:
    """Which file of the set was opened last: an error of a reading library seldom says it."""

    def __init__(self) -> None:
        self._folder = ""
        self._latest = ""
        sys.addaudithook(self._hear)

    def watch(self, folder: Path | None) -> None:
        """Files below this folder from now on; None: none."""
        self._folder = str(folder) if folder is not None else ""
        self._latest = self._folder or self._latest

    def where(self, error: BaseException) -> str:
        """The file that the error is about."""
        named = getattr(error, "filename", None)
        return str(named) if named else self._latest

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self._folder and event == "open" and isinstance(args[0], str | os.PathLike):
            path = os.fspath(args[0])
            if isinstance(path, str) and path.startswith(self._folder):
                self._latest = path


class Progress:
    """On stderr: one line that is written over on a terminal, else a line each quarter of a set."""

    def __init__(self, name: str, say: Say) -> None:
        self._name, self._say = name, say
        self._terminal = sys.stderr.isatty()
        self._step = -1
        self._told = False

    def __call__(self, share: float, what: str) -> None:
        """`share` (0 to 1) is done, and this is worked on."""
        step = int(share * (200 if self._terminal else 4))
        if step == self._step:
            return
        self._step = step
        text = self._say("bench.detection.progress", set=self._name, percent=100.0 * share, what=what)
        self._told = True
        print(f"\r\x1b[K{text}" if self._terminal else text, end="" if self._terminal else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """The set is done."""
        if self._terminal and self._told:
            print(file=sys.stderr)
