"""The false-alarm budget as `check` tells it: its arithmetic, and what each detector can see with its share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.machine_file import MachineFile
    from agent.texts import Texts


def budget(file: MachineFile) -> dict[str, Any]:
    """The figures."""
    import msgspec

    from agent.budget import alarms_per_hour
    from agent.detect.budget import EVALUATIONS_PER_HOUR, prediction_factor, probability
    from agent.detect.reach import CORRELATED, REPEATS, reaches

    monitoring = file.settings.monitoring
    rate = alarms_per_hour(monitoring.false_alarms) or 0.0
    p = probability(rate)
    return {
        "alarms_per_hour": rate,
        "evaluations_per_hour": EVALUATIONS_PER_HOUR,
        "evaluations_per_alarm": EVALUATIONS_PER_HOUR / rate,
        "probability": p,
        "factor_first": prediction_factor(monitoring.learn_cuts, monitoring.learn_cuts - 1, p),
        "factor_known": prediction_factor(monitoring.monitor_cuts, monitoring.monitor_cuts - 1, p),
        "assumed": {"spread": REPEATS, "correlated": CORRELATED},
        "detectors": [{**msgspec.structs.asdict(reach), "run_length": 1.0 / p} for reach in reaches(monitoring, p)],
    }


def lines(file: MachineFile, texts: Texts) -> list[str]:
    """What a person reads."""
    from agent.detect.budget import DETECTORS, PARTS_AN_HOUR, TOOLS

    say = texts.say
    monitoring = file.settings.monitoring
    figures = budget(file)
    told = [
        say("check.budget.says", budget=monitoring.false_alarms, hours=1.0 / figures["alarms_per_hour"]),
        say("check.budget.sum", tools=TOOLS, detectors=DETECTORS, parts=PARTS_AN_HOUR, product=figures["evaluations_per_hour"]),
        say("check.budget.share", evaluations=1.0 / figures["probability"]),
        say("check.budget.pace"),
        say("check.budget.first", n=monitoring.learn_cuts, factor=figures["factor_first"], percent=figures["factor_first"]),
        say("check.budget.known", n=monitoring.monitor_cuts, factor=figures["factor_known"], percent=figures["factor_known"]),
        say("check.budget.wear", percent=100.0 * monitoring.wear_limit),
        say("check.budget.sees", percent=100.0 * figures["assumed"]["spread"], correlated=figures["assumed"]["correlated"]),
    ]
    for reach in figures["detectors"]:
        kind = reach["detector"]
        told.append("  " + say(f"check.sees.{kind}", percent=100.0 * reach["change"], passes=reach["passes"], cuts=reach["cuts"]))
    return [*told, say("check.budget.realised")]
