"""Ask a teacher: nothing that was paid for is asked for twice, and what comes back can be stored.

An answer is known by the digest of what was asked: messages, prefix, seed, and all that the
teacher says of itself (TeacherInfo.asks). It is found again in the journal, whatever killed the
work before, and among the answers of the slot's last receipt, whatever else was edited.

An answer that was cut off is saved as it is, and gone on with from its own text, as often as the
teacher's settings allow; `max_tokens` is no part of the digest, so that a larger one only continues
what was cut off. A continuation is a sample of its own: its seed is another.

Not here: which requests are made (stages/generate.py, stages/probe.py).
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from tracefactory.schemas.attempt import UNANSWERED
from tracefactory.store.home import Journal, digest
from tracefactory.teachers.contract import (
    Completion,
    DrainedError,
    Request,
    Teacher,
    TeacherError,
    TeacherInfo,
)
from tracefactory.teachers.remote.loop import in_shared_loop
from tracefactory.teachers.remote.thinking import restored

Key = tuple[str, int]
"""Problem id and index of the attempt."""

Place = tuple[str, int, str]
"""Of a completion in the journal: digest of the request, number of the part, what it continues."""

SPENT = ("asked", "prompt_tokens", "cached_tokens", "completion_tokens", "nano_usd", "priced",
         "refused", "failed")  # fmt: skip
"""Figures of spending in a receipt, beside `gpu_ms`."""

NOTE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a teacher said to one request: its first completion and what continued it."""

    said: Completion
    """With the text of all parts, and their tokens added up."""
    request: str
    """Digest of what was asked."""
    parts: int = 1
    """Completions that it is made of."""
    over: bool = False
    """Was it cut off by the server's own limit? Then there is nothing more to be had."""


Known = Mapping[str, Answer]
"""Answers that are there already, by the digest of what was asked."""


@dataclass(slots=True)
class Asked:
    """What came of asking."""

    answers: dict[Key, Answer]
    spent: dict[str, int]
    """What was paid for in this slot and stands in no receipt yet: `asked` completions, their
    tokens, `nano_usd`, `gpu_ms`. Empty for a teacher that costs nothing."""


def ask(teacher: Teacher, requests: Sequence[Request], known: Known, journal: Journal) -> Asked:
    """All answers, each with its continuations; in the event loop that this process shares.

    Args:
        teacher: who is asked.
        requests: each with another problem or index.
        known: answers that are there already.
        journal: where a paid teacher's completions are kept, and are looked for.

    Raises:
        TeacherError: it failed, or left requests without an answer.
        DrainedError: the run was asked to stop.
    """
    asking = _Asking(teacher, journal)
    open_ = asking.prepare(requests, known)  # here: the loop is busy with other chunks' answers
    return in_shared_loop(asking.all(requests, open_))


