"""The checker of programs, with real boxes: right programs pass, and nothing else does."""

import ast
import contextlib
import gzip
import json
import math
import pickle
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.sandbox import ladder
from tracefactory.sandbox.execution import run_program
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Unavailable
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import STATUSES
from tracefactory.verifiers.contract import resolve_verifier, versioned
from tracefactory.verifiers.programs import reasons
from tracefactory.verifiers.programs.comparison import Tolerance, same_output, same_value
from tracefactory.verifiers.programs.extraction import last_program
from tracefactory.verifiers.python_program import judge, verify

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "python_program.jsonl")
    .read_text("utf-8")
    .splitlines()
]
FAKES = [case for case in CASES if case.get("fake")]
SETTINGS = ("kind", "tests", "entry_point", "timeout_s", "memory_mb", "tolerance")
HUMAN_EVAL = Path(__file__).parents[2].parent / "shared/data/human_eval/HumanEval.jsonl.gz"
SQUARE = "def f(x): return x * x\n"
FUNCTION = [{"args": [2], "expected": 4}]


def judged(case, **more):
    settings = {name: case[name] for name in SETTINGS if name in case}
    return judge(case["program"], **settings, **more)


@pytest.fixture(scope="module", autouse=True)
def _walls():
    """Without walls, nothing here can be tested, and the tests say why."""
    ladder.choose()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_case(case):
    verdict = judged(case)
    assert verdict.status == case["status"], verdict
    assert verdict.reason == (case["reason"] or verdict.reason)
    evidence = json.loads(verdict.evidence)
    assert (evidence["kind"], evidence["rung"]) == (case["kind"], ladder.choose().name)


def test_the_cases_reach_every_reason():
    reached = {case["reason"] for case in CASES}
    assert {
        "passed", "wrong_answer", "runtime_error", "syntax_error", "no_entry_point",
        "timeout_wall", "memory_limit", "output_limit", "process_limit", "crashed",
        "not_plain_data", "channel_violation", "tampered",
    } <= reached  # fmt: skip
    assert {case["kind"] for case in FAKES} == {"stdin_stdout", "function", "asserts"}
    assert all(case["status"] == "incorrect" for case in FAKES)


@pytest.mark.parametrize("name", ["bwrap", "landlock"])
def test_no_fake_passes_on_a_lower_rung(name):
    try:
        ladder.choose(name)
    except Unavailable as error:
        pytest.skip(f"NOT TESTED: {error}")
    for case in FAKES:
        verdict = judged(case, isolation=name)
        assert verdict.status == "incorrect", (case["why"], verdict)
        assert json.loads(verdict.evidence)["rung"] == name


# ---- HumanEval ----


def human_eval():
    if not HUMAN_EVAL.exists():
        pytest.skip(f"NOT TESTED: {HUMAN_EVAL} is not here")
    with gzip.open(HUMAN_EVAL, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def with_helpers(row):
    """The tests, and before them the prompt's other functions: those of 32, 38, 50 call them."""
    helpers = [
        ast.unparse(node)
        for node in ast.parse(row["prompt"]).body
        if not (isinstance(node, ast.FunctionDef) and node.name == row["entry_point"])
    ]
    return "\n".join([*helpers, row["test"]])


def of_human_eval(body):
    """(row, verdict) of each task, two at a time."""
    rows = human_eval()

    def one(row):
        program = row["prompt"] + (body or row["canonical_solution"])
        return judge(
            program, kind="asserts", tests=with_helpers(row), entry_point=row["entry_point"]
        )

    with ThreadPoolExecutor(2) as pool:
        return list(zip(rows, pool.map(one, rows), strict=True))


def test_all_canonical_solutions_of_human_eval_pass():
    found = of_human_eval(None)
    assert len(found) == 164
    assert [(row["task_id"], v) for row, v in found if v.reason != "passed"] == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("    pass\n", "wrong_answer"),
        ("    return -987654321\n", "wrong_answer"),
        ("    exit(0)\n", "runtime_error"),
        ("    import os; os._exit(0)\n", "runtime_error"),
        ("    return type('A', (), {'__eq__': lambda s, o: True})()\n", "not_plain_data"),
    ],
)
def test_no_cheat_passes_human_eval(body, reason):
    found = of_human_eval(body)
    assert [(row["task_id"], v) for row, v in found if v.reason != reason] == []


# ---- limits, time, the set-up ----


