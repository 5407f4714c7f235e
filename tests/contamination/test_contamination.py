"""What is found of planted items, and what is not found in clean rows: the measured rules."""

import json
import random
import string
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracefactory.contamination import verdicts
from tracefactory.contamination.grams import (
    MASKED_N,
    N,
    grams,
    masked,
    runs,
    tokens_of,
    whole,
)
from tracefactory.contamination.index import Index, build
from tracefactory.contamination.items import ITEM_SCHEMA
from tracefactory.contamination.search import Bits, GramSet
from tracefactory.contamination.verdicts import overlaps

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import contamination_corpus as corpus  # noqa: E402

GSM8K = ROOT.parent / "shared" / "data" / "gsm8k" / "test.jsonl"


def index_of(texts, benchmark="b", max_items=20):
    rows = [{"benchmark": benchmark, "item": f"{n:05d}", "text": t} for n, t in enumerate(texts)]
    table = pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)
    return Index.of(dict(build(table, max_items).tables), max_items)


def found(texts, index, *, statements=True):
    return overlaps(texts, index, 0.5, statements=statements)


def shares(planted, index):
    """Shares of rows that are contaminated, by the right item, and suspect."""
    texts = [row.text for row in planted]
    out = found(texts, index, statements=planted[0].kind != "trace")
    bad = {o.text for o in out if o.level == "contaminated"}
    right = {o.text for o in out if o.text in bad and int(o.item) == planted[o.text].item}
    suspect = {o.text for o in out} - bad
    return len(bad) / len(texts), len(right) / len(texts), len(suspect) / len(texts)


@pytest.fixture(scope="module")
def made():
    items = corpus.made_items(3, 400)
    return items, index_of(items)


# --- The measured rules --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", corpus.PLANTED)
def test_planted_items_are_found_whatever_their_punctuation_and_spacing(made, kind):
    items, index = made
    bad, right, _ = shares(corpus.rows(items, kind, 5), index)
    assert bad >= 0.99
    assert right >= 0.99


def test_clean_rows_are_never_dropped_and_stock_phrases_hardly_ever(made):
    items, index = made
    assert shares(corpus.rows(items, "clean", 5), index)[0] == 0
    assert shares(corpus.rows(items, "stock", 5), index)[0] <= 0.015


@pytest.mark.skipif(not GSM8K.exists(), reason="NOT TESTED: ../shared/data has no GSM8K")
@pytest.mark.parametrize("kind", [*corpus.PLANTED, "swapped", "bare"])
def test_all_of_gsm8k(kind):
    with GSM8K.open() as lines:
        items = [json.loads(line)["question"] for line in lines]
    index = index_of(items)
    if kind in corpus.PLANTED:
        planted = corpus.rows(items, kind, 5)
    else:
        # All marks another one; all ASCII punctuation gone: even decimals and fractions are other.
        other = ";" if kind == "swapped" else ""
        marks = ".,;:!?" if kind == "swapped" else string.punctuation
        table = str.maketrans(dict.fromkeys(marks, other))
        planted = [corpus.Planted(kind, text.translate(table), n) for n, text in enumerate(items)]
    bad, right, _ = shares(planted, index)
    assert min(bad, right) >= 0.99


def test_an_item_with_other_numbers_is_suspect_or_worse_and_never_clean(made):
    items, index = made
    bad, _, suspect = shares(corpus.rows(items, "renumbered", 5), index)
    assert bad + suspect >= 0.99


# --- Rules one by one ----------------------------------------------------------------------------

LONG = "A farmer has 12 red hens and 7 grey geese, and each of the hens lays 3 eggs a week in May."
OTHER = "Tom buys 4 tickets."


def levels(text, items, **how):
    return [(o.level, o.rule) for o in found([text], index_of(items), **how)]


def test_columns_say_what_was_found():
    text = f"Before that. {LONG} And after that."
    (one,) = found(["nothing here", text], index_of([OTHER, LONG], "bench"))
    assert (one.text, one.benchmark, one.item) == (1, "bench", "00001")
    assert (one.level, one.rule, one.coverage) == ("contaminated", "coverage", 1.0)
    assert one.longest_match == tokens_of([LONG]).counts()[0]


