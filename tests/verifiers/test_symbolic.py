"""The symbolic checker as it is called: options, evidence, hostile input, what it leaves behind.

Whether single answers are judged rightly is for test_symbolic_corpus and test_symbolic_properties.
"""

import importlib.util
import json
import pickle
import subprocess
import sys
import time

import psutil
import pytest

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.verifiers.maths import cas
from tracefactory.verifiers.maths.nodes import symbol
from tracefactory.verifiers.symbolic import OPTIONS, VERSION, judge, verify

STATUSES = {"correct", "incorrect", "no_answer", "undecided", "bad_reference"}


def box(text):
    return f"So it is \\boxed{{{text}}}."


def problem(reference, options="{}"):
    return Problem(
        id="p", statement="?", reference=reference, verifier="", verifier_options=options,
        split="train", domain="math", task_type="t", source="s", license="CC0-1.0", origin="{}",
    )  # fmt: skip


def attempt(text):
    return Attempt(
        id="p/t/0", problem_id="p", index=0, teacher="t", teacher_revision="1",
        teacher_license="MIT", text=text, finish_reason="stop", seed=None,
    )  # fmt: skip


# The two ways to call it.


@pytest.mark.parametrize(
    "response", [box("1/2"), box("0.5"), box("1/3"), "nothing", box("5"), "<think>"]
)
@pytest.mark.parametrize("reference", ["\\frac12", "5", "\\text{east}", "\\frac{"])
def test_verify_is_judge_with_names(reference, response):
    named, bare = verify(problem(reference), attempt(response)), judge(reference, response)
    assert named.attempt_id == "p/t/0"
    assert named.verifier == f"tracefactory.verifiers.symbolic:verify@{VERSION}"
    assert (bare.attempt_id, bare.verifier) == ("", "")
    for field in ("status", "reason", "final_answer", "evidence", "limited_by"):
        assert getattr(named, field) == getattr(bare, field)


def test_verify_reads_the_options_of_the_problem():
    loose = problem("10", '{"tolerance": "1"}')
    assert verify(loose, attempt(box("10.5"))).status == "correct"
    assert verify(problem("10"), attempt(box("10.5"))).status == "incorrect"


def test_the_address_of_a_recipe_is_a_function_that_pickles():
    assert pickle.loads(pickle.dumps(verify)) is verify


@pytest.mark.parametrize(
    ("reference", "response", "status"),
    [
        ("1/2", box("\\frac{2}{4}"), "correct"),
        ("1/2", box("1/3"), "incorrect"),
        ("1/2", "I do not know.", "no_answer"),
        ("1/2", "<think>" + box("1/2"), "no_answer"),
        ("1/2", "", "no_answer"),
        ("\\frac{1}{", box("1"), "bad_reference"),
        ("", box("1"), "bad_reference"),
        ("9^{9^{9^9}}", box("9^{9^{9^9}}+1"), "undecided"),
        ("5", box("5") + " Answer: 6", "no_answer"),
        ("5", box("5") + " The answer is 10/2.", "correct"),
        ("5", "\\boxed{5} \\boxed{6}", "no_answer"),
        ("5", box("5") + " " + box("6"), "incorrect"),
        ("5", box("6") + " That is wrong, it is " + box("5"), "correct"),
        ("5", box("5") + " is wrong, it is " + box("6"), "incorrect"),
        ("5", "Either \\boxed{5} or \\boxed{6}", "no_answer"),
        ("5, 6", "Either \\boxed{5} or \\boxed{6}", "correct"),
        ("5", box("5") + " and " + box("5"), "correct"),
        ("5", box("\\boxed{5}"), "correct"),
    ],
)
def test_each_status_has_its_case(reference, response, status):
    assert judge(reference, response).status == status


# Options.


def test_options_are_known_by_name_and_value():
    for wrong, said in (
        ({"tolerence": "1"}, "tolerence"),
        ({"second_opinion": "sympy"}, "sympy"),
        ({"on_disagreement": "drop"}, "drop"),
        ({"tolerance": "much"}, "much"),
        ({"tolerance": "-1"}, "-1"),
        ({"tolerance": ""}, "tolerance"),
        ({"tolerance": "%"}, "tolerance"),
        ({"tolerance": "1e"}, "tolerance"),
        ({"tolerance": "1_0"}, "tolerance"),
        ({"tolerance": "nan"}, "tolerance"),
        ({"tolerance": "1e99999"}, "tolerance"),
    ):
        with pytest.raises(ValueError, match=said):
            judge("1", box("1"), options=wrong)
    with pytest.raises(ValueError, match="tolerence"):
        verify(problem("1", '{"tolerence": "1"}'), attempt(box("1")))
    assert set(OPTIONS) == {"answer_after", "tolerance", "second_opinion", "on_disagreement"}


