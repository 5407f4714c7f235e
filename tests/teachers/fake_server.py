"""A server that speaks OpenAI's protocol, answers our families' problems rightly, and misbehaves.

    python tests/teachers/fake_server.py [--port 0 | --uds PATH] [--set FAULT=JSON ...]

prints its port (or its socket) in one line. `/v1/chat/completions`, `/v1/completions` and
`/v1/models` are for clients; `POST /control` changes the faults while it runs (a JSON object, the
names below), `GET /seen` says what came (`?bodies=1`: each body's hash and counts too), `POST
/reset` forgets that. In tests: `with fake_server(error=0.2) as server: ... server.seen()`.

A request is told from another by the hash of its body, so a test that counts them must have bodies
that differ (a seed in each does). A token is four characters.

Not here: streaming; HTTP beyond what clients send it (bodies with a Content-Length). It reads from
the socket itself, because the faults lie below HTTP and because it must cost a small part of what
the client costs that is measured against it.
"""

import argparse
import asyncio
import contextlib
import hashlib
import http.client
import json
import math
import random
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import orjson

TOKEN = 4
"""Characters of a token."""

BIN_S = 0.25
"""Width of the bins of `Seen.bins`."""


@dataclass
class Faults:
    """What goes wrong. Shares are of requests, each drawn on its own."""

    latency_s: float = 0.0
    """How long an answer takes; with `latency_sigma`, the median of a lognormal distribution."""
    latency_sigma: float = 0.0
    too_many: float = 0.0
    """Share answered 429."""
    retry_after: float | str | None = None
    """The Retry-After of a 429 or 503, as it shall stand there; None: no such header."""
    max_in_flight: int = 0
    """429 for what comes above so many at once; 0: no limit."""
    error: float = 0.0
    """Share answered 500."""
    unavailable: float = 0.0
    """Share answered 503."""
    reset: float = 0.0
    """Share whose connection is reset."""
    stall: float = 0.0
    """Share that never gets an answer."""
    half: float = 0.0
    """Share that gets half an answer, and then the end of the connection."""
    bad_json: float = 0.0
    """Share that gets a whole answer of status 200 that is half a JSON text."""
    bad_shape: float = 0.0
    """Share that gets JSON of status 200 without an answer in it."""
    hangup: float = 0.0
    """Share that is answered well, after which the connection closes unannounced."""
    fail_first: int = 0
    """So many first tries of every body meet the fault `fail_with`."""
    fail_with: str = "error"
    """too_many, error, unavailable, reset, stall, half, bad_json or bad_shape."""
    poison: list[str] = field(default_factory=list)
    """Requests with one of these texts in them always meet `fail_with`."""
    refuse: list[str] = field(default_factory=list)
    """Requests with one of these texts in them are answered `refuse_status`."""
    refuse_status: int = 400
    refuse_words: str = "this model will not answer that"
    too_long: list[str] = field(default_factory=list)
    """Requests with one of these texts in them are longer than the model's context (400)."""
    too_long_after: int = 0
    """Likewise requests that go on from a beginning of more tokens than this; 0: none."""
    usage: str = "right"
    """right, negative, strings, floats, absent, null, huge or list."""
    same_id: bool = False
    """Every answer has the same id."""
    reasoning: str = "inline"
    """Where the steps stand: `inline` (between tags in the text), `open` (likewise, the opening tag
    missing), `reasoning` or `reasoning_content` (a field of their own), `none` (nowhere)."""
    wrong: float = 0.0
    """Share of wrong answers, drawn by the body's hash: the same body, the same answer."""
    answer_chars: int = 0
    """Answers are at least so long."""
    usd_per_token: float = 0.0
    """Above 0, `usage.cost` says what the answer cost."""
    cached_tokens: int = 0
    """Of each prompt, as `usage.prompt_tokens_details` says."""
    api_key: str = ""
    """Requests without it are answered 401."""
    models: list[str] = field(default_factory=list)
    """Requests for others are answered 404; empty: any will do."""
    down_s: float = 0.0
    """For so long from now on nobody can connect, and who is connected is cut off."""
    keep_bodies: bool = False
    """Keep the bodies, for `GET /bodies`."""
    seed: int = 0
    """Of the draws; a change begins them anew."""


DRAWN = ("too_many", "error", "unavailable", "reset", "stall", "half", "bad_json", "bad_shape",
         "hangup")  # fmt: skip


