"""What an alert says to the operator: how much against what, what it is not, and one thing to do."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.model import Alert, Evidence, Scalar
from agent.texts.typeset import known

if TYPE_CHECKING:
    from agent.texts import Texts

_NUMBERED = (
    "part",
    "since_part",
    "new_part",
    "n_baseline",
    "cuts_since_new",
    "others_flat",
    "others_total",
    "tools",
    "signals",
    "signals_rising",
    "lives",
    "measures",
    "parts",
)


@dataclass(frozen=True, slots=True)
class AlertText:
    """An alert in one language.

    Attributes
    ----------
    title: three or four words, to be read from 2 m: 'Usure outil T4'.
    text: how much, against what, since when.
    evidence: one line a figure, for the page that explains.
    others: what the other tools do, hence what it is not; '' where that says nothing.
    todo: what to do, in the infinitive.
    """

    title: str
    text: str
    evidence: tuple[str, ...]
    others: str
    todo: str


def alert_text(texts: Texts, alert: Alert, tool_name: str, unit: str) -> AlertText:
    """Make the sentences of one alert. A figure that the evidence lacks is left out of its sentence, never shown as zero.

    Parameters
    ----------
    tool_name: what the machine file calls the tool; '' where it does not.
    unit: of the alert's channel; '' where it is not known. Evidence may bring its own under `unit`.
    """
    values = _values(texts, alert, tool_name, unit)
    kind = alert.kind
    facts = _facts(alert.evidence)

    def key(part: str) -> str:
        """Of the sentence that one of the facts has, else of the kind's own."""
        own = (f"alert.{kind}.{part}_{fact}" for fact in facts)
        return next((name for name in own if texts.has(name)), f"alert.{kind}.{part}")

    return AlertText(
        title=texts.say(key("title"), **values),
        text=texts.say(key("text"), **values),
        evidence=tuple(texts.say("row.line", label=label, value=value) for label, value in _rows(texts, alert, values)),
        others=_others(texts, alert),
        todo=texts.say(key("todo"), **values),
    )


def evidence_rows(texts: Texts, alert: Alert, tool_name: str, unit: str, without: Collection[str] = ()) -> list[tuple[str, str]]:
    """Name and value of each figure that speaks for the alert; what is not known, or not so, or in `without`, is left out."""
    return _rows(texts, alert, _values(texts, alert, tool_name, unit), without)


def _values(texts: Texts, alert: Alert, tool_name: str, unit: str) -> dict[str, Scalar]:
    values: dict[str, Scalar] = {"unit": unit, **alert.evidence}
    for name in _NUMBERED:
        value = values.get(name)
        if isinstance(value, (int, float)) and math.isfinite(value):
            values[name] = str(int(value)) if name.endswith("part") else int(value)
    reason = values.get("reason")
    if indicator := values.get("indicator"):
        values["indicator"] = texts.say(f"figure.{indicator}") if texts.has(f"figure.{indicator}") else texts.channel(str(indicator))
    if also := values.get("also"):
        values["also"] = texts.channel(str(also))
    channel = values.get("channel") or alert.channel
    return {
        **values,
        "unit": texts.after(str(values["unit"] or "")),
        "tool": texts.tool_label(alert.tool),
        "tool_name": tool_name,
        "spindle": alert.spindle,
        "channel": texts.channel(str(channel)) if channel else "",
        "sister": texts.channel(str(values["sister"])) if values.get("sister") else "",
        **({"confidence": texts.say(f"confidence.{said}")} if (said := values.get("confidence")) else {}),
        "reason": texts.say(f"reason.{reason}.means") if reason else "",
        "helps": texts.say(f"reason.{reason}.helps") if reason and texts.has(f"reason.{reason}.helps") else "",
    }


def _facts(evidence: Evidence) -> list[str]:
    """Evidence that is simply true: it may have a sentence of its own."""
    return [name for name, value in evidence.items() if value is True]


def _rows(texts: Texts, alert: Alert, values: dict[str, Scalar], without: Collection[str] = ()) -> list[tuple[str, str]]:
    rows = []
    for name, raw in alert.evidence.items():
        if raw is False or not known(raw) or name in without:
            continue
        for key in (f"evidence.{alert.kind}_{name}", f"evidence.{name}"):
            if texts.has(f"{key}.label"):
                rows.append((texts.say(f"{key}.label"), texts.say(f"{key}.value", value=values[name], unit=values.get("unit"))))
                break
    return rows


def _others(texts: Texts, alert: Alert) -> str:
    flat, total = alert.evidence.get("others_flat"), alert.evidence.get("others_total")
    if not isinstance(flat, (int, float)) or not isinstance(total, (int, float)) or not 0 <= flat <= total or not 1 <= total < math.inf:
        return ""
    key = f"alert.{alert.kind}.others_{'all' if flat == total else 'some' if flat else 'none'}"
    return texts.say(key, n=int(flat), total=int(total)) if texts.has(key) else ""
