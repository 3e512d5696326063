"""`broche replay RECORDING --machine FILE --out alerts.jsonl`: a recording through the pass, as fast as it goes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from agent.cli import Say

NOUNS = ("cut", "indicator", "finding", "alert", "coverage")


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Of this command."""
    parser.add_argument("recording", type=Path, help=say("replay.recording"), metavar="RECORDING")
    parser.add_argument("--machine", type=Path, required=True, help=say("replay.machine"), metavar="MACHINE.toml")
    parser.add_argument("--out", type=Path, default=Path("-"), help=say("replay.out"), metavar="FILE")
    parser.add_argument("--nouns", default="alert,coverage", help=say("replay.nouns", nouns=",".join(NOUNS)), metavar="LIST")
    parser.add_argument("--quiet", action="store_true", help=say("replay.quiet"))


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when the whole recording went through."""
    from agent.cli import CommandError
    from agent.machine_file import load
    from agent.replay import replay
    from agent.texts import Texts
    from drivers import jit
    from drivers.recording import RecordingError, read

    nouns = tuple(noun.strip() for noun in args.nouns.split(",") if noun.strip())
    for noun in nouns:
        if noun not in NOUNS:
            raise CommandError(args.say("replay.wrong_noun", what=noun, choices=", ".join(NOUNS)))
    jit.prepare()
    machine = load(args.machine, replay=True)
    texts = Texts.load(machine.paths, args.lang)
    try:
        recording = read(args.recording, context=[c.name for c in machine.settings.channel if c.role in CONTEXT])
    except RecordingError as error:
        raise CommandError(error.tell(texts)) from error
    out: IO[str]
    try:
        out = sys.stdout if str(args.out) == "-" else args.out.open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(args.say("replay.cannot_write", file=str(args.out), error=error.strerror or "")) from error
    try:
        summary = replay(recording, machine, texts, nouns, out, progress=None if args.quiet else Progress(args.say))
    except RecordingError as error:
        raise CommandError(error.tell(texts)) from error
    finally:
        if out is not sys.stdout:
            out.close()
    for name in summary.missing:
        print(args.say("replay.missing_column", name=name), file=sys.stderr)
    for name in summary.spare:
        print(args.say("replay.spare_column", name=name), file=sys.stderr)
    print(
        args.say(
            "replay.done",
            seconds=summary.seconds,
            wall=summary.wall,
            times=summary.seconds / max(summary.wall, 1e-9),
            cuts=summary.cuts,
            parts=summary.parts,
            alerts=summary.alerts,
        ),
        file=sys.stderr,
    )
    return 0


CONTEXT = frozenset(
    ("tool", "program", "section", "part", "cycle", "door", "mode", "execution", "feed_hold", "single_block", "dry_run", "power_on")
)


class Progress:
    """One line on stderr that is written over; nothing where stderr is no terminal, except each tenth."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._tenth = -1
        self._terminal = sys.stderr.isatty()

    def __call__(self, fraction: float) -> None:
        """`fraction` of the recording is through."""
        tenth = int(fraction * (200 if self._terminal else 10))
        if tenth == self._tenth:
            return
        self._tenth = tenth
        text = self._say("replay.progress", percent=100.0 * fraction)
        print(f"\r{text}" if self._terminal else text, end="" if self._terminal else "\n", file=sys.stderr, flush=True)
        if self._terminal and fraction >= 1.0:
            print(file=sys.stderr)