# -- what it answers ------------------------------------------------------------------------------

SUM = r"Work out (?P<sum>[-+\d]+) mod (?P<sum_mod>\d+)\."
TWO = r"Compute (?P<a>-?\d+)(?P<op>[-+*])(?P<b>\d+) mod (?P<two_mod>\d+)\."
ADD = r"What is (?P<add>\d+(?:\+\d+)+)\?"
STATEMENT = re.compile(f"{SUM}|{TWO}|{ADD}")
OPEN, CLOSE = "<think>\n", "\n</think>\n\n"
FILLER = "Let me go over this once more, slowly, step by step.\n"


def solution(found: re.Match[str] | None) -> tuple[str, str]:
    """The steps and the answer, as the families themselves write them."""
    from tracefactory.sources.families import addition, modular_arithmetic, modular_sum
    from tracefactory.sources.families.pen import Pen

    if found is None:
        return "This is none of the problems that I know.", "unknown"
    pen = Pen()
    if found["sum"]:
        terms = [int(term) for term in re.findall(r"[-+]?\d+", found["sum"])]
        answer = modular_sum.solve([int(found["sum_mod"]), *terms], pen)
    elif found["add"]:
        answer = addition.solve([int(number) for number in found["add"].split("+")], pen)
    else:
        operation = "+-*".index(found["op"])
        params = [int(found["two_mod"]), int(found["a"]), operation, int(found["b"])]
        answer = modular_arithmetic.solve(params, pen)
    return "\n".join(pen.lines), answer


def last_statement(text: str) -> re.Match[str] | None:
    """The problem that is asked: the last one, for those before it are examples."""
    found = None
    for found in STATEMENT.finditer(text):  # noqa: B007
        pass
    return found


@dataclass(slots=True)
class Asked:
    """One request, read."""

    body: dict[str, Any]
    key: str
    """Hash of the body."""
    chat: bool
    text: str
    """The prompt, or all that the turns say."""
    problem: str
    """The statement; the whole text when it is none of ours."""
    steps: str
    answer: str


def read(raw: bytes, chat: bool) -> Asked:
    """Understand a body.

    Raises:
        ValueError: it is none; the words are for the client.
    """
    body = orjson.loads(raw)
    if chat:
        turns = [str(turn.get("content") or "") for turn in body["messages"]]
        text = "\n".join(turns)
    elif isinstance(body.get("prompt"), str):
        text = body["prompt"]
    else:
        raise ValueError("prompt must be one text")
    if body.get("stream"):
        raise ValueError("this server does not stream")
    found = last_statement(text)
    steps, answer = solution(found)
    key = hashlib.blake2b(raw, digest_size=8).hexdigest()
    return Asked(body, key, chat, text, found[0] if found else text, steps, answer)