@pytest.mark.parametrize(
    ("tolerance", "inside", "outside"),
    [
        (
            "0.01",
            ["100.01", "99.99", "100", "10000/100"],
            ["100.02", "99.98", "\\text{about } 101"],
        ),
        ("1%", ["101", "99", "100.5"], ["101.5", "98.9", "10000"]),
        ("0", ["100", "100.0"], ["100.0001"]),
        ("1e-3", ["100.001"], ["100.0011"]),
        ("0.5 %", ["100.5"], ["100.51"]),
    ],
)
def test_the_tolerance_of_the_task_replaces_that_of_the_digits(tolerance, inside, outside):
    options = {"tolerance": tolerance}
    for answer in inside:
        assert judge("100", box(answer), options=options).status == "correct", answer
    for answer in outside:
        assert judge("100", box(answer), options=options).status == "incorrect", answer


def test_a_tolerance_is_for_numbers_alone():
    options = {"tolerance": "1"}
    for reference, answer in (
        ("x", "x+0.5"),
        ("(1,2)", "(2,1,0)"),
        ("\\text{east}", "west"),
        ("5 m", "5 s"),
    ):
        assert judge(reference, box(answer), options=options).status == "incorrect"
    assert judge("(10, 20)", box("(10.5, 19.5)"), options=options).status == "correct"
    assert judge("(10, 20)", box("(19.5, 10.5)"), options=options).status == "incorrect"


def test_answer_after_looks_nowhere_else():
    options = {"answer_after": "A:"}
    assert judge("7", "A: 7", options=options).status == "correct"
    assert judge("7", box("7"), options=options).status == "no_answer"
    assert judge("7", f"{box('7')}\nA: 14/2", options=options).status == "correct"
    assert judge("7", f"{box('7')}\nA: 8", options=options).status == "incorrect"


@pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is not None,
    reason="NOT TESTED: Math-Verify is installed",
)
def test_a_second_opinion_that_is_not_installed_is_an_error_at_once():
    with pytest.raises(ImportError, match="math-verify"):
        judge("1", box("1"), options={"second_opinion": "math-verify"})


@pytest.mark.skipif(
    importlib.util.find_spec("math_verify") is None,
    reason="NOT TESTED: a second opinion (Math-Verify is not installed)",
)
def test_a_second_opinion_is_recorded_and_may_decide():
    ask, decide = {"second_opinion": "math-verify"}, {"on_disagreement": "undecided"}
    agreed = judge("1/2", box("0.5"), options=ask)
    assert agreed.status == "correct"
    assert json.loads(agreed.evidence)["second_opinion"]["accepts"] is True
    # It compares rounded values: two so near to nought are one to it.
    apart = judge("2^{-98}", box("2^{-99}"), options=ask)
    assert apart.status == "incorrect"
    assert judge("2^{-98}", box("2^{-99}"), options=ask | decide).reason == "disagreement"


# Evidence.

CASES = [
    ("1/2", "\\frac{2}{4}"), ("5", "5"), ("5", "6"), ("\\sqrt{2}", "2^{1/2}"), ("x+1", "1+x"),
    ("\\sin^2 x", "1 - \\cos^2 x"), ("3.14", "\\pi"), ("5 m", "5 kg"), ("1,2", "2,1"), ("B", "(B)"),
    ("yes", "no"), ("\\text{east}", "west"), ("2024-02-29", "February 29, 2024"),
    ("4:30 p.m.", "16:30"), ("x > 3", "3 < x"), ("[1,2)", "1 \\le x < 2"),
    ("9^{9^{9^9}}", "9^{9^{9^9}}+1"), ("1010_2", "10"),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)"), ("5", "words and more words"),
    ("5", "\\frac{1}{}"),
]  # fmt: skip


@pytest.mark.parametrize(("reference", "answer"), CASES)
def test_evidence_is_json_that_names_place_tier_and_certainty(reference, answer):
    response = f"Some words, α. {box(answer)}"
    verdict = judge(reference, response)
    evidence = json.loads(verdict.evidence)
    assert evidence.keys() >= {"answer", "certainty", "reference", "rule", "span", "tier", "type"}
    assert evidence["rule"] == "boxed"
    start, end = evidence["span"]
    assert response[start:end] == verdict.final_answer == answer
    assert evidence["certainty"] in ("proved", "probable", "")
    assert (evidence["certainty"] == "") == (verdict.status == "undecided")
    assert list(evidence) == sorted(evidence)