def test_a_time_out_is_tried_again_with_twice_the_time():
    slow = "import time\nprint(4)\ntime.sleep(0.9)"
    tests = [{"input": "", "output": "4"}]
    verdict = judge(slow, kind="stdin_stdout", tests=tests, timeout_s=0.6)
    assert (verdict.reason, verdict.limited_by) == ("passed", None)
    verdict = judge(slow, kind="stdin_stdout", tests=tests, timeout_s=0.3)
    assert (verdict.reason, verdict.limited_by) == ("timeout_wall", "clock")
    assert json.loads(verdict.evidence)["limit"] == {"timeout_s": 0.3}


def test_time_of_the_processor_is_a_limit_of_its_own():
    limits = Limits(wall_s=20.0, cpu_s=1.0)
    ending = run_program(ladder.choose(), "while True: pass", b"", limits)
    found = reasons.of_ending(ending, limits)
    assert found is not None
    assert found.reason == "timeout_cpu"


@pytest.mark.parametrize("kind", ["function", "asserts"])
def test_a_conversation_has_one_clock(kind):
    """Ten calls of 0.2 s do not fit into 0.5 s, nor into twice that."""
    program = "import time\ndef f(x):\n    time.sleep(0.2)\n    return x"
    calls = [{"args": [n], "expected": n} for n in range(10)]
    tests = calls if kind == "function" else "for n in range(10): assert f(n) == n"
    begun = time.monotonic()
    verdict = judge(program, kind=kind, tests=tests, entry_point="f", timeout_s=0.5)
    assert verdict.reason == "timeout_wall"
    assert time.monotonic() - begun < 5


def kill_zygotes():
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # a zombie
            if any("zygote" in word for word in child.cmdline()):
                child.send_signal(signal.SIGKILL)


def test_a_lost_run_is_run_again():
    program = "import time\ndef f(x):\n    time.sleep(0.5)\n    return x * x"
    judge(SQUARE, kind="function", tests=FUNCTION, entry_point="f")
    threading.Timer(0.2, kill_zygotes).start()
    verdict = judge(program, kind="function", tests=FUNCTION, entry_point="f")
    assert verdict.reason == "passed"


def test_what_is_lost_again_and_again_is_an_error_and_never_a_reject():
    stop = threading.Event()

    def storm():
        while not stop.wait(0.05):
            kill_zygotes()

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        program = "import time\ntime.sleep(8)"
        verdict = judge(program, kind="stdin_stdout", tests=[{"input": "", "output": ""}])
    finally:
        stop.set()
        thread.join()
    assert (verdict.status, verdict.reason) in (
        ("error", "sandbox_lost"),
        ("error", "sandbox_unavailable"),
    )
    assert judge(SQUARE, kind="function", tests=FUNCTION, entry_point="f").reason == "passed"


def test_without_walls_nothing_runs(monkeypatch):
    monkeypatch.delenv("TRACEFACTORY_SANDBOX_URL", raising=False)
    verdict = judge(SQUARE, kind="function", tests=FUNCTION, entry_point="f", isolation="remote")
    assert (verdict.status, verdict.reason) == ("error", "sandbox_unavailable")
    assert "TRACEFACTORY_SANDBOX_URL" in json.loads(verdict.evidence)["findings"]


def test_same_input_same_verdict_from_any_thread():
    wrong = "import random\ndef f(x): return {'a': x, 'b': {3, 1, 2}, 'c': hash('x')}"
    with ThreadPoolExecutor(8) as pool:
        found = set(
            pool.map(
                lambda _: judge(wrong, kind="function", tests=FUNCTION, entry_point="f"), range(40)
            )
        )
    assert len(found) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "unittest"},
        {"entry_point": None},
        {"entry_point": "f()"},
        {"timeout_s": 0},
        {"timeout_s": math.nan},
        {"memory_mb": 1},
        {"tolerance": -1.0},
        {"isolation": "prayer"},
    ],
)
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises(ValueError, match=r"\w"):
        judge(SQUARE, **{"kind": "function", "tests": FUNCTION, "entry_point": "f"} | settings)


# ---- as a stage ----


def a_problem(reference, **options):
    text = json.dumps(options)
    return Problem("p", "?", reference, "v", text, "train", "code", "t", "s", "MIT", "{}")


def an_attempt(text):
    return Attempt("p/t/0", "p", 0, "t", "r", "MIT", text, "stop", 1)


