"""Properties of the symbolic checker over random answers of every kind.

A reference accepts itself however it is printed, what only rewrites it is accepted, one change is
not, and whatever text comes in, a verdict comes out.
"""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import product
from pathlib import Path

import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from symbolic_corpus_rows import ROWS

from tracefactory.verifiers.maths.lex import Unreadable
from tracefactory.verifiers.maths.nodes import Node, call, constant, number, symbol
from tracefactory.verifiers.maths.parse import parse
from tracefactory.verifiers.maths.printing import latex, plain
from tracefactory.verifiers.symbolic import judge

FEW, SOME, MANY = settings(max_examples=15), settings(max_examples=40), settings(max_examples=100)
STATUSES = {"correct", "incorrect", "no_answer", "undecided", "bad_reference"}


def boxed(text):
    return f"Thus \\boxed{{{text}}}."


def status(reference, answer):
    return judge(reference, boxed(answer)).status


def accepts(reference, answer):
    verdict = judge(reference, boxed(answer))
    assert verdict.status == "correct", (reference, answer, verdict.reason, verdict.evidence)


def rejects(reference, answer):
    verdict = judge(reference, boxed(answer))
    assert verdict.status in ("incorrect", "no_answer"), (reference, answer, verdict)


# Random answers.

SMALL = st.integers(1, 30)
INTEGERS = st.integers(-50, 50) | st.integers(-(10**30), 10**30)
FRACTIONS = st.fractions(-100, 100, max_denominator=99)


def rational(value):
    value = Fraction(value)
    return number(value.numerator, value.denominator)


RATIONALS = st.builds(rational, INTEGERS | FRACTIONS)
SURDS = st.builds(
    lambda a, b, c: Node("mul", (rational(a), Node("root", (number(b), number(c))))),
    FRACTIONS.filter(bool),
    st.sampled_from([2, 3, 5, 7, 10, 12]),
    st.sampled_from([2, 2, 3]),
)
CONSTANTS = st.sampled_from([constant("pi"), constant("e"), Node("neg", (constant("pi"),))])
VALUES = RATIONALS | SURDS | CONSTANTS
NAMES = st.sampled_from(["x", "y", "z", "a", "b", "n", "k", "t", "x_1", "alpha", "theta"])
ATOMS = st.builds(number, SMALL) | st.builds(symbol, NAMES) | st.just(constant("pi"))


def _combined(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.builds(lambda p: Node("add", p), pair),
        st.builds(lambda p: Node("mul", p), pair),
        st.builds(lambda a, b: Node("div", (a, Node("add", (b, number(1))))), inner, inner),
        st.builds(lambda a: Node("neg", (a,)), inner),
        st.builds(lambda a, n: Node("pow", (a, number(n))), inner, st.integers(2, 4)),
        st.builds(lambda a: Node("root", (a, number(2))), inner),
        st.builds(call, st.sampled_from(["sin", "cos", "arctan", "abs"]), inner),
    )


EXPRESSIONS = st.recursive(ATOMS, _combined, max_leaves=6)


@st.composite
def intervals(draw):
    low = draw(st.integers(-50, 50))
    high = low + draw(st.integers(1, 50))
    return Node(
        "interval", (number(low), number(high)), draw(st.sampled_from(["()", "[)", "(]", "[]"]))
    )


@st.composite
def unions(draw):
    ends = sorted(draw(st.lists(st.integers(-60, 60), min_size=4, max_size=6, unique=True)))
    parts = [
        Node("interval", (number(a), number(b)), draw(st.sampled_from(["()", "[)", "(]", "[]"])))
        for a, b in zip(ends[::2], ends[1::2], strict=False)
    ]
    whole = parts[0]
    for part in parts[1:]:
        whole = Node("union", (whole, part))
    return whole


