"""Claimed outputs: what the code prints decides, and doubt never makes a step false."""

import json

import pytest

from tracefactory.sandbox.pool import Unavailable
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.verifiers.contract import full_address, resolve_measure
from tracefactory.verifiers.program_steps import MAX_RUNS, count, measure
from tracefactory.verifiers.programs.claims import runs

DEF = "```python\ndef f(x):\n    return x * 2\n```\n"


def code(text: str, then: str) -> str:
    return f"```python\n{text}\n```\n{then}"


def session(text: str) -> str:
    return f"{DEF}\n```\n{text}\n```\n"


def outcome(response: str) -> str:
    """The one outcome of a response with one claim, and why if it is uncheckable."""
    steps = count(response)
    evidence = json.loads(steps.evidence)
    named = {
        "true": steps.n_true, "rounded": steps.n_rounded, "repaired": steps.n_repaired,
        "false": steps.n_false, "uncheckable": steps.n_uncheckable,
    }  # fmt: skip
    (found,) = [name for name, n in named.items() if n]
    assert named[found] == 1
    why = evidence.get("not_checked", {})
    return f"{found}:{next(iter(why))}" if why else found


@pytest.mark.parametrize(
    ("response", "wants"),
    [
        # snippets
        (code("print(2 + 3)", "Output: 5"), "true"),
        (code("print(2 + 3)", "\n**Output:**\n\n```\n5\n```"), "true"),
        (code("print(2 + 3)", "The output is: `5`."), "true"),
        (code("print(2 + 3)", "This prints: 5"), "true"),
        (code("print(2 + 3)", "\nOutput:\n5\n\nAs it should."), "true"),
        (code("print(2 + 3)", "\n```output\n5\n```"), "true"),
        (code("print('a')\nprint('b')", "Output:\n```text\na  \nb\n\n```"), "true"),
        (code("print(2 + 3)", "Output: 6"), "false"),
        (code("print(2 + 3)", "Output: 5."), "true"),
        (code("print(2 + 3)", "Output: `6`"), "false"),
        (code("print([1, 2])", "Output:\n```\n[2, 1]\n```"), "false"),
        (code("print('a')\nprint('b')", "Output:\n```\na\n```"), "false"),
        (code("print({3, 1, 2} | {9})", "Output: `{9, 1, 2, 3}`"), "true"),
        (code("print(2 / 3)", "Output: 0.667"), "rounded"),
        (code("print(2 / 3)", "Output: 0.67"), "rounded"),
        (code("print(2 / 3)", "Output: 0.66"), "false"),
        (code("print(1 / 0)", "Output: 0"), "false"),
        (code("print([][0])", "Output: `None`"), "false"),
        # doubt
        (code("print(2 + 3)", "Output: six, I think"), "uncheckable:prose"),
        (code("print(2 + 3)", "Result: correct"), "uncheckable:prose"),
        (code("print(2 + 3)", "Output: 5 as expected"), "uncheckable:prose"),
        (code("print(1)\nprint(2)", "Result: 2"), "uncheckable:prose"),
        (code("x = 5", "Output: 5"), "uncheckable:prints_nothing"),
        (code("print(helper(2))", "Output: 5"), "uncheckable:NameError"),
        (code("import numpy_is_not_here", "Output: 5"), "uncheckable:ModuleNotFoundError"),
        (code("print(int(input()))", "Output: 5"), "uncheckable:EOFError"),
        (code("print(open('data.txt').read())", "Output: 5"), "uncheckable:FileNotFoundError"),
        (code("print(2 +", "Output: 5"), "uncheckable:SyntaxError"),
        (code("import random\nprint(random.random())", "Output: 0.5"), "uncheckable:may_change"),
        (code("import time\nprint(time.time())", "Output: 5"), "uncheckable:may_change"),
        (code("class A: pass\nprint(A())", "Output: `<A object>`"), "uncheckable:address"),
        (code("print(list(range(99)))", "Output: `[0, 1, ..., 98]`"), "uncheckable:cut_short"),
        (code("print('a  b')", "Output: `a b`"), "uncheckable:white_space"),
        (code("print('a')", "Output: `'a'`"), "uncheckable:quotes"),
        (code("print((1, 2))", "Output: `[1, 2]`"), "uncheckable:other_type"),
        (code("import sys\nprint(5)\nsys.exit(0)", "Output: 5"), "uncheckable:left_early"),
        (code("import os\nprint(5)\nos._exit(0)", "Output: 5"), "uncheckable:left_early"),
        (code("x = [0] * 10**9\nprint(len(x))", "Output: 1"), "uncheckable:MemoryError"),
        (code("print('x' * 3_000_000)", "Output: x"), "uncheckable:output_limit"),
        # sessions
        (session(">>> f(2)\n4"), "true"),
        (session(">>> f(2)\n5"), "false"),
        (session(">>> f('a')\n'aa'"), "true"),
        (session(">>> f('a')\naa"), "uncheckable:quotes"),
        (session(">>> for x in range(2):\n...     print(x)\n...\n0\n1"), "true"),
        (session(">>> print('a\\n\\nb')\na\n<BLANKLINE>\nb"), "true"),
        (session(">>> y = f(4)\n>>> y + 1\n9"), "true"),
        (session(">>> f(None)\nTraceback (most recent call last):\n  ...\nTypeError: "
                 "unsupported operand type(s) for *: 'NoneType' and 'int'"), "true"),
        (session(">>> f(None)\nTraceback (most recent call last):\nTypeError: no"),
         "uncheckable:other_words"),
        (session(">>> f(1)\nTraceback (most recent call last):\nTypeError: no"), "false"),
        (session(">>> f(None)\n0"), "false"),
        (session(">>> g(1)\n2"), "uncheckable:NameError"),
        (f"{DEF}\n>>> f(2)\n4\n\nSo it works.", "true"),
        (f"{DEF}\n>>> f(2)\n4\nSo it works.", "uncheckable:prose"),
        (f"{DEF}\n>>> f(2)\n5\n\nSo it works.", "false"),
        ("```python\n>>> 2 ** 10\n1024\n```", "true"),
        ("```pycon\n>>> 2 ** 10\n1023\n```", "false"),
    ],
)  # fmt: skip
def test_one_claim(response: str, wants: str):
    assert outcome(response) == wants


