"""What the factory costs between a teacher and the disk, and whether it keeps a teacher busy.

    python benchmarks/teacher.py fake    [--rows 8000] [--rounds 5]
    python benchmarks/teacher.py latency [--rounds 3]
    python benchmarks/teacher.py faults  [--seconds 120]
    python benchmarks/teacher.py vllm    --python VENV/bin/python [--model FOLDER] [--rounds 5]

Against the fake server of the tests (fake, latency, faults), or a real vLLM (vllm), in turns within
one run:

    factory   `generate` by a worker with an engine's lane, as a recipe runs it: keys, journal, rate
              control, Parquet, receipts. Problems are made before the clock starts.
    own loop  the least that keeps what was paid for, in this file: aiohttp, a CRC journal with an
              fsync every 200 ms, Parquet at the end. No resume, no retries, no rate control.
    bare      aiohttp and nothing else: the ceiling of client and server together.

A run's time goes from the first request at the server until all rows are on disk; imports and the
start of the cluster are left out for all. CPU is that of the client's processes, all of them.

`fake`: the server answers at once, so that rows/s is what the client costs. Aim: at least 0.6 of
the own loop. `latency`: answers take 100 ms (64 in flight), then 2 s (512 in flight); the ideal is
concurrency / latency. Aim: at least 0.97 of the own loop. `faults`: 90 % of the answers are 429 for
two minutes; 5,000 requests of which 20 % fail in all ways. Aims: progress in every ten seconds, the
cap reached again, every row there once and none wrong for the server's faults. `vllm`: answers of
512 tokens by a small model. Aim: at least 0.97 of the bare client's tokens/s, median of pairs.

Exit 1 if an aim is missed. Needs psutil (the `test` extra); `vllm` without --model needs torch too.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "teachers"))

from fake_server import FakeServer, fake_server  # noqa: E402

Spec = dict[str, Any]
"""What a child does, as JSON."""
Figures = dict[str, Any]
"""What it says of it, as JSON."""

INSTRUCTION = "Put the final answer in \\boxed{}. " + "Work step by step and check each one. " * 14
"""Makes a prompt of about 600 characters."""
ANSWER_CHARS = 4000
console = Console(highlight=False)


# -- the clients, each in a process of its own ----------------------------------------------------


def bodies(spec: Spec) -> Iterator[bytes]:
    """The requests that the factory makes, one by one."""
    from tracefactory.sources.families.make import make_problem
    from tracefactory.sources.families.modular_sum import FAMILY
    from tracefactory.stages.generate import attempt_seed, user_turn

    knobs = FAMILY.knobs()
    for index in range(spec["rows"]):
        problem = make_problem("modular_sum", knobs, 7, "train", index)
        content = user_turn(problem.statement, spec["instruction"])
        yield orjson.dumps(
            {
                "model": spec["model"],
                "messages": [{"role": "user", "content": content}],
                "seed": attempt_seed(7, problem.id, spec["model"], 0),
                **spec["fields"],
            }
        )


async def ask_all(spec: Spec, requests: Iterator[bytes], keep: Any) -> int:
    """Send all with so many in flight; the tokens that came back."""
    import aiohttp

    url, headers = f"{spec['base_url']}/chat/completions", {"Content-Type": "application/json"}
    tokens = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal tokens
        for body in requests:
            async with session.post(url, data=body, headers=headers) as response:
                answer = orjson.loads(await response.read())
            keep(body, answer["choices"][0])
            tokens += answer["usage"]["completion_tokens"]

    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await asyncio.gather(*[worker(session) for _ in range(spec["concurrency"])])
    return tokens


def bare(spec: Spec) -> Figures:
    """Nothing but aiohttp."""
    import uvloop

    made = iter(list(bodies(spec)))
    count = 0

    def keep(body: bytes, choice: Any) -> None:
        nonlocal count
        count += len(choice["message"]["content"] or "") > 0

    start, cpu = time.monotonic(), time.process_time()
    tokens = uvloop.run(ask_all(spec, made, keep))
    end = time.monotonic()
    cpu = time.process_time() - cpu
    return {"start": start, "end": end, "cpu_s": cpu, "rows": count, "tokens": tokens}


def own(spec: Spec) -> Figures:
    """The least that keeps what was paid for."""
    import google_crc32c
    import uvloop

    made = iter(list(bodies(spec)))
    folder = Path(spec["folder"])
    folder.mkdir(parents=True)
    journal = os.open(folder / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    rows: list[dict[str, Any]] = []
    pa.Table.from_pylist([{"start-up": "imports what it needs"}])

    def keep(body: bytes, choice: Any) -> None:
        asked = orjson.loads(body)
        prompt, text = asked["messages"][-1]["content"], choice["message"]["content"]
        row = {
            "seed": asked["seed"],
            "prompt": prompt,
            "text": text,
            "finish_reason": choice["finish_reason"],
            "answer": text.rpartition("\\boxed{")[2].partition("}")[0],
        }
        line = orjson.dumps(row)
        os.write(journal, b"%08x %b\n" % (google_crc32c.value(line), line))
        rows.append(row)

    async def whole() -> int:
        async def sync() -> None:
            while True:
                await asyncio.sleep(0.2)
                await asyncio.to_thread(os.fsync, journal)

        syncing = asyncio.ensure_future(sync())
        try:
            return await ask_all(spec, made, keep)
        finally:
            syncing.cancel()

    start, cpu = time.monotonic(), time.process_time()
    tokens = uvloop.run(whole())
    os.fsync(journal)
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet", compression="zstd")
    end = time.monotonic()
    cpu = time.process_time() - cpu
    return {"start": start, "end": end, "cpu_s": cpu, "rows": len(rows), "tokens": tokens}


class Lines:
    """A watcher that prints what it is told, with the time."""

    def show(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        print(f"{time.monotonic():.1f} {text}", file=sys.stderr, flush=True)


def cpu_of_tree() -> float:
    """CPU seconds of this process and all below it, so far."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def recipe_of(spec: Spec, name: str, rows: int, *, until: str) -> Any:
    """The recipe, up to one of its stages."""
    from tracefactory.recipe import build_recipe

    stages = {
        "problems": {
            "use": "sample",
            "chunk": {"rows": spec["chunk"]},
            "families": [{"name": "modular_sum", "count": rows}],
        },
        "attempts": {
            "use": "generate",
            "from": "problems",
            "teacher": spec["teacher"],
            "prompt": {"template": "plain"},
            "instruction": spec["instruction"],
        },
        "verdicts": {"use": "verify", "from": "attempts"},
        "kept": {"use": "filter", "from": "verdicts", "keep": ["status = 'correct'"]},
        "unique": {"use": "dedupe", "from": "kept"},
        "dataset": {"use": "publish", "from": "unique"},
    }
    names = list(stages)[: list(stages).index(until) + 1]
    return build_recipe({"name": name, "seed": 7, "stages": {n: stages[n] for n in names}})