@st.composite
def matrices(draw):
    rows, columns = draw(st.integers(1, 3)), draw(st.integers(2, 3))
    cells = draw(st.lists(VALUES, min_size=rows * columns, max_size=rows * columns))
    return Node("matrix", tuple(cells), (rows, columns))


def several(kind, value=None, least=2):
    return st.builds(
        lambda items: Node(kind, tuple(items), value),
        st.lists(VALUES, min_size=least, max_size=4, unique_by=repr),
    )


UNITS = ["cm", "m", "km", "s", "hours", "kg", "km/h", "apples", "L", "feet"]
KINDS = {
    "number": RATIONALS,
    "surd": SURDS,
    "expression": EXPRESSIONS,
    "list": several("list", ","),
    "tuple": several("tuple", "()"),
    "set": several("set"),
    "interval": intervals(),
    "union": unions(),
    "matrix": matrices(),
    "equation": st.builds(
        lambda right: Node("relation", (symbol("w"), right), ("=",)), EXPRESSIONS
    ),
    "inequality": st.builds(
        lambda sign, right: Node("relation", (symbol("x"), right), (sign,)),
        st.sampled_from(["<", "<=", ">", ">=", "!="]),
        VALUES,
    ),
    "double inequality": st.builds(
        lambda low, step, signs: Node(
            "relation", (number(low), symbol("x"), number(low + step)), signs
        ),
        st.integers(-50, 50),
        SMALL,
        st.tuples(st.sampled_from(["<", "<="]), st.sampled_from(["<", "<="])),
    ),
    "quantity": st.builds(
        lambda value, unit: Node("quantity", (value,), unit), RATIONALS, st.sampled_from(UNITS)
    ),
    "money": st.builds(lambda value: Node("quantity", (number(value),), "$"), SMALL),
    "percent": st.builds(lambda value: Node("percent", (number(value),)), SMALL),
    "degrees": st.builds(lambda value: Node("degrees", (number(value),)), SMALL),
    "ratio": st.builds(
        lambda parts: Node("ratio", tuple(map(number, parts))),
        st.lists(SMALL, min_size=2, max_size=4),
    ),
    "plusminus": st.builds(
        lambda a, b: Node("plusminus", (a, b) if b is not None else (a,), "+"),
        SURDS,
        st.none() | SURDS,
    ),
    "decimal": st.builds(
        lambda whole, places: Node("decimal", (), f"{whole}.{places}"),
        st.integers(0, 999),
        st.text("0123456789", min_size=1, max_size=6),
    ),
    "based": st.builds(
        lambda value, base: Node("based", (number(value),), f"{_digits(value, base)}_{base}"),
        st.integers(10, 500),
        st.integers(2, 9),
    ),
}  # fmt: skip


def _digits(value, base):
    found = ""
    while value:
        value, digit = divmod(value, base)
        found = str(digit) + found
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_reference_accepts_itself_in_every_printed_form(kind):
    # Nowhere real: no tier can tell. What has no value at all, 1/0, equals nothing, not itself.
    possible = {"correct", "undecided"} if kind in ("expression", "equation") else {"correct"}

    @FEW
    @given(KINDS[kind])
    def holds(tree):
        for reference, answer in product((latex(tree), plain(tree)), repeat=2):
            verdict = judge(reference, boxed(answer))
            if '"why":"undefined"' in verdict.evidence and len(possible) > 1:
                continue
            assert verdict.status in possible, (reference, answer, verdict)

    holds()


# Rewritings.

