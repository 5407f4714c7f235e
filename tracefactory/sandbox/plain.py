"""Plain data in one canonical JSON form: how values enter and leave a box, by exact type.

JSON's own values stand for themselves. What JSON lacks is a one-entry object whose name begins with
`!`: `{"!tuple": [1, 2]}`, `{"!set": [...]}`, `{"!dict": [[k, v], ...]}` (keys that are not text),
`{"!float": "nan"}`, `{"!int": "0x..."}` (beyond 53 bits), `{"!bytes": "00ff"}`,
`{"!complex": ["0x1p+0", ...]}`.

Only built-in types count, and exactly they: `type(x) is int`, so neither a subclass that is equal
to everything nor an object with a clever `__eq__` gets through. Nothing is ever called on a value
that its own code could answer. This module runs inside boxes too: it imports next to nothing.

Not here: comparing values (verifiers/programs/comparison.py).
"""

import json
import math
from collections.abc import Callable

MAX_DEPTH = 60
MAX_CHARS = 4_000_000
_EXACT = 1 << 53
# Whatever text comes: OverflowError is what float.fromhex says of a number too large.
_MALFORMED = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip


class NotPlain(Exception):
    """A value of another type, nested too deeply, in a circle, or too large."""


def dumps(value: object) -> str:
    """The value as one line of JSON.

    Raises:
        NotPlain: it is not plain data; the message names the type.
    """
    text = json.dumps(_coded(value, 0), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    if len(text) > MAX_CHARS:
        raise NotPlain("a value too large")
    return text


def loads(text: str | bytes) -> object:
    """The value.

    Raises:
        NotPlain: the text is not what `dumps` writes.
    """
    if len(text) > MAX_CHARS:
        raise NotPlain("a value too large")
    try:
        return _decoded(json.loads(text, parse_constant=_refuse), 0)
    except _MALFORMED as error:
        raise NotPlain(f"malformed: {type(error).__name__}") from None


def _refuse(name: str) -> object:
    raise NotPlain(f"malformed: {name}")


def _coded(value: object, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise NotPlain("a value nested too deeply")
    kind = type(value)
    if value is None or kind is bool:
        return value
    # By identity: a metaclass may say that its type equals, and hashes as, another.
    coder = _CODERS.get(id(kind))
    if coder is None:
        raise NotPlain(f"a value of type {_NAME_OF_TYPE(kind)[:80]}")
    return coder(value, depth + 1)


def _text(value: str, depth: int) -> object:
    try:
        str.encode(value)
    except UnicodeEncodeError:
        return {"!surrogates": str.encode(value, "utf-16-le", "surrogatepass").hex()}
    return value


def _integer(value: int, depth: int) -> object:
    if -_EXACT < value < _EXACT:
        return value
    if value.bit_length() > 4 * MAX_CHARS:
        raise NotPlain("a value too large")
    return {"!int": hex(value)}


def _float(value: float, depth: int) -> object:
    return value if math.isfinite(value) else {"!float": repr(value)}


def _dict(value: dict[object, object], depth: int) -> object:
    pairs = list(dict.items(value))
    if all(type(key) is str and not key.startswith("!") for key, _ in pairs):
        return {_key(key): _coded(item, depth) for key, item in pairs}
    return {"!dict": [[_coded(key, depth), _coded(item, depth)] for key, item in pairs]}


def _key(key: object) -> str:
    text = str(key)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotPlain("a name with lone surrogates") from None
    return text


def _items(tag: str) -> Callable[..., object]:
    def code(value: object, depth: int) -> object:
        parts = [_coded(item, depth) for item in _SEQUENCES[tag](value)]
        if tag in ("!set", "!frozenset"):  # sets have no order of their own
            parts.sort(key=lambda part: json.dumps(part, sort_keys=True))
        return {tag: parts} if tag else parts

    return code


_SEQUENCES: dict[str, Callable[..., list[object]]] = {
    "": lambda value: list.copy(value),
    "!tuple": lambda value: [*tuple.__iter__(value)],
    "!set": lambda value: [*set.__iter__(value)],
    "!frozenset": lambda value: [*frozenset.__iter__(value)],
}
_CODERS: dict[int, Callable[..., object]] = {
    id(str): _text,
    id(int): _integer,
    id(float): _float,
    id(dict): _dict,
    id(list): _items(""),
    id(tuple): _items("!tuple"),
    id(set): _items("!set"),
    id(frozenset): _items("!frozenset"),
    id(bytes): lambda value, depth: {"!bytes": bytes.hex(value)},
    id(complex): lambda value, depth: {"!complex": [value.real.hex(), value.imag.hex()]},
}
_NAME_OF_TYPE: Callable[[type], str] = type.__dict__["__name__"].__get__


def _decoded(value: object, depth: int) -> object:
    if depth > 2 * MAX_DEPTH + 2:
        raise NotPlain("a value nested too deeply")
    if isinstance(value, list):
        return [_decoded(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, held),) = value.items()
        if name.startswith("!"):
            return _DECODERS[name](held, depth + 1)
    return {str(name): _decoded(item, depth + 1) for name, item in value.items()}


def _each(held: object, depth: int) -> list[object]:
    if not isinstance(held, list):
        raise NotPlain("malformed: no list")
    return [_decoded(item, depth) for item in held]


def _float_of(held: object) -> float:
    if held not in ("nan", "inf", "-inf"):
        raise NotPlain("malformed: no float")
    return float(str(held))


_DECODERS: dict[str, Callable[..., object]] = {
    "!int": lambda held, depth: int(str(held), 16),
    "!float": lambda held, depth: _float_of(held),
    "!tuple": lambda held, depth: tuple(_each(held, depth)),
    "!set": lambda held, depth: set(_spread(_each(held, depth))),
    "!frozenset": lambda held, depth: frozenset(_spread(_each(held, depth))),
    "!dict": lambda held, depth: _dict_of(_pairs(held, depth)),
    "!bytes": lambda held, depth: bytes.fromhex(str(held)),
    "!complex": lambda held, depth: complex(float.fromhex(held[0]), float.fromhex(held[1])),
    "!surrogates": lambda held, depth: bytes.fromhex(str(held)).decode(
        "utf-16-le", "surrogatepass"
    ),
}


_MAX_COLLISIONS = 1000


def _spread(keys: list[object]) -> list[object]:
    """The same; refused if so many of them share a hash that a set would take for ever."""
    if len(keys) - len({hash(key) for key in keys}) > _MAX_COLLISIONS:
        raise NotPlain("keys that collide")
    return keys


def _dict_of(pairs: list[list[object]]) -> dict[object, object]:
    _spread([key for key, _ in pairs])
    return {key: item for key, item in pairs}


def _pairs(held: object, depth: int) -> list[list[object]]:
    pairs = _each(held, depth)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise NotPlain("malformed: no pairs")
    return pairs  # type: ignore[return-value]  # checked above
