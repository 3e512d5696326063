"""Which checklist goes with which alert, what ships, and what a shop's own file may and may not say."""

from __future__ import annotations

import re
import tomllib
import typing
from pathlib import Path

import pytest

from agent.maintenance import MaintenancePlan, PlanError, plan
from agent.model import Alert, Evidence, Kind, Word
from agent.paths import DataMissing, DataPaths
from agent.texts import LANGUAGES, Texts
from tests.support.house import ROOT

SHIPPED = ROOT / "config" / "checklists"


@pytest.fixture(scope="module")
def shipped() -> MaintenancePlan:
    return plan(DataPaths.find(None))


def alert(kind: Kind, **evidence: float | str | bool) -> Alert:
    return Alert(
        id="S1-7",
        kind=kind,
        severity="warning",
        state="active",
        returned=False,
        raised=5.0,
        updated=5.0,
        transition="raised",
        channel="load",
        spindle="S1",
        operation="S1/4711/r1/T4/2",
        tool="4",
        score=1.0,
        threshold=1.0,
        count=1,
        evidence=typing.cast("Evidence", evidence),
        checklist="",
    )


# ------------------------------------------------------------------ which tree
@pytest.mark.parametrize(
    ("kind", "evidence", "tree"),
    [
        ("wear", {}, "T01"),
        ("process", {"change_pct": 12.0}, "T02"),
        ("process", {"sudden": True}, "T16"),
        ("breakage", {}, "T03"),
        ("missing", {"absent": True}, "T03"),
        ("overload", {}, "T04"),
        ("spindle", {"unit": "mm/s"}, "T05"),
        ("spindle", {"unit": "g"}, "T09"),
        ("spindle", {"unit": "°C"}, "T08"),
        ("spindle", {"indicator": "kurtosis"}, "T09"),
        ("chatter", {}, "T07"),
        ("sensor", {"reason": "no_signal"}, "T19"),
        ("drift", {}, "T10"),
        ("drift", {"indicator": "idle_power"}, "T12"),
    ],
)
def test_tree_of_an_alert(shipped: MaintenancePlan, kind: Kind, evidence: Evidence, tree: str) -> None:
    assert shipped.tree_for(kind, evidence) == tree


def test_every_kind_has_a_tree_whatever_its_evidence(shipped: MaintenancePlan) -> None:
    for kind in typing.get_args(Kind):
        assert shipped.tree_for(kind, {"unit": "furlong", "indicator": None}) in shipped.trees


def test_a_word_without_an_alert(shipped: MaintenancePlan) -> None:
    assert shipped.offered(Word.NOT_MONITORABLE) == "T13"
    assert shipped.offered(Word.LOST) == "T19"
    assert shipped.offered(Word.MONITORING) == ""


def test_open(shipped: MaintenancePlan) -> None:
    checklist = shipped.open(alert("wear"), 12.0)
    assert (checklist.alert, checklist.tree, checklist.level, checklist.safety) == ("S1-7", "T01", 1, "S1")
    assert (checklist.opened, checklist.done) == (12.0, False)
    assert checklist == shipped.open(alert("wear"), 12.0), "the same alert, the same checklist: also after a restart"
    assert [step.kind for step in checklist.steps] == ["safety", *["ask"] * 4, *["act"] * 3, "escalate"]
    assert checklist.steps[0].key == "safety.S1"
    assert checklist.steps[1].key == "T01.edge"
    assert all(step.result == "" and step.time is None for step in checklist.steps)


# ------------------------------------------------------------------ what ships
def test_all_trees_and_tasks_of_the_field_are_there(shipped: MaintenancePlan) -> None:
    assert sorted(shipped.trees) == [*(f"T{n:02d}" for n in range(1, 21)), "T30"]
    counts = {letter: sum(1 for task in shipped.tasks if task.id.startswith(letter)) for letter in "DWMQE"}
    assert counts == {"D": 20, "W": 13, "M": 10, "Q": 6, "E": 4}


