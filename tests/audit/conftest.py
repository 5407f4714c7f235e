"""One small release, made once; each test forges a copy of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from audit_harness import RECIPE, Forger

COMMAND = Path(sys.executable).with_name("tracefactory")


@pytest.fixture(scope="session")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    (folder / "recipe.yaml").write_text(RECIPE, "utf-8")
    done = subprocess.run(
        [COMMAND, "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run" / "dataset"


@pytest.fixture
def forger(honest, tmp_path):
    shutil.copytree(honest, tmp_path / "forged")
    return Forger(tmp_path / "forged")
