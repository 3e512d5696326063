"""`broche scan PORT|HOST`: who is on a bus. Listens first, asks a person, then asks each unit what the maps' identification names."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.cli import Say
    from agent.paths import DataPaths
    from drivers.options import BusOptions, DeviceMap
    from drivers.scan import Questions, Seen
    from drivers.scan_run import Progress, ScanRun

UNITS = "1-32"
"""Serial: what is asked by default, besides the addresses that makers set."""
INTERRUPTED = 130
_HOST = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Of this command."""
    parser.add_argument("where", nargs="?", default="", help=say("scan.where"), metavar="PORT|HOST[:PORT]")
    parser.add_argument("--out", type=Path, default=None, help=say("scan.out"), metavar="MACHINE.toml")
    parser.add_argument("--units", default="", help=say("scan.units"), metavar="LIST")
    parser.add_argument("--bauds", default="9600,19200,38400,57600,115200", help=say("scan.bauds"), metavar="LIST")
    parser.add_argument("--parities", default="N,E,O", help=say("scan.parities"), metavar="LIST")
    parser.add_argument("--listen", type=float, default=5.0, help=say("scan.listen"), metavar="S")
    parser.add_argument("--timeout", type=float, default=0.25, help=say("scan.timeout"), metavar="S")
    parser.add_argument("--yes-stopped", action="store_true", help=say("scan.yes_stopped"))
    parser.add_argument("--no-huanyang", action="store_true", help=say("scan.no_huanyang"))


def run(args: argparse.Namespace) -> int:
    """Exit status 0: somebody was found; 1: nobody, or refused; 2: it could not begin, or the link was lost; 130: interrupted."""
    from agent.cli import CommandError
    from agent.paths import DataPaths
    from drivers.scan import TCP_UNITS, Questions

    say: Say = args.say
    if not args.where:
        raise CommandError(say("scan.no_where", ports=", ".join(_ports()) or "-"))
    if args.out is not None and (args.out.exists() or args.out.is_symlink()):
        raise CommandError(say("scan.exists", file=str(args.out)))
    if args.out is not None and not args.out.absolute().parent.is_dir():
        raise CommandError(say("scan.no_folder", folder=str(args.out.absolute().parent)))
    if not 0.05 <= args.timeout <= 5.0:
        raise CommandError(say("scan.wrong_timeout"))
    paths = DataPaths.find(args.out)
    maps = _maps(paths, say)
    questions = Questions(maps)
    if args.where.startswith(("/", ".")):
        ways, units = _line(args, maps, questions, say)
        heard = _listen(args, ways, say)
        if heard:
            print(heard, file=sys.stderr)
            return 1
    else:
        ways = (_host(args.where, args.timeout, say),)
        units = _numbers(args.units, say, 0, 255, "--units") or TCP_UNITS
    return _scan(args, ways, units, questions, maps)


def _scan(
    args: argparse.Namespace, ways: Sequence[BusOptions], units: Sequence[int], questions: Questions, maps: Sequence[DeviceMap]
) -> int:
    """Ask the person, then the bus."""
    from agent.cli import CommandError
    from agent.cli._scan_file import found_lines
    from drivers.clock import SystemClock
    from drivers.scan_run import ScanRun
    from drivers.trouble import LinkDown

    say: Say = args.say
    clock = SystemClock()
    stopped: list[int] = []
    shown = Shown(say)
    scan = ScanRun(ways, units, questions, clock, shown, lambda: bool(stopped))
    plan = say("scan.plan", n=len(ways), units=len(units), minutes=scan.estimate / 60.0)
    print(plan, file=sys.stderr, flush=True)
    _confirm(args, say)
    lost: LinkDown | None = None
    try:
        asyncio.run(_until_stopped(scan, stopped))
    except LinkDown as down:
        lost = down
    shown.end()
    for line in found_lines(scan.seen, say):
        print(line, flush=True)
    if args.out is not None and scan.seen and not stopped:
        _write(args, scan.seen, maps, clock.wall())
    if lost is not None:
        # What was found before stands: only the rest was not asked.
        told = say(f"bus.{lost.key}", detail=lost.detail)
        raise CommandError(f"{say('scan.cut')} {told}" if scan.seen else told) from lost
    if stopped:
        print(say("scan.interrupted"), file=sys.stderr)
        return INTERRUPTED
    if not scan.seen:
        print(say("scan.nobody"), file=sys.stderr)
        return 1
    return 0


