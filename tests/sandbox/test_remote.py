"""A server of SandboxFusion's protocol decides nothing, and its faults are nobody's verdict."""

import json

import pytest
from fusion_server import serving

from tracefactory.sandbox import ladder, remote
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost, Pool, Unavailable
from tracefactory.sandbox.rung import Rung

LIMITS = Limits(wall_s=5.0)
ADD = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def server():
    pool = Pool("namespaces")
    with serving(pool) as found:
        yield found
    pool.close()


@pytest.fixture
def rung(server):
    server.faults.clear()
    server.seen.clear()
    return Rung("remote", None, url=server.url)


def test_a_program_runs_with_its_input(rung):
    ending = remote.run_program(rung, "print(input()[::-1])", "äbc\n".encode(), LIMITS)
    assert (ending.exit_code, ending.stdout.decode()) == (0, "cbä\n")


@pytest.mark.parametrize(
    ("program", "code", "message"),
    [
        ("raise SystemExit(7)", 7, None),
        ("\n1/0", 1, ("exception", "ZeroDivisionError: division by zero", 2)),
        ("x = (", 1, ("syntax_error", "SyntaxError: '(' was never closed", 1)),
    ],
)
def test_how_it_ended(rung, program, code, message):
    ending = remote.run_program(rung, program, b"", LIMITS)
    assert (ending.exit_code, ending.killed_for) == (code, "")
    assert message == (ending.message and tuple(ending.message.values()))


def test_time_signals_and_output_are_told_apart(rung):
    late = remote.run_program(rung, "while True: pass", b"", Limits(wall_s=0.5))
    assert (late.killed_for, late.exit_code) == ("timeout_wall", None)
    dead = remote.run_program(rung, "import os; os.kill(os.getpid(), 11)", b"", LIMITS)
    assert (dead.signal, dead.exit_code) == (11, None)
    long = remote.run_program(rung, "print('x' * 2000)", b"", Limits(output_bytes=1000))
    assert long.killed_for == "output_limit"


def test_calls_return_plain_data_in_order_and_remember(rung):
    program = """
seen = []
def f(x, *, k=0):
    print('noise')
    seen.append(x)
    return (seen, {1: k})
"""
    found = remote.call_function(rung, program, "f", [([1], {}), ([2], {"k": 5})], LIMITS)
    assert [one.value for one in found] == [([1], {1: 0}), ([1, 2], {1: 5})]
    assert {one.outcome for one in found} == {"value"}


def test_calls_stop_at_the_first_that_does_not_return(rung):
    calls = [([1, 2], {}), ([1, "2"], {}), ([3, 4], {})]
    found = remote.call_function(rung, ADD, "add", calls, LIMITS)
    assert [one.outcome for one in found] == ["value", "raised"]
    assert found[1].error.startswith("TypeError")
    assert found[1].line == 2
    found = remote.call_function(rung, "def f():\n    return object()", "f", [([], {})], LIMITS)
    assert (found[0].outcome, len(found)) == ("not_plain", 1)


@pytest.mark.parametrize(
    ("program", "end"),
    [("def g(): pass", "no_entry_point"), ("x = (", "syntax_error"), ("1/0", "exception")],
)
def test_a_program_without_its_function(rung, program, end):
    (found,) = remote.call_function(rung, program, "f", [([], {})], LIMITS)
    assert (found.outcome, found.message["end"]) == ("ended", end)


def test_a_call_that_never_returns_or_leaves(rung):
    calls = [([0], {}), ([1], {})]
    loop = "def f(x):\n    while x: pass\n    return x"
    found = remote.call_function(rung, loop, "f", calls, Limits(wall_s=1.0))
    assert [one.outcome for one in found] == ["value", "ended"]
    assert found[1].ending.killed_for == "timeout_wall"
    leave = "import os\ndef f(x):\n    if x: os._exit(0)\n    return x"
    found = remote.call_function(rung, leave, "f", calls, LIMITS)
    assert [one.outcome for one in found] == ["value", "ended"]


