"""The teacher `openai`: any endpoint that speaks OpenAI's language, near or far.

    teacher:
      kind: openai
      base_url: https://api.example.com/v1
      api_key_env: EXAMPLE_KEY
      model: small-reasoner
      sampling: {temperature: 0.8, max_tokens: 16384}

Not here: servers that the factory starts itself (vllm.py).
"""

import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from tracefactory.recipe.model import Settings
from tracefactory.teachers.contract import Completion, Request, TeacherInfo
from tracefactory.teachers.remote.channel import Place
from tracefactory.teachers.remote.endpoint import Endpoint, shared
from tracefactory.teachers.remote.prices import read_price
from tracefactory.teachers.remote.settings import ServedSettings, asks, revision
from tracefactory.teachers.remote.wire import Wire

OPENAI_URL = "https://api.openai.com/v1"
CONCURRENCY = 256


def _base_url() -> str:
    return os.environ.get("OPENAI_BASE_URL") or OPENAI_URL


class PriceFile(Settings):
    """Where prices are."""

    path: Path
    """A dated file of prices (docs/teachers.md); what a provider says itself goes before it."""


class OpenAIConfig(ServedSettings):
    """An endpoint, a model of it, and how it is asked."""

    kind: Literal["openai"] = "openai"
    base_url: str = Field(default_factory=_base_url, validate_default=True)
    """Up to what comes before `/chat/completions`; the environment's OPENAI_BASE_URL if there is
    one, else OpenAI's own."""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable with the key, where the workers run; the key itself is never in a
    recipe. This machine's own endpoints do without."""
    continues: bool = False
    """Does the endpoint go on with an answer whose beginning is the last message? (`completions`
    always does.) Then answers that were cut off are gone on with."""
    continue_with: dict[str, Any] = Field(default_factory=dict[str, Any])
    """More fields of such a request: `{continue_final_message: true, add_generation_prompt: false}`
    for vLLM."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """What the endpoint calls it; null: what OpenAI calls it there, `max_tokens` elsewhere."""
    prices: PriceFile | None = None
    """What its tokens cost; null: what the provider says, if it does."""

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, base_url: str) -> str:
        url = urlsplit(base_url)
        try:
            _ = url.port
        except ValueError as error:
            raise ValueError(f"{base_url!r}: {error}") from error
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"{base_url!r} is no URL such as {OPENAI_URL}")
        if url.username or url.password or url.query:
            raise ValueError("a URL without user, password and query; keys go into `api_key_env`")
        return base_url.rstrip("/")


class OpenAITeacher:
    """Asks an endpoint that any number of chunks of this process share."""

    def __init__(self, config: OpenAIConfig) -> None:
        """Make it; nothing is sent and no key is looked for before somebody asks.

        Raises:
            RecipeError: there is no price for the model.
        """
        self.config = config
        self.info = info_of(config)
        self._place = Place(
            config.base_url,
            api_key_env=config.api_key_env,
            cap=config.concurrency or CONCURRENCY,
            timeout_s=config.timeout_s,
            give_up_s=config.give_up_s,
        )
        prices = config.prices
        self._wire = Wire(
            config,
            max_tokens_field=_max_tokens_field(config),
            going_on=config.continue_with,
            price=None if prices is None else read_price(prices.path, config.model),
        )

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that this process shares."""
        return shared(self._place)

    def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Answer all requests, each yielded as it ends.

        Raises:
            ResourceError: no key, or the endpoint wants another key, model or address.
            ResourceError: it has answered nobody for `give_up_s`.
        """
        return self.endpoint.ask(requests, self._wire)

    @property
    def in_flight(self) -> int:
        """Requests that were sent and are not answered, of all who use the endpoint."""
        return self.endpoint.in_flight

    def news(self) -> list[str]:
        """Lines for people since the last call."""
        return self.endpoint.news()


def info_of(config: OpenAIConfig) -> TeacherInfo:
    """What rows and keys say of it; needs no network, no key and no file."""
    asked = _asks(config)
    return TeacherInfo(
        name=config.name or config.model,
        revision=revision(config, asked),
        license=config.license,
        paid=True,
        continues=config.continues or config.api == "completions",
        asks=asked,
        max_tokens=config.sampling.max_tokens,
        max_continuations=config.max_continuations,
    )


def revision_of(config: OpenAIConfig) -> str:
    """What makes the same request give another answer, in a word."""
    return revision(config, _asks(config))


def _asks(config: OpenAIConfig) -> dict[str, Any]:
    return asks(
        config,
        backend="openai",
        base_url=config.base_url,
        continue_with=config.continue_with or None,
        max_tokens_field=config.max_tokens_field,
    )


def _max_tokens_field(config: OpenAIConfig) -> str:
    if config.max_tokens_field is not None:
        return config.max_tokens_field
    theirs = urlsplit(config.base_url).hostname == urlsplit(OPENAI_URL).hostname
    return "max_completion_tokens" if theirs else "max_tokens"
