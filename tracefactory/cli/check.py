"""`tracefactory check`: one response, one checker, all the evidence.

A checker takes its options as keywords (`numeric`, `choice`) or, if it has a parameter `options`,
as one mapping (`symbolic`); its signature says which. A program and its tests come in files.
"""

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import orjson
from rich.console import Console

from tracefactory.cli.look import print_json
from tracefactory.errors import RecipeError
from tracefactory.schemas.verdict import StepCounts, Verdict
from tracefactory.verifiers import python_program
from tracefactory.verifiers.contract import AddressError, resolve

out = Console(emoji=False)


def check_command(
    verifier: str,
    reference: str | None,
    response: str | None,
    response_file: Path | None,
    answer_after: str | None,
    options: Sequence[str],
    as_json: bool,
) -> None:
    """Judge one response."""
    if (response is None) == (response_file is None):
        raise RecipeError("give the response with --response TEXT or with --response-file FILE")
    text = response if response is not None else _read(cast("Path", response_file))
    steps = verifier == "steps"
    address = (
        verifier
        if ":" in verifier
        else f"tracefactory.verifiers.{verifier}:{'count' if steps else 'judge'}"
    )
    if reference is None and not steps:
        raise RecipeError("give the reference with --reference")
    given = named_options(options)
    if answer_after is not None:
        given["answer_after"] = answer_after
    try:
        function = resolve(address)
    except AddressError as error:
        raise RecipeError(str(error)) from error
    keywords = _keywords(function, address, given)
    try:
        found = function(reference or "", text, **keywords)
    except (ValueError, ImportError) as error:
        if not given:
            raise
        raise RecipeError(f"{address}: {error}") from error  # what options raise, by contract
    if not isinstance(found, Verdict | StepCounts):
        raise RecipeError(
            f"{address} gave {type(found).__name__}, not a Verdict; address its `judge`"
        )
    _show(found, as_json)


class ProgramOptions(NamedTuple):
    """What `check program` takes beside --option; None is not given."""

    program_file: Path | None
    kind: str | None
    tests_file: Path | None
    entry_point: str | None
    timeout_s: float | None
    memory_mb: int | None
    isolation: str | None

    def refuse(self, verifier: str) -> None:
        """They mean nothing to another checker.

        Raises:
            RecipeError: one is given.
        """
        for name, value in self._asdict().items():
            if value is not None:
                option = name.replace("_", "-")
                raise RecipeError(f"--{option} is for `check program`; {verifier} does not take it")


def check_program_command(
    given: ProgramOptions, answer: Sequence[object], options: Sequence[str], as_json: bool
) -> None:
    """Judge one program; `answer` is what the other checkers take."""
    if any(part is not None for part in answer):
        raise RecipeError("give the program with --program-file, its tests with --tests-file")
    kinds = ", ".join(get_args(python_program.Kind))
    if given.program_file is None or given.tests_file is None:
        raise RecipeError("give the program with --program-file and its tests with --tests-file")
    if given.kind is None:
        raise RecipeError(f"say how the tests use the program with --kind: {kinds}")
    text = _read(given.tests_file)
    tests: object = text
    if given.kind != "asserts":
        try:
            tests = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RecipeError(f"{given.tests_file}: no JSON ({error})") from error
    settings: dict[str, Any] = {
        name: value
        for name in ("entry_point", "timeout_s", "memory_mb", "isolation")
        if (value := getattr(given, name)) is not None
    }
    for name, value in named_options(options).items():
        if name != "tolerance":
            raise RecipeError(f"--option {name} is unknown to program; known: tolerance")
        try:
            settings[name] = float(value)
        except ValueError:
            raise RecipeError(f"--option tolerance={value}: no number") from None
    try:
        kind = cast("python_program.Kind", given.kind)
        program = _read(given.program_file)
        found = python_program.judge(program, kind=kind, tests=tests, **settings)
    except ValueError as error:
        raise RecipeError(f"check program: {error}") from error
    _show(found, as_json)


def _show(found: Verdict | StepCounts, as_json: bool) -> None:
    data: dict[str, Any] = asdict(found)
    data["evidence"] = orjson.loads(data["evidence"])
    if as_json:
        print_json(data)
        return
    for name, value in _lines(data):
        out.print(f"{name:>14}  {value}".rstrip(), highlight=False, markup=False, soft_wrap=True)


def named_options(given: Sequence[str]) -> dict[str, str]:
    """`name=value` words as a mapping.

    Raises:
        RecipeError: one is not of that form, or a name stands twice.
    """
    options: dict[str, str] = {}
    for word in given:
        name, sign, value = word.partition("=")
        if not (name and sign and value):
            raise RecipeError(f"--option {word}: write name=value, as in --option tolerance=1%")
        if name in options:
            raise RecipeError(f"--option {name} is given twice; keep one")
        options[name] = value
    return options


def _lines(data: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What is worth a line: the verdict's fields, then those of its evidence."""
    for name, value in data.items():
        if name != "evidence" and value not in ("", None):
            yield name, value
    if data["evidence"]:
        yield "evidence:", ""
    for name, value in data["evidence"].items():
        yield name, orjson.dumps(value).decode() if isinstance(value, dict | list) else value


def _keywords(
    function: Callable[..., object], address: str, options: Mapping[str, str]
) -> dict[str, Any]:
    """The options as this function takes them.

    Raises:
        RecipeError: it cannot be called with two texts and these options.
    """
    try:
        signature = inspect.signature(function)
        as_one = "options" in signature.parameters and bool(options)
        keywords: dict[str, Any] = {"options": dict(options)} if as_one else dict(options)
        signature.bind("", "", **keywords)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"{address} cannot be called with reference and response"
            f"{''.join(f' and {name}' for name in options)} ({error})"
        ) from error
    if next(iter(signature.parameters)) == "problem":
        raise RecipeError(f"{address} takes a problem and an attempt; address its `judge`")
    return keywords


def _read(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as text ({error})") from error
