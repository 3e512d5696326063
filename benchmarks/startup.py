"""How long a start takes, and how much memory an agent holds, beside a bare `import numba` in the same run.

`python benchmarks/startup.py [--runs N] [--json]`: about five minutes; needs the checkout (a simulated shop behind real wires is read).
Everything is measured N times (5), one after the other in turns, so that a machine that is busy for a while slows all of it; medians are
printed, with the smallest and the largest. Times are of the wall, from the start of the process. Bytecode is written by one start that is
not measured, in a folder of its own, as Python does it by itself wherever PYTHONDONTWRITEBYTECODE is not set; --no-bytecode keeps it off.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.agent_process import AgentProcess, Page, environment, machine_file, warm
from tests.support.shop import shop_process

STEADY = 15.0
"""s with an open page after which memory is read."""
Figures = dict[str, list[float]]


def timed(command: list[str]) -> float:
    """Seconds that a command takes."""
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment(), cwd="/")
    return time.monotonic() - began


def memory(pid: int) -> dict[str, float]:
    """MB: resident, and of it private to the process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    rollup = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    private = sum(int(line[1]) for line in rollup if line[0].startswith("Private_"))
    return {"resident": int(status["VmRSS"].split()[0]) / 1024.0, "private": private / 1024.0}


def bare_numba() -> dict[str, float]:
    """Memory of a process that has imported numba and nothing else."""
    ask = "import numba, sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        found = memory(child.pid)
        child.stdin.close()
    return found


def agent(machine: Path, cache: str, *, steady: bool) -> dict[str, float]:
    """One agent from its start until it monitors; `cache`: where its kernels are kept, '' for the usual place."""
    more = {"BROCHE_CACHE": cache} if cache else {}
    with tempfile.TemporaryDirectory() as state, AgentProcess(machine, Path(state), more=more) as running:
        running.ready()
        found = {
            "first reading": running.at("first reading"),
            "page": running.at(r"operator.s page"),
            "kernels ready": running.at("kernels ready"),
        }
        if steady:
            with Page(running.port) as page:
                threading.Event().wait(STEADY)
                assert page.states
                found |= memory(running.child.pid)
        running.terminate()
    return found


def measure(runs: int) -> Figures:
    """All figures, each so many times, in turns."""
    figures: Figures = {}

    def note(name: str, value: float) -> None:
        figures.setdefault(name, []).append(value)

    warm()
    with tempfile.TemporaryDirectory(prefix="broche-startup-") as folder, shop_process("--faults", "none") as shop:
        machine = machine_file(Path(folder) / "machine.toml", shop.ready)
        agent(machine, "", steady=False)
        timed([sys.executable, "-c", "import numba"])
        for run in range(runs):
            print(f"{run + 1}/{runs}", file=sys.stderr)
            note("import numba, s", timed([sys.executable, "-c", "import numba"]))
            note("broche --help, s", timed([sys.executable, "-P", "-m", "agent", "--help"]))
            for name, value in agent(machine, "", steady=True).items():
                note(f"run, steady, one page: {name}, MB" if name in ("resident", "private") else f"run, warm: {name}, s", value)
            note("import numba, s", timed([sys.executable, "-c", "import numba"]))
            for name, value in agent(machine, str(Path(folder, f"cache-{run}")), steady=False).items():
                note(f"run, cold: {name}, s", value)
            for name, value in bare_numba().items():
                note(f"import numba: {name}, MB", value)
        shop.end()
    return figures


def ratios(figures: Mapping[str, list[float]]) -> dict[str, float]:
    """To `import numba` of the same run."""
    base = statistics.median(figures["import numba, s"])
    out = {name: statistics.median(values) / base for name, values in figures.items() if name.endswith(", s")}
    for what in ("resident", "private"):
        base = statistics.median(figures[f"import numba: {what}, MB"])
        out[f"run, steady, one page: {what}, MB"] = statistics.median(figures[f"run, steady, one page: {what}, MB"]) / base
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-bytecode", action="store_true", help="our own modules are compiled at each start")
    options = parser.parse_args()
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="broche-bytecode-") as folder:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1" if options.no_bytecode else ""
        if not options.no_bytecode:
            os.environ["PYTHONPYCACHEPREFIX"] = folder
        figures = measure(options.runs)
    against = ratios(figures)
    about = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load before": round(busy, 2),
        "runs": options.runs,
    }
    if options.json:
        rows = {
            name: {"median": statistics.median(values), "values": values, "to import numba": against.get(name)}
            for name, values in figures.items()
        }
        print(json.dumps({**about, "figures": rows}))
        return
    print("  ".join(f"{name} {value}" for name, value in about.items()))
    for name, values in sorted(figures.items()):
        beside = f"{against[name]:8.2f} x" if name in against else ""
        print(f"{name:45} {statistics.median(values):8.2f}  ({min(values):.2f} .. {max(values):.2f})  {beside}")


if __name__ == "__main__":
    main()
