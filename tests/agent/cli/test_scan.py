"""`broche scan`: from a line or a host to a machine file that `broche check` accepts, and everything that stops it before."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.cli import CommandError, dispatch
from agent.cli._scan_file import _roles, found_lines, machine_file
from agent.cli.scan import _host, _listen
from agent.machine_file import load
from agent.paths import DataPaths
from agent.texts import LANGUAGES, Texts
from agent.texts.typeset import typeset
from drivers.devices import load_map
from drivers.options import BusOptions
from drivers.scan import Guess, Seen
from drivers.simulate.modbus import TcpRequests, tcp_frame
from tests.support.agent_process import environment
from tests.support.bad_device import crc
from tests.support.house import ROOT
from tests.support.ptys import Pty
from tests.support.relay import Relay, TcpRelay
from tests.support.shop import shop_process

SECONDS = 60.0
LOOKED = ("--yes-stopped", "--no-huanyang")
MAPS = {path.stem: load_map(path) for path in (ROOT / "config" / "devices").glob("*.toml")}


def words(*more: str) -> list[str]:
    return [sys.executable, "-P", "-m", "agent", "scan", *more]


def scan(*more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words(*more), env=environment(), cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
    )


@contextmanager
def silent_host() -> Iterator[str]:
    """Takes every connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


# ------------------------------------------------------------------ found
def test_a_line_is_listened_to_asked_and_written_down(tmp_path: Path) -> None:
    """The shop's drive at unit 2 of a pty. A pty has no rate and no parity: that other settings are silent cannot be shown here."""
    (tmp_path / "devices").mkdir()
    text = (ROOT / "config" / "devices" / "simulated_drive.toml").read_text(encoding="utf-8")
    tests = 'tests = [{ register = "load", min = -400, max = 400 }, { register = "speed", min = -6000, max = 6000 }]'
    own = text.replace('name = "simulated_drive"', 'name = "own_drive"').replace("[[registers]]", f"[identify]\n{tests}\n[[registers]]", 1)
    (tmp_path / "devices" / "own_drive.toml").write_text(own, encoding="utf-8")
    out = tmp_path / "lathe.toml"
    with shop_process("--faults", "none", "--seed", "3") as shop:
        port = shop.ready["rtu"]["port"]
        done = scan(
            port, "--bauds", "9600", "--parities", "N", "--units", "2", "--timeout", "2", "--out", str(out), "--lang", "fr", *LOOKED
        )
    assert done.returncode == 0, done.stderr
    assert "personne ne parle sur cette ligne" in done.stderr
    assert re.search(r"drive 9600 8N1 rtu, unité 2 : probablement own_drive", done.stdout.replace("\u00a0", " "))
    written = out.read_text(encoding="utf-8")
    assert "Un début, pas la vérité" in written
    file = load(out)
    assert {channel.role for channel in file.settings.channel} == {"spindle.load", "spindle.speed"}
    (source,) = file.settings.source
    assert (source.device, source.address) == ("own_drive", 2)
    assert file.settings.bus[0].port == port


def test_a_host_is_asked_and_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "lathe.toml"
    with TcpRelay() as relay:
        where = f"127.0.0.1:{relay.port}"
        done = scan(where, "--out", str(out), "--timeout", "2", "--lang", "en", *LOOKED)
        assert done.returncode == 0, done.stderr
        assert "waveshare_relay" in done.stdout
        assert "units 0, 255, 247 answer the same" in done.stdout
        asked = len(relay.asked)
        before = out.read_bytes()
        again = scan(where, "--out", str(out), "--lang", "en", *LOOKED)
        assert (again.returncode, len(relay.asked)) == (2, asked)
        assert "is not overwritten" in again.stderr
        assert out.read_bytes() == before
        assert relay.writes() == []
    assert load(out).settings.bus[0].host == "127.0.0.1"


# ------------------------------------------------------------------ refused
def test_a_line_on_which_another_master_talks_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    say = Texts.load(DataPaths((ROOT / "config",)), "en").say
    with Pty(tmp_path / "line") as line:
        way = BusOptions(name="line", framing="rtu", port=str(line.path), baud=19200, parity="N")
        assert _listen(argparse.Namespace(listen=0.1), [way], say) == ""
        ended = threading.Event()
        question = bytes.fromhex("02 03 0000 0003")

        def master() -> None:
            while not ended.is_set():
                with contextlib.suppress(BlockingIOError):  # nobody listens yet
                    os.write(line.fd, question + crc(question))
                ended.wait(0.02)

        thread = threading.Thread(target=master)
        thread.start()
        try:
            said = _listen(argparse.Namespace(listen=30.0), [way], say)
        finally:
            ended.set()
            thread.join()
        with pytest.raises(BlockingIOError):
            os.read(line.fd, 1)
    assert "another master talks on this line at 19200 baud (unit/function asked: 2/3)" in said