def factory(spec: Spec) -> Figures:
    """The factory's own way, with a cluster: one worker for the CPU, one with an engine's lane."""
    from tracefactory.cluster import DaskPool
    from tracefactory.flow import Stop, run
    from tracefactory.store.home import RunFolder

    folder, watch = Path(spec["folder"]), Lines()
    with DaskPool(1, engines=[{}]) as pool:
        with RunFolder(folder / "warm") as home:
            run(recipe_of(spec, "warm", 2, until="attempts"), home, pool, watch, Stop())
        with RunFolder(folder / "run") as home:
            run(recipe_of(spec, "run", spec["rows"], until="problems"), home, pool, watch, Stop())
            if spec.get("reset"):
                urllib.request.urlopen(urllib.request.Request(spec["reset"], b"{}")).read()
            start, cpu = time.monotonic(), cpu_of_tree()
            recipe = recipe_of(spec, "run", spec["rows"], until=spec["until"])
            outcome = run(recipe, home, pool, watch, Stop())
            end = time.monotonic()
            cpu = cpu_of_tree() - cpu
            asked = (r.started for r in home.receipts if r.slot.startswith("attempts/"))
            start = max(start, min(asked) - time.time() + time.monotonic())  # after the planning
    counts = outcome.board.totals()["attempts"].counts
    return {
        "start": start,
        "end": end,
        "cpu_s": cpu,
        "rows": counts["attempts"],
        "tokens": counts.get("completion_tokens", 0),
    }


