"""A real agent beside a real shop, with a real broker and a real page, and everything that happens to it in a workshop.

The agents begin with the state of one that has watched the machine for eight parts, so that nothing is waited for that is not the matter.
BROCHE_OUTAGE: seconds for which the broker is gone (3; a minute by hand).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent_process import PATIENCE, AgentProcess, Page, learn, machine_file, warm
from tests.support.broker import Gate, Listener, Mosquitto, needs_mosquitto
from tests.support.ordinary import obeys_modes
from tests.support.shop import ShopProcess, shop_process

pytestmark = needs_mosquitto

OUTAGE = float(os.environ.get("BROCHE_OUTAGE", "3"))
WELL = ("LEARNING", "PROVISIONAL", "MONITORING")
LATENESS = 0.3
LOST_WITHIN = 2.0 + LATENESS
"""s from the last reading, lateness of the machine file included."""
LOOK = 0.6
"""s from the loss of a value to the word that says so: the pass looks every 0.5 s."""
HOLD = 1.0
"""s for which a reading may stand."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    running = Mosquitto(tmp_path_factory.mktemp("broker"), ["max_queued_messages 0"]).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder that is to be copied."""
    warm()
    folder = tmp_path_factory.mktemp("learned")
    ready = {"tcp": {"port": 502}, "rtu": {"port": "/dev/ttyUSB0"}, "vibration": {"port": "/dev/ttyUSB1"}}
    learn(machine_file(folder / "machine.toml", ready, monitoring=["learn_cuts = 3"]), folder / "state")
    return folder / "state"


class Plant:
    """A shop, and what is needed to start agents beside it. The ptys have paths of their own, as udev gives them."""

    def __init__(self, folder: Path, learned: Path, broker: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        shutil.copytree(learned, self.state)
        self._broker = broker
        self._stack = ExitStack()
        self._tcp = 0
        self.start()

    def start(self) -> None:
        """A shop; the second one takes the place of the first."""
        more = ["--port", str(self._tcp)] if self._tcp else []
        self.shop: ShopProcess = self._stack.enter_context(shop_process("--faults", "none", *more))
        ready = self.shop.ready
        self._tcp = ready["tcp"]["port"]
        for wire in ("rtu", "vibration"):
            aside = self.folder / f"{wire}.new"
            aside.symlink_to(ready[wire]["port"])
            aside.replace(self.folder / wire)
        wires = {"drive": str(self.folder / "rtu"), "vibration": str(self.folder / "vibration")}
        self.machine = machine_file(self.folder / "machine.toml", ready, broker=self._broker, monitoring=["learn_cuts = 3"], **wires)

    def kill(self) -> None:
        """The shop's devices are gone from one moment to the next."""
        folder = Path(self.shop.ready["rtu"]["port"]).parent
        self.shop.child.kill()
        self.shop.child.wait(PATIENCE)
        shutil.rmtree(folder)

    def close(self) -> None:
        self.shop.end()
        self._stack.close()

    def agent(self, **more: Any) -> AgentProcess:
        return AgentProcess(self.machine, self.state, **more)


@contextmanager
def plant(folder: Path, learned: Path, broker: str) -> Iterator[Plant]:
    running = Plant(folder, learned, broker)
    try:
        yield running
    finally:
        running.close()


@dataclass
class Site:
    """The plant that the tests of this module share while nothing is killed for good."""

    plant: Plant
    agent: AgentProcess
    page: Page
    listener: Listener

    def well(self) -> int:
        """Wait until all is well; what comes after."""
        mark = self.page.now
        self.page.wait(lambda s: s["coverage"]["word"] in WELL and s["vibrations"][0]["velocity_rms"] is not None, "all well", since=mark)
        return self.page.now

    def statuses(self) -> list[dict[str, Any]]:
        return [status for status in self.listener.of("/status") if status is not None]

    def alerts(self) -> dict[str, dict[str, Any]]:
        """All that were ever raised, as first told, except those that speak of a lost sensor."""
        told: dict[str, dict[str, Any]] = {}
        for alert in self.listener.of("/alert/"):
            if alert["kind"] != "sensor":
                told.setdefault(alert["id"], alert)
        return told


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, learned: Path, broker: Mosquitto) -> Iterator[Site]:
    with plant(tmp_path_factory.mktemp("site"), learned, broker.url) as running:
        listener = Listener(broker.port)
        with running.agent() as agent, Page(agent.ready().port) as page:
            yield Site(running, agent, page, listener)
        listener.close()


