"""OpenAI's language: requests into bodies, answers into completions.

Nothing of an answer is trusted: what has another type than it should is as good as absent, and
what cannot be read at all is an AnswerError.

Not here: sending (endpoint.py), reasoning and its tags (thinking.py).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from tracefactory.teachers.contract import Completion, Message, Request
from tracefactory.teachers.remote.faults import words_of
from tracefactory.teachers.remote.manner import AnswerError
from tracefactory.teachers.remote.prices import Price
from tracefactory.teachers.remote.prompts import compiled, rendered
from tracefactory.teachers.remote.settings import ServedSettings
from tracefactory.teachers.remote.thinking import is_open, joined, restored, without_opening

PATHS = {"chat": "/chat/completions", "completions": "/completions"}
MAX_TOKENS = 10**9
MAX_REASON = 40

_REASONS = {
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "STOP": "stop",
}
_NO_ENDS = ("error", "abort", "aborted", "cancelled", "canceled", "timeout")
"""Words for answers that were not finished, and not for the model's reasons."""


class Wire:
    """A Manner for chat or completions of one model. Built once a teacher."""

    def __init__(
        self,
        settings: ServedSettings,
        *,
        max_tokens_field: str = "max_tokens",
        going_on: Mapping[str, Any] | None = None,
        price: Price | None = None,
    ) -> None:
        """Make it.

        Args:
            settings: of the teacher.
            max_tokens_field: what the server calls that field.
            going_on: more fields of a chat request whose last message is the answer's beginning.
            price: of the model, for answers that do not say what they cost.
        """
        self.settings = settings
        self._path = PATHS[settings.api]
        self._max_tokens_field = max_tokens_field
        self._going_on = dict(going_on or {})
        self._price = price
        self._template = compiled(settings.template)
        self._frame: dict[str, Any] = {"model": settings.model, **settings.sampling.sent()}
        if settings.tools:
            self._frame["tools"] = list(settings.tools)
        self._frame.update(settings.extra)

    def fields(self, request: Request) -> dict[str, Any]:
        """A new dict: all fields of the body but the messages or the prompt."""
        fields = self._frame.copy()
        sampling = self.settings.sampling
        max_tokens = request.max_tokens or sampling.max_tokens
        if max_tokens is not None:
            fields[self._max_tokens_field] = max_tokens
        if sampling.send_seed:
            fields["seed"] = request.seed
        return fields

    def payload(self, request: Request) -> tuple[str, bytes]:
        """Path and body."""
        fields = self.fields(request)
        if self.settings.api == "completions":
            fields["prompt"] = self.prompt(request.messages, request.prefix)
        elif request.prefix:
            prefix = {"role": "assistant", "content": self.prefix(request)}
            fields["messages"] = [*request.messages, prefix]
            fields.update(self._going_on)
        else:
            fields["messages"] = request.messages
        return self._path, orjson.dumps(fields, default=_plain)

    def prompt(self, messages: Sequence[Message], prefix: str = "") -> str:
        """The text that `template` makes of the messages, and the answer's beginning after it."""
        prompt = rendered(self._template, messages)
        if prefix and prompt.rstrip().endswith("<think>"):
            return prompt.rstrip() + without_opening(prefix)
        return prompt + prefix

    def prefix(self, request: Request) -> str:
        """The answer's beginning as it is sent: without the tag that the server's template says."""
        if self.settings.opens_thinking:
            return without_opening(request.prefix).lstrip("\n")
        return request.prefix

    def completion(self, request: Request, answer: bytes, gpu_us: int | None) -> Completion:
        """What an answer says; chat and completions are told apart by what is in it.

        Raises:
            AnswerError: it is torn, or an error in disguise.
        """
        said = _read(answer)
        choice = _choice(said)
        reason = _finish_reason(choice)
        text = self._text(request, choice, cut=reason == "length")
        usage = said.get("usage")
        counts = counts_of(usage)
        n_prompt, n_cached, n_completion, n_reasoning = counts
        nano_usd = _cost(usage)
        if nano_usd is None and self._price is not None:
            nano_usd = self._price.nano_usd(n_prompt, n_cached, n_completion)
        n_answer = None
        if n_reasoning is not None and n_completion is not None:
            n_answer = n_completion - n_reasoning
        return Completion(
            problem_id=request.problem.id,
            index=request.index,
            text=text,
            finish_reason=reason,
            n_prompt_tokens=n_prompt,
            n_reasoning_tokens=n_reasoning,
            n_answer_tokens=n_answer,
            tokenizer=None if counts == _NOTHING else self.settings.model,
            n_completion_tokens=n_completion,
            n_cached_tokens=n_cached,
            nano_usd=nano_usd,
            gpu_us=gpu_us,
        )

    def _text(self, request: Request, choice: Mapping[str, Any], *, cut: bool) -> str:
        opens = self.settings.opens_thinking
        message = choice.get("message")
        if not isinstance(message, dict):
            text = choice.get("text")
            if not isinstance(text, str):
                raise AnswerError("an answer without a message and without text")
            return text if request.prefix else restored(text, opens_thinking=opens)
        fields = cast("dict[str, Any]", message)
        content = _content(fields)
        reasoning = fields.get("reasoning") or fields.get("reasoning_content")
        if isinstance(reasoning, str) and reasoning:
            goes_on = is_open(request.prefix)
            return joined(reasoning, content, cut=cut, goes_on=goes_on)
        return content if request.prefix else restored(content, opens_thinking=opens)


