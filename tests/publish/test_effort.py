"""pass@k is the mean over all choices of k attempts; effort adds up over shards."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.publish.stats import solved
from tracefactory.publish.tried import effort
from tracefactory.rates import pass_at
from tracefactory.schemas.manifest import Stats

OUTCOMES = st.lists(st.lists(st.booleans(), min_size=1, max_size=8), min_size=1, max_size=12)


def classes(problems):
    return dict(Counter(f"{sum(one)}/{len(one)}" for one in problems))


@given(OUTCOMES)
def test_pass_at_k_is_the_share_of_choices_with_a_correct_one(problems):
    found = pass_at(classes(problems))
    most = max(map(len, problems))
    assert [each.k for each in found] == [k for k in (1, 2, 4, 8) if k <= most]
    for each in found:
        fit = [one for one in problems if len(one) >= each.k]
        shares = []
        for one in fit:
            choices = list(combinations(one, each.k))
            shares.append(sum(map(any, choices)) / len(choices))
        assert each.problems == len(fit)
        assert each.rate == pytest.approx(sum(shares) / len(shares))


@given(OUTCOMES, OUTCOMES)
def test_it_is_a_fold_of_shards(one, other):
    merged = Stats(solved=classes(one)).merge(Stats(solved=classes(other)))
    assert pass_at(merged.solved) == pass_at(classes(one + other))


def test_rates_of_32_bits_give_whole_numbers_back():
    rates = [None, 1 / 3, 0.66666669, 1.0, 0.0]
    assert solved(rates, [None, 3, 3, 7, 0]) == {"1/3": 1, "2/3": 1, "7/7": 1}
    assert pass_at({}) == []


def test_effort_counts_no_more_correct_ones_than_were_wanted():
    counts = {
        "tried:a:2:2": 1, "tokens:a:2:2": 20,
        "tried:a:8:1": 1, "tokens:a:8:1": 160,
        "tried:b:1:1": 5, "tokens:b:1:1": 50,
    }  # fmt: skip
    found = effort(counts, "a", 8, 1)
    assert found is not None
    assert (found.verified, found.taken, found.in_tokens) == (2, 180, True)
    assert (found.fixed_verified, found.fixed_taken) == (2, 20 * 4 + 160)
    found = effort(counts | {"uncounted:a": 1}, "a", 8, None)
    assert found is not None
    assert (found.verified, found.taken, found.fixed_taken) == (3, 10, 16)
    assert found.fixed_verified == 8 + 1  # six more at the same rate
    assert effort(counts, "none", 8, 1) is None