def test_one_run_of_eight_tokens_is_suspect_and_kept():
    text = "In a village far away each of the hens lays 3 eggs a week in the summer months."
    (one,) = found([text], index_of([LONG]))
    assert (one.level, one.rule, one.longest_match) == ("suspect", "run", 10)
    assert one.coverage < 0.5


def test_the_same_words_with_other_numbers_are_suspect():
    twin = LONG.replace("12", "31").replace("7", "9").replace("3 eggs", "5 eggs")
    assert levels(twin, [LONG]) == [("suspect", "renumbered")]


@pytest.mark.parametrize(
    ("text", "statements", "expected"),
    [
        ("What is 15 times 4?", True, "contaminated"),
        ("what is 15\n times 4", True, "contaminated"),
        ("Read this: what is 15 times 4? Say it in words.", True, "contaminated"),
        ("Then, what is 15 times 4? It is 60.", False, None),  # traces are full of such questions
        ("What is 15 times 5?", True, None),
    ],
)
def test_a_short_item_counts_where_it_stands_whole(text, statements, expected):
    out = [level for level, _ in levels(text, ["What is 15 times 4?"], statements=statements)]
    assert out == ([] if expected is None else [expected])


def test_a_short_item_without_a_number_is_only_found_alone():
    items = ["Which of these is true?"]
    assert levels("Which of these is true?", items) == [("contaminated", "whole")]
    assert levels("Read on. Which of these is true? Tell me.", items) == []


def test_phrases_of_many_items_make_no_suspect_and_no_drop():
    phrase = "give the answer as a reduced fraction and do not round before the last step"
    items = [f"{text} {phrase}." for text in corpus.made_items(4, 60)]
    assert found([f"I add two numbers and {phrase} of it."], index_of(items)) == []
    # An item that is mostly such a phrase is not dropped for the phrase.
    short = ["Halve 17 and 3: " + phrase]
    assert all(
        o.level == "suspect" for o in found([f"Take 4. {phrase}."], index_of([*items, *short]))
    )


def test_equal_items_of_several_benchmarks_are_one_and_the_others_are_named():
    rows = [{"benchmark": b, "item": "7", "text": LONG} for b in ("two", "one")]
    tables = build(pa.Table.from_pylist(rows, schema=ITEM_SCHEMA), 20).tables
    (item,) = tables["index_items"].to_pylist()
    assert (item["benchmark"], item["also"]) == ("one", ["two/7"])


def test_one_row_a_benchmark_the_nearest_item():
    items = [LONG, LONG + " How many eggs is that in all?"]
    (one,) = found([items[1]], index_of(items))
    assert (one.item, one.coverage, one.n_items) == ("00001", 1.0, 2)


# --- Order and batches ---------------------------------------------------------------------------


def test_nothing_depends_on_the_order_of_items_and_rows_or_on_batches(made, monkeypatch):
    items, index = made
    texts = [r.text for kind in corpus.KINDS for r in corpus.rows(items[:60], kind, 1)]
    shuffled = list(range(len(texts)))
    random.Random(1).shuffle(shuffled)

    def by_text(out, order):
        return {(texts[order[o.text]], o.benchmark): (o.level, o.rule, o.item, o.coverage,
                o.masked_coverage, o.longest_match, o.n_items) for o in out}  # fmt: skip

    plain = by_text(found(texts, index), range(len(texts)))
    monkeypatch.setattr(verdicts, "BATCH_BYTES", 3000)
    monkeypatch.setattr("tracefactory.contamination.search.PAIR_ROWS", 50)
    again = by_text(found([texts[i] for i in shuffled], index), shuffled)
    assert plain == again
    rows = [{"benchmark": "b", "item": f"{n:05d}", "text": t} for n, t in enumerate(items)]
    random.Random(2).shuffle(rows)
    other = build(pa.Table.from_pylist(rows, schema=ITEM_SCHEMA), 20).tables
    rows.sort(key=lambda row: row["item"])
    same = build(pa.Table.from_pylist(rows, schema=ITEM_SCHEMA), 20).tables
    assert all(other[role].equals(same[role]) for role in other)


