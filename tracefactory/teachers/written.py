"""What teachers that are programs share: they answer in order, know families, and cost nothing.

Not here: what they write (solver.py, programmer.py).
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Annotated

import orjson
from pydantic import BaseModel, Field

from tracefactory.errors import RecipeError
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families.base import Family, Params
from tracefactory.teachers.contract import Completion, Request, TeacherInfo

Rate = Annotated[float, Field(ge=0, le=1)]


class WrittenTeacher:
    """A teacher whose texts are a function of problem and seed."""

    def __init__(
        self, name: str, version: str, asks: BaseModel, *, continues: bool = False
    ) -> None:
        self.info = TeacherInfo(
            name=name,
            revision=f"program:tracefactory.teachers.{name}@{version}",
            license="Apache-2.0",
            paid=False,
            continues=continues,
            asks=asks.model_dump(mode="json"),
        )

    async def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Answer the requests in order.

        Raises:
            RecipeError: a problem is not of the families that the teacher knows, or a prefix not
                what it would say.
        """
        for request in requests:
            if request.prefix:
                text = self.go_on(request.problem, request.prefix)
            else:
                text = self.write(request.problem, request.seed)
            yield Completion(problem_id=request.problem.id, index=request.index, text=text)

    def write(self, problem: Problem, seed: int) -> str:
        """Return the text for one problem.

        Raises:
            RecipeError: the problem is not of the families that the teacher knows.
        """
        raise NotImplementedError

    def go_on(self, problem: Problem, prefix: str) -> str:
        """Return what comes after the prefix; only teachers that say `continues` can.

        Raises:
            RecipeError: the problem or the prefix is not of the kind that the teacher knows.
        """
        raise NotImplementedError


def family_of(
    problem: Problem, who: str, families: Mapping[str, Family], knows: str
) -> tuple[Family, Params]:
    """The family that made the problem, and its parameters.

    Raises:
        RecipeError: it is none of these, or of another version; `who` and `knows` say so.
    """
    try:
        origin = orjson.loads(problem.origin)
        family = families[origin["family"]]
        version, params = origin["version"], origin["params"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise RecipeError(
            f"problem {problem.id}: the {who} knows only {knows}, and this one's origin is "
            f"{problem.origin!r}; give it to another teacher"
        ) from error
    if version != family.version:
        raise RecipeError(
            f"problem {problem.id}: made by version {version} of family {family.name}, but the "
            f"{who} here solves version {family.version}; make the problems again with this "
            "tracefactory, or run the one they came from"
        )
    return family, params
