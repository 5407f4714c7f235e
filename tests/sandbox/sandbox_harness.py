"""Running programs behind walls in tests: by rung, as root and as an ordinary user."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tracefactory.sandbox.box import Box
from tracefactory.sandbox.interpreter import _copied_interpreter, _open_to_all, interpreter
from tracefactory.sandbox.limits import Limits

ROOT = Path(__file__).parents[2]
USER = 12_345
NEEDS_BWRAP = pytest.mark.skipif(
    shutil.which("bwrap") is None,
    reason="bubblewrap is absent: apt-get install bubblewrap; its rung goes untested",
)
WALLED = ["namespaces", pytest.param("bwrap", marks=NEEDS_BWRAP), "landlock"]
ALL_RUNGS = [*WALLED, "none-unsafe"]


def run(pool, program, stdin=b"", **limits):
    with Box(pool, Limits(**limits), stdin) as box:
        box.send({"job": "program", "program": program})
        return box.finish()


def said(pool, program, stdin=b"", **limits):
    ending = run(pool, program, stdin, **limits)
    assert ending.exit_code == 0, ending
    return ending.stdout.decode().strip()


def ordinary_user(tmp_path):
    """(command, options of subprocess) for Python as somebody who is not root."""
    sources = ROOT
    env = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    if os.getuid():
        return [interpreter()], {"env": env | {"PYTHONPATH": str(sources)}, "cwd": "/"}
    prefix = sys.base_prefix
    if not _open_to_all(os.path.realpath(prefix)):
        prefix = _copied_interpreter()
    # A user's own place, all of whose parents may be entered.
    home = Path("/var/tmp", f"tracefactory-test-{os.getpid()}")
    shutil.rmtree(home, ignore_errors=True)
    package = home / "tracefactory"
    shutil.copytree(ROOT / "tracefactory/sandbox", package / "sandbox")
    (package / "__init__.py").write_text("")
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)
    env |= {"HOME": str(home), "PYTHONPATH": str(home), "LD_LIBRARY_PATH": f"{prefix}/lib"}
    who = {"user": USER, "group": USER, "extra_groups": []}
    return [interpreter(prefix)], {"env": env, "cwd": "/", **who}


@contextlib.contextmanager
def as_ordinary_user(tmp_path):
    """A function that runs a script as somebody who is not root, and returns what it printed."""
    command, options = ordinary_user(tmp_path)

    def ask(script, *arguments):
        done = subprocess.run(
            [*command, "-c", script, *arguments],
            capture_output=True, text=True, timeout=120, check=False, **options,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    try:
        yield ask
    finally:
        if options["env"]["HOME"] != str(tmp_path):
            shutil.rmtree(options["env"]["HOME"], ignore_errors=True)


def descendants(pid):
    """{pid: start time} of all processes below this one."""
    found, waiting = {}, [pid]
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                for child in Path(f"/proc/{one}/task/{task}/children").read_text().split():
                    found[int(child)] = started(int(child))
                    waiting.append(int(child))
    return found


def started(pid):
    """When a process began, in ticks; None if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def alive(processes):
    return {pid for pid, start in processes.items() if start and started(pid) == start}


def gone_in(seconds, processes):
    """The processes that are still there after so many seconds."""
    until = time.monotonic() + seconds
    while alive(processes) and time.monotonic() < until:
        time.sleep(0.02)
    return alive(processes)
