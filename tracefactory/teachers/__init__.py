"""Who writes the traces: one contract, one file a teacher."""

from dataclasses import replace
from typing import Annotated, Any, cast

import orjson
from pydantic import Discriminator, Field, Tag, TypeAdapter, field_validator

from tracefactory.recipe.model import Settings
from tracefactory.teachers.contract import Teacher
from tracefactory.teachers.openai import OpenAIConfig, OpenAITeacher
from tracefactory.teachers.openai import info_of as openai_info
from tracefactory.teachers.openai import revision_of as openai_revision
from tracefactory.teachers.programmer import Programmer, ProgrammerConfig
from tracefactory.teachers.solver import Solver, SolverConfig
from tracefactory.teachers.vllm import VllmConfig, VllmTeacher
from tracefactory.teachers.vllm import revision_of as vllm_revision
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


AnyTeacher = OpenAIConfig | VllmConfig | SolverConfig | ProgrammerConfig | OwnTeacher
TeacherSettings = Annotated[
    Annotated[OpenAIConfig, Tag("openai")]
    | Annotated[VllmConfig, Tag("vllm")]
    | Annotated[SolverConfig, Tag("solver")]
    | Annotated[ProgrammerConfig, Tag("programmer")]
    | Annotated[OwnTeacher, Tag("own")],
    Discriminator(_kind_of),
]
_SETTINGS: TypeAdapter[AnyTeacher] = TypeAdapter(TeacherSettings)


def build_teacher(settings: dict[str, Any]) -> Teacher:
    """The teacher that a recipe's `teacher:` describes, as plain data."""
    match _SETTINGS.validate_json(orjson.dumps(settings)):
        case OpenAIConfig() as config:
            return OpenAITeacher(config)
        case VllmConfig() as config:
            return VllmTeacher(config)
        case SolverConfig() as config:
            return Solver(config)
        case ProgrammerConfig() as config:
            return Programmer(config)
        case OwnTeacher() as own:
            teacher = cast("Teacher", resolve(own.kind)(**own.options))
            if own.options and not teacher.info.asks:  # what its answers depend on, for all we know
                teacher.info = replace(teacher.info, asks=own.options)
            return teacher


def is_served(settings: AnyTeacher) -> bool:
    """Is it asked over a connection, and not written by this process?"""
    return isinstance(settings, OpenAIConfig | VllmConfig)


def name_of(settings: AnyTeacher) -> str | None:
    """What its rows will call it; None: a teacher of one's own says so only once it is built."""
    if isinstance(settings, OpenAIConfig | VllmConfig):
        return settings.name or settings.model
    return None if isinstance(settings, OwnTeacher) else settings.kind


def may_continue(settings: AnyTeacher) -> bool:
    """Can this teacher honour a prefix? One of somebody's own says so only once it is built."""
    if isinstance(settings, OpenAIConfig):
        return openai_info(settings).continues
    return not isinstance(settings, ProgrammerConfig)


def teacher_revision(settings: AnyTeacher) -> str:
    """What makes the same request give another answer: part of the key of generation."""
    match settings:
        case OpenAIConfig():
            return openai_revision(settings)
        case VllmConfig():
            return vllm_revision(settings)
        case SolverConfig():
            return Solver(settings).info.revision
        case ProgrammerConfig():
            return Programmer(settings).info.revision
        case OwnTeacher():
            return versioned(settings.kind)
