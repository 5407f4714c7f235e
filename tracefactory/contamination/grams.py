r"""Runs of n tokens as 64-bit hashes, in the order of the text: what rows and items share.

Tokens are those of nearness/tokens.py, but apostrophes inside words (Janet's is janets) and the
separators of thousands (1,000 and 1{,}000 and 1,\!000 are 1000) are taken out first, so that a
word or a number is one token however it is printed. Masked grams know no operators, and have one
token for all numbers: the same problem with other numbers has the same masked grams.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracefactory.nearness.tokens import NUMBER, WORD, Tokens, tokenized

VERSION = "1"
"""Of these hashes: two sets of grams are compared only if made by one version."""

N: Final = 8
"""Tokens of a gram."""
MASKED_N: Final = 5
"""Tokens of a gram with its numbers masked."""
SHORT: Final = 11
"""Items of fewer tokens have too few grams: they count when they stand there whole."""

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]

_BASE: Final = np.uint64(0x9FB21C651E98DF25)
_MIX: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_ANY_NUMBER: Final = np.uint64(0x27D4EB2F165667C5)
_COMMA, _OPEN, _CLOSE, _SLASH, _BANG, _QUOTE = (np.uint8(ord(c)) for c in ",{}\\!'")
_CURLY: Final = tuple(np.uint8(b) for b in "’".encode())


def tokens_of(texts: Any) -> Tokens:  # noqa: ANN401  (an Arrow array, or texts)
    """The tokens of texts, words and numbers made whole."""
    array: Any = texts if isinstance(texts, pa.Array) else pa.array(list(texts))
    return tokenized(_joined(array.cast(pa.large_string()).fill_null("")))


def _joined(array: pa.Array) -> pa.Array:
    """The same texts without apostrophes inside words and commas inside numbers."""
    _, places, buffer = array.buffers()
    if buffer is None or not len(array):
        return array
    ends: I64 = np.frombuffer(places, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(buffer, np.uint8)[ends[0] : ends[-1]]
    ends = ends - ends[0]
    gone = _marks(data, ends)
    if gone is None:
        return array
    left = np.concatenate([np.zeros(1, np.int64), np.cumsum(~gone)])
    kept = data[~gone]
    return pa.LargeStringArray.from_buffers(
        len(array), pa.py_buffer(left[ends].tobytes()), pa.py_buffer(kept.tobytes())
    )


def _marks(data: U8, ends: I64) -> npt.NDArray[np.bool_] | None:
    """Which bytes are apostrophes inside words, or separators of thousands; None: none is."""
    # A typographic apostrophe is the bytes e2 80 99.
    quotes = np.flatnonzero((data == _QUOTE) | (data == _CURLY[2]))
    commas = np.flatnonzero(data == _COMMA)
    spans = [
        *([_apostrophes(_Bytes.at(data, ends, quotes), quotes)] if len(quotes) else ()),
        *([_separators(_Bytes.at(data, ends, commas), commas)] if len(commas) else ()),
    ]
    gone = np.zeros(len(data), np.bool_)
    for start, stop in spans:
        for step in range(int((stop - start).max(initial=0))):
            place = start + step
            gone[place[place < stop]] = True
    return gone if gone.any() else None


@dataclass(frozen=True, slots=True)
class _Bytes:
    """Bytes around some places; 0 outside of the text that a place is in."""

    data: U8
    first: I64
    last: I64

    @classmethod
    def at(cls, data: U8, ends: I64, places: I64) -> "_Bytes":
        text = np.searchsorted(ends, places, "right")
        return cls(data, ends[text - 1], ends[text])

    def __getitem__(self, place: I64) -> U8:
        inside = (place >= self.first) & (place < self.last)
        return np.where(inside, self.data[np.clip(place, 0, len(self.data) - 1)], np.uint8(0))

    def digit(self, place: I64) -> npt.NDArray[np.bool_]:
        """Is there a digit?"""
        return (self[place] - np.uint8(48)) < 10

    def letter(self, place: I64) -> npt.NDArray[np.bool_]:
        """Is there a letter, or a byte of a foreign one?"""
        found = self[place]
        return ((found | np.uint8(32)) - np.uint8(97) < 26) | (found >= 128)


def _apostrophes(text: _Bytes, at: I64) -> tuple[I64, I64]:
    """Start and end of those with a letter on either side."""
    curly = (text[at] != _QUOTE) & (text[at - 1] == _CURLY[1]) & (text[at - 2] == _CURLY[0])
    start = np.where(curly, at - 2, at)
    good = ((text[at] == _QUOTE) | curly) & text.letter(start - 1) & text.letter(at + 1)
    return start[good], at[good] + 1


def _separators(text: _Bytes, at: I64) -> tuple[I64, I64]:
    r"""Start and end of commas (in braces, or before \!) between a digit and three of them."""
    braced = (text[at - 1] == _OPEN) & (text[at + 1] == _CLOSE)
    start, stop = at - braced, at + 1 + braced
    stop = stop + 2 * ((text[stop] == _SLASH) & (text[stop + 1] == _BANG))
    three = text.digit(stop) & text.digit(stop + 1) & text.digit(stop + 2)
    good = text.digit(start - 1) & three & ~text.digit(stop + 3)
    return start[good], stop[good]


def masked(tokens: Tokens) -> Tokens:
    """Words, and one token for all numbers between two of them: 7.50, 7 50, 3/5 and 750 are one."""
    word = tokens.kinds == WORD
    places = np.arange(len(word))
    number = np.flatnonzero(tokens.kinds == NUMBER)
    # A number stays if it is the first since the last word or the start of its text.
    since = np.maximum.accumulate(np.where(word, places, -1)) if len(word) else places
    text = np.searchsorted(tokens.offsets, number, "right") - 1
    since = np.maximum(since[number], tokens.offsets[text] - 1)
    first = np.ones(len(number), np.bool_)
    first[1:] = number[:-1] < since[1:] + 1
    keep = word
    keep[number[first]] = True
    left = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
    hashes = np.where(tokens.kinds == NUMBER, _ANY_NUMBER, tokens.hashes)
    return Tokens(hashes[keep], tokens.kinds[keep], left[tokens.offsets])


def runs(tokens: U64, least: int, most: int) -> Iterator[tuple[int, U64]]:
    """Hashes of all runs of `least` to `most` tokens by length, as `grams` makes them."""
    h = tokens.copy()
    for length in range(1, most + 1):
        if length > 1:
            h = h[: max(0, len(tokens) - length + 1)] * _BASE
            h += tokens[length - 1 :]
        if length >= least:
            yield length, mixed(h, length)


def grams(tokens: U64, n: int) -> U64:
    """Hashes of all runs of n tokens."""
    length = max(0, len(tokens) - n + 1)
    h = tokens[:length].copy()
    for step in range(1, n if length else 0):
        h *= _BASE
        h += tokens[step : step + length]
    return mixed(h, n)


def mixed(h: U64, length: int) -> U64:
    """Spread over all bits: neighbours in a polynomial are neighbours in their low bits."""
    h = (h ^ np.uint64(length)) * _MIX
    h ^= h >> np.uint64(32)
    h *= _MIX
    h ^= h >> np.uint64(29)
    return h


def whole(offsets: I64, n: int) -> tuple[I64, I64]:
    """Places of runs of n tokens that end in the text they start in, and the number of the text."""
    counts = np.maximum(np.diff(offsets) - n + 1, 0)
    texts = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) - before[texts] + offsets[:-1][texts], texts
