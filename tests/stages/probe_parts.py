"""Teachers for the probe stage, and what it takes to run it on texts."""

import dataclasses
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

from stage_parts import Row, chunk_of

from tracefactory.schemas.receipt import Output
from tracefactory.stages.contract import Inputs, Plan, Result
from tracefactory.stages.probe import STAGE, ProbeConfig
from tracefactory.stages.verify import STAGE as VERIFY
from tracefactory.stages.verify import VerifyConfig
from tracefactory.store.home import Home
from tracefactory.task import Chunk
from tracefactory.teachers.contract import Completion, Request, TeacherError, TeacherInfo

VERSION = "1"
SEED = 7


class Says:
    """Goes on with the same words each time, is paid for it, and notes what it was asked."""

    def __init__(
        self, words: str = "", notes: str = "", continues: bool = True, fails_at: int = -1
    ) -> None:
        self.words, self.notes, self.fails_at = words, notes, fails_at
        asks = {"words": words}
        self.info = TeacherInfo("t", "r2", "MIT", paid=True, continues=continues, asks=asks)

    async def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        for number, request in enumerate(requests):
            if number == self.fails_at:
                raise TeacherError("not well")
            with Path(self.notes).open("a") as file:
                file.write(f"{request.problem.id}/{request.index} {request.prefix!r}\n")
            yield Completion(request.problem.id, request.index, self.words)


def trace(*lines: str, answer: str = "1") -> str:
    return "".join(
        ("<think>\n", *(f"{line}\n" for line in lines), f"</think>\n\n\\boxed{{{answer}}}")
    )


SOUND = trace("3*4=12", "12-11=1")


def judged(home: Home, name: str, rows: Sequence[Row], also: Sequence[str] = ("steps",)) -> Chunk:
    """A chunk whose verdicts are those of its texts."""
    chunk = chunk_of(home, name, rows)
    bare = dataclasses.replace(
        chunk, files={r: f for r, f in chunk.files.items() if r != "verdicts"}
    )
    config = VerifyConfig(use="verify", from_=("x",), also=tuple(also))
    order = VERIFY.order(config, Plan("v", SEED, "r"), bare)
    result = VERIFY.work(order.config, Inputs(home, order.inputs), home.journal("v"))
    files = [home.put("v", name, role, table) for role, table in result.tables.items()]
    return bare.extended(files, {"instruction": "Box it."})


def probed(
    home: Home,
    chunk: Chunk,
    teacher: dict[str, Any],
    previous: tuple[Output, ...] = (),
    **settings: Any,
) -> Result:
    """What the stage makes of a chunk."""
    order = ordered(chunk, teacher, **settings)
    inputs = Inputs(home, order.inputs, previous=previous)
    return STAGE.work(order.config, inputs, home.journal("p"))


def ordered(chunk: Chunk, teacher: dict[str, Any], **settings: Any):
    config = ProbeConfig.model_validate(
        {"use": "probe", "from": "x", "teacher": teacher, "share": 1.0, **settings}
    )
    return STAGE.order(config, Plan("p", SEED, "r"), chunk)


def says(notes: Path, words: str, **options: Any) -> dict[str, Any]:
    told = {"words": words, "notes": str(notes), **options}
    return {"kind": "probe_parts:Says", "options": told}


def lines_of(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []
