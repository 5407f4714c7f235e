"""Runs that are published, and the Hub they are published to."""

import subprocess
from pathlib import Path

import pytest
from hub_server import HubServer, hub
from publishing import COMMAND, environment

RECIPE = """\
name: set
seed: 7
stages:
  problems:
    use: sample
    chunk: {{rows: 50}}
    families:
      - {{name: gcd, count: {gcd}, split: {{test: 20}}}}
      - {{name: addition, count: 150}}
  attempts:
    use: generate
    from: problems
    teacher: {{kind: solver, slip_rate: 0.3}}
    attempts: {{min: 2, max: 4, until_correct: 1}}
  verdicts: {{use: verify, from: attempts, also: [steps]}}
  kept: {{use: filter, from: verdicts, keep: ["status = 'correct'", "{keep}"]}}
  dataset: {{use: publish, from: kept, shard: {{rows: 300}}}}
"""


def run(folder: Path, gcd: int = 150, keep: str = "n_false_steps = 0") -> Path:
    """A run folder with a release."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE.format(gcd=gcd, keep=keep), "utf-8")
    done = subprocess.run(
        [COMMAND, "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=folder, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run"


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("runs") / "base")


@pytest.fixture(scope="session")
def more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with four problems more."""
    return run(tmp_path_factory.mktemp("runs") / "more", gcd=154)


@pytest.fixture(scope="session")
def stricter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with some rows of sft gone to rejected."""
    return run(tmp_path_factory.mktemp("runs") / "stricter", keep="n_true_steps >= 2")


@pytest.fixture
def server(tmp_path: Path):
    with hub(tmp_path / "lfs") as running:
        yield running


@pytest.fixture
def environ(server: HubServer, tmp_path: Path) -> dict[str, str]:
    return environment(server, tmp_path / "home")