DRESSES = [
    lambda text: f"${text}$",
    lambda text: f"$${text}$$",
    lambda text: f"\\({text}\\)",
    lambda text: f" {text} ",
    lambda text: f"\\, {text} \\,",
    lambda text: f"{text}.",
    lambda text: f"\\displaystyle {text}",
    lambda text: f"\\boldsymbol{{{text}}}",
    lambda text: f"\\mathbf{{{text}}}",
    lambda text: f"{{{text}}}",
    lambda text: f"**{text}**",
    lambda text: f"\\color{{blue}}{{{text}}}",
    lambda text: f"\\quad {text}",
    lambda text: text.replace("\\frac", "\\dfrac"),
    lambda text: text.replace("\\frac", "\\tfrac "),
    lambda text: text.replace("(", "\\left(").replace(")", "\\right)"),
    lambda text: text.replace("(", "\\bigl( ").replace(")", " \\bigr)"),
    lambda text: text.replace("-", "\u2212"),
    lambda text: text.replace(" + ", "\\,+\\,"),
    lambda text: text.replace(" ", "  "),
    lambda text: "\u200b" + text + "\u200b",
    lambda text: text.replace("\\pi ", "π"),
    lambda text: text.replace("\\cdot ", "×"),
    lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in text),
    lambda text: text.replace(" ", "\n"),
    lambda text: text.replace(" ", "\u00a0"),
]
DRESSABLE = ("number", "surd", "expression", "tuple", "interval")


@MANY
@given(st.data())
def test_dress_does_not_matter(data):
    kind = data.draw(st.sampled_from(DRESSABLE))
    text = latex(data.draw(KINDS[kind]))
    assume(status(text, text) == "correct")
    dress = data.draw(st.sampled_from(DRESSES))
    accepts(text, dress(text))
    accepts(dress(text), text)


@SOME
@given(FRACTIONS)
def test_a_fraction_in_any_notation(value):
    top, bottom = value.numerator, value.denominator
    sign = "-" if top < 0 else ""
    for text in (
        f"{top}/{bottom}",
        f"\\frac{{{top}}}{{{bottom}}}",
        f"{sign}\\frac{{{3 * abs(top)}}}{{{3 * bottom}}}",
        f"{sign}\\dfrac{{{abs(top)}}}{{{bottom}}}",
        f"\\frac{{{-top}}}{{{-bottom}}}",
        f"{top}\\cdot {bottom}^{{-1}}",
        f"x = {top}/{bottom}",
        f"({top})/({bottom})",
        f"{top} \\div {bottom}",
    ):
        accepts(f"{top}/{bottom}", text)


@SOME
@given(st.integers(1, 50), st.fractions(0, 1, max_denominator=60).filter(lambda v: 0 < v < 1))
def test_mixed_numbers_are_the_improper_ones(whole, part):
    improper = whole + part
    reference = f"\\frac{{{improper.numerator}}}{{{improper.denominator}}}"
    accepts(reference, f"{whole}\\frac{{{part.numerator}}}{{{part.denominator}}}")
    accepts(reference, f"{whole} {part.numerator}/{part.denominator}")
    rejects(reference, f"{whole}\\cdot\\frac{{{part.numerator}}}{{{part.denominator}}}")


@SOME
@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_a_finite_decimal_is_its_fraction(digits, places):
    value = Fraction(digits, 10**places)
    text = f"{'-' if digits < 0 else ''}{abs(digits) // 10**places}"
    if places:
        text += "." + str(abs(digits) % 10**places).rjust(places, "0")
    accepts(f"{value.numerator}/{value.denominator}", text)
    accepts(text, f"\\frac{{{value.numerator}}}{{{value.denominator}}}")


@SOME
@given(st.text("0123456789", max_size=4), st.text("0123456789", min_size=1, max_size=6))
def test_a_recurring_decimal_is_its_fraction(fixed, period):
    scale, nines = 10 ** len(fixed), 10 ** len(period) - 1
    value = Fraction(int(fixed or "0") * nines + int(period), scale * nines)
    reference = f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    accepts(reference, f"0.{fixed}\\overline{{{period}}}")
    accepts(reference, f"0.{fixed}({period})")


@SOME
@given(st.integers(1000, 10**15))
def test_grouped_digits(value):
    for sign in (",", "{,}", ",\\!", "\\,"):
        accepts(str(value), f"{value:,}".replace(",", sign))
    accepts(f"{value:,}", str(value))


