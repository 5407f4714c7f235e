r"""Rows that hold programming problems: HumanEval's layout, and that of programming contests.

    problem: {layout: humaneval, id: task_id}           # columns: prompt, test, entry_point
    problem: {layout: contest, id: problem_id}          # APPS: question, input_output
    problem: {layout: contest, statement: question_content, starter: starter_code,
              tests: [public_test_cases, private_test_cases],
              entry_point: metadata}                    # LiveCodeBench

humaneval   The statement is the prompt. The tests are Python code; in front of them stand the
            prompt's imports, assignments and complete functions, because tests may call them. They
            are trusted, and run where the tests run, never where the program does.
contest     Tests are JSON text or nested columns, in any of these forms:
                {"inputs": [...], "outputs": [...]}, with "fn_name" for tests of a function
                [{"input": ..., "output": ..., "testtype": "stdin" or "functional"}, ...]
                the latter as LiveCodeBench packs it: base64 of zlib of a pickled text (read
                without unpickling)
            With a function named, by the tests or by `entry_point` (a name, or a JSON object with
            `func_name`), they are calls of it: an input is the list of arguments, or a text with
            one argument as JSON a line. Without, texts for standard input and from standard
            output; lists of texts are lines.

What comes out is what verifiers/python_program.py reads. Text is stored as it stands in the row.

Not here: reading files (rows.py), running anything (a `solution`, if one is named, is judged by
the reader, tables.py), methods of a class as entry points: such rows are refused.
"""

import ast
import base64
import binascii
import json
import pickletools
import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, cast

from pydantic import Discriminator, Field, Tag

from tracefactory.sources.mapping import (
    ABSENT,
    Extract,
    Missing,
    ProblemMap,
    Program,
    Rule,
    Text,
    apply_extract,
    look_up,
)
from tracefactory.verifiers.programs import wanted
from tracefactory.verifiers.programs.wanted import BadTests

CHECKER = "tracefactory.verifiers.python_program:verify"
MAX_UNPACKED_BYTES = 256 << 20
_NAMED_IN = ("func_name", "fn_name", "entry_point")


class _Common(Rule):
    solution: Extract | None = None
    """A program known to be right, judged before the problem is used (`{python: [a, b]}` joins
    columns); without it, only the form of the tests is checked."""
    id: Extract | None = None
    split: Extract | None = None
    license: Extract | None = None
    domain: Extract | None = None
    task_type: Extract | None = None
    source: Extract | None = None


class HumanEvalMap(_Common):
    """Where a problem of HumanEval's layout stands in a row."""

    layout: Literal["humaneval"]
    statement: Extract = "prompt"
    """The beginning of a program: imports, helpers, and the function to be completed."""
    tests: Extract = "test"
    """Python code: asserts, or `check(candidate)`."""
    entry_point: Extract = "entry_point"
    """The function's name."""


class TestLists(Rule):
    """Inputs and outputs in columns of their own."""

    __test__ = False  # not for pytest

    inputs: Text
    outputs: Text


class ContestMap(_Common):
    """Where a contest's problem stands in a row."""

    layout: Literal["contest"]
    statement: Extract = "question"
    """The task in words."""
    tests: Text | TestLists | Annotated[tuple[Text, ...], Field(min_length=1, strict=False)] = (
        "input_output"
    )
    """The column with the tests, several such columns, or `{inputs: column, outputs: column}`."""
    entry_point: Text | None = None
    """The column that names the function, if the tests do not; empty there: none."""
    starter: Text | None = None
    """A column with the first lines of the program; put under the statement if not empty."""
    wrapped_outputs: bool = False
    """Does what a function returns stand in a list of one, as in a part of APPS?"""


def _layout(rules: object) -> str:
    named: object = (
        cast("Mapping[str, object]", rules).get("layout", "columns")
        if isinstance(rules, Mapping)
        else getattr(rules, "layout", "columns")
    )
    return str(named)


AnyProblemMap: TypeAlias = Annotated[
    Annotated[ProblemMap, Tag("columns")]
    | Annotated[HumanEvalMap, Tag("humaneval")]
    | Annotated[ContestMap, Tag("contest")],
    Discriminator(_layout),
]
ProgramMap: TypeAlias = HumanEvalMap | ContestMap


def check_verifier(rules: ProblemMap | HumanEvalMap | ContestMap, verifier: str) -> None:
    """See that programs go to a checker of programs.

    Raises:
        ValueError: they would not.
    """
    if isinstance(rules, ProgramMap) and verifier in ("numeric", "symbolic", "choice"):
        raise ValueError(
            f"problems of the layout {rules.layout} ask for programs, which {verifier!r} does not "
            "check; add `verifier: python_program`"
        )


class UnusableRow(Exception):
    """A row that cannot become a problem; the text is the reason: short, stable, countable."""


class Made(NamedTuple):
    """What a row gives beside the fields that all problems have."""

    statement: str
    reference: str
    options: dict[str, str]
    specimen: str | None
    """A response that the checker must accept; None if the row has none."""


