"""Signatures find what is near, as often as the formula says; the oracle is datasketch."""

import random

import numpy as np
import pytest

from tracefactory.nearness.components import joined
from tracefactory.nearness.documents import of_problems, of_traces, without
from tracefactory.nearness.jaccard import SKETCH, Shingles, jaccard
from tracefactory.nearness.signature import bands, shingle_set, signatures, signatures_of_sets
from tracefactory.nearness.spec import BANDS, ROWS
from tracefactory.nearness.tokens import tokenized
from tracefactory.nearness.walking import Text, fates


def texts_at(level, n, size=330, seed=1):
    """Pairs of texts whose shingles have about this Jaccard similarity."""
    rng = random.Random(seed)
    lexicon = [f"w{''.join(rng.choices('abcdefghij', k=4))}" for _ in range(5000)]
    edits = round(size * (1 - level) / (1 + level) / 5)
    for _ in range(n):
        base = rng.choices(lexicon, k=size)
        copy = list(base)
        for place in rng.sample(range(4, size - 4, 5), edits):
            copy[place] = rng.choice(lexicon)
        yield " ".join(base), " ".join(copy)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_bins_agree_as_often_as_shingles_are_shared(level):
    pairs = list(texts_at(level, 60))
    left, right = (tokenized([pair[side] for pair in pairs]) for side in (0, 1))
    agree = np.mean(signatures(left) == signatures(right))
    exact = np.mean([
        jaccard(Shingles(shingle_set(left.of(i))), Shingles(shingle_set(right.of(i))))
        for i in range(len(pairs))
    ])  # fmt: skip
    assert agree == pytest.approx(exact, abs=0.02)


def test_datasketch_finds_the_same_similarity():
    datasketch = pytest.importorskip("datasketch")
    for left, right in texts_at(0.8, 5):
        sketches = []
        for text in (left, right):
            words = text.split()
            sketch = datasketch.MinHash(num_perm=1024)
            sketch.update_batch(
                [" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)]
            )
            sketches.append(sketch)
        sets = [Shingles(shingle_set(tokenized([text]).of(0))) for text in (left, right)]
        assert jaccard(*sets) == pytest.approx(sketches[0].jaccard(sketches[1]), abs=0.05)


@pytest.mark.parametrize(("level", "least"), [(0.80, 0.955), (0.90, 0.999)])
def test_bands_meet_as_the_formula_says(level, least):
    pairs = list(texts_at(level, 400, seed=3))
    found = []
    for side in (0, 1):
        made = signatures(tokenized([pair[side] for pair in pairs]))
        found.append(bands(made, np.zeros(len(pairs), np.uint64)))
    met = (found[0] == found[1]).any(axis=1).mean()
    assert pytest.approx(0.975, abs=0.001) == 1 - (1 - 0.8**ROWS) ** BANDS
    assert met >= least


def test_other_salts_share_no_band():
    made = signatures(
        tokenized(["the same twelve words stand here one after the other again and again"])
    )
    left, right = (bands(made, np.array([salt], np.uint64)) for salt in (1, 2))
    assert not set(left[0].tolist()) & set(right[0].tolist())


def test_a_set_has_the_signature_of_its_text():
    text = tokenized([next(texts_at(0.8, 1))[0]])
    assert np.array_equal(signatures(text), signatures_of_sets([shingle_set(text.of(0))]))


def test_texts_without_shingles_have_no_signature():
    assert (signatures(tokenized(["", "a b c d"])) == 0xFFFFFFFF).all()


def test_sketches_of_short_texts_are_exact_and_of_long_ones_near():
    for size, slack in ((200, 0.0), (3000, 0.1)):
        for left, right in texts_at(0.8, 5, size):
            a, b = (Shingles(shingle_set(tokenized([t]).of(0))) for t in (left, right))
            assert len(a.values) > SKETCH or slack == 0
            assert jaccard(a.sketch(), b) == pytest.approx(jaccard(a, b), abs=slack)
            assert jaccard(a.sketch(), b.sketch()) == pytest.approx(jaccard(a, b), abs=slack)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("add 3 and 4 to get 7", "Add  3 and 4, so it is 7", True),
        ("add 3 and 4 to get 7", "add 4 and 3 so it is 7", False),  # who has how many matters
        ("2(x+3)", "2x+3", False),
        ("(2+3)*4", "2+(3*4)", False),
        (".5 kg", "5 kg", False),
        ("[0, 10]", "(0, 10)", False),
        ("f'(2)", "f(2)", False),
        ("2ⁿ", "2n", False),
        ("2ⁿ", "2^n", True),
        ("♠♠♠", "♥♣", False),
        ("£5", "5", False),
        ("⌊x⌋", "⌈x⌉", False),
        (r"3 \times 4", r"3 \div 4", False),
        (r"x \leq 4", r"x \geq 4", False),
        (r"x \leq 4", "x ≤ 4", True),
        (r"\frac12", r"\frac21", False),
        (r"\left( x - 3 \right)", "$(x-3)$", True),
        ("Janet’s 5 well-known ducks", "janet's 5  WELL-known ducks", True),
        ("5\u00ad0 ducks", "50 ducks", True),
        ("add 3 and 4 to get 7", "add 3 and 5 to get 7", False),
        ("x - 3", "x + 3", False),
        ("3 and 3", "3", False),
        ("no numbers", "none at all", True),
    ],
)
def test_the_guard_is_the_mathematics_in_its_order(left, right, same):
    made = of_problems([left, right], ["1", "1"])
    assert (made.numbers[0] == made.numbers[1]) == same
    assert same or made.high[0] != made.high[1]