def test_the_short_way_for_integers_says_the_same_as_the_long_one():
    for reference in ("0", "7", "-7", "12", "1" * 18, "1" * 19, "-0"):
        for answer in ("0", "7", "-7", "12", "1" * 18, "1" * 19, "-0"):
            short = judge(reference, box(answer))
            long = judge(reference, box(f"{answer} "), options={"on_disagreement": "keep"})
            assert (short.status, short.reason) == (long.status, long.reason), (reference, answer)
            # A sign of nought is nothing: only then may the two write it differently.
            if "-0" not in (reference, answer):
                assert short.evidence == long.evidence


def test_long_answers_are_cut_in_the_evidence():
    text = "7" * 5000
    verdict = judge(text, box(text))
    assert verdict.status == "correct"
    assert len(verdict.evidence) < 1000
    assert "5000 characters" in verdict.evidence


# Hostile input: an outcome within its budget, and no exception. Times are for the fuzzer to say.


def nested(opening, closing, times=300, inner="1"):
    return opening * times + inner + closing * times


TABLE = "\\\\".join("&".join(str(j * k) for k in range(40)) for j in range(40))
HOSTILE = {
    "tower": "9^{9^{9^9}}",
    "tower of twos": "2^{2^{2^{2^{2^2}}}}",
    "great tower": "10^{10^{10}}",
    "tower of e": "e^{e^{e^e}}",
    "factorials": "((10^{10})!)!",
    "factorial signs": "5" + "!" * 300,
    "binomial": "\\binom{10^9}{5\\cdot10^8}",
    "modulus": "7^{10^{100}} \\bmod 13",
    "round": nested("(", ")"),
    "round sums": nested("(1+", ")"),
    "square": nested("[", "]"),
    "braces": nested("{", "}"),
    "set braces": nested("\\{", "\\}"),
    "roots": nested("\\sqrt{", "}"),
    "fractions": nested("\\frac{1}{", "}"),
    "exponents": nested("2^{", "}"),
    "minus": "-" * 300 + "1",
    "bars": nested("|", "|"),
    "floors": nested("\\lfloor |", "| \\rfloor", 20, "-7.5"),
    "sines": nested("\\sin(", ")", 200, "x"),
    "text": nested("\\text{", "}", 2000, "5"),
    "left right": nested("\\left(", "\\right)"),
    "open braces": "{" * 10**6,
    "closed braces": "}" * 10**6,
    "balanced braces": "{" * 500_000 + "}" * 500_000,
    "fracs": "\\frac" * 2400,
    "fracs of one": "\\frac1" * 2000,
    "signs": "\\pm" * 1000,
    "equals": "=" * 2000,
    "blanks": " " * 10**6,
    "dollars": "$" * 10**5,
    "colours": "\\color{red}" * 1000 + "5",
    "open text": "\\text{" * 5000,
    "matrices": "\\begin{pmatrix}" * 500,
    "digits": "7" * 5000,
    "too many digits": "7" * 12_000,
    "decimal digits": "0." + "7" * 5000,
    "period": "0.\\overline{" + "1234567" * 40 + "}",
    "exponent": "1e4000",
    "great exponent": "1e99999",
    "division by nought": "1/0",
    "nought to the nought": "0^0",
    "infinity": "\\infty - \\infty",
    "logarithm of nought": "\\ln(0)",
    "items": ", ".join(map(str, range(5000))),
    "some items": ", ".join(map(str, range(900))),
    "surds": ", ".join(f"\\sqrt{{{k}}}" for k in range(2, 102)),
    "sum of surds": "+".join(f"\\sqrt{{{k}}}" for k in range(2, 60)),
    "matrix": f"\\begin{{pmatrix}}{TABLE}\\end{{pmatrix}}",
    "unions": "\\cup".join(f"({2 * k},{2 * k + 1})" for k in range(1000)),
    "some unions": "\\cup".join(f"(\\sqrt{{{2 * k}}},\\sqrt{{{2 * k + 1}}})" for k in range(1, 50)),
    "chain": "=".join(["2+3"] * 300),
    "rising chain": "<".join(map(str, range(400))),
    "powers": "x^{x^{x^{x}}}",
    "variables": "+".join(f"x_{{{k}}}" for k in range(500)),
    "power of a sum": "(a+b+c+d+e+f)^{60}",
    "great power": "(x+1)^{10^9}",
    "linear factors": "".join(f"(x-{k})" for k in range(200)),
    "equation": "y = " + "+".join(f"{k}x^{{{k}}}" for k in range(100)),
    "ratio": "1:2:" * 100 + "3",
    "subscripts": "x_{" * 100 + "1" + "}" * 100,
    "primes": "x" + "'" * 1000,
    "hours": "1 hour " * 200,
    "unit power": "5 m^{99999}",
    "unit run": "5\\text{ " + "km " * 500 + "}",
    "letters": "a" * 400,
    "words": "a b, " * 2000,
    "nought bytes": "\x005\x00",
    "surrogate": "\ud800",
    "surrogate in words": "\\text{ab \ud800}",
    "surrogate by a digit": "5\udfff",
    "right to left": "\u202e5\u200f",
    "combining": "5" + "\u0301" * 1000,
    "fractions of one sign": "½" * 2000,
    "raised": "²" * 2000,
    "other digits": "٥५𝟓⑤Ⅴ",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_gets_a_verdict(name):
    text = HOSTILE[name]
    for reference, answer in ((text, text), ("5", text), (text, "5"), (text, f"{text}+1")):
        verdict = judge(reference, box(answer))
        assert verdict.status in STATUSES
        json.loads(verdict.evidence)
    assert judge("5", text).status in STATUSES


NOT_THEMSELVES = {"division by nought", "nought to the nought", "logarithm of nought", "equals"}


@pytest.mark.parametrize("name", HOSTILE.keys() - NOT_THEMSELVES)
def test_hostile_text_is_not_wrong_about_itself(name):
    text = HOSTILE[name]
    assert judge(text, box(text)).status != "incorrect"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("7" * 5000, "7" * 5000, True),
        ("7" * 5000, "7" * 4999 + "8", False),
        ("0." + "7" * 5000, "0." + "7" * 4999 + "8", False),
        ("1e4000", "1e4001", False),
        ("10^{10^{10}}", "100^{10^{10}/2}", True),
        ("10^{10^{10}}", "10^{10^{10}}+1", False),
        ("9^{9^{9^9}}", "9^{9^{9^9}}", True),
        ("(x+1)^{10^9}", "(1+x)^{10^9}", True),
        ("(x+1)^{10^9}", "(1+x)^{10^9+1}", False),
        ("0.\\overline{" + "123" * 80 + "}", "0.\\overline{123}", True),
        ("2^{400}-1", "1" * 400 + "_2", True),
        ("\\sin(10^{1000})", "\\sin(10^{1000}+1)", False),
        ("e^{\\pi\\sqrt{163}}", "262537412640768744", False),
    ],
)
def test_large_values_are_told_apart_and_known_again(one, other, same):
    expected = "correct" if same else "incorrect"
    assert judge(one, box(other)).status == expected
    assert judge(other, box(one)).status == expected


