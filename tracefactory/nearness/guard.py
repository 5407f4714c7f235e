r"""What near problems must agree in: all that is mathematics in a statement, in its order.

    numbers          12, 3.14, .5
    operators        + - * / = < > ^ % | ! _ and LaTeX commands that say something (\times, \leq)
    brackets, primes where mathematics is on one side of them: 2(x + 3), [0, 10), f'(2)
    other signs      of currencies, degrees, cards, floors: each by itself; raised letters as such

Left out: case, white space, words, punctuation, LaTeX's layout (\left, \quad, \, $ { }), hyphens
between words. So `2(x+3)` and `2x+3`, `(2+3)*4` and `2+(3*4)`, `5` and `.5`, `5 and 3` and
`3 and 5` are different, and `$x-3$` and `\left( x - 3 \right)` without its brackets are not.
Spelled-out numbers are words here.

Part of the frozen definition (spec.py).
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from tracefactory.nearness.folding import folded
from tracefactory.nearness.tokens import LAYOUT, SAME, U64

_SIGNS: Final = {
    "times": "*", "cdot": "*", "ast": "*", "div": "/", "le": "<=", "leq": "<=", "leqslant": "<=",
    "ge": ">=", "geq": ">=", "geqslant": ">=", "ne": "<>", "neq": "<>", "lt": "<", "gt": ">",
    "mid": "|", "vert": "|", "percent": "%",
}  # fmt: skip
"""Commands that are signs of ASCII, or of what foreign signs become (folding.py)."""

_PART = re.compile(
    r"""
    \\(?P<command>[a-z]+)
    | \\[()\[\],;:!\s{}$]          # layout, and the marks of mathematics in a text
    | (?P<number>\d+(?:\.\d+)*|(?<![a-z])\.\d+)
    | (?P<word>[^\W\d_]+)
    | (?P<bracket>[()\[\]])
    | (?P<prime>')
    | (?P<sign>[-+*/=<>^%|!_])
    """,
    re.VERBOSE,
)


def skeleton(text: str) -> tuple[str, ...]:
    """The mathematics of a text, part by part."""
    parts = [(kind, part) for kind, part in _parts(text) if kind]
    kept: list[str] = []
    for at, (kind, part) in enumerate(parts):
        before = parts[at - 1] if at else ("", "")
        after = parts[at + 1] if at + 1 < len(parts) else ("", "")
        if kind == "word":
            continue
        if kind == "bracket" and not (_is_maths(before) or _is_maths(after)):
            continue
        if kind == "prime" and (after[0] == "word" or not (_is_maths(before) or before[1] == ")")):
            continue  # an apostrophe, a quote
        if part in ("-", "*", "!", "_") and not (_is_maths(before) or _is_maths(after)):
            continue  # a hyphen, a bullet, bold print, an exclamation
        kept.append(part)
    return tuple(kept)


def _is_maths(part: tuple[str, str]) -> bool:
    """Is it a number, a sign, a command, or a letter by itself?"""
    kind, text = part
    return kind in ("number", "sign", "command") or (kind == "word" and len(text) == 1)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    plain = folded(text if text.isascii() else _marked(text)).lower()
    for found in _PART.finditer(plain):
        kind = found.lastgroup or ""
        part = found[0]
        if kind == "command":
            name = SAME.get(found["command"], found["command"])
            if name in LAYOUT:
                continue
            if name in _SIGNS:
                yield from (("sign", sign) for sign in _SIGNS[name])
                continue
            part = f"\\{name}"
        yield kind, part


def _marked(text: str) -> str:
    """Signs that folding would take for marks, as operators and their numbers."""
    return "".join(_mark(c) for c in text)


def _mark(c: str) -> str:
    if c.isascii():
        return c
    kind = unicodedata.category(c)
    if kind in ("Sc", "So", "Ps", "Pe") and not unicodedata.normalize("NFKC", c).isascii():
        return f" ^ {ord(c)} "
    form = unicodedata.decomposition(c)
    if kind == "Lm" and form.startswith(("<super>", "<sub>")):
        return f" {'^' if form.startswith('<super>') else '_'} {unicodedata.normalize('NFKC', c)} "
    return c


def guards(statements: Iterable[str | None]) -> U64:
    """A number for each text: equal for equal mathematics."""
    return _hashes("\0".join(skeleton(text or "")) for text in statements)


def answer_hashes(references: Iterable[str | None]) -> U64:
    """A number for each reference: equal for equal ones, white space left out."""
    return _hashes("".join((text or "").split()) for text in references)


def _hashes(texts: Iterable[str]) -> U64:
    digests = b"".join(
        hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)
