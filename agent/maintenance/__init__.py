"""What goes with an alert: the diagnosis tree, its checklist, the tasks of first-level maintenance. Ids and keys only; texts elsewhere."""

from agent.maintenance.plan import MaintenancePlan, PlanError, Task, Tree, plan

__all__ = ["MaintenancePlan", "PlanError", "Task", "Tree", "plan"]
