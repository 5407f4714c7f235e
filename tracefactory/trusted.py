"""What of a dataset's word is followed: which checkers are imported, and with which settings.

A row names its checker. Of that word alone only checkers that ship with tracefactory are imported
(`tracefactory.verifiers.*:verify`); any other package has to be allowed by the auditor, by name.
Settings may make a check slow or weak, so a program is never run without walls because a dataset
asks for it, nor for longer than MAX_TIMEOUT_S.
"""

import re
from collections.abc import Collection
from typing import NamedTuple, cast

import orjson

from tracefactory.verifiers.contract import AddressError, Verifier, resolve_verifier, versioned

MAX_TIMEOUT_S = 60.0
"""Of a program's test: a dataset that asks for more is not re-checked there, and says so."""

MAX_MEMORY_MB = 4096

_SHIPPED = re.compile(r"tracefactory\.verifiers(?:\.[a-z][a-z0-9_]*)+:verify")
_ADDRESS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*):([A-Za-z_]\w*)")
_PROGRAM = "tracefactory.verifiers.python_program:verify"


class Refused(Exception):
    """A row that is not re-checked; the text is the reason, stable enough to be counted."""


class Checker(NamedTuple):
    """A checker that may be used."""

    verify: Verifier
    address: str
    version: str
    """`module:function@version`, of the checker here."""


def find_checker(stated: str, allowed: Collection[str] = ()) -> Checker:
    """The checker that a row names, `module:function@version`.

    Raises:
        Refused: it is not one to import, or cannot be.
    """
    address = stated.partition("@")[0]
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise Refused(f"{address[:100]!r} is no checker's address")
    if not _SHIPPED.fullmatch(address) and not _is_allowed(match[1], allowed):
        raise Refused(
            f"{address[:100]} is no checker of tracefactory; to import it, say --allow-verifier "
            f"{match[1].partition('.')[0]}"
        )
    try:
        return Checker(resolve_verifier(address), address, versioned(address))
    except AddressError as error:
        raise Refused(str(error)) from error


def _is_allowed(module: str, allowed: Collection[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def safe_options(address: str, options: str) -> str:
    """A problem's settings without what a dataset has no say in: where its programs are run.

    Raises:
        Refused: they ask for more time or memory than an audit gives, or are no settings.
    """
    try:
        given: object = orjson.loads(options)
    except ValueError:
        raise Refused("the problem's verifier options are no JSON") from None
    if not isinstance(given, dict):
        raise Refused("the problem's verifier options are no JSON object")
    settings = cast("dict[str, object]", given)
    if address == _PROGRAM:
        settings.pop("isolation", None)
        for name, limit in (("timeout_s", MAX_TIMEOUT_S), ("memory_mb", MAX_MEMORY_MB)):
            if not _at_most(settings.get(name, "0"), limit):
                raise Refused(f"the problem asks for more than {name}={limit:g}, or for no number")
    return orjson.dumps(settings, option=orjson.OPT_SORT_KEYS).decode()


def _at_most(stated: object, limit: float) -> bool:
    try:
        return isinstance(stated, str) and 0 <= float(stated) <= limit
    except ValueError:
        return False