def test_every_tree_can_be_opened_and_every_step_said_in_both_languages(shipped: MaintenancePlan) -> None:
    for language in LANGUAGES:
        texts = Texts.load(DataPaths.find(None), language)
        for tree in shipped.trees.values():
            assert texts.has(f"tree.{tree.id}")
            assert texts.has(f"step.safety.{tree.safety}")
            assert all(texts.has(f"step.{tree.id}.{step.id}") for step in tree.step)
        assert all(texts.has(f"task.{task.id}") for task in shipped.tasks)


def test_an_operator_is_never_asked_for_what_needs_an_isolated_machine(shipped: MaintenancePlan) -> None:
    for tree in shipped.trees.values():
        if tree.safety in ("S2", "S3"):
            assert any(step.kind == "escalate" for step in tree.step)
            assert all(step.safety in (None, "S0", "S1") for step in tree.step if step.kind != "escalate")


def test_who_to_call_is_said_in_every_escalation(shipped: MaintenancePlan) -> None:
    for tree in shipped.trees.values():
        for step in tree.step:
            assert ("maintenance" in step.fr.lower() and "maintenance" in step.en.lower()) == (step.kind == "escalate"), step.fr


def test_texts_are_short_enough_to_read_at_arms_length(shipped: MaintenancePlan) -> None:
    for tree in shipped.trees.values():
        assert max(len(tree.fr), len(tree.en)) <= 60
        for step in tree.step:
            assert max(len(step.fr), len(step.en)) <= 85, step.fr
    for task in shipped.tasks:
        assert max(len(task.fr), len(task.en)) <= 85, task.fr


def test_a_shift_is_given_at_most_eight_tasks_unasked(shipped: MaintenancePlan) -> None:
    for machine in ("lathe", "mill"):
        chosen = [task for task in shipped.tasks if task.chosen and task.every == "shift" and task.machine in ("both", machine)]
        assert 1 <= len(chosen) <= 8
        assert all(task.safety in ("S0", "S1") and task.level == 1 for task in chosen)


def test_intervals_have_the_spindle_hours_of_the_field(shipped: MaintenancePlan) -> None:
    hours = {"week": 40, "month": 160, "2 months": 350, "6 months": 1000, "year": 2000}
    assert all(task.hours == hours.get(task.every) for task in shipped.tasks)


def test_levels_are_those_of_the_standard_and_level_one_needs_no_padlock(shipped: MaintenancePlan) -> None:
    for task in shipped.tasks:
        assert 1 <= task.level <= 5
        assert task.level > 1 or task.safety in ("S0", "S1")


def test_tasks_that_the_texts_name_exist(shipped: MaintenancePlan) -> None:
    ids = {task.id for task in shipped.tasks}
    for tree in shipped.trees.values():
        for step in tree.step:
            named = re.findall(r"\b[DWMQE]\d\d\b", step.fr)
            assert set(named) <= ids
            assert named == re.findall(r"\b[DWMQE]\d\d\b", step.en)


