"""The whole pass without I/O, thread or clock."""

from __future__ import annotations

from agent.monitor.monitor import Monitor, MonitorState, holds

__all__ = ["Monitor", "MonitorState", "holds"]