CLIENTS = {"bare": bare, "own": own, "factory": factory}


def child(client: str, spec: Spec) -> Figures:
    """Run one client to its end.

    Raises:
        CalledProcessError: it failed; what it said is on stderr.
    """
    command = [sys.executable, __file__, "child", client, json.dumps(spec)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def spec_of(base_url: str, rows: int, concurrency: int, place: Path, **more: Any) -> Spec:
    """The same work for each client."""
    teacher = {
        "kind": "openai",
        "model": more.get("model", "fake"),
        "base_url": base_url,
        "concurrency": concurrency,
        **more.pop("teacher", {}),
    }
    return {
        "base_url": base_url,
        "rows": rows,
        "concurrency": concurrency,
        "folder": str(place / f"{time.monotonic_ns()}"),
        "model": "fake",
        "fields": {},
        "instruction": INSTRUCTION,
        "chunk": 1000,
        "until": "attempts",
        "teacher": teacher,
        **more,
    }


def in_turns(rounds: int, clients: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Every client once a round, each round beginning with another."""
    for number in range(rounds):
        at = number % len(clients)
        for client in (*clients[at:], *clients[:at]):
            yield number, client


def forgetting(server: FakeServer, spec: Spec) -> Spec:
    """The server forgets what came before the clock starts."""
    return {**spec, "reset": f"http://127.0.0.1:{server.port}/reset"}


def at_the_fake(server: FakeServer, client: str, spec: Spec) -> Figures:
    """One run against the fake server, with what that saw."""
    server.reset()
    cpu = server.cpu_s()
    found = child(client, forgetting(server, spec))
    seen = server.seen()
    if seen["answered"] != spec["rows"] or found["rows"] != spec["rows"]:
        raise SystemExit(f"{client}: {found['rows']} rows, {seen['answered']} answers")
    return {
        **found,
        "seconds": found["end"] - seen["first"],
        "window": seen["last"] - seen["first"],
        "server_cpu_s": server.cpu_s() - cpu,
        "peak": seen["peak"],
    }


def median(found: Sequence[Figures], of: Any) -> float:
    return statistics.median(of(one) for one in found)


def spread(found: Sequence[Figures], of: Any, form: str) -> str:
    """The median with the least and the most."""
    values = [of(one) for one in found]
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def verdict(good: bool) -> str:
    return "[green]reached[/]" if good else "[red]missed[/]"


# -- fake -----------------------------------------------------------------------------------------


def measure_fake(args: argparse.Namespace) -> tuple[bool, Figures]:
    found: dict[str, list[Figures]] = {name: [] for name in ("bare", "own", "factory")}
    with fake_server(answer_chars=ANSWER_CHARS) as server, TemporaryDirectory() as place:
        for number, client in in_turns(args.rounds, list(found)):
            spec = spec_of(server.base_url, args.rows, 256, Path(place))
            one = at_the_fake(server, client, spec)
            found[client].append(one)
            rate = args.rows / one["seconds"]
            console.print(f"round {number + 1}: {client:8} {rate:7,.0f} rows/s", style="dim")
    title = "a teacher that answers at once, 256 in flight"
    columns = ("client", "rows/s, median (range)", "of own loop", "CPU s / 1,000 rows", "server's")
    table = Table(*columns, title=title)
    rate = lambda one: args.rows / one["seconds"]  # noqa: E731
    ratios = {
        name: statistics.median(
            rate(one) / rate(base) for one, base in zip(ones, found["own"], strict=True)
        )
        for name, ones in found.items()
    }
    for name, ones in found.items():
        table.add_row(
            name,
            spread(ones, rate, ",.0f"),
            f"{ratios[name]:.2f}",
            f"{median(ones, lambda one: 1000 * one['cpu_s'] / args.rows):.2f}",
            f"{median(ones, lambda one: 1000 * one['server_cpu_s'] / args.rows):.2f}",
        )
    console.print(table)
    good = ratios["factory"] >= 0.6
    console.print(f"aim: at least 0.60 of the own loop: {verdict(good)}")
    return good, {"rows": args.rows, "runs": found, "of_own": ratios}


# -- latency --------------------------------------------------------------------------------------

LATENCIES = ((0.1, 64, 150), (2.0, 512, 6))
"""Seconds, requests in flight, waves."""


def measure_latency(args: argparse.Namespace) -> tuple[bool, Figures]:
    table = Table("latency", "in flight", "client", "rows/s", "of the ideal, median (range)",
                  "of own loop", title="does it fill the concurrency?")  # fmt: skip
    good, kept = True, {}
    with fake_server(answer_chars=ANSWER_CHARS) as server, TemporaryDirectory() as place:
        for latency_s, concurrency, waves in LATENCIES:
            server.control(latency_s=latency_s)
            rows, ideal = waves * concurrency, concurrency / latency_s
            found: dict[str, list[Figures]] = {"own": [], "factory": []}
            for _, client in in_turns(args.rounds, list(found)):
                spec = spec_of(server.base_url, rows, concurrency, Path(place))
                found[client].append(at_the_fake(server, client, spec))
            share = lambda one, n=rows, top=ideal: n / one["window"] / top  # noqa: E731
            of_own = statistics.median(
                share(one) / share(base)
                for one, base in zip(found["factory"], found["own"], strict=True)
            )
            good &= of_own >= 0.97
            for name, ones in found.items():
                table.add_row(
                    f"{latency_s:g} s",
                    str(concurrency),
                    name,
                    f"{ideal * median(ones, share):,.0f} of {ideal:,.0f}",
                    spread(ones, share, ".3f"),
                    f"{of_own:.3f}" if name == "factory" else "",
                )
            kept[f"{latency_s:g}s"] = {"runs": found, "of_own": of_own, "rows": rows}
    console.print(table)
    console.print(f"aim: at least 0.97 of the own loop: {verdict(good)}")
    return good, kept


# -- faults ---------------------------------------------------------------------------------------

STORM_CAP, STORM_LATENCY_S = 64, 0.2
STEP_S = 10


def storm(args: argparse.Namespace) -> tuple[bool, Figures]:
    """Most answers are 429, for two minutes."""
    rows = int(STORM_CAP / STORM_LATENCY_S * 40)
    marks: dict[str, float] = {}
    with fake_server(latency_s=STORM_LATENCY_S) as server, TemporaryDirectory() as place:

        def weather() -> None:
            while server.seen()["answered"] < STORM_CAP * 10:
                time.sleep(0.1)
            marks["begins"] = time.monotonic()
            server.control(too_many=0.9)
            time.sleep(args.seconds)
            marks["ends"] = time.monotonic()
            server.control(too_many=0.0)

        threading.Thread(target=weather, daemon=True).start()
        spec = spec_of(server.base_url, rows, STORM_CAP, Path(place), chunk=2000)
        child("factory", forgetting(server, spec))
        seen = server.seen()
    if "ends" not in marks:
        raise SystemExit("the run was over before the storm: fewer --seconds")
    return _weather_report(seen, marks, rows)


def _weather_report(seen: Figures, marks: dict[str, float], rows: int) -> tuple[bool, Figures]:
    width = 0.25
    origin = seen["first"] // width * width
    bins = [(origin + at, good, bad, peak) for at, good, bad, peak in seen["bins"]]
    begins, ends = marks["begins"], marks["ends"]
    title = f"90 % of the answers are 429 for {ends - begins:.0f} s; cap {STORM_CAP}"
    table = Table("seconds", "answers/s", "429/s", "most in flight", title=title)
    at = begins - STEP_S
    while at < seen["last"]:
        part = [b for b in bins if at <= b[0] < at + STEP_S]
        name = "" if at < begins else "storm" if at < ends - 1 else "after"
        table.add_row(
            f"{at - begins:+.0f} {name}",
            f"{sum(b[1] for b in part) / STEP_S:.1f}",
            f"{sum(b[2] for b in part) / STEP_S:.1f}",
            str(max((b[3] for b in part), default=0)),
        )
        at += STEP_S
    console.print(table)
    answers = [begins, *(b[0] for b in bins if begins <= b[0] < ends and b[1]), ends]
    gap = max(later - earlier for earlier, later in pairwise(answers))
    back = next((b[0] - ends for b in bins if b[0] > ends and b[3] >= STORM_CAP), None)
    during = sum(b[1] for b in bins if begins <= b[0] < ends)
    good = gap <= STEP_S and back is not None and seen["answered"] == rows and not seen["again"]
    console.print(
        f"{during} rows during the storm, longest wait for one {gap:.1f} s; the cap again "
        f"{'never' if back is None else f'{back:.1f} s'} after it; {seen['answered']} of {rows} "
        f"rows, {seen['again']} sent again: {verdict(good)}"
    )
    figures = {"during": during, "longest_gap_s": gap, "back_after_s": back, "bins": seen["bins"]}
    return good, figures


def fifth(args: argparse.Namespace) -> tuple[bool, Figures]:
    """A fifth of 5,000 requests fails, in all ways, through to the release."""
    faults = {"error": 0.06, "unavailable": 0.02, "reset": 0.06, "half": 0.03, "stall": 0.03}
    rows = 5000
    with fake_server(latency_s=0.02, **faults) as server, TemporaryDirectory() as place:
        spec = spec_of(server.base_url, rows, 256, Path(place), teacher={"timeout_s": 2.0})
        began = time.monotonic()
        child("factory", forgetting(server, {**spec, "until": "dataset"}))
        took, seen = time.monotonic() - began, server.seen()
        found: list[dict[str, Any]] = []
        for path in sorted(Path(spec["folder"]).glob("run/dataset/*/*.parquet")):
            if path.parent.name in ("sft", "rejected"):
                found += pq.read_table(path, columns=["id", "status"]).to_pylist()
    states = Counter(row["status"] for row in found)
    distinct = len({row["id"] for row in found})
    table = Table("requests", "failed at the server", "rows", "verdicts", "lost", "twice",
                  "sent again after an answer", title="a fifth of the requests fails")  # fmt: skip
    failed = {k: n for k, n in seen["outcomes"].items() if k != "ok"}
    table.add_row(
        f"{seen['requests']:,}",
        ", ".join(f"{n} {k}" for k, n in sorted(failed.items())),
        f"{distinct:,}",
        ", ".join(f"{n:,} {k}" for k, n in states.items()),
        str(rows - distinct),
        str(len(found) - distinct),
        str(seen["again"]),
    )
    console.print(table)
    good = states == {"correct": rows} and distinct == rows and seen["again"] == 0
    console.print(f"aim: {rows:,} rows, all correct, once: {verdict(good)} ({took:.0f} s)")
    return good, {"outcomes": seen["outcomes"], "states": states, "again": seen["again"]}


def measure_faults(args: argparse.Namespace) -> tuple[bool, Figures]:
    all_there, by_fifth = fifth(args)
    weathered, by_storm = storm(args)
    return all_there and weathered, {"fifth": by_fifth, "storm": by_storm}


# -- vllm -----------------------------------------------------------------------------------------

ENGINE = ["--enforce-eager", "--kv-cache-memory-bytes", "1073741824", "--dtype", "float32",
          "--max-model-len", "1024", "--max-num-seqs", "256", "--no-enable-chunked-prefill",
          "--max-num-batched-tokens", "16384", "--generation-config", "vllm",
          "--uvicorn-log-level", "warning", "--disable-uvicorn-access-log"]  # fmt: skip
"""Of a build for CPUs; on a GPU give --engine-arguments."""
ENGINE_ENV = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1",
              "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}  # fmt: skip
TOKENS = 512

OFFLINE = """
import json, sys, time
from vllm import LLM, SamplingParams
spec = json.loads(sys.argv[1])
if __name__ == "__main__":
    bodies = [json.loads(line) for line in open(spec["bodies"])]
    llm = LLM(spec["model"], **spec["engine"])
    parameters = [SamplingParams(temperature=1.0, seed=b["seed"], max_tokens=b["max_tokens"],
                                 ignore_eos=True) for b in bodies]
    for count in (8, len(bodies)):
        start = time.monotonic()
        outs = llm.chat([b["messages"] for b in bodies[:count]], parameters[:count], use_tqdm=False)
        seconds = time.monotonic() - start
    tokens = sum(len(out.outputs[0].token_ids) for out in outs)
    with open(spec["result"], "w") as file:
        json.dump({"tokens": tokens, "seconds": seconds}, file)
"""


def tiny_model(folder: Path) -> Path:
    """A small model with chance weights: what it says does not matter, only that it goes on."""
    import torch

    from tracefactory.prove.model import Size, SmallLlama
    from tracefactory.prove.save import save_model
    from tracefactory.prove.tokens import tokens_of

    torch.manual_seed(7)
    tokens = tokens_of([chr(code) for code in range(32, 127)] + ["\n", "≡"])
    model = SmallLlama(Size(len(tokens), positions=1024), 7)
    save_model(folder, model.train(False), tokens)
    return folder


@contextmanager
def vllm_server(python: str, model: Path, arguments: list[str], log: Path) -> Iterator[str]:
    """A server of real vLLM; its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "tiny"]
    module = "vllm.entrypoints.launchers.api_server.entry"
    command = [python, "-m", module, "--model", str(model), *where, *arguments]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **ENGINE_ENV},
            start_new_session=True,
        )  # fmt: skip
    try:
        _await_health(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.5)
    raise SystemExit(f"vLLM did not start:\n{log.read_text()[-4000:]}")


