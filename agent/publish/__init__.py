"""MQTT: what the broker is told, and the commands that come from it."""

from __future__ import annotations

from agent.publish.client import Publisher
from agent.publish.payloads import Status
from agent.publish.statistics import Statistics, Timing
from agent.publish.topics import Topics

__all__ = ["Publisher", "Statistics", "Status", "Timing", "Topics"]
