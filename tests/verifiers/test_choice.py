import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import STATUSES
from tracefactory.verifiers.choice import judge, letter, verify
from tracefactory.verifiers.contract import versioned

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "choice.jsonl")
    .read_text("utf-8")
    .splitlines()
]

letters = st.sampled_from("ABCDE")
dresses = st.sampled_from(
    [
        "{}",
        "({})",
        "{}.",
        "{})",
        "{}:",
        "\\text{{{}}}",
        "\\textbf{{({})}}",
        "**{}**",
        "${}$",
        "{}) 12",
        "({}) a dog",
    ]
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_case(case):
    verdict = judge(case["reference"], case["response"], **case["options"])
    assert (verdict.status, verdict.reason) == (case["status"], case["reason"])


@given(letters, letters, dresses, dresses, st.booleans())
def test_a_letter_is_itself_in_any_dress_and_no_other(want, got, dress, other, small):
    answer = dress.format(got.lower() if small else got)
    verdict = judge(other.format(want), f"\\boxed{{{answer}}}")
    assert verdict.status == ("correct" if want == got else "incorrect")


@given(letters, letters, dresses, dresses, st.sampled_from([" or ", " and ", ", ", "/", " "]))
def test_two_letters_are_never_accepted(one, other, dress, dress_of_other, joiner):
    if one != other:
        answer = dress.format(one) + joiner + dress_of_other.format(other)
        assert judge(one, f"\\boxed{{{answer}}}").status == "incorrect"


@given(st.text() | st.text(alphabet="ABab().:, or\\text{}*$", max_size=20))
def test_nothing_raises(text):
    assert letter(text)[0] in {None, *"ABCDE"}
    for verdict in (judge("A", text), judge("A", f"\\boxed{{{text}}}"), judge(text, "\\boxed{A}")):
        assert verdict.status in STATUSES
        assert isinstance(json.loads(verdict.evidence), dict)


@pytest.mark.parametrize("part", ["A", "A ", "(", "\\text{", "$", "A) ", " "])
def test_a_million_characters_are_no_choice(part):
    text = part * (1_000_000 // len(part))
    assert judge("A", f"answer: {text}").status != "correct"
    assert judge(text, "\\boxed{A}").status == "bad_reference"


def test_verify_reads_its_options():
    def check(options, text="\\boxed{F}"):
        problem = Problem("p", "?", "F", "choice", options, "train", "math", "t", "s", "MIT", "{}")
        return verify(problem, Attempt("p/t/0", "p", 0, "t", "r", "MIT", text, "stop", 1))

    verdict = check('{"choices": "EFG"}')
    assert (verdict.status, verdict.attempt_id) == ("correct", "p/t/0")
    assert verdict.verifier == versioned("tracefactory.verifiers.choice:verify")
    assert check('{"choices": "EFG", "answer_after": "A:"}', "A: (f)").status == "correct"
    assert check("{}").status == "bad_reference"
    for options, named in [
        ('{"choice": "EFG"}', "choice"),
        ('{"choices": "EEF"}', "EEF"),
        ('{"choices": "efg"}', "efg"),
    ]:
        with pytest.raises(ValueError, match=named):
            check(options)
