"""What became of the false-alarm budget, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agent.realised import Realised

if TYPE_CHECKING:
    from agent.texts import Texts


class RealisedText(msgspec.Struct, frozen=True, kw_only=True):
    """In one language.

    Attributes
    ----------
    verdict: a few words. means: what that means, and what to do; one sentence or two each.
    rows: name and value of each figure.
    """

    verdict: str
    means: list[str]
    rows: list[tuple[str, str]]


def realised_text(texts: Texts, known: Realised) -> RealisedText:
    """Make the sentences."""
    say = texts.say
    values = {
        "false": say("realised.value.of", n=known.judged_false, of=known.raised),
        "right": texts.number(known.judged_right),
        "unanswered": texts.number(known.unanswered),
        "hours": say("realised.value.hours", hours=known.hours),
        "rate": texts.number(known.rate, 1),
        "bounds": say("realised.value.bounds", low=known.low, high=known.high) if known.high is not None else texts.number(None),
        "budget": say("realised.value.budget", budget=known.budget),
    }
    return RealisedText(
        verdict=say(f"realised.verdict.{known.verdict}"),
        means=_means(texts, known),
        rows=[(say(f"realised.row.{name}"), value) for name, value in values.items()],
    )


def _means(texts: Texts, known: Realised) -> list[str]:
    say = texts.say
    if known.rate is None:
        return [say("realised.means.nothing"), say("realised.means.month")]
    told = [say(f"realised.means.{known.verdict}", hours=known.needed)]
    if known.verdict == "above":
        where = known.where and (texts.scope(f"operation/{known.where}") if "/" in known.where else texts.channel(known.where))
        most = say("realised.most", n=known.times, of=known.judged_false, kind=say(f"kind.{known.kind}"), where=where or say("common.none"))
        told += [most, say(f"realised.advice.{known.kind}")]
    if known.unanswered:
        told.append(say("realised.means.unanswered", n=known.unanswered))
    return [*told, say("realised.means.month")]
