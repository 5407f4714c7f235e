"""The tests of a problem, read strictly: what is malformed is the problem's fault, not a program's.

    stdin_stdout   a list of {"input": text, "output": text}
    function       a list of {"args": [...], "kwargs": {...}, "expected": value}; kwargs may lack
    asserts        Python code

Not here: running them (judging.py).
"""

import ast
import builtins
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from tracefactory.sandbox import plain


class BadTests(Exception):
    """They cannot be used: a short reason, and what was found."""

    def __init__(self, reason: str, found: str = "") -> None:
        super().__init__(reason, found)
        self.reason, self.found = reason, found


class InputOutput(NamedTuple):
    """One test of a script."""

    stdin: bytes
    stdout: bytes
    sha256: str


class FunctionCall(NamedTuple):
    """One test of a function."""

    args: list[object]
    kwargs: dict[str, object]
    expected: object
    sha256: str


def inputs_and_outputs(tests: object) -> list[InputOutput]:
    """For stdin_stdout.

    Raises:
        BadTests: they are malformed.
    """
    found: list[InputOutput] = []
    for number, test in _each(tests, {"input", "output"}, set()):
        texts = [test["input"], test["output"]]
        if not all(isinstance(text, str) for text in texts):
            raise BadTests("malformed_tests", f"test {number}: input and output must be texts")
        try:
            given, wanted = (str(text).encode() for text in texts)
        except UnicodeEncodeError:
            raise BadTests("malformed_tests", f"test {number}: lone surrogates") from None
        found.append(InputOutput(given, wanted, digest(test)))
    return found


def function_calls(tests: object) -> list[FunctionCall]:
    """For function.

    Raises:
        BadTests: they are malformed.
    """
    found: list[FunctionCall] = []
    for number, test in _each(tests, {"args", "expected"}, {"kwargs"}):
        args, kwargs = test["args"], test.get("kwargs", {})
        if not isinstance(args, list | tuple):
            raise BadTests("malformed_tests", f"test {number}: args must be a list")
        if not isinstance(kwargs, dict):
            raise BadTests("malformed_tests", f"test {number}: kwargs must be an object")
        try:
            plain.dumps([list(args), kwargs, test["expected"]])
        except plain.NotPlain as error:
            raise BadTests("malformed_tests", f"test {number}: {error}") from None
        if not _is_json([args, kwargs, test["expected"]]):
            raise BadTests("malformed_tests", f"test {number}: no JSON data")
        found.append(FunctionCall(list(args), kwargs, test["expected"], digest(test)))
    return found


def test_code(tests: object) -> str:
    """For asserts.

    Raises:
        BadTests: it is no text.
    """
    if not isinstance(tests, str):
        raise BadTests("malformed_tests", f"asserts are a text, not {type(tests).__name__}")
    if not tests.strip():
        raise BadTests("no_tests")
    if len(tests) > plain.MAX_CHARS // 8:
        raise BadTests("malformed_tests", f"{len(tests)} characters of tests")
    return tests


def called_name(tests: str) -> str:
    """The one function that the test code calls and does not have: what it tests.

    Raises:
        BadTests: it cannot be parsed, or calls none or several.
    """
    try:
        tree = ast.parse(tests)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadTests("tests_syntax_error", f"{type(error).__name__}: {error}") from None
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    has = {node.id for node in names if not isinstance(node.ctx, ast.Load)} | set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            has.add(node.name)
        elif isinstance(node, ast.arg):
            has.add(node.arg)
        elif isinstance(node, ast.alias):
            has.add((node.asname or node.name).partition(".")[0])
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    missing = sorted({f.id for f in called if isinstance(f, ast.Name) and f.id not in has})
    if len(missing) != 1:
        raise BadTests("no_entry_point_named", f"the tests call {', '.join(missing) or 'nothing'}")
    return missing[0]


def digest(test: object) -> str:
    """sha256 of a test as JSON."""
    try:
        text = json.dumps(test, sort_keys=True)
    except ValueError:  # an integer with more digits than Python writes
        text = plain.dumps(test)
    return hashlib.sha256(text.encode()).hexdigest()


def _each(
    tests: object, needed: set[str], allowed: set[str]
) -> list[tuple[int, Mapping[str, object]]]:
    if not isinstance(tests, Sequence) or isinstance(tests, str | bytes):
        raise BadTests("malformed_tests", f"tests are a list, not {type(tests).__name__}")
    if not tests:
        raise BadTests("no_tests")
    found: list[tuple[int, Mapping[str, object]]] = []
    for number, test in enumerate(cast("Sequence[object]", tests)):
        if not isinstance(test, Mapping):
            raise BadTests("malformed_tests", f"test {number} is no object")
        names = set(cast("Mapping[str, object]", test))
        if not needed <= names <= needed | allowed:
            wants, has = sorted(needed), sorted(map(str, names))
            raise BadTests("malformed_tests", f"test {number} needs {wants} and has {has}")
        found.append((number, cast("Mapping[str, object]", test)))
    return found


def _is_json(value: object) -> bool:
    """JSON data; tuples pass for lists."""
    if isinstance(value, list | tuple):
        return all(map(_is_json, cast("Sequence[object]", value)))
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return all(type(name) is str and _is_json(item) for name, item in items)
    return value is None or type(value) in (bool, int, float, str)
