"""The steps by name: each reads what its order says and leaves tables."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
import pyarrow as pa

from tracefactory.repeats import keeping, meeting, published, releases, sharing
from tracefactory.repeats.compared import Compared, Settings, by_hash, problems, traces
from tracefactory.repeats.report import facts_of
from tracefactory.repeats.tables import BAND_SCHEMA, NODE_SCHEMA, TEXT_SCHEMA
from tracefactory.schemas.receipt import Output
from tracefactory.stages.contract import Inputs, Result
from tracefactory.task import Chunk

Config = Mapping[str, Any]
FOUND = "found"
"""Name of the input that is no chunk of rows, but what earlier steps left."""


def _split(inputs: Inputs) -> tuple[tuple[Chunk, ...], Mapping[str, tuple[Output, ...]]]:
    """Chunks of rows, and what was found so far."""
    rows = tuple(chunk for chunk in inputs.chunks if chunk.name != FOUND)
    found = next((chunk.files for chunk in inputs.chunks if chunk.name == FOUND), {})
    return rows, found


def _rows(config: Config, inputs: Inputs, only: frozenset[str] | None = None) -> Iterable[Compared]:
    chunks, found = _split(inputs)
    if config["turn"] == "problems":
        return problems(inputs, chunks, only)
    fates = sharing.fates_of(
        inputs, found.get("repeats", ()), found.get("fates", ()), config["group"]
    )
    return traces(inputs, chunks, sharing.roots_of(fates), Settings.of(config), only)


def _open(config: Config, inputs: Inputs) -> Result:
    found = releases.opened_release(config["place"])
    return Result({}, {"shards": len(found["shards"])}, {"release": orjson.dumps(found).decode()})


def _compare(config: Config, inputs: Inputs) -> Result:
    nodes: list[pa.Table] = []
    bands: list[pa.Table] = []
    for rows in _rows(config, inputs):
        nodes.append(rows.nodes(config["group"]))
        bands.append(rows.bands(config["group"]))
    return _compared(nodes, bands)


def _compare_published(config: Config, inputs: Inputs) -> Result:
    before = published.Before.of(config)
    return _compared([before.nodes(config["group"])], [before.salted_bands(config["group"])])


def _compared(nodes: list[pa.Table], bands: list[pa.Table]) -> Result:
    return Result(
        {
            "nodes": by_hash(nodes, NODE_SCHEMA, "high", "low", "id"),
            "bands": by_hash(bands, BAND_SCHEMA, "hash", "content"),
        }
    )


def _same(config: Config, inputs: Inputs) -> Result:
    files = _split(inputs)[1]["nodes"]
    found = meeting.same(inputs, files, int(config["low"]), int(config["high"]))
    return Result(found.tables, {}, facts_of(found.tables["repeats"]))


def _meet(config: Config, inputs: Inputs) -> Result:
    files = _split(inputs)[1]["bands"]
    return meeting.met(inputs, files, int(config["low"]), int(config["high"]))


def _parts(config: Config, inputs: Inputs) -> Result:
    found = _split(inputs)[1]
    return meeting.parts(inputs, found["pairs"], found["places"])


def _wanted(config: Config, inputs: Inputs) -> dict[int, int]:
    bounds = [("group", "=", config["group"])]
    parts: dict[int, int] = {}
    for file in _split(inputs)[1]["wanted"]:
        table = inputs.home.read(file, ["content", "part"], bounds)
        parts.update(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return parts


def _bring(config: Config, inputs: Inputs) -> Result:
    parts = _wanted(config, inputs)
    tables: list[pa.Table] = []
    if parts:
        nodes = [inputs.home.read(f, ["high", "id"]) for f in _split(inputs)[1]["nodes"]]
        table = pa.concat_tables(nodes)
        pairs = zip(*(column.to_pylist() for column in table.columns), strict=True)
        only = frozenset(i for content, i in pairs if content in parts)
        tables = [rows.texts(config["group"], parts) for rows in _rows(config, inputs, only)]
    return Result({"texts": by_hash(tables, TEXT_SCHEMA, "part", "high", "id")})


def _bring_published(config: Config, inputs: Inputs) -> Result:
    parts = _wanted(config, inputs)
    before = published.Before.of(config) if parts else None
    tables = [] if before is None else [before.texts(config["group"], parts)]
    return Result({"texts": by_hash(tables, TEXT_SCHEMA, "part", "high", "id")})


def _keep(config: Config, inputs: Inputs) -> Result:
    files, low, high = _split(inputs)[1]["texts"], int(config["low"]), int(config["high"])
    found = keeping.kept(inputs, files, low, high, config["jaccard"])
    return Result(found.tables, found.counts, facts_of(found.tables["fates"]))


def _share(config: Config, inputs: Inputs) -> Result:
    chunks, found = _split(inputs)
    group = config["group"]
    fates = [
        sharing.fates_of(
            inputs, found.get(f"{turn} repeats", ()), found.get(f"{turn} fates", ()), group
        )
        for turn in ("problems", "traces")
    ]
    return sharing.shared(inputs, chunks, fates[0], fates[1], config["stage"], config["names"])


STEPS: Mapping[str, Callable[[Config, Inputs], Result]] = {
    "open": _open,
    "compare": _compare,
    "compare published": _compare_published,
    "same": _same,
    "meet": _meet,
    "parts": _parts,
    "bring": _bring,
    "bring published": _bring_published,
    "keep": _keep,
    "share near": _share,
}
