import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import STATUSES
from tracefactory.verifiers.contract import resolve_verifier, versioned
from tracefactory.verifiers.numeric import judge, rational, verify

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "numeric.jsonl")
    .read_text("utf-8")
    .splitlines()
]
GSM8K = Path(__file__).parents[2].parent / "shared/data/gsm8k/example_model_solutions.jsonl"

digits = st.text(alphabet="0123456789", min_size=1, max_size=30)
like_numbers = st.text(alphabet="0123456789.,/-+−$€%{}\\ frac()e_٣²½", max_size=30)


def a_problem(reference="4", options="{}"):
    return Problem("p", "?", reference, "numeric", options, "train", "math", "t", "s", "MIT", "{}")


def an_attempt(text="\\boxed{4}"):
    return Attempt("p/t/0", "p", 0, "t", "r", "MIT", text, "stop", 1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_case(case):
    verdict = judge(case["reference"], case["response"], **case["options"])
    assert (verdict.status, verdict.reason) == (case["status"], case["reason"])


@given(st.fractions())
def test_a_reference_accepts_itself_however_it_is_printed(number):
    top, bottom = abs(number.numerator), number.denominator
    for minus in ("-", "−") if number < 0 else ("", "+"):
        for text in (
            f"{minus}{top}/{bottom}",
            f"{minus}{top:,} / {bottom:,}",
            f"{minus}\\frac{{{top}}}{{{bottom}}}",
            f"$\\dfrac{{{minus}{top}}}{{{bottom}}}$.",
            f"{minus}$ {3 * top}/{3 * bottom}",
        ):
            assert judge(str(number), f"\\boxed{{{text}}}").status == "correct", text


@given(st.integers(), st.integers(min_value=0, max_value=12))
def test_a_decimal_accepts_itself_however_it_is_printed(units, places):
    number = Fraction(units, 10**places)
    sign, whole, part = "-" * (units < 0), abs(units) // 10**places, abs(units) % 10**places
    tail = f".{part:0{places}}" if places else ""
    for text in (
        f"{sign}{whole}{tail}",
        f"{sign}{whole:,}{tail}",
        f"{sign}${whole}{tail}",
        f" {sign}{whole}{tail or '.'}0",
    ):
        assert judge(str(number), f"so\n#### {text}\n").status == "correct", text


@given(digits, digits, st.data())
def test_another_digit_is_another_number(whole, part, data):
    reference = f"1{whole}.{part}1"
    at = data.draw(st.sampled_from([i for i, c in enumerate(reference) if c != "."]))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != reference[at]]))
    changed = reference[:at] + digit + reference[at + 1 :]
    assert judge(reference, f"\\boxed{{{changed}}}").reason == "different"


@given(st.fractions().filter(bool))
def test_another_sign_is_another_number(number):
    assert judge(str(number), f"\\boxed{{{-number}}}").reason == "different"


@given(st.fractions(), st.fractions())
def test_equality_is_that_of_fractions(one, other):
    assert (judge(str(one), f"\\boxed{{{other}}}").status == "correct") == (one == other)


@given(st.text() | like_numbers)
def test_a_number_is_what_fraction_reads_and_nothing_raises(text):
    number = rational(text)
    if number is not None:
        assert all(
            c in "0123456789.,/-+−$€£\\{}frac()dt \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f\x85"
            for c in text.strip()
        )
        assert number[1] > 0
        assert Fraction(*number).as_integer_ratio() == number
    for verdict in (
        judge(text, "\\boxed{4}"),
        judge("4", text),
        judge("4", f"\\boxed{{{text}}}"),
        judge(text, text),
    ):
        assert verdict.status in STATUSES
        assert isinstance(json.loads(verdict.evidence), dict)


@pytest.mark.parametrize(
    "part", ["9", "1,", ",111", "1/", "$", "-", " ", ".", "\\frac{", "{", "1 ", "\\("]
)
def test_a_million_characters_are_no_number(part):
    text = part * (1_000_000 // len(part))
    assert judge("4", f"\\boxed{{{text}}}").status != "correct"
    assert judge("4", f"answer: {text}").status != "correct"
    assert judge(text, "4").status == "bad_reference"


def test_the_evidence_says_what_was_compared_and_where_it_stood():
    response = "so \\boxed{\\frac{2}{4}}"
    verdict = judge("0.5", response)
    assert verdict.evidence == '{"answer":"1/2","reference":"1/2","rule":"boxed","span":[10,21]}'
    assert response[10:21] == verdict.final_answer == "\\frac{2}{4}"
    assert json.loads(judge("0.5", "\\boxed{x}").evidence)["answer"] is None


def test_verify_fills_in_who_and_by_whom():
    verdict = verify(a_problem(), an_attempt())
    assert (verdict.status, verdict.attempt_id) == ("correct", "p/t/0")
    assert verdict.verifier == versioned("tracefactory.verifiers.numeric:verify")
    bare = judge("4", "\\boxed{4}")
    assert (bare.attempt_id, bare.verifier) == ("", "")
    assert bare.evidence == verdict.evidence


def test_verify_takes_the_marker_and_no_other_option():
    assert (
        verify(a_problem(options='{"answer_after": "A:"}'), an_attempt("A: 4")).status == "correct"
    )
    with pytest.raises(ValueError, match="answer_befor"):
        verify(a_problem(options='{"answer_befor": "A:"}'), an_attempt())


def test_it_pickles_and_runs_in_any_thread():
    check = pickle.loads(pickle.dumps(resolve_verifier("tracefactory.verifiers.numeric:verify")))
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda _: check(a_problem(), an_attempt()), range(200)))
    assert set(verdicts) == {verify(a_problem(), an_attempt())}


@pytest.mark.skipif(
    not GSM8K.exists(),
    reason=f"PUBLIC DATA ABSENT, numeric NOT compared with 5,276 labels: {GSM8K}",
)
def test_it_agrees_with_every_label_of_the_published_solutions():
    seen = without_answer = 0
    for line in GSM8K.read_text("utf-8").splitlines():
        row = json.loads(line)
        reference = row["ground_truth"].rpartition("A:")[2]
        for teacher in row.keys() - {"question", "ground_truth"}:
            verdict = judge(reference, row[teacher]["solution"], answer_after="A:")
            assert (verdict.status == "correct") == row[teacher]["is_correct"], row[teacher]
            assert verdict.status in ("correct", "incorrect", "no_answer")
            without_answer += verdict.status == "no_answer"
            seen += 1
    assert (seen, without_answer) == (5276, 11)
