"""How fast a poll is: on a serial line against the time that its bytes take, over TCP against libmodbus and modpoll, and what it costs.

`python benchmarks/wire.py [--modpoll VENV/bin/python]`: two minutes. Needs libmodbus5 (Debian) for the TCP part. `modpoll` is a program on
PyPI that is measured only if it is told where: it wants an older pymodbus, so give it an environment that is thrown away afterwards,
`python3 -m venv VENV && VENV/bin/pip install modpoll`. Without it that row is left out, and said so.

Serial: the far end of a pty is a process of its own that lets bytes go at the rate of the line: every millisecond what has come, and the
last one at its time. Theory is the time of the bytes, 11 bits each, and the two silences of the standard: 8 characters, silence, 5
characters and the data, silence. TCP: all clients ask the same libmodbus server on loopback, in turns, a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
import tty
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pymodbus.client import AsyncModbusTcpClient

from drivers import fine_loop
from drivers.bus import Bus
from drivers.clock import SystemClock
from drivers.links import Links
from drivers.model import Readings, Waveform
from drivers.options import BusOptions, ChannelRoute, DeviceMap, Register, SourceOptions
from drivers.plan import Request
from drivers.trouble import BusTrouble
from drivers.wire_time import character, characters, silence
from tests.support.bad_device import Asked, rtu
from tests.support.libmodbus import LIBRARY, LibModbus, holding, missing

ROUNDS = 5
TICK = 0.001
"""s between two releases: the latency timer of a USB adapter as systemd/60-broche-serial.rules sets it."""


def far_end(baud: int) -> None:
    """A device behind a line: reads requests from a pty whose name it prints, and answers at the rate of the line. Until killed."""
    options = BusOptions(name="line", framing="rtu", baud=baud)
    one, gap = character(options), silence(options)
    fd, slave = os.openpty()
    tty.setraw(fd)
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    buffer = b""
    number = 0
    while True:
        select.select([fd], [], [])
        arrived = time.perf_counter()
        buffer += os.read(fd, 256)
        if len(buffer) < 8:
            continue
        frame, buffer = buffer[:8], b""
        number += 1
        answer = rtu(Asked(number, frame[0], frame[1], int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")))
        begin = arrived + 8 * one + gap
        sent, over = 0, begin + len(answer) * one
        while sent < len(answer):
            ready = min(over, time.perf_counter() + TICK)
            if (wait := ready - time.perf_counter()) > 0.0005:
                time.sleep(wait - 0.0003)
            while time.perf_counter() < ready:
                pass
            come = len(answer) if ready == over else int((time.perf_counter() - begin) / one)
            if come > sent:
                os.write(fd, answer[sent:come])
                sent = come


async def on_the_line(port: str, baud: int, count: int, seconds: float) -> tuple[list[float], float, int]:
    """Seconds of each poll, one behind the other; seconds of processor of this process a poll; polls without an answer."""
    bus = Bus(BusOptions(name="line", framing="rtu", port=port, baud=baud, timeout=1.0), SystemClock())
    await bus.open()
    request = Request("holding", 100, count)
    for _ in range(5):
        await bus.read(1, request)
    times: list[float] = []
    lost = 0
    began, busy = time.perf_counter(), time.process_time()
    last = began
    while last - began < seconds:
        try:
            await bus.read(1, request)
        except BusTrouble:
            # Not one CPU for a whole time-out: other work on this computer. Counted, in the poll that follows.
            lost += 1
            continue
        now = time.perf_counter()
        times.append(now - last)
        last = now
    busy = time.process_time() - busy
    bus.close()
    return times, busy / len(times), lost


def serial_table(seconds: float) -> None:
    print("serial: poll time through a line that lets bytes go at its rate")
    head = f"{'baud':>6} {'registers':>9} {'theory ms':>9} {'median ms':>9} {'ratio':>6} {'95 % ms':>8} {'ratio':>6} {'mean':>6}"
    print(f"{head} {'polls/s':>7} {'processor µs':>12} {'lost':>4}", flush=True)
    for baud in (19200, 115200):
        options = BusOptions(name="line", framing="rtu", baud=baud)
        with subprocess.Popen([sys.executable, __file__, "--far-end", str(baud)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            try:
                for count in (2, 20, 60, 125):
                    theory = characters(options, 2 * count) * character(options) + 2 * silence(options)
                    times, busy, lost = fine_loop.run(on_the_line(port, baud, count, seconds))
                    median, late, mean = statistics.median(times), statistics.quantiles(times, n=20)[-1], statistics.fmean(times)
                    row = f"{baud:6} {count:9} {1e3 * theory:9.2f} {1e3 * median:9.2f} {median / theory:6.3f} {1e3 * late:8.2f}"
                    print(f"{row} {late / theory:6.3f} {mean / theory:6.3f} {1 / mean:7.1f} {1e6 * busy:12.0f} {lost:4}", flush=True)
            finally:
                process.kill()


class LibModbusClient:
    """The C library as a program in C would use it; ctypes adds about a microsecond."""

    def __init__(self, port: int) -> None:
        lib = self._lib = ctypes.CDLL(LIBRARY, use_errno=True)
        lib.modbus_new_tcp.restype = ctypes.c_void_p
        lib.modbus_new_tcp.argtypes = (ctypes.c_char_p, ctypes.c_int)
        for name in ("modbus_connect", "modbus_close", "modbus_free"):
            getattr(lib, name).argtypes = (ctypes.c_void_p,)
        lib.modbus_read_registers.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_uint16))
        self._context = lib.modbus_new_tcp(b"127.0.0.1", port)
        if lib.modbus_connect(self._context) < 0:
            sys.exit("libmodbus cannot connect")

    def measure(self, count: int, reads: int) -> tuple[float, float]:
        values = (ctypes.c_uint16 * count)()
        began, busy = time.perf_counter(), time.process_time()
        for _ in range(reads):
            if self._lib.modbus_read_registers(self._context, 0, count, values) != count:
                sys.exit("libmodbus got no answer")
        took = time.perf_counter() - began, time.process_time() - busy
        assert list(values) == [holding(i) for i in range(count)]
        return took[0] / reads, took[1] / reads

    def close(self) -> None:
        self._lib.modbus_close(self._context)
        self._lib.modbus_free(self._context)


async def measure_bus(port: int, count: int, reads: int) -> tuple[float, float]:
    bus = Bus(BusOptions(name="t", framing="tcp", host="127.0.0.1", port=port), SystemClock())
    await bus.open()
    request = Request("holding", 0, count)
    assert (await bus.read(1, request)).values == [holding(i) for i in range(count)]
    began, busy = time.perf_counter(), time.process_time()
    for _ in range(reads):
        await bus.read(1, request)
    took = (time.perf_counter() - began) / reads, (time.process_time() - busy) / reads
    bus.close()
    return took


async def measure_links(port: int, count: int, reads: int) -> tuple[float, float]:
    """From the question to the row: plan, read, decode."""
    device = DeviceMap(name="m", registers=tuple(Register(name=f"r{i}", address=i) for i in range(count)))
    routes = [ChannelRoute(channel=f"c{i}", source="s", register=f"r{i}") for i in range(count)]
    rows = 0
    begun: list[tuple[float, float]] = []
    done = asyncio.Event()

    def deliver(item: Readings | Waveform) -> None:
        nonlocal rows
        assert isinstance(item, Readings)
        rows += 1
        if rows == 10:
            begun.append((time.perf_counter(), time.process_time()))
        if rows == 10 + reads:
            begun.append((time.perf_counter(), time.process_time()))
            done.set()

    bus = BusOptions(name="t", framing="tcp", host="127.0.0.1", port=port)
    source = SourceOptions(name="s", bus="t", device="m", every=1e-6)
    task = asyncio.create_task(Links([bus], [source], {"m": device}, routes, SystemClock(), deliver).run())
    await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return (begun[1][0] - begun[0][0]) / reads, (begun[1][1] - begun[0][1]) / reads


async def measure_pymodbus(port: int, count: int, reads: int) -> tuple[float, float]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    began, busy = time.perf_counter(), time.process_time()
    for _ in range(reads):
        await client.read_holding_registers(0, count=count, device_id=1)
    took = (time.perf_counter() - began) / reads, (time.process_time() - busy) / reads
    client.close()
    return took


MODPOLL = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
from pymodbus.client import ModbusTcpClient
from modpoll.modbus_task import ModbusHandler
port, count, reads, config = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
handler = ModbusHandler(ModbusTcpClient("127.0.0.1", port=port), config, interval=0.0, daemon=True)
handler.load_config()
handler.connect()
poller = handler.deviceList[0].pollerList[0]
assert poller.poll(handler.modbus_client)
began, busy = time.perf_counter(), time.process_time()
for _ in range(reads):
    assert poller.poll(handler.modbus_client)
alone = (time.perf_counter() - began) / reads, (time.process_time() - busy) / reads
values = [reference.val for reference in handler.deviceList[0].references.values()]
assert values == [(i * 7 + 1) & 0xFFFF for i in range(count)], values
handler.disconnect()
began, busy = time.perf_counter(), time.process_time()
for _ in range(reads):
    handler.poll()
print(json.dumps([alone, [(time.perf_counter() - began) / reads, (time.process_time() - busy) / reads]]))
"""


