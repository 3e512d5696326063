"""What holds for every test: English unless it says otherwise, and in CI no skip that nobody foresaw."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

ALLOWED = Path(__file__).with_name("allowed_skips.txt")


def pytest_configure() -> None:
    os.environ["LANG"] = "C.UTF-8"
    os.environ.pop("BROCHE_PYTHON", None)


def unforeseen(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a skip may not stand in CI; '' if it may, or is none."""
    if not os.environ.get("CI") or not report.skipped or hasattr(report, "wasxfail"):
        return ""
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr).removeprefix("Skipped: ")
    lines = (line.strip() for line in ALLOWED.read_text(encoding="utf-8").splitlines())
    if any(reason.startswith(line) for line in lines if line and not line.startswith("#")):
        return ""
    return f"skipped in CI, and tests/{ALLOWED.name} does not allow it: {reason}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    why = unforeseen(report)
    if why:
        report.outcome, report.longrepr = "failed", why
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    why = unforeseen(report)
    if why:
        report.outcome, report.longrepr = "failed", why
    return report
