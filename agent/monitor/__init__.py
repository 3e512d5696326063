"""The whole pass without I/O, thread or clock."""

from __future__ import annotations

from agent.monitor.holds import holds
from agent.monitor.monitor import Monitor
from agent.monitor.state import MonitorState

__all__ = ["Monitor", "MonitorState", "holds"]