def read_program(rules: ProgramMap, row: Mapping[str, object]) -> Made:
    """The problem that a row holds.

    Raises:
        UnusableRow: it holds none.
    """
    specimen = None if rules.solution is None else _fenced(_text(rules.solution, row))
    if isinstance(rules, HumanEvalMap):
        return _humaneval(rules, row)._replace(specimen=specimen)
    return _contest(rules, row)._replace(specimen=specimen)


def _text(rule: Extract, row: Mapping[str, object]) -> str:
    found = apply_extract(rule, row)
    if isinstance(found, Missing):
        raise UnusableRow(found.reason)
    return found


def _fenced(code: str) -> str:
    if code.lstrip().startswith("```"):
        return code
    fenced = apply_extract(Program(python=("code",)), {"code": code})
    assert isinstance(fenced, str)  # the text was not empty
    return fenced


# --- HumanEval ---------------------------------------------------------------------------------


def _humaneval(rules: HumanEvalMap, row: Mapping[str, object]) -> Made:
    prompt, tests = _text(rules.statement, row), _text(rules.tests, row)
    name = _text(rules.entry_point, row).strip()
    if not name.isidentifier():
        raise UnusableRow("bad_entry_point")
    _parsed(tests, "tests")
    before = trusted_part(prompt, name)
    reference = f"{before}\n\n\n{tests.strip(chr(10))}\n" if before else tests
    return Made(prompt, reference, {"kind": "asserts", "entry_point": name}, None)


def trusted_part(prompt: str, entry_point: str) -> str:
    """The prompt's imports, assignments and complete functions but the one asked for.

    A function is complete if its body is more than a docstring.

    Raises:
        UnusableRow: the prompt is no Python.
    """
    try:
        tree = ast.parse(prompt)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # It may end in a function's first line, with nothing to stand below it.
        tree = _parsed(f"{prompt.rstrip()}\n    pass\n", "prompt")
    lines = prompt.splitlines(keepends=True)
    parts: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name == entry_point or not _is_complete(node):
                continue
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        elif isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign):
            first = node.lineno
        else:
            continue
        parts.append("".join(lines[first - 1 : node.end_lineno]).rstrip("\r\n"))
    return "\n\n".join(parts)


