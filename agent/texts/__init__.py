"""Every sentence that an operator or an installer reads, in one language; made of keys and numbers, at the outlets."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from agent.explained import Explanation
from agent.mistakes import Mistake
from agent.model import Alert, Coverage, Scalar
from agent.notices import Notice
from agent.paths import DataPaths
from agent.realised import Realised
from agent.settings import Language
from agent.texts.alerts import AlertText, alert_text, evidence_rows
from agent.texts.explanation import ExplanationText, explanation_text
from agent.texts.notices import NoticeText, notice_text
from agent.texts.realised import RealisedText, realised_text
from agent.texts.typeset import FINE, FIRM, NOTHING, fill, known, number, placeholders, typeset

__all__ = ["LANGUAGES", "AlertText", "ExplanationText", "NamedTool", "NoticeText", "RealisedText", "Texts"]

LANGUAGES: tuple[Language, ...] = ("fr", "en")

_log = logging.getLogger(__name__)


class NamedTool(Protocol):
    """A tool of the machine file (`agent.settings.ToolOptions`)."""

    @property
    def number(self) -> int:
        """Its position."""
        ...

    @property
    def name(self) -> str:
        """What it is for, in the shop's language."""
        ...

    @property
    def name_en(self) -> str:
        """The same in English, or ''."""
        ...


