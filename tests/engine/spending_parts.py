"""A teacher that costs: every request has a price, tokens and a time, and is noted when it is sent.

It pulls a request when it can send it, as a server's client does, and says all that it said in
ENGINE_REQUEST_LOG.
"""

import asyncio
import os
import secrets
import zlib
from collections.abc import AsyncIterator, Iterable

from engine_checks import note

from tracefactory.teachers.contract import Completion, Request, TeacherInfo

PROMPT = 10
NANO_A_TOKEN = 1_000_000


def tokens_of(problem: str, index: int) -> int:
    """Of a completion, the same whoever asks: long at some problems, short at others."""
    return 20 + zlib.crc32(problem.encode()) % 200 + index


class Dear:
    """Right at one attempt in two, by the seed."""

    in_flight = 4

    def __init__(self, name: str = "dear", warmth: float = 1.0, priced: bool = True) -> None:
        asks = {"kind": "dear", "sampling": {"temperature": warmth}}
        self.info = TeacherInfo(name, "1", "CC0-1.0", True, asks=asks)
        self.priced = priced
        self._news = ["the teacher is well"]

    def news(self) -> list[str]:
        news, self._news = self._news, []
        return news

    async def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        more, sent = iter(requests), set[asyncio.Task[Completion]]()
        while True:
            while len(sent) < self.in_flight and (request := next(more, None)) is not None:
                sent.add(asyncio.ensure_future(self._answer(request)))
            if not sent:
                return
            done, sent = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                yield ended.result()

    async def _answer(self, request: Request) -> Completion:
        tokens, problem = tokens_of(request.problem.id, request.index), request.problem.id
        note(os.environ.get("ENGINE_REQUEST_LOG"), f"sent {problem} {request.index} {tokens}")
        await asyncio.sleep(float(os.environ.get("ENGINE_MS", "0")) / 1000)
        answer = request.problem.reference if request.seed % 2 else "none"
        return Completion(
            problem,
            request.index,
            f"<think>\n{secrets.token_hex(4)}\n</think>\n\n\\boxed{{{answer}}}",
            n_prompt_tokens=PROMPT,
            n_completion_tokens=tokens,
            n_cached_tokens=PROMPT // 2,
            nano_usd=(PROMPT + tokens) * NANO_A_TOKEN if self.priced else None,
            gpu_us=tokens * 1000,
        )
