"""One thing that is not as the dataset says, and how two records are compared for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

import polars as pl

MAX_TEXT = 200

MAX_NAMED = 20
"""Rows named for one kind of fault in one shard; the others are counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A statement of the dataset that does not hold."""

    check: str
    """Short, stable, countable: `file_sha256`, `shard_record`, `row_id_repeated`."""
    file: str
    """Relative to the dataset's folder."""
    found: str
    """What is there."""
    expected: str
    """What should be there, and who says so."""


def short(value: object) -> str:
    """A value in one line that fits a terminal."""
    text = value if isinstance(value, str) else repr(value)
    line = " ".join(text.split())
    return line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}..."


def named(check: str, rows: pl.DataFrame, found: str, expected: str) -> Iterator[Fault]:
    """The first rows of each file, named; the others counted. `found` may name a column."""
    for (path,), group in rows.sort("path", "row").group_by("path", maintain_order=True):
        for row in group.head(MAX_NAMED).iter_rows(named=True):
            text = short(f"{row['id']}: {found.format(**row)}")
            yield Fault(check, str(path), text, short(expected.format(**row)))
        if group.height > MAX_NAMED:
            yield Fault(check, str(path), f"{group.height - MAX_NAMED:,} more rows", "as above")


def differences(found: object, expected: object, place: str = "") -> Iterator[tuple[str, str, str]]:
    """Where two plain records differ: (place, found, expected), leaf by leaf."""
    left, right = _plain(found), _plain(expected)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted({*map(str, left), *map(str, right)}):
            where = f"{place}.{key}" if place else key
            yield from differences(left.get(key, _ABSENT), right.get(key, _ABSENT), where)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, pair in enumerate(zip(left, right, strict=True)):
            yield from differences(*pair, f"{place}.{number}")
    elif left != right or type(left) is not type(right):
        yield place, short(left), short(right)


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


_ABSENT = _Absent()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType]
