"""Stages and teachers for recipes under test, and stages of nothing for the board alone."""

import asyncio
import os
import secrets
import signal
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from engine_checks import note

from tracefactory.recipe.model import StageConfig
from tracefactory.schemas.receipt import Receipt
from tracefactory.stages.contract import Inputs, Kind, Order, Plan, Result
from tracefactory.store.home import Journal
from tracefactory.task import Chunk
from tracefactory.teachers.contract import Completion, Request, TeacherError, TeacherInfo

VERSION = "1"

# Teachers.


class Teacher:
    """Right or wrong by the seed; each request it serves is noted as `sent`, then as `done`.

    ENGINE_REQUEST_LOG is the file for that, ENGINE_MS how long a request takes. A paid one puts a
    text of chance under every answer: asked twice, it would not say the same twice.
    """

    in_flight = 3

    def __init__(self, name: str = "teacher", paid: bool = False, right: int = 50) -> None:
        self.info = TeacherInfo(name, f"program:engine_parts@{VERSION}", "CC0-1.0", paid)
        self.right = right

    async def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        requests = list(requests)
        for start in range(0, len(requests), self.in_flight):
            group = requests[start : start + self.in_flight]
            for done in asyncio.as_completed([self._answer(request) for request in group]):
                yield await done

    async def _answer(self, request: Request) -> Completion:
        log, who = os.environ.get("ENGINE_REQUEST_LOG"), f"{request.problem.id} {request.index}"
        note(log, f"sent {who}")
        await asyncio.sleep(float(os.environ.get("ENGINE_MS", "0")) / 1000)
        nonce = secrets.token_hex(4) if self.info.paid else "-"
        answer = request.problem.reference if request.seed % 100 < self.right else "none"
        text = f"<think>\n{nonce} {request.seed}\n</think>\n\n\\boxed{{{answer}}}"
        note(log, f"done {who} {nonce}")
        return Completion(request.problem.id, request.index, text)


class Unwell:
    """Kills its process the first time it is asked for a certain problem, fails once after that."""

    def __init__(self, problem: str, notes: str) -> None:
        self.inner, self.problem, self.notes = Teacher("unwell"), problem, Path(notes)
        self.info = self.inner.info

    async def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        requests = list(requests)
        if any(request.problem.id == self.problem for request in requests):
            before = len(self.notes.read_text().split()) if self.notes.exists() else 0
            note(str(self.notes), "asked")
            if before == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if before == 1:
                raise TeacherError("not well")
        async for completion in self.inner.complete(requests):
            yield completion


# Chunk stages that run for real.


class PassConfig(StageConfig):
    bug: str = ""
    """`same`: raises one and the same error; `other`: another one each time."""


class Pass:
    """Does nothing for ENGINE_PASS_MS, or raises."""

    kind: ClassVar[Kind] = "chunk"
    Config: ClassVar[type[StageConfig]] = PassConfig
    version = "1"
    roles = ()

    def order(self, config: PassConfig, plan: Plan, chunk: Chunk) -> Order | None:
        return Order(chunk.name, {"bug": config.bug}, (chunk.only("attempts"),))

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        note(os.environ.get("ENGINE_PASS_LOG"), f"{inputs.chunk.name} {os.getpid()}")
        if config["bug"]:
            raise ZeroDivisionError(
                "a bug" if config["bug"] == "same" else f"bug no. {time.monotonic_ns()}"
            )
        time.sleep(float(os.environ.get("ENGINE_PASS_MS", "0")) / 1000)
        return Result({})


PASS = Pass()


# Stages of nothing, for the board alone: they plan, and nobody does their work.


class NothingConfig(StageConfig):
    count: int = 3
    """Sources: chunks. Barriers: tasks a phase."""
    phases: int = 1
    skip: int = 0
    """Chunk stages: the share of chunks, one in so many, that pass through with nothing to do."""
    rounds: int = 1
    """Rounds: the most a chunk can have."""
    judge: str | None = None


def number_of(text: str, below: int) -> int:
    return zlib.crc32(text.encode()) % below


class Nothing:
    Config: ClassVar[type[StageConfig]] = NothingConfig
    version = "1"

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        raise NotImplementedError

    def phases(self, config: NothingConfig) -> int:
        return config.phases


class Source(Nothing):
    kind: ClassVar[Kind] = "source"

    def __init__(self) -> None:
        self.pulled = 0

    def orders(self, config: NothingConfig, plan: Plan, phase: int) -> Iterator[Order]:
        for number in range(self.count(config, plan, phase)):
            self.pulled += 1
            yield Order(f"{plan.name}{phase}-{number:07d}", {"number": number})

    def count(self, config: NothingConfig, plan: Plan, phase: int) -> int:
        return config.count


class Step(Nothing):
    kind: ClassVar[Kind] = "chunk"

    def order(self, config: NothingConfig, plan: Plan, chunk: Chunk) -> Order | None:
        if config.skip and number_of(f"{plan.name} {chunk.name}", config.skip) == 0:
            return None
        return Order(chunk.name, {}, (chunk,))


class Judge(Step):
    judges = True


class Rounds(Nothing):
    kind: ClassVar[Kind] = "rounds"

    def judged(self, config: NothingConfig) -> bool:
        return config.rounds > 1

    def order(
        self, config: NothingConfig, plan: Plan, chunk: Chunk, round: int, verdict: Receipt | None
    ) -> Order | None:
        assert (round == 0) == (verdict is None)
        if round > number_of(chunk.name, config.rounds + 1) - 1:
            return None  # with 0 rounds: nothing to do at all for this chunk
        return Order(chunk.name, {}, (chunk,), round)


class Barrier(Nothing):
    kind: ClassVar[Kind] = "barrier"

    def orders(self, config: NothingConfig, plan: Plan, phase: int) -> Iterator[Order]:
        assert all(len(receipts) == config.count for receipts in plan.done)
        for number in range(config.count):
            yield Order(f"{phase}-{number}", {"number": number})

    def chunks(self, config: NothingConfig, plan: Plan) -> Iterable[Chunk]:
        return plan.chunks