def load(state: dict[str, Any]) -> Any:
    return state["spindles"][0]["load"]


def last_reading(states: list[dict[str, Any]]) -> float:
    """Time of the last load that was shown before it was lost."""
    return max(float(s["spindles"][0]["load_time"]) for s in states if load(s) is not None)


def never_live_without_a_reading(states: list[dict[str, Any]]) -> None:
    """No value outlives its reading, none is stamped anew, and no age is negative."""
    gone = None
    for state in states:
        spindle = state["spindles"][0]
        if spindle["load"] is not None:
            assert -LATENESS <= state["time"] - spindle["load_time"] <= HOLD + 0.1, state
            gone = None
        else:
            gone = state["time"] if gone is None else gone
            assert state["coverage"]["word"] in ("LOST", "OFF") or state["time"] - gone <= LOOK, state["coverage"]
        for vibration in state["vibrations"]:
            assert vibration["velocity_rms"] is None or -LATENESS <= state["time"] - vibration["time"] <= 2.1


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_the_state_of_yesterday_is_there_at_once(site: Site) -> None:
    site.well()
    first = next(state for state in site.page.since(0) if state["tools"])
    assert {tool["word"] for tool in first["tools"]} == {"PROVISIONAL"}
    assert min(tool["n"] for tool in first["tools"]) >= 5
    statuses = site.statuses()
    assert (statuses[0]["coverage"], statuses[0]["reason"]) == ("LOST", "starting")


@pytest.mark.parametrize("fault", ["silence", "cable_cut"])
def test_the_drive_says_nothing_more(site: Site, fault: str) -> None:
    mark = site.well()
    told = len(site.statuses())
    assert site.plant.shop.ask(fault=fault, link="rtu", seconds=3)["ok"]
    lost = site.page.covered("LOST", since=mark)
    assert lost["coverage"]["reason"] == "no_signal"
    assert load(lost) is None
    since = last_reading(site.page.since(mark))
    assert lost["coverage"]["time"] - since <= LOST_WITHIN
    site.listener.wait(lambda m: any(s["coverage"] == "LOST" for s in site.statuses()[told:]), "status LOST")
    status = next(s for s in site.statuses()[told:] if s["coverage"] == "LOST")
    assert moment(status["ts"]) - since <= LOST_WITHIN + 1.0
    assert status["sources"]["drive"] == "lost"
    site.well()
    site.listener.wait(lambda m: site.statuses()[-1]["coverage"] in WELL, "status well again")
    never_live_without_a_reading(site.page.since(mark))


def test_the_control_says_nothing_more(site: Site) -> None:
    mark = site.well()
    alerts = site.alerts()
    told = len(site.statuses())
    assert site.plant.shop.ask(fault="cable_cut", link="tcp", seconds=8)["ok"]
    site.page.wait(lambda s: s["values"]["tool"] is None, "no tool known", since=mark)
    site.page.covered("LOST", "HOLD", since=mark)
    site.listener.wait(lambda m: any(s["sources"].get("lathe") == "lost" for s in site.statuses()[told:]), "status: lathe lost")
    site.page.wait(lambda s: s["values"]["tool"] is not None, "the tool is known again", since=site.page.now)
    gone = None
    for state in site.page.since(mark):
        if state["values"]["tool"] is None:
            gone = state["time"] if gone is None else gone
            assert state["coverage"]["word"] in ("LOST", "HOLD") or state["time"] - gone <= LOOK
    after = site.well()
    site.page.wait(lambda s: s["context"]["part"] >= _part(site, after) + 2, "the next whole part", since=after)
    assert site.alerts() == alerts


def _part(site: Site, mark: int) -> int:
    return int(site.page.since(mark - 1)[0]["context"]["part"])


def test_the_vibration_sensor_is_pulled_out(site: Site) -> None:
    mark = site.well()
    assert site.plant.shop.ask(fault="cable_cut", link="vibration", unplug=True, seconds=3)["ok"]
    site.page.wait(lambda s: s["vibrations"][0]["velocity_rms"] is None, "no vibration", since=mark)
    site.well()
    never_live_without_a_reading(site.page.since(mark))


