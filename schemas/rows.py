"""Records to Arrow tables and back, by the record's explicit schema."""

from collections.abc import Iterator, Sequence, Set
from typing import Any, TypeVar

import pyarrow as pa

Record = TypeVar("Record")


def table_of(rows: Sequence[Any], schema: pa.Schema) -> pa.Table:
    """A table of frozen records whose fields are the schema's columns.

    Raises:
        pyarrow.ArrowException: a value does not fit its column.
    """
    columns = [
        pa.array([getattr(row, field.name) for row in rows], type=field.type) for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def records(kind: type[Record], table: pa.Table) -> Iterator[Record]:
    """The rows of a table as records; its columns must be the record's fields, in their order."""
    columns = [column.to_pylist() for column in table.columns]
    for values in zip(*columns, strict=True):
        yield kind(*values)


def only_ids(table: pa.Table, ids: Set[str]) -> pa.Table:
    """The rows of a table whose `id` is one of these, before any of them becomes a record."""
    if len(ids) >= table.num_rows:
        return table
    return table.filter(pa.array([i in ids for i in table.column("id").to_pylist()]))
