"""The reference load over real wires: 3 axes x 26.7 kHz on a pty, 32 channels ten times a second over Modbus TCP, one open page.

  python -m benchmarks.load                     one minute of it after a warm start, then the lateness of a poll loop: about 2 minutes
  python -m benchmarks.load --seconds 300
  python -m benchmarks.load --json

Measured of the daemon's process alone: memory (resident; proportional, which counts a shared page by its share), processor time as a share
of one core, what its bounded queue had to drop, samples of vibration lost, readings and blocks that arrived. The devices are another
process (this file with --feed): the simulated lathe's registers and 9 more, frames of 41 samples every 1.5 ms.

Lateness: a loop as `broche run` has it, awake each 10 ms, alone and beside a compute thread that never rests, in turns in one process;
99th percentiles of each turn, medians of the turns. Three loads: another process that never rests (what an occupied core costs, without any
of ours); the vibration kernel back to back; and the whole pass, fed back to back (its Python holds the interpreter, its kernels do not).
All far above the reference load, which leaves the thread idle most of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from agent.cli.run import SWITCH
from agent.settings import StoreOptions
from agent.store import Store
from drivers import fine_loop, jit
from drivers.clock import SystemClock
from drivers.model import Quality, Readings, Waveform
from drivers.simulate import demo
from drivers.simulate.machine import Machine
from drivers.simulate.pty_port import PtyPort
from drivers.simulate.registers import machine_bits, machine_registers
from drivers.simulate.script import Listed
from drivers.simulate.vibration import CHUNK, SCALE, Vibration
from drivers.simulate.wires import TcpWire
from drivers.stream import encode_frame, most_samples

RATE = 26_700.0
SAMPLES = most_samples(3)
POLL = 0.01
"""s between two wakes of the loop whose lateness is measured."""
MACHINE = {
    "load": (11, "spindle.load", 0.1), "speed": (13, "spindle.speed", 1.0), "current": (12, "other", 0.01), "tool": (7, "tool", 1.0),
    "program": (6, "program", 1.0), "section": (8, "section", 1.0), "part": (10, "part", 1.0), "cycle": (4, "cycle", 1.0),
    "feed_hold": (5, "feed_hold", 1.0), "feed": (14, "feed", 1.0), "feed_override": (15, "feed_override", 1.0),
    "speed_override": (16, "speed_override", 1.0), "spindle_temperature": (17, "spindle.temperature", 0.1),
    "ambient_temperature": (18, "temperature", 0.1), "air_pressure": (19, "pressure", 0.01), "hydraulic_pressure": (20, "pressure", 0.1),
    "coolant_level": (21, "level", 0.1), "power_on": (0, "power_on", 1.0), "execution_number": (2, "other", 1.0),
    "mode_number": (1, "other", 1.0), "door_number": (3, "other", 1.0), "clock": (22, "other", 1.0),
    "x_load": (23, "axis.load", 0.1), "z_load": (24, "axis.load", 0.1), **{f"spare_{i}": (25 + i, "other", 0.1) for i in range(8)},
}  # fmt: skip
"""Channel: register, role, scale; 32 of them."""


# ----------------------------------------------------------------------------------------------------------- the devices
async def feed(folder: Path) -> None:
    """Serve until standard input ends."""
    clock = SystemClock()
    machine = Machine(demo.cycle(), 1, Listed(), _no_wires)
    table: list[tuple[list[int], list[int]]] = []
    draw = np.random.default_rng(1)

    def step(seconds: float) -> None:
        state = machine.advance(seconds)
        machine.log.clear()
        more = [40 + round(3.0 * abs(state.load)), 60 + round(5.0 * abs(state.load)), *draw.integers(2000, 2100, 8).tolist()]
        table[:] = [([*machine_registers(state)[:23], *more], machine_bits(state))]

    step(0.0)
    wire = TcpWire(1, lambda: table[0], clock)
    host, port = await wire.open("127.0.0.1", 0)
    pty = PtyPort(folder / "vibration", lambda _: None)
    pty.open()
    samples = _vibration()
    print(json.dumps({"host": host, "port": port, "vibration": str(folder / "vibration")}), flush=True)
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    began, sent, lost = clock.monotonic(), 0, 0
    while not ended.done():
        now = clock.monotonic() - began
        step(now)
        machine.trace.clear()
        while sent * SAMPLES / RATE < now:
            at = sent * SAMPLES % (len(samples) - SAMPLES)
            lost += not pty.write(encode_frame(sent & 0xFFFF, samples[at : at + SAMPLES]))
            sent += 1
        await asyncio.sleep(0.005)
    print(json.dumps({"frames": sent, "frames without room": lost}), flush=True)


def _vibration() -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    """20 s of the lathe's vibration at 26.7 kHz, to be sent over and over."""
    machine = Machine(demo.cycle(), 1, Listed(), _no_wires)
    machine.advance(20.0)
    moments = list(machine.trace)
    shaker = Vibration(1, rate=RATE)
    return np.concatenate([shaker.chunk(moments[at : at + CHUNK]) for at in range(0, len(moments) // CHUNK * CHUNK, CHUNK)])


def _no_wires(fault: object) -> None:
    raise AssertionError(fault)


def machine_file(folder: Path, ready: dict[str, Any]) -> Path:
    """The machine file of it, and the maps of its devices beside it."""
    devices = folder / "devices"
    devices.mkdir()
    lathe = 'name = "reference_lathe"\nvendor = "Broche"\nmodel = "reference load"\nkind = "machine"\nmax_count = 125\nupdate = 0.01\n'
    for name, (address, _, scale) in MACHINE.items():
        kind = '\ntype = "i16"' if name in ("load", "speed") else ""
        lathe += f'\n[[registers]]\nname = "{name}"\naddress = {address}{kind}\nscale = {scale}\nverified = true\nsource = "here"\n'
    (devices / "reference_lathe.toml").write_text(lathe, encoding="utf-8")
    (devices / "reference_vibration.toml").write_text(
        'name = "reference_vibration"\nvendor = "Broche"\nmodel = "reference load"\nkind = "vibration"\n'
        f'rate = {RATE}\naxes = 3\nscale = {SCALE}\nunit = "g"\n',
        encoding="utf-8",
    )
    text = (
        '[machine]\nname = "reference"\nkind = "lathe"\nlanguage = "en"\ntimezone = "Europe/Paris"\n\n[[spindle]]\nname = "S1"\n\n'
        f'[[bus]]\nname = "machine"\nframing = "tcp"\nhost = "{ready["host"]}"\nport = {ready["port"]}\n\n'
        f'[[bus]]\nname = "vibration"\nframing = "cobs"\nport = "{ready["vibration"]}"\nbaud = 4000000\nparity = "N"\n\n'
        '[[source]]\nname = "lathe"\nbus = "machine"\ndevice = "reference_lathe"\naddress = 1\nevery = 0.1\n\n'
        '[[source]]\nname = "vibration"\nbus = "vibration"\ndevice = "reference_vibration"\n\n[display]\nport = 0\n'
        '\n[[channel]]\nname = "vibration"\nrole = "vibration"\nfrom = "vibration.vibration"\n'
    )
    for name, (_, role, _) in MACHINE.items():
        text += f'\n[[channel]]\nname = "{name}"\nrole = "{role}"\nfrom = "lathe.{name}"\n'
    path = folder / "reference.toml"
    path.write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------------------ the daemon
def memory(pid: int) -> dict[str, float]:
    """MB: resident, proportional, private."""
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]]
    kb = {line[0].rstrip(":"): int(line[1]) for line in lines}
    private = kb["Private_Clean"] + kb["Private_Dirty"]
    return {name: round(value / 1024.0, 1) for name, value in (("RSS", kb["Rss"]), ("PSS", kb["Pss"]), ("private", private))}


def processor(pid: int) -> float:
    """s of processor time so far, of all its threads."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def under_load(seconds: float) -> dict[str, float]:
    """One daemon at the reference load."""
    from tests.support.agent_process import AgentProcess, Page, environment, warm

    warm()
    feeder = [sys.executable, "-m", "benchmarks.load", "--feed"]
    with (
        tempfile.TemporaryDirectory(prefix="broche-load-") as temporary,
        subprocess.Popen([*feeder, temporary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        folder = Path(temporary)
        ready = json.loads(child.stdout.readline())
        state = folder / "state"
        with AgentProcess(machine_file(folder, ready), state) as running:
            running.ready()
            pid = running.child.pid
            with Page(running.port) as page:
                threading.Event().wait(5.0)
                before, began = processor(pid), time.monotonic()
                start = memory(pid)
                threading.Event().wait(seconds)
                share = (processor(pid) - before) / (time.monotonic() - began)
                held = memory(pid)
                states = len(page.states)
            running.terminate()
        child.stdin.close()
        sent = json.loads(child.stdout.readline())
        store = Store.open(state, StoreOptions(), SystemClock(), lambda _: None)
        saved = msgspec.msgpack.decode(store.saved_state() or b"\x80")
        store.close()
    counters = saved["counters"]
    return {
        "RSS, MB": held["RSS"], "PSS, MB": held["PSS"], "private, MB": held["private"], "RSS at the beginning, MB": start["RSS"],
        "share of one core, %": round(100.0 * share, 1), "batches dropped": counters["dropped"], "rows": counters["rows"],
        "cuts": counters["cuts"], "samples lost": sum(one["lost"] for one in saved["vibration"].values()),
        "frames sent": sent["frames"], "frames without room on the pty": sent["frames without room"], "states on the page": states,
    }  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- lateness
async def lateness(seconds: float) -> list[float]:
    """ms by which a loop that wants to wake each `POLL` is late."""
    late = []
    due = time.monotonic() + POLL
    end = due + seconds
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        late.append(1e3 * (now - due))
        due = max(due, now) + POLL
    return late


def kernels() -> Callable[[], None]:
    """The vibration kernel on one block, over and over."""
    from agent.kernels.vibration import Meter

    block = np.random.default_rng(1).integers(-3000, 3000, (4096, 3)).astype(np.int16)
    meter = Meter()
    return lambda: meter.measure(block, SCALE, RATE, 1500.0)  # type: ignore[return-value]


def whole_pass(folder: Path) -> Callable[[], None]:
    """The monitor with a row and, each third time, a block: as they come, but without a pause."""
    from agent.machine_file import load
    from agent.maintenance import plan
    from agent.monitor import Monitor

    machine = load(machine_file(folder, {"host": "127.0.0.1", "port": 1, "vibration": "/dev/null"}))
    monitor = Monitor(machine.settings, plan(machine.paths))
    block = np.random.default_rng(1).integers(-3000, 3000, (8010, 3)).astype(np.int16)
    lathe = Machine(demo.cycle(), 1, Listed(), _no_wires)
    quality = np.zeros((1, len(MACHINE)), dtype=np.uint8)
    k = 0

    def step() -> None:
        nonlocal k
        registers = [*machine_registers(lathe.advance(0.1 * k)), *(0,) * 9]
        lathe.log.clear()
        lathe.trace.clear()
        values = np.array([[registers[address] * scale for address, _, scale in MACHINE.values()]])
        monitor.feed(Readings("lathe", tuple(MACHINE), np.array([0.1 * k]), values, quality, ()))
        if k % 3 == 0:
            monitor.feed(Waveform("vibration", "vibration", 0.1 * k, RATE, block, SCALE, "g", Quality.GOOD, 0))
        k += 1

    return step


def beside(work: Callable[[], None] | None, seconds: float) -> tuple[float, float]:
    """Median and 99th percentile of the lateness in ms, while a thread does `work` without a pause."""
    ending = threading.Event()

    def run() -> None:
        while work is not None and not ending.is_set():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    late = fine_loop.run(lateness(seconds))
    ending.set()
    thread.join()
    return float(np.percentile(late, 50.0)), float(np.percentile(late, 99.0))


def jitter(turns: int, seconds: float) -> dict[str, Any]:
    """Lateness alone and beside both loads."""
    with tempfile.TemporaryDirectory(prefix="broche-load-") as folder:
        loads: dict[str, Callable[[], None] | None] = {"alone": None, "kernels": kernels(), "whole pass": whole_pass(Path(folder))}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in loads}
        found["other process"] = []
        for work in loads.values():
            for _ in range(20 if work is not None else 0):
                work()  # type: ignore[misc]
        # As `broche run` does when the kernels are ready.
        gc.collect()
        gc.freeze()
        for _ in range(turns):
            for name, work in loads.items():
                found[name].append(beside(work, seconds))
            with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
                found["other process"].append(beside(None, seconds))
                busy.kill()
    p99 = {name: statistics.median(p for _, p in values) for name, values in found.items()}
    figures: dict[str, Any] = {}
    for name, values in found.items():
        figures[f"lateness {name}: p50, ms"] = round(statistics.median(p for p, _ in values), 3)
        figures[f"lateness {name}: p99, ms"] = round(p99[name], 3)
        figures[f"lateness {name}: p99, ms, all"] = [round(p, 2) for _, p in values]
        figures[f"lateness {name}: p99 to alone"] = round(p99[name] / p99["alone"], 2)
    return figures


def main(argv: list[str] | None = None) -> int:
    """1: something was dropped or lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--turns", type=int, default=5, help="of the lateness")
    parser.add_argument(
        "--switch", type=float, default=None, help="s: sys.setswitchinterval while the lateness is measured (0.0005, as `broche run`)"
    )
    parser.add_argument("--feed", type=Path, default=None, help="be the devices; a folder for the pty's name")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    if args.feed is not None:
        fine_loop.run(feed(args.feed))
        return 0
    jit.prepare()
    figures: dict[str, Any] = {"load before": round(os.getloadavg()[0], 2)}
    if args.seconds > 0.0:
        figures |= under_load(args.seconds)
    sys.setswitchinterval(SWITCH if args.switch is None else args.switch)
    figures |= jitter(args.turns, 4.0) if args.turns else {}
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:40} {value}")
    return 1 if figures.get("batches dropped", 0) or figures.get("samples lost", 0) else 0


if __name__ == "__main__":
    sys.exit(main())