def test_without_a_terminal_somebody_must_have_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("stopped\nnone\n"))
    with TcpRelay() as relay:
        for given in (LOOKED[:1], LOOKED[1:]):
            with pytest.raises(CommandError, match="--yes-stopped"):
                dispatch(["scan", f"127.0.0.1:{relay.port}", "--lang", "en", *given])
        assert relay.asked == []


@pytest.mark.parametrize(("typed", "status"), [(("arretee", "oui"), 2), (("Arrêtée", "AUCUN"), 0)])
def test_on_a_terminal_the_words_are_typed(typed: tuple[str, str], status: int) -> None:
    master, slave = pty.openpty()
    with TcpRelay() as relay:
        child = subprocess.Popen(
            words(f"127.0.0.1:{relay.port}", "--lang", "fr", "--units", "1", "--timeout", "2"),
            env=environment(),
            cwd="/",
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(slave)
        with child:
            os.write(master, "".join(f"{word}\n" for word in typed).encode())
            _, errors = child.communicate(timeout=SECONDS)
        assert child.returncode == status, errors
        assert "Huanyang" in errors
        assert bool(relay.asked) == (status == 0)
    os.close(master)


def test_ctrl_c_ends_between_two_questions_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "lathe.toml"
    with silent_host() as where:
        call = words(where, "--units", "1-200", "--out", str(out), "--lang", "en", *LOOKED)
        with subprocess.Popen(call, env=environment(), cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stderr is not None
            said = ""
            while "unit 1: 0 of 200" not in said:
                line = child.stderr.readline()
                assert line, said
                said += line
            child.send_signal(signal.SIGINT)
            _, rest = child.communicate(timeout=SECONDS)
    assert child.returncode == 130
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert not out.exists()


def test_nobody_and_what_cannot_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with silent_host() as where:
        assert dispatch(["scan", where, "--units", "1", "--timeout", "0.1", "--lang", "en", *LOOKED]) == 1
    assert "nobody answered" in capsys.readouterr().err
    line = tmp_path / "line"
    line.touch()
    for given, said in (
        ((), "which bus?"),
        (("/dev/none",), "there is no port"),
        (("host:port",), "neither a serial port"),
        (("127.0.0.1:1", "--units", "3-1"), "is not understood"),
        (("127.0.0.1:1", "--units", "300"), "is not understood"),
        (("127.0.0.1:1", "--timeout", "9"), "--timeout"),
        (("127.0.0.1:1", "--out", str(tmp_path / "none" / "x.toml")), "there is no folder"),
        (("127.0.0.1:1", *LOOKED), "Nobody accepts the connection"),
        ((str(line), "--listen", "1"), "at least 5 seconds"),
        ((str(line), "--parities", "X"), "is not understood"),
    ):
        with pytest.raises(CommandError, match=re.escape(said)):
            dispatch(["scan", *given, "--lang", "en"])


@contextmanager
def dying_host(last: int) -> Iterator[str]:
    """Answers as a relay module does, until it is asked as unit `last`: then nobody is there any more."""
    relay = Relay()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)

        def serve() -> None:
            requests = TcpRequests()
            client, _ = server.accept()
            with client:
                while data := client.recv(4096):
                    for transaction, unit, pdu in requests.feed(data):
                        if unit == last:
                            server.close()
                            return
                        client.sendall(tcp_frame(transaction, unit, relay.answer(unit, pdu)))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(SECONDS)


def test_what_was_found_before_the_link_was_lost_is_told_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "lathe.toml"
    with dying_host(9) as where, pytest.raises(CommandError, match=r"lost before all were asked.*Nobody accepts the connection"):
        dispatch(["scan", where, "--units", "1,9,10", "--timeout", "2", "--out", str(out), "--lang", "en", *LOOKED])
    assert re.search(r"unit 1: .*waveshare_relay", capsys.readouterr().out)
    assert load(out).settings.bus[0].host == "127.0.0.1"
    assert "# Unit 1 is one of these" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("where", "host", "port"),
    [
        ("192.168.0.10", "192.168.0.10", 502),
        ("tcp://gateway:1502", "gateway", 1502),
        ("[::1]", "::1", 502),
        ("[fe80::1]:1502", "fe80::1", 1502),
    ],
)
def test_a_host_and_its_port(where: str, host: str, port: int) -> None:
    way = _host(where, 1.0, Texts.load(DataPaths((ROOT / "config",)), "en").say)
    assert (way.host, way.port) == (host, port)


