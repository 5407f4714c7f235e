"""Rates of probes, kind by kind."""

from hypothesis import given
from hypothesis import strategies as st

from tracefactory.probing.rate import rates
from tracefactory.schemas.probe import OUTCOMES

COUNTS = st.dictionaries(
    st.sampled_from([f"{kind}.{o}" for kind in ("alter", "truncate") for o in OUTCOMES]),
    st.integers(1, 10_000),
)


def test_no_probes_have_no_rate():
    assert rates({}) == []


@given(COUNTS)
def test_a_rate_is_of_those_that_moved_or_stayed(counts):
    found = rates(counts)
    assert sum(r.n + r.no_answer + r.unclear for r in found) == sum(counts.values())
    assert [r.kind for r in found] == sorted({key.partition(".")[0] for key in counts})
    for rate in found:
        assert rate.moved <= rate.n
        if rate.n:
            assert 0 <= rate.low <= rate.share <= rate.high <= 1
        else:
            assert (rate.share, rate.low, rate.high) == (None, None, None)


def test_a_known_rate():
    (rate,) = rates({"alter.moved": 20, "alter.no_answer": 3})
    assert (rate.moved, rate.n, rate.share, rate.high) == (20, 20, 1.0, 1.0)
    assert round(rate.low, 3) == 0.839
