"""An attempt: what one teacher answered, once, to one problem. Raw text, never edited."""

from dataclasses import dataclass

import pyarrow as pa

UNANSWERED = frozenset({"refused", "failed"})
"""Ends of an attempt that are no answer: the server's doing, and nothing of the teacher's."""

NOT_JUDGED = UNANSWERED | {"content_filter", "safety", "recitation", "blocklist"}
"""Ends of an attempt that is not judged: somebody else cut away what was to be said."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One raw teacher output. Written once, in raw/, and never overwritten."""

    id: str
    """`<problem_id>/<teacher>/<index>`."""
    problem_id: str
    index: int
    """Number of the attempt by this teacher, from 0; selection goes by it, never by time."""
    teacher: str
    """Name of who wrote it: `solver`, a model's name, a column of stored generations."""
    teacher_revision: str
    """Exact version; `program:...` when the teacher is a program and not a model."""
    teacher_license: str
    """SPDX identifier of the licence of the teacher's outputs, or `unknown`."""
    text: str
    """The response as it came, reasoning included."""
    finish_reason: str
    """`stop`; `length` when the response was cut off; `refused` when the server would not answer
    this request, `failed` when it never could (then there is no text, and `detail` says why)."""
    seed: int | None
    """Sampling seed: hash(run seed, problem id, teacher, index), 63 bits; None: imported."""
    n_prompt_tokens: int | None = None
    n_reasoning_tokens: int | None = None
    n_answer_tokens: int | None = None
    tokenizer: str | None = None
    """What counted the tokens; None when nobody did (then the counts are None too)."""
    n_completion_tokens: int | None = None
    """Reasoning and answer together, of all parts."""
    n_continuations: int = 0
    """How often the response was cut off and gone on with."""
    request: str | None = None
    """Digest of all that the response depends on (teachers/asking.py); None: imported."""
    detail: str = ""
    """What the server said where it refused or failed; `server limit` where that cut it off."""


ATTEMPT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("index", pa.int32(), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
        pa.field("teacher_revision", pa.string(), nullable=False),
        pa.field("teacher_license", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("seed", pa.int64()),
        pa.field("n_prompt_tokens", pa.int32()),
        pa.field("n_reasoning_tokens", pa.int32()),
        pa.field("n_answer_tokens", pa.int32()),
        pa.field("tokenizer", pa.string()),
        pa.field("n_completion_tokens", pa.int32()),
        pa.field("n_continuations", pa.int32(), nullable=False),
        pa.field("request", pa.string()),
        pa.field("detail", pa.string(), nullable=False),
    ]
)