@SOME
@given(st.data())
def test_sums_and_products_commute(data):
    kind = data.draw(st.sampled_from(["add", "mul"]))
    parts = data.draw(st.lists(EXPRESSIONS, min_size=2, max_size=3))
    turned = data.draw(st.permutations(parts))
    one, other = latex(Node(kind, tuple(parts))), latex(Node(kind, tuple(turned)))
    assume(status(one, one) == "correct")
    accepts(one, other)


POLYNOMIALS = st.lists(st.integers(-9, 9), min_size=2, max_size=5).filter(lambda c: any(c[1:]))


def written(coefficients, name="x"):
    return " + ".join(f"({c}){name}^{{{k}}}" for k, c in enumerate(coefficients))


@SOME
@given(POLYNOMIALS, POLYNOMIALS)
def test_a_product_may_be_expanded(one, other):
    expanded = [0] * (len(one) + len(other) - 1)
    for j, a in enumerate(one):
        for k, b in enumerate(other):
            expanded[j + k] += a * b
    accepts(written(expanded), f"({written(one)})({written(other)})")
    changed = [expanded[0] + 1, *expanded[1:]]
    rejects(written(changed), f"({written(one)})({written(other)})")


@SOME
@given(POLYNOMIALS, st.integers(-9, 9).filter(bool))
def test_an_equation_may_be_scaled_and_turned(coefficients, factor):
    scaled = [factor * c for c in coefficients]
    equation = f"{written(coefficients)} = 0"
    accepts(equation, f"{written(scaled)} = 0")
    accepts(equation, f"0 = {written(scaled)}")
    rejects(equation, f"{written([coefficients[0] + 1, *coefficients[1:]])} = 0")


@SOME
@given(st.sampled_from(["<", ">", "\\le ", "\\ge "]), st.integers(-99, 99))
def test_an_inequality_may_be_turned(sign, bound):
    turned = {"<": ">", ">": "<", "\\le ": "\\ge ", "\\ge ": "\\le "}[sign]
    reference = f"x {sign}{bound}"
    accepts(reference, f"{bound} {turned}x")
    accepts(reference, f"-x {turned}{-bound}")
    accepts(reference, f"3x {sign}{3 * bound}")
    accepts(reference, f"x - {bound} {sign}0" if bound >= 0 else f"x + {-bound} {sign}0")
    interval = {
        "<": f"(-\\infty,{bound})", ">": f"({bound},\\infty)",
        "\\le ": f"(-\\infty,{bound}]", "\\ge ": f"[{bound},\\infty)",
    }  # fmt: skip
    for other, text in interval.items():
        (accepts if other == sign else rejects)(reference, text)
    rejects(reference, f"x {turned}{bound}")
    rejects(reference, f"x {sign}{bound + 1}")
    rejects(reference, f"y {sign}{bound}")
    rejects(reference, f"x = {bound}")
    rejects(reference, str(bound))


@SOME
@given(st.data())
def test_lists_and_sets_have_no_order_and_tuples_have(data):
    items = data.draw(st.lists(st.integers(-99, 99), min_size=2, max_size=5, unique=True))
    turned = data.draw(st.permutations(items))
    one, other = ", ".join(map(str, items)), ", ".join(map(str, turned))
    accepts(one, other)
    accepts(f"\\{{{one}\\}}", other)
    accepts(one, f"\\{{{other}\\}}")
    accepts(one, " and ".join(map(str, turned)))
    (accepts if turned == items else rejects)(f"({one})", f"({other})")
    rejects(one, ", ".join(map(str, items[1:])))
    rejects(one, one + ", 100")
    rejects(f"({one})", f"({one}, 0)")
    rejects(one, f"{one}, {items[0]}")


