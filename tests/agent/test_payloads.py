"""What goes over MQTT: golden cases (tests/golden/payloads), what is never said, and docs/topics.md shows nothing but these.

`BROCHE_UPDATE_GOLDEN=1 pytest tests/agent/test_payloads.py` writes expected.json and the examples of docs/topics.md anew: read the diff.
"""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.commands import CommandResult
from agent.model import Alert, Checklist, Coverage, Cut, Snapshot, Word
from agent.outbox import Row, finish
from agent.paths import DataPaths
from agent.publish import payloads
from agent.publish.payloads import Status
from agent.publish.topics import Topics, level
from agent.publish.words import CONTROLLER_MODE, EXECUTION, condition, condition_class, word
from agent.realised import Realised
from agent.settings import MachineOptions, ToolOptions
from agent.texts import Texts
from drivers.model import Quality
from tests.support import keeping, snapshots

HOUSE = Path(__file__).resolve().parents[2]
CASES = HOUSE / "tests" / "golden" / "payloads"
PAGE = HOUSE / "docs" / "topics.md"
UPDATE = bool(os.environ.get("BROCHE_UPDATE_GOLDEN"))
TOPICS = Topics.of("broche", MachineOptions(name="Tour 03", site="Atelier", area="tournage"))
TOOLS = (ToolOptions(number=4, name="ébauche", name_en="roughing"),)
NOW = 1795413600.0
"""2026-11-23T06:00:00Z"""


def made(noun: str, value: Any) -> dict[str, Any]:
    """The message of one golden input: topic, retain, and the payload as it is sent."""
    texts = keeping.texts()
    if noun == "status":
        body = payloads.status(msgspec.convert(value, Status), NOW, "Tour 03", "0.1.0", 3, texts)
        return {"topic": TOPICS.status, "retain": True, "payload": json.loads(body[:-1] + b',"seq":41,"historical":false}')}
    if noun == "offline":
        at = None if value == "lost" else NOW
        body = payloads.offline(value, at, NOW - 3600.0, "Tour 03", "0.1.0", 3, texts)
        return {"topic": TOPICS.status, "retain": True, "payload": json.loads(body[:-1] + b',"seq":41,"historical":false}')}
    if noun == "result":
        body = payloads.result(msgspec.convert(value, CommandResult), NOW, texts)
        return {"topic": TOPICS.result, "retain": False, "payload": json.loads(body[:-1] + b',"seq":41,"historical":false}')}
    if noun == "telemetry":
        message = payloads.telemetry(msgspec.convert(value, Snapshot), TOPICS)
    else:
        event = msgspec.convert(value, {"alert": Alert, "checklist": Checklist, "cut": Cut}[noun])
        found = payloads.of_event(event, TOPICS, texts, TOOLS, {"load": "%"})
        assert found is not None
        message = found
    assert message.qos == 1
    return {"topic": message.topic, "retain": message.retain, "payload": json.loads(finish(Row(42, message), 0))}


@pytest.mark.parametrize("case", sorted(p.name for p in CASES.iterdir()) if CASES.is_dir() else [])
def test_golden(case: str) -> None:
    given = json.loads((CASES / case / "input.json").read_text())
    got = made(given["noun"], given["value"])
    path = CASES / case / "expected.json"
    if UPDATE:
        path.write_text(json.dumps(got, indent=2, ensure_ascii=False) + "\n")
    assert got == json.loads(path.read_text())


def test_the_page_on_topics_shows_the_golden_messages() -> None:
    """Each example in docs/topics.md stands below a comment `<!-- golden: CASE -->`; every case is shown."""
    text = PAGE.read_text()

    def example(found: re.Match[str]) -> str:
        expected = json.loads((CASES / found[1] / "expected.json").read_text())
        return f"<!-- golden: {found[1]} -->\n```json\n{json.dumps(expected['payload'], indent=2, ensure_ascii=False)}\n```"

    pattern = re.compile(r"<!-- golden: (\S+) -->\n```json\n.*?\n```", re.DOTALL)
    wanted = pattern.sub(example, text)
    if UPDATE:
        PAGE.write_text(wanted)
        text = wanted
    assert text == wanted
    assert set(pattern.findall(text)) == {p.name for p in CASES.iterdir()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, 1),
        (0.123456789, 0.123457),
        (1234567.8, 1234570),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (None, None),
        (5e-324, 5e-324),
    ],
)
def test_a_figure_is_a_number_or_null(value: float | None, expected: float | None) -> None:
    got = payloads.figure(value)
    assert got == expected