@pytest.mark.parametrize(
    ("left", "right"), [("-pi", "pi"), ("[0,1]", "(0,1)"), (".5", "5"), ("n!", "n"), ("A", "B")]
)
def test_equal_statements_with_other_references_are_other_problems(left, right):
    statement = "Say which of the two it is that the teacher wrote on the board in the morning."
    made = of_problems([statement, statement], [left, right])
    assert made.high[0] != made.high[1]
    assert made.answers[0] != made.answers[1]


def test_what_restates_the_problem_is_left_out():
    statement = "A train leaves at 9 and arrives at 11 after 240 kilometres; how fast is it?"
    responses = [f"The problem says: {statement} So it is 120.", "Divide by two and find 120."]
    rest = without(tokenized(responses), tokenized([statement]), np.array([0, 0]))
    assert rest.counts().tolist() == [7, 6]
    made = of_traces(responses, ["120", "120"], [statement], np.array([0, 0]))
    assert made.numbers[0] == made.numbers[1]
    assert made.high[0] != made.high[1]


def test_a_chain_keeps_its_far_end():
    """A~B~C: B goes for A, and C, which is not near A, stays."""
    a, b, c = (np.arange(start, start + 100, dtype=np.uint64) for start in (0, 10, 20))
    texts = [Text((n,), frozenset({1}), Shingles(v)) for n, v in enumerate((a, b, c))]
    assert jaccard(Shingles(a), Shingles(b)) > 0.8 > jaccard(Shingles(a), Shingles(c))
    assert [(f.text, f.keeper) for f in fates(texts, 0.8)] == [(1, 0)]


def test_blocks_are_never_mixed():
    v = np.arange(100, dtype=np.uint64)
    texts = [Text((n,), frozenset({n}), Shingles(v)) for n in range(3)]
    assert list(fates(texts, 0.8)) == []


def test_many_are_walked_as_few_are(monkeypatch):
    rng = random.Random(5)
    texts = []
    for n in range(120):
        base = shingle_set(tokenized([next(texts_at(0.9, 1, seed=n % 30))[n % 2]]).of(0))
        texts.append(Text((rng.random(),), frozenset({1}), Shingles(base)))
    many = {f.text for f in fates(texts, 0.8)}
    monkeypatch.setattr("tracefactory.nearness.walking.FEW", 1000)
    assert {f.text for f in fates(texts, 0.8)} == many
    assert len(many) == 90


def test_components_have_their_least_node_for_a_name():
    rng = random.Random(3)
    edges = [(i, i + 1) for i in range(0, 3000)] + [(5000, i) for i in range(5001, 6000)]
    edges = [(a, b) if rng.random() < 0.5 else (b, a) for a, b in edges]
    rng.shuffle(edges)
    left, right = (np.array([edge[side] for edge in edges]) for side in (0, 1))
    expected = [*[0] * 3001, *range(3001, 5000), *[5000] * 1000]
    assert joined(np.arange(6000), left, right).tolist() == expected
    portions = np.arange(6000)
    for first in range(0, len(left), 700):
        portions = joined(portions, left[first : first + 700], right[first : first + 700])
    assert portions.tolist() == expected
