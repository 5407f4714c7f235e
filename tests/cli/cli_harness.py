"""Asking the command line as a user does: a process, its streams, its exit code."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMMAND = Path(sys.executable).with_name("tracefactory")


def ask(*arguments, cwd=None, text=None):
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        cwd=cwd, env=env, input=text, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def at_once(cases, cwd=None):
    """The answers to several commands, two asked at a time: most of it is waiting for imports."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda arguments: ask(*arguments, cwd=cwd), cases.values())
        return dict(zip(cases, found, strict=True))


def tracefactory(*arguments, cwd=None, code=0, text=None):
    done = ask(*arguments, cwd=cwd, text=text)
    assert done.returncode == code, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done


def answer(*arguments, **options):
    """The JSON on stdout, which must hold nothing else."""
    return json.loads(tracefactory(*arguments, "--json", **options).stdout)


def refused(answers, words):
    """Each ends with 2, says its word, and is no accident."""
    for said, word in zip(answers.values(), words, strict=True):
        assert said.returncode == 2, said.stderr
        assert "Traceback" not in said.stderr
        assert word in " ".join(said.stderr.replace("│", " ").split())
