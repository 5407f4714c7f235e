"""The reader of LaTeX and plain mathematics: what it reads and as what, what it refuses and why."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracefactory.verifiers.maths.lex import MAX_CHARS, MAX_DIGITS, Unreadable, clean, tokens
from tracefactory.verifiers.maths.nodes import Node, number, symbol
from tracefactory.verifiers.maths.parse import parse
from tracefactory.verifiers.maths.printing import plain

CASES = Path(__file__).parents[1] / "cases" / "symbolic_parse.jsonl"
ROWS = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
READ = [row for row in ROWS if "plain" in row]
REFUSED = [row for row in ROWS if "refused" in row]
WHY = {
    "ambiguous", "arguments", "base", "brackets", "braces", "character", "empty", "juxtaposed",
    "matrix", "set", "structure", "subscript", "syntax", "too_deep", "too_long", "unknown", "words",
}  # fmt: skip


def refusal(text, grouping=True):
    """Why the text is not read; None if it is."""
    try:
        parse(text, grouping)
    except Unreadable as error:
        (reason,) = error.args
        return reason


def test_rows_are_distinct_and_of_one_kind():
    assert len({row["text"] for row in ROWS}) == len(ROWS) == len(READ) + len(REFUSED)
    assert len(READ) > 200
    assert len(REFUSED) > 100


@pytest.mark.parametrize("row", READ, ids=lambda row: row["text"])
def test_it_reads(row):
    assert plain(parse(row["text"])) == row["plain"]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["text"][:60])
def test_it_refuses(row):
    assert refusal(row["text"]) == row["refused"]


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("6/4", number(3, 2)),
        ("-6/4", number(-3, 2)),
        ("\\frac{6}{-4}", number(-3, 2)),
        ("1\\frac{2}{4}", number(3, 2)),
        ("0.\\overline{142857}", number(1, 7)),
        ("0.\\dot{1}4285\\dot{7}", number(1, 7)),
        ("x", symbol("x")),
        ("3.140", Node("decimal", (), "3.140")),
        ("]1, 2]", Node("interval", (number(1), number(2)), "(]")),
        ("x < 1", Node("relation", (symbol("x"), number(1)), ("<",))),
        ("\\{ \\}", Node("set")),
        ("1 or 2", Node("list", (number(1), number(2)), "or")),
    ],
)
def test_trees(text, node):
    assert parse(text) == node


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("xy", "x y"), ("2x", "2 \\cdot x"), ("\\frac12", "1/2"), ("x^{2}", "x²"),
        ("\\sqrt2", "√2"), ("\\left( x \\right)", "(x)"), ("x\\,y", "xy"), ("$x$", "x"),
        ("\\mathrm{d}", "d"), ("ab", "a\\,b"), ("\\dfrac{a}{b}", "\\tfrac a b"),
        ("x \\leq 1", "x ≤ 1"), ("5\u00a0km", "5 km"), ("（1，2）", "(1,2)"), ("x\u200b+1", "x+1"),
        ("\\displaystyle x", "x"), ("{x}", "x"), ("((x))", "x"), ("sin(x)", "\\sin(x)"),
        ("e^{x}", "\\exp(x)"), ("\\text{lcm}(2,3)", "lcm(2,3)"), ("x\\in(1,2)", "x ∈ (1, 2)"),
    ],
)  # fmt: skip
def test_two_writings_of_one_tree(one, other):
    assert parse(one) == parse(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/2x", "1/(2x)"), ("-2^2", "(-2)^2"), ("x^2y", "x^{2y}"), ("2^3^2", "(2^3)^2"),
        ("f(x)", "f x"), ("\\sin x^2", "(\\sin x)^2"), ("(1,2)", "\\{1,2\\}"), ("[1,2]", "(1,2)"),
        ("x_1", "x_2"), ("x", "X"), ("1,234", "1, 234"), ("1\\frac12", "1\\cdot\\frac12"),
        ("x'", "x"), ("a-b", "b-a"), ("5m", "5 m"), ("\\sqrt{2}x", "\\sqrt{2x}"), ("x<1", "x>1"),
        ("1:2", "2:1"), ("5!", "5!!"), ("\\log x", "\\ln x"), ("\\overline{AB}", "AB"),
        ("101_2", "101"), ("5\\%", "5"), ("5^\\circ", "5"),
    ],
)  # fmt: skip
def test_two_trees(one, other):
    assert parse(one) != parse(other)


def test_caps():
    assert parse("7" * 4301) == parse("7" * 4300 + "7") != parse("7" * 4300 + "8")
    assert refusal("7" * (MAX_DIGITS + 1)) == "too_long"
    assert refusal("x" + " " * MAX_CHARS) == "too_long"
    assert refusal("+".join("x" * 3000)) == "too_long"
    assert refusal("\\sqrt{" * 300 + "1" + "}" * 300) == "too_deep"
    assert parse("(" * 300 + "1" + ")" * 300) == number(1)  # brackets that hold only brackets


def test_the_cut_of_a_text_into_tokens():
    found = tokens(clean("−1{,}234.5×\\dfrac12"))
    assert [token[:2] for token in found[:5]] == [
        ("o", "-"), ("n", "1234.5"), ("o", "*"), ("c", "frac"), ("n", "12"),
    ]  # fmt: skip
    assert [value for _, value, _, _ in tokens("1,234")] == ["1234"]
    assert [value for _, value, _, _ in tokens("1,234", grouping=False)] == ["1", ",", "234"]


PIECES = [
    "(", ")", "[", "]", "{", "}", "\\{", "\\}", "|", "^", "_", "'", "!", ",", "+", "-", "*", "/",
    "=", "<", ":", "\\frac", "\\sqrt", "\\text{", "\\begin{pmatrix}", "\\log", "f", "x", "1", ".",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join) | st.text(max_size=30))
@example("1^")
@example("x_")
@example("\\sqrt[")
@example("\\text{")
@example("\\left")
@example("f^{-1}")
@example("\\begin{array}{")
@example("\ud800")
def test_it_reads_or_says_why_not(text):
    for grouping in (True, False):
        assert refusal(text, grouping) in {None, *WHY}
