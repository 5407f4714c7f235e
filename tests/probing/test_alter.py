"""Altering a trace: one value of one step, plausibly, and nothing else."""

import re
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracefactory.probing.alter import alter
from tracefactory.probing.truncate import truncated
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.make import make_problem
from tracefactory.teachers.solver import Solver, SolverConfig
from tracefactory.verifiers.stepping.outcomes import FALSE, TRUE
from tracefactory.verifiers.steps import found

NAMES = sorted(name for name, family in FAMILIES.items() if family.solve is not None)
# "in base 7" makes the checker doubt what 59*9 means, so it calls nothing there false.
DOUBTED = ("base_conversion",)
CLEAN = Solver(SolverConfig(slip_rate=0, repair_rate=0, habit_rate=0))
NUMBER = re.compile(r"[-−]?[0-9][0-9,]*(\.[0-9]+)?")


def traced(name, index, split="train"):
    problem = make_problem(name, FAMILIES[name].knobs(), 11, split, index)
    return problem, CLEAN.write(problem, 1)


def check_altered(statement, text, altered):
    """What holds of every altered text; the whole contract."""
    at, before, after = altered.at, altered.before, altered.after
    end = at + len(after)
    assert before != after
    assert altered.prefix[:at] == text[:at]
    assert text[at : at + len(before)] == before
    assert altered.prefix[at:end] == after
    assert altered.prefix[end:] == text[at + len(before) :][: len(altered.prefix) - end]
    assert altered.prefix.endswith("\n")
    assert altered.prefix.count("\n") == altered.line
    assert text.count("\n", 0, at) == altered.line - 1
    assert NUMBER.fullmatch(before)
    assert NUMBER.fullmatch(after)
    assert ("." in before, before[0] in "-−") == ("." in after, after[0] in "-−")
    assert "," in before or "," not in after
    # The nearest step before the value was true and is false now; those before are what they were.
    old = [s for s in found(statement, text) if s.at < at]
    new = [s for s in found(statement, altered.prefix) if s.at < at]
    assert (old[-1].outcome, new[-1].outcome) == (TRUE, FALSE)
    assert old[-1].at == new[-1].at
    assert text[new[-1].at : at].count("\n") == 0