def test_no_rows_and_no_items_are_no_trouble():
    assert found([], index_of([LONG])) == []
    assert found(["", "x", LONG], index_of(["a"])) == []
    assert found(["", "x"], index_of([LONG])) == []


# --- Parts, against plain definitions ------------------------------------------------------------

text_st = st.text(alphabet="ab '’1,2.+\\!{}\n", max_size=40)


@settings(max_examples=150)
@given(st.lists(text_st, max_size=5))
def test_grams_are_those_of_each_text_alone(texts):
    tokens = tokens_of(texts)
    for tokens_, n in ((tokens, 3), (masked(tokens), 2)):
        places, owners = whole(tokens_.offsets, n)
        hashes = grams(tokens_.hashes, n)[places]
        for number, text in enumerate(texts):
            alone = tokens_of([text])
            alone = alone if n == 3 else masked(alone)
            at, _ = whole(alone.offsets, n)
            assert hashes[owners == number].tolist() == grams(alone.hashes, n)[at].tolist()
    for n, hashes in runs(tokens.hashes, 1, 4):
        assert hashes.tolist() == grams(tokens.hashes, n).tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000,000", "1000000"),
        ("1{,}234", "1234"),
        ("12,\\!345", "12345"),
        ("Janet's", "Janets"),
        ("Janet’s 5", "janets 5"),
    ],
)
def test_one_number_and_one_word_are_one_token(one, other):
    assert tokens_of([one]).hashes.tolist() == tokens_of([other]).hashes.tolist()


@pytest.mark.parametrize("text", ["1,2", "1, 200", "x,000", "1,0000", "f'(x)", "'quoted'"])
def test_other_commas_and_quotes_still_divide(text):
    assert tokens_of([text]).counts()[0] == len(
        [t for t in "".join(c if c.isalnum() else " " for c in text).split() if t]
    )


def test_masked_numbers_are_one_token_however_they_are_written():
    texts = ["pay 7.50 for it", "pay 7 50 for it", "pay 3/5 for it", "pay 750 for it"]
    tokens = masked(tokens_of(texts))
    assert len({tuple(tokens.of(n).tolist()) for n in range(len(texts))}) == 1


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), st.integers(0, 2**64 - 1))
def test_bits_never_deny_a_key(keys, other):
    array = np.unique(np.array(keys, np.uint64))
    assert Bits.of(array).maybe(array).tolist() == list(range(len(array)))


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=14), min_size=1, max_size=6),
       st.lists(st.lists(st.integers(0, 6), max_size=20), max_size=4))  # fmt: skip
def test_coverage_and_longest_run_are_what_sets_say(items, texts):
    """Words of one letter, n = 3: every pair with a gram in common, counted by plain sets."""
    words = "pqrstuv"
    rows = [
        {"benchmark": "b", "item": f"{n:05d}", "text": " ".join(words[w] for w in item)}
        for n, item in enumerate(items)
    ]
    from tracefactory.contamination.index import _postings

    tokens = tokens_of([row["text"] for row in rows])
    table = _postings(tokens, 3, np.arange(len(rows)), 1000)
    grams_ = GramSet.of(table, len(rows), 3, 1000)
    mine = tokens_of([" ".join(words[w] for w in text) for text in texts])
    places, owners = whole(mine.offsets, 3)
    pairs = grams_.pairs(grams(mine.hashes, 3)[places], places, owners, 0.0, or_rare=True)
    got = {
        (t, i): (round(c, 9), n)
        for t, i, c, n in zip(pairs.text.tolist(), pairs.item.tolist(), pairs.coverage.tolist(),
                              pairs.longest.tolist(), strict=True)
    }  # fmt: skip
    expected = {}
    for t, text in enumerate(texts):
        for i, item in enumerate(items):
            its = {tuple(item[k : k + 3]) for k in range(len(item) - 2)}
            hits = [tuple(text[k : k + 3]) in its for k in range(len(text) - 2)]
            have = {tuple(text[k : k + 3]) for k in range(len(text) - 2)} & its
            if have:
                longest = max(len(run) for run in "".join(" x"[h] for h in hits).split())
                expected[t, i] = (round(len(have) / len(its), 9), longest + 2)
    assert got == expected
    assert (N, MASKED_N) == (8, 5)