def measure_modpoll(python: Path, port: int, count: int, reads: int, folder: Path) -> list[list[float]]:
    """Its poll of one block with all values decoded, and its whole round, which connects each time."""
    config = folder / f"modpoll{count}.csv"
    rows = ["device,d,1", f"poll,holding_register,0,{count},BE_BE", *(f"ref,r{i},{i},uint16,r" for i in range(count))]
    config.write_text("\n".join(rows) + "\n", encoding="utf-8")
    done = subprocess.run(
        [str(python), "-c", MODPOLL, str(port), str(count), str(reads), str(config)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def tcp_table(modpoll: Path | None, reads: int) -> None:
    if missing():
        print(f"tcp: left out, {missing()}")
        return
    print(f"\ntcp: {ROUNDS} rounds of {reads} reads each, in turns; the server is libmodbus on loopback")
    print(f"{'registers':>9} {'client':34} {'median µs':>9} {'least':>7} {'most':>7} {'of libmodbus':>12} {'processor µs':>12}", flush=True)
    with LibModbus("tcp") as server, tempfile.TemporaryDirectory() as folder:
        for count in (10, 60, 123):
            took: dict[str, list[tuple[float, float]]] = {}
            for _ in range(ROUNDS):
                c = LibModbusClient(server.port)
                took.setdefault("libmodbus (C)", []).append(c.measure(count, reads))
                c.close()
                took.setdefault("Broche, Bus.read", []).append(fine_loop.run(measure_bus(server.port, count, reads)))
                took.setdefault("Broche, poll to decoded row", []).append(fine_loop.run(measure_links(server.port, count, reads)))
                took.setdefault("pymodbus async, unverified", []).append(fine_loop.run(measure_pymodbus(server.port, count, reads)))
                if modpoll is not None:
                    alone, whole = measure_modpoll(modpoll, server.port, count, max(50, reads // 10), Path(folder))
                    took.setdefault("modpoll, read and decode", []).append((alone[0], alone[1]))
                    took.setdefault("modpoll, its round (connects)", []).append((whole[0], whole[1]))
            base = statistics.median(wall for wall, _ in took["libmodbus (C)"])
            for name, pairs in took.items():
                wall = [pair[0] for pair in pairs]
                middle = statistics.median(wall)
                row = f"{count:9} {name:34} {1e6 * middle:9.0f} {1e6 * min(wall):7.0f} {1e6 * max(wall):7.0f} {middle / base:12.2f}"
                print(f"{row} {1e6 * statistics.median(pair[1] for pair in pairs):12.0f}", flush=True)
    if modpoll is None:
        print("modpoll: left out (--modpoll VENV/bin/python)")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--modpoll", type=Path, help="python of an environment in which modpoll is installed")
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each serial row")
    arguments.add_argument("--reads", type=int, default=2000, help="of each TCP round")
    arguments.add_argument("--far-end", type=int, metavar="BAUD", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.far_end:
        far_end(given.far_end)
    serial_table(given.seconds)
    tcp_table(given.modpoll, given.reads)


if __name__ == "__main__":
    main()
