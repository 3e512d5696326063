"""Words of MTConnect 2.x and OPC UA for Machine Tools (OPC 40501-1) for what Broche knows. Enumerated words are used verbatim."""

from __future__ import annotations

from agent.model import Alert

EXECUTION = frozenset(
    {
        "READY",
        "ACTIVE",
        "INTERRUPTED",
        "FEED_HOLD",
        "STOPPED",
        "OPTIONAL_STOP",
        "PROGRAM_STOPPED",
        "PROGRAM_COMPLETED",
        "WAIT",
        "PROGRAM_OPTIONAL_STOP",
        "UNAVAILABLE",
    }
)
"""MTConnectStreams 2.7, Execution."""

CONTROLLER_MODE = frozenset({"AUTOMATIC", "MANUAL", "MANUAL_DATA_INPUT", "SEMI_AUTOMATIC", "EDIT", "FEED_HOLD", "UNAVAILABLE"})
"""MTConnectStreams 2.7, ControllerMode."""

_CONDITION_CLASS = {"breakage": "ToolBreakageConditionClassType", "wear": "ToolChangeConditionClassType"}
"""OPC 40501-1, condition classes of an alert; it has none for the others."""


def word(text: str, words: frozenset[str]) -> str:
    """What the control says as a word of the standard; UNAVAILABLE where it says nothing or something else."""
    said = text.strip().upper().replace(" ", "_").replace("-", "_")
    return said if said in words else "UNAVAILABLE"


def condition(alert: Alert) -> str:
    """MTConnect Condition: Normal, Warning, Fault; Unavailable when a sensor is what the alert is about."""
    if alert.state == "cleared":
        return "Normal"
    if alert.kind == "sensor":
        return "Unavailable"
    return "Fault" if alert.severity == "urgent" else "Warning"


def condition_class(alert: Alert) -> str:
    """OPC 40501-1 BrowseName, '' where there is none."""
    return _CONDITION_CLASS.get(alert.kind, "")
