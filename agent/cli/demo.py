"""`broche demo`: `run` with config/demo.toml beside a simulated shop behind real wires, a real broker, and an independent subscriber.

Nothing is preloaded: the agent begins with an empty store and learns what it judges by.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.cli import Say
    from agent.cli._demo import Received
    from agent.daemon import Told
    from agent.settings import MachineSettings

SHORTEST = 60.0
"""s from the first reading: five parts to learn, and the story of the faults after that."""
PATIENCE = 20.0
"""s that each part beside the agent has to begin."""
FIRST = 120.0
"""s within which the first reading must have come."""


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Of this command."""
    parser.add_argument("--seconds", type=float, default=None, metavar="N", help=say("demo.seconds", least=SHORTEST))
    parser.add_argument("--json", action="store_true", help=say("demo.json"))
    parser.add_argument("--no-browser", action="store_true", help=say("demo.no_browser"))
    parser.add_argument("--faults", choices=("demo", "none"), default="demo", help=say("demo.faults"))
    parser.add_argument("--seed", type=int, default=1, metavar="N", help=say("demo.seed"))
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help=say("demo.speed"))
    parser.add_argument("--port", type=int, default=None, metavar="PORT", help=say("demo.port"))
    parser.add_argument("--broker", choices=("mosquitto", "iotcore"), default=None, help=say("demo.broker"))


def run(args: argparse.Namespace) -> int:
    """0: ended as asked, and what had to arrive has arrived at the subscriber; 1: it has not; 130: ended before its time (Ctrl-C)."""
    from agent import children, embedded_broker
    from agent.cli import CommandError
    from agent.cli._demo import Received, shop_of
    from agent.cli.run import serve, set_logging
    from agent.machine_file import load
    from agent.paths import DataPaths
    from agent.publish.topics import Topics
    from drivers.clock import SystemClock

    say: Say = args.say
    if args.seconds is not None and not args.seconds >= SHORTEST:
        raise CommandError(say("demo.too_short", least=SHORTEST))
    set_logging("warning")
    # Whatever ends this process in an orderly way also ends what it started and removes its folders.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    machine = load(DataPaths.find(None).file("demo.toml"))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="broche-demo-")))
        try:
            broker = embedded_broker.start(SystemClock(), args.broker)
        except embedded_broker.NoBroker as error:
            raise CommandError(say("demo.no_broker", what=str(error))) from error
        stack.callback(broker.stop)
        topics = Topics.of(machine.settings.broker[0].prefix if machine.settings.broker else "broche", machine.settings.machine)
        received = Received(say, as_json=args.json, language=args.lang, base=topics.base)
        watcher = children.start(
            "agent.publish.watch", [broker.url, f"{topics.base}/#"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        stack.callback(children.stop, watcher, 3.0)
        received.listen(watcher, PATIENCE)
        shop = children.start(
            "drivers.simulate",
            ["--script", args.faults, "--seed", str(args.seed), "--speed", str(args.speed), "--start", "first-read", "--lang", args.lang],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        stack.callback(children.stop, shop, 3.0)
        wires = shop_of(shop, PATIENCE, say)
        settings = _settings(machine.settings, wires, broker.url, args)
        print(f"broche: {say('demo.broker_is', name=broker.name, url=broker.url)}", file=sys.stderr)
        print(f"broche: {say('demo.wires', **wires.told)}", file=sys.stderr, flush=True)
        timer = _Timer(args, say, received)
        status = serve(machine, settings, folder, say, told=timer.told, beside=timer.beside)
        received.finish(watcher)
    if received.unheard:
        raise BrokenPipeError
    good = received.verdict(args.faults, ended=timer.timed)
    return status or (good if timer.timed else 128 + signal.SIGINT)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _settings(settings: MachineSettings, wires: Any, url: str, args: argparse.Namespace) -> MachineSettings:
    """The machine file with the ports that were chosen just now."""
    from msgspec.structs import replace

    from agent.settings import BrokerOptions

    buses = tuple(replace(bus, **wires.ports[bus.name]) for bus in settings.bus)
    broker = settings.broker[0] if settings.broker else BrokerOptions(url=url)
    port = 0 if args.port is None and (args.json or args.seconds is not None) else args.port
    return replace(
        settings,
        machine=replace(settings.machine, language=args.lang),
        bus=buses,
        broker=(replace(broker, url=url),),
        display=replace(settings.display, port=settings.display.port if port is None else port),
    )


class _Timer:
    """Ends the demo N seconds after the first reading, and opens a browser where somebody sits."""

    def __init__(self, args: argparse.Namespace, say: Say, received: Received) -> None:
        self._seconds: float | None = args.seconds
        self._say = say
        self._received = received
        self._browser = (
            not args.no_browser
            and not args.json
            and sys.stderr.isatty()
            and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        )
        self._stop: asyncio.Event | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self.timed = False
        """Ended by the time and not by the person."""

    def beside(self, stop: asyncio.Event) -> None:
        """On the loop."""
        loop = asyncio.get_running_loop()
        self._stop = stop

        def unheard() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(stop.set)

        self._received.when_unheard(unheard)
        if self._seconds is not None:
            self._waiting = loop.call_later(FIRST, self._too_late)

    def told(self, news: Told) -> None:
        """On the loop."""
        if news.key == "page" and self._browser:
            webbrowser.open(str(news.values["url"]))
        if news.key == "first_reading" and self._seconds is not None and self._waiting is not None:
            self._waiting.cancel()
            asyncio.get_running_loop().call_later(self._seconds, self._end)

    def _too_late(self) -> None:
        print(f"broche: {self._say('demo.no_reading', seconds=FIRST)}", file=sys.stderr)
        self._end()

    def _end(self) -> None:
        self.timed = True
        if self._stop is not None:
            self._stop.set()