def whole_answer(asked: Asked, faults: Faults) -> tuple[str, str]:
    """The steps and what follows them, before anything is cut off."""
    steps, answer = asked.steps, asked.answer
    if faults.wrong and int(asked.key[:8], 16) < faults.wrong * 2**32:
        answer = str(int(answer) + 1) if answer.isdigit() else "0"
    missing = faults.answer_chars - len(steps) - len(OPEN + CLOSE) - len(answer) - 8
    if missing > 0:
        steps += "\n" + (FILLER * (missing // len(FILLER) + 1))[:missing].rstrip()
    return steps, f"\\boxed{{{answer}}}"


def said_before(asked: Asked, whole: str) -> int:
    """How much of the answer the request holds already: it wants what comes next."""
    if asked.chat:
        last = asked.body["messages"][-1]
        before = str(last["content"]) if last["role"] == "assistant" else ""
    else:
        before = asked.text
    for skipped in (0, len(OPEN)):  # a client takes off a tag that was never sent to it
        begins = whole[skipped : skipped + 8]
        start = before.rfind(begins) if whole.startswith(OPEN) or not skipped else -1
        if start >= 0 and whole.startswith(before[start:], skipped):
            return skipped + len(before) - start
    return 0


def usage_of(asked: Asked, faults: Faults, n_out: int, n_thought: int) -> dict[str, Any]:
    """The part of the answer that says what it cost; wrong where it shall be."""
    n_in = max(1, len(asked.text) // TOKEN)
    right: dict[str, Any] = {
        "prompt_tokens": n_in,
        "completion_tokens": n_out,
        "total_tokens": n_in + n_out,
    }
    if faults.reasoning.startswith("reasoning"):
        right["completion_tokens_details"] = {"reasoning_tokens": n_thought}
    if faults.cached_tokens:
        right["prompt_tokens_details"] = {"cached_tokens": faults.cached_tokens}
    if faults.usd_per_token:
        right["cost"] = faults.usd_per_token * (n_in + n_out)
    wrong = {
        "negative": {"prompt_tokens": -5, "completion_tokens": -1, "total_tokens": -6},
        "strings": {"prompt_tokens": "many", "completion_tokens": "12", "cost": "dear"},
        "floats": {"prompt_tokens": 1.5, "completion_tokens": 2.5, "cost": -1},
        "huge": {"prompt_tokens": 2**62, "completion_tokens": 2**62},
        "list": [1, 2, 3],
        "null": None,
    }
    if faults.usage == "absent":
        return {}
    return {"usage": right if faults.usage == "right" else wrong[faults.usage]}


def answer_of(asked: Asked, faults: Faults, number: int) -> tuple[bytes, int]:
    """The JSON of a good answer, and its tokens."""
    steps, last = whole_answer(asked, faults)
    whole = last if faults.reasoning == "none" else f"{OPEN}{steps}{CLOSE}{last}"
    start = said_before(asked, whole)
    limit = asked.body.get("max_completion_tokens") or asked.body.get("max_tokens")
    rest = whole[start:]
    cut = limit is not None and len(rest) > TOKEN * limit
    rest = rest[: TOKEN * limit] if cut else rest
    n_out = math.ceil(len(rest) / TOKEN)
    thought, text = split(rest, start, faults.reasoning)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if thought is not None and faults.reasoning.startswith("reasoning"):
        message[faults.reasoning] = thought
    told = {"message": message} if asked.chat else {"text": text if text is not None else ""}
    body = {
        "id": f"cmpl-{0 if faults.same_id else number}",
        "object": "chat.completion" if asked.chat else "text_completion",
        "created": 1_700_000_000,
        "model": asked.body.get("model", "fake"),
        "choices": [{"index": 0, **told, "finish_reason": "length" if cut else "stop"}],
        **usage_of(asked, faults, n_out, math.ceil(len(thought or "") / TOKEN)),
    }
    return orjson.dumps(body, option=orjson.OPT_PASSTHROUGH_SUBCLASS), n_out


def split(rest: str, start: int, where: str) -> tuple[str | None, str | None]:
    """The reasoning that goes into a field of its own, and the text beside it."""
    if where == "open" and not start:
        return None, rest.removeprefix(OPEN)
    if not where.startswith("reasoning"):
        return None, rest
    if start and not start < len(OPEN):  # goes on from what was said: a server's parser is lost
        return None, rest
    thought, closed, text = rest.removeprefix(OPEN).partition(CLOSE)
    return thought, text if closed else None


def refusal_of(asked: Asked, faults: Faults) -> tuple[int, bytes] | None:
    """The status and the words for a request that is not answered however often it comes."""
    model = asked.body.get("model", "")
    if faults.models and model not in faults.models:
        return 404, told(f"The model `{model}` does not exist.", "NotFoundError", 404)
    if any(part in asked.text for part in faults.refuse):
        words = faults.refuse_words
        return faults.refuse_status, told(words, "BadRequestError", faults.refuse_status)
    before = asked.body["messages"][-1] if asked.chat else {}
    long = faults.too_long_after and before.get("role") == "assistant"
    if any(part in asked.text for part in faults.too_long) or (
        long and len(before["content"]) > TOKEN * faults.too_long_after
    ):
        words = (
            "This model's maximum context length is 1024 tokens. However, your prompt contains at "
            "least 1025 input tokens. Please reduce the length of the input prompt."
        )
        return 400, told(words, "BadRequestError", 400)
    return None


def told(words: str, kind: str, code: int) -> bytes:
    """An error as servers say it."""
    return orjson.dumps({"error": {"message": words, "type": kind, "param": None, "code": code}})


# -- what came ------------------------------------------------------------------------------------


class Seen:
    """Counts of what came and how it was answered."""

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = 0
        self.outcomes: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        """Requests by the hash of their body."""
        self.answered: Counter[str] = Counter()
        """Whole good answers by the hash of the body."""
        self.again = 0
        """Requests whose body had got its whole good answer before."""
        self.problems: Counter[str] = Counter()
        self.in_flight = self.peak = 0
        self.first = self.last = 0.0
        self.area = 0.0
        """Requests in flight, summed over the seconds."""
        self.touched = time.monotonic()
        self.bins: dict[int, list[int]] = {}
        """By BIN_S seconds: good answers, other answers, most in flight."""
        self.bodies: list[Any] = []
        self.head = ""

    def came(self, asked: Asked) -> None:
        now = time.monotonic()
        self.requests += 1
        self.again += self.answered[asked.key] > 0
        self.sent[asked.key] += 1
        self.problems[asked.problem] += 1
        self.first = self.first or now
        self._moves(now, 1)
        self.peak = max(self.peak, self.in_flight)
        row = self._bin(now)
        row[2] = max(row[2], self.in_flight)

    def went(self, asked: Asked, outcome: str, tokens: int = 0) -> None:
        """The server is done with it, one way or another."""
        now = time.monotonic()
        self.outcomes[outcome] += 1
        self.tokens += tokens
        good = outcome in ("ok", "hangup")
        self.answered[asked.key] += good
        self._bin(now)[0 if good else 1] += 1
        self.last = now
        self._moves(now, -1)

    def _moves(self, now: float, by: int) -> None:
        self.area += self.in_flight * (now - self.touched)
        self.touched = now
        self.in_flight += by

    def _bin(self, now: float) -> list[int]:
        return self.bins.setdefault(int(now / BIN_S), [0, 0, 0])

    def told(self, *, bodies: bool) -> dict[str, Any]:
        span = self.last - self.first
        start = min(self.bins, default=0)
        found = {
            "requests": self.requests,
            "distinct": len(self.sent),
            "answered": sum(n > 0 for n in self.answered.values()),
            "again": self.again,
            "outcomes": dict(self.outcomes),
            "problems": dict(self.problems),
            "tokens": self.tokens,
            "in_flight": self.in_flight,
            "peak": self.peak,
            "mean_in_flight": self.area / span if span > 0 else 0.0,
            "first": self.first,
            "last": self.last,
            "bins": [[(at - start) * BIN_S, *row] for at, row in sorted(self.bins.items())],
            "head": self.head,
        }
        if bodies:
            found["sent"] = dict(self.sent)
            found["good"] = {key: n for key, n in self.answered.items() if n}
        return found


# -- the server -----------------------------------------------------------------------------------

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
           411: "Length Required", 413: "Content Too Large", 422: "Unprocessable Content",
           429: "Too Many Requests", 500: "Internal Server Error",
           503: "Service Unavailable"}  # fmt: skip


def framed(status: int, body: bytes, *headers: str) -> bytes:
    """An HTTP answer."""
    head = f"HTTP/1.1 {status} {REASONS.get(status, 'Odd')}\r\nContent-Type: application/json\r\n"
    more = "".join(f"{header}\r\n" for header in headers)
    return f"{head}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Server:
    """All connections share one."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.seen = Seen()
        self.rng = random.Random(faults.seed)
        self.connections: set[Connection] = set()
        self.number = 0
        self.stalled: list[tuple[Connection, Asked, Seen]] = []
        self.down: Any = None
        """What takes the server off the net for a while."""

    def control(self, changes: dict[str, Any]) -> bytes:
        """Change the faults."""
        unknown = changes.keys() - {f.name for f in fields(Faults)}
        if unknown:
            return framed(400, told(f"no such fault: {sorted(unknown)}", "error", 400))
        for name, value in changes.items():
            setattr(self.faults, name, value)
        if "seed" in changes:
            self.rng = random.Random(self.faults.seed)
        if changes.get("down_s"):
            self.down(self.faults.down_s)
        return framed(200, orjson.dumps(asdict(self.faults)))

    def aside(self, target: str, body: bytes) -> bytes:
        """Answer what is not for clients."""
        if target == "/control":
            return self.control(orjson.loads(body or b"{}"))
        if target.startswith("/seen"):
            said = self.seen.told(bodies="bodies=1" in target)
            return framed(200, orjson.dumps(said))
        if target == "/bodies":
            return framed(200, orjson.dumps(self.seen.bodies))
        if target == "/reset":
            self.seen = Seen()
            return framed(200, b"{}")
        if target == "/v1/models":
            names = self.faults.models or ["fake"]
            data = [{"id": name, "object": "model", "owned_by": "nobody"} for name in names]
            return framed(200, orjson.dumps({"object": "list", "data": data}))
        if target == "/health":
            return framed(200, b"")
        return framed(404, told(f"no such address: {target}", "NotFoundError", 404))

    def fate(self, asked: Asked) -> str:
        """What shall happen to a request: a fault's name, or `ok`."""
        faults = self.faults
        if self.seen.sent[asked.key] <= faults.fail_first:
            return faults.fail_with
        if any(part in asked.text for part in faults.poison):
            return faults.fail_with
        if faults.max_in_flight and self.seen.in_flight > faults.max_in_flight:
            return "too_many"
        drawn = self.rng.random()
        for name in DRAWN:
            drawn -= getattr(faults, name)
            if drawn < 0:
                return name
        return "ok"

    def delay(self) -> float:
        faults = self.faults
        if faults.latency_s and faults.latency_sigma:
            return faults.latency_s * math.exp(self.rng.gauss(0, faults.latency_sigma))
        return faults.latency_s

    def answer(self, asked: Asked, fate: str) -> tuple[bytes, int]:
        """The bytes for a request with this fate, and the tokens in them."""
        faults = self.faults
        later = () if faults.retry_after is None else (f"Retry-After: {faults.retry_after}",)
        if fate == "too_many":
            return framed(429, told("Rate limit reached.", "RateLimitError", 429), *later), 0
        if fate == "error":
            return framed(500, told("EngineCore encountered an issue.", "ServerError", 500)), 0
        if fate == "unavailable":
            return framed(503, b"<html>Service Unavailable</html>", *later), 0
        if fate == "bad_shape":
            return framed(200, b'{"id": "cmpl-0", "choices": []}'), 0
        self.number += 1
        body, tokens = answer_of(asked, faults, self.number)
        if fate == "bad_json":
            return framed(200, body[: len(body) // 2]), 0
        if fate == "half":
            whole = framed(200, body)
            return whole[: len(whole) - len(body) // 2], 0
        return framed(200, body), tokens


class Connection(asyncio.Protocol):
    """One client's connection: requests come one after the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""
        self.waits: tuple[Asked, Seen] | None = None
        """The request that is being answered."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections.discard(self)
        if self.waits is not None:
            asked, seen = self.waits
            self.waits = None
            seen.went(asked, "left")  # the client went away

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1")
            found = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
            stop = end + 4 + (int(found[1]) if found else 0)
            if len(self.buffer) < stop:
                return
            body = self.buffer[end + 4 : stop]
            self.buffer = self.buffer[stop:]
            method, target, _ = head.split(" ", 2)
            if target in ("/v1/chat/completions", "/v1/completions"):
                self.asked(head, body, chat=target.startswith("/v1/chat"))
            elif method == "POST" and not found:
                self.transport.write(framed(411, told("no Content-Length", "error", 411)))
            else:
                self.transport.write(self.server.aside(target, body))

    def asked(self, head: str, raw: bytes, *, chat: bool) -> None:
        """Answer one request, now or later."""
        server = self.server
        seen, faults = server.seen, server.faults
        try:
            asked = read(raw, chat)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.transport.write(framed(400, told(repr(error), "BadRequestError", 400)))
            return
        seen.head = head
        seen.came(asked)
        self.waits = asked, seen
        if faults.keep_bodies:
            seen.bodies.append(asked.body)
        if faults.api_key and f"Bearer {faults.api_key}" not in head:
            self.give(framed(401, told("Incorrect API key provided.", "auth", 401)), "401", 0)
        elif refusal := refusal_of(asked, faults):
            self.give(framed(*refusal), str(refusal[0]), 0)
        elif delay := server.delay():
            asyncio.get_running_loop().call_later(delay, self.meet, server.fate(asked))
        else:
            self.meet(server.fate(asked))

    def meet(self, fate: str) -> None:
        """Let a request have its fate."""
        if self.waits is None or fate == "stall":
            return
        if fate == "reset":
            self.reset()
            return
        self.give(*_reordered(self.server.answer(self.waits[0], fate), fate))

    def give(self, answer: bytes, outcome: str, tokens: int) -> None:
        """Send the bytes and count them."""
        assert self.waits is not None
        asked, seen = self.waits
        self.waits = None
        seen.went(asked, outcome, tokens)
        self.transport.write(answer)
        if outcome in ("half", "hangup"):
            self.transport.close()

    def reset(self) -> None:
        """End the connection with a reset, as a machine that died does."""
        if self.waits is not None:
            asked, seen = self.waits
            self.waits = None
            seen.went(asked, "reset")
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            linger = (1).to_bytes(4, sys.byteorder) + bytes(4)  # on, 0 s: close sends RST
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()


def _reordered(answer: tuple[bytes, int], fate: str) -> tuple[bytes, str, int]:
    return answer[0], fate, answer[1]


async def serve(server: Server, args: argparse.Namespace) -> None:
    """Listen until the process ends, or until stdin does where that was asked."""
    loop = asyncio.get_running_loop()
    make = lambda: Connection(server)  # noqa: E731
    if args.uds:
        listening = await loop.create_unix_server(make, args.uds)
        print(args.uds, flush=True)
    else:
        listening = await loop.create_server(make, "127.0.0.1", args.port, backlog=4096)
        args.port = listening.sockets[0].getsockname()[1]
        print(args.port, flush=True)

    async def away(seconds: float, was: asyncio.AbstractServer) -> None:
        was.close()
        for connection in list(server.connections):
            connection.reset()
        await asyncio.sleep(seconds)
        if args.uds:
            await loop.create_unix_server(make, args.uds)
        else:
            await loop.create_server(make, "127.0.0.1", args.port, backlog=4096)

    tasks = set()
    server.down = lambda seconds: tasks.add(loop.create_task(away(seconds, listening)))
    if args.until_stdin_ends:
        await loop.run_in_executor(None, sys.stdin.read)
    else:
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--uds", help="listen on this Unix socket instead")
    parser.add_argument("--set", action="append", default=[], metavar="FAULT=JSON")
    parser.add_argument("--until-stdin-ends", action="store_true")
    args = parser.parse_args()
    faults = Faults()
    for word in args.set:
        name, _, value = word.partition("=")
        if name not in asdict(faults):
            parser.error(f"no such fault: {name}")
        setattr(faults, name, json.loads(value))
    solution(STATEMENT.search("What is 1+1?"))  # imports now, not under the first request
    try:
        import uvloop as loops
    except ImportError:
        loops = asyncio
    with contextlib.suppress(KeyboardInterrupt):
        loops.run(serve(Server(faults), args))


# -- for tests ------------------------------------------------------------------------------------


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class FakeServer:
    """The server's process, seen from a test."""

    def __init__(self, process: subprocess.Popen[str], where: str) -> None:
        self.process = process
        self.uds = where if where.startswith("/") else ""
        self.port = 0 if self.uds else int(where)

    @property
    def base_url(self) -> str:
        return f"http://{'localhost' if self.uds else f'127.0.0.1:{self.port}'}/v1"

    def call(self, method: str, target: str, body: Any = None) -> Any:
        where = _Unix(self.uds) if self.uds else None
        connection = where or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, target, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, said
        return json.loads(said or b"null")

    def control(self, **changes: Any) -> None:
        """Change faults; the others stay as they are."""
        self.call("POST", "/control", changes)

    def well(self) -> None:
        """No faults any more."""
        self.call("POST", "/control", asdict(Faults()))

    def seen(self, *, bodies: bool = False) -> dict[str, Any]:
        return self.call("GET", f"/seen{'?bodies=1' if bodies else ''}")

    def bodies(self) -> list[dict[str, Any]]:
        """All bodies since the last reset; needs `keep_bodies`."""
        return self.call("GET", "/bodies")

    def reset(self) -> None:
        """Forget what came; the faults stay."""
        self.call("POST", "/reset", {})

    def cpu_s(self) -> float:
        """Seconds of CPU that it has used."""
        import psutil

        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system


@contextlib.contextmanager
def fake_server(uds: str = "", **faults: Any) -> Iterator[FakeServer]:
    """A server with these faults, on a free port of the loopback or on a Unix socket."""
    words = [w for name, value in faults.items() for w in ("--set", f"{name}={json.dumps(value)}")]
    place = ["--uds", uds] if uds else []
    process = subprocess.Popen(
        [sys.executable, __file__, "--until-stdin-ends", *place, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        where = process.stdout.readline().strip()
        assert where, f"the fake server ended with {process.wait()}"
        yield FakeServer(process, where)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


if __name__ == "__main__":
    main()
