"""The teacher `vllm`: a model that the factory serves itself, with vLLM, where the GPUs are.

    teacher:
      kind: vllm
      model: Qwen/Qwen3-8B
      revision: 9c925d64d72725edaf899c6cb9c377fd0709d9c5
      gpus: 1
      engine: {max_model_len: 32768}
      sampling: {temperature: 0.6, top_p: 0.95, max_tokens: 30000}

Each process that works for an engine owns one server, over a socket that only it can reach; a
warden sees that nothing of it stays behind. vLLM itself may be in another Python (`python:`).

Not here: a server's life (engine/), sending (remote/endpoint.py).
"""

import asyncio
import hashlib
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import orjson
from pydantic import Field, field_validator

from tracefactory.errors import ResourceError
from tracefactory.recipe.model import Settings
from tracefactory.store.home import digest
from tracefactory.teachers.contract import Completion, Request, TeacherError, TeacherInfo
from tracefactory.teachers.engine.command import (
    EngineArgs,
    command,
    environment,
    installed,
    with_socket,
)
from tracefactory.teachers.engine.life import Engine, Order, seat, seated
from tracefactory.teachers.remote.endpoint import Endpoint
from tracefactory.teachers.remote.manner import AnswerError, Payload
from tracefactory.teachers.remote.settings import ServedSettings, asks, revision
from tracefactory.teachers.remote.thinking import OPENING, without_opening
from tracefactory.teachers.remote.wire import Wire

CONCURRENCY = 256
"""Requests in flight to begin with, where nothing says how many are computed at a time."""

_OF_THE_PROMPT = ("chat_template", "chat_template_kwargs", "documents", "tools")
"""Fields of a chat request that its prompt depends on."""


class TemplateFile(Settings):
    """Where a chat template is."""

    path: Path
    """jinja2; its text is part of what an answer depends on."""


class VllmConfig(ServedSettings):
    """A model, how it is served, and how it is asked."""

    kind: Literal["vllm"] = "vllm"
    path: Path | None = None
    """The model's folder; null: `model` is its name on the Hub, and `revision` its commit there."""
    python: str | None = None
    """The Python of the environment that has vLLM; null: the one that runs the factory."""
    gpus: int = Field(default=1, ge=1)
    """That one replica needs: the model lies on all of them."""
    replicas: int | None = Field(default=None, ge=1)
    """Servers on this machine; null: as many as it has GPUs for."""
    engine: EngineArgs = EngineArgs()
    """What vLLM is told."""
    chat_template: TemplateFile | None = None
    """Instead of the model's own."""
    env: dict[str, str] = Field(default_factory=dict[str, str])
    """More variables of the server's environment, beside the worker's own; nothing secret."""
    start_s: float = Field(default=1800.0, gt=0)
    """It may take so long to start: to fetch the model, load it and compile."""
    stall_s: float = Field(default=300.0, gt=0)
    """A server that owes answers and gives no token for so long hangs, and is started again."""
    max_restarts: int = Field(default=3, ge=0)
    """In a row, without one answer between them, before it is given up."""

    @field_validator("env")
    @classmethod
    def _no_secrets(cls, env: dict[str, str]) -> dict[str, str]:
        secret = [name for name in env if _SECRET.search(name)]
        if secret:
            raise ValueError(
                f"{secret[0]}: a recipe is published with what it made, and is no place for "
                "secrets; set it where the workers run, the server has their environment"
            )
        return env


_SECRET = re.compile("TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_KEY", re.IGNORECASE)


