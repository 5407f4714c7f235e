"""`tracefactory check`: one response, one checker, all the evidence.

A checker takes its options as keywords (`numeric`, `choice`) or, if it has a parameter `options`,
as one mapping (`symbolic`); its signature says which.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import orjson
from rich.console import Console

from tracefactory.cli.look import print_json
from tracefactory.errors import RecipeError
from tracefactory.schemas.verdict import StepCounts, Verdict
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
