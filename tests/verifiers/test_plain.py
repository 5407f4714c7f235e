"""Values cross the border of a box by exact type, or not at all."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.sandbox import plain
from tracefactory.sandbox.plain import NotPlain, dumps, loads

keys = st.none() | st.booleans() | st.integers() | st.text() | st.binary(max_size=8)
leaves = (
    keys | st.floats() | st.complex_numbers() | st.text(st.characters(exclude_categories=()))
)  # lone surrogates too
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(st.text(max_size=3).map("!{}".format), inner, max_size=2)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
    ),
    max_leaves=20,
)


def same(one, other):
    """By exact type, NaN and the sign of zero too."""
    if type(one) is not type(other):
        return False
    if type(one) is float:
        return repr(one) == repr(other)
    if type(one) is complex:
        return same(one.real, other.real) and same(one.imag, other.imag)
    if type(one) in (list, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is dict:
        return len(one) == len(other) and all(
            same(k, m) and same(v, w)
            for (k, v), (m, w) in zip(one.items(), other.items(), strict=True)
        )
    return one == other


@given(values)
def test_a_value_comes_back_as_it_was_and_so_does_its_text(value):
    text = dumps(value)
    assert same(loads(text), value)
    assert dumps(loads(text)) == text
    assert text.isascii()
    assert "\n" not in text


@given(st.recursive(st.none() | st.booleans() | st.text() | st.floats() | st.integers(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_no_json_but_what_it_writes_is_read_and_nothing_else_is_raised(value):
    for text in (json.dumps(value), json.dumps({"!set": value}), json.dumps({"!dict": value})):
        try:
            found = loads(text)
        except NotPlain:
            continue
        dumps(found)


class Sub(int):
    """Says yes to everything."""

    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class Liar(type):
    """A type that says it is int."""

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return hash(int)


class Lie(metaclass=Liar):
    pass


class Text(str):
    pass


def circle():
    made = []
    made.append(made)
    return made


NOT_PLAIN = [
    Sub(4), Lie(), Text("a"), type("L", (list,), {})(), type("D", (dict,), {})(),
    type("F", (float,), {})(1.0), type("T", (tuple,), {})(), object(), int, len, range(3), iter([]),
    bytearray(b"x"), circle(), {"a": Sub(1)}, {Text("a"): 1}, [Sub(1)], (Sub(1),), {Sub(1)},
    {1: Sub(1)}, {Sub(1): 1}, "x" * (plain.MAX_CHARS + 1), 1 << (5 * plain.MAX_CHARS),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(NOT_PLAIN)))
def test_subclasses_objects_circles_and_giants_do_not_cross(number):
    with pytest.raises(NotPlain):
        dumps(NOT_PLAIN[number])


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", '{"!float":"1.5"}', '{"!float":"NAN"}', '{"!object":1}',
     '{"!int":1.5}', '{"!int":"zz"}', '{"!dict":[[1]]}', '{"!dict":[[[],1]]}', '{"!set":[[]]}',
     '{"!set":1}', '{"!bytes":"0"}', '{"!complex":["1"]}', '{"!tuple":{}}', "[" * 100_000,
     "1" * 5000, '{"!surrogates":"zz"}', b"\xff", '{"!complex":[1,2]}'],
)  # fmt: skip
def test_what_it_does_not_write_it_does_not_read(text):
    with pytest.raises(NotPlain):
        loads(text)


def test_keys_that_collide_are_refused_instead_of_taking_for_ever():
    parts = [{"!int": hex(k * ((1 << 61) - 1))} for k in range(1, 50_000)]
    for text in (json.dumps({"!set": parts}), json.dumps({"!dict": [[p, 1] for p in parts]})):
        with pytest.raises(NotPlain, match="collide"):
            loads(text)


def test_deep_is_limited_and_nan_stays():
    value = []
    for _ in range(plain.MAX_DEPTH - 2):
        value = [value]
    assert loads(dumps(value)) == value
    with pytest.raises(NotPlain, match="deep"):
        dumps([[[[value]]]])
    assert math.isnan(loads(dumps(float("nan"))))