def test_verify_finds_the_program_and_reads_its_settings():
    calls = a_problem(json.dumps(FUNCTION), kind="function", entry_point="f", timeout_s="5")
    asserts = a_problem("assert f(2) == 4", kind="asserts")
    output = a_problem('[{"input":"", "output":"0.5"}]', kind="stdin_stdout", tolerance="0.1")
    answered = an_attempt(f"<think>```python\nx\n```</think>Here:\n```python\n{SQUARE}```\n")
    for problem in (calls, asserts):
        verdict = verify(problem, answered)
        assert (verdict.status, verdict.reason) == ("correct", "passed")
        assert (verdict.attempt_id, verdict.final_answer) == ("p/t/0", SQUARE)
    assert verify(output, an_attempt("~~~py\nprint(0.51)\n~~~")).status == "correct"
    assert verify(calls, an_attempt("I think it is x * x")).status == "no_answer"
    assert verify(a_problem("[", kind="function", entry_point="f"), answered).status == (
        "bad_reference"
    )
    assert verify(a_problem("{}", kind="stdin_stdout"), answered).status == "bad_reference"


def test_a_verdict_without_walls_is_marked_in_every_row():
    problem = a_problem("assert f(1) == 2", kind="asserts", isolation="none-unsafe")
    verdict = verify(problem, an_attempt("```python\ndef f(x):\n    return x + 1\n```"))
    assert (verdict.status, verdict.reason) == ("correct", "passed")
    assert verdict.verifier.endswith("+none-unsafe")
    safe = verify(
        a_problem("assert f(1) == 2", kind="asserts"), an_attempt("```python\nf = id\n```")
    )
    assert "+" not in safe.verifier


@pytest.mark.parametrize(
    "options", [{}, {"kind": "x"}, {"kind": "asserts", "timeout": "3"},
                {"kind": "asserts", "timeout_s": "soon"}],
)  # fmt: skip
def test_options_that_mean_nothing_are_a_broken_set_up(options):
    with pytest.raises(ValueError, match=r"option|kind"):
        verify(a_problem("assert f(2) == 4", **options), an_attempt(f"```py\n{SQUARE}```"))


def test_the_contract():
    address = "tracefactory.verifiers.python_program:verify"
    assert resolve_verifier(address) is verify
    assert versioned(address).endswith("@1")
    assert pickle.loads(pickle.dumps(verify)) is verify
    assert {case["status"] for case in CASES} <= set(STATUSES)


# ---- finding the program ----

EXTRACTED = [
    ("```python\na\n```", "a\n"),
    ("```py\na\n```", "a\n"),
    ("```Python3\na\n```", "a\n"),
    ("~~~python\na\n~~~", "a\n"),
    ("````python\n```\na\n````", "```\na\n"),
    ("```python title=x\na\n```", "a\n"),
    ("```{.python}\na\n```", "a\n"),
    ("```python\na\n```\nor\n```python\nb\n```\nit prints\n```\n3\n```", "b\n"),
    ("```python\r\na\r\nb\r\n```\r\n", "a\nb\n"),
    ("1. do\n   ```python\n   if a:\n     b\n   ```", "if a:\n  b\n"),
    ("```python\n```", "\n"),
    ("<think>\n```python\na\n```\n</think>\n```python\nb\n```", "b\n"),
    ("reasoning</think>```python\nb\n```", "b\n"),
    ("```text\n```python\nb\n```\n", None),  # the block is text's, in which a line begins so
    ("~~~\n```python\nb\n```\n~~~", None),
    ("<think>```python\na\n```", None),
    ("<think>a</think><think>```python\na\n```", None),
    ("<think>\n```python\na\n```\n</think>\nDone.", None),
    ("```python\na\n```\n```python\nb", None),  # cut off in its last block
    ("```\na\n```", None),
    ("```pycon\n>>> a\n```", None),
    ("```c\na\n```", None),
    ("say `python` and ```python a```", None),
    ("a = 1", None),
    ("", None),
]


@pytest.mark.parametrize(("response", "program"), EXTRACTED)
def test_the_last_python_block_is_the_program(response, program):
    assert last_program(response).program == program
    assert bool(last_program(response).why) == (program is None)


@given(st.text(alphabet="`~python \n<>/think=ab", max_size=200))
def test_any_response_has_a_program_or_a_reason(response):
    found = last_program(response)
    assert (found.program is None) == bool(found.why)


@given(st.text(st.characters(exclude_characters="`\r")))
def test_a_fenced_program_is_found_as_it_was(program):
    found = last_program(f"<think>hm</think>So\n```python\n{program}\n```\nDone.")
    assert "<think" in program or "</think" in program or found.program == program + "\n"


# ---- comparing ----

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_a_value_equals_itself_and_its_copy_as_json(value):
    assert same_value(value, value)
    assert same_value(json.loads(json.dumps(value)), value)
    assert same_value([value], (value,))
    assert not same_value([value], [value, value])
    assert not same_value(value, [[value]])


@given(json_values, json_values)
def test_comparing_is_symmetric(one, other):
    assert same_value(one, other) == same_value(other, one)


