"""`broche watch MACHINE.toml`: what stands on the wires now, raw and scaled side by side, and how the buses are."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.cli import Say
    from agent.machine_file import MachineFile
    from agent.texts import Texts
    from drivers.clock import Clock
    from drivers.links import Links

LIVE = 0.25
"""s between two pictures on a terminal; a person reads no faster."""
PLAIN = 1.0
"""s between two tables, or JSON lines, anywhere else."""
ONCE = 120.0
"""s that --once waits for a device at most: a stream waits until its parser is compiled, which takes long on a Pi that never did."""


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Of this command."""
    parser.add_argument("machine", type=Path, help=say("watch.machine"), metavar="MACHINE.toml")
    parser.add_argument("--once", action="store_true", help=say("watch.once"))
    parser.add_argument("--seconds", type=float, default=0.0, help=say("watch.seconds"), metavar="N")
    parser.add_argument("--json", action="store_true", help=say("watch.json"))


def run(args: argparse.Namespace) -> int:
    """Exit status 0: something was read (--once: every channel has a value that may be believed); 1: not; 2: it cannot begin."""
    from agent.cli import CommandError
    from agent.machine_file import load
    from agent.texts import Texts
    from drivers import fine_loop, jit
    from drivers.clock import SystemClock

    say: Say = args.say
    if not args.seconds >= 0.0:
        raise CommandError(say("watch.wrong_seconds"))
    machine = load(args.machine)
    if not machine.routes:
        raise CommandError(say("record.no_source", file=str(args.machine)))
    texts = Texts.load(machine.paths, args.lang)
    examples = tuple(warning for warning in machine.warnings if warning.code == "placeholder")
    if examples:
        raise CommandError(texts.mistakes(examples))
    _refuse_taken(machine, say)
    jit.prepare()
    watch = Watch(machine, texts, SystemClock(), seconds=args.seconds, once=args.once, as_json=args.json)
    fine_loop.run(watch.run())
    if args.once:
        return 0 if watch.board.good else 1
    return 0 if any(row.time is not None for row in watch.board.rows.values()) else 1


def _refuse_taken(machine: MachineFile, say: Say) -> None:
    """Two programs on one serial port steal each other's answers: say who has it, and what helps."""
    from agent.cli import CommandError
    from agent.cli._ports import taken

    used = {source.bus for source in machine.settings.source if any(route.source == source.name for route in machine.routes)}
    for bus in machine.settings.bus:
        if bus.name in used and isinstance(bus.port, str) and (told := taken(bus.port, say)):
            raise CommandError(told)


class Watch:
    """Lets the links deliver to a board, and shows it."""

    def __init__(self, machine: MachineFile, texts: Texts, clock: Clock, *, seconds: float, once: bool, as_json: bool) -> None:
        from agent.cli._board import Board

        self.board = Board(machine)
        self._machine = machine
        self._texts = texts
        self._clock = clock
        self._seconds = seconds
        self._once = once
        self._json = as_json
        self._buses = {bus.name: bus for bus in machine.settings.bus}
        self._live = not (once or as_json) and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._shown: list[str] = []

    async def run(self) -> None:
        """Until Ctrl-C, SIGTERM, SIGHUP or the time is over."""
        from drivers.links import Links

        settings = self._machine.settings
        links = Links(
            settings.bus,
            settings.source,
            self._machine.maps,
            self._machine.routes,
            self._clock,
            self.board.take,
            raw=self.board.take_raw,
        )
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in signals:
            loop.add_signal_handler(number, ended.set)
        reading = asyncio.create_task(links.run(), name="links")
        reading.add_done_callback(lambda _: ended.set())
        try:
            with _Screen() if self._live else contextlib.nullcontext():
                await self._show(links, ended)
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
        if self._live:
            print("\n".join(self._shown))

    async def _show(self, links: Links, ended: asyncio.Event) -> None:
        begun = self._clock.monotonic()
        every = 0.05 if self._once else LIVE if self._live else PLAIN
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), every)
            passed = self._clock.monotonic() - begun
            if self._once and not self._complete(links) and passed < (self._seconds or ONCE):
                continue
            self._draw(links)
            if self._once or (self._seconds and passed >= self._seconds):
                return

    def _complete(self, links: Links) -> bool:
        """Whether every device has answered, or is known not to."""
        devices = [device for bus in links.health() for device in bus.devices]
        return all(device.state != "starting" for device in devices) and self.board.told([device.source for device in devices])

    def _draw(self, links: Links) -> None:
        from agent.cli._watch_page import page, report

        now = self._clock.wall()
        if self._json:
            import msgspec

            print(msgspec.json.encode(report(self.board, links.health(), now)).decode(), flush=True)
            return
        self._shown = page(self.board, links.health(), self._buses, now, self._texts)
        if not self._live:
            print("\n".join(self._shown), end="\n" if self._once else "\n\n", flush=True)
            return
        width, height = shutil.get_terminal_size()
        lines = [*self._shown, "", self._texts.say("watch.leave")]
        if len(lines) > height:
            lines = [*lines[: height - 1], self._texts.say("watch.more", n=len(lines) - height + 1)]
        drawn = "\r\n".join(f"{line[:width]}\x1b[K" for line in lines)
        print(f"\x1b[H{drawn}\x1b[J", end="", flush=True)


class _Screen:
    """The terminal's second screen, without a cursor; the first one comes back as it was."""

    def __enter__(self) -> None:
        print("\x1b[?1049h\x1b[?25l\x1b[2J", end="", flush=True)

    def __exit__(self, *_: object) -> None:
        print("\x1b[?25h\x1b[?1049l", end="", flush=True)
