"""Certified order and exact values of constants."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.verifiers.maths.decide import (
    compare,
    is_constant,
    rational_value,
    sign_of,
    symbols,
    value_ball,
    within,
)
from tracefactory.verifiers.maths.nodes import Node, call, constant, number, symbol

x = symbol("x")
pi, e, i, infinity = (constant(name) for name in ("pi", "e", "i", "infinity"))
minus_infinity = Node("neg", (infinity,))


def root(value, index=2):
    return Node("root", (number(value), number(index)))


def add(*args):
    return Node("add", args)


def power(a, b):
    return Node("pow", (a, b))


def test_symbols_are_variables_only():
    tree = add(x, Node("apply", (symbol("y"),), "f"), pi)
    assert symbols(tree) == {"x", "y"}
    assert not is_constant(tree)
    assert not is_constant(Node("apply", (number(2),), "f"))
    assert is_constant(add(pi, i, infinity))


@given(st.fractions(), st.fractions())
def test_rationals_are_ordered_exactly(p, q):
    a, b = number(p.numerator, p.denominator), number(q.numerator, q.denominator)
    assert compare(a, b) == (p > q) - (p < q)
    assert rational_value(a) == (p.numerator, p.denominator)


@pytest.mark.parametrize(
    ("a", "b", "sign"),
    [
        (root(2), number(141421356, 10**8), 1),
        (root(2), number(141421357, 10**8), -1),
        (power(root(2), number(2)), number(2), 0),
        (call("cos", Node("div", (pi, number(3)))), number(1, 2), 0),
        (power(e, number(-5000)), number(0), 1),
        (add(number(1), power(e, number(-5000))), number(1), 1),
        (power(e, Node("mul", (pi, root(163)))), number(262537412640768744), -1),
        (infinity, power(number(10), number(100)), 1),
        (minus_infinity, infinity, -1),
        (infinity, infinity, 0),
        (i, number(0), None),
        (x, number(0), None),
        (Node("div", (number(1), number(0))), number(0), None),
        (power(number(9), power(number(9), number(9))), number(0), 1),
    ],
)
def test_order_is_certified(a, b, sign):
    assert compare(a, b) == sign
    assert compare(b, a) == (None if sign is None else -sign)


def test_sign():
    assert sign_of(add(root(2), root(3), Node("neg", (root(10),)))) == -1
    assert sign_of(minus_infinity) == -1
    assert sign_of(add(root(8), Node("neg", (Node("mul", (number(2), root(2))),)))) == 0


def test_within_is_closed():
    assert within(pi, (3141, 1000), (3142, 1000)) is True
    assert within(pi, (3142, 1000), (4, 1)) is False
    assert within(number(1, 2), (1, 2), (1, 1)) is True
    assert within(power(root(2), number(2)), (2, 1), (3, 1)) is True
    assert within(infinity, (0, 1), (3, 1)) is False
    assert within(x, (0, 1), (3, 1)) is None


def test_exact_values_of_what_only_looks_irrational():
    assert rational_value(root(16)) == (4, 1)
    assert rational_value(call("cos", Node("div", (pi, number(3))))) == (1, 2)
    assert rational_value(pi) is None
    assert rational_value(Node("div", (number(1), number(0)))) is None


def test_a_ball_holds_the_value():
    ball = value_ball(root(2), 128)
    assert ball is not None
    assert 1.414213562373095 < ball < 1.414213562373096
    assert ball.rad() < 1e-36
    assert value_ball(i, 64) is None
    assert value_ball(x, 64) is None


@given(st.fractions(0, 100, max_denominator=1000), st.integers(2, 5))
def test_roots_are_ordered_like_their_radicands(q, index):
    tree = Node("root", (number(q.numerator, q.denominator), number(index)))
    assert compare(tree, number(1)) == (q > 1) - (q < 1)
    below = Fraction(9, 10)
    assert compare(tree, number(9, 10)) == (q > below**index) - (q < below**index)
