"""The only SQLite connections and their one writer thread.

`state.sqlite` keeps the state of the pass, alerts, checklists, audit and the outbox of critical messages: WAL, synchronous=FULL, and what
one event leaves behind is one transaction, durable before the broker hears of it. `telemetry.sqlite` may be lost at any time.
Numbers of messages are given in memory out of blocks that are reserved on disk, so they ascend over every restart and every kill.
"""

from __future__ import annotations

from agent.store.files import StoreUnusable
from agent.store.schema import Audit, Commit, Message, Row, StoreTrouble
from agent.store.store import Desk, Store, StoreCounters

__all__ = ["Audit", "Commit", "Desk", "Message", "Row", "Store", "StoreCounters", "StoreTrouble", "StoreUnusable"]