@pytest.mark.parametrize(
    ("unit", "other", "factor"),
    [
        ("m", "cm", 100), ("km", "m", 1000), ("hours", "minutes", 60), ("kg", "g", 1000),
        ("feet", "inches", 12), ("m^2", "cm^2", 10_000), ("L", "mL", 1000), ("days", "hours", 24),
        ("minutes", "seconds", 60), ("dollars", "cents", 100),
    ],
)  # fmt: skip
@FEW
@given(value=FRACTIONS.filter(lambda v: v > 0))
def test_units_convert(unit, other, factor, value):
    def quantity(amount, name):
        return f"\\frac{{{amount.numerator}}}{{{amount.denominator}}}\\text{{ {name}}}"

    accepts(quantity(value, unit), quantity(value * factor, other))
    accepts(quantity(value * factor, other), quantity(value, unit))
    accepts(quantity(value, unit), quantity(value, unit))
    rejects(quantity(value, unit), quantity(value, other))
    rejects(quantity(value, unit), quantity(value, "volts"))


@SOME
@given(st.lists(SMALL, min_size=2, max_size=4), st.integers(1, 9))
def test_a_ratio_may_be_scaled_not_turned(parts, factor):
    reference = ":".join(map(str, parts))
    accepts(reference, " : ".join(str(factor * part) for part in parts))
    turned = parts[::-1]
    same = all(a * turned[0] == b * parts[0] for a, b in zip(turned, parts, strict=True))
    (accepts if same else rejects)(reference, ":".join(map(str, turned)))
    rejects(reference, ":".join(map(str, [parts[0] + 1, *parts[1:]])))
    rejects(reference, ":".join(["0"] * len(parts)))


# One change.


@SOME
@given(INTEGERS, st.data())
def test_another_digit_is_another_number(value, data):
    digits = str(abs(value))
    place = data.draw(st.integers(0, len(digits) - 1))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[place]]))
    changed = digits[:place] + digit + digits[place + 1 :]
    sign = "-" if value < 0 else ""
    rejects(f"{sign}{digits}", f"{sign}{changed}")
    for dressed in (f"${sign}{changed}$", f"x = {sign}{changed}", f"{sign}{changed}.0"):
        rejects(f"{sign}{digits}", dressed)
    if value:
        rejects(str(value), str(-value))
        rejects(str(value), f"{value}0")


@SOME
@given(VALUES, st.integers(35, 60))
def test_the_fortieth_digit_counts(value, place):
    text = latex(value)
    rejects(text, f"{text} + 10^{{-{place}}}")
    rejects(f"{text} + 10^{{-{place}}}", text)


@pytest.mark.parametrize(
    "text", ["1", "\\sqrt{2}", "\\sqrt{2}+\\sqrt{3}", "\\frac{1}{3}", "\\sqrt[3]{5}"]
)
def test_ten_to_the_minus_three_thousand_counts(text):
    rejects(text, f"{text} + 10^{{-3000}}")
    rejects(f"{text} - 10^{{-3000}}", text)


@SOME
@given(EXPRESSIONS)
def test_another_name_is_another_expression(tree):
    text = latex(Node("add", (tree, symbol("q"))))
    assume(status(text, text) == "correct")
    rejects(text, latex(Node("add", (tree, symbol("p")))))
    rejects(text, latex(Node("add", (tree, Node("mul", (number(2), symbol("q")))))))
    rejects(text, latex(Node("add", (tree, Node("neg", (symbol("q"),))))))
    rejects(text, latex(tree))


@SOME
@given(intervals(), st.integers(0, 1))
def test_another_bound_is_another_interval(tree, end):
    ends = str(tree.value)
    flipped = {"(": "[", "[": "(", ")": "]", "]": ")"}[ends[end]]
    other = (flipped + ends[1]) if end == 0 else (ends[0] + flipped)
    rejects(latex(tree), latex(tree._replace(value=other)))
    low, high = (part.value[0] for part in tree.args)
    moved = (number(low - 1), number(high)) if end == 0 else (number(low), number(high + 1))
    rejects(latex(tree), latex(tree._replace(args=moved)))