@dataclass(slots=True)
class _Asking:
    teacher: Teacher
    journal: Journal
    answers: dict[Key, Answer] = field(default_factory=dict[Key, Answer])
    spent: Counter[str] = field(default_factory=Counter[str])
    earlier: Counter[str] = field(default_factory=Counter[str])
    """Of `spent`, what the journal says."""
    digests: dict[Key, str] = field(default_factory=dict[Key, str])
    sent: int = 0
    ended: int = 0
    drained: bool = False

    async def all(self, requests: Sequence[Request], open_: list[Request]) -> Asked:
        """Send what is open; the answers to all requests."""
        info = self.teacher.info
        passes = asyncio.ensure_future(
            self._passes({_key(request): request for request in requests}, open_)
        )
        pulse = asyncio.ensure_future(self._pulse(len(requests), passes)) if info.paid else None
        try:
            await passes
        except asyncio.CancelledError:
            passes.cancel()
            if not self.drained:
                raise
        finally:
            if pulse is not None:
                pulse.cancel()
                self._note(len(requests))
        if self.drained:
            raise DrainedError("the run was asked to stop before all requests were sent")
        self._check(requests)
        return Asked(self.answers, _figures(self.spent) if info.paid else {})

    def prepare(self, requests: Sequence[Request], known: Known) -> list[Request]:
        """Take all that is there already; what is to be sent."""
        info = self.teacher.info
        identity = _Identity(info)
        self.digests = {_key(request): identity.of(request) for request in requests}
        journalled = self._journalled() if info.paid else {}
        self.earlier = self.spent.copy()
        open_: list[Request] = []
        for request in requests:
            key = _key(request)
            answer = known.get(self.digests[key])
            if answer is not None and answer.said.finish_reason in UNANSWERED:
                answer = None
            anew = None if info.continues else journalled.get(self._place(key, None))
            if answer is not None and answer.said.finish_reason == "length" and anew:
                answer = None  # it was asked again, whole, under a larger limit
            is_known = answer is not None
            while found := journalled.get(self._place(key, answer)):
                answer = _extended(answer, found[0], self.digests[key], found[1])
            if answer is not None:
                self.answers[key] = answer
            more = _next(info, request, answer, known=is_known)
            if more is not None:
                open_.append(more)
        return open_

    def _place(self, key: Key, before: Answer | None) -> Place:
        """What the next part of an answer is found by in the journal."""
        if before is None:
            return self.digests[key], 0, ""
        return self.digests[key], before.parts, _mark(before.said.text)

    async def _passes(self, requests: Mapping[Key, Request], open_: list[Request]) -> None:
        """Ask, then go on with what was cut off, until nothing is open."""
        while open_ and not self.drained:
            open_now, open_ = open_, []
            waiting = {_key(request): request for request in open_now}
            async with _closing(self.teacher.complete(self._sending(open_now))) as stream:
                async for completion in stream:
                    key = (completion.problem_id, completion.index)
                    asked = waiting.pop(key, None)
                    if asked is None:
                        continue  # a teacher that answers twice is believed once
                    self.ended += 1
                    if not self._take(asked, completion):
                        continue
                    more = _next(self.teacher.info, requests[key], self.answers[key])
                    if more is not None:
                        open_.append(more)

    def _sending(self, requests: Sequence[Request]) -> Iterator[Request]:
        for request in requests:
            if self.teacher.info.paid and self.journal.draining():
                self.drained = True
                return
            self.sent += 1
            yield request

    def _take(self, asked: Request, completion: Completion) -> bool:
        """Keep one completion, on disk first if it was paid for; False: it said nothing new."""
        info = self.teacher.info
        sound = _sound(completion, info.name)
        key = _key(asked)
        before = self.answers.get(key) if asked.max_tokens is not None else None
        self._count(sound)
        if sound.finish_reason in UNANSWERED:
            if before is None:
                self.answers[key] = Answer(sound, self.digests[key])
            return False  # what was cut off stays as it was
        limit = asked.max_tokens or info.max_tokens
        if info.paid:
            request, part, after = self._place(key, before)
            place = {"request": request, "part": part, "after": after, "limit": limit}
            self.journal.append({**_plain(sound), **place})
        self.answers[key] = _extended(before, sound, self.digests[key], limit)
        return True

    def _journalled(self) -> dict[Place, tuple[Completion, int | None]]:
        """Completions that earlier tries paid for, and their limits, by what they answer."""
        found: dict[Place, tuple[Completion, int | None]] = {}
        for record in self.journal.replay():
            plain = dict(record)
            place = (plain.pop("request", ""), plain.pop("part", 0), plain.pop("after", ""))
            limit = plain.pop("limit", None)
            try:
                completion = Completion(**plain)
            except TypeError:
                continue  # of another version: it is asked for again
            self._count(completion)
            found.setdefault(place, (completion, limit))
        return found

    def _count(self, completion: Completion) -> None:
        spent = self.spent
        if completion.finish_reason in UNANSWERED:
            spent[completion.finish_reason] += 1
            return
        spent["asked"] += 1
        spent["prompt_tokens"] += completion.n_prompt_tokens or 0
        spent["cached_tokens"] += completion.n_cached_tokens or 0
        spent["completion_tokens"] += completion.n_completion_tokens or 0
        spent["gpu_us"] += completion.gpu_us or 0
        if completion.nano_usd is not None:
            spent["nano_usd"] += completion.nano_usd
            spent["priced"] += 1

    async def _pulse(self, of: int, passes: "asyncio.Future[None]") -> None:
        """Tell the driver how it goes, about once a second; end early when it asks for that.

        Then what is in flight is waited for, and what waits for a server to be well is not.
        """
        while True:
            await asyncio.sleep(NOTE_EVERY_S)
            self._note(of)
            if self.journal.draining() and getattr(self.teacher, "in_flight", None) == 0:
                self.drained = True
                passes.cancel()

    def _note(self, of: int) -> None:
        news = getattr(self.teacher, "news", None)
        self.journal.note(
            {
                "time": time.time(),
                "done": len(self.answers),
                "of": of,
                "in_flight": self.sent - self.ended,
                **{name: n - self.earlier[name] for name, n in self.spent.items()},
                "news": [] if news is None else news(),
            }
        )

    def _check(self, requests: Sequence[Request]) -> None:
        missing = [request for request in requests if _key(request) not in self.answers]
        if missing:
            raise TeacherError(
                f"teacher {self.teacher.info.name!r} gave no answer to {len(missing)} of "
                f"{len(requests)} requests, such as attempt {missing[0].index} at "
                f"{missing[0].problem.id}"
            )


