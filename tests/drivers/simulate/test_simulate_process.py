"""The shop as a process of its own, read by a real pymodbus client over real wires."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

from drivers.simulate.__main__ import main
from tests.support.shop import SECONDS, shop_process


def test_pymodbus_reads_the_machine_and_the_drive() -> None:
    async def check(ready: dict) -> None:  # type: ignore[type-arg]
        tcp = AsyncModbusTcpClient(ready["tcp"]["host"], port=ready["tcp"]["port"], retries=0)
        rtu = AsyncModbusSerialClient(ready["rtu"]["port"], framer=FramerType.RTU, baudrate=19200, parity=ready["rtu"]["parity"], retries=0)
        assert await tcp.connect()
        assert await rtu.connect()
        machine = await tcp.read_holding_registers(0, count=32, device_id=1)
        assert machine.registers[6] == 4711
        assert (await tcp.read_input_registers(7, count=1, device_id=1)).registers[0] in {1, 2, 4}
        assert (await tcp.read_coils(0, count=4, device_id=1)).bits[0] is True
        assert (await tcp.write_register(0, 1, device_id=1)).exception_code == 1
        for _ in range(20):
            assert len((await rtu.read_holding_registers(0, count=3, device_id=2)).registers) == 3
        tcp.close()
        rtu.close()

    with shop_process("--seed", "3") as shop:
        assert shop.ready["pid"] == shop.child.pid
        asyncio.run(check(shop.ready))
        assert shop.end() == 0


def test_faults_on_stdin_are_answered_and_eof_ends_it_all() -> None:
    with shop_process("--script", "demo") as shop:
        folder = Path(shop.ready["rtu"]["port"]).parent
        assert folder.is_dir()
        assert shop.ask(fault="material", factor=1.1)["ok"] is True
        assert shop.ask(fault="material", factor=-1)["error"] == "not_understood"
        assert shop.ask(query="state")["state"]["program"] == 4711
        assert shop.end() == 0
        assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_nothing_behind(number: signal.Signals) -> None:
    with shop_process() as shop:
        folder = Path(shop.ready["vibration"]["port"]).parent
        shop.child.send_signal(number)
        assert shop.child.wait(SECONDS) == 0
        assert not folder.exists()


def test_it_ends_when_nobody_listens_to_it_any_more() -> None:
    with shop_process() as shop:
        assert shop.child.stdout is not None
        assert shop.child.stdin is not None
        shop.child.stdout.close()
        shop.child.stdin.write('{"query":"state"}\n')
        shop.child.stdin.flush()
        assert shop.child.wait(SECONDS) == 0


def test_a_refused_start_says_why_in_both_languages() -> None:
    with shop_process("--speed", "3", "--lang", "fr") as shop:
        assert (shop.ready["ok"], shop.ready["error"], set(shop.ready["text"])) == (False, "too_fast", {"fr", "en"})
        assert shop.child.wait(SECONDS) == 2
        assert shop.child.stderr is not None
        said = shop.child.stderr.read()
        assert "--speed 2.5 ou moins" in said
        assert said.strip() == shop.ready["text"]["fr"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--script", "nowhere.json"], "script"),
        (["--script", "[{]"], "script"),
        (["--script", '[{"fault":"break","tool":9}]'], "tool"),
        (["--cycle", "hahn", "--script", "demo"], "tool"),
        (["--faults", "[1]"], "script"),
        (["--speed", "5"], "speed"),
        (["--cycle", "hahn", "--poll", "0.1"], "slow_poll"),
        (["--port", "1", "--host", "192.0.2.1"], "port"),
    ],
)
def test_refusals(arguments: list[str], error: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(arguments) == 2
    out, err = capfdbinary.readouterr()
    assert json.loads(out)["error"] == error
    assert err.count(b"\n") == 1
    assert b"Traceback" not in err


def test_a_port_that_is_taken_is_said(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with shop_process() as shop:
        assert main(["--port", str(shop.ready["tcp"]["port"])]) == 2
        assert json.loads(capfdbinary.readouterr().out)["error"] == "port"
        assert shop.end() == 0


@pytest.mark.parametrize(("language", "word"), [("fr", "graine"), ("en", "seed")])
def test_help_teaches_in_both_languages(language: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--lang", language, "--help"])
    assert ended.value.code == 0
    assert word in capsys.readouterr().out


def test_language_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setitem(os.environ, "LANG", "fr_FR.UTF-8")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "tour simulé" in capsys.readouterr().out