Counts = tuple[int | None, int | None, int | None, int | None]
"""Tokens of the prompt, those of it that were cached, of the completion, of its reasoning."""
_NOTHING: Counts = (None, None, None, None)


def counts_of(usage: object) -> Counts:
    """Token counts of an answer's `usage`; whatever cannot be right is None."""
    if not isinstance(usage, dict):
        return _NOTHING
    fields = cast("dict[str, Any]", usage)
    n_prompt = _count(fields.get("prompt_tokens"))
    n_completion = _count(fields.get("completion_tokens"))
    n_cached = _part(fields.get("prompt_tokens_details"), "cached_tokens", n_prompt)
    n_reasoning = _part(fields.get("completion_tokens_details"), "reasoning_tokens", n_completion)
    # 0 is what servers say that do not count them, and of thoughts that were cut off.
    return n_prompt, n_cached, n_completion, n_reasoning or None


def _read(answer: bytes) -> Mapping[str, Any]:
    try:
        said: object = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        raise AnswerError(f"an answer that is no JSON: {error}") from error
    if not isinstance(said, dict):
        raise AnswerError("an answer that is no JSON object")
    return cast("dict[str, Any]", said)


def _choice(said: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = said.get("choices")
    first: object = cast("list[object]", choices)[0] if isinstance(choices, list) and choices else 0
    choice = cast("dict[str, Any]", first) if isinstance(first, dict) else None
    error = said.get("error") or (choice or {}).get("error")
    if error:
        detail, code = words_of(error)
        status = int(code) if code.isdigit() else None
        raise AnswerError(detail, status=status or 500, code=code)
    if choice is None:
        raise AnswerError("an answer without a choice")
    return choice


def _finish_reason(choice: Mapping[str, Any]) -> str:
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or not reason or reason in _NO_ENDS:
        raise AnswerError(f"an answer that was not finished (finish_reason {reason!r})")
    return _REASONS.get(reason, reason[:MAX_REASON])


def _content(message: Mapping[str, Any]) -> str:
    """The text of a message: content, in whatever form, and the calls of tools."""
    content = message.get("content")
    if content is None:
        content = message.get("refusal") or ""
    if isinstance(content, list):
        parts = [
            cast("dict[str, Any]", p) for p in cast("list[object]", content) if isinstance(p, dict)
        ]
        content = "".join(str(part.get("text") or "") for part in parts)
    if not isinstance(content, str):
        raise AnswerError(f"an answer whose content is {type(content).__name__}")
    calls = message.get("tool_calls")
    if isinstance(calls, list) and calls:
        told = (orjson.dumps(call).decode() for call in cast("list[object]", calls))
        called = "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in told)
        return f"{content}\n{called}" if content else called
    return content


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_TOKENS
    return cast("int", value) if is_count else None


def _part(details: object, name: str, whole: int | None) -> int | None:
    if whole is None or not isinstance(details, dict):
        return None
    part = _count(cast("dict[str, Any]", details).get(name))
    return part if part is not None and part <= whole else None


def _cost(usage: object) -> int | None:
    """What the provider says it cost, in 10^-9 dollars."""
    cost: object = cast("dict[str, Any]", usage).get("cost") if isinstance(usage, dict) else None
    if isinstance(cost, bool) or not isinstance(cost, int | float):
        return None
    return round(cost * 1e9) if math.isfinite(cost) and 0 <= cost < 1e6 else None


def _plain(value: object) -> object:
    """Mappings that are no dicts, and such."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    raise TypeError(f"{type(value).__name__} cannot be sent")
