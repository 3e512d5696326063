"""Why an alert may be believed and where it may err, in words: against what, how often by chance, what else, what is not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agent.explained import Explanation, Picture
from agent.model import Alert
from agent.texts.moments import moment

if TYPE_CHECKING:
    from agent.texts import Texts

TOLD = frozenset({"n_baseline", "n_looks", "baseline_since", "since_part", "new_part", "part", "absent"})
"""Evidence that these rows say with its date."""
LOOKS = frozenset({"spindle", "chatter"})
"""Kinds that judge looks and not cuts."""


class CauseText(msgspec.Struct, frozen=True, kw_only=True):
    """What else may look like it."""

    text: str
    likely: bool


class ExplanationText(msgspec.Struct, frozen=True, kw_only=True):
    """An explanation in one language.

    Attributes
    ----------
    rows: name and value of what stands beside the evidence: channel, operation, against what, since when.
    chance: how many false alarms are to be expected; one sentence each.
    first: what to look at first; ''.
    causes: what else may look like it.
    unseen: what Broche cannot see here.
    picture: what the picture shows; '' where there is none.
    """

    rows: list[tuple[str, str]]
    chance: list[str]
    first: str
    causes: list[CauseText]
    unseen: list[str]
    picture: str


def explanation_text(texts: Texts, alert: Alert, known: Explanation, zone: str) -> ExplanationText:
    """Make the sentences of one explanation. `zone`: the machine's time zone."""
    return ExplanationText(
        rows=_rows(texts, alert, known, zone),
        chance=_chance(texts, alert, known),
        first=texts.step(known.first) if known.first else "",
        causes=[CauseText(text=texts.say(f"cause.{cause.key}"), likely=cause.likely) for cause in known.causes],
        unseen=[_unseen(texts, key, known.rate) for key in known.unseen],
        picture=picture_title(texts, known.picture) if known.picture is not None else "",
    )


def picture_title(texts: Texts, picture: Picture) -> str:
    """One line that says what is drawn."""
    if picture.shape == "cut":
        return texts.say("explain.picture.cut" if picture.y else "explain.picture.absent", n=picture.n or None)
    if picture.shape == "bars":
        return texts.say("explain.picture.bars")
    own = f"explain.picture.trend_{picture.name}"
    return texts.say(own if texts.has(own) else "explain.picture.trend")


def _rows(texts: Texts, alert: Alert, known: Explanation, zone: str) -> list[tuple[str, str]]:
    part = alert.evidence.get("part")
    against = ""
    if known.against:
        date = moment(texts, known.baseline_since, zone, known.time)
        against = texts.say(f"explain.against.{known.against}", n=known.n or None, date=date)
    since = ""
    if known.since_part is not None:
        since = texts.say("explain.since", part=str(known.since_part), date=moment(texts, known.since, zone, known.time))
    counted = str(int(part)) if isinstance(part, (int, float)) and part >= 0 else None
    values = {
        "channel": texts.channel(alert.channel) if alert.channel else "",
        "operation": texts.scope(f"operation/{alert.operation}") if alert.operation else "",
        "moment": texts.say("explain.moment", part=counted, date=moment(texts, known.time, zone)),
        "against": against,
        "since": since,
    }
    return [(texts.say(f"explain.row.{name}"), value) for name, value in values.items() if value]


def _chance(texts: Texts, alert: Alert, known: Explanation) -> list[str]:
    if known.basis in ("state", "due"):
        return [texts.say(f"explain.chance.{known.basis}")]
    if known.per_month >= 1.0:
        budget = texts.say("explain.budget", n=_rounded(known.per_month))
    else:
        budget = texts.say("explain.budget.rare", months=_rounded(1.0 / known.per_month))
    rule = known.basis == "rule" or not known.chance > 0.0
    key = "rule" if rule else "look" if alert.kind in LOOKS else "cut"
    out = [budget, texts.say(f"explain.chance.{key}", of=None if rule else 1.0 / known.chance)]
    if known.judged_false:
        out.append(texts.say("explain.judged", n=known.judged_false))
    return out


def _unseen(texts: Texts, key: str, rate: float | None) -> str:
    return texts.say(f"explain.unseen.{key}", rate=rate, gap=2.0 / rate if rate else None)


def _rounded(value: float) -> float | int:
    return round(value) if abs(value - round(value)) < 0.05 else round(value, 1)