def _is_complete(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Is there more than a docstring, `pass` or `...`?"""
    return not all(
        isinstance(part, ast.Pass)
        or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        for part in node.body
    )


def _parsed(code: str, what: str) -> ast.Module:
    try:
        return ast.parse(code)
    except SyntaxError as error:
        line = f":line_{error.lineno}" if error.lineno else ""
        raise UnusableRow(f"{what}:not_python{line}") from None
    except (ValueError, RecursionError, MemoryError):
        raise UnusableRow(f"{what}:not_python") from None


# --- Contests ----------------------------------------------------------------------------------


def _contest(rules: ContestMap, row: Mapping[str, object]) -> Made:
    statement = _text(rules.statement, row).strip()
    starter = _starter(rules, row)
    if starter:
        statement += f"\n\nStart from:\n\n```python\n{starter}\n```"
    pairs, name = _pairs(rules, row)
    name = _function_name(rules, row) or name
    if not name:
        tests = [{"input": _lines(given), "output": _lines(wants)} for given, wants, _ in pairs]
        return Made(statement, _checked(tests, ""), {"kind": "stdin_stdout"}, None)
    if not name.isidentifier():
        raise UnusableRow("bad_entry_point")
    if "class Solution" in starter:
        raise UnusableRow("entry_point_in_a_class")
    calls = [
        {"args": _arguments(given), "expected": _expected(wants, given, rules.wrapped_outputs)}
        for given, wants, _ in pairs
    ]
    options = {"kind": "function", "entry_point": name}
    return Made(statement, _checked(calls, name), options, None)


def _starter(rules: ContestMap, row: Mapping[str, object]) -> str:
    if rules.starter is None:
        return ""
    value = look_up(rules.starter, row)
    if value is ABSENT:
        raise UnusableRow(f"missing_column:{rules.starter}")
    return value.strip("\r\n") if isinstance(value, str) and value.strip() else ""


def _function_name(rules: ContestMap, row: Mapping[str, object]) -> str:
    """What the column `entry_point` says: a name, or a JSON object that holds one."""
    if rules.entry_point is None:
        return ""
    value = look_up(rules.entry_point, row)
    if value is ABSENT:
        raise UnusableRow(f"missing_column:{rules.entry_point}")
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _json(value, "entry_point")
    if isinstance(value, Mapping):
        named = cast("Mapping[str, object]", value)
        value = next((named[key] for key in _NAMED_IN if named.get(key)), "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnusableRow("bad_entry_point")
    return value.strip()


Pair: TypeAlias = tuple[object, object, str]
"""Input, output, and the sort of test that the row calls it (or nothing)."""


def _pairs(rules: ContestMap, row: Mapping[str, object]) -> tuple[list[Pair], str]:
    """All tests, and the function that they name."""
    if isinstance(rules.tests, TestLists):
        lists = (_value(rules.tests.inputs, row), _value(rules.tests.outputs, row))
        return _zipped(*lists), ""
    columns = (rules.tests,) if isinstance(rules.tests, str) else rules.tests
    found: list[Pair] = []
    names: set[str] = set()
    for column in columns:
        pairs, name = _tests(_value(column, row))
        found += pairs
        names |= {name} - {""}
    if not found:
        raise UnusableRow("tests:none")
    sorts = {sort for _, _, sort in found if sort}
    if len(names) > 1 or len(sorts) > 1:
        raise UnusableRow("tests:of_several_sorts")
    if "functional" in sorts and not names and rules.entry_point is None:
        raise UnusableRow("no_entry_point")
    return found, names.pop() if names else ""


def _value(column: str, row: Mapping[str, object]) -> object:
    """A column as data: JSON text is read."""
    value = look_up(column, row)
    if value is ABSENT:
        raise UnusableRow(f"missing_column:{column}")
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    if value.lstrip()[0] not in "[{":
        value = _unpacked(value)
    return _json(value, "tests")


def _tests(value: object) -> tuple[list[Pair], str]:
    if value is None:
        return [], ""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        for given, wants in (("inputs", "outputs"), ("input", "output")):
            if given in fields and wants in fields:
                name = fields.get("fn_name") or ""
                if not isinstance(name, str):
                    raise UnusableRow("bad_entry_point")
                return _zipped(fields[given], fields[wants]), name
        raise UnusableRow("tests:no_inputs_and_outputs")
    if not isinstance(value, Sequence):
        raise UnusableRow("tests:no_list")
    found: list[Pair] = []
    for test in cast("Sequence[object]", value):
        if not isinstance(test, Mapping) or not {"input", "output"} <= set(test):
            raise UnusableRow("tests:no_inputs_and_outputs")
        fields = cast("Mapping[str, object]", test)
        found.append((fields["input"], fields["output"], str(fields.get("testtype") or "")))
    return found, ""


def _zipped(inputs: object, outputs: object) -> list[Pair]:
    if not isinstance(inputs, list | tuple) or not isinstance(outputs, list | tuple):
        raise UnusableRow("tests:no_list")
    given, wants = cast("Sequence[object]", inputs), cast("Sequence[object]", outputs)
    if len(given) != len(wants):
        raise UnusableRow("tests:unequal_lengths")
    return [(one, other, "") for one, other in zip(given, wants, strict=True)]


def _lines(value: object) -> str:
    """Text for standard input or from standard output."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        lines = cast("Sequence[object]", value)
        if all(isinstance(line, str) for line in lines):
            return "\n".join(cast("Sequence[str]", lines))
    raise UnusableRow("tests:not_text")


def _arguments(value: object) -> list[object]:
    if isinstance(value, str):
        return [_json(line, "tests") for line in value.split("\n") if line.strip()]
    if isinstance(value, list | tuple):
        return list(cast("Sequence[object]", value))
    raise UnusableRow("tests:no_arguments")


def _expected(value: object, given: object, wrapped: bool) -> object:
    if isinstance(given, str) and isinstance(value, str):  # both are JSON texts
        value = _json(value, "tests")
    if not wrapped:
        return value
    if not isinstance(value, list | tuple) or len(cast("Sequence[object]", value)) != 1:
        raise UnusableRow("tests:output_not_wrapped")
    return cast("Sequence[object]", value)[0]


def _checked(tests: list[dict[str, Any]], name: str) -> str:
    """The tests as JSON, in the checker's own opinion well formed."""
    try:
        if name:
            wanted.function_calls(tests)
        else:
            wanted.inputs_and_outputs(tests)
    except BadTests as error:
        raise UnusableRow(f"tests:{error.reason}") from None
    # Whole numbers of any length, which orjson would refuse.
    return json.dumps(tests, ensure_ascii=False, separators=(",", ":"))


def _json(text: str, what: str) -> object:
    try:
        return cast("object", json.loads(text, parse_constant=_refuse))
    except (ValueError, RecursionError):
        raise UnusableRow(f"{what}:not_json") from None


def _refuse(name: str) -> object:
    raise ValueError(name)


def _unpacked(text: str) -> str:
    """The text in base64 of zlib of a pickle. The pickle is looked at, never loaded."""
    try:
        packed = base64.b64decode(text, validate=True)
        stream = zlib.decompressobj()
        data = stream.decompress(packed, MAX_UNPACKED_BYTES)
        if stream.unconsumed_tail or not stream.eof:
            raise UnusableRow("tests:too_large_or_cut_off")
        operations = [
            (operation.name, argument)
            for operation, argument, _ in pickletools.genops(data)
            if operation.name not in ("PROTO", "FRAME", "MEMOIZE", "BINPUT", "STOP")
        ]
    except (binascii.Error, zlib.error, ValueError):
        raise UnusableRow("tests:not_json") from None
    match operations:
        case [(str(name), str(held))] if "UNICODE" in name:
            return held
        case _:
            raise UnusableRow("tests:pickle_of_more_than_a_text")
