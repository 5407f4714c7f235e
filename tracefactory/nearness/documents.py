"""What is compared of a problem and of a trace: its content, its numbers, its answer, its shingles.

Two problems are near when they share enough shingles AND the guard holds: all mathematics of the
statement in its order (guard.py) and the reference are equal. They are duplicates when all tokens
are equal, too. One template with other numbers is never one problem. Of traces the guard is the
multiset of numbers, signs and operators, and the final answer's tokens.

Of a trace, what restates its problem is left out before it is compared: a run of five tokens that
the statement (or the instruction line) has, too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracefactory.nearness.guard import answer_hashes, guards
from tracefactory.nearness.signature import FACTORS, bands, mix, of_one_text, shingled, signatures
from tracefactory.nearness.spec import LEAST_TOKENS, WORDS
from tracefactory.nearness.tokens import I64, NUMBER, U64, Tokens, tokenized

Flags = npt.NDArray[np.bool_]
Texts: TypeAlias = pa.Array | Sequence[str]


@dataclass(frozen=True, slots=True)
class Documents:
    """Some texts, ready to be compared."""

    high: U64
    low: U64
    """128 bits of all tokens, and of a problem's guard: equal for texts that differ in case, spaces
    and punctuation alone."""
    numbers: U64
    """Hash of a problem's mathematics, of a trace's multiset of numbers, signs and operators."""
    answers: U64
    """Hash of the reference, or of the final answer's tokens."""
    lengths: I64
    """Tokens of the whole text."""
    tokens: Tokens
    """What is compared."""

    def __len__(self) -> int:
        return len(self.high)

    def near(self) -> Flags:
        """Which have enough tokens to be near another at all."""
        return self.tokens.counts() >= LEAST_TOKENS

    def blocks(self, *, numbers: bool = True, groups: U64 | None = None) -> U64:
        """Texts of different blocks are never near: other numbers, another answer or group."""
        return blocks(self.answers, self.numbers if numbers else None, groups)

    def bands(self, blocks: U64) -> U64:
        """Twenty hashes a text: two that are near share one of them, most likely."""
        return bands(signatures(self.tokens), blocks)

    def shingles(self, text: int) -> U64:
        """The shingles of one text, each once, sorted."""
        return np.unique(shingled(self.tokens.of(text)))


def blocks(answers: U64, numbers: U64 | None, groups: U64 | None) -> U64:
    """What must be equal of two near texts, as one number; None: need not."""
    found = answers * np.uint64(FACTORS[0])
    if numbers is not None:
        found += numbers * np.uint64(FACTORS[1])
    if groups is not None:
        found += groups * np.uint64(FACTORS[2])
    return mix(found)


def of_problems(statements: Texts, references: Texts) -> Documents:
    """Problems by their statements."""
    tokens = tokenized(statements)
    high, low = content_of(tokens)
    numbers, answers = guards(_listed(statements)), answer_hashes(_listed(references))
    # Equal problems agree in all that near ones must agree in.
    high ^= blocks(answers, numbers, None)
    return Documents(high, low, numbers, answers, tokens.counts(), tokens)


def _listed(texts: Texts) -> list[str | None]:
    given: Any = texts  # no type checker knows pyarrow's
    return given.to_pylist() if isinstance(given, pa.Array) else list(given)


def of_traces(responses: Texts, answers: Texts, statements: Texts, asked: I64) -> Documents:
    """Traces by their responses; trace i is of statement `asked[i]`."""
    whole = tokenized(responses)
    high, low = content_of(whole)
    rest = without(whole, tokenized(statements), asked)
    final = content_of(tokenized(answers))[0]
    return Documents(high, low, numbers_of(rest), final, whole.counts(), rest)


def content_of(tokens: Tokens) -> tuple[U64, U64]:
    """128 bits of the tokens of each text."""
    data, ends = tokens.hashes.astype("<u8", copy=False).view(np.uint8).data, tokens.offsets * 8
    digests = b"".join(
        hashlib.blake2b(data[start:end], digest_size=16).digest()
        for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    )
    halves = np.frombuffer(digests, "<u8").reshape(-1, 2)
    return halves[:, 0].astype(np.uint64), halves[:, 1].astype(np.uint64)


def numbers_of(tokens: Tokens) -> U64:
    """Hash of the multiset of numbers and operators of each text: the sum of their hashes."""
    values = mix(tokens.hashes ^ np.uint64(FACTORS[2]))
    values[tokens.kinds < NUMBER] = 0
    sums = np.zeros(len(values) + 1, np.uint64)
    np.cumsum(values, out=sums[1:])
    found: U64 = sums[tokens.offsets[1:]] - sums[tokens.offsets[:-1]]
    return found


def without(tokens: Tokens, statements: Tokens, asked: I64) -> Tokens:
    """The tokens but for runs of five that the text's statement has, too."""
    if len(tokens.hashes) < WORDS or len(statements.hashes) < WORDS:
        return tokens
    said = _keyed(statements, np.arange(len(statements)))[of_one_text(statements.offsets)]
    runs = _keyed(tokens, asked)
    known = np.zeros(1 << 22, np.bool_)  # a sieve: most runs are of no statement at all
    known[said >> np.uint64(42)] = True
    maybe = np.flatnonzero(known[runs >> np.uint64(42)] & of_one_text(tokens.offsets))
    restated = maybe[np.isin(runs[maybe], said)]
    if not len(restated):
        return tokens
    gone = np.zeros(len(tokens.hashes), np.bool_)
    for k in range(WORDS):
        gone[restated + k] = True
    before = np.zeros(len(gone) + 1, np.int64)
    np.cumsum(~gone, out=before[1:])
    return Tokens(tokens.hashes[~gone], tokens.kinds[~gone], before[tokens.offsets])


def _keyed(tokens: Tokens, owners: I64) -> U64:
    """Shingles under the number of the statement that they belong to."""
    found = shingled(tokens.hashes)
    names = mix((owners + 1).astype(np.uint64))
    found ^= np.repeat(names, tokens.counts())[: len(found)]
    return mix(found)