class Texts:
    """The catalogue of one language: config/texts/*.LANGUAGE.toml, and the texts of config/checklists.

    A value is a sentence, or a list of sentences from the most to the least specific: the first whose placeholders are all known is
    taken. A key with plural forms has the sub-keys `one` and `other`, chosen by `n` (French: below 2 is singular).
    """

    def __init__(self, language: Language, entries: Mapping[str, tuple[str, ...]]) -> None:
        self.language: Language = language
        self._entries = {key: tuple(typeset(text, language) for text in texts) for key, texts in entries.items()}
        self._missed: set[str] = set()

    @classmethod
    def load(cls, paths: DataPaths, language: Language) -> Texts:
        """Read all files of the language; a key in a nearer folder replaces the same key in a farther one.

        A file that cannot be read is logged and left out: a slip in a shop's own text must not stop the monitor.
        """
        entries: dict[str, tuple[str, ...]] = {}
        for folder in reversed(paths.folders):
            for path in sorted((folder / "texts").glob(f"*.{language}.toml")):
                entries.update(flatten(_read(path)))
            for path in sorted((folder / "checklists").glob("*.toml")):
                entries.update(_checklist_texts(_read(path), language))
        return cls(language, entries)

    @property
    def keys(self) -> frozenset[str]:
        """All keys."""
        return frozenset(self._entries)

    def has(self, key: str) -> bool:
        """Whether there is something to say under `key`."""
        return key in self._entries or f"{key}.other" in self._entries

    def say(self, key: str, /, **values: Scalar) -> str:
        """The sentence under `key`, filled in. A missing key is shown as '[key]' and logged once."""
        texts = self._entries.get(key)
        if texts is None and "n" in values:
            texts = self._entries.get(f"{key}.{self._form(values['n'])}")
        if texts is None:
            if key not in self._missed:
                self._missed.add(key)
                _log.warning("no %s text for key %s", self.language, key)
            return f"[{key}]"
        for text in texts:
            if all(known(values.get(name)) for name in placeholders(text)):
                return fill(text, values, self.language)
        return fill(texts[-1], values, self.language)

    def number(self, value: float | None, digits: int | None = None, *, signed: bool = False) -> str:
        """A number in the manner of the language; None and NaN are a dash."""
        return NOTHING if value is None else number(value, digits, self.language, signed=signed)

    def unit(self, unit: str) -> str:
        """A unit as it is written here: 'rpm' is 'tr/min' in French, 'degC' is '°C'."""
        return self.say(f"unit.{unit}") if self.has(f"unit.{unit}") else unit

    def measured(self, value: float | None, unit: str, digits: int | None = None) -> str:
        """A number with its unit: '46 %', '1,1 mm/s'."""
        return f"{self.number(value, digits)}{self.after(unit)}"

    def after(self, unit: str) -> str:
        """A unit with the space before it; '' for none."""
        word = self.unit(unit)
        if not word or word == "%":
            return word and f"{FINE if self.language == 'fr' else ''}{word}"
        return f"{FIRM}{word}"

    def listed(self, words: Iterable[str]) -> str:
        """'a, b et c'."""
        *most, last = tuple(words) or ("",)
        return f"{', '.join(most)} {self.say('common.and')} {last}" if most else last

    def tool(self, number_: str | int, tools: Sequence[NamedTool] = ()) -> str:
        """'T4 ébauche': a position and what its tool is for."""
        label = self.tool_label(str(number_))
        name = self.tool_name(str(number_), tools)
        return f"{label} {name}" if name else label

    def tool_label(self, tool: str) -> str:
        """'T4'; 'pass 3' of a cut that is known by its place alone ('~3'); '' where the tool is not known."""
        if tool.startswith("~"):
            return self.say("operation.cut", n=tool[1:])
        return tool if not tool or tool[:1] in "Tt" else f"T{tool}"

    def tool_name(self, tool: str, tools: Sequence[NamedTool]) -> str:
        """What the machine file calls this tool, in this language where it says so."""
        for named in tools:
            if str(named.number) == tool.lstrip("Tt"):
                return (named.name_en or named.name) if self.language == "en" else named.name
        return ""

    def channel(self, name: str) -> str:
        """What a channel of a common name measures ('load': 'charge de broche'); another's name as it stands."""
        return self.say(f"channel.{name}") if self.has(f"channel.{name}") else name

    def alert(self, alert: Alert, tools: Sequence[NamedTool] = (), units: Mapping[str, str] | None = None) -> AlertText:
        """What an alert says: title, how much against what, what it is not, what to do.

        Parameters
        ----------
        tools: [[tool]] of the machine file, for their names.
        units: unit of each channel by name; without it figures in a channel's unit stand bare.
        """
        return alert_text(self, alert, self.tool_name(alert.tool, tools), (units or {}).get(alert.channel, ""))

    def evidence(self, alert: Alert, units: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
        """What speaks for an alert, as rows of a name and a value."""
        return evidence_rows(self, alert, "", (units or {}).get(alert.channel, ""))

    def explanation(self, alert: Alert, known: Explanation, zone: str) -> ExplanationText:
        """Why an alert may be believed and where it may err. `zone`: the machine's time zone."""
        return explanation_text(self, alert, known, zone)

    def realised(self, known: Realised) -> RealisedText:
        """What became of the false-alarm budget."""
        return realised_text(self, known)

    def notice(self, notice: Notice, tools: Sequence[NamedTool] = ()) -> NoticeText:
        """What is so at this moment and asks for no alert. `tools`: [[tool]] of the machine file, for their names."""
        return notice_text(self, notice, tools)

    def branch(self, prefix: str) -> dict[str, Any]:
        """All texts below `prefix` as nested dicts, typeset, placeholders left in; a list of alternatives gives its first."""
        tree: dict[str, Any] = {}
        for key, texts in self._entries.items():
            if key.startswith(f"{prefix}."):
                *folders, name = key[len(prefix) + 1 :].split(".")
                here = tree
                for folder in folders:
                    here = here.setdefault(folder, {})
                here[name] = texts[0]
        return tree

    def coverage(self, coverage: Coverage) -> tuple[str, str]:
        """The word, and one sentence that says why: ('SUSPENDU', 'Le correcteur d'avance n'est pas à 100 %.')."""
        values: dict[str, Scalar] = {"n": coverage.n, "of": coverage.of or None}
        word = self.say(f"coverage.{coverage.word}.word", **values)
        if coverage.reason:
            return word, self.say(f"reason.{coverage.reason}.means", **values)
        return word, self.say(f"coverage.{coverage.word}.means", **values)

    def helps(self, coverage: Coverage) -> str:
        """What would help; '' where nothing needs to be done."""
        key = f"reason.{coverage.reason}.helps" if coverage.reason else f"coverage.{coverage.word}.helps"
        return self.say(key, n=coverage.n, of=coverage.of or None) if self.has(key) else ""

    def scope(self, scope: str) -> str:
        """What a coverage is about: 'broche S1', 'opération T4, programme 4711'."""
        kind, _, name = scope.partition("/")
        if kind == "operation":
            spindle, _, rest = name.partition("/")
            program, revision, tool, section = (*("",) * 4, *rest.rsplit("/", 3))[-4:]
            # A visit of a tool is no pass of a number: the tool says it all.
            known_parts = {"program": program, "tool": tool, "section": "" if section.startswith("~") else section}
            return self.say(
                "scope.operation",
                spindle=spindle,
                revision=revision,
                **{part: "" if word in ("-", "T-") else word for part, word in known_parts.items()},
            )
        return self.say(f"scope.{kind}", name=name)

    def refusal(self, reason: str) -> str:
        """Why a command was not accepted (`agent.commands.CommandResult.reason`)."""
        return self.say(f"refusal.{reason}")

    def step(self, key: str, **values: Scalar) -> str:
        """One line of a checklist, by `agent.model.Step.key`."""
        return self.say(f"step.{key}", **values)

    def tree(self, tree: str) -> str:
        """Title of a diagnosis tree."""
        return self.say(f"tree.{tree}")

    def task(self, task: str) -> str:
        """Text of a maintenance task of config/checklists/tasks.toml."""
        return self.say(f"task.{task}")

    def mistake(self, mistake: Mistake) -> tuple[str, str]:
        """What is wrong, and what helps."""
        values = {"key": mistake.key, **{name: self._word(value) for name, value in mistake.values.items()}}
        own = f"_{self.language}"
        values |= {name.removesuffix(own): typeset(str(value), self.language) for name, value in values.items() if name.endswith(own)}
        code = mistake.code if "." in mistake.code else f"mistake.{mistake.code}"
        remedy = self.say(f"{code}.remedy", **values)
        if known(values.get("meant")) and code.startswith("mistake."):
            remedy = f"{self.say('mistake.did_you_mean', meant=values['meant'])} {remedy}"
        return self.say(f"{code}.what", **values), remedy

    def mistakes(self, mistakes: Sequence[Mistake]) -> str:
        """A paragraph for each: place, what is wrong, and indented below it what helps."""
        lines = []
        for mistake in mistakes:
            what, remedy = self.mistake(mistake)
            place = f"{mistake.path}:{mistake.line}" if mistake.line else f"{mistake.path}"
            lines.append(f"{place}: {mistake.key}: {what}" if mistake.key else f"{place}: {what}")
            if remedy:
                lines.append(f"    {remedy}")
        return "\n".join(lines)

    def _word(self, value: Scalar) -> Scalar:
        """A value of the form '@key' is a word of the catalogue."""
        return self.say(value[1:]) if isinstance(value, str) and value.startswith("@") and self.has(value[1:]) else value

    def _form(self, n: Scalar) -> str:
        count = abs(n) if isinstance(n, (int, float)) else 2
        return "one" if (count < 2 if self.language == "fr" else count == 1) else "other"


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[str, ...]]:
    """Dotted keys of a catalogue file; what is neither a sentence nor a list of sentences is left out."""
    entries: dict[str, tuple[str, ...]] = {}
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            entries |= flatten(value, f"{key}.")
        elif isinstance(value, str):
            entries[key] = (value,)
        elif isinstance(value, list) and value and all(isinstance(text, str) for text in value):
            entries[key] = tuple(value)
        else:
            _log.error("text key %s is neither a sentence nor a list of sentences", key)
    return entries


def _checklist_texts(table: Mapping[str, Any], language: Language) -> dict[str, tuple[str, ...]]:
    """Texts of a file of config/checklists: task.ID, tree.ID, step.TREE.STEP, step.safety.S1, cause.TREE.OTHER."""
    entries: dict[str, tuple[str, ...]] = {}
    for kind in ("task", "tree"):
        for item in table.get(kind, ()):
            entries[f"{kind}.{item.get('id', '')}"] = (str(item.get(language, "")),)
            for step in item.get("step", ()):
                key = f"step.{item.get('id', '')}.{step.get('id', '')}"
                entries[key] = (str(step.get(language, "")),)
            for other in item.get("other", ()):
                entries[f"cause.{item.get('id', '')}.{other.get('id', '')}"] = (str(other.get(language, "")),)
    for step in table.get("safety", ()):
        entries[f"step.safety.{step.get('id', '')}"] = (str(step.get(language, "")),)
    return entries


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        _log.error("text file %s left out: %s", path, error)
        return {}
