"""Tokens a second on one GPU: the factory, a bare client of the same server, and vLLM offline.

    python benchmarks/gpu.py --python VENV/bin/python [--rows 2000] [--tokens 512] [--rounds 5]
    python benchmarks/gpu.py --python VENV/bin/python --shape tiny --rows 60 --tokens 64 --rounds 1

The model has the shape of Llama 3.1 8B and dummy weights: what it says means nothing, how fast it
says it is as with any other. The same requests, each of so many tokens, in turns:

    factory   a recipe through the cluster: the `vllm` teacher's own server, journal, Parquet
    bare      aiohttp on that very server, as many in flight, nothing kept
    offline   LLM.generate, in a process of its own, once the server is gone

Without a GPU nothing is measured, and the exit code is 4; `--shape tiny` runs all the same, to see
that this file works: its figures say nothing about GPUs. Needs a Python with vLLM.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import orjson
from teacher import Lines, recipe_of

from tracefactory.cluster import DaskPool
from tracefactory.flow import Stop, run
from tracefactory.sources.families.make import make_problem
from tracefactory.sources.families.modular_sum import FAMILY
from tracefactory.store.home import RunFolder
from tracefactory.teachers.engine import warden
from tracefactory.teachers.engine.gpus import gpus, shares

SHAPES: dict[str, dict[str, int]] = {
    "8b": {
        "vocab_size": 128_256,
        "hidden_size": 4_096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "tiny": {
        "vocab_size": 512,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
    },
}
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
OFFLINE = """\
import json, sys, time
from vllm import LLM, SamplingParams
if __name__ == "__main__":
    given = json.load(open(sys.argv[1]))
    llm = LLM(model=given["model"], **given["engine"])
    sampling = SamplingParams(temperature=1.0, max_tokens=given["tokens"], ignore_eos=True)
    llm.generate(given["prompts"][:2], sampling, use_tqdm=False)
    rates = []
    for _ in range(given["rounds"]):
        start = time.monotonic()
        outputs = llm.generate(given["prompts"], sampling, use_tqdm=False)
        tokens = sum(len(one.outputs[0].token_ids) for one in outputs)
        rates.append(tokens / (time.monotonic() - start))
    json.dump(rates, open(given["result"], "w"))
