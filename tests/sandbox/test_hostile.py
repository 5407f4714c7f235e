"""Hostile programs are contained on every rung, as root and as an ordinary user.

The programs: hostile_programs.py, and the fake passes of tests/cases/python_program.jsonl. What is
looked at after each of them: hostile_canaries.py. It takes six minutes and a machine on which
nobody else starts boxes, so it runs only with TRACEFACTORY_HOSTILE=1.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import hostile_canaries
import pytest
from hostile_programs import CASES
from sandbox_harness import ROOT, WALLED

from tracefactory.sandbox.interpreter import interpreter, interpreter_for_nobody

USER = 1000
LIMIT_S = 600

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64",
    reason="NOT TESTED: hostile programs make calls by their numbers on x86-64",
)


def ran(rung, command, **options):
    """The suite in a process of its own: all that it counts is its own."""
    done = subprocess.run(
        [*command, str(Path(hostile_canaries.__file__).name), rung],
        capture_output=True, text=True, timeout=LIMIT_S, check=False, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    print(f"{rung}: {sum(found['ran'].values())} programs; slowest: {found['slow']}")
    assert found["trouble"] == {}
    return found["ran"]


def contained(counts):
    """All of them ran."""
    assert sum(counts.values()) == len(CASES) + len(list(hostile_canaries.fakes()))
    assert counts["fakes"] >= 20


def test_there_are_enough_of_them_and_each_has_a_name():
    assert len(CASES) >= 90
    assert max(Counter(case.name for case in CASES).values()) == 1


EVERYWHERE = pytest.mark.skipif(
    not os.environ.get("TRACEFACTORY_HOSTILE"),
    reason="NOT TESTED HERE: minutes, and alone; .ci/run does, with TRACEFACTORY_HOSTILE=1",
)


@EVERYWHERE
@pytest.mark.parametrize("rung", WALLED)
def test_all_are_contained(rung):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    contained(ran(rung, [sys.executable], cwd=Path(__file__).parent, env=environment))


@pytest.fixture(scope="module")
def place():
    """A folder that an ordinary user owns, with all that the suite needs."""
    if os.getuid():
        pytest.skip("NOT TESTED AGAIN: this is an ordinary user already")
    if shutil.which("setpriv") is None:
        pytest.skip("NOT TESTED as an ordinary user: setpriv (util-linux) is absent")
    home = Path("/var/tmp", f"tracefactory-hostile-{os.getpid()}")
    shutil.rmtree(home, ignore_errors=True)
    (home / "tests/cases").mkdir(parents=True)
    (home / "tests/sandbox").mkdir()
    shutil.copytree(  # the package, following its links to the rooms at the top
        ROOT / "tracefactory", home / "tracefactory", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(hostile_canaries.FAKES, home / "tests/cases")
    for name in ("hostile_canaries.py", "hostile_programs.py"):
        shutil.copy(Path(__file__).with_name(name), home / "tests/sandbox")
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)
    yield home
    shutil.rmtree(home)


@EVERYWHERE
@pytest.mark.parametrize("rung", WALLED)
def test_all_are_contained_for_an_ordinary_user(rung, place):
    # In a process of its own: it changes where modules are looked for.
    prefix = subprocess.run(
        [sys.executable, "-c", _PREFIX], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()
    who = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--"]
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(place), "PYTHONPATH": str(place),
        "LD_LIBRARY_PATH": f"{prefix}/lib", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = [shutil.which("setpriv"), *who, interpreter(prefix)]
    contained(ran(rung, command, cwd=place / "tests/sandbox", env=environment))


_PREFIX = (
    f"from {interpreter_for_nobody.__module__} import interpreter_for_nobody as found\n"
    "print(found()[0])"
)


@EVERYWHERE
def test_without_walls_they_do_get_out():
    """Else a program that is held would say nothing. Not all: this machine may forbid some too."""
    if os.getuid():
        pytest.skip("NOT TESTED: only root can do all that they try")
    trying = [case.name for case in CASES if case.sings]
    silent = hostile_canaries.silent()
    assert len(trying) > 90
    assert len(silent) < len(trying) // 5, silent
