"""`python -m drivers.simulate`: the simulated shop, a process of its own. See docs/simulated-shop.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from drivers.clock import SystemClock
from drivers.simulate import demo, hahn
from drivers.simulate.cycle import Cycle
from drivers.simulate.faults import Fault
from drivers.simulate.script import Both, Listed, Script, load_script
from drivers.simulate.shop import Shop, check_pace, check_tools
from drivers.simulate.texts import LANGUAGES, Refused, Texts, in_all, language_of

STDIN = 0
LINE = 65536


def main(argv: Sequence[str] | None = None) -> int:
    """0: ended as asked; 2: refused, the reason is on standard output (JSON, both languages) and on standard error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    texts = Texts(_language(arguments))
    args = _parser(texts).parse_args(arguments)
    cycle = demo.cycle() if args.cycle == "demo" else hahn.cycle()
    try:
        script = _script(args.script, args.faults)
        check_tools(cycle, script)
        poll = args.poll or cycle.poll
        if args.render is not None:
            _render(args, cycle, script, poll)
            return 0
        check_pace(cycle, args.speed, poll)
        asyncio.run(_serve(args, cycle, script))
    except Refused as refused:
        _print({"ok": False, "error": refused.key, "text": in_all(refused)})
        print(texts.refusal(refused), file=sys.stderr)
        return 2
    return 0


def _render(args: argparse.Namespace, cycle: Cycle, script: Script, poll: float) -> None:
    from drivers.simulate.render import render

    parts, vibration = args.parts, not args.no_vibration
    rows = render(args.render, cycle, args.seed, script, parts=parts, poll=poll, truth=args.truth, vibration=vibration)
    _print({"ok": True, "recording": str(args.render), "parts": parts, "rows": rows})


async def _serve(args: argparse.Namespace, cycle: Cycle, script: Script) -> None:
    shop = Shop(cycle, args.seed, script, SystemClock(), speed=args.speed, wait=args.start == "first-read")
    ready = await shop.open(args.host, args.port)
    loop = asyncio.get_running_loop()

    def answer(line: bytes) -> None:
        if line.strip() and not _print(shop.command(line)):
            shop.stop()

    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, shop.stop)
        if _print(ready):
            threading.Thread(target=_read_lines, args=(loop, answer, shop.stop), name="stdin", daemon=True).start()
            await shop.run()
    finally:
        await shop.close()


def _read_lines(loop: asyncio.AbstractEventLoop, answer: Callable[[bytes], None], ended: Callable[[], None]) -> None:
    """Hand every line of standard input to the loop. A thread, because standard input may be anything that can be read."""
    rest = b""
    try:
        while data := os.read(STDIN, LINE):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(answer, line)
        loop.call_soon_threadsafe(ended)
    except RuntimeError:
        return  # the loop has ended by a signal


def _print(message: dict[str, Any]) -> bool:
    """One JSON line; False if nobody listens any more."""
    try:
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _script(script: str, faults: str | None) -> Script:
    """The script, and the faults beside it. Raises Refused."""
    if faults == "none":
        return Listed()
    try:
        base = load_script(script)
        if faults is None:
            return base
        return Both(base, Listed(msgspec.json.decode(faults, type=tuple[Fault, ...])))
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise Refused("script", reason=error) from error


def _language(arguments: Sequence[str]) -> str:
    said = [b for a, b in pairwise(arguments) if a == "--lang"]
    return said[-1] if said and said[-1] in LANGUAGES else language_of(os.environ.get("LC_ALL") or os.environ.get("LANG") or "")


def _parser(texts: Texts) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m drivers.simulate",
        description=texts.say("description"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def add(name: str, **kinds: Any) -> None:
        parser.add_argument(name, help=texts.say(f"help.{name.strip('-').replace('-', '_')}"), **kinds)

    add("--cycle", choices=("demo", "hahn"), default="demo")
    add("--seed", type=int, default=1)
    add("--speed", type=float, default=1.0)
    add("--poll", type=_seconds, default=None, metavar="S")
    add("--script", default="none", metavar="JSON|FILE")
    add("--faults", default=None, metavar="JSON")
    add("--start", choices=("ready", "first-read"), default="ready")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0)
    add("--render", type=Path, default=None, metavar="FOLDER")
    add("--parts", type=int, default=20, metavar="N")
    add("--truth", type=Path, default=None, metavar="FILE")
    add("--no-vibration", action="store_true")
    add("--lang", choices=LANGUAGES, default=None)
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.001 <= value <= 10.0:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main())
