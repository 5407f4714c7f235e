"""Who writes the traces: one contract, one file a teacher."""

from typing import Annotated, Any, cast

from pydantic import Discriminator, Field, Tag, field_validator

from tracefactory.recipe.model import Settings
from tracefactory.teachers.contract import Teacher
from tracefactory.teachers.programmer import Programmer, ProgrammerConfig
from tracefactory.teachers.solver import Solver, SolverConfig
from tracefactory.verifiers.contract import AddressError, resolve, versioned


class OwnTeacher(Settings):
    """A teacher of one's own, by address."""

    kind: str
    """`module:Name`: called with `options` on the worker, it gives a Teacher."""
    options: dict[str, Any] = Field(default_factory=dict[str, Any])
    """What it is called with."""

    @field_validator("kind")
    @classmethod
    def _is_there(cls, kind: str) -> str:
        try:
            resolve(kind)
        except AddressError as error:
            raise ValueError(str(error)) from error
        return kind


def _kind_of(settings: Any) -> str:  # noqa: ANN401  (whatever the recipe says)
    kind: object = (
        settings.get("kind") if isinstance(settings, dict) else getattr(settings, "kind", "")
    )
    return "own" if ":" in str(kind) else str(kind)


TeacherSettings = Annotated[
    Annotated[SolverConfig, Tag("solver")]
    | Annotated[ProgrammerConfig, Tag("programmer")]
    | Annotated[OwnTeacher, Tag("own")],
    Discriminator(_kind_of),
]


def build_teacher(settings: dict[str, Any]) -> Teacher:
    """The teacher that a recipe's `teacher:` describes, as plain data."""
    if settings["kind"] == "solver":
        return Solver(SolverConfig(**settings))
    if settings["kind"] == "programmer":
        return Programmer(ProgrammerConfig(**settings))
    return cast("Teacher", resolve(settings["kind"])(**settings["options"]))


def may_continue(settings: SolverConfig | ProgrammerConfig | OwnTeacher) -> bool:
    """Can this teacher honour a prefix? One of somebody's own says so only once it is built."""
    return not isinstance(settings, ProgrammerConfig)


def teacher_revision(settings: SolverConfig | ProgrammerConfig | OwnTeacher) -> str:
    """What makes the same request give another answer: part of the key of generation."""
    if isinstance(settings, OwnTeacher):
        return versioned(settings.kind)
    if isinstance(settings, ProgrammerConfig):
        return Programmer(settings).info.revision
    return Solver(settings).info.revision
