"""How a teacher and an endpoint talk: what is sent for a request, what is made of the answer.

Not here: sending (endpoint.py), what OpenAI's language looks like (wire.py).
"""

from collections.abc import Awaitable
from dataclasses import astuple, dataclass
from typing import Protocol

from tracefactory.teachers.contract import Completion, Request

Payload = tuple[str, bytes]
"""The path below the endpoint's base URL (`/chat/completions`), and the body: JSON."""


class Manner(Protocol):
    """What a teacher makes of requests and answers. Called in the shared loop: never waits."""

    def payload(self, request: Request) -> Payload | Awaitable[Payload]:
        """What is sent. Asked once a request, when it can be sent, and kept for further tries.

        One that needs the server first (to count tokens, say) gives an awaitable: it is awaited
        in the request's place in flight, and `AnswerError` there is one failed try of the request.
        """
        ...

    def completion(self, request: Request, answer: bytes, gpu_us: int | None) -> Completion:
        """What the body of an answer with status 200 says.

        Raises:
            AnswerError: it is torn, or an error in disguise.
        """
        ...


@dataclass(slots=True, eq=False)
class AnswerError(Exception):
    """One try of one request did not bring a completion."""

    detail: str
    """What came, in the server's words where there are any."""
    status: int | None = None
    """The HTTP status, or the code of an error inside an answer of status 200; None: no answer, or
    one that cannot be read."""
    code: str = ""
    """The server's own word for it, such as `insufficient_quota`."""
    retry_after_s: float | None = None
    """How long the server asked to be left alone."""
    answered: bool = True
    """Did a server answer at all, or was there no connection, or one that broke?"""
    gpu_s: float = 0.0
    """The share of the GPUs' time that the try took; whoever sent it fills it in."""

    def __reduce__(self) -> tuple[type["AnswerError"], tuple[object, ...]]:
        return AnswerError, astuple(self)  # an exception with slots does not pickle by itself

    def __str__(self) -> str:
        return self.detail if self.status is None else f"status {self.status}: {self.detail}"