class VllmTeacher:
    """Owns a server while it is asked, and leaves it to the next who wants the same."""

    def __init__(self, config: VllmConfig) -> None:
        """Make it; nothing is started before somebody asks."""
        self.config = config
        self.info = info_of(config)
        self._engine: Engine | None = None
        self._manner: _Manner | None = None

    async def complete(self, requests: Iterable[Request]) -> AsyncGenerator[Completion]:
        """Answer all requests, each yielded as it ends.

        Raises:
            ResourceError: there is no vLLM, or it never answers.
            TeacherError: it did, and cannot be brought back.
        """
        order = await asyncio.to_thread(self._order)
        async with seat(order) as engine:
            if self._engine is not engine or self._manner is None:
                self._manner = await _met(self.config, engine)
                self._engine = engine
            async with aclosing(engine.endpoint.ask(requests, self._manner)) as completions:
                async for completion in completions:
                    yield completion

    @property
    def in_flight(self) -> int:
        """Requests that were sent and are not answered; none before the server is up."""
        return self._engine.endpoint.in_flight if self._engine is not None else 0

    def news(self) -> list[str]:
        """Lines for people since the last call."""
        engine = self._engine or seated()
        return engine.endpoint.news() if engine is not None else []

    def _order(self) -> Order:
        config = self.config
        if config.path is not None and not (config.path / "config.json").is_file():
            raise ResourceError(f"{config.path} holds no model: there is no config.json in it")
        python = config.python or sys.executable
        found = installed(python)
        model = str(config.path or config.model)
        commit = None if config.revision == "unstated" else config.revision
        args = config.engine
        start = command(python, found, model, config.model, commit, config.gpus, args)
        if config.chat_template is not None:
            start += ["--chat-template", str(config.chat_template.path)]
        at_once = config.engine.max_num_seqs
        weights = _stated(config).revision
        return Order(
            key=digest(
                [start, found.version, weights, sorted(config.env.items()), config.timeout_s]
            ),
            command=partial(with_socket, start),
            env=environment(found, model, config.env),
            gpus=0.0 if found.for_cpu else float(config.gpus),
            cap=config.concurrency or (at_once + at_once // 8 if at_once else CONCURRENCY),
            capped=config.concurrency is not None,
            start_s=config.start_s,
            stall_s=config.stall_s,
            max_restarts=config.max_restarts,
            timeout_s=config.timeout_s,
        )


def info_of(config: VllmConfig) -> TeacherInfo:
    """What rows and keys say of it; needs no vLLM and no network."""
    stated = _stated(config)
    asked = _asks(stated)
    return TeacherInfo(
        name=config.name or config.model,
        revision=revision(stated, asked),
        license=config.license,
        paid=True,
        continues=True,
        asks=asked,
        max_tokens=config.sampling.max_tokens,
        max_continuations=config.max_continuations,
    )


def revision_of(config: VllmConfig) -> str:
    """What makes the same request give another answer, in a word."""
    return info_of(config).revision


def _asks(config: VllmConfig) -> dict[str, Any]:
    template = config.chat_template
    return asks(
        config,
        backend="vllm",
        engine=config.engine.matter() or None,
        chat_template=None if template is None else _text_of(template.path),
    )


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceError(
            f"the teacher's chat_template {path} cannot be read: {error}"
        ) from error


def _stated(config: VllmConfig) -> VllmConfig:
    """With a revision by the files' bytes, if the model lies here and nothing else is said."""
    if config.revision != "unstated" or config.path is None or not config.path.is_dir():
        return config
    return config.model_copy(update={"revision": f"files:{files_digest(config.path)[:16]}"})


_WHOLE_BYTES = 32 << 20
_PIECE_BYTES = 1 << 16
_PIECES = 16


def files_digest(folder: Path) -> str:
    """What tells a model's files from another's, in no time.

    Of large ones that is their size and some pieces of them: training moves every weight.
    """
    found = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        size = path.stat().st_size
        found.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                found.update(file.read())
                continue
            for piece in range(_PIECES):
                file.seek((size - _PIECE_BYTES) * piece // (_PIECES - 1))
                found.update(file.read(_PIECE_BYTES))
    return found.hexdigest()


# --- how it is spoken to --------------------------------------------------------------------------


async def _met(config: VllmConfig, engine: Engine) -> "_Manner":
    """Learn what the model's template does, and how much the server takes.

    Raises:
        ResourceError: the model has no chat template, and `api` is chat.
        TeacherError: the server does not say.
    """
    chat = config.api == "chat"
    asked: dict[str, Any] = {"model": config.model}
    if chat:
        asked |= _prompt_fields(config) | {"messages": [{"role": "user", "content": "1 + 1?"}]}
    else:
        asked["prompt"] = "1 + 1?"
    try:
        found = await _call(engine.fetch, "/tokenize", asked)
        ids = {"model": config.model, "tokens": found["tokens"]}
        prompt = str((await _call(engine.fetch, "/detokenize", ids))["prompt"]) if chat else ""
        longest = int(found["max_model_len"])
    except AnswerError as error:
        if error.status != 400 or not chat:
            raise TeacherError(f"vLLM is up, and yet made no prompt: {error}") from error
        raise ResourceError(
            f"vLLM cannot make a prompt for {config.model}: {error.detail}. For a model without a "
            "chat template, name one with `chat_template: {path: ...}`, or say `api: completions`"
        ) from error
    _, opens, after = prompt.rpartition(OPENING)
    said = (opens + after) if opens and not after.strip() else ""
    if config.opens_thinking is None and chat:
        config = config.model_copy(update={"opens_thinking": bool(said)})
    return _Manner(config, engine, said.removeprefix(OPENING), longest)


async def _call(
    fetch: Any,  # noqa: ANN401  (Engine.fetch or Endpoint.fetch)
    path: str,
    fields: Mapping[str, Any],
) -> dict[str, Any]:
    answer = await fetch(path, orjson.dumps(fields))
    try:
        found: object = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise AnswerError(f"{path} answered no JSON: {error}") from error
    if not isinstance(found, dict):
        raise AnswerError(f"{path} answered no JSON object")
    return cast("dict[str, Any]", found)


def _prompt_fields(config: VllmConfig) -> dict[str, Any]:
    fields: dict[str, Any] = {k: v for k, v in config.extra.items() if k in _OF_THE_PROMPT}
    return fields | ({"tools": list(config.tools)} if config.tools else {})


class _Manner:
    """OpenAI's language, but where an answer goes on: there the server gets numbers.

    A chat request whose last turn is a beginning would go through the template, which may cut
    reasoning out of it. So the prompt is what the template makes of the conversation, then the
    beginning as it was.
    """

    def __init__(self, config: VllmConfig, engine: Engine, tail: str, longest: int) -> None:
        self._wire = Wire(config)
        self._config, self._engine = config, engine
        self._endpoint: Endpoint = engine.endpoint
        self._tail = tail
        """What the template says after the tag that it opens."""
        self._longest = longest

    def payload(self, request: Request) -> Payload | Awaitable[Payload]:
        """Path and body."""
        if self._config.api == "chat":
            if request.prefix:
                return self._going_on(request)
            path, body = self._wire.payload(request)
            return f"/v1{path}", body
        # Unsaid, it would be 16; too much is cut to what there is room for.
        limit = request.max_tokens or self._config.sampling.max_tokens or self._longest
        fields = self._wire.fields(request) | {"max_tokens": limit}
        fields["prompt"] = self._wire.prompt(request.messages, request.prefix)
        return "/v1/completions", orjson.dumps(fields)

    async def _going_on(self, request: Request) -> Payload:
        config, fetch = self._config, self._endpoint.fetch
        model = {"model": config.model}
        messages = [dict(message) for message in request.messages]
        begun = request.prefix
        if config.opens_thinking:
            begun = without_opening(begun).removeprefix(self._tail)
        prompt, prefix = await asyncio.gather(
            _call(fetch, "/tokenize", model | _prompt_fields(config) | {"messages": messages}),
            _call(fetch, "/tokenize", model | {"prompt": begun, "add_special_tokens": False}),
        )
        fields = {k: v for k, v in self._wire.fields(request).items() if k not in _OF_THE_PROMPT}
        fields.setdefault("max_tokens", self._longest)
        fields["prompt"] = [*prompt["tokens"], *prefix["tokens"]]
        return "/v1/completions", orjson.dumps(fields)

    def completion(self, request: Request, answer: bytes, gpu_us: int | None) -> Completion:
        """What an answer says."""
        completion = self._wire.completion(request, answer, gpu_us)
        self._engine.answered += 1
        return completion
