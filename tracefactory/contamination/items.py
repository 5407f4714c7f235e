"""A benchmark's rows as items: one text each, with its id.

Rows without the column, and lines that cannot be read, are counted and left out. A benchmark most
of which is left out is an error: what is not read is not found in anybody's rows.
An item is the first of its columns; further ones (the choices) are added only where it is shorter
than `grams.SHORT` tokens, since rows often hold the question without them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson
import pyarrow as pa

from tracefactory.contamination.grams import SHORT, tokens_of
from tracefactory.errors import SourceError
from tracefactory.recipe.errors import listed
from tracefactory.sources.fingerprint import OrderFree
from tracefactory.sources.hub import open_hub, read_hub
from tracefactory.sources.mapping import ABSENT, look_up
from tracefactory.sources.rows import BadRow, Piece, Row, read
from tracefactory.stages.contract import Result

ITEM_SCHEMA = pa.schema(
    [
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)


def read_items(benchmark: Mapping[str, Any]) -> Result:
    """All items of a benchmark, in the order of their ids; what was read is in the facts.

    `benchmark`: name, columns, item (its column or None), and either pieces or hubs.

    Raises:
        SourceError: it cannot be read, most rows have no text in the column, or none has the one of
            the ids.
    """
    reading = _Reading(benchmark)
    revisions: list[str] = []
    for piece in benchmark.get("pieces", ()):
        name = "" if len(benchmark["pieces"]) == 1 else f"{piece['path'].rpartition('/')[2]}/"
        reading.add(name, read(Piece(**piece)))
    for hub in benchmark.get("hubs", ()):
        opened = open_hub(hub)
        revisions.append(opened.facts["revision"])
        where = {**hub, "revision": opened.facts["revision"] or None}
        name = "" if len(benchmark["hubs"]) == 1 else f"{hub['config']}/"
        reading.add(name, read_hub(where, 0, opened.counts["rows"]))
    return reading.result(revisions)


class _Reading:
    def __init__(self, benchmark: Mapping[str, Any]) -> None:
        self.name: str = benchmark["name"]
        self.columns: list[str] = benchmark["columns"]
        self.item: str | None = benchmark["item"]
        self.found: list[tuple[str, list[str]]] = []
        self.fingerprint = OrderFree()
        self.bad: list[BadRow] = []
        self.without = 0
        self.with_id = 0
        self.seen: set[str] = set()

    def add(self, prefix: str, rows: Iterator[Row | BadRow]) -> None:
        for row in rows:
            if isinstance(row, BadRow):
                self.bad.append(row)
                continue
            parts = self._parts(row.value)
            if not parts:
                self.without += 1
                continue
            given = look_up(self.item, row.value) if self.item else ABSENT
            self.with_id += given not in (ABSENT, None)
            name = str(row.line) if given in (ABSENT, None) else str(given)
            self.found.append((prefix + name, parts))

    def _parts(self, row: Mapping[str, object]) -> list[str]:
        """The texts of the columns; none without the first."""
        self.seen.update(sorted(row)[:50])
        parts = [_text(look_up(column, row)) for column in self.columns]
        return [part for part in parts if part] if parts[0] else []

    def result(self, revisions: list[str]) -> Result:
        unusable = len(self.bad) + self.without
        if unusable >= len(self.found):
            raise SourceError(self._unusable())
        if self.item and not self.with_id:
            raise SourceError(
                f"benchmark {self.name}: no row has an id in {self.item!r}; columns: "
                f"{listed(sorted(self.seen))}. Name the right one in `item`, or leave it out for "
                "the row's number"
            )
        rows = [
            {"benchmark": self.name, "item": item, "text": text}
            for (item, _), text in zip(self.found, self._texts(), strict=True)
        ]
        for row in rows:
            self.fingerprint.add({"text": row["text"]})
        rows.sort(key=lambda row: (row["item"], row["text"]))
        facts = {
            "content": self.fingerprint.hex(),
            "revisions": orjson.dumps(sorted(set(filter(None, revisions)))).decode(),
        }
        counts = {"items": len(rows), "unusable": unusable}
        return Result({"items": pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)}, counts, facts)

    def _unusable(self) -> str:
        """What is wrong with a benchmark of which less than half can be read."""
        said = []
        if self.bad:
            first, n = self.bad[0], len(self.bad)
            said.append(
                f"{n:,} line{'s' * (n > 1)} cannot be read (the first is line {first.line}, "
                f"{first.reason}: {first.excerpt[:80]!r})"
            )
        if self.seen:
            which = "no row has" if not self.found else f"{self.without:,} rows do not have"
            said.append(
                f"{which} a text in {self.columns[0]!r}; columns: {listed(sorted(self.seen))}"
            )
        advice = "Name the right column in `text`" if self.without else "Fetch it again"
        told = "; ".join(said) or "there is no row"
        return f"benchmark {self.name}: {told}. {len(self.found):,} items could be read. {advice}"

    def _texts(self) -> list[str]:
        texts = [parts[0] for _, parts in self.found]
        for n in range(1, max(len(parts) for _, parts in self.found)):
            lengths = tokens_of(texts).counts().tolist()
            for at, (_, parts) in enumerate(self.found):
                if lengths[at] < SHORT and len(parts) > n:
                    texts[at] += f"\n{parts[n]}"
        return texts


def _text(value: object) -> str:
    """A text, or a list of them one a line; of anything else nothing."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list | tuple):
        return "\n".join(filter(None, map(_text, cast("list[object]", value))))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""