@pytest.mark.parametrize(
    "response",
    [
        "",
        "2 + 3 = 5",
        DEF,
        code("print(5)", "That is what is asked."),
        code("print(5)", "\n```text\n6\n```"),  # nothing says that it is the output
        code("print(5)", "\n```python\nprint(6)\n```"),
        code('def f():\n    """\n    >>> f()\n    7\n    """', ""),  # the problem's own words
        "```text\nOutput: 5\n```",
        "Output: 5",
        "```python\nprint(5)",
        session(">>> y = f(4)"),
        "He wrote:\n> > > quoted\n",
        "```js\nconsole.log(5)\n```\nOutput: 6",
    ],
)
def test_no_claim_is_no_step(response: str):
    steps = count(response)
    assert steps.evidence == "{}"
    assert not any((steps.n_true, steps.n_false, steps.n_uncheckable, steps.n_rounded))


def test_kinds_are_counted_apart_and_the_first_false_ones_are_shown():
    response = (
        DEF + session(">>> f(2)\n4\n>>> f(3)\n7\n>>> f(4)\n9") + code("print(1)", "Output: 2")
    )
    steps = count(response)
    assert (steps.n_true, steps.n_false, steps.n_uncheckable) == (1, 3, 0)
    assert json.loads(steps.evidence) == {
        "session": {"true": 1, "false": 2},
        "snippet": {"false": 1},
        "first_false": ["f(3) -> 7, not 6", "f(4) -> 9, not 8", "print(1) -> 2, not 1"],
    }


def test_earlier_blocks_are_known_and_later_ones_count():
    first = (
        "```python\nimport math\nlimit = 3\nprint('noise')\ndef f(x):\n    return x + limit\n```\n"
    )
    then = "```python\ndef f(x):\n    return x - limit\n```\n"
    assert outcome(first + code("print(f(1))", "Output: 4")) == "true"
    assert outcome(first + then + code("print(f(1))", "Output: -2")) == "true"
    assert outcome(code("print(f(1))", "Output: 4") + "\n" + first) == "uncheckable:NameError"


def test_code_cannot_pretend_to_be_the_harness():
    forged = "import sys\nprint('\\nabc begin')\nprint(5)\nprint('\\nabc end [\"\", \"\"]')"
    assert outcome(code(forged, "Output: `5`")) == "false"
    gone = "import sys\nsys.stdout = None"
    assert outcome(code(gone, "Output: 5")) == "uncheckable:prints_nothing"


def test_endless_code_costs_its_time_and_then_no_more_is_run():
    endless = code("while True:\n    pass", "Output: 5\n")
    steps = count(endless * 3 + code("print(5)", "Output: 5"))
    assert (steps.n_true, steps.n_uncheckable) == (0, 4)
    whys = json.loads(steps.evidence)["not_checked"]
    assert whys.pop("too_many_runs") == 2
    assert sum(whys.values()) == 2
    assert set(whys) <= {"timeout_wall", "timeout_cpu"}


def test_so_many_snippets_and_no_more():
    steps = count(code("print(5)", "Output: 5\n\n") * (MAX_RUNS + 3))
    assert (steps.n_true, steps.n_uncheckable) == (MAX_RUNS, 3)


def test_the_same_response_gives_the_same_counts():
    response = DEF + session(">>> f(2)\n4\n>>> f(3)\n7") + code("print(1 / 3)", "Output: 0.33")
    assert count(response) == count(response)


def test_reading_claims_takes_linear_time():
    for text in ("```python\n" * 20_000, ">>> f(1)\n" * 20_000, "Output: " * 20_000,
                 "`" * 200_000, ("```python\nx\n```\n" + "the output " * 30) * 500):  # fmt: skip
        list(runs(text))


def problem(options: str = "{}") -> Problem:
    return Problem("p", "Q", "[]", "v:v", options, "train", "code", "t", "s", "MIT", "{}")


def attempt(text: str) -> Attempt:
    return Attempt("p/t/0", "p", 0, "t", "", "", text, "stop", None)


def test_the_measure_has_the_address_that_a_recipe_names():
    found = resolve_measure(full_address("program_steps", "measure"))
    assert found is measure
    assert found(problem(), attempt(code("print(5)", "Output: 5"))).n_true == 1


def test_without_a_box_nothing_is_said(monkeypatch):
    monkeypatch.delenv("TRACEFACTORY_SANDBOX_URL", raising=False)
    with pytest.raises(Unavailable):
        measure(problem('{"isolation":"remote"}'), attempt(code("print(5)", "Output: 5")))