@given(st.sampled_from(NAMES), st.integers(0, 9_999), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_of_a_family_s_trace_one_value_of_one_true_step_changes(name, index, seed):
    problem, text = traced(name, index)
    altered = alter(problem.statement, text, Random(seed))
    if name in DOUBTED:
        assert altered is None
        return
    assert altered is not None
    check_altered(problem.statement, text, altered)
    n_steps = len(text.partition("\n</think>")[0].split("\n")) - 1
    assert 2 <= altered.line <= max(n_steps, 2)  # the last step only where it is the only one
    assert alter(problem.statement, text, Random(seed)) == altered


@given(st.integers(0, 9_999), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_a_residue_stays_a_residue_and_nothing_before_it_changes(index, seed):
    problem, text = traced("modular_sum", index)
    altered = alter(problem.statement, text, Random(seed))
    modulus = int(problem.statement.rpartition(" mod ")[2].rstrip("."))
    assert 0 <= int(altered.after) < modulus
    assert text[: altered.at].endswith("≡")


WORDS = st.sampled_from(
    ["So the total is", "Then", "We get", "Each costs", "That leaves", "First,", "-", "*", ""]
)
UNITS = st.sampled_from(["", " apples", ".", " dollars each.", " km", ", as asked", " and so on"])


@st.composite
def sentences(draw):
    """A line with a true equation in it, as people write them."""
    a, b = draw(st.integers(2, 4_000)), draw(st.integers(2, 4_000))
    sign, value = draw(
        st.sampled_from([("*", a * b), ("+", a + b), (" - ", a - b), (" × ", a * b)])
    )
    shown = f"{value:,}" if draw(st.booleans()) else f"{value}"
    if draw(st.booleans()) and sign == "+":
        a, shown = f"{a}.25", f"{value}.25"
    return f"{draw(WORDS)} {a}{sign}{b} = {shown}{draw(UNITS)}"


@given(st.lists(sentences(), min_size=1, max_size=6), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_of_free_text_too(lines, thinks, seed):
    body = "\n".join(lines)
    text = f"<think>\n{body}\n</think>\n\n\\boxed{{7}}" if thinks else f"{body}\nAnswer: 7"
    altered = alter("How many apples?", text, Random(seed))
    assume(altered is not None)
    check_altered("How many apples?", text, altered)
    first = 2 if thinks else 1
    assert altered.line < first + len(lines) - (len(lines) > 1) or altered.line == first


def test_of_plain_sentences_each_can_be_chosen_but_the_last():
    text = "So 3*4 = 12 apples.\nThen 12+5 = 17 of them.\nIn all 17*2 = 34.\nThe answer is 34."
    found_ = {alter("", text, Random(seed)) for seed in range(60)}
    assert {altered.line for altered in found_} == {1, 2}
    assert {a.after for a in found_ if a.line == 1} == {"10", "11", "13", "14"}
    assert {a.before for a in found_ if a.line == 2} == {"17"}


@pytest.mark.parametrize(
    ("line", "before", "values"),
    [
        ("x: 14/4=7/2", "7", {"5", "6", "8", "9"}),  # a denominator is left alone
        ("3 - 5 = -2", "-2", {"-1", "-3", "-4"}),  # the sign stays, and it is no zero
        ("5 - 5 = 0", "0", {"1", "2"}),
        ("1,200 * 3 = 3,600", "3,600", {"3,598", "3,599", "3,601", "3,602"}),
        ("$2.50 * 2 = $5.00", "5.00", {"4.98", "4.99", "5.01", "5.02"}),
        ("252=2*105+42", "42", {"40", "41", "43", "44"}),
        ("2+3 = 5 = 1+4", "4", {"2", "3", "5", "6"}),
        ("12 ≡ 5 (mod 7)", "5", {"3", "4", "6", "0"}),  # within 0 and the modulus
        ("12 ≡ 0 (mod 3)", "0", {"1", "2"}),
        ("12 mod 7 = 5", "5", {"3", "4", "6", "0"}),
    ],
)
def test_values_and_their_neighbours(line, before, values):
    text = f"<think>\n{line}\n1+1=2\n</think>\n\n\\boxed{{7}}"
    every = {alter("", text, Random(seed)) for seed in range(80)}
    assert {(a.before, a.line) for a in every} == {(before, 2)}
    assert {a.after for a in every} == values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is 4.",
        "<think>\nI just know.\n</think>\n\n2+2=4, so \\boxed{4}",  # the answer is no reasoning
        "<think>\n2+2=4\n",  # never came to an answer
        "<think>2+2=4</think>\n\n\\boxed{4}",  # no line of its own
        "<think>\n2+2=5\n</think>\n\n\\boxed{5}",  # false already
        "<think>\n2+2=<<2+2=4>>4\n</think>\n\n\\boxed{4}",  # a mark has its value twice
        "<think>\n2+2=4, so there are 4\n</think>\n\n\\boxed{4}",  # said again
        "<think>\nx = 5\n</think>\n\n\\boxed{5}",  # names a value
        "<think>\n20/3 = 6.67\n</think>\n\n\\boxed{6.67}",  # rounded: its neighbours may be as well
    ],
)
def test_nothing_is_altered_where_nothing_can_be(text):
    assert alter("", text, Random(1)) is None


def test_of_a_template_that_opened_the_tag_itself():
    text = "3*4 = 12\n12+5 = 17\n</think>\n\n\\boxed{17}"
    assert alter("", text, Random(1)).line == 1


def test_a_long_response_costs_little():
    text = "<think>\n" + "".join(f"{i}+1={i + 1}\n" for i in range(20_000)) + "</think>\n\\boxed{1}"
    assert alter("", text, Random(1)) is not None


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("<think>\n2+2=4\n</think>\n\n\\boxed{4}", "<think>\n\n</think>\n\n"),
        ("<thinking>\n2+2=4\n</thinking>\n\n\\boxed{4}", "<thinking>\n\n</thinking>\n\n"),
        ("2+2=4\n</think>\n\n\\boxed{4}", "<think>\n\n</think>\n\n"),
        ("<think>\n\n</think>\n\n\\boxed{4}", None),
        ("2+2=4, so \\boxed{4}", None),
        ("", None),
    ],
)
def test_reasoning_is_left_out_where_there_is_some(text, prefix):
    assert truncated(text) == prefix