@FEW
@given(st.lists(st.integers(-20, 20), min_size=4, max_size=4))
def test_a_transposed_matrix_is_another(cells):
    def of(a, b, c, d):
        return f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & {d} \\end{{pmatrix}}"

    a, b, c, d = cells
    (accepts if b == c else rejects)(of(a, b, c, d), of(a, c, b, d))
    rejects(of(a, b, c, d), of(a, b, c, d + 1))
    rejects(of(a, b, c, d), f"\\begin{{pmatrix}} {a} & {b} & {c} & {d} \\end{{pmatrix}}")
    rejects(of(a, b, c, d), f"({a}, {b}, {c}, {d})")


@SOME
@given(RATIONALS.filter(lambda value: value != number(0)))
def test_words_around_a_value_do_not_hide(value):
    text = latex(value)
    for other in (
        f"\\text{{not }} {text}", f"\\neq {text}", f"x \\ne {text}", f"x > {text}",
        f"{text} \\text{{ or }} {text} + 1", f"{text}, {text} + 1", f"{text} \\pm 1",
        f"\\text{{at least }} {text}", f"{text} \\text{{ or more}}", f"{text}_{{7}}x",
        f"{text}\\cancel{{6}}", f"\\{{{text}, {text}+1\\}}", f"[{text}, {text}+1]",
        f"{text} \\text{{ plus one}}",
        f"\\text{{between }} {text} \\text{{ and }} {text} + 1", f"\\text{{half of }} {text}",
        f"{text} \\times", f"{text} \\to 7", f"\\phantom{{{text}}}", f"\\not{{{text}}}",
    ):  # fmt: skip
        rejects(text, other)


# Any text.

TOKENS = [
    "\\frac", "\\sqrt", "\\dfrac", "\\left", "\\right", "(", ")", "[", "]", "{", "}", "\\{", "\\}",
    "|", "^", "_", "+", "-", "*", "/", "=", "<", ">", ",", ";", ":", "!", "'", ".", "&", "\\\\",
    "\\%", "%", "$", "\\$", "0", "1", "2", "7", "10", "3.14", "0.5", "1e5", "x", "y", "a", "f", "e",
    "i", "\\pi", "\\infty", "\\pm", "\\mp", "\\cup", "\\cap", "\\in", "\\setminus", "\\le", "\\ne",
    "\\approx", "\\sin", "\\cos", "\\log", "\\ln", "\\binom", "\\lfloor", "\\rfloor", "\\lceil",
    "\\rceil", "\\text{", "\\mathrm{", "\\mathbb{R}", "\\begin{pmatrix}", "\\end{pmatrix}",
    "\\circ", "^\\circ", "\\cdot", "\\times", "\\div", "\\overline{", "\\dot", "\\bmod", "\\langle",
    "\\rangle", "\\boxed{", "\\color{", "\\emptyset", "and", "or", "to", "cm", "km/h", "dollars",
    "hours", "percent", "\\ldots", "...", "≤", "√", "½", "²", "π", "°", "−", "×", "\u200b",
    "\u202e", "\ud800", "\x00", "€",
]  # fmt: skip
SOUP = st.builds(
    lambda parts, joint: joint.join(parts),
    st.lists(st.sampled_from(TOKENS), max_size=12),
    st.sampled_from(["", " "]),
)
RAW = st.text(st.characters(codec=None), max_size=40)


@st.composite
def mutated(draw):
    """A text of the corpus with a few characters changed."""
    row = draw(st.sampled_from(ROWS))
    text = draw(st.sampled_from([row["reference"], row["response"]]))[:400]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        text = text[:at] + draw(st.sampled_from(TOKENS)) + text[at + cut :]
    return text


