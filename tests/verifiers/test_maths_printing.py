"""Printing a tree and reading it back, as plain text and as LaTeX: the meaning must survive."""

import pytest

from tracefactory.verifiers.maths.answers import compare_answers
from tracefactory.verifiers.maths.nodes import Node, call, constant, number, symbol
from tracefactory.verifiers.maths.parse import parse
from tracefactory.verifiers.maths.printing import MAX_CHARS, integer_text, latex, plain, short

x, y = symbol("x"), symbol("y")
two, three, half, minus = number(2), number(3), number(1, 2), number(-3)


def add(*args):
    return Node("add", args)


def mul(*args):
    return Node("mul", args)


def neg(arg):
    return Node("neg", (arg,))


def div(one, other):
    return Node("div", (one, other))


def power(base, exponent):
    return Node("pow", (base, exponent))


def root(inner, index=2):
    return Node("root", (inner, number(index)))


def factorial(inner):
    return Node("factorial", (inner,))


def quantity(amount, unit):
    return Node("quantity", (number(amount),), unit)


def span(low, high, ends):
    return Node("interval", (number(low), number(high)), ends)


TREES = [
    # A sign or a fraction under a power, after a power, in a product or sum.
    power(minus, two), neg(power(three, two)), power(neg(x), two), neg(power(x, two)),
    power(half, two), power(number(-1, 2), three), power(two, neg(x)), power(two, number(-1, 2)),
    power(power(x, two), three), power(x, power(two, three)), power(root(x), three),
    power(call("sin", x), two), power(add(x, y), two), power(mul(x, y), two), power(div(x, y), two),
    mul(x, neg(y)), mul(neg(x), y), mul(x, minus), mul(minus, x), mul(half, x), mul(x, half),
    mul(x, add(y, two)), mul(add(x, two), add(y, three)), mul(x, div(y, two)), mul(div(x, two), y),
    mul(two, power(three, x)), mul(two, three, half), mul(x, mul(y, two)),
    add(x, neg(y)), add(x, neg(add(y, two))), add(x, minus), add(neg(x), y), add(x, neg(neg(y))),
    add(x, mul(minus, y)), add(x, add(y, two)), neg(add(x, y)), neg(neg(x)), neg(mul(x, y)),
    div(x, div(y, two)), div(div(x, y), two), div(x, mul(y, two)), div(add(x, two), add(y, two)),
    div(half, three), div(three, half), div(neg(x), y), div(x, neg(y)), div(x, minus),
    # Roots, functions, factorials.
    root(two), root(x, 3), root(add(x, two)), root(root(x)), mul(two, root(three)),
    div(two, root(three)),
    call("sin", mul(two, x)), mul(two, call("sin", x)), mul(call("sin", x), call("cos", x)),
    call("ln", x), call("log", x), call("log", x, two), call("abs", neg(x)), call("floor", half),
    call("ceil", div(x, two)), call("abs", add(call("abs", x), neg(two))),
    call("binomial", number(5), two), call("gcd", number(12), number(18)), call("max", x, y),
    call("arctan", x), call("mod", number(17), number(5)),
    call("conjugate", add(x, mul(y, constant("i")))),
    factorial(number(5)), factorial(add(x, two)), power(factorial(three), two),
    factorial(mul(two, x)), mul(factorial(three), x), call("double_factorial", number(7)),
    Node("apply", (x,), "f"),
    constant("pi"), constant("infinity"), neg(constant("infinity")), mul(two, constant("pi")),
    power(constant("e"), x), mul(constant("i"), two),
    symbol("x_1"), symbol("alpha"), symbol("theta_12"), mul(symbol("alpha"), symbol("beta")),
    # More than one value.
    Node("plusminus", (three,), "+"), Node("plusminus", (x, root(two)), "+"),
    Node("plusminus", (x, three), "-"), div(Node("plusminus", (two, root(three)), "+"), two),
    Node("list", (three, two), ","), Node("list", (x, y), "or"), Node("tuple", (two, half), "()"),
    Node("set", (two, three)), Node("set", ()),
    span(2, 3, "()"), span(2, 3, "[)"), Node("interval", (minus, half), "(]"), span(2, 3, "[]"),
    Node("union", (span(2, 3, "[]"), span(4, 5, "()"))),
    Node("difference", (Node("named_set", (), "reals"), Node("set", (two,)))),
    Node("matrix", (two, x, minus, half), (2, 2)), Node("matrix", (two, three, x), (3, 1)),
    Node("matrix", (two, three, x), (1, 3)),
    Node("ratio", (two, three)), Node("ratio", (two, three, number(5))),
    Node("relation", (x, two), ("=",)), Node("relation", (y, add(mul(two, x), three)), ("=",)),
    Node("relation", (x, two), ("<=",)), Node("relation", (two, x, three), ("<", "<=")),
    Node("relation", (x, two), ("!=",)),
    # A value with something around it.
    Node("decimal", (), "3.14"), neg(Node("decimal", (), "0.5")), Node("decimal", (), "1.5e3"),
    Node("percent", (number(25),)), Node("percent", (half,)), Node("degrees", (number(30),)),
    call("sin", Node("degrees", (number(30),))), Node("based", (number(10),), "1010_2"),
    neg(Node("based", (number(10),), "1010_2")),
    quantity(5, "cm"), Node("quantity", (Node("decimal", (), "2.5"),), "km/h"), quantity(5, "$"),
    Node("quantity", (neg(number(5)),), "$"), quantity(5, "€"), Node("quantity", (half,), "m^2"),
    quantity(5, "apples"),
    Node("compound", (quantity(1, "hour"), quantity(40, "minutes"))),
    Node("approx", (Node("decimal", (), "3.14"),)),
]  # fmt: skip


@pytest.mark.parametrize("write", [plain, latex])
@pytest.mark.parametrize("tree", TREES, ids=plain)
def test_what_is_printed_reads_as_the_same(tree, write):
    again = parse(write(tree))
    found = compare_answers(tree, again)
    assert found.equal, (write(tree), again, found)
    assert compare_answers(again, tree).equal


@pytest.mark.parametrize("write", [plain, latex])
@pytest.mark.parametrize("tree", TREES, ids=plain)
def test_printing_settles_after_one_reading(tree, write):
    once = write(parse(write(tree)))
    assert write(parse(once)) == once


def test_different_trees_print_differently():
    shown = [plain(tree) for tree in TREES]
    assert len(set(shown)) == len(TREES), [one for one in shown if shown.count(one) > 1]


@pytest.mark.parametrize("digits", [1, 4299, 4300, 4301, 9999])
def test_integers_of_any_length_print(digits):
    assert integer_text(-(10 ** (digits - 1))) == "-1" + "0" * (digits - 1)
    assert plain(number(10 ** (digits - 1), 3)).endswith("/3")


def test_long_forms_are_cut_in_the_middle():
    long = Node("list", tuple(number(k) for k in range(1000)), ",")
    shown = short(long)
    assert len(shown) < MAX_CHARS
    assert shown.startswith("0, 1, 2")
    assert "998, 999" in shown
    assert str(len(plain(long))) in shown
    assert short(two) == "2"


def test_a_set_of_one_item_reads_back_from_its_latex():
    tree = Node("set", (Node("tuple", (two, three), "()"),))
    assert compare_answers(tree, parse(latex(tree))).equal


def test_what_can_be_read_can_be_printed():
    assert short(parse("x" * 2 + "".join(f"(x-{k})" for k in range(300))))
    assert short(parse("{" * 45 + "x" + "}" * 45))