@pytest.mark.parametrize("name", ["diagnosis.toml", "tasks.toml"])
def test_the_texts_are_typed_with_ordinary_spaces_and_french_comes_first(name: str) -> None:
    text = (SHIPPED / name).read_text(encoding="utf-8")
    assert not re.search("[\u202f\u00a0\u2019]", text)
    rows = [row.split(" = ")[0] for row in text.splitlines() if re.match(r"(fr|en) = ", row)]
    assert rows == ["fr", "en"] * (len(rows) // 2)


# ------------------------------------------------------------------ a shop's own
def shop(folder: Path, text: str, *, shipped: bool = True) -> DataPaths:
    (folder / "checklists").mkdir(exist_ok=True)
    (folder / "checklists" / "shop.toml").write_text(text, encoding="utf-8")
    return DataPaths((folder, ROOT / "config") if shipped else (folder,))


OWN = """
[[choose]]
kind = "wear"
evidence = { tool_kind = "tap" }
tree = "X01"
[[tree]]
id = "X01"
level = 1
safety = "S1"
fr = "Taraud"
en = "Tap"
[[tree.step]]
id = "look"
kind = "act"
fr = "Contrôler le filetage"
en = "Check the thread"
[[tree.step]]
id = "call"
kind = "escalate"
fr = "Maintenance si : casse"
en = "Maintenance if: breakage"
"""


def test_a_shop_adds_a_tree_and_its_choice_goes_first(tmp_path: Path) -> None:
    own = plan(shop(tmp_path, OWN))
    assert own.tree_for("wear", {"tool_kind": "tap"}) == "X01"
    assert own.tree_for("wear", {}) == "T01"
    assert Texts.load(DataPaths((tmp_path, ROOT / "config")), "fr").step("X01.look") == "Contrôler le filetage"


def test_a_shop_replaces_a_tree_by_its_id(tmp_path: Path) -> None:
    own = plan(shop(tmp_path, OWN.replace("X01", "T01")))
    assert [step.id for step in own.trees["T01"].step] == ["look", "call"]
    assert len(own.trees) == 21


def mistakes(paths: DataPaths) -> dict[str, str]:
    with pytest.raises(PlanError) as error:
        plan(paths)
    told = error.value.tell(Texts.load(DataPaths.find(None), "fr"))
    assert "[mistake" not in told
    return {mistake.code: mistake.key or str(mistake.values.get("name", "")) for mistake in error.value.mistakes}


@pytest.mark.parametrize(
    ("old", "new", "code", "where"),
    [
        ('kind = "act"', 'kind = "act"\nsafety = "S2"', "not_operator", "X01.look"),
        ('fr = "Taraud"', 'fr = " "', "no_text", "X01"),
        ('kind = "escalate"', 'kind = "ask"', "no_escalation", "X01"),
        ('id = "call"', 'id = "look"', "id_twice", "X01.look"),
        ('tree = "X01"', 'tree = "X1"', "no_tree", "X1"),
        ('fr = "Contrôler le filetage"\n', "", "missing_key", "tree[1].step[1]"),
        ('kind = "act"', 'kind = "do"', "not_listed", "tree[1].step[1].kind"),
        ('kind = "wear"', 'kind = "ware"', "not_listed", "choose[1].kind"),
        ('safety = "S1"', 'safety = "S9"', "not_listed", "tree[1].safety"),
        ("level = 1", 'level = "1"', "type_quoted", "tree[1].level"),
        ("[[tree.step]]", "[[tree.steps]]", "unknown_key", "tree[1].steps"),
        ("[[choose]]", "[[chose]]", "unknown_table", "chose"),
        ('fr = "Taraud"', 'fr = Taraud', "syntax_quotes_none", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_shops_own_file_is_named(tmp_path: Path, old: str, new: str, code: str, where: str) -> None:
    assert mistakes(shop(tmp_path, OWN.replace(old, new, 1)))[code] == where


def test_a_plan_that_leaves_an_alert_without_a_checklist(tmp_path: Path) -> None:
    found = mistakes(shop(tmp_path, OWN, shipped=False))
    assert set(found) == {"no_choice", "no_safety"}


def test_the_same_tree_twice_in_one_folder(tmp_path: Path) -> None:
    paths = shop(tmp_path, OWN)
    (tmp_path / "checklists" / "more.toml").write_text(OWN.split("[[tree]]")[1].join(["[[tree]]", ""]), encoding="utf-8")
    assert mistakes(paths) == {"id_twice": "X01"}


TASK = """
[[task]]
id = "X9"
machine = "both"
every = "week"
level = 1
safety = "S0"
record = "yes_no"
basis = "practice"
fr = "x"
en = "x"
"""


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('every = "week"', 'every = "event"', "task_event"),
        ('every = "week"', 'every = "week"\non = "collision"', "task_event"),
        ('record = "yes_no"', 'record = "number"', "task_unit"),
        ('record = "yes_no"', 'record = "yes_no"\nunit = "bar"', "task_unit"),
        ('every = "week"', 'every = "fortnight"', "not_listed"),
        ('fr = "x"', 'fr = ""', "no_text"),
    ],
)
def test_tasks_are_checked(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert code in mistakes(shop(tmp_path, TASK.replace(old, new)))
    assert plan(shop(tmp_path, TASK)).tasks[0].id == "X9"


def test_a_plan_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataMissing):
        plan(DataPaths((tmp_path,)))


def test_the_source_of_every_task_is_one_of_the_list() -> None:
    tasks = tomllib.loads((SHIPPED / "tasks.toml").read_text(encoding="utf-8"))["task"]
    assert {task["basis"] for task in tasks} == {"manual", "trade", "INRS", "practice", "broche"}
