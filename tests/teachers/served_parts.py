"""Requests for tests of served teachers, and a way to have them answered."""

import asyncio
from contextlib import aclosing

from tracefactory.schemas.problem import Problem
from tracefactory.teachers.contract import Request
from tracefactory.teachers.openai import OpenAIConfig, OpenAITeacher

SYSTEM = {"role": "system", "content": "Think first."}


def problem(number):
    statement = f"What is {number}+1?"
    return Problem(
        id=f"p{number}", statement=statement, reference=str(number + 1),
        verifier="tracefactory.verifiers.numeric:judge", verifier_options="{}", split="train",
        domain="math", task_type="sum", source="tests", license="CC0-1.0", origin="{}",
    )  # fmt: skip


def request(number=0, index=0, **changes):
    made = problem(number)
    turns = [SYSTEM, {"role": "user", "content": made.statement}]
    fields = {"problem": made, "index": index, "seed": 1000 * number + index, "messages": turns}
    return Request(**{**fields, **changes})


def config(server, **changes):
    url = server if isinstance(server, str) else server.base_url
    return OpenAIConfig.model_validate({"model": "m", "base_url": url, **changes})


async def gathered(completions):
    async with aclosing(completions) as those:
        return [completion async for completion in those]


def answers(server, requests, **changes):
    """All completions by number and index of the attempt."""
    teacher = OpenAITeacher(config(server, **changes))
    done = asyncio.run(gathered(teacher.complete(requests)))
    found = {(int(c.problem_id[1:]), c.index): c for c in done}
    assert len(found) == len(done), "an answer came twice"
    return found
