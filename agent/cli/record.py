"""`broche record MACHINE.toml --out FOLDER`: what the devices say, as they say it, into a recording."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.cli import Say
    from agent.machine_file import MachineFile
    from drivers.clock import Clock
    from drivers.links import Links
    from drivers.model import Readings, Waveform
    from drivers.recording import ChannelSettings, Writer

CONTEXT_ROLES = frozenset(
    (
        *("tool", "program", "section", "part", "cycle", "door", "mode", "execution", "feed_override", "speed_override"),
        *("feed_hold", "single_block", "dry_run", "power_on"),
    )
)
"""Roles whose values hold until they change, and may be words: only changes are written."""
WAITING = 20_000
"""Blocks that may wait for the disk."""


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Of this command."""
    parser.add_argument("machine", type=Path, help=say("record.machine"), metavar="MACHINE.toml")
    parser.add_argument("--out", type=Path, required=True, help=say("record.out"), metavar="FOLDER")
    parser.add_argument("--seconds", type=float, default=0.0, help=say("record.seconds"), metavar="N")


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when it was asked to end and something was recorded; 1 when the disk ended it, or no device answered."""
    from agent.cli import CommandError
    from agent.machine_file import load
    from drivers import fine_loop, jit
    from drivers.clock import SystemClock
    from drivers.recording import RecordingError, Writer

    say: Say = args.say
    if not args.seconds >= 0.0:
        raise CommandError(say("record.wrong_seconds"))
    machine = load(args.machine)
    if not machine.routes:
        raise CommandError(say("record.no_source", file=str(args.machine)))
    jit.prepare()
    channels = settings_of(machine)
    waveforms = {channel.name for channel in machine.settings.channel if channel.role == "vibration"}
    try:
        rows = [name for name in channels if name not in waveforms]
        writer = Writer(args.out, rows, settings=channels, timezone=machine.settings.machine.timezone)
    except RecordingError as error:
        raise CommandError(error.tell(_Spoken(say))) from error
    print(say("record.begun", channels=len(channels), folder=str(args.out)), file=sys.stderr, flush=True)
    recorder = Recorder(machine, writer, SystemClock(), args.seconds, say)
    try:
        fine_loop.run(recorder.run())
    finally:
        writer.close()
    if writer.late:
        print(say("record.late", n=writer.late), file=sys.stderr)
    if recorder.dropped:
        print(say("record.dropped", n=recorder.dropped), file=sys.stderr)
    if writer.stopped is not None:
        print(writer.stopped.tell(_Spoken(say)), file=sys.stderr)
        return 1
    if recorder.first is None:
        print(say("record.nothing", file=str(args.machine)), file=sys.stderr)
        return 1
    size = writer.bytes / 1e6
    seconds = recorder.last - recorder.first
    told = {"seconds": seconds, "rows": writer.rows, "blocks": recorder.blocks, "megabytes": size, "folder": str(args.out)}
    print(say("record.done", **told), file=sys.stderr)
    return 0


def settings_of(machine: MachineFile) -> dict[str, ChannelSettings]:
    """What a recording says of the channels that are read: unit, rate, and whether only changes are worth a cell."""
    from drivers.recording import ChannelSettings

    every = {source.name: source.every for source in machine.settings.source}
    registers = {(name, register.name): register for name, of in machine.maps.items() for register in of.registers}
    devices = {source.name: source.device for source in machine.settings.source}
    routes = {route.channel: route for route in machine.routes}
    told = {}
    for channel in machine.settings.channel:
        route = routes.get(channel.name)
        if route is None:
            continue
        register = registers.get((devices[route.source], route.register))
        on_change = channel.role in CONTEXT_ROLES or (register is not None and bool(register.words))
        rate = None if on_change or channel.role == "vibration" else 1.0 / (route.every or every[route.source])
        told[channel.name] = ChannelSettings(unit=channel.unit, rate=rate, on_change=on_change)
    return told


class Recorder:
    """Lets the links deliver, and a thread write.

    Attributes
    ----------
    first, last: time of the first and the latest reading, s UTC.
    blocks: of vibration.
    dropped: blocks for which there was no room while the disk was busy.
    """

    def __init__(self, machine: MachineFile, writer: Writer, clock: Clock, seconds: float, say: Say) -> None:
        self._machine = machine
        self._writer = writer
        self._clock = clock
        self._seconds = seconds
        self._say = say
        self._waiting: list[Readings | Waveform] = []
        self._terminal = sys.stderr.isatty()
        self.first: float | None = None
        self.last = 0.0
        self.blocks = 0
        self.dropped = 0

    async def run(self) -> None:
        """Until Ctrl-C or SIGTERM, the time is over or the disk ends it."""
        from drivers.links import Links

        file = self._machine
        links = Links(file.settings.bus, file.settings.source, file.maps, file.routes, self._clock, self._take)
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        reading = asyncio.create_task(links.run(), name="links")
        begun = self._clock.monotonic()
        told = begun
        try:
            while not ended.is_set() and not self._is_over(begun) and self._writer.stopped is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), 0.2)
                if reading.done():
                    break
                await self._write()
                if self._clock.monotonic() - told >= (1.0 if self._terminal else 10.0):
                    told = self._clock.monotonic()
                    self._progress(links)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            await self._write()
            if self._terminal:
                print(file=sys.stderr)

    def _take(self, item: Readings | Waveform) -> None:
        from drivers.model import Quality, Waveform

        if len(self._waiting) >= WAITING:
            self.dropped += 1
            return
        self._waiting.append(item)
        if isinstance(item, Waveform):
            self.blocks += 1
            end = item.start + len(item.samples) / item.rate
        elif (item.quality <= Quality.BAD).any():
            end = float(item.time[-1])
        else:
            return
        self.first = end if self.first is None else self.first
        self.last = max(self.last, end)

    def _is_over(self, begun: float) -> bool:
        if not self._seconds:
            return False
        if self.first is not None:
            return self._clock.wall() - self.first >= self._seconds
        return self._clock.monotonic() - begun >= self._seconds + 5.0

    async def _write(self) -> None:
        items, self._waiting = self._waiting, []
        if items:
            await asyncio.to_thread(self._put, items)

    def _put(self, items: list[Readings | Waveform]) -> None:
        for item in items:
            self._writer.write(item)

    def _progress(self, links: Links) -> None:
        silent = ", ".join(device.source for bus in links.health() for device in bus.devices if device.state in ("starting", "offline"))
        if self.first is None:
            text = self._say("record.waiting", silent=silent or "-")
        else:
            key = "record.progress_silent" if silent else "record.progress"
            seconds = self._clock.wall() - self.first
            text = self._say(key, seconds=seconds, rows=self._writer.rows, megabytes=self._writer.bytes / 1e6, silent=silent)
        print(f"\r\x1b[K{text}" if self._terminal else text, end="" if self._terminal else "\n", file=sys.stderr, flush=True)


class _Spoken:
    """The catalogue as an error asks it."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def say(self, key: str, /, **values: int | str) -> str:
        """The sentence under `key`."""
        return self._say(key, **values)
