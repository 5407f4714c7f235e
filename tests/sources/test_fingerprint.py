import datetime
import hashlib
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracefactory.sources.fingerprint import OrderFree, canonical, content_id

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
rows = st.lists(st.dictionaries(st.text(max_size=5), json_values, max_size=4), max_size=8)


def fingerprint(some):
    found = OrderFree()
    for row in some:
        found.add(row)
    return found


def test_content_id_never_changes():
    # a changed value here would give every problem of every old run a new id
    assert content_id("2 + 2?", "4") == "5b14e7aaad8986a8"
    assert content_id() == "e3b0c44298fc1c14"


@settings(deadline=None)
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_content_id_tells_parts_apart(left, right):
    assert (content_id(*left) == content_id(*right)) == (left == right)


def test_content_id_takes_a_lone_surrogate():
    assert len(content_id("\ud800")) == 16


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_order_does_not_count(some, rng):
    shuffled = rng.sample(some, len(some))
    assert fingerprint(shuffled).hex() == fingerprint(some).hex()


@settings(deadline=None)
@given(rows, rows)
def test_parts_merge_to_the_whole(left, right):
    merged = fingerprint(left)
    merged.merge(fingerprint(right))
    assert merged == fingerprint(left + right)


@settings(deadline=None)
@given(rows)
def test_hex_round_trip(some):
    found = fingerprint(some)
    assert OrderFree.from_hex(found.hex()) == found
    assert len(found.hex()) == 80


@settings(deadline=None)
@given(rows.filter(bool), st.data())
def test_one_row_more_less_or_changed_shows(some, data):
    at = data.draw(st.integers(0, len(some) - 1))
    base = fingerprint(some).hex()
    assert fingerprint([*some, some[at]]).hex() != base
    assert fingerprint(some[:at] + some[at + 1 :]).hex() != base
    assert (
        fingerprint(
            [*some[:at], {**some[at], "changed": random.Random(1).random()}, *some[at + 1 :]]
        ).hex()
        != base
    )


def test_key_order_does_not_count_but_types_do():
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1}) == b'{"a":2,"b":1}'
    texts = [
        canonical({"a": value})
        for value in (1, 1.0, "1", True, None, [1], 10**30, str(10**30), b"1")
    ]
    assert len(set(texts)) == len(texts)


def test_values_that_only_parquet_has():
    row = {
        "day": datetime.date(2024, 2, 29),
        "at": datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC),
        "long": datetime.timedelta(days=1),
        "price": Decimal("1.50"),
        "raw": b"\xff",
        "map": [("k", 1)],
    }
    assert canonical(row) == (
        b'{"at":{"datetime":"2024-02-29 00:00:00+00:00"},"day":{"date":"2024-02-29"},'
        b'"long":{"timedelta":"1 day, 0:00:00"},"map":[["k",1]],'
        b'"price":{"Decimal":"1.50"},"raw":{"bytes":"ff"}}'
    )


def test_a_fingerprint_never_changes():
    # floats as Python writes them: orjson's own way has changed between versions
    rows = [{"q": "½", "n": 1e16, "x": [0.1, 1e-7, -0.0]}, {"q": None}]
    texts = ['{"n":1e+16,"q":"½","x":[0.1,1e-07,-0.0]}', '{"q":null}']
    total = sum(int(hashlib.sha256(text.encode()).hexdigest(), 16) for text in texts) % 2**256
    assert fingerprint(rows).hex() == f"{total:064x}{2:016x}"


def test_not_a_number_is_not_nothing():
    assert canonical({"a": float("nan")}) != canonical({"a": None})


@pytest.mark.parametrize("text", ["", "0" * 79, "g" * 80, "-" + "0" * 79])
def test_not_a_fingerprint(text):
    with pytest.raises(ValueError, match="80 hex digits"):
        OrderFree.from_hex(text)


def test_what_no_reader_makes_is_refused():
    with pytest.raises(TypeError):
        canonical({"a": object()})
