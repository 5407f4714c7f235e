"""The scalar equality of the symbolic checker: tables of pairs, and properties of random trees."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracefactory.verifiers.maths.decide import decide, same_up_to_factor
from tracefactory.verifiers.maths.nodes import Node, call, constant, number, symbol

x, y, n = symbol("x"), symbol("y"), symbol("n")
pi, e, i, infinity = constant("pi"), constant("e"), constant("i"), constant("infinity")


def num(value):
    return value if isinstance(value, Node) else number(value)


def add(*args):
    return Node("add", tuple(num(a) for a in args))


def mul(*args):
    return Node("mul", tuple(num(a) for a in args))


def neg(a):
    return Node("neg", (num(a),))


def sub(a, b):
    return add(a, neg(b))


def div(a, b):
    return Node("div", (num(a), num(b)))


def power(a, b):
    return Node("pow", (num(a), num(b)))


def root(a, k=2):
    return Node("root", (num(a), number(k)))


def factorial(a):
    return Node("factorial", (num(a),))


def fn(name, *args):
    return call(name, *(num(a) for a in args))


def f(*args, name="f"):
    return Node("apply", tuple(num(a) for a in args), name)


def half_plus(a):
    return div(add(1, a), 2)


TINY = number(1, 10**3000)
FERMAT = mul((2**61 - 2), (2**61 - 32))

EQUAL = {
    "fraction": (number(1, 2), div(2, 4), "exact"),
    "root of a square": (root(16), number(4), "exact"),
    "odd root": (root(-8, 3), number(-2), "exact"),
    "rational power": (power(4, number(1, 2)), number(2), "exact"),
    "logarithm to a base": (fn("log", 8, 4), number(3, 2), "exact"),
    "binomial": (fn("binomial", 10, 3), number(120), "exact"),
    "mod of a negative": (fn("mod", -7, 3), number(2), "exact"),
    "big power": (power(2, 2005), mul(2, power(2, 2004)), "exact"),
    "surd": (div(root(3), 3), div(1, root(3)), "exact"),
    "denominator of two roots": (div(1, sub(root(3), root(2))), add(root(3), root(2)), "exact"),
    "imaginary root": (root(-4), mul(2, i), "exact"),
    "product of imaginary roots": (mul(root(-2), root(-3)), neg(root(6)), "exact"),
    "nested radical": (root(add(3, mul(2, root(2)))), add(1, root(2)), "algebraic"),
    "cubic denesting": (root(add(2, root(5)), 3), half_plus(root(5)), "algebraic"),
    "cosine of 36 degrees": (fn("cos", div(pi, 5)), div(add(1, root(5)), 4), "algebraic"),
    "tangent of 22.5 degrees": (fn("tan", div(pi, 8)), sub(root(2), 1), "algebraic"),
    "heptagon": (
        mul(*[fn("cos", div(mul(k, pi), 7)) for k in (1, 2, 3)]),
        number(1, 8),
        "algebraic",
    ),
    "euler": (power(e, mul(i, pi)), number(-1), "structure"),
    "logarithm of a product": (
        fn("ln", 12),
        add(mul(2, fn("ln", 2)), fn("ln", 3)),
        "structure",
    ),
    "pi": (add(mul(2, pi), div(pi, 2)), div(mul(5, pi), 2), "structure"),
    "pi as unknown": (mul(add(pi, 1), sub(pi, 1)), sub(power(pi, 2), 1), "identity"),
    "binomial theorem": (
        power(add(x, 1), 5),
        add(*[mul(c, power(x, k)) for k, c in enumerate((1, 5, 10, 10, 5, 1))]),
        "identity",
    ),
    "removable singularity": (div(sub(power(x, 2), 1), sub(x, 1)), add(x, 1), "identity"),
    "large power": (power(add(x, 1), 200), mul(power(add(1, x), 199), add(x, 1)), "identity"),
    "pythagoras": (
        add(power(fn("sin", x), 2), power(fn("cos", x), 2)),
        number(1),
        "identity",
    ),
    "secant and tangent": (
        power(fn("sec", x), 2),
        add(1, power(fn("tan", x), 2)),
        "identity",
    ),
    "double angle": (
        fn("sin", mul(2, x)),
        mul(2, fn("sin", x), fn("cos", x)),
        "balls",
    ),
    "hyperbolic": (fn("sinh", x), div(sub(power(e, x), power(e, neg(x))), 2), "balls"),
    "arctangents": (
        add(fn("arctan", number(1, 2)), fn("arctan", number(1, 3))),
        div(pi, 4),
        "balls",
    ),
    "logarithm of a square": (fn("ln", power(x, 2)), mul(2, fn("ln", x)), "balls"),
    "square of a root": (power(root(x), 2), x, "identity"),
    "root of a square is absolute": (root(power(x, 2)), fn("abs", x), "balls"),
    "maximum": (fn("max", x, y), div(add(x, y, fn("abs", sub(x, y))), 2), "balls"),
    "floor moves by whole numbers": (
        fn("floor", add(x, 1)),
        add(1, fn("floor", x)),
        "balls",
    ),
    "small domain far away": (
        fn("arcsin", sub(x, 1000)),
        neg(fn("arcsin", sub(1000, x))),
        "identity",
    ),
    "symbolic exponent": (power(2, add(n, 1)), mul(2, power(2, n)), "identity"),
    "other base": (power(4, n), power(2, mul(2, n)), "identity"),
    "alternating sign": (power(-1, add(n, 2)), power(-1, n), "identity"),
    "symbolic base": (mul(power(x, n), x), power(x, add(n, 1)), "identity"),
    "ratio of factorials": (div(factorial(n), factorial(sub(n, 1))), n, "balls"),
    "binomial in n": (fn("binomial", n, 2), div(mul(n, sub(n, 1)), 2), "balls"),
    "unknown function": (f(2), f(add(1, 1)), "structure"),
    "unknown function commutes in sums": (add(f(x), f(y)), add(f(y), f(x)), "structure"),
    "unknown function of equal arguments": (
        f(mul(2, add(x, 1))),
        f(add(mul(2, x), 2)),
        "identity",
    ),
    "modulus of a complex number": (fn("abs", add(3, mul(4, i))), number(5), "balls"),
    "product of prime powers": (
        power(2, power(2, power(10, 2))),
        mul(2, power(2, sub(power(2, 100), 1))),
        "huge",
    ),
    "tower with itself": (power(9, power(9, power(9, 9))), power(9, power(9, power(9, 9))), None),
    "infinity": (infinity, infinity, "structure"),
}

DIFFERENT = {
    "decimal": (number(333, 1000), number(1, 3)),
    "tiny powers": (number(1, 2**99), number(1, 2**98)),
    "tiny decimals": (number(1, 10**20), number(1, 10**21)),
    "tiny factorials": (div(1, factorial(2004)), div(1, factorial(2006))),
    "tiny exponential": (power(e, -5000), number(0)),
    "tiny beside one": (add(1, power(e, -5000)), number(1)),
    "tiny beside a function": (add(fn("sin", x), power(e, -5000)), fn("sin", x)),
    "tiny part of a long fraction": (mul(pi, add(1, TINY)), pi),
    "tiny part of a factor": (mul(fn("sin", x), add(1, TINY)), fn("sin", x)),
    "tiny beside one in a tangent": (fn("tanh", 1000), number(1)),
    "tiny beside one in a cosine": (fn("cos", power(10, -400)), number(1)),
    "high root": (root(2, 10**300), number(1)),
    "root of roots": (root(root(root(2, 10**90), 10**90), 10**90), number(1)),
    "tiny by cancellation": (
        add(1, sub(fn("cosh", 5000), fn("sinh", 5000))),
        number(1),
    ),
    "tiny beside a symbol": (add(x, TINY), x),
    "tiny rational beside a sine": (add(fn("sin", x), TINY), fn("sin", x)),
    "near integer": (power(e, mul(pi, root(163))), number(262537412640768744)),
    "root sums": (
        add(*[root(k) for k in (1000000, 1000001, 1000004)]),
        add(*[root(k) for k in (1000000, 1000002, 1000003)]),
    ),
    "coefficient": (number(4), mul(4, root(2))),
    "names": (mul(2, x), mul(2, y)),
    "root of a square": (root(power(x, 2)), x),
    "absolute value far from zero": (fn("abs", sub(x, 1000)), sub(x, 1000)),
    "floor and identity": (fn("floor", x), x),
    "floor and ceiling": (add(fn("floor", x), 1), fn("ceil", x)),
    "alternating sign": (power(-1, n), number(1)),
    "sine of n pi": (fn("sin", mul(n, pi)), number(0)),
    "argument order": (f(x, y), f(y, x)),
    "function names": (f(x), f(x, name="g")),
    "exponents made for one prime": (power(x, FERMAT), number(1)),
    "constants made for one prime": (power(2, FERMAT), number(1)),
    "zero modulo the primes": (add(x, mul(2**61 - 1, 2**61 - 31)), x),
    "tower": (power(9, power(9, power(9, 9))), number(5)),
    "towers": (power(9, power(9, power(9, 9))), power(9, power(9, power(9, 8)))),
    "tower and one": (power(2, power(2, 100)), add(1, power(2, power(2, 100)))),
    "exponents of a tower": (power(2, power(2, 100)), power(2, add(1, power(2, 100)))),
    "factorial of a factorial": (factorial(factorial(power(10, 10))), number(5)),
    "factorials of factorials": (factorial(factorial(100)), factorial(factorial(101))),
    "signed infinity": (infinity, neg(infinity)),
    "infinity and a number": (infinity, number(5)),
    "division by zero": (div(1, 0), div(1, 0)),
    "hidden division by zero": (
        div(1, sub(mul(root(2), root(2)), 2)),
        div(1, sub(mul(root(2), root(2)), 2)),
    ),
    "one and zero over zero": (div(sub(root(2), root(2)), sub(root(2), root(2))), number(1)),
    "a root that is only real elsewhere": (mul(root(x), root(y)), root(add(mul(x, y), 1))),
    "conjugate": (add(1, mul(2, i)), sub(1, mul(2, i))),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal(name):
    a, b, tier = EQUAL[name]
    for decision in (decide(a, b), decide(b, a)):
        assert decision.equal is True
        assert tier in (None, decision.tier)
        assert decision.certainty == ("probable" if decision.tier == "balls" else "proved")


@pytest.mark.parametrize("name", DIFFERENT)
def test_different(name):
    a, b = DIFFERENT[name]
    for decision in (decide(a, b), decide(b, a)):
        assert decision.equal is False
        assert decision.certainty == "proved"


def test_nothing_is_said_where_nothing_is_defined():
    nowhere = div(sub(x, x), sub(x, x))
    assert decide(nowhere, number(1)).equal is None
    hidden = sub(add(power(fn("sin", x), 2), power(fn("cos", x), 2)), 1)
    assert decide(div(hidden, hidden), number(1)).equal is not True


def test_kinds_that_are_no_scalars_are_refused():
    pair = Node("tuple", (x, y))
    assert decide(pair, pair) == decide(pair, pair)
    assert decide(pair, x).equal is None
    assert decide(add(1, pair), add(1, pair)).equal is None


def test_deep_and_shared_trees_are_refused_without_walking_them():
    deep = x
    for _ in range(100_000):
        deep = Node("neg", (deep,))
    assert decide(deep, x).equal is None
    wide = x
    for _ in range(300):
        wide = add(wide, wide)
    assert decide(wide, x).equal is None


def nest(step, base, times):
    for _ in range(times):
        base = step(base)
    return base


LONG = 7 * 10**19_990
ADVERSARIAL = {
    "roots": nest(lambda t: root(add(t, 1)), x, 150),
    "sines": nest(lambda t: fn("sin", t), number(1), 199),
    "exponentials": nest(lambda t: fn("exp", t), x, 199),
    "factorials": nest(factorial, number(3), 199),
    "tower": nest(lambda t: power(2, t), number(2), 199),
    "squares": nest(lambda t: add(power(t, 2), 1), x, 90),
    "squares of numbers": nest(lambda t: add(power(t, 2), root(2)), number(2), 90),
    "sum of roots": add(*[root(k) for k in range(2, 400)]),
    "sum of cosines": add(*[fn("cos", div(pi, k)) for k in range(11, 300)]),
    "inverses": nest(lambda t: div(1, add(t, *[root(k) for k in (2, 3, 5, 7)])), number(1), 25),
    "long quotients": add(*[div(LONG + k, LONG + k + 1) for k in range(100)]),
    "sines of long quotients": add(*[fn("sin", div(LONG + k, LONG - k)) for k in range(1, 60)]),
    "many symbols": mul(*[add(symbol(f"a{k}"), 1) for k in range(400)]),
    "root index": add(root(3, 10**9), root(2, 10**18)),
    "rational power": power(3, number(10**9 + 7, 10**9 + 9)),
    "gamma": add(*[fn("gamma", add(x, number(k, 7))) for k in range(1, 100)]),
    "binomials": add(*[fn("binomial", 100_000 + k, 5_000) for k in range(100)]),
    "binomials of x": add(*[fn("binomial", x, k) for k in range(1, 200)]),
    "huge exponents": add(power(x, 10**5000), power(y, 10**5001 + 1)),
    "sine of huge": fn("sin", power(10, power(10, 20))),
    "long divisors": fn("gcd", *[LONG + k for k in range(60)]),
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_adversarial_trees_end_in_a_sound_verdict(name):
    tree = ADVERSARIAL[name]
    assert decide(tree, tree).equal is not False
    assert decide(tree, add(tree, 1)).equal is not True
    assert decide(tree, div(add(tree, tree), 2)).equal is not False
    assert decide(number(5), tree).equal is not True


def test_every_budget_is_enough_to_be_sound():
    for a, b, _ in EQUAL.values():
        for work in (0, 1_000, 30_000, 300_000):
            assert decide(a, b, work=work).equal is not False
    for a, b in DIFFERENT.values():
        for work in (0, 1_000, 30_000, 300_000):
            assert decide(a, b, work=work).equal is not True or a == b


RATIONALS = st.fractions(-20, 20, max_denominator=12).map(
    lambda q: number(q.numerator, q.denominator)
)
LEAVES = st.one_of(RATIONALS, st.sampled_from([x, y, pi, e]))
REAL_CALLS = st.sampled_from(["sin", "cos", "exp", "arctan", "abs", "floor", "ln", "sinh"])


def grown(inner):
    return st.one_of(
        st.builds(add, inner, inner),
        st.builds(sub, inner, inner),
        st.builds(mul, inner, inner),
        st.builds(div, inner, inner),
        st.builds(power, inner, st.integers(-3, 4)),
        st.builds(root, inner, st.integers(2, 4)),
        st.builds(fn, REAL_CALLS, inner),
        st.builds(neg, inner),
        st.builds(f, inner),
    )


TREES = st.recursive(LEAVES, grown, max_leaves=8)
CALLS = st.sampled_from(["gcd", "max", "mod", "binomial", "log", "gamma", "arg", "sign", "arccot"])
ANY_TREES = st.recursive(
    st.one_of(LEAVES, st.sampled_from([i, infinity, n])),
    lambda inner: st.one_of(
        grown(inner),
        st.builds(power, inner, inner),
        st.builds(factorial, inner),
        st.builds(lambda name, a: fn(name, *([a] * 2 if name in _TWO else [a])), CALLS, inner),
    ),
    max_leaves=8,
)
_TWO = {"gcd", "mod", "binomial", "log"}


def undefined(decision):
    return ("why", "undefined") in decision.detail


@settings(max_examples=40)
@given(TREES)
def test_a_tree_is_never_different_from_itself_rewritten(tree):
    rewritten = [
        tree,
        add(tree, 0),
        mul(1, tree),
        div(add(tree, tree), 2),
        neg(neg(tree)),
        sub(mul(add(tree, 3), 2), add(tree, 6)),
        mul(tree, root(2), root(2), number(1, 2)),
    ]
    for other in rewritten:
        decision = decide(tree, other)
        assert decision.equal is not False or undefined(decision)
        assert decision.equal == decide(other, tree).equal


@settings(max_examples=40)
@given(TREES, st.sampled_from([number(1), number(1, 10**40), TINY, mul(pi, TINY), power(e, -900)]))
def test_a_perturbation_is_never_equal(tree, small):
    decision = decide(tree, add(tree, small))
    assert decision.equal is not True
    assert decision.equal == decide(add(tree, small), tree).equal


@settings(max_examples=40)
@given(ANY_TREES, ANY_TREES)
def test_any_pair_gets_a_symmetric_and_repeatable_verdict(a, b):
    decision = decide(a, b)
    assert decision == decide(a, b)
    assert decision.equal == decide(b, a).equal
    assert (decision.equal is None) == (decision.certainty == "")
    assert ("why", "error") not in decision.detail


def line(a, b, c):
    return add(mul(a, x), mul(b, y), c)


def test_equations_are_equal_up_to_a_factor():
    assert same_up_to_factor(line(2, -1, 1), line(-4, 2, -2), positive=False).equal is True
    assert same_up_to_factor(line(2, -1, 1), line(-4, 2, -2), positive=True).equal is False
    assert same_up_to_factor(line(2, -1, 1), line(6, -3, 3), positive=True).equal is True
    assert same_up_to_factor(line(2, -1, 1), line(6, -3, 4), positive=False).equal is False
    by_root = mul(root(2), line(2, -1, 1))
    assert same_up_to_factor(line(2, -1, 1), by_root, positive=True).equal is True
    by_pi = mul(pi, line(2, -1, 1))
    assert same_up_to_factor(line(2, -1, 1), by_pi, positive=True).equal is True


def test_a_factor_must_be_constant_and_not_zero():
    assert same_up_to_factor(x, mul(x, y), positive=False).equal is False
    assert same_up_to_factor(x, number(0), positive=False).equal is False
    assert same_up_to_factor(sub(x, x), number(0), positive=False).equal is True
    assert same_up_to_factor(x, power(x, 2), positive=False).equal is False
    domain = sub(fn("ln", sub(x, 30)), 1)
    assert same_up_to_factor(domain, mul(2, domain), positive=True).equal is True
