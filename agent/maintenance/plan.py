"""Which checklist goes with which alert, and which tasks fall due: what config/checklists says, as frozen structs without texts."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any, Literal

import msgspec

from agent.commands import TickStep
from agent.maintenance.checklist import open_checklist, tick
from agent.mistakes import FileMistakes, Mistake
from agent.model import Alert, Checklist, Evidence, Kind, Scalar, Word
from agent.paths import DataMissing, DataPaths
from agent.toml_file.decode import list_of
from agent.toml_file.found import Found
from agent.toml_file.reading import read_document

Safety = Literal["S0", "S1", "S2", "S3"]
"""S0 observe, guards closed; S1 cycle stopped, spindle at rest; S2 isolator off and padlocked; S3 lock-out by an authorised person
(field.md section 3; INRS ED 6109 for S3)."""

OPERATOR: tuple[Safety, ...] = ("S0", "S1")
"""What an operator may do himself."""


class PlanError(FileMistakes):
    """config/checklists cannot be used; every mistake in it is named."""


class TreeStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[tree.step]]: one line of a checklist. Its texts stand in the same file and belong to `agent.texts`."""

    id: str
    kind: Literal["ask", "act", "escalate"]
    fr: str
    en: str
    safety: Safety | None = None
    """If it differs from what the tree asks of an operator."""
    next: str = ""
    """Tree to go on with where the sentence is not true."""


class OtherCause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[tree.other]]: what else may look like this. Its texts belong to `agent.texts`."""

    id: str
    fr: str
    en: str
    shared: bool = False
    """It would move every tool: not likely where the others are flat."""


class Tree(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[tree]]: first-level diagnosis of one symptom."""

    id: str
    level: int
    """NF X60-000, 1 to 5."""
    safety: Safety
    fr: str
    en: str
    signs: tuple[str, ...] = ()
    """What the monitor can see of it."""
    step: tuple[TreeStep, ...] = ()
    other: tuple[OtherCause, ...] = ()
    """What else may look like this, the likeliest first."""


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[choose]]: which tree for an alert of this kind with this evidence, or for a coverage word."""

    tree: str
    kind: Kind | None = None
    word: Word | None = None
    evidence: dict[str, Scalar] = {}


class SafetyStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[safety]]: what must be so before anything else."""

    id: Safety
    fr: str
    en: str


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[task]]: something to do at an interval or on an event, whichever of calendar and spindle hours comes first."""

    id: str
    machine: Literal["both", "lathe", "mill"]
    every: Literal["shift", "week", "month", "2 months", "6 months", "year", "event"]
    level: int
    safety: Safety
    record: Literal["yes_no", "note", "photo", "number", "form", "auto", "work_order"]
    basis: Literal["manual", "trade", "INRS", "practice", "broche"]
    fr: str
    en: str
    hours: float | None = None
    """Spindle hours."""
    on: Literal["", "collision", "tool_change", "batch_change", "restart_after_stop"] = ""
    unit: str = ""
    signal: str = ""
    """What the monitor sees that may bring the task forward."""
    chosen: bool = False
    """Proposed by default."""


class MaintenancePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do about an alert, and what falls due."""

    trees: dict[str, Tree]
    choices: tuple[Choice, ...]
    tasks: tuple[Task, ...]

    def tree_for(self, kind: Kind, evidence: Evidence) -> str:
        """Id of the tree for an alert: of the first choice that fits."""
        fits = (choice for choice in self.choices if choice.kind == kind)
        return next(choice.tree for choice in fits if all(evidence.get(name) == value for name, value in choice.evidence.items()))

    def offered(self, word: Word) -> str:
        """Id of the tree that explains a coverage word without an alert, or ''."""
        return next((choice.tree for choice in self.choices if choice.word == word), "")

    def open(self, alert: Alert, now: float) -> Checklist:
        """The checklist for an alert: what makes it safe, what to look at, what to do, when to call maintenance."""
        return open_checklist(self.trees[self.tree_for(alert.kind, alert.evidence)], alert.id, now)

    def tick(self, checklist: Checklist, command: TickStep, now: float) -> Checklist | str:
        """The checklist after a tick, or the reason why it may not be (`refusal.*` of the text catalogue)."""
        return tick(checklist, command, now)


_TABLES: dict[str, type[msgspec.Struct]] = {"tree": Tree, "choose": Choice, "task": Task, "safety": SafetyStep}


