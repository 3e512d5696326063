"""Commands over MQTT against a real broker: hostile ones, old ones, too many, and the good ones in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.commands import Acknowledge, CommandResult, TickStep
from tests.support.broker import Listener, Mosquitto, needs_mosquitto, wait_until
from tests.support.publishing import Make, listen, make, mosquitto

__all__ = ["listen", "make", "mosquitto"]

HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"acknowledge"',
    b'{"command":"acknowledge"}',
    b'{"command":"acknowledge","alert":7}',
    b'{"command":"acknowledge","alert":"a","evil":1}',
    b'{"command":"format_disk"}',
    b'{"command":"tick_step","checklist":"c","step":"s","result":"fine"}',
    b'{"command":"tool_changed","tool":{"a":1}}',
    b'{"command":"tool_changed","tool":"4","reason":"tired"}',
    b'{"command":"measure","tool":"4"}',
    b'{"command":"measure","tool":"4","vb":"0.2"}',
    b'{"command":"measure","tool":"4","vb":NaN}',
    b"\xff\xfe\x00\x01",
    b'{"command":"acknowledge","alert":"\xff"}',
    b'{"id":"deep","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
    b"[" * 4000,
    b"x" * 100_000,
    b'{"command":"acknowledge","alert":"a"',
    b'{"command":"acknowledge","alert":"a"}{}',
    b"NaN",
    b'{"id":1e999}',
]


@needs_mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_hostile_commands_are_answered_and_harm_nothing(
    protocol: str, mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]
) -> None:
    agent = make(mosquitto.url, commands=True, protocol=protocol)
    agent.connected()
    listener = listen(mosquitto.port, f"{agent.base}/command/result")
    kept = [payload for payload in HOSTILE if protocol == "3.1.1" or len(payload) < 65_000]
    for n, payload in enumerate(kept):
        listener.publish(f"{agent.base}/command", payload)
        listener.wait(lambda got, n=n: len(got) == n + 1, f"an answer to {payload[:50]!r}")
    if protocol == "5":
        # MQTT 5: we tell the broker the largest packet that we take, and it keeps the rest from us.
        listener.publish(f"{agent.base}/command", HOSTILE[15])
    answers = [m for _, m, _ in listener.messages]
    assert {m["accepted"] for m in answers} == {False}
    assert {m["reason"] for m in answers} <= {"not_understood", "too_large"}
    assert all(m["text"]["fr"] and m["text"]["en"] for m in answers)
    assert agent.commands == []
    listener.publish(f"{agent.base}/command", b'{"command":"acknowledge","alert":"a1","by":"Karim","id":"ok"}')
    wait_until(lambda: agent.commands, "a good command gets through")
    assert agent.commands == [Acknowledge(alert="a1", by="Karim", id="ok")]
    agent.publisher.answer(CommandResult(id="ok", accepted=True))
    listener.wait(lambda got: got and got[-1][1]["id"] == "ok" and got[-1][1]["accepted"], "its answer")
    assert agent.publisher.statistics().connections == 1


@needs_mosquitto
def test_a_retained_command_is_refused_and_an_old_one_never_comes(
    mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]
) -> None:
    agent = make(mosquitto.url, commands=True, started=False)
    listener = listen(mosquitto.port, f"{agent.base}/#")
    command = b'{"command":"tool_changed","tool":"4","id":"r"}'
    listener.publish(f"{agent.base}/command", command, retain=True)
    listener.wait(lambda got: len(got) == 1, "the broker has it")
    agent.publisher.start()
    listener.wait(lambda got: any("result" in t for t, _, _ in got), "the answer")
    assert [(m["id"], m["reason"]) for m in listener.of("/result")] == [("r", "retained")]
    assert agent.commands == []


@needs_mosquitto
def test_the_answer_goes_where_the_asker_wants_it_below_our_own_topic(
    mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]
) -> None:
    agent = make(mosquitto.url, commands=True)
    agent.connected()
    listener = listen(mosquitto.port, f"{agent.base}/command/result/#")
    elsewhere = listen(mosquitto.port, "elsewhere/#")
    for reply, body in (
        (f"{agent.base}/command/result/mes-1", b'{"command":"tick_step","checklist":"c","step":"s","result":"ok"}'),
        ("elsewhere/door", b'{"command":"tick_step","checklist":"c","step":"s2","result":"ok"}'),
    ):
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = reply
        properties.CorrelationData = b"17"
        listener.publish(f"{agent.base}/command", body, properties=properties)
    wait_until(lambda: len(agent.commands) == 2, "both commands")
    for command in agent.commands:
        assert isinstance(command, TickStep)
        assert command.id
        agent.publisher.answer(CommandResult(id=command.id, accepted=True))
    listener.wait(lambda got: len(got) == 2, "both answers")
    assert [topic for topic, _, _ in listener.messages] == [f"{agent.base}/command/result/mes-1", f"{agent.base}/command/result"]
    assert elsewhere.messages == []


@needs_mosquitto
def test_commands_are_not_even_heard_unless_allowed(mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]) -> None:
    agent = make(mosquitto.url, commands=False)
    agent.connected()
    listener = listen(mosquitto.port, f"{agent.base}/#")
    listener.publish(f"{agent.base}/command", b'{"command":"acknowledge","alert":"a1"}')
    listener.wait(lambda got: any(t.endswith("/command") for t, _, _ in got), "the broker has passed it on")
    agent.alert(1)
    listener.wait(lambda got: any("/alert/" in t for t, _, _ in got), "a round trip later")
    assert agent.commands == []
    assert listener.of("/result") == []


@needs_mosquitto
def test_a_flood_of_commands_is_told_to_wait(mosquitto: Mosquitto, make: Make, listen: Callable[..., Listener]) -> None:
    agent = make(mosquitto.url, commands=True)
    agent.connected()
    listener = listen(mosquitto.port, f"{agent.base}/command/result")
    for n in range(70):
        listener.publish(f"{agent.base}/command", b'{"command":"acknowledge","alert":"a","id":"%d"}' % n)
    listener.wait(lambda got: len(got) == 20, "refusals")
    assert {m["reason"] for _, m, _ in listener.messages} == {"busy"}
    assert len(agent.commands) == 50