def offline(args: argparse.Namespace, model: Path, spec: Spec, place: Path) -> Figures:
    """`LLM.generate` over the same requests, in vLLM's own environment."""
    path = place / "bodies.jsonl"
    path.write_bytes(b"".join(body + b"\n" for body in bodies(spec)))
    engine = {
        "enforce_eager": True,
        "kv_cache_memory_bytes": 1 << 30,
        "dtype": "float32",
        "max_model_len": 1024,
        "max_num_seqs": 256,
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": 16384,
    }
    result = place / "offline.json"
    given = {
        "model": str(model),
        "bodies": str(path),
        "result": str(result),
        "engine": {} if args.gpu else engine,
    }
    script = place / "offline.py"
    script.write_text(OFFLINE)
    with (place / "offline.log").open("wb") as log:
        done = subprocess.run(
            [args.python, str(script), json.dumps(given)], stdout=log, stderr=log,
            env={**os.environ, **ENGINE_ENV}, check=False,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"LLM.generate failed:\n{(place / 'offline.log').read_text()[-4000:]}")
    return json.loads(result.read_bytes())


def measure_vllm(args: argparse.Namespace) -> tuple[bool, Figures]:
    found: dict[str, list[Figures]] = {"bare": [], "factory": []}
    fields = {"temperature": 1.0, "max_tokens": TOKENS, "ignore_eos": True}
    teacher = {
        "sampling": {"temperature": 1.0, "max_tokens": TOKENS},
        "extra": {"ignore_eos": True},
        "max_continuations": 0,
    }
    with TemporaryDirectory() as name:
        place = Path(name)
        model = args.model or tiny_model(place / "model")
        arguments = args.engine_arguments.split() if args.engine_arguments else ENGINE

        def spec(base_url: str, rows: int) -> Spec:
            same = {"model": "tiny", "fields": fields, "instruction": "", "teacher": teacher}
            return spec_of(base_url, rows, 256, place, **same)

        with vllm_server(args.python, model, arguments, place / "vllm.log") as base_url:
            child("bare", spec(base_url, 32))  # the first requests are slower
            for number, client in in_turns(args.rounds, list(found)):
                one = child(client, spec(base_url, args.rows))
                if one["tokens"] != args.rows * TOKENS:
                    raise SystemExit(f"{client}: {one['tokens']} tokens, not {args.rows * TOKENS}")
                one["rate"] = one["tokens"] / (one["end"] - one["start"])
                found[client].append(one)
                console.print(f"pair {number + 1}: {client:8} {one['rate']:8,.0f}/s", style="dim")
        alone = offline(args, model, spec("", args.rows), place)
    return _compared(found, alone, args.rows)