# What it leaves behind.


def alive(processes):
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


ASK = (
    "from tracefactory.verifiers.maths import cas\n"
    "from tracefactory.verifiers.maths.nodes import symbol\n"
    "cas.equal(symbol('x'), symbol('y'))\n"
)


def test_easy_answers_start_no_process():
    program = (
        "import psutil\nfrom tracefactory.verifiers.symbolic import judge\n"
        "for a in ['1/2', 'x+1', '\\\\sqrt{2}', '5 m', '\\\\sin x', '[1,2)']:\n"
        "    assert judge(a, '\\\\boxed{%s}' % a).status == 'correct'\n"
        "print(len(psutil.Process().children(recursive=True)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0"


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_no_process_outlives_the_caller(how):
    program = f"import sys\n{ASK}print('asked', flush=True)\nsys.stdin.read()"
    caller = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert caller.stdin is not None
    assert caller.stdout is not None
    assert caller.stdout.readline().strip() == "asked"
    children = psutil.Process(caller.pid).children(recursive=True)
    assert children  # computer algebra lives in one
    if how == "ends":
        caller.stdin.close()
    else:
        caller.kill()
    caller.wait()
    deadline = time.monotonic() + 10
    while alive(children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(children)
    caller.stdout.close()
    caller.stdin.close()


def test_hostile_answers_do_not_gather_processes():
    cas.equal(symbol("x"), symbol("y"))
    before = len(alive(psutil.Process().children(recursive=True)))
    for text in HOSTILE.values():
        judge(text, box(f"{text}+2"))
    assert len(alive(psutil.Process().children(recursive=True))) <= before
