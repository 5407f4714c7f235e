"""Leave the reasoning of a trace out: its teacher is to answer at once."""

from tracefactory.verifiers.extract import split_reasoning


def truncated(response: str) -> str | None:
    """What the teacher has then said: an empty thinking part. None: the trace has none to lose."""
    if not split_reasoning(response)[0].strip():
        return None
    tag = "thinking" if "</thinking>" in response else "think"
    return f"<{tag}>\n\n</{tag}>\n\n"
