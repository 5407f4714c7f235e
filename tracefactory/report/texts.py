"""Texts that nobody vouches for, and how numbers are written.

What a model wrote is shown as it is, whatever it holds: markup stays text (by the template's
escaping), and characters that are not seen, or that turn the order of others round, are named.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup, escape

NOT_MEASURED = "not measured"

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


class Cut(NamedTuple):
    """A text, or its beginning and its end."""

    head: str
    tail: str
    left_out: int
    """Characters between the two."""


def cut(text: str, limit: int) -> Cut:
    """At most `limit` bytes of what the page will hold, the end among them: answers stand there."""
    if len(text) <= limit and page_bytes(text) <= limit:
        return Cut(text, "", 0)
    head = text[: _fitting(text, limit * 2 // 3)]
    tail = text[len(text) - _fitting(reversed(text), limit // 3) :]
    return Cut(head, tail, len(text) - len(head) - len(tail))


def _fitting(characters: Iterable[str], limit: int) -> int:
    """How many of them take no more than `limit` bytes of the page."""
    left = limit
    for n, character in enumerate(characters):
        left -= _cost(character)
        if left < 0:
            return n
    return limit  # not reached: all of them did not fit


@functools.lru_cache(4096)
def _cost(character: str) -> int:
    return page_bytes(character)


def page_bytes(text: str) -> int:
    """Bytes of the page that a text takes."""
    return len(shown(text).encode())


def shown(text: str) -> Markup:
    """The text, escaped, with the characters that are not seen named in its place."""
    plain = text.replace("\r\n", "\n")
    parts: list[Markup] = []
    at = 0
    for found in _UNSEEN.finditer(plain):
        parts += [escape(plain[at : found.start()]), _named(found.group())]
        at = found.end()
    return Markup("").join([*parts, escape(plain[at:])])


@functools.lru_cache(512)
def _named(character: str) -> Markup:
    name = unicodedata.name(character, "control character").lower()
    return Markup('<span class="unseen" title="{}">U+{:04X}</span>').format(name, ord(character))


def label(text: str, limit: int = 80) -> Markup:
    """A name from the data, on one line and no longer than that."""
    line = " ".join(text.split())
    return shown(line if len(line) <= limit else line[: limit - 1] + "…")


def number(value: float | None) -> str:
    """A count with its thousands apart, or that it was not measured."""
    if value is None:
        return NOT_MEASURED
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def share(part: int | None, whole: int | None) -> str:
    """A percentage; a dash where there is nothing to divide by."""
    if part is None:
        return NOT_MEASURED
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < part < whole:  # what is not none, or not all, does not read so
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f} %"


def size(n_bytes: int) -> str:
    """Bytes in the unit that leaves three digits or so."""
    amount = float(n_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"
