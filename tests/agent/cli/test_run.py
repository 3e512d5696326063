"""`broche run`: what it refuses before anything is opened."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.agent_process import broche, environment
from tests.support.house import ROOT


@pytest.mark.parametrize(("language", "remedy"), [("fr", "pour une vraie machine, écrire le vrai port"), ("en", "write the real port")])
def test_the_machine_file_of_the_demo_is_for_the_demo(language: str, remedy: str, tmp_path: Path) -> None:
    """Its ports are filled in by `demo`: without that, a page would come up that can never show anything but LOST."""
    command = [*broche(), "run", str(ROOT / "config" / "demo.toml"), "--state", str(tmp_path / "state"), "--lang", language]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert remedy in done.stderr
    assert "`broche demo`" in done.stderr
    assert not (tmp_path / "state").exists()