@given(st.integers())
def test_integers_are_exact_and_no_booleans(number):
    assert not same_value(number, number + 1)
    assert not same_value(number, bool(number))
    assert not same_value(number, str(number))


VALUES = [
    (2, 2.0, True), (1.0, 1.0000009, True), (1.0, 1.000002, False), (0.0, 1e-9, True),
    (0.0, 2e-9, False), (10**9, 10**9 + 1, False), (math.nan, math.nan, True),
    (math.nan, 0.0, False),
    (math.inf, math.inf, True), (math.inf, -math.inf, False), (1e308, math.inf, False),
    (True, True, True), (True, 1, False), (1, True, False), (0, False, False), (False, 0.0, False),
    (True, 1.0, False), ("a", b"a", False), (None, 0, False), ("", None, False), (None, None, True),
    ([1, 2], (1, 2), True), ([1, 2], {1, 2}, False), ([], {}, False), ([], (), True),
    ({"1": 2}, {1: 2}, True), ({"true": 2}, {True: 2}, True), ({"null": 2}, {None: 2}, True),
    ({"1": 2}, {True: 2}, False), ({"1": 2, "2": 3}, {1: 2, "1": 3}, False),
    ({"1": 2}, {1: 2, "1": 2}, False), ({"a": 1}, {"a": 1, "b": 1}, False), (10**400, 1.0, False),
    ({"a": [1.0]}, {"a": (1.0000000001,)}, True), ({"1": 1}, {10**5000: 1}, False),
    ({"(1, 2)": 1}, {(1, 2): 1}, False), (1, 1 + 0j, False), ("a", ["a"], False),
]  # fmt: skip


@pytest.mark.parametrize(("want", "got", "equal"), VALUES)
def test_values(want, got, equal):
    assert same_value(want, got) is equal


def test_a_tolerance_that_the_problem_asks_for():
    assert same_value([0.5], [0.501], Tolerance(0.01, 0.01))
    assert not same_value([1], [2], Tolerance(0.9, 0.9))
    assert not same_value(1, True, Tolerance(0.9, 0.9))


OUTPUTS = [
    (b"4\n", b"4", None, True), (b"4", b"4\r\n", None, True), (b"4 \n5", b"4\n5\t\n", None, True),
    (b"4\n5\n", b"4\n5\n\n\n", None, True), (b"4\n\n5", b"4\n5", None, False),
    (b"", b"\n", None, True),
    (b" 4", b"4", None, False), (b"4\r5", b"4\n5", None, False), (b"0.50", b"0.5", None, False),
    (b"4 5", b"4  5", None, False), (b"\xff", b"\xfe", None, False), (b"A", b"a", None, False),
    (b"0.50", b"0.5", 1e-6, True), (b"x 1.0", b"x  1.0000001", 1e-6, True),
    (b"1", b"2", 0.9, False),
    (b"1000000", b"1000001", 1e-3, False), (b"0.5", b"nan", 0.9, False),
    (b"nan", b"nan", 0.1, True),
    (b"inf", b"1e999", 0.1, False), (b"1.5 2", b"1.5", 0.1, False), (b"1_0", b"10", 0.1, False),
    (b"0.5", b"0x1", 0.9, False), (b"+3", b"3", 0.1, True), (b"1e2", b"100.0", 1e-6, True),
]  # fmt: skip


@pytest.mark.parametrize(("want", "got", "tolerance", "equal"), OUTPUTS)
def test_outputs(want, got, tolerance, equal):
    asked = None if tolerance is None else Tolerance(tolerance, tolerance)
    assert same_output(want, got, asked) is equal


@given(st.binary(max_size=50), st.sampled_from([b"", b"\n", b" \n", b"\r\n", b"\n\n"]))
def test_output_equals_itself_whatever_white_space_follows(output, tail):
    assert same_output(output, output + tail)
    assert not same_output(output, output.rstrip() + b"\nx")


def test_no_process_and_no_descriptor_is_left():
    def left():
        return len(psutil.Process().children(recursive=True)), psutil.Process().num_fds()

    def settled(processes, descriptors):
        """What is left once it is no more than this, or after a time that no end takes."""
        for _ in range(300):
            if left()[0] <= processes and left()[1] <= descriptors:
                break
            time.sleep(0.1)
        return left()

    before = left()
    # Every kind of case once, so that what stays open for the next one is open already.
    for case in CASES[:40]:
        judged(case)
    processes, descriptors = settled(before[0] + 1, before[1] + 5)
    for case in CASES[:40]:
        judged(case)
    after = settled(processes + 1, descriptors + 5)
    assert after[0] <= processes + 1
    assert after[1] <= descriptors + 5
