"""Exact arithmetic on constants, against Python's own fractions; budgets and undefined values."""

from fractions import Fraction

import pytest
from flint import fmpq
from hypothesis import assume, given
from hypothesis import strategies as st

from tracefactory.verifiers.maths.exact import Budget, Spent, Undefined, rational
from tracefactory.verifiers.maths.nodes import Node, call, constant, number
from tracefactory.verifiers.maths.surds import squarefree, surd


def num(q):
    q = Fraction(q)
    return number(q.numerator, q.denominator)


def value(node):
    got = rational(node, Budget())
    return None if got is None else Fraction(int(got.p), int(got.q))


FRACTIONS = st.fractions(-50, 50, max_denominator=30)


@given(FRACTIONS, FRACTIONS, st.integers(-5, 5))
def test_arithmetic_is_that_of_fractions(p, q, n):
    a, b = num(p), num(q)
    assert value(Node("add", (a, b, a))) == p + q + p
    assert value(Node("mul", (a, b, a))) == p * q * p
    assert value(Node("neg", (a,))) == -p
    assume(p)
    assert value(Node("div", (b, a))) == q / p
    assert value(Node("pow", (a, num(n)))) == p**n
    assert value(call("floor", a)) == p.__floor__()
    assert value(call("mod", b, a)) == q % p


@given(st.fractions(0, 50, max_denominator=30), st.integers(1, 6))
def test_roots_come_out_exactly_when_they_are_rational(p, k):
    assert value(Node("root", (num(p**k), num(k)))) == p
    assert value(Node("pow", (num(p**k), num(Fraction(1, k))))) == p
    if k % 2:
        assert value(Node("root", (num(-(p**k)), num(k)))) == -p
    assert value(Node("root", (num(p * p + Fraction(1, 10**9)), num(2)))) != p


@pytest.mark.parametrize(
    "node",
    [
        Node("div", (num(1), num(0))),
        Node("pow", (num(0), num(0))),
        Node("pow", (num(0), num(-1))),
        Node("factorial", (num(-1),)),
        call("ln", num(0)),
        call("mod", num(1), num(0)),
        call("cot", num(0)),
        call("log", num(5), num(1)),
    ],
)
def test_what_has_no_value_says_so(node):
    with pytest.raises(Undefined):
        rational(node, Budget())


@pytest.mark.parametrize(
    "node",
    [
        Node("pow", (num(9), num(10**9))),
        Node("factorial", (num(10**6),)),
        call("binomial", num(10**6), num(5 * 10**5)),
        call("double_factorial", num(10**7)),
        Node("root", (num(2), num(10**30))),
        constant("pi"),
    ],
)
def test_too_big_or_irrational_is_none(node):
    assert rational(node, Budget()) is None


def test_known_values():
    assert value(call("double_factorial", num(7))) == 105
    assert value(call("double_factorial", num(8))) == 384
    assert value(call("double_factorial", num(-1))) == 1
    assert value(call("lcm", num(4), num(6), num(10))) == 60
    assert value(call("binomial", num(Fraction(1, 2)), num(2))) == Fraction(-1, 8)
    assert value(call("log", num(1000))) == 3
    assert value(call("log", num(Fraction(1, 8)), num(4))) == Fraction(-3, 2)
    assert value(call("gamma", num(5))) == 24


def test_a_budget_is_counted():
    with pytest.raises(Spent):
        rational(Node("add", (num(1),) * 3), Budget(10))


@given(st.integers(-(10**6), 10**6).filter(bool))
def test_squarefree_parts(n):
    split = squarefree(n)
    assert split is not None
    square, radicand = split
    assert square * square * radicand == n
    assert all(radicand % (p * p) for p in range(2, 1001))


SURDS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 5, 6, -1, -2]), st.integers(-5, 5)), min_size=1, max_size=4
)


@given(SURDS)
def test_a_sum_of_roots_times_its_inverse_is_one(terms):
    tree = Node("add", (num(0), *(Node("mul", (num(c), _root(m))) for m, c in terms)))
    got = surd(tree, Budget())
    assert got is not None
    assume(got)
    quotient = surd(Node("mul", (tree, Node("div", (num(1), tree)))), Budget())
    assert quotient == {1: fmpq(1)}


def _root(m):
    return Node("root", (num(m), num(2)))
