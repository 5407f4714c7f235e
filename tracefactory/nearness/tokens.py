r"""Tokens of texts: words, numbers and operators, each as one 64-bit number.

    a word       a run of letters, in lower case; a LaTeX command is a word, too
    a number     a run of digits, with a point inside: 12, 3.14
    an operator  one of + - * / = < > ^ % |, each by itself, and ! right after a digit or a )

All else only divides: white space, brackets, quotes, commas, $ and the rest of LaTeX's layout
(\left, \quad, \text ...); \dfrac is \frac. A - or * between two words of two and more letters is a
hyphen, a bullet or bold print, and no operator; so is one at the start or end of a text. So
`$x-3$`, `x - 3` and `\left( x - 3 \right)` are the same tokens, and `x + 3` and `x - 2` are not.

The definition is frozen (spec.py): numbers made by one version are compared with those of another
machine and year. `words` is the definition in plain Python, slow; `tokenized` gives the same.

Not here: what foreign characters become first (folding.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracefactory.nearness.folding import folded, folded_array

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

WORD, NUMBER, OPERATOR = 1, 2, 3

OPERATORS: Final = b"+-*/=<>^%|"
LAYOUT: Final = frozenset(
    {
        "left", "right", "big", "bigg", "bigl", "bigr", "biggl", "biggr", "middle", "quad", "qquad",
        "displaystyle", "textstyle", "limits", "nolimits", "text", "textrm", "textbf", "textit",
        "mathrm", "mathbf", "mathit", "operatorname", "hspace", "vspace", "hfill", "label",
        "nonumber", "notag",
    }
)  # fmt: skip
"""LaTeX commands that say nothing. In lower case, as \\Big is \\big."""
SAME: Final = {"dfrac": "frac", "tfrac": "frac", "cfrac": "frac"}

_DOT, _BANG = 4, 5
_LETTER, _DIGIT, _SIGN = 1, 2, 3
_HYPHEN, _STAR, _BACKSLASH, _CLOSE = b"-"[0], b"*"[0], b"\\"[0], b")"[0]

_A, _B, _C = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD
_MASK: Final = (1 << 64) - 1


def _classes() -> U8:
    table = np.zeros(256, np.uint8)
    for letters in (b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
        table[list(letters)] = _LETTER
    table[0x80:] = _LETTER
    table[list(b"0123456789")] = _DIGIT
    table[list(OPERATORS)] = _SIGN
    table[ord(".")] = _DOT
    table[ord("!")] = _BANG
    return table


def _lowered() -> U8:
    table = np.arange(256, dtype=np.uint8)
    table[ord("A") : ord("Z") + 1] += 32
    return table


CLASSES: Final = _classes()
LOWERED: Final = _lowered()


def hash_of(token: bytes) -> int:
    """The number of one token: blocks of eight bytes, mixed by multiplication."""
    h = len(token) * _A & _MASK
    for start in range(0, len(token), 8):
        h = ((h ^ int.from_bytes(token[start : start + 8], "little")) * _B) & _MASK
        h ^= h >> 32
    h = h * _C & _MASK
    return h ^ (h >> 29)


def _sorted_hashes(names: Sequence[str]) -> U64:
    return np.sort(np.array([hash_of(name.encode()) for name in names], np.uint64))


_LAYOUT_HASHES: Final = _sorted_hashes(sorted(LAYOUT))
_SAME_HASHES: Final = _sorted_hashes(sorted(SAME))
_FRAC: Final = np.uint64(hash_of(b"frac"))


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of many texts, one text after the other."""

    hashes: U64
    kinds: U8
    """WORD, NUMBER or OPERATOR."""
    offsets: I64
    """Text i has tokens offsets[i] to offsets[i + 1]."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def counts(self) -> I64:
        """Tokens of each text."""
        return np.diff(self.offsets)

    def of(self, text: int) -> U64:
        """The tokens of one text."""
        return self.hashes[self.offsets[text] : self.offsets[text + 1]]


def words(text: str) -> list[tuple[int, str]]:
    """The tokens of a text as (kind, text): the definition itself, slow."""
    found = list(_raw(folded(text).encode("utf-8", "replace")))
    kept: list[tuple[int, str]] = []
    for at, (kind, token, _) in enumerate(found):
        if token in ("-", "*") and kind == OPERATOR:
            before = next((f for f in reversed(found[:at]) if f[1] not in ("-", "*")), None)
            after = next((f for f in found[at + 1 :] if f[1] not in ("-", "*")), None)
            if all(side is None or _is_plain(side) for side in (before, after)):
                continue
        kept.append((kind, token))
    return kept


def _is_plain(found: tuple[int, str, bool]) -> bool:
    """Is it a word of two and more letters (bytes), and no LaTeX command?"""
    kind, token, command = found
    return kind == WORD and len(token.encode()) > 1 and not command


def _raw(data: bytes) -> Iterator[tuple[int, str, bool]]:
    """(kind, token, is it a LaTeX command), layout left out."""
    at = 0
    while at < len(data):
        kind, end = _run(data, at)
        if kind in (_LETTER, _DIGIT, _SIGN):
            token = data[at:end].translate(bytes(LOWERED)).decode("utf-8", "replace")
            command = kind == _LETTER and at > 0 and data[at - 1] == _BACKSLASH
            if not (command and token in LAYOUT):
                yield kind, SAME.get(token, token) if command else token, command
        at = end


def _run(data: bytes, at: int) -> tuple[int, int]:
    """Class and end of the run that starts here."""
    kind, end = _class_at(data, at), at + 1
    if kind in (_LETTER, _DIGIT):
        while end < len(data) and _class_at(data, end) == kind:
            end += 1
    return kind, end


def _class_at(data: bytes, at: int) -> int:
    kind = int(CLASSES[data[at]])
    before = data[at - 1] if at else 0
    if kind == _DOT:
        inside = at and at + 1 < len(data) and CLASSES[before] == CLASSES[data[at + 1]] == _DIGIT
        return _DIGIT if inside else 0
    if kind == _BANG:
        return _SIGN if CLASSES[before] == _DIGIT or before == _CLOSE else 0
    return kind


def tokenized(texts: pa.Array | Sequence[str], *, fast: bool | None = None) -> Tokens:
    """The tokens of all texts. `fast`: with numba; None: if it is there."""
    from tracefactory.nearness import fast as compiled

    data, offsets = buffer_of(folded_array(texts))
    if compiled.there() if fast is None else fast:
        return Tokens(*compiled.tokens(data, offsets))
    return _tokens(data, offsets)


def buffer_of(array: pa.Array) -> tuple[U8, I64]:
    """The bytes of an array of large_string, and where each text starts and the last one ends."""
    _, places, data = array.buffers()
    if not len(array):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    ends: I64 = np.frombuffer(places, np.int64)[array.offset : array.offset + len(array) + 1]
    found: U8 = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return found[ends[0] : ends[-1]], ends - ends[0]


BLOCK = 1 << 18
"""Bytes that are looked at together: few enough to stay in the cache."""


def _tokens(data: U8, offsets: I64) -> Tokens:
    """Block by block of whole texts."""
    parts: list[tuple[U64, U8, I64]] = []
    first = 0
    while first < len(offsets) - 1:
        last = int(np.searchsorted(offsets, offsets[first] + BLOCK, "right")) - 1
        last = max(last, first + 1)
        block = data[offsets[first] : offsets[last]]
        parts.append(_block(block, offsets[first : last + 1] - offsets[first]))
        first = last
    if not parts:
        return Tokens(np.zeros(0, np.uint64), np.zeros(0, np.uint8), np.zeros(1, np.int64))
    counts = np.concatenate([part[2] for part in parts])
    places: I64 = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return Tokens(
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        places,
    )


_BYTE_MASKS: Final = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)


def _pairs(table: U8) -> npt.NDArray[np.uint16]:
    """A table for two bytes at a time, which halves the look-ups."""
    both = np.arange(1 << 16)
    first, second = table[both & 255].astype(np.uint16), table[both >> 8].astype(np.uint16)
    both_bytes: npt.NDArray[np.uint16] = first | second << np.uint16(8)
    return both_bytes


_LOWERED_PAIRS: Final = _pairs(LOWERED)
_CLASS_PAIRS: Final = _pairs(CLASSES)


def _block(data: U8, offsets: I64) -> tuple[U64, U8, I64]:
    """Hashes, kinds and how many tokens each text has."""
    n = len(data)
    if not n:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint8), np.diff(offsets)
    room = n + 8 + n % 2
    low = np.zeros(room, np.uint8)
    low[:n] = data
    kinds = np.take(_CLASS_PAIRS, low.view("<u2"), mode="clip").view(np.uint8)[: n + 1]
    low = np.take(_LOWERED_PAIRS, low.view("<u2"), mode="clip").view(np.uint8)
    inner = offsets[1:-1]
    inner = inner[(inner > 0) & (inner < n)]
    _settle_marks(low[:n], kinds[:n], inner)
    kinds[n] = 0
    change = np.empty(n + 1, np.bool_)
    change[0] = change[n] = True
    np.not_equal(kinds[1:], kinds[:-1], out=change[1:])
    change |= kinds == _SIGN
    change[1:] |= kinds[:-1] == _SIGN
    change[inner] = True
    inside = kinds != 0
    starts = np.flatnonzero(change & inside)
    lengths = np.flatnonzero(change[1:] & inside[:-1]) + 1 - starts
    kind = kinds[starts]
    hashes = _hashed(low, starts, lengths)
    command, keep = _commands(low, starts, kind, hashes, inner)
    if keep is not None:
        starts, lengths, kind, hashes, command = (
            starts[keep], lengths[keep], kind[keep], hashes[keep], command[keep]
        )  # fmt: skip
    places = np.searchsorted(starts, offsets)
    operator = _operators(low, starts, lengths, kind, command, places)
    if operator is not None:
        gone = np.concatenate([np.zeros(1, np.int64), np.cumsum(~operator)])
        hashes, kind, places = hashes[operator], kind[operator], places - gone[places]
    return hashes, kind, np.diff(places)


def _commands(
    low: U8, starts: I64, kind: U8, hashes: U64, inner: I64
) -> tuple[Flags, Flags | None]:
    r"""Which tokens are LaTeX commands, and which stay (None: all); \dfrac becomes \frac."""
    command = np.zeros(len(starts), np.bool_)
    after = np.flatnonzero(low == _BACKSLASH) + 1
    if not len(after) or not len(starts):
        return command, None
    at = np.minimum(np.searchsorted(starts, after), len(starts) - 1)
    right = (starts[at] == after) & (kind[at] == _LETTER)
    if len(inner):
        right &= inner[np.minimum(np.searchsorted(inner, after), len(inner) - 1)] != after
    at = at[right]
    command[at] = True
    found = hashes[at]
    hashes[at[np.isin(found, _SAME_HASHES)]] = _FRAC
    layout = at[np.isin(found, _LAYOUT_HASHES)]
    if not len(layout):
        return command, None
    keep = np.ones(len(starts), np.bool_)
    keep[layout] = False
    return command, keep


def _settle_marks(low: U8, kinds: U8, inner: I64) -> None:
    """Points inside numbers are digits, factorials are signs; all other such marks divide."""
    marks = np.flatnonzero(kinds >= _DOT)
    if not len(marks):
        return
    ends = np.zeros(len(low) + 1, np.bool_)
    ends[inner] = True
    ends[0] = ends[len(low)] = True
    before = np.where(ends[marks], 0, low[marks - 1])
    after = np.where(ends[marks + 1], 0, low[np.minimum(marks + 1, len(low) - 1)])
    digit_before = CLASSES[before] == _DIGIT
    point = (kinds[marks] == _DOT) & digit_before & (CLASSES[after] == _DIGIT)
    factorial = (kinds[marks] == _BANG) & (digit_before | (before == _CLOSE))
    kinds[marks] = np.where(point, _DIGIT, np.where(factorial, _SIGN, 0))


def _hashed(low: U8, starts: I64, lengths: I64) -> U64:
    """The hash of each token: eight bytes at a time, most tokens having no more."""
    window: U64 = np.ndarray((len(low) - 7,), "<u8", low, strides=(1,))
    h = lengths.astype(np.uint64) * np.uint64(_A)
    h ^= window[starts] & _BYTE_MASKS[np.minimum(lengths, 8)]
    h *= np.uint64(_B)
    h ^= h >> np.uint64(32)
    longer = np.flatnonzero(lengths > 8)
    done = 8
    while len(longer):
        part = window[starts[longer] + done]
        part = part & _BYTE_MASKS[np.minimum(lengths[longer] - done, 8)]
        g = (h[longer] ^ part) * np.uint64(_B)
        h[longer] = g ^ (g >> np.uint64(32))
        done += 8
        longer = longer[lengths[longer] > done]
    h *= np.uint64(_C)
    h ^= h >> np.uint64(29)
    return h


def _operators(
    low: U8, starts: I64, lengths: I64, kind: U8, command: Flags, places: I64
) -> Flags | None:
    """Which tokens stay: all but hyphens, bullets and bold print; None: all do."""
    soft = np.flatnonzero(kind == _SIGN)
    sign = low[starts[soft]]
    soft = soft[(sign == _HYPHEN) | (sign == _STAR)]
    if not len(soft):
        return None
    plain = (kind == _LETTER) & (lengths > 1) & ~command
    is_soft = np.zeros(len(starts), np.bool_)
    is_soft[soft] = True
    text = np.searchsorted(places, soft, "right") - 1
    first, last = places[text], places[text + 1]
    # Where several stand together, the first of them knows what is before, the last what is after.
    at = np.arange(len(soft))
    lone_before = (soft == first) | ~is_soft[soft - 1]
    lone_after = (soft + 1 == last) | ~is_soft[np.minimum(soft + 1, len(starts) - 1)]
    head = soft[np.maximum.accumulate(np.where(lone_before, at, 0))]
    tail = soft[np.minimum.accumulate(np.where(lone_after, at, len(soft) - 1)[::-1])[::-1]]
    before = (head == first) | plain[head - 1]
    after = (tail + 1 == last) | plain[np.minimum(tail + 1, len(starts) - 1)]
    keep = np.ones(len(starts), np.bool_)
    keep[soft[before & after]] = False
    return keep
