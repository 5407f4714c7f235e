"""The frozen definition: the same tokens by three ways, and the same numbers for ever."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.nearness.documents import of_problems
from tracefactory.nearness.folding import folded
from tracefactory.nearness.signature import bands, signatures
from tracefactory.nearness.tokens import hash_of, tokenized, words

PIECES = (
    "x", "y", "foo", "Bar", "-", "*", "**", "--", " ", "\n", ".", "!", ")", "(", "12", "3.5",
    "\\left", "\\frac", "\\dfrac", "\\alpha", "√", "×", "²", "é", "½", "$", "+", "a-b",
    "well-known", "5!", ",", "{", "}", "−", "supercalifragilistic", "\\", "1,000", "日本",
    "e\u0301", "９", "≤", "\\!", "=", "%",
)  # fmt: skip
TEXTS = st.lists(
    st.one_of(
        st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
    ),
    max_size=12,
)  # fmt: skip


def has_numba():
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


NUMBA = pytest.mark.skipif(not has_numba(), reason="NOT TESTED: numba is not installed")


@given(TEXTS)
def test_numpy_gives_the_tokens_of_the_definition(texts):
    found = tokenized(texts, fast=False)
    assert len(found) == len(texts)
    for number, text in enumerate(texts):
        expected = words(text)
        assert found.of(number).tolist() == [hash_of(token.encode()) for _, token in expected]
        kinds = found.kinds[found.offsets[number] : found.offsets[number + 1]]
        assert kinds.tolist() == [kind for kind, _ in expected]


@NUMBA
@pytest.mark.filterwarnings("ignore")
@given(TEXTS)
def test_numba_gives_the_same_integers(texts):
    plain, fast = tokenized(texts, fast=False), tokenized(texts, fast=True)
    for name in ("hashes", "kinds", "offsets"):
        assert np.array_equal(getattr(plain, name), getattr(fast, name)), name
    assert np.array_equal(signatures(plain, fast=False), signatures(plain, fast=True))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("$x-3$", "x - 3"),
        ("\\left( x - 3 \\right)", "(x-3)"),
        ("\\dfrac{1}{2}", "\\frac 1 2"),
        ("x² + y²", "x^2 + y^2"),
        ("3 × 4 ≤ 12", "3*4 <= 12"),
        ("a − b", "a - b"),
        ("A well-known fact.", "a well known fact"),
        ("- **Bold** words", "bold words"),
        ("e\u0301té", "été"),
        ("Hello,\n\tWORLD", "hello world"),
    ],
)
def test_what_is_written_otherwise_is_the_same(left, right):
    assert words(left) == words(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x + 3", "x - 3"), ("-3", "3"), ("x²", "x2"), ("5!", "5"), ("3.14", "3 14"), ("√2", "2"),
        ("1/2", "12"), ("a < b", "a > b"), ("10", "100"), ("x^2", "x 2"), ("∑ x", "∏ x"),
    ],
)  # fmt: skip
def test_what_means_something_else_differs(left, right):
    assert words(left) != words(right)


@given(st.text(max_size=60))
def test_folding_twice_is_folding_once_as_far_as_tokens_go(text):
    assert words(folded(text)) == words(text)


def test_the_numbers_are_frozen():
    """These change with a new VERSION alone: indexes that were published hold them."""
    texts = [
        "Let $x^2 - 5x + 6 = 0$. Find the sum of all real solutions, and show that it is 5.",
        "Ένα δύο τρία τέσσερα πέντε, so √2 × 3.5 ≤ 10 and the answer is -7 for all n ≥ 2!",
        "one two three four five six seven eight nine ten eleven twelve thirteen "
        "supercalifragilistic",
        "too short",
    ]
    tokens = tokenized(texts, fast=False)
    found = signatures(tokens, fast=False)
    salts = np.arange(len(texts), dtype=np.uint64)
    made = [tokens.hashes, found, bands(found, salts), of_problems(texts, ["5"] * 4).numbers]
    digests = [hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()[:16] for a in made]
    assert digests == FROZEN


FROZEN = ["a3ac660523f08638", "f717216ba87c11ba", "38b422db16b616e5", "5510cf417d95db3d"]


def test_arrays_with_an_offset_and_nulls():
    array = pa.array(["zero", None, "one two", "three 3"], pa.string())
    found = tokenized(array[1:], fast=False)
    assert found.counts().tolist() == [0, 2, 2]
    assert found.of(2).tolist() == [hash_of(b"three"), hash_of(b"3")]