def test_tests_pass_by_their_nonce_alone(rung):
    tests = (
        "for i in range(4):\n    assert add(i, 2) == i + 2\n"
        "def check(candidate):\n    assert candidate(1, 1) == 2"
    )
    found = remote.run_tests(rung, ADD, "add", tests, LIMITS)
    assert found.passed
    assert found.calls == 5
    wrong = remote.run_tests(rung, "def add(a, b): return 4", "add", tests, LIMITS)
    assert (wrong.passed, wrong.failed_side, wrong.message["end"]) == (False, "tester", "assertion")
    assert wrong.line == 2


@pytest.mark.parametrize(
    "program",
    [
        "import os\ndef add(a, b): os._exit(0)",
        "raise SystemExit(0)",
        "class E(int):\n    __eq__ = lambda s, o: True\n    __hash__ = int.__hash__\n"
        "def add(a, b): return E()",
        "import os\nos.write(1, b'{\"nonce\":\"x\",\"calls\":0}\\n')\ndef add(a, b): return 0",
        "import tracefactory.sandbox.driver as d, sys\n"
        "def add(a, b):\n"
        "    d.Channel(1).send({'nonce': 'x', 'calls': 1}); return 0",
        "def add(a, b):\n    raise AssertionError",
    ],
)  # fmt: skip
def test_no_cheat_passes(rung, program):
    tests = "assert add(1, 2) == 3\nassert add(2, 2) == 4"
    assert not remote.run_tests(rung, program, "add", tests, LIMITS).passed


def test_expected_values_never_travel_with_the_program(rung, server):
    tests = "assert add(20, 300) == 320  # SECRET\nassert add(1, 1) == 2"
    assert remote.run_tests(rung, ADD, "add", tests, LIMITS).passed
    sent = [body["code"] + body["stdin"] for body in server.seen]
    with_program = [text for text in sent if json.dumps(ADD)[1:-1] in text]
    with_tests = [text for text in sent if "SECRET" in text]
    assert len(with_program) == 2
    assert len(with_tests) == 3
    assert not set(with_program) & set(with_tests)
    assert not any("320" in text or '"nonce"' in text.partition("\n")[2] for text in with_program)


def test_tests_that_do_not_repeat_are_no_verdict(rung):
    tests = "import time\nfor i in range(3):\n    add(time.time_ns(), i)"
    with pytest.raises(Lost, match="same calls"):
        remote.run_tests(rung, ADD, "add", tests, LIMITS)


@pytest.mark.parametrize("fault", [500, "garbage", "half", "sandbox_error", "run_error"])
def test_the_server_s_faults_are_losses(rung, server, fault):
    server.faults.append(fault)
    with pytest.raises(Lost):
        remote.run_program(rung, "print(1)", b"", LIMITS)
    assert remote.run_program(rung, "print(1)", b"", LIMITS).stdout == b"1\n"


def test_a_server_that_hangs_or_is_gone_is_a_loss(rung, server, monkeypatch):
    monkeypatch.setattr(remote, "HTTP_GRACE_S", 0.3)
    server.faults.append("hang")
    with pytest.raises(Lost):
        remote.run_program(rung, "print(1)", b"", Limits(wall_s=0.5))
    with pytest.raises(Lost):
        remote.run_program(Rung("remote", None, url="http://127.0.0.1:9"), "", b"", LIMITS)


def test_the_ladder_asks_the_server_first(rung, server, monkeypatch):
    monkeypatch.setenv(ladder.URL_VARIABLE, server.url)
    found = ladder.tried("remote")
    assert ladder.holds(found)
    assert found.url == server.url
    assert [canary.name for canary in found.findings] == ["answers", "exit code", "time limit"]
    server.faults.append("sandbox_error")
    assert not ladder.holds(ladder.tried("remote"))
    monkeypatch.delenv(ladder.URL_VARIABLE)
    assert "not set" in ladder.tried("remote").findings[0].detail
    with pytest.raises(Unavailable, match="name a SandboxFusion server"):
        ladder.choose("remote")