"""


def dummy_model(folder: Path, shape: str) -> None:
    """A model without weights, and a tokeniser whose every number is a word."""
    sizes = SHAPES[shape]
    config = {
        **sizes,
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "max_position_embeddings": 8_192,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0,
        "tie_word_embeddings": False,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "torch_dtype": "bfloat16" if shape == "8b" else "float32",
    }
    vocabulary = {"<s>": 0, "</s>": 1, "<unk>": 2}
    vocabulary |= {f"w{n}": n for n in range(3, sizes["vocab_size"])}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {"id": n, "content": word, "special": True, **special}
            for word, n in list(vocabulary.items())[:3]
        ],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    }
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "chat_template": TEMPLATE,
    }
    for name, data in (
        ("config.json", config),
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", settings),
    ):
        (folder / name).write_bytes(orjson.dumps(data))


def statements(rows: int) -> list[str]:
    knobs = FAMILY.knobs()
    return [make_problem("modular_sum", knobs, 7, "train", i).statement for i in range(rows)]


def socket_below() -> str:
    """The socket of the server that a worker of ours has started."""
    for pid in warden.descendants(os.getpid()):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        if "--uds" in words and "-m" in words:
            return words[words.index("--uds") + 1]
    raise SystemExit("no server of ours is running")


async def bare(socket: str, args: argparse.Namespace, concurrency: int) -> float:
    """Tokens a second of a client that does nothing else."""
    left = iter(statements(args.rows))
    tokens = 0
    connector = aiohttp.UnixConnector(socket, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def place() -> None:
            nonlocal tokens
            for statement in left:
                body = {
                    "model": "dummy",
                    "messages": [{"role": "user", "content": statement}],
                    "temperature": 1.0,
                    "max_tokens": args.tokens,
                    "ignore_eos": True,
                }
                url = "http://vllm/v1/chat/completions"
                async with session.post(url, data=orjson.dumps(body), headers=JSON) as answer:
                    tokens += orjson.loads(await answer.read())["usage"]["completion_tokens"]

        start = time.monotonic()
        await asyncio.gather(*(place() for _ in range(concurrency)))
        return tokens / (time.monotonic() - start)


JSON = {"Content-Type": "application/json"}


def served(args: argparse.Namespace, model: Path, place: Path) -> dict[str, list[float]]:
    """The factory and the bare client, in turns, on one server."""
    teacher = {
        "kind": "vllm",
        "model": "dummy",
        "path": str(model),
        "revision": "dummy",
        "python": args.python,
        "engine": engine_of(args),
        "sampling": {"temperature": 1.0, "max_tokens": args.tokens, "send_seed": args.seeds},
        "extra": {"ignore_eos": True},
        "max_continuations": 0,
    }
    spec: dict[str, Any] = {"chunk": max(1, args.rows // 4), "teacher": teacher, "instruction": ""}
    found: dict[str, list[float]] = {"factory": [], "bare": []}
    with DaskPool(1, engines=shares(1, 1)) as pool:

        def generate(name: str, rows: int) -> float:
            with RunFolder(place / name) as home:
                run(recipe_of(spec, name, rows, until="problems"), home, pool, Lines(), Stop())
                start = time.monotonic()
                recipe = recipe_of(spec, name, rows, until="attempts")
                outcome = run(recipe, home, pool, Lines(), Stop())
                took = time.monotonic() - start
            return outcome.board.totals()["attempts"].counts["completion_tokens"] / took

        started = time.monotonic()
        generate("warm", 8)
        print(f"the server was up after {time.monotonic() - started:.0f} s", flush=True)
        for number in range(args.rounds):
            found["factory"].append(generate(f"run{number}", args.rows))
            found["bare"].append(asyncio.run(bare(socket_below(), args, args.concurrency)))
            shown = ", ".join(f"{name} {rates[-1]:,.0f}" for name, rates in found.items())
            print(f"round {number + 1}: tokens/s: {shown}", flush=True)
    return found


def offline(args: argparse.Namespace, model: Path, place: Path) -> list[float]:
    """LLM.generate with the same prompts."""
    given = {
        "model": str(model),
        "engine": engine_of(args),
        "prompts": statements(args.rows),
        "tokens": args.tokens,
        "rounds": min(args.rounds, 3),
        "result": str(place / "offline.json"),
    }
    (place / "given.json").write_bytes(orjson.dumps(given))
    (place / "offline.py").write_text(OFFLINE)
    env = {**os.environ, "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    command = [args.python, str(place / "offline.py"), str(place / "given.json")]
    with (place / "offline.log").open("wb") as log:
        done = subprocess.run(command, stdout=log, stderr=log, env=env, check=False)
    if done.returncode:
        raise SystemExit(f"LLM.generate failed:\n{(place / 'offline.log').read_text()[-4000:]}")
    rates: list[float] = json.loads((place / "offline.json").read_bytes())
    return rates


def engine_of(args: argparse.Namespace) -> dict[str, Any]:
    """Arguments of vLLM, the same for all."""
    engine: dict[str, Any] = {
        "load_format": "dummy", "max_model_len": 4096, "max_num_seqs": args.concurrency,
    }  # fmt: skip
    if args.shape == "tiny":
        engine |= {
            "enforce_eager": True,
            "kv_cache_memory_bytes": 1 << 28,
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": 16_384,
        }
    return engine


def show(found: dict[str, Sequence[float]]) -> None:
    """All, and each against the factory."""
    factory = statistics.median(found["factory"])
    for name, rates in found.items():
        middle = statistics.median(rates)
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        ratio = f"factory / {name} = {factory / middle:.3f}" if name != "factory" else ""
        print(f"{name:>8}: {middle:>9,.0f} tokens/s ({spread})  {ratio}")
    if found["bare"]:
        pairs = [f / b for f, b in zip(found["factory"], found["bare"], strict=True)]
        print(f"median of the pairs factory / bare: {statistics.median(pairs):.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--python", default=sys.executable, help="the Python that has vLLM")
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--seeds", action="store_true", help="a seed for each request")
    args = parser.parse_args()
    there = gpus()
    if not there and args.shape != "tiny":
        print("NOT MEASURED: there is no GPU here (nvidia-smi names none).")
        return 4
    print("; ".join(gpu.name for gpu in there) or "no GPU: this only shows that the script works")
    with TemporaryDirectory() as name:
        place = Path(name)
        model = place / "model"
        model.mkdir()
        dummy_model(model, args.shape)
        found: dict[str, Sequence[float]] = dict(served(args, model, place))
        found["offline"] = offline(args, model, place)
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