def test_the_devices_are_killed_and_come_back(site: Site) -> None:
    mark = site.well()
    site.plant.kill()
    lost = site.page.covered("LOST", since=mark)
    assert lost["coverage"]["time"] - last_reading(site.page.since(mark)) <= LOST_WITHIN
    site.listener.wait(lambda m: site.statuses()[-1]["coverage"] == "LOST", "status LOST")
    site.plant.start()
    site.well()
    never_live_without_a_reading(site.page.since(mark))
    site.listener.wait(lambda m: site.statuses()[-1]["coverage"] in WELL, "status well again")


def test_the_machine_is_switched_off_and_on(site: Site) -> None:
    mark = site.well()
    alerts = site.alerts()
    assert site.plant.shop.ask(fault="power_off", manner="announced")["ok"]
    site.page.covered("OFF", since=mark)
    site.page.wait(lambda s: load(s) is None, "no load", since=mark)
    site.listener.wait(lambda m: site.statuses()[-1]["sources"].get("drive") == "lost", "the drive is off")
    assert site.plant.shop.ask(fault="power_off", end=True)["ok"]
    site.well()
    states = site.page.since(mark)
    begun = next(i for i, state in enumerate(states) if state["coverage"]["word"] == "OFF")
    assert "OFF" in {state["coverage"]["word"] for state in states[begun:]}
    assert site.alerts() == alerts
    never_live_without_a_reading(states)


def test_the_agent_is_frozen_for_a_while(site: Site) -> None:
    mark = site.well()
    alerts = site.alerts()
    site.agent.child.send_signal(signal.SIGSTOP)
    threading.Event().wait(4.0)  # a whole cut passes unseen; nothing can be waited for, for nobody says anything
    site.agent.child.send_signal(signal.SIGCONT)
    after = site.well()
    site.page.wait(lambda s: s["context"]["part"] >= _part(site, after) + 2, "the next whole part", since=after)
    assert site.alerts() == alerts
    never_live_without_a_reading(site.page.since(mark))


def test_two_agents_do_not_share_a_folder(site: Site) -> None:
    with site.plant.agent() as second:
        assert second.end() == 2
        assert second.lines[-1].startswith("broche: another Broche already uses")
        assert "--state" in second.lines[-1]
        assert not any("Traceback" in line for line in second.lines)
    site.well()


