"""The house stands: imports point down only, rooms are links, names take nobody else's."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("verifiers", "schemas", "pipelines")
MAY_IMPORT = {
    "schemas": ("tracefactory.schemas",),
    "verifiers": (
        "tracefactory.schemas",
        "tracefactory.verifiers",
        "tracefactory.sandbox",
        "tracefactory.killable",
    ),
    "pipelines": (),
    # processes under a parent's clock: what verifiers stand on stands on nothing
    "tracefactory/sandbox": (
        "tracefactory.sandbox",
        "tracefactory.killable",
        "tracefactory.schemas",
    ),
    "tracefactory/killable.py": ("tracefactory.killable", "tracefactory.schemas"),
}
TOP_LEVEL = {
    "pyproject.toml", "README.md", "tracefactory", "verifiers", "schemas", "pipelines", "tests",
    "LICENSE", "CHANGELOG.md", ".gitignore", "docs", "benchmarks", ".ci",
}  # fmt: skip


def python_files(*places):
    """Every Python file below these places, each once: links are not followed."""
    for place in places:
        path = ROOT / place
        if path.suffix == ".py":
            yield path
        for file in sorted(path.rglob("*.py")):  # rglob goes into no link
            if not set(file.relative_to(ROOT).parts[:-1]) & {"__pycache__", "build", ".venv"}:
                yield file


def imports(path):
    """(line, module) of every import, those inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
            if node.module == "tracefactory":  # `from tracefactory import store` names a room
                yield from ((node.lineno, f"tracefactory.{a.name}") for a in node.names)


def shown(path, line, module):
    return f"{path.relative_to(ROOT)}:{line} imports {module}"


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_imports_point_down(place):
    if not (ROOT / place).exists():
        pytest.skip(f"{place} is not built yet")
    wrong = [
        shown(path, line, module)
        for path in python_files(place)
        for line, module in imports(path)
        if module.partition(".")[0] == "tracefactory"
        and not any(module == ok or module.startswith(f"{ok}.") for ok in MAY_IMPORT[place])
    ]
    assert wrong == []


def test_nothing_imports_a_room_by_its_bare_name_or_by_dots():
    places = ("tracefactory", *ROOMS, "tests", "benchmarks")
    wrong = [
        shown(path, line, module)
        for path in python_files(*places)
        for line, module in imports(path)
        if module.startswith(".") or module.partition(".")[0] in ROOMS
    ]
    assert wrong == []


def test_only_the_driver_s_pool_knows_dask():
    """DESIGN 4.7 and STYLE 5: stages know nothing of Dask."""
    knows = {
        str(path.relative_to(ROOT))
        for path in python_files("tracefactory", *ROOMS)
        for _, module in imports(path)
        if module.partition(".")[0] in ("dask", "distributed")
    }
    assert knows <= {"tracefactory/cluster.py", "tracefactory/cli/doctor.py"}


def test_only_the_store_renames_files():
    """DESIGN 4.2. The command `doctor` probes the very call."""
    wrong = []
    for path in python_files("tracefactory", *ROOMS):
        where = str(path.relative_to(ROOT))
        if where.startswith("tracefactory/store/") or where == "tracefactory/cli/doctor.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                call = f"{node.value.id}.{node.attr}"
                if call in ("os.rename", "os.replace", "os.renames", "shutil.move"):
                    wrong.append(shown(path, node.lineno, call))
    assert wrong == []


def test_nothing_evaluates_text():
    """DESIGN 4.8: untrusted text never reaches eval, exec, sympify, parse_expr or pickle.

    But for the driver, which is what runs inside a box.
    """
    names = {"eval", "exec", "sympify", "parse_expr", "__import__"}
    wrong = []
    for path in python_files("tracefactory", *ROOMS):
        if path == ROOT / "tracefactory" / "sandbox" / "driver.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else None
                called = node.func.id if isinstance(node.func, ast.Name) else called
                if called in names:
                    wrong.append(shown(path, node.lineno, called))
        wrong += [
            shown(path, line, module)
            for line, module in imports(path)
            if module.partition(".")[0] in ("pickle", "cloudpickle", "dill", "marshal")
        ]
    assert wrong == []


@pytest.mark.parametrize("room", ["verifiers", "pipelines", "schemas"])
def test_no_file_of_a_room_has_a_standard_library_s_name(room):
    for path in (ROOT / room).iterdir():
        assert path.stem not in sys.stdlib_module_names, path


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_relative_links_without_init(room):
    link = ROOT / "tracefactory" / room
    assert link.is_symlink()
    assert str(link.readlink()) == f"../{room}"
    assert not (ROOT / room).is_symlink()
    assert list((ROOT / room).rglob("__init__.py")) == []


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"not a git checkout: {done.stderr.strip()}")
    return done.stdout


def test_git_keeps_the_links_as_links():
    listed = git("ls-files", "--stage", *(f"tracefactory/{room}" for room in ROOMS))
    assert [line.split()[0] for line in listed.splitlines()] == ["120000"] * 3


def test_the_top_level_holds_nothing_else():
    assert {line.partition("/")[0] for line in git("ls-files").splitlines()} <= TOP_LEVEL
    new = git("ls-files", "--others", "--exclude-standard")
    assert {line.partition("/")[0] for line in new.splitlines()} <= TOP_LEVEL


def test_test_files_have_names_of_their_own():
    """pytest imports them by their bare names, as there are no packages under tests/."""
    names = [path.stem for path in python_files("tests") if path.stem != "conftest"]
    assert sorted(names) == sorted(set(names))
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_what_asks_nobody_does_not_load_what_asks():
    """Most commands and workers ask nobody."""
    code = "import sys, tracefactory.cli.run, tracefactory.flow; print('aiohttp' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
