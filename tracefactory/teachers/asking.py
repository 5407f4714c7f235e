"""Ask a teacher: nothing that was paid for is asked for twice, and what comes back can be stored.

Not here: which requests are made (stages/generate.py, stages/probe.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from tracefactory.store.home import Journal
from tracefactory.teachers.contract import Completion, Request, Teacher, TeacherError

Answers = dict[tuple[str, int], Completion]
"""Completions by problem id and index of the attempt."""


async def complete(
    teacher: Teacher, requests: Sequence[Request], answers: Answers, journal: Journal
) -> Answers:
    """All completions; those already there, or in the journal, are not asked for again.

    Args:
        teacher: who is asked.
        requests: each with another problem or index.
        answers: those that are there already, by problem id and index; more may be added.
        journal: where a paid teacher's completions are kept, and are looked for.

    Raises:
        TeacherError: it failed, or left requests without an answer.
    """
    if teacher.info.paid:
        for record in journal.replay():
            found = Completion(**cast("dict[str, Any]", record))
            answers.setdefault((found.problem_id, found.index), found)
    missing = {(r.problem.id, r.index): r for r in requests}
    missing = {key: request for key, request in missing.items() if key not in answers}
    async for completion in teacher.complete(list(missing.values())):
        sound = _sound(completion, teacher.info.name)
        if teacher.info.paid:
            journal.append(_plain(sound))
        missing.pop((sound.problem_id, sound.index), None)
        answers.setdefault((sound.problem_id, sound.index), sound)
    if missing:
        problem, index = next(iter(missing))
        raise TeacherError(
            f"teacher {teacher.info.name!r} gave no answer to {len(missing)} of {len(requests)} "
            f"requests, such as attempt {index} at {problem}"
        )
    return answers


def _sound(completion: Completion, teacher: str) -> Completion:
    """The completion, if it can be stored; half a surrogate pair (a cut-off emoji) is replaced."""
    if not isinstance(cast("object", completion.text), str):
        raise TeacherError(
            f"teacher {teacher!r} gave {type(completion.text).__name__} and no text for attempt "
            f"{completion.index} at {completion.problem_id}"
        )
    try:
        completion.text.encode()
    except UnicodeEncodeError:
        return replace(completion, text=completion.text.encode("utf-8", "replace").decode())
    return completion


def _plain(completion: Completion) -> dict[str, Any]:
    return {name: getattr(completion, name) for name in Completion.__dataclass_fields__}
