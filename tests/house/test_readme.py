"""What the README says is true: its commands, its recipe, its checker, its exit codes."""

import importlib
import re
from pathlib import Path

import pytest

from tracefactory.errors import Exit
from tracefactory.recipe import load_recipe, shipped_stages

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_it_has_exactly_two_commands_for_newcomers_one_line_each():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [command.rpartition("/")[2] for command in commands] == [
        "tracefactory run quickstart",
        "pytest -n auto",
    ]


def test_its_recipe_loads():
    recipe = load_recipe(next(b for b in blocks("yaml") if b.startswith("name:")))
    assert list(recipe.stages) == ["problems", "attempts", "verdicts", "kept", "unique", "dataset"]


def test_its_table_of_stages_is_the_list_of_stages():
    rows = re.findall(r"^\| `(\w+)` \|", README, flags=re.MULTILINE)
    assert sorted(rows) == shipped_stages()


def test_its_exit_codes_are_those_of_the_program():
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)]
    assert codes == [int(code) for code in Exit]


@pytest.mark.parametrize(
    ("reference", "response", "status", "reason"),
    [
        ("Friday", "It is a Friday.", "correct", "equal"),
        ("Friday", "<think>Friday?</think> Sunday", "incorrect", "different"),
        ("Friday", "Friday or Sunday", "incorrect", "several"),
        ("Friday", "I do not know", "no_answer", "no_weekday"),
        ("today", "Friday", "bad_reference", "no_weekday"),
    ],
)
def test_its_checker_works(tmp_path, monkeypatch, reference, response, status, reason):
    code = next(b for b in blocks("python") if "def judge" in b)
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
    (tmp_path / "weekday_of_readme.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    verdict = importlib.import_module("weekday_of_readme").judge(reference, response)
    assert (verdict.status, verdict.reason) == (status, reason)