def _compared(found: dict[str, list[Figures]], alone: Figures, rows: int) -> tuple[bool, Figures]:
    rate = lambda one: one["rate"]  # noqa: E731
    ratio = statistics.median(
        mine["rate"] / theirs["rate"]
        for mine, theirs in zip(found["factory"], found["bare"], strict=True)
    )
    offline_rate = alone["tokens"] / alone["seconds"]
    table = Table("client", "tokens/s, median (range)", "of the bare client", "of LLM.generate",
                  "CPU s / 1,000 rows",
                  title=f"{rows} answers of {TOKENS} tokens by vLLM, 256 in flight")  # fmt: skip
    for name, ones in found.items():
        table.add_row(
            name,
            spread(ones, rate, ",.0f"),
            f"{ratio:.3f}" if name == "factory" else "",
            f"{median(ones, rate) / offline_rate:.3f}",
            f"{median(ones, lambda one: 1000 * one['cpu_s'] / rows):.2f}",
        )
    table.add_row("LLM.generate", f"{offline_rate:,.0f}", "", "1", "")
    console.print(table)
    good = ratio >= 0.97
    console.print(f"aim: at least 0.97 of the bare client, median of pairs: {verdict(good)}")
    return good, {"runs": found, "of_bare": ratio, "offline": alone}


