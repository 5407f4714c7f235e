"""Names made from content: one for a text or a tuple of texts, one for a whole set of rows.

Not here: protection against an adversary. A sum of hashes finds changes; it is no signature.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import orjson

_MODULUS = 2**256
_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
)


def content_id(*parts: str) -> str:
    """16 hex digits that depend on each part: ("ab", "c") and ("a", "bc") have different ones.

    64 bits: among ten million texts, two share one with a chance of about 3 in a million.
    """
    digest = hashlib.sha256()
    for part in parts:
        # a lone surrogate can come from a caller's own code; its name is no reason to fail
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()[:16]


def canonical(row: Mapping[str, object]) -> bytes:
    """One text per row, whatever the order of its keys: sorted, compact JSON.

    What JSON does not have (bytes, dates, decimals) becomes `{"<type>": "<text>"}`; NaN and the
    infinities, which only Parquet can hold, are written as such.

    Raises:
        TypeError: for a value that no reader of rows makes.
    """
    plain = dict(row)
    # orjson is ten times faster, but writes floats differently from version to version
    if not _has_float(plain):
        try:
            return orjson.dumps(plain, default=_tagged, option=_OPTIONS)
        except orjson.JSONEncodeError:
            pass  # an integer over 64 bits
    text = json.dumps(
        plain, default=_tagged, sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return text.encode("utf-8", "surrogatepass")


def _has_float(row: dict[str, object]) -> bool:
    nodes: list[Any] = [row]  # dicts and lists: isinstance would cost the types in each child
    for node in nodes:
        for child in node.values() if type(node) is dict else node:
            kind = type(child)
            if kind is float:
                return True
            if kind is dict or kind is list or kind is tuple:
                nodes.append(child)
    return False


def _tagged(value: object) -> object:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, (date, time, timedelta, Decimal)):
        return {type(value).__name__: str(value)}
    if isinstance(value, tuple):  # an entry of a Parquet map
        return list(value)
    raise TypeError(f"a row holds a {type(value).__name__}; rows hold JSON and Parquet values")


@dataclass(slots=True)
class OrderFree:
    """Fingerprint of a multiset of rows: the sum of their hashes, so that no order counts.

    Parts of a file are taken by different workers and merged; a shuffled file has the same
    fingerprint; one row more, less, twice or changed gives another.
    """

    total: int = 0
    """Sum of the SHA-256 of each row, modulo 2**256."""
    rows: int = 0

    def add(self, row: Mapping[str, object]) -> None:
        """Count one row in."""
        digest = hashlib.sha256(canonical(row)).digest()
        self.total = (self.total + int.from_bytes(digest, "big")) % _MODULUS
        self.rows += 1

    def merge(self, other: "OrderFree") -> None:
        """Count in all rows of another part."""
        self.total = (self.total + other.total) % _MODULUS
        self.rows += other.rows

    def hex(self) -> str:
        """80 hex digits: 64 of the sum, 16 of the number of rows."""
        return f"{self.total:064x}{self.rows:016x}"

    @classmethod
    def from_hex(cls, text: str) -> "OrderFree":
        """Read what `hex` wrote.

        Raises:
            ValueError: if the text is not 80 hex digits.
        """
        if len(text) != 80 or set(text) - set("0123456789abcdef"):
            raise ValueError(f"a fingerprint is 80 hex digits, this is {text[:100]!r}")
        return cls(int(text[:64], 16), int(text[64:], 16))
