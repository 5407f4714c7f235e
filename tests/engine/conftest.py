from dataclasses import dataclass
from pathlib import Path

import pytest
from engine_harness import SMALL, TAUGHT, Tree, run, tree, written


@dataclass(frozen=True)
class Reference:
    """An undisturbed run."""

    recipe: Path
    folder: Path
    dataset: Tree


def _reference(place: Path, text: str) -> Reference:
    recipe = written(place, text)
    run(recipe, place / "run", "--inline")
    return Reference(recipe, place / "run", tree(place / "run" / "dataset"))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """A solver's attempts in rounds, checked, filtered, deduplicated, published."""
    return _reference(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """A teacher and a checker by address, one round."""
    return _reference(tmp_path_factory.mktemp("taught"), TAUGHT)
