"""Without the extra, the command says what to install."""

import subprocess
import sys

import pytest
from conftest import ABSENT

WITHOUT = """
import sys
sys.modules["torch"] = None
from tracefactory.cli import main
sys.argv = ["tracefactory", *sys.argv[1:]]
main()
"""


def test_all_is_there_that_the_other_tests_need():
    if ABSENT:
        pytest.skip(f"{', '.join(ABSENT)} absent: pip install -e '.[prove]'; prove goes untested")


@pytest.mark.parametrize("command", [["prove", "."], ["loop"]])
def test_without_torch_the_message_names_the_remedy(command, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *command], cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "training needs torch, and" in done.stderr
    assert "is not installed: pip install 'tracefactory[prove]'" in done.stderr


def test_help_needs_no_torch():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "prove", "--help"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "--seeds" in done.stdout