def test_what_is_not_believed_is_null() -> None:
    now = NOW
    spindle = msgspec.structs.replace(snapshots.spindle(now), load=46.0, load_quality=int(Quality.UNAVAILABLE))
    vibration = msgspec.structs.replace(snapshots.vibration(now), quality=int(Quality.BAD))
    doubtful = msgspec.structs.replace(snapshots.vibration(now), channel="other", validity="rate_low")
    snapshot = snapshots.snapshot(now, spindles=[spindle], vibrations=[vibration, doubtful])
    snapshot = msgspec.structs.replace(snapshot, values={"a": None, "b": math.nan, "c": "OPEN", "d": 2.5})
    out = json.loads(payloads.telemetry(snapshot, TOPICS).payload)
    assert [out[key] for key in ("S1.load", "S1.idle", "vibration.velocity_rms", "other.kurtosis", "a", "b", "c", "d")] == [
        None, None, None, None, None, None, "OPEN", 2.5,
    ]  # fmt: skip
    assert out["S1.cutting"] is None


def test_telemetry_is_flat_and_a_channel_cannot_take_the_place_of_a_key() -> None:
    snapshot = msgspec.structs.replace(snapshots.snapshot(NOW), values={"ts": 1.0, "coverage": "ALL WELL", "S1.load": 0.0})
    out = json.loads(payloads.telemetry(snapshot, TOPICS).payload)
    assert all(value is None or isinstance(value, (int, float, str, bool)) for value in out.values())
    assert out["coverage"] == "MONITORING"
    assert out["ts"] == "2026-11-23T06:00:00.000Z"
    assert out["S1.load"] == 36.2


def test_every_number_of_the_telemetry_has_its_unit() -> None:
    snapshot = snapshots.snapshot(NOW)
    units = payloads.units(snapshot, {"air_pressure": "bar", "spindle_temperature": "°C"})
    out = json.loads(payloads.telemetry(snapshot, TOPICS).payload)
    bare = (
        {"part"} | {f"T{tool.tool}.wear" for tool in snapshot.tools} | {"vibration.crest", "vibration.kurtosis", "vibration.lost_samples"}
    )
    assert {key for key, value in out.items() if type(value) in (int, float)} - bare <= set(units)


def test_a_coverage_that_is_not_known_is_lost() -> None:
    body = json.loads(payloads.status(Status(), NOW, "m", "0", 1, keeping.texts()))
    assert (body["coverage"], body["reason"]) == ("LOST", "starting")


def test_a_status_differs_by_what_it_tells_and_not_by_its_time() -> None:
    cover = Coverage(time=1.0, scope="machine", word=Word.LEARNING, n=1, of=5)
    status = Status(coverage=cover, sources={"bus": "ok"})
    assert not Status(coverage=msgspec.structs.replace(cover, time=2.0), sources={"bus": "ok"}, drift=0.3).differs(status)
    assert Status(coverage=msgspec.structs.replace(cover, n=2), sources={"bus": "ok"}).differs(status)
    assert Status(coverage=cover, sources={"bus": "lost"}).differs(status)
    assert Status(coverage=cover, sources={"bus": "ok"}, store="disk_full").differs(status)
    assert Status(coverage=cover, sources={"bus": "ok"}, dropped=1).differs(status)
    known = Status(coverage=cover, sources={"bus": "ok"}, realised=Realised(hours=1.0, raised=1))
    assert known.differs(status)
    assert not msgspec.structs.replace(known, realised=Realised(hours=2.0, raised=1)).differs(known), "hours pass all the time"
    assert msgspec.structs.replace(known, realised=Realised(hours=1.0, raised=1, judged_false=1)).differs(known)