@pytest.mark.parametrize("where", ["::1", "fe80::1", "a:b:502"])
def test_an_address_of_colons_stands_in_brackets(where: str) -> None:
    for language, said in (("en", "in square brackets"), ("fr", "entre crochets")):
        with pytest.raises(CommandError, match=rf"{said}.*\[::1\]:502"):
            _host(where, 1.0, Texts.load(DataPaths((ROOT / "config",)), language).say)


@pytest.mark.parametrize("where", ["[::1", "[::1]502", "[]:502", "host:", ":502", "host:0"])
def test_what_is_no_host(where: str) -> None:
    with pytest.raises(CommandError, match="neither a serial port"):
        _host(where, 1.0, Texts.load(DataPaths((ROOT / "config",)), "en").say)


# ------------------------------------------------------------------ the file
LINE = BusOptions(name="line", framing="rtu", port='/dev/serial/by-id/usb-"odd"', baud=19200, parity="E", stopbits=2)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_map_gives_a_machine_file_that_is_right(language: str, tmp_path: Path) -> None:
    say = Texts.load(DataPaths((ROOT / "config",)), "fr" if language == "fr" else "en").say
    asked = sorted(name for name, device in MAPS.items() if device.identify is not None and not device.reading_writes)
    assert len(asked) > 15
    seen = [Seen(LINE, unit, (Guess(name, unit % 2 == 0),), {}) for unit, name in enumerate(asked, 1)]
    seen += [Seen(LINE, 100, (Guess(asked[0], True),), {}), Seen(LINE, 101, (), {})]
    seen.append(Seen(LINE, 102, (Guess(asked[1], False), Guess(asked[2], False)), {}))
    path = tmp_path / "machine.toml"
    path.write_text(machine_file(seen, MAPS, "/dev/x", 1.8e9, language, say), encoding="utf-8")
    file = load(path)
    assert [source.device for source in file.settings.source] == [*asked, asked[0]]
    assert len({source.name for source in file.settings.source}) == len(asked) + 1
    roles = [channel.role for channel in file.settings.channel]
    assert roles.count("spindle.load") == 1
    assert file.settings.bus[0].port == LINE.port
    assert file.settings.bus[0].stopbits == 2
    lines = found_lines(seen, say)
    assert len(lines) == len(seen)
    assert asked[2] in lines[-1]
    drive = next(MAPS[name] for name in asked if MAPS[name].cautions)
    comments = path.read_text(encoding="utf-8").splitlines()
    said = {code: typeset(drive.cautions[0].said(code), code) for code in LANGUAGES}
    assert [code for code in LANGUAGES if f"# {said[code]}" in comments] == [language]


def test_one_drive_is_the_spindle_and_the_file_of_a_crowded_line_is_accepted(tmp_path: Path) -> None:
    """Eight drives at 9600 baud whose temperature is read ask for more than the line carries: what is written is what it carries."""
    say = Texts.load(DataPaths((ROOT / "config",)), "en").say
    line = BusOptions(name="line", framing="rtu", port="/dev/serial/by-id/usb-x", baud=9600, parity="E")
    drives = [name for name in sorted(MAPS) if MAPS[name].kind == "drive" and MAPS[name].identify and not MAPS[name].reading_writes]
    warm = next(name for name in drives if "temperature" in _roles(MAPS[name]))
    loaded = next(name for name in drives if "speed" not in _roles(MAPS[name]))
    other = next(name for name in drives if set(_roles(MAPS[name]).values()) >= {"spindle.load", "spindle.speed"})
    path = tmp_path / "machine.toml"

    def made(*names: str) -> str:
        path.write_text(
            machine_file([Seen(line, unit, (Guess(name, True),), {}) for unit, name in enumerate(names, 1)], MAPS, "x", 1.8e9, "en", say),
            encoding="utf-8",
        )
        return path.read_text(encoding="utf-8")

    made(loaded, other)
    spindle = [channel.source.partition(".")[0] for channel in load(path).settings.channel if channel.role.startswith("spindle.")]
    assert spindle == [loaded]
    assert "slowed down" not in path.read_text(encoding="utf-8"), "one of two drives is read"
    text = made(*[warm] * 8)
    file = load(path)
    assert not {warning.code for warning in file.warnings} & {"bus_full", "bus_tight"}
    assert text.count("slowed down to what this line carries") == len([source for source in file.settings.source if source.every > 0.1]) > 0
