"""Real vLLM, in the Python that TRACEFACTORY_VLLM_PYTHON names; without it all is skipped."""

import importlib.util
import os

import pytest
from vllm_harness import Counted

PYTHON = os.environ.get("TRACEFACTORY_VLLM_PYTHON", "")
ABSENT = [name for name in ("torch", "safetensors") if importlib.util.find_spec(name) is None]


def _why_not():
    if not PYTHON:
        return "REAL vLLM WAS NOT TESTED: TRACEFACTORY_VLLM_PYTHON names no Python that has it"
    if ABSENT:
        return f"REAL vLLM WAS NOT TESTED: no {', '.join(ABSENT)} to train its model with"
    return ""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a model that answers some of its problems right."""
    if _why_not():
        pytest.skip(_why_not())
    from tiny_model import train_tiny

    return train_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def counted(tmp_path_factory):
    return Counted(tmp_path_factory.mktemp("counted") / "requests")


@pytest.fixture(scope="session")
def settings(tiny, counted):
    """Of the teacher, as a recipe says them."""
    return {
        "kind": "vllm",
        "model": "tiny",
        "path": str(tiny),
        "python": PYTHON,
        "license": "Apache-2.0",
        "engine": {
            "max_model_len": 512,
            "max_num_seqs": 32,
            "kv_cache_memory_bytes": 1 << 28,
            "middleware": ["counting_server.Counting"],
        },
        "sampling": {"temperature": 0.8, "max_tokens": 200},
        "env": counted.env,
        "start_s": 600.0,
    }