TEXTS = SOUP | RAW | mutated()


@MANY
@given(TEXTS, TEXTS, st.booleans())
@example("\ud800", "\ud800", True)
@example("\\text{\ud800}", "\\text{\ud800}", True)
@example("(x-1)" * 250, "(1-x)" * 250, True)
@example("1010_2", "7" * 5000, True)
def test_every_text_gets_a_verdict(reference, response, within_a_box):
    verdict = judge(reference, boxed(response) if within_a_box else response)
    assert verdict.status in STATUSES
    assert verdict.reason


@MANY
@given(TEXTS, st.booleans())
def test_the_parser_reads_or_refuses(text, grouping):
    try:
        tree = parse(text, grouping)
    except Unreadable:  # and nothing else; its reasons are those of test_maths_parse
        return
    assert isinstance(tree, Node)
    plain(tree)
    latex(tree)


@MANY
@given(TEXTS)
def test_a_text_is_never_wrong_about_itself(text):
    assume("boxed" not in text and "\\fbox" not in text)
    verdict = judge(text, f"\\boxed{{{text}}}")
    if verdict.final_answer == text.strip():
        assert verdict.status in ("correct", "undecided", "bad_reference", "no_answer") or _false(
            text
        ), verdict


def _false(text):
    """What is never right: an equation that does not hold, a value that is none."""
    verdict = judge(text, f"\\boxed{{{text}}}")
    evidence = orjson.loads(verdict.evidence)
    return verdict.reason in ("false_equation", "undefined") or (
        verdict.reason == "different" and evidence.get("detail", {}).get("why") == "undefined"
    )


@MANY
@given(TEXTS, TEXTS)
def test_evidence_says_where_and_why(reference, response):
    response = boxed(response)
    verdict = judge(reference, response)
    evidence = orjson.loads(verdict.evidence)
    if verdict.status in ("bad_reference", "no_answer") and not evidence:
        return
    assert evidence.keys() >= {"answer", "certainty", "reference", "rule", "span", "tier", "type"}
    assert evidence["certainty"] in ("proved", "probable", "")
    start, end = evidence["span"]
    shown = response[start:end].encode("utf-8", "replace").decode()  # of lone surrogates
    assert shown == verdict.final_answer
    if verdict.status in ("correct", "incorrect"):
        assert evidence["certainty"]
    if evidence["certainty"] == "probable":
        assert b"proved" not in verdict.evidence.encode()


EXACT = (
    st.builds(latex, VALUES)
    | st.builds(str, INTEGERS)
    | st.sampled_from(
        ["1/2", "2^{-1}", "\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}", "\\sqrt[4]{4}"]
    )
    | st.sampled_from(
        ["\\sqrt{2}", "e^{0}", "\\cos 0", "3\\frac12", "7/2", "x", "2x", "x+x", "x^2", "x\\cdot x"]
    )
)


@MANY
@given(EXACT, EXACT)
def test_exact_values_agree_in_both_directions(one, other):
    assert (status(one, other) == "correct") == (status(other, one) == "correct")


# The same again.


def _sample(n):
    rng = random.Random("same again")
    return [(row["reference"], row["response"]) for row in rng.sample(ROWS, n)]


def test_the_same_verdict_every_time_and_in_eight_threads():
    pairs = _sample(200)
    first = [judge(*pair) for pair in pairs]
    assert [judge(*pair) for pair in pairs] == first
    with ThreadPoolExecutor(8) as pool:
        again = [pool.submit(lambda pair=pair: judge(*pair)) for pair in pairs[::-1]]
        assert [one.result() for one in again][::-1] == first


PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_symbolic_properties import _sample
from tracefactory.verifiers.symbolic import judge
print(hashlib.sha256(repr([judge(*pair) for pair in _sample(120)]).encode()).hexdigest())
"""


def test_the_same_verdict_in_another_process():
    found = set()
    for seed in ("0", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1
