r"""Equal or not: what a program gave against what the tests expect.

Values have exact built-in types on both sides (sandbox/plain.py), so `==` can be trusted, and:

    tuple and list      equal if their items are: JSON has no tuple
    bool                no number: True is not 1
    int                 exact among themselves; 2 equals 2.0
    float               within 1e-6 relative or 1e-9 absolute, or what the problem asks; infinities
                        and NaN equal only themselves
    dict                by its names as JSON writes them: {1: "a"} equals {"1": "a"}
    set, bytes, complex equal only the same type

Output is compared as bytes, but that white space at the ends of lines, empty lines at the end and
`\r` before `\n` do not count. Only with a tolerance are its words compared as numbers, if they are.

Not here: which test is compared (judging.py).
"""

import math
import re
from typing import NamedTuple, cast


class Tolerance(NamedTuple):
    """Of floats."""

    relative: float = 1e-6
    absolute: float = 1e-9


USUAL = Tolerance()


def same_value(want: object, got: object, tolerance: Tolerance = USUAL) -> bool:
    """Do they mean the same?"""
    if isinstance(want, bool | str | bytes | None) or isinstance(got, bool | str | bytes | None):
        return type(want) is type(got) and want == got
    if isinstance(want, int | float) and isinstance(got, int | float):
        return _same_number(want, got, tolerance)
    if isinstance(want, list | tuple) and isinstance(got, list | tuple):
        return len(want) == len(got) and all(
            same_value(one, other, tolerance) for one, other in zip(want, got, strict=True)
        )
    if isinstance(want, dict) and isinstance(got, dict):
        return _same_dict(
            cast("dict[object, object]", want), cast("dict[object, object]", got), tolerance
        )
    return type(want) is type(got) and want == got


def _same_number(want: float, got: float, tolerance: Tolerance) -> bool:
    if isinstance(want, int) and isinstance(got, int):
        return want == got
    try:
        if math.isnan(want) or math.isnan(got):
            return math.isnan(want) and math.isnan(got)
        return math.isclose(want, got, rel_tol=tolerance.relative, abs_tol=tolerance.absolute)
    except OverflowError:  # an int beyond all floats
        return False


def _same_dict(want: dict[object, object], got: dict[object, object], tolerance: Tolerance) -> bool:
    wanted, found = _by_name(want), _by_name(got)
    return (
        wanted is not None
        and found is not None
        and wanted.keys() == found.keys()
        and all(same_value(wanted[name], found[name], tolerance) for name in wanted)
    )


def _by_name(value: dict[object, object]) -> dict[object, object] | None:
    """With its keys as JSON writes them; None if two become one."""
    named = {_name(key): item for key, item in value.items()}
    return named if len(named) == len(value) else None


def _name(key: object) -> object:
    if isinstance(key, bool):
        return "true" if key else "false"
    if key is None:
        return "null"
    if isinstance(key, int):
        # Text of so many digits is refused, and no name in any JSON.
        return str(key) if key.bit_length() < _MAX_BITS else key
    return repr(key) if isinstance(key, float) else key


_MAX_BITS = 10_000
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_INTEGER = re.compile(rb"[+-]?[0-9]+")
_MAX_WORD = 400


def same_output(want: bytes, got: bytes, tolerance: Tolerance | None = None) -> bool:
    """Do they print the same?"""
    wanted, found = _lines(want), _lines(got)
    if wanted == found:
        return True
    if tolerance is None or len(wanted) != len(found):
        return False
    return all(_same_line(one, other, tolerance) for one, other in zip(wanted, found, strict=True))


def _lines(output: bytes) -> list[bytes]:
    lines = [line.rstrip(b" \t\r\f\v") for line in output.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _same_line(want: bytes, got: bytes, tolerance: Tolerance) -> bool:
    wanted, found = want.split(), got.split()
    return len(wanted) == len(found) and all(
        one == other or _same_word(one, other, tolerance)
        for one, other in zip(wanted, found, strict=True)
    )


def _same_word(want: bytes, got: bytes, tolerance: Tolerance) -> bool:
    if max(len(want), len(got)) > _MAX_WORD:
        return False
    if _INTEGER.fullmatch(want) and _INTEGER.fullmatch(got):
        return int(want) == int(got)
    if not (_NUMBER.fullmatch(want) and _NUMBER.fullmatch(got)):  # nor is the text `nan` a number
        return False
    return _same_number(float(want), float(got), tolerance)
