"""The symbolic checker against hand-labelled pairs: does the answer mean the reference?

A row says `accept`; where the conventions fix more than that it also says `status`.
"""

from collections import Counter
from functools import cache

import pytest
from symbolic_corpus_rows import ROWS, TYPES, wilson

from tracefactory.verifiers.symbolic import judge

KEYS = {"type", "reference", "response", "accept", "status", "options", "why"}
MAX_FALSE_REJECTS = 0.01


@cache
def status_of(at):
    row = ROWS[at]
    return judge(row["reference"], row["response"], options=row.get("options", {})).status


def cut(text, most=160):
    shown = repr(text)
    return shown if len(shown) <= most else f"{shown[: most // 2]}...{shown[-most // 2 :]}"


def listed(ats):
    return "".join(
        f"\n  line {at + 1}: {status_of(at)}, want {want(ROWS[at])}: "
        f"{cut(ROWS[at]['reference'])} / {cut(ROWS[at]['response'])} ({ROWS[at]['why']})"
        for at in ats
    )


def want(row):
    return row.get("status") or ("correct" if row["accept"] else "not correct")


def wrong(at):
    row, status = ROWS[at], status_of(at)
    return (
        status == "error"
        or (status == "correct") != row["accept"]
        or status != row.get("status", status)
    )


def test_the_corpus_is_large_and_distinct():
    assert len(ROWS) >= 600
    pairs = Counter((row["reference"], row["response"]) for row in ROWS)
    assert not [pair for pair, times in pairs.items() if times > 1]
    assert all(row.keys() <= KEYS for row in ROWS)


def test_the_corpus_is_balanced():
    assert 0.45 <= sum(row["accept"] for row in ROWS) / len(ROWS) <= 0.55
    for kind in TYPES:
        sides = [row["accept"] for row in ROWS if row["type"] == kind]
        assert len(sides) >= 15, kind
        assert 3 * min(sides.count(True), sides.count(False)) >= len(sides), kind


def test_a_row_that_is_accepted_names_no_other_status():
    assert not [row for row in ROWS if row["accept"] and row.get("status", "correct") != "correct"]


@pytest.mark.parametrize("kind", TYPES)
def test_every_pair_of_the_type(kind):
    bad = [at for at, row in enumerate(ROWS) if row["type"] == kind and wrong(at)]
    assert not bad, f"{len(bad)} wrong:{listed(bad)}"


def test_no_false_accept():
    bad = [at for at, row in enumerate(ROWS) if not row["accept"] and status_of(at) == "correct"]
    assert not bad, f"{len(bad)} false accepts:{listed(bad)}"


def test_few_false_rejects():
    right = [at for at, row in enumerate(ROWS) if row["accept"]]
    bad = [at for at in right if status_of(at) != "correct"]
    low, high = wilson(len(bad), len(right))
    rate = f"{len(bad)} of {len(right)} (95 %: {low:.2%} to {high:.2%})"
    assert len(bad) <= MAX_FALSE_REJECTS * len(right), f"{rate} false rejects:{listed(bad)}"


@pytest.mark.parametrize(
    ("failures", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilson(failures, n, low, high):
    assert wilson(failures, n) == pytest.approx((low, high), abs=1e-4)
