"""`tracefactory check`: one response, one checker, all the evidence."""

import inspect
import sys
from collections.abc import Callable, Mapping
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
    options = {} if answer_after is None else {"answer_after": answer_after}
    try:
        function = resolve(address)
    except AddressError as error:
        raise RecipeError(str(error)) from error
    _takes(function, address, options)
    found = function(reference or "", text, **options)
    if not isinstance(found, Verdict | StepCounts):
        raise RecipeError(
            f"{address} gave {type(found).__name__}, not a Verdict; address its `judge`"
        )
    data: dict[str, Any] = asdict(found)
    data["evidence"] = orjson.loads(data["evidence"])
    if as_json:
        print_json(data)
        return
    for key, value in data.items():
        if value not in ("", None):
            out.print(f"{key:>14}  {value}", highlight=False, markup=False, soft_wrap=True)


def _takes(function: Callable[..., object], address: str, options: Mapping[str, str]) -> None:
    """Can it be called with two texts and these options?"""
    try:
        signature = inspect.signature(function)
        signature.bind("", "", **options)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"{address} cannot be called with reference and response"
            f"{''.join(f' and {name}' for name in options)} ({error})"
        ) from error
    if next(iter(signature.parameters)) == "problem":
        raise RecipeError(f"{address} takes a problem and an attempt; address its `judge`")


def _read(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as text ({error})") from error
