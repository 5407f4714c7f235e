"""What a recipe can say about any teacher that is served: model, sampling, prompt, tokens.

Not here: where it is served (openai.py, vllm.py), how the fields are sent (wire.py).
"""

from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, field_validator

from tracefactory.recipe.model import Settings
from tracefactory.store.home import digest
from tracefactory.teachers.remote.prompts import TemplateFault, compiled

WIRE_VERSION = 1
"""Changes when the same settings would send something else, or read an answer differently."""

NOT_EXTRA = (
    *("model", "messages", "prompt", "tools", "stream", "stream_options", "n", "seed"),
    *("max_tokens", "max_completion_tokens"),
)
"""Fields that `extra` cannot say: the factory does."""


def _one_or_many(value: object) -> object:
    if isinstance(value, list):
        return tuple(cast("list[object]", value))
    return (value,) if isinstance(value, str) else value


class Sampling(Settings):
    """How answers are drawn. What is not said is not sent: the server's own default holds."""

    temperature: Annotated[float, Field(ge=0)] | None = None
    """0: always the likeliest token."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Only the likeliest tokens that have this share together."""
    top_k: Annotated[int, Field(ge=-1)] | None = None
    """Only so many of the likeliest tokens; -1: all. Not of OpenAI's own language."""
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """Only tokens with this share of the likeliest one's. Not of OpenAI's own language."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Of one completion. Raised later, finished answers stay and only those cut off go on."""
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    """No end before so many. Not of OpenAI's own language."""
    stop: Annotated[
        tuple[str, ...], BeforeValidator(_one_or_many, json_schema_input_type=str | tuple[str, ...])
    ] = ()
    """Texts at which an answer ends; they are no part of it."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """Against tokens that were used at all."""
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """Against tokens, for each time they were used."""
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None
    """Divides the scores of tokens that were used. Not of OpenAI's own language."""
    send_seed: bool = True
    """Send each attempt's own seed; false for servers that know none."""

    def sent(self) -> dict[str, Any]:
        """The fields as they are sent, but for `max_tokens` and the seed."""
        said = self.model_dump(mode="json", exclude_none=True, exclude={"max_tokens", "send_seed"})
        return {name: value for name, value in said.items() if value != []}


class ServedSettings(Settings):
    """Base of `openai` and `vllm`."""

    model: str = Field(min_length=1)
    """The name that the server knows it by."""
    revision: str = "unstated"
    """Of the model: a commit, a date, whatever tells it from another of the same name."""
    license: str = "unknown"
    """SPDX identifier of the licence of what it says."""
    name: str | None = None
    """In rows; the model's name if nothing is said."""
    api: Literal["chat", "completions"] = "chat"
    """`completions` sends text, made from the messages by `template`."""
    sampling: Sampling = Sampling()
    """How answers are drawn."""
    tools: tuple[dict[str, Any], ...] = ()
    """Sent as they are; a call is kept in the text, between `<tool_call>` and `</tool_call>`."""
    extra: dict[str, Any] = Field(default_factory=dict[str, Any])
    """More fields of the request, sent as they are: `response_format`, `structured_outputs`..."""
    template: str = ""
    """jinja2, from `messages` to the text that `completions` sends; empty: a plain one."""
    opens_thinking: bool | None = None
    """Does the model's template open `<think>` itself, so that answers lack the tag? null: it is
    put back where an answer closes what it never opened."""
    max_continuations: int = Field(default=1, ge=0)
    """How often an answer that was cut off is gone on with, where the server can."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """Requests in flight at most; fewer while the server is busy."""
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Of one request; long traces take long, so there is none unless it is said here."""
    give_up_s: Annotated[float, Field(gt=0)] = 1800.0
    """The run stops when the server has answered nobody for so long, though it was asked."""

    @field_validator("extra")
    @classmethod
    def _says_nothing_twice(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for name in extra:
            if name in Sampling.model_fields:
                raise ValueError(f"say {name} under `sampling`")
            if name in NOT_EXTRA:
                raise ValueError(f"{name} is the factory's to say")
        return extra

    @field_validator("template")
    @classmethod
    def _compiles(cls, template: str) -> str:
        try:
            compiled(template)
        except TemplateFault as error:
            raise ValueError(str(error)) from error
        return template


def asks(settings: ServedSettings, **where: Any) -> dict[str, Any]:  # noqa: ANN401  (plain data)
    """All that an answer depends on beside messages, prefix, seed and `max_tokens`.

    Args:
        settings: of the teacher.
        **where: the rest: back-end, base URL, engine. What is None is left out, here as there.
    """
    said: dict[str, Any] = {
        "wire": WIRE_VERSION,
        **where,
        "model": settings.model,
        "revision": settings.revision,
        "api": settings.api,
        "sampling": {**settings.sampling.sent(), "send_seed": settings.sampling.send_seed},
        "tools": list(settings.tools) or None,
        "extra": settings.extra or None,
        "template": settings.template if settings.api == "completions" else None,
        "opens_thinking": settings.opens_thinking,
    }
    return {name: value for name, value in said.items() if value is not None}


def revision(settings: ServedSettings, asked: dict[str, Any]) -> str:
    """`<revision>+<12 hex digits of the digest of what is asked>`: for rows and keys."""
    return f"{settings.revision}+{digest(asked)[:12]}"