def test_a_status_tells_what_the_calculations_could_not_take() -> None:
    assert json.loads(payloads.status(Status(dropped=4), NOW, "m", "0", 1, keeping.texts()))["dropped"] == 4


def test_only_what_an_event_has_to_say_becomes_a_message() -> None:
    assert payloads.of_event(keeping.finding(), TOPICS, keeping.texts()) is None
    assert payloads.of_event(msgspec.structs.replace(keeping.cut(), phase="grown"), TOPICS, keeping.texts()) is None


def test_what_is_over_may_be_forgotten_by_the_broker_and_nothing_else() -> None:
    texts = keeping.texts()
    assert payloads.alert(keeping.alert(), TOPICS, texts).expiry == 0.0
    assert payloads.alert(keeping.alert(state="cleared"), TOPICS, texts).expiry == payloads.KEPT
    assert payloads.checklist(keeping.checklist(), TOPICS, texts).expiry == 0.0
    assert payloads.checklist(keeping.checklist(done=True), TOPICS, texts).expiry == payloads.KEPT


def test_topics_are_plain_and_at_a_fixed_depth() -> None:
    assert TOPICS.base == "broche/atelier/tournage/tour-03"
    assert TOPICS.alert("2026/#+ é") == "broche/atelier/tournage/tour-03/alert/2026-"
    assert Topics.of("/Acme/Lyon Sud/", MachineOptions(name="$SYS/+/#")).base == "acme/lyon-sud/site/area/sys"
    assert level("Tour n° 3 / Usinage") == "tour-n-3-usinage"
    assert level("日本") == "-"


def test_words_are_those_of_the_standards() -> None:
    assert word("feed hold", EXECUTION) == "FEED_HOLD"
    assert word("", EXECUTION) == word("DANCING", EXECUTION) == "UNAVAILABLE"
    assert word("manual-data-input", CONTROLLER_MODE) == "MANUAL_DATA_INPUT"
    assert [condition(keeping.alert(kind=kind)) for kind in ("wear", "breakage", "sensor")] == ["Warning", "Fault", "Unavailable"]
    assert condition(keeping.alert(state="cleared", kind="breakage")) == "Normal"
    assert condition_class(keeping.alert(kind="breakage")) == "ToolBreakageConditionClassType"
    assert condition_class(keeping.alert(kind="process")) == ""


def test_the_shipped_catalogues_have_a_sentence_for_everything_that_is_sent() -> None:
    paths = DataPaths.find(None)
    texts: payloads.Catalogues = {"fr": Texts.load(paths, "fr"), "en": Texts.load(paths, "en")}
    said = [payloads.offline(reason, None, NOW, "m", "0", 1, texts) for reason in ("stopped", "lost")]
    said += [payloads.status(Status(), NOW, "m", "0", 1, texts)]
    for name in Word:
        said.append(payloads.status(Status(coverage=Coverage(time=NOW, scope="machine", word=name, n=2, of=5)), NOW, "m", "0", 1, texts))
    for reason in ("not_understood", "retained", "too_large", "busy", "expired", "not_allowed"):
        said.append(payloads.result(CommandResult(id="1", accepted=False, reason=reason), NOW, texts))
    said += [payloads.alert(keeping.alert(kind=kind), TOPICS, texts, TOOLS).payload for kind in ("wear", "breakage")]
    assert not [text for text in said if b'"[' in text or b"[mqtt" in text or b"[reason" in text or b"[refusal" in text]
    keys = [f"mqtt.problem.{key}" for key in (*PROBLEMS, "closed")] + [f"store.{kind}" for kind in TROUBLES]
    assert [key for key in keys for catalogue in texts.values() if not catalogue.has(key)] == []


PROBLEMS = ("unreachable", "unknown_host", "credentials", "not_authorised", "protocol", "taken_over", "silent", "quota", "refused")
TROUBLES = ["disk_full", "read_only", "corrupt", "io", "in_use", "newer"]
