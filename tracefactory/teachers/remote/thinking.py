"""Reasoning as we keep it: `<think>`, a line each, `</think>`, and the answer.

Servers put it in a field of its own, or their templates have said the first tag already, so that
answers come without it. What the model said is not touched otherwise.
"""

OPENING, CLOSING = "<think>", "</think>"


def restored(text: str, *, opens_thinking: bool | None) -> str:
    """The text with the tag that the server's template had said for it.

    Args:
        text: as it came.
        opens_thinking: does the template say it? None: it did if the text closes what it never
            opened; of a text that was cut off before that, nobody can tell.
    """
    if opens_thinking is False or text.lstrip().startswith(OPENING):
        return text
    before, closes, _ = text.partition(CLOSING)
    if opens_thinking or (closes and OPENING not in before):
        return f"{OPENING}{text}" if text.startswith("\n") else f"{OPENING}\n{text}"
    return text


def joined(reasoning: str, content: str, *, cut: bool, goes_on: bool) -> str:
    """Reasoning that came in a field of its own, before the answer.

    Args:
        reasoning: that field.
        content: the answer; empty if there is none.
        cut: was it cut off? Then without an answer the reasoning is left open, to be gone on with.
        goes_on: does it go on with reasoning that is open already?
    """
    begins = reasoning if goes_on else f"{OPENING}\n{reasoning.lstrip(chr(10))}"
    if cut and not content:
        return begins
    end = begins.rstrip("\n")
    return f"{end}\n{CLOSING}\n\n{content.lstrip(chr(10))}"


def is_open(prefix: str) -> bool:
    """Does the text end within its reasoning?"""
    return prefix.rfind(OPENING) > prefix.rfind(CLOSING)


def without_opening(prefix: str) -> str:
    """What comes after the tag, to be sent where a template says the tag; else all of it."""
    stripped = prefix.lstrip()
    return stripped.removeprefix(OPENING) if stripped.startswith(OPENING) else prefix
