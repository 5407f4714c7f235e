"""One form of a text before it is cut into tokens. For comparing only: what is published stays.

    NFKC, lower case; a mathematical sign is set apart and, where ASCII has it, written in ASCII
    (− to -, × and · to *, ÷ to /, ≤ to <=); a superscript becomes ^ and the number, so that x² is
    not x2; other marks become a space

Plain ASCII is left alone here: the tokeniser lowers it byte by byte. Part of the frozen definition
(spec.py): what one character becomes never changes within a version.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

_FOREIGN = re.compile(r"[^\x00-\x7f]")
_RUN = re.compile(r".?[^\x00-\x7f]+", re.DOTALL)
"""Foreign characters, with the one before them: an accent may belong to it."""

_SIGNS = {
    "−": "-", "–": "-", "—": " ", "‐": "-", "‑": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*",
    "÷": "/", "⁄": "/", "∕": "/", "≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=", "≠": "<>",
    "∣": "|", "∼": " ",
}  # fmt: skip
"""Marks that ASCII has, too. A long dash is no sign."""

_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def folded(text: str) -> str:
    """The text with every foreign character in its one form; plain ASCII comes back as it is."""
    return text if text.isascii() else _RUN.sub(lambda found: _run(found[0]), text)


@functools.lru_cache(maxsize=1 << 14)
def _run(run: str) -> str:
    """A run of foreign characters, and what stands before it."""
    composed = unicodedata.normalize("NFC", run)
    return "".join(_part(part) for part in _parts(composed))


def _parts(run: str) -> list[str]:
    """Raised numbers as one part, any other character by itself."""
    return re.findall(rf"⁻?[{_RAISED}]+|[\s\S]", run)


def _part(part: str) -> str:
    if part[-1] in _RAISED:
        number = "".join(str(_RAISED.index(c)) for c in part if c in _RAISED)
        return f" ^{'-' * (part[0] == '⁻')}{number} "
    if part in _SIGNS:
        return f" {_SIGNS[part]} " if part != "–" and part not in "‐‑" else _SIGNS[part]
    if unicodedata.category(part) == "No" and len(part) == 1 and not part.isascii():
        return f" {_plain(unicodedata.normalize('NFKC', part))} "  # ½ is 1/2 and ② is 2
    return _plain(unicodedata.normalize("NFKC", part).lower())


def _plain(text: str) -> str:
    """What is left after NFKC: letters as they are, signs set apart, marks away."""
    return "".join(_character(c) for c in text)


def _character(c: str) -> str:
    if c.isascii():
        return c
    if c in _SIGNS:
        return f" {_SIGNS[c]} "
    kind = unicodedata.category(c)
    if kind == "Cf":  # a soft hyphen, a joiner: nothing is seen there
        return ""
    if kind == "Nd":
        return str(unicodedata.digit(c))
    if kind[0] in "LMN":
        return c
    # A sign that ASCII lacks becomes an operator and its number: √ is ^ 8730. So it counts as one.
    return f" ^ {ord(c)} " if kind == "Sm" else " "


def folded_array(texts: pa.Array | Sequence[str]) -> pa.Array:
    """Folded texts as one Arrow array of `large_string`; nulls become empty."""
    if not isinstance(texts, pa.Array):
        values = [folded(text) for text in texts]
        return pa.array(values, pa.large_string())
    given: Any = texts  # pyarrow has no types: an array is anything
    array = given.cast(pa.large_string()).fill_null("")
    if not _has_foreign(array):
        return array
    return pa.array([folded(text) for text in array.to_pylist()], pa.large_string())


def _has_foreign(array: pa.Array) -> bool:
    import numpy as np

    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return False
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    used = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return bool(used.size) and bool(used.max() >= 0x80)
