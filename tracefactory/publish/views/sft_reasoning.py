"""`sft_reasoning`: the rows of `sft`, the reasoning in a field of its own.

For chat templates that read `reasoning_content`; those that do not would drop it without a word,
which is why `sft` has it inline. The tags and the line breaks around them are left out, since the
template writes its own. Text before `<think>` stays, at the start of the content.
"""

import polars as pl

from tracefactory.publish.views.sft import audited
from tracefactory.publish.views.shaping import Settings, hashed, shuffled
from tracefactory.verifiers.extract import split_reasoning

_OPENS = ("<think>", "<thinking>")


def split_traces(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """One row an attempt, its assistant's turn in two fields."""
    parts = [divided(text) for text in rows.get_column("text").to_list()]
    frame = audited(rows, settings).with_columns(
        pl.Series("_reasoning", [reasoning for reasoning, _ in parts], pl.String),
        pl.Series("_content", [content for _, content in parts], pl.String),
    )
    messages = pl.concat_list(
        _turn("user", pl.col("_user"), pl.lit(None, pl.String)),
        _turn("assistant", pl.col("_content"), pl.col("_reasoning")),
    )
    frame = frame.with_columns(messages.alias("messages"))
    return shuffled(hashed(frame, "_user", "_reasoning", "_content", "answer"))


def divided(text: str) -> tuple[str | None, str]:
    """A response as (reasoning, content); None when it has no reasoning."""
    reasoning, answer = split_reasoning(text)
    if answer == text:
        return None, text
    opened = min((at for tag in _OPENS if (at := text.find(tag)) >= 0), default=0)
    before = "" if reasoning == text else text[:opened].rstrip()
    content = answer.lstrip("\n")
    return reasoning.strip("\n") or None, "\n\n".join(filter(None, (before, content)))


def _turn(role: str, content: pl.Expr, reasoning: pl.Expr) -> pl.Expr:
    return pl.struct(
        pl.lit(role).alias("role"), content.alias("content"), reasoning.alias("reasoning_content")
    )
