"""What a checker is: a plain function with an address.

A module in this room holds one way of being right:

    VERSION = "1"                                              # raise it when a verdict can change
    def judge(reference: str, response: str, ...) -> Verdict   # one pair of texts, no records
    def verify(problem: Problem, attempt: Attempt) -> Verdict  # what a recipe addresses

`verify` reads its settings from `problem.verifier_options`. A checker raises only on a broken
set-up; a bad response is a verdict. It must pickle (no closures), and it must be deterministic.

Not here: any registry. `tracefactory.verifiers.numeric:verify` and `yourpkg.checks:verify` are
found the same way, by importing the address.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Protocol, cast

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import StepCounts, Verdict


class Verifier(Protocol):
    """Checks one attempt at one problem."""

    def __call__(self, problem: Problem, attempt: Attempt) -> Verdict:
        """Return the verdict; raise only when the set-up is broken."""
        ...


class Measure(Protocol):
    """Looks at one attempt beside the verdict; never changes the status."""

    def __call__(self, problem: Problem, attempt: Attempt) -> StepCounts:
        """Return the counts."""
        ...


class AddressError(Exception):
    """An address that names nothing that can be called."""


def full_address(name: str, default: str = "verify") -> str:
    """Spell out a short name: `numeric` is `tracefactory.verifiers.numeric:verify`."""
    return name if ":" in name else f"tracefactory.verifiers.{name}:{default}"


def resolve(address: str) -> Callable[..., object]:
    """Import what `module:name` addresses.

    Raises:
        AddressError: if the module cannot be imported or has no such callable.
    """
    module_name, _, attribute = address.partition(":")
    if not attribute:
        raise AddressError(
            f"{address!r} is not an address; write module:name, as in mypkg.checks:verify"
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise AddressError(f"{address}: cannot import {module_name!r} ({error})") from error
    found: object = getattr(module, attribute, None)
    if not callable(found):
        names = sorted(name for name in vars(module) if not name.startswith("_"))
        raise AddressError(
            f"{address}: {module_name} has no callable {attribute!r}; it has {names}"
        )
    return found


def resolve_verifier(address: str) -> Verifier:
    """Import a checker."""
    return cast("Verifier", resolve(address))


def resolve_measure(address: str) -> Measure:
    """Import a measure."""
    return cast("Measure", resolve(address))


def versioned(address: str) -> str:
    """`module:name@version`, the version being the module's VERSION ("0" if it states none)."""
    found = resolve(address)
    module = sys.modules[getattr(found, "__module__", address.partition(":")[0])]
    return f"{address}@{getattr(module, 'VERSION', '0')}"