def plan(paths: DataPaths) -> MaintenancePlan:
    """Read every file of config/checklists. A tree or task in a nearer folder replaces that of the same id; its choices come first.

    Raises
    ------
    PlanError: with every mistake in every file.
    DataMissing: there is not one such file.
    """
    trees: dict[str, Tree] = {}
    tasks: dict[str, Task] = {}
    choices: list[Choice] = []
    mistakes: list[Mistake] = []
    steps: set[str] = set()
    origin: dict[str, Found] = {}
    for folder in paths.folders:
        for path in sorted((folder / "checklists").glob("*.toml")):
            found = Found(path)
            tables = _read(path, found)
            for tree in tables["tree"]:
                _check_tree(tree, tree.id in trees and origin[tree.id].path.parent == path.parent, found)
                origin.setdefault(tree.id, found)
                trees.setdefault(tree.id, tree)
            for task in tables["task"]:
                if tasks.setdefault(task.id, task) is not task and origin[task.id].path.parent == path.parent:
                    found.wrong_line(0, "id_twice", name=task.id)
                origin.setdefault(task.id, found)
                _check_task(task, found)
            choices += tables["choose"]
            steps |= {step.id for step in tables["safety"]}
            mistakes += found.mistakes
    if not origin:
        raise DataMissing("checklists/*.toml", paths.folders)
    mistakes += _check_whole(trees, choices, steps, paths.folders[0])
    if mistakes:
        raise PlanError(tuple(mistakes))
    return MaintenancePlan(trees=trees, choices=tuple(choices), tasks=tuple(tasks.values()))


def _read(path: Path, found: Found) -> dict[str, list[Any]]:
    document = read_document(path, found) or {}
    for key in document:
        if key not in _TABLES:
            found.wrong((key,), "unknown_table", name=found.shown(key), meant=found.nearest(key, _TABLES), known=", ".join(_TABLES))
    return {
        name: [item for item in list_of(table, document.get(name, []), name, (name,), found) if item is not None]
        for name, table in _TABLES.items()
    }


def _check_tree(tree: Tree, twice: bool, found: Found) -> None:
    if twice:
        found.wrong_line(0, "id_twice", name=tree.id)
    ids = [step.id for step in tree.step]
    for step in tree.step:
        if ids.count(step.id) > 1:
            found.wrong_line(0, "id_twice", name=f"{tree.id}.{step.id}")
        if step.kind != "escalate" and step.safety not in (None, *OPERATOR):
            found.wrong_line(0, "not_operator", name=f"{tree.id}.{step.id}", safety=str(step.safety))
    lines: tuple[TreeStep | OtherCause, ...] = (*tree.step, *tree.other)
    for other in tree.other:
        if sum(one.id == other.id for one in tree.other) > 1:
            found.wrong_line(0, "id_twice", name=f"{tree.id}.{other.id}")
    for text in (tree.fr, tree.en, *(text for line in lines for text in (line.fr, line.en))):
        if not text.strip():
            found.wrong_line(0, "no_text", name=tree.id)
    if not any(step.kind == "escalate" for step in tree.step):
        found.wrong_line(0, "no_escalation", name=tree.id)


def _check_task(task: Task, found: Found) -> None:
    if (task.every == "event") != bool(task.on):
        found.wrong_line(0, "task_event", name=task.id)
    if (task.record == "number") != bool(task.unit):
        found.wrong_line(0, "task_unit", name=task.id)
    if not task.fr.strip() or not task.en.strip():
        found.wrong_line(0, "no_text", name=task.id)


def _check_whole(trees: dict[str, Tree], choices: list[Choice], steps: set[str], folder: Path) -> list[Mistake]:
    """What no single file can know."""
    found = Found(folder / "checklists")
    for name in sorted({choice.tree for choice in choices} | {step.next for tree in trees.values() for step in tree.step if step.next}):
        if name not in trees:
            found.wrong((name,), "no_tree", name=name, meant=found.nearest(name, trees), known=", ".join(sorted(trees)))
    for kind in typing.get_args(Kind):
        if not any(choice.kind == kind and not choice.evidence for choice in choices):
            found.wrong((kind,), "no_choice", name=kind)
    for name in sorted({tree.safety for tree in trees.values()} - steps):
        found.wrong((name,), "no_safety", name=name)
    return list(found.mistakes)