def test_the_port_of_the_page_is_taken(site: Site, tmp_path: Path) -> None:
    text = site.plant.machine.read_text(encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        machine = tmp_path / "machine.toml"
        machine.write_text(text.replace("port = 0\nbind", f"port = {port}\nbind"), encoding="utf-8")
        with AgentProcess(machine, tmp_path / "state") as second:
            assert second.end() == 2
    assert str(port) in second.lines[-1]
    assert not any("Traceback" in line for line in second.lines)


def test_nothing_was_ever_negative_and_every_message_has_its_own_number(site: Site) -> None:
    site.well()
    for _, state in site.page.states:
        assert state["counters"]["dropped"] >= 0
        for tool in state["tools"]:
            assert tool["cutting_time"] >= 0.0
    for beat in site.page.beats:
        assert beat["age"] is None or beat["age"] >= 0.0
    by_topic: dict[str, list[int]] = {}
    for topic, payload, _ in site.listener.messages:
        if payload and payload.get("state") != "offline":
            by_topic.setdefault(topic, []).append(payload["seq"])
    for topic, seqs in by_topic.items():
        assert seqs == sorted(set(seqs)), topic
    for cut in site.listener.of("/cut"):
        assert cut["duration_s"] > 0.0, cut
        assert moment(cut["opened"]) <= moment(cut["ts"])


def test_asked_to_end_it_ends_and_says_so(site: Site, broker: Mosquitto) -> None:
    site.well()
    assert site.agent.terminate() == 0
    site.listener.wait(lambda m: site.statuses()[-1]["state"] == "offline", "status offline")
    assert site.statuses()[-1]["reason"] == "stopped"
    late = Listener(broker.port)
    late.wait(lambda m: late.of("/status"), "retained status")
    assert late.of("/status")[0]["state"] == "offline"
    late.close()
    assert not any("Traceback" in line for line in site.agent.lines)


def alerts_of(listener: Listener) -> list[dict[str, Any]]:
    return [alert for alert in listener.of("/alert/") if alert is not None]


def changes(page: Page, since: int = 0) -> list[tuple[str, float, str]]:
    """What a page was shown of the alerts, each once: (id, time of the change, transition)."""
    seen: dict[tuple[str, float, str], None] = {}
    for state in page.since(since):
        for alert in state["alerts"]:
            seen[(alert["id"], round(alert["updated"], 3), alert["transition"])] = None
    return list(seen)


def arrived(alerts: list[dict[str, Any]]) -> list[tuple[str, float, str]]:
    return [(alert["id"], round(moment(alert["ts"]), 3), alert["transition"]) for alert in alerts]


@contextmanager
def broken_in(running: Plant, page: Page, tool: int) -> Iterator[dict[str, Any]]:
    """A tool breaks; the state in which the page shows it. The part that runs when an agent begins is not judged: it waits for the next."""
    begun = page.since(0)[-1]["context"]["part"]
    page.wait(lambda s: s["context"]["part"] > begun, "the next part")
    mark = page.now
    assert running.shop.ask(fault="break", tool=tool, at_s_in_cut=0.5)["ok"]
    yield page.wait(
        lambda s: any(a["tool"] == str(tool) and a["kind"] in ("breakage", "missing") for a in s["alerts"]), "breakage", since=mark
    )


def test_the_broker_is_gone_while_a_tool_breaks(tmp_path: Path, learned: Path) -> None:
    broker = Mosquitto(tmp_path, ["max_queued_messages 0"]).start()
    gate = Gate(broker.port)  # so that the subscriber is back before the agent is: nobody else can tell what was sent
    listener = Listener(broker.port)
    with plant(tmp_path, learned, gate.url) as running, running.agent() as agent, Page(agent.ready().port) as page:
        page.covered(*WELL)
        listener.wait(lambda m: listener.of("/status")[-1:] and listener.of("/status")[-1]["coverage"] in WELL, "connected")
        gate.shut()
        broker.kill()
        mark = page.now
        with broken_in(running, page, 4) as state:
            told = next(alert["id"] for alert in state["alerts"])
        threading.Event().wait(OUTAGE)
        assert alerts_of(listener) == []
        broker.start()
        listener.subscribed(2)
        shown = changes(page, mark)
        gate.open()
        listener.wait(lambda m: set(shown) <= set(arrived(alerts_of(listener))), "every alert", 60.0)
        alerts = [alert for alert in alerts_of(listener) if alert["id"] == told]
        assert alerts[0]["transition"] == "raised"
        assert alerts[0]["historical"] is True
        times = [moment(alert["ts"]) for alert in alerts]
        assert times == sorted(times)
        numbers = [alert["seq"] for alert in alerts]
        assert numbers == sorted(set(numbers))
        listener.wait(lambda m: any(listed["alert"] == told for listed in listener.of("/checklist/")), "its checklist")
        # What happens from now on is live again, and telemetry of the outage comes behind it, marked.
        listener.wait(lambda m: any(t["historical"] is False for t in listener.of("/telemetry")[-3:]), "live telemetry")
        listener.wait(lambda m: any(t["historical"] is True for t in listener.of("/telemetry")), "telemetry of the outage")
        assert agent.terminate() == 0
    listener.close()
    gate.close()
    broker.stop()


def test_the_agent_is_killed_right_after_an_alert(tmp_path: Path, learned: Path, broker: Mosquitto) -> None:
    """First when the page has just shown it, then while it is kept but cannot be published."""
    gate = Gate(broker.port)
    listener = Listener(broker.port)
    with plant(tmp_path, learned, gate.url) as running:
        seen: list[tuple[str, float, str]] = []
        learned_cuts = 0
        for tool, stalled in ((4, False), (1, True)):
            with running.agent() as agent, Page(agent.ready().port) as page:
                page.covered(*WELL)
                known = min(t["n"] for t in page.since(0)[-1]["tools"])
                assert known >= max(5, learned_cuts), "what was learned is not there"
                learned_cuts = known
                listener.wait(lambda m: listener.of("/status") and listener.of("/status")[-1]["state"] == "online", "online")
                if stalled:
                    gate.stall()
                with broken_in(running, page, tool):
                    agent.kill()
                seen += changes(page)
                gate.flow()
            listener.wait(lambda m: listener.of("/status")[-1]["state"] == "offline", "the will")
            assert listener.of("/status")[-1]["reason"] == "lost"
            assert listener.of("/status")[-1]["coverage"] == "LOST"
        with running.agent() as agent, Page(agent.ready().port) as page:
            page.covered(*WELL)
            listener.wait(lambda m: set(seen) <= set(arrived(alerts_of(listener))), "every alert that a page ever showed")
            first = next(state for state in page.since(0) if state["tools"])
            assert {a["id"] for a in first["alerts"]} >= {identity for identity, _, _ in seen}
            wanted = {identity for identity, _, _ in seen}
            listener.wait(lambda m: {listed["alert"] for listed in listener.of("/checklist/")} >= wanted, "their checklists")
            for tool in ("4", "1"):
                alerts = [alert for alert in alerts_of(listener) if alert["tool"] == tool]
                numbers = [alert["seq"] for alert in alerts]
                assert numbers == sorted(numbers)
                for before, after in pairwise(alerts):
                    # The broker had it, and the agent was killed before it knew: sent again under its number, and marked.
                    assert before["seq"] != after["seq"] or (after["historical"] and after | {"historical": before["historical"]} == before)
            assert agent.terminate() == 0
    listener.close()
    gate.close()


def test_a_tool_that_was_changed_stays_changed(tmp_path: Path, learned: Path, broker: Mosquitto) -> None:
    """What the operator was answered is kept, whatever happens next."""
    with plant(tmp_path, learned, broker.url) as running:
        with running.agent() as agent, Page(agent.ready().port) as page:
            page.covered(*WELL)
            answer = agent.post({"command": "tool_changed", "id": "1", "by": "Karim", "tool": "4"})
            agent.kill()
            assert answer["accepted"] is True
        with running.agent() as agent, Page(agent.ready().port) as page:
            first = page.wait(lambda s: s["tools"], "tools")
            cuts = {tool["tool"]: tool["cuts"] for tool in first["tools"]}
            assert cuts["4"] <= 1 < cuts["1"]


def mounting() -> list[str] | None:
    """How to run a command in which a tmpfs may be mounted: as root in a mount namespace of its own, or in a user namespace."""
    for way in (["unshare", "-m"], ["unshare", "-rm"]):
        try:
            if subprocess.run([*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, timeout=10.0).returncode == 0:
                return way
        except (OSError, subprocess.TimeoutExpired):
            continue
    return None


def test_the_disk_is_full(tmp_path: Path, learned: Path, broker: Mosquitto) -> None:
    way = mounting()
    if way is None:
        pytest.skip("needs tmpfs: neither root nor user namespaces")
    listener = Listener(broker.port)
    with plant(tmp_path, learned, broker.url) as running:
        script = 'cp -a "$1" "$1.kept" && mount -t tmpfs -o size=3m tmpfs "$1" && cp -a "$1.kept/." "$1" && shift && exec "$@"'
        with running.agent(before=[*way, "sh", "-c", script, "sh", str(running.state)]) as agent, Page(agent.ready().port) as page:
            page.covered(*WELL)
            ballast = Path(f"/proc/{agent.child.pid}/root{running.state}/ballast")
            _fill(ballast)
            with broken_in(running, page, 4) as state:
                identity = state["alerts"][0]["id"]
            said = lambda: [s for s in listener.of("/status") if s.get("store") == "disk_full"]  # noqa: E731
            listener.wait(lambda m: said(), "the status says that the disk is full", 60.0)
            mark = page.now
            page.wait(lambda s: s["coverage"]["word"] in WELL, "monitoring goes on", since=mark)
            page.installation(lambda line: line["facts"].get("trouble") == "disk_full", "the page says that the disk is full")
            ballast.unlink()
            listener.wait(lambda m: any(alert["id"] == identity for alert in alerts_of(listener)), "the alert", 60.0)
            listener.wait(lambda m: listener.of("/status")[-1].get("store") == "ok", "the status says that it is over", 60.0)
            assert agent.terminate() == 0
    listener.close()


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))
    except OSError:
        return


def test_the_folder_may_not_be_written(tmp_path: Path, learned: Path, broker: Mosquitto) -> None:
    """Put on a read-only file system it goes on with what it knows; where nothing can be made at all it says what to do."""
    with plant(tmp_path, learned, broker.url) as running:
        shutil.rmtree(running.state)
        running.state.mkdir(mode=0o555)
        with running.agent(preexec=obeys_modes) as agent:
            assert agent.end() == 2
            assert str(running.state) in agent.lines[-1]
            assert "--state" in agent.lines[-1]
            assert not any("Traceback" in line for line in agent.lines)
