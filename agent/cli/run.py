"""`broche run MACHINE.toml`: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.cli import Say
    from agent.daemon import Daemon, Told
    from agent.display.server import DisplayError
    from agent.machine_file import MachineFile
    from agent.settings import MachineSettings
    from agent.store import StoreUnusable

SWITCH = 0.0005
"""s after which the loop, when it has work, takes the interpreter from the compute thread; Python's own 5 ms are half a period of a bus
that is asked each 10 ms (lateness beside the whole pass, 99th percentile: 27 ms with 5, 21 with 0.5, on a busy machine)."""
ENDS_RUSH = frozenset({"ready", "compiling"})
"""What the daemon tells when the hurry is over: garbage is collected again, and what was imported is not looked at any more."""


def add_arguments(parser: argparse.ArgumentParser, say: Say) -> None:
    """Of this command."""
    parser.add_argument("machine", type=Path, help=say("run.machine"), metavar="MACHINE.toml")
    parser.add_argument("--state", type=Path, default=None, help=say("run.state"), metavar="FOLDER")
    parser.add_argument("--log", choices=("debug", "info", "warning", "error"), default="warning", help=say("run.log"))


def run(args: argparse.Namespace) -> int:
    """Exit status 0 when it was asked to end; 2: this machine file is an example with ports that stand for none."""
    from agent.machine_file import load

    set_logging(args.log)
    machine = load(args.machine)
    if machine.warnings:
        from agent.texts import Texts

        texts = Texts.load(machine.paths, args.lang)
        print(texts.mistakes(machine.warnings), file=sys.stderr)
    if any(warning.code == "placeholder" for warning in machine.warnings):
        # config/demo.toml: nobody is at those ports.
        return 2
    folder = args.state or state_folder(machine.settings)
    return serve(machine, machine.settings, folder, args.say)


def serve(
    machine: MachineFile,
    settings: MachineSettings,
    folder: Path,
    say: Say,
    *,
    told: Callable[[Told], None] | None = None,
    beside: Callable[[asyncio.Event], object] | None = None,
) -> int:
    """Run a machine until SIGTERM, SIGINT or SIGHUP; `beside` is called on the loop before it begins, with the event that ends it."""
    from agent.cli import CommandError
    from agent.daemon import Daemon, DaemonFailed
    from drivers import fine_loop
    from drivers.clock import SystemClock

    def tell(news: Told) -> None:
        if news.key in ENDS_RUSH:
            gc.freeze()
            gc.enable()
        print(f"broche: {say(f'run.told.{news.key}', **news.values)}", file=sys.stderr, flush=True)
        if told is not None:
            told(news)

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(say("run.no_folder", folder=str(folder), error=error.strerror or "")) from error
    daemon = Daemon(settings, machine.maps, machine.routes, machine.paths, folder, SystemClock(), tell)
    # Imports make much that lives for ever and nothing to collect: a tenth of the time to the first judgement.
    gc.disable()
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        fine_loop.run(_until_stopped(daemon, beside))
    except DaemonFailed as error:
        print(f"broche: {say('run.failed', what=say(f'run.ended.{error.part}'), detail=error.detail)}", file=sys.stderr)
        return 1
    except _store_unusable() as error:
        raise CommandError(say(f"run.store.{error.trouble.kind}", folder=str(folder), detail=error.trouble.detail)) from error
    except _display_error() as error:
        raise CommandError(str(error)) from error
    finally:
        gc.enable()
        sys.setswitchinterval(usual)
    return 0


def _store_unusable() -> type[StoreUnusable]:
    """Looked up when something was raised: the store is not imported before the first reading."""
    from agent.store import StoreUnusable

    return StoreUnusable


def _display_error() -> type[DisplayError]:
    """Likewise."""
    from agent.display.server import DisplayError

    return DisplayError


async def _until_stopped(daemon: Daemon, beside: Callable[[asyncio.Event], object] | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if beside is not None:
        beside(stop)
    await daemon.run(stop)


def state_folder(settings: MachineSettings) -> Path:
    """Where the store of a machine is: as the machine file says, else as systemd says, else in the user's own state folder."""
    from agent.publish.topics import level

    if settings.store.folder:
        return Path(settings.store.folder)
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "broche" / level(settings.machine.name)


def set_logging(name: str) -> None:
    """Developers' log lines on standard error."""
    logging.basicConfig(level=name.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
