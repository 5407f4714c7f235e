r"""What a response says that its code prints: snippets with their output, and sessions.

    snippet   a fenced Python block, followed by a line such as `Output: 5`, by such a line with a
              fenced block or plain lines below it, or by a block fenced as `output`
    session   lines that begin with `>>> ` (and `... `), with the lines below them up to a blank
              one; in a block whose first line is one, or between blocks. A blank line of the
              output is written `<BLANKLINE>`.

Examples that share a block, or stand between the same blocks, are one session. Every run knows the
definitions, imports and assignments of the Python blocks before it.

Not here: running them and comparing (program_steps.py); comments in code (`# 5`), docstrings.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(r"[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*?)[ \t]*\r?")
_PYTHON = ("python", "python3", "py", "py3")
_SESSIONS = ("", *_PYTHON, "pycon", "python-repl", "doctest", "console", "text", "pytb")
_OUTPUTS = ("output", "stdout", "out", "result")
_LABEL = re.compile(
    r"[ \t#>*_-]*(?:(?:the|its|this|it|which|and|actual|expected|console|program|code)[ \t]+)*"
    r"(?:outputs?|prints|printed|results?|gives|displays)(?:[ \t]+(?:is|will[ \t]be|would[ \t]be))?"
    r"[ \t]*(?:[*_]+[ \t]*:|:[ \t]*[*_]*)[*_ \t]*(?P<rest>.*)",
    re.IGNORECASE,
)
_PROMPT, _GOES_ON = ">>>", "..."
_MAX_LABEL = 400


class Claim(NamedTuple):
    """One claimed output."""

    source: str
    wants: str
    """Empty: nothing is claimed, the code is only part of a session."""
    is_exact: bool = True
    """False: prose may be part of `wants`, because nothing marks its end."""


class Run(NamedTuple):
    """Claims that one interpreter can check, in order."""

    kind: str
    """snippet or session."""
    context: tuple[str, ...]
    """The Python blocks before it."""
    claims: tuple[Claim, ...]


class _Block(NamedTuple):
    language: str
    body: list[str]
    closed: bool


def runs(response: str) -> Iterator[Run]:
    """All claims of a response, in its order."""
    parts = list(_parts(response))
    context: list[str] = []
    for at, part in enumerate(parts):
        if isinstance(part, list):
            yield from _session(part, context, is_exact=False)
            continue
        if not part.closed:
            continue
        first = next((line for line in part.body if line.strip()), "")
        if part.language in _SESSIONS and first.lstrip().startswith(_PROMPT):
            yield from _session(part.body, context, is_exact=True)
        elif part.language in _PYTHON:
            code = "\n".join(part.body)
            claim = _claimed(code, parts[at + 1 : at + 3])
            if claim is not None:
                yield Run("snippet", tuple(context), (claim,))
            context.append(code)


def _parts(response: str) -> Iterator[_Block | list[str]]:
    """Fenced blocks, and the lines between them."""
    between: list[str] = []
    lines = iter(response.split("\n"))
    for line in lines:
        opening = _FENCE.fullmatch(line)
        if opening is None:
            between.append(line)
            continue
        yield between
        between = []
        body: list[str] = []
        closed = False
        for inner in lines:
            closing = _FENCE.fullmatch(inner)
            if (
                closing is not None
                and not closing["info"]
                and closing["fence"].startswith(opening["fence"])
            ):
                closed = True
                break
            body.append(inner.rstrip("\r"))
        words = re.split(r"[\s{}.,:]+", opening["info"].strip("{. ").lower(), maxsplit=1)
        yield _Block(words[0], body, closed)
    yield between


def _claimed(code: str, follows: list[_Block | list[str]]) -> Claim | None:
    """What stands behind a block of code, if it is a claim about it."""
    lines = follows[0] if follows and isinstance(follows[0], list) else []
    block = follows[1] if len(follows) > 1 and isinstance(follows[1], _Block) else None
    said = [at for at, line in enumerate(lines) if line.strip()]
    is_output = block is not None and block.closed and block.language not in _PYTHON
    if not said:
        if block is not None and is_output and block.language in _OUTPUTS:
            return Claim(code, "\n".join(block.body))
        return None
    label = _LABEL.fullmatch(lines[said[0]].rstrip()[:_MAX_LABEL])
    if label is None:
        return None
    rest = label["rest"].strip()
    if rest.startswith("`"):
        return Claim(code, rest.strip("`.") if rest.count("`") == 2 else rest[1:].partition("`")[0])
    if rest:
        return Claim(code, rest, is_exact=False)
    if len(said) == 1:
        return Claim(code, "\n".join(block.body)) if block is not None and is_output else None
    below: list[str] = []
    for line in lines[said[1] :]:
        if not line.strip():
            break
        below.append(line)
    return Claim(code, "\n".join(below), is_exact=False)


def _session(lines: list[str], context: list[str], *, is_exact: bool) -> Iterator[Run]:
    claims: list[Claim] = []
    source: list[str] = []
    wants: list[str] = []

    def done() -> None:
        if source:
            text = "\n".join(wants).replace("<BLANKLINE>", "")
            claims.append(Claim("\n".join(source) + "\n", text, is_exact))
        source.clear()
        wants.clear()

    reading = False
    for line in map(str.strip, lines) if not is_exact else lines:
        bare = line.lstrip()
        if bare.startswith(_PROMPT):
            done()
            source.append(bare.removeprefix(_PROMPT).removeprefix(" "))
            reading = True
        elif reading and not wants and bare.startswith(_GOES_ON):
            source.append(bare.removeprefix(_GOES_ON).removeprefix(" "))
        elif reading and line.strip():
            wants.append(line)
        else:
            reading = False
    done()
    if any(claim.wants for claim in claims):
        yield Run("session", tuple(context), tuple(claims))