@asynccontextmanager
async def _closing(stream: AsyncIterator[Completion]) -> AsyncGenerator[AsyncIterator[Completion]]:
    """Whatever ends the reading (a full disk), nothing stays in flight for nobody."""
    try:
        yield stream
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


# --- What to ask next -----------------------------------------------------------------------------


def _next(
    info: TeacherInfo, request: Request, answer: Answer | None, *, known: bool = False
) -> Request | None:
    """What is still to be asked for one answer, or None: it is as whole as it may become.

    Args:
        info: of the teacher.
        request: the attempt.
        answer: so far.
        known: is it the answer of an earlier receipt, perhaps under a smaller limit?
    """
    if answer is None:
        return request
    limit = info.max_tokens
    if answer.said.finish_reason != "length" or answer.over or request.prefix or limit is None:
        return None
    so_far = answer.said.n_completion_tokens
    if so_far is None:
        so_far = answer.parts * limit
    if not info.continues:
        return request if known and so_far < limit else None
    room = limit * (1 + info.max_continuations) - so_far
    if room <= 0 or not answer.said.text:
        return None
    seed = hashlib.sha256(f"{request.seed}:{answer.parts}".encode()).digest()
    return replace(
        request,
        prefix=answer.said.text,
        seed=int.from_bytes(seed[:8], "big") >> 1,
        max_tokens=min(limit, room),
    )


def _extended(before: Answer | None, part: Completion, request: str, limit: int | None) -> Answer:
    """An answer with one more part.

    Args:
        before: what it continues; None: it is the first.
        part: what has come.
        request: digest of what was asked first.
        limit: tokens that the part could have had.
    """
    if part.finish_reason == "length" and part.n_completion_tokens is None and limit:
        part = replace(part, n_completion_tokens=limit)  # it was cut off there, or a little before
    clipped = part.finish_reason == "length" and (part.n_completion_tokens or 0) < (limit or 0)
    if before is None:
        return Answer(part, request, 1, over=clipped)
    said = before.said
    whole = replace(
        said,
        # A thought that the server's template opened may be closed only in the part that came now.
        text=restored(said.text + part.text, opens_thinking=None),
        finish_reason=part.finish_reason,
        n_reasoning_tokens=_sum(said.n_reasoning_tokens, part.n_reasoning_tokens),
        n_answer_tokens=_sum(said.n_answer_tokens, part.n_answer_tokens),
        n_completion_tokens=_sum(said.n_completion_tokens, part.n_completion_tokens),
        nano_usd=_sum(said.nano_usd, part.nano_usd),
        gpu_us=_sum(said.gpu_us, part.gpu_us),
    )
    return Answer(whole, request, before.parts + 1, over=clipped)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _mark(text: str) -> str:
    """What a continuation goes on from, in short."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _key(request: Request) -> Key:
    return request.problem.id, request.index


class _Identity:
    """Digests of a teacher's requests; what they share is hashed once."""

    def __init__(self, info: TeacherInfo) -> None:
        self._of_teacher = digest([info.name, info.revision, info.asks])
        self._of_messages: dict[int, str] = {}

    def of(self, request: Request) -> str:
        """sha256 over all that the answer depends on: requests that differ in anything differ."""
        messages = self._of_messages.get(id(request.messages))
        if messages is None:
            messages = digest(list(request.messages))
            self._of_messages[id(request.messages)] = messages
        asked = (self._of_teacher, messages, request.index, request.seed, request.prefix)
        return digest(asked)


def request_digest(info: TeacherInfo, request: Request) -> str:
    """What a request is known by: see `Attempt.request`."""
    return _Identity(info).of(request)


def _figures(spent: Mapping[str, int]) -> dict[str, int]:
    """As a receipt says it: GPU time in milliseconds."""
    figures = {name: spent.get(name, 0) for name in SPENT}
    figures["gpu_ms"] = spent.get("gpu_us", 0) // 1000
    return figures


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


_FIELDS = tuple(Completion.__dataclass_fields__)


def _plain(completion: Completion) -> dict[str, Any]:
    return {name: getattr(completion, name) for name in _FIELDS}
