import importlib.util
import threading
import time

import pytest

from tracefactory.verifiers.second_opinion import MissingError, Opinion, ask, require

installed = importlib.util.find_spec("math_verify") is not None
needs_it = pytest.mark.skipif(
    not installed,
    reason="NOT TESTED: the second opinion (Math-Verify is not installed: pip install "
    "'math-verify[antlr4_13_2]>=0.9')",
)

PATIENCE_S = 60.0
MATRIX = "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"


def test_without_it_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'tracefactory\[math-verify\]'"):
        ask("1", "2")
    with pytest.raises(ImportError):
        require()


@needs_it
@pytest.mark.parametrize(
    "reference",
    ["1/2", "\\frac12", "$\\frac12$", "\\boxed{\\frac12}", "0.5"],
)
def test_a_reference_is_read_however_it_is_dressed(reference):
    for response in ("So it is \\boxed{\\frac{1}{2}}.", "The answer is 1/2", "$0.5$"):
        assert ask(reference, response, PATIENCE_S) == Opinion(True, "")
    assert ask(reference, "So it is \\boxed{\\frac{1}{3}}.", PATIENCE_S) == Opinion(False, "")


@needs_it
@pytest.mark.parametrize(
    ("reference", "answer", "agrees"),
    [
        ("\\{1,2\\}", "\\{2,1\\}", True),
        ("1, 2", "2, 1", True),
        ("(1,2)", "(2,1)", False),
        ("[1,2)", "[1,2)", True),
        ("[1,2)", "[1,2]", False),
        ("x=5", "5", True),
        ("x^2+1", "1+x^2", True),
        ("Tuesday", "Tuesday", True),
        (MATRIX, MATRIX, True),
        ("1,234", "1234", True),
        ("5 m", "5 kg", True),  # it does not read units
        ("2^{-98}", "2^{-99}", True),  # takes what is small for nothing
        ("silent", "listen", True),  # and words for products
    ],
)  # fmt: skip
def test_it_has_an_opinion_of_its_own(reference, answer, agrees):
    assert ask(reference, f"So it is \\boxed{{{answer}}}.", PATIENCE_S) == Opinion(agrees, "")


@needs_it
def test_what_it_cannot_read_is_no_opinion():
    assert ask("4", "I do not know.", PATIENCE_S) == Opinion(None, "response_unparsed")
    assert ask("", "\\boxed{4}", PATIENCE_S).agrees is None
    assert ask("\ud800", "\udfff \x00", PATIENCE_S).agrees is None


@needs_it
def test_it_is_stopped_by_our_clock_and_goes_on():
    started = time.monotonic()
    assert ask("5", "\\boxed{9^{9^{9^9}}}", 1.0) == Opinion(None, "timeout")
    assert time.monotonic() - started < PATIENCE_S
    assert ask("5", "\\boxed{5}", PATIENCE_S) == Opinion(True, "")


@needs_it
def test_it_can_be_asked_from_any_thread():
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(ask("5", "\\boxed{5}", PATIENCE_S)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Opinion(True, "")] * 3