def _write(args: argparse.Namespace, seen: Sequence[Seen], maps: Sequence[DeviceMap], now: float) -> None:
    """The file of --out, which is not there yet."""
    from agent.cli import CommandError
    from agent.cli._scan_file import machine_file

    say: Say = args.say
    text = machine_file(seen, {device.name: device for device in maps}, args.where, now, args.lang, say)
    try:
        with args.out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(say("scan.cannot_write", file=str(args.out), error=error.strerror or "")) from error
    print(say("scan.written", file=str(args.out)), file=sys.stderr)


async def _until_stopped(scan: ScanRun, stopped: list[int]) -> None:
    """Ctrl-C ends the scan between two questions: nothing is left in the middle of one."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stopped.append, int(number))
    try:
        await scan.run()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _line(
    args: argparse.Namespace, maps: Sequence[DeviceMap], questions: Questions, say: Say
) -> tuple[tuple[BusOptions, ...], tuple[int, ...]]:
    """Settings and units of a serial line."""
    from agent.cli import CommandError
    from agent.cli._ports import taken
    from drivers.overhear import LEAST
    from drivers.scan import settings

    if not Path(args.where).exists():
        raise CommandError(say("scan.no_port", port=args.where, ports=", ".join(_ports()) or "-"))
    if not args.listen >= LEAST:
        raise CommandError(say("scan.wrong_listen", seconds=LEAST))
    rates = _numbers(args.bauds, say, 300, 4_000_000, "--bauds")
    parities = tuple(dict.fromkeys(word.strip().upper() for word in args.parities.split(",") if word.strip()))
    if not rates or not parities or set(parities) - {"N", "E", "O"}:
        raise CommandError(say("scan.wrong_list", option="--bauds, --parities", value=f"{args.bauds} {args.parities}"))
    units = _numbers(args.units, say, 1, 247, "--units")
    if not units:
        makers = (device.serial.address for device in questions.maps if device.serial is not None)
        units = (*_numbers(UNITS, say, 1, 247, "--units"), *sorted({unit for unit in makers if 32 < unit <= 247}))
    if told := taken(args.where, say):
        raise CommandError(told)
    return settings(maps, str(args.where), rates, parities, args.timeout), units


def _listen(args: argparse.Namespace, ways: Sequence[BusOptions], say: Say) -> str:
    """Why this line must not be scanned; '' if it is quiet at every rate. Sends nothing."""
    from agent.cli import CommandError
    from drivers.clock import SystemClock
    from drivers.overhear import Heard, loudest, overhear
    from drivers.trouble import LinkDown

    rates = list({way.baud: way for way in ways if way.framing == "rtu"}.values())
    told = say("scan.listening", n=len(rates), seconds=args.listen, total=args.listen * len(rates))
    print(told, file=sys.stderr, flush=True)
    heard: list[tuple[BusOptions, Heard]] = []
    try:
        for way in rates:
            heard.append((way, asyncio.run(overhear(way, SystemClock(), args.listen))))
            if heard[-1][1].known:
                break
    except LinkDown as down:
        raise CommandError(say(f"bus.{down.key}", detail=down.detail)) from down
    found = loudest(heard)
    if found is None:
        print(say("scan.quiet"), file=sys.stderr, flush=True)
        return ""
    way, said = found
    if said.huanyang:
        return say("scan.heard_huanyang", units=", ".join(map(str, said.huanyang)), baud=str(way.baud))
    if said.asked:
        asked = ", ".join(f"{unit}/{function}" for unit, function in said.asked[:8])
        return say("scan.heard_master", baud=str(way.baud), asked=asked)
    return say("scan.heard_bytes", baud=str(way.baud), n=said.size)


def _confirm(args: argparse.Namespace, say: Say) -> None:
    """What no program can see: that nothing turns, and that no drive is there which takes a read for a command."""
    from agent.cli import CommandError

    wanted = [key for key, given in (("stopped", args.yes_stopped), ("huanyang", args.no_huanyang)) if not given]
    if wanted and not sys.stdin.isatty():
        raise CommandError(say("scan.no_terminal"))
    for key in wanted:
        word = say(f"scan.confirm.{key}.word")
        print(say(f"scan.confirm.{key}.ask", word=word), end=" ", file=sys.stderr, flush=True)
        if _plain(sys.stdin.readline()) != _plain(word):
            raise CommandError(say(f"scan.confirm.{key}.refused"))


def _plain(word: str) -> str:
    """Without accents and case: whoever types in a hurry means the same."""
    return "".join(letter for letter in unicodedata.normalize("NFD", word.strip().casefold()) if not unicodedata.combining(letter))


class Shown:
    """Progress on standard error: one line that is written over on a terminal, elsewhere a line for each setting."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._terminal = sys.stderr.isatty()
        self._way: BusOptions | None = None

    def __call__(self, progress: Progress) -> None:
        """About to ask one unit."""
        from agent.cli._watch_page import wire

        if not self._terminal and progress.bus == self._way:
            return
        self._way = progress.bus
        left = progress.left / 60.0
        at = wire(progress.bus)
        text = self._say("scan.progress", wire=at, unit=progress.unit, done=progress.done, total=progress.total, minutes=left)
        print(f"\r\x1b[K{text}" if self._terminal else text, end="" if self._terminal else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """No more of it."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _maps(paths: DataPaths, say: Say) -> tuple[DeviceMap, ...]:
    from agent.cli import CommandError
    from drivers.devices import MapError, load_map

    maps = []
    for path in paths.files("devices", "*.toml"):
        try:
            maps.append(load_map(path))
        except MapError as error:
            raise CommandError(say("scan.wrong_map", file=str(path), device=path.stem)) from error
    return tuple(maps)


def _host(where: str, timeout: float, say: Say) -> BusOptions:
    from agent.cli import CommandError
    from drivers.options import BusOptions

    place = where.removeprefix("tcp://")
    if not place.startswith("[") and place.count(":") > 1:
        raise CommandError(say("scan.no_brackets", value=where))
    match = _HOST.fullmatch(place)
    port = int(match["port"] or 502) if match else 0
    if match is None or not 0 < port < 65_536:
        raise CommandError(say("scan.wrong_host", value=where))
    host = match["address"] or match["name"]
    return BusOptions(name="network", framing="tcp", host=host, port=port, timeout=timeout)


def _numbers(text: str, say: Say, low: int, high: int, option: str) -> tuple[int, ...]:
    """'1-3,7' as (1, 2, 3, 7); '' as ()."""
    from agent.cli import CommandError

    numbers: dict[int, None] = {}
    with contextlib.suppress(ValueError):
        for part in (part for part in text.split(",") if part.strip()):
            first, dash, last = part.partition("-")
            span = range(int(first), int(last if dash else first) + 1)
            if not span or span[0] < low or span[-1] > high:
                break
            numbers.update(dict.fromkeys(span))
        else:
            return tuple(numbers)
    raise CommandError(say("scan.wrong_list", option=option, value=text))


def _ports() -> list[str]:
    """Serial ports by the name that belongs to the adapter."""
    return sorted(str(path) for folder in ("by-id", "by-path") for path in Path("/dev/serial", folder).glob("*"))