# -- the command ----------------------------------------------------------------------------------


def main() -> int:
    if sys.argv[1:2] == ["child"]:
        print(json.dumps(CLIENTS[sys.argv[2]](json.loads(sys.argv[3]))))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are ended too
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    commands = parser.add_subparsers(required=True)

    def add(name: str, measure: Any, rounds: int) -> argparse.ArgumentParser:
        sub = commands.add_parser(name)
        sub.set_defaults(measure=measure, name=name)
        sub.add_argument("--rounds", type=int, default=rounds)
        sub.add_argument("--json", type=Path, default=argparse.SUPPRESS)
        return sub

    add("fake", measure_fake, 5).add_argument("--rows", type=int, default=8000)
    add("latency", measure_latency, 3)
    add("faults", measure_faults, 1).add_argument("--seconds", type=int, default=120)
    real = add("vllm", measure_vllm, 5)
    real.add_argument("--python", default=sys.executable, help="of the environment with vLLM")
    real.add_argument("--model", type=Path, help="folder of a model with a chat template")
    real.add_argument("--rows", type=int, default=512)
    real.add_argument("--engine-arguments", default="", help="instead of those for CPUs")
    real.add_argument("--gpu", action="store_true", help="LLM.generate with its own defaults")
    args = parser.parse_args()
    good, figures = args.measure(args)
    if args.json:
        args.json.write_bytes(orjson.dumps({args.name: figures}, option=orjson.OPT_INDENT_2))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
