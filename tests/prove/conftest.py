"""What the tests of the extra `prove` share. Without torch none of them runs, and says so."""

import importlib.util

import pytest

NEEDED = ("torch", "safetensors", "tokenizers", "transformers")
ABSENT = [name for name in NEEDED if importlib.util.find_spec(name) is None]


def pytest_ignore_collect(collection_path):
    # test_absent.py says that they were left out
    return bool(ABSENT) and collection_path.name not in (
        "test_absent.py",
        "prove",
        "test_taught.py",
    )


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    if not ABSENT:
        import torch

        torch.set_num_threads(1)
