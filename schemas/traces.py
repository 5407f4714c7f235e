"""A trace: one published row. These columns are the contract with trainers and auditors.

Never add a column that trainers branch on: prompt, completion, chosen, rejected, conversations,
input_ids, labels, text (in `sft`). Arrow `string` and `list` only, the same schema in every shard.
"""

from dataclasses import dataclass

import pyarrow as pa

from tracefactory.schemas.overlap import OVERLAP_SCHEMA
from tracefactory.schemas.probe import PROBE_SCHEMA


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    """`user` or `assistant`."""
    content: str


@dataclass(frozen=True, slots=True)
class Trace:
    """One row of the `sft` view: a problem, an attempt at it, and the verdict."""

    id: str
    """The attempt's id, `<problem_id>/<teacher>/<index>`."""
    messages: list[Message]
    """User turn (statement, instruction line), assistant turn (reasoning inline in `<think>`)."""
    problem_id: str
    domain: str
    task_type: str
    source: str
    license: str
    """SPDX identifier of the problem's licence."""
    teacher: str
    teacher_revision: str
    """Exact version; begins with `program:` when the teacher is a program and not a model."""
    teacher_license: str
    answer: str
    """The reference."""
    final_answer: str | None
    """What the checker found in the response."""
    status: str
    reason: str
    verifier: str
    """`module:function@version` of the checker."""
    n_true_steps: int | None
    """Steps exactly true or right to the digits shown; null when steps were not checked."""
    n_false_steps: int | None
    """False steps that no later `Recheck:` line puts right; null when steps were not checked."""
    pass_rate: float | None
    """correct / (correct + incorrect + no_answer) over the first `attempts.min`; null: none."""
    n_attempts: int
    """All attempts of this teacher at this problem."""
    difficulty: float | None
    """1 - pass_rate."""
    finish_reason: str
    n_prompt_tokens: int | None
    n_reasoning_tokens: int | None
    n_answer_tokens: int | None
    tokenizer: str | None
    """What counted the tokens; null: they were not counted."""
    attempt_index: int
    seed: int | None
    """Sampling seed; null when the text was imported and nobody knows it."""
    recipe_id: str
    """First 16 hex digits of the sha256 of the resolved recipe (paths of files left out)."""
    content_sha256: str
    """sha256 of the row's content: the messages and the answer (see publish/rows.py)."""


_MESSAGES = pa.list_(
    pa.struct(
        [pa.field("role", pa.string()), pa.field("content", pa.string())],
    )
)

SFT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("messages", _MESSAGES),
        pa.field("problem_id", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("task_type", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("teacher", pa.string()),
        pa.field("teacher_revision", pa.string()),
        pa.field("teacher_license", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("final_answer", pa.string()),
        pa.field("status", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("verifier", pa.string()),
        pa.field("n_true_steps", pa.int32()),
        pa.field("n_false_steps", pa.int32()),
        pa.field("pass_rate", pa.float32()),
        pa.field("n_attempts", pa.int32()),
        pa.field("difficulty", pa.float32()),
        pa.field("finish_reason", pa.string()),
        pa.field("n_prompt_tokens", pa.int32()),
        pa.field("n_reasoning_tokens", pa.int32()),
        pa.field("n_answer_tokens", pa.int32()),
        pa.field("tokenizer", pa.string()),
        pa.field("attempt_index", pa.int32()),
        pa.field("seed", pa.int64()),
        pa.field("recipe_id", pa.string()),
        pa.field("content_sha256", pa.string()),
    ]
)

REJECTED_SCHEMA = pa.schema(
    [
        *SFT_SCHEMA,
        pa.field("dropped_by", pa.string()),  # the stage of the recipe that dropped it
        pa.field("drop_reason", pa.string()),  # the rule, or the id of the row it repeats
    ]
)

RL_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("prompt", _MESSAGES),
        pa.field("solution", pa.string()),  # the reference, under the name that TRL's rewards read
        pa.field("verification_info", pa.string()),  # JSON: verifier@version, options, reference
        pa.field("problem_id", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("task_type", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("pass_rate", pa.float32()),  # of all teachers together; null: never attempted
        pa.field("n_rated", pa.int32()),  # attempts that the pass rate is over
        pa.field("n_attempts", pa.int32()),
        pa.field("n_correct", pa.int32()),
        pa.field("difficulty", pa.float32()),
        pa.field("recipe_id", pa.string()),
        pa.field("content_sha256", pa.string()),
    ]
)

PRETRAIN_SCHEMA = pa.schema(
    [
        pa.field("text", pa.string()),
        pa.field("id", pa.string()),
        pa.field("token_count", pa.int32()),
        pa.field("problem_id", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("task_type", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("teacher", pa.string()),
        pa.field("teacher_revision", pa.string()),
        pa.field("teacher_license", pa.string()),
        pa.field("status", pa.string()),
        pa.field("verifier", pa.string()),
        pa.field("recipe_id", pa.string()),
        pa.field("content_sha256", pa.string()),
    ]
)

_SPLIT_MESSAGES = pa.list_(
    pa.struct(
        [
            pa.field("role", pa.string()),
            pa.field("content", pa.string()),  # without the reasoning and its tags
            pa.field("reasoning_content", pa.string()),  # null: a user's turn, or no reasoning
        ],
    )
)

SFT_REASONING_SCHEMA = SFT_SCHEMA.set(
    SFT_SCHEMA.get_field_index("messages"), pa.field("messages", _SPLIT_MESSAGES)
)

PREFERENCE_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),  # chosen_id~rejected_id
        pa.field("prompt", _MESSAGES),  # these three as TRL's preference trainers read them
        pa.field("chosen", _MESSAGES),  # a published trace with a correct answer
        pa.field("rejected", _MESSAGES),  # an incorrect one of the same problem
        pa.field("problem_id", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("task_type", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("pass_rate", pa.float32()),  # of the chosen one's teacher
        *(
            pa.field(f"{side}_{name}", pa.string())
            for side in ("chosen", "rejected")
            for name in (
                "id",  # of the attempt
                "teacher",
                "teacher_revision",
                "teacher_license",
                "final_answer",
                "status",
                "reason",
                "verifier",
            )
        ),
        pa.field("recipe_id", pa.string()),
        pa.field("content_sha256", pa.string()),
    ]
)

PROBES_SCHEMA = pa.schema(
    [
        # Nullable, as in all views: not every reader keeps the difference.
        *(pa.field(field.name, field.type) for field in PROBE_SCHEMA),
        pa.field("recipe_id", pa.string()),
        pa.field("content_sha256", pa.string()),
    ]
)

OVERLAPS_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),  # <attempt or problem id>/overlap/<stage>/<benchmark>/<level>
        *(pa.field(field.name, field.type) for field in OVERLAP_SCHEMA),
        pa.field("domain", pa.string()),
        pa.field("task_type", pa.string()),
        pa.field("source", pa.string()),
        pa.field("license", pa.string()),
        pa.field("recipe_id", pa.string()),
        pa.field("content_sha256", pa.string()),
    ]
)

VIEW_SCHEMAS: dict[str, pa.Schema] = {
    "sft": SFT_SCHEMA,
    "sft_reasoning": SFT_REASONING_SCHEMA,
    "rl": RL_SCHEMA,
    "pretrain": PRETRAIN_SCHEMA,
    "preference": PREFERENCE_SCHEMA,
    "rejected": REJECTED_SCHEMA,
    "probes": PROBES_SCHEMA,
    "overlaps": OVERLAPS_SCHEMA,
}
