"""The tests of boxes kill processes and count what is left: they want a machine to themselves."""

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    if os.environ.get("TRACEFACTORY_SANDBOX"):
        return
    skip = pytest.mark.skip(
        reason="NOT TESTED HERE: minutes, and alone; set TRACEFACTORY_SANDBOX=1"
    )
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)
