"""The checker of reasoning-gym's problems: exactly 1.0, from what is stored, for any answer."""

import json
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.sources import gym as source
from tracefactory.verifiers import gym
from tracefactory.verifiers.gym import ALLOWED, GymError, judge, require, verify

try:
    require()
except GymError as error:
    pytest.skip(f"NOT TESTED: {error}", allow_module_level=True)

NAMES = sorted(ALLOWED)
_MADE: dict[str, list[Problem]] = {}


def problems(name: str) -> list[Problem]:
    if name not in _MADE:
        _MADE[name] = [source.problem_of(name, item) for item in source.items(name, {}, 3, 40)]
    return _MADE[name]


def answered(problem: Problem, text: str):
    return verify(problem, Attempt("a", problem.id, 0, "t", "", "", text, "stop", None))


def boxed(problem: Problem, answer: str):
    return answered(problem, f"<think>\nhm\n</think>\n\n\\boxed{{{answer}}}")


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_correct_and_what_is_near_it_is_not(name):
    for problem in problems(name):
        reference = problem.reference
        if not reference:  # an empty answer fits into no box, and never becomes a problem
            continue
        verdict = boxed(problem, reference)
        assert (verdict.status, verdict.reason) == ("correct", "accepted"), reference
        assert json.loads(verdict.evidence)["score"] == 1.0
        for wrong in (f"{reference} or 17", f"17 {reference}", f"{reference}, x", "nan"):
            assert boxed(problem, wrong).status == "incorrect", (reference, wrong)


@pytest.mark.parametrize("name", NAMES)
def test_another_item_s_answer_is_not_right(name):
    some = problems(name)
    taken = [
        (one.statement, two.reference)
        for one, two in pairwise(some)
        if one.reference.casefold() != two.reference.casefold()
        and two.reference
        and boxed(one, two.reference).status == "correct"
    ]
    assert taken == []


ODD = [
    "", "banana", "nan", "inf", "-1e999999999", "1e999999999", "sNaN", "null", "true", "[]", "{}",
    "[[]]", "[1]", '{"a": 1}', "1/0", "×", "2 × × 3", "__import__('os').getcwd()",
    "\x00", "٣٣٣", "9" * 3900,
    "[" * 3900, "9×" * 1900, "(" * 3900, "\u202e", "1_000", "−5", "\n".join("1" * 900), "Yes" * 900,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_odd_answers_get_a_verdict_and_take_no_time(name, capsys):
    begun = time.process_time()
    for problem in problems(name)[:3]:
        for odd in ODD:
            if odd.casefold() == problem.reference.casefold():
                continue
            verdict = answered(problem, f"<answer>{odd}</answer>")
            assert verdict.status in ("incorrect", "no_answer"), odd
    assert time.process_time() - begun < 5
    assert capsys.readouterr().out == ""


def test_an_answer_on_which_the_scorer_raises_is_incorrect():
    verdict = boxed(problems("prime_factorization")[0], "seven")
    assert (verdict.status, verdict.reason) == ("incorrect", "unscorable")


def test_a_long_answer_is_not_scored(monkeypatch):
    problem = problems("gcd")[0]
    verdict = boxed(problem, "1" * 5000)
    assert (verdict.status, verdict.reason) == ("incorrect", "too_long")


def test_two_answers_are_none():
    problem = problems("gcd")[0]
    verdict = answered(problem, f"\\boxed{{{problem.reference}}} or \\boxed{{977}}")
    assert (verdict.status, verdict.reason) == ("no_answer", "hedged")
    assert answered(problem, "I do not know").status == "no_answer"


def test_any_right_answer_counts_where_there_are_several():
    metadata = {"letters": ["a", "a", "b", "b"]}
    for answer, status in (("abba", "correct"), ("baab", "correct"), ("aabb", "incorrect")):
        response = f"\\boxed{{{answer}}}"
        found = judge("abba", response, family="palindrome_generation", metadata=metadata)
        assert found.status == status


def test_nothing_is_made_again(monkeypatch):
    """Verdicts come from the stored problem: the generators may be gone."""
    from reasoning_gym.factory import DATASETS

    ready = [problems(name)[0] for name in NAMES]
    for name in NAMES:
        monkeypatch.setattr(DATASETS[name][0], "__getitem__", None)
    for problem in ready:
        if problem.reference:
            assert boxed(problem, problem.reference).status == "correct"


def test_a_reference_that_its_scorer_refuses_is_a_bad_reference():
    problem = replace(problems("prime_factorization")[0], reference="7")
    wrong = json.dumps({"family": "count_bits", "library": gym.LIBRARY, "metadata": {}})
    assert boxed(replace(problem, verifier_options=wrong), "7").status == "correct"
    broken = replace(problems("mini_sudoku")[0], reference="")
    assert boxed(broken, "1").status == "bad_reference"


def test_a_broken_set_up_raises_and_blames_no_answer(monkeypatch):
    problem = problems("calendar_arithmetic")[0]
    good = json.loads(problem.verifier_options)
    for options, says in (
        ({**good, "family": "countdown"}, "not on the list"),
        ({**good, "library": "reasoning-gym@0.1.26"}, "made with reasoning-gym@0.1.26"),
        ({**good, "seed": 5}, "must hold family"),
        ({"family": "gcd", "library": gym.LIBRARY}, "must hold family"),
        ([], "not a JSON object"),
    ):
        broken = replace(problem, verifier_options=json.dumps(options))
        with pytest.raises(GymError, match=says):
            boxed(broken, problem.reference)
    with pytest.raises(KeyError):  # the scorer's own complaint: metadata that it reads is gone
        boxed(replace(problem, verifier_options=json.dumps({**good, "metadata": {}})), "x")


def test_out_of_memory_is_no_verdict(monkeypatch):
    problem = problems("gcd")[0]

    def score(family, reference, metadata, answer):
        if answer != reference:
            raise MemoryError
        return 1.0

    monkeypatch.setattr(gym, "score", score)
    with pytest.raises(MemoryError):
        boxed(problem, "0")
