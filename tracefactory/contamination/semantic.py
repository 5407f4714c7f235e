"""The nearest item by meaning: a model2vec model (static vectors of words), as a figure only.

Such a model sees paraphrases that no run of tokens shows. It does not see numbers: a problem with
others is as near as a copy. So nothing is ever dropped for it.

Needs the extra `semantic`. A model is a folder, or is fetched from the Hub once, at a revision.
Not here: sentence transformers. They are slower by a thousand times, and no better at numbers.
"""

import functools
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracefactory.errors import ResourceError, SourceError
from tracefactory.stages.contract import Inputs
from tracefactory.store.files import sha256_of
from tracefactory.store.home import digest
from tracefactory.task import Chunk

F32 = npt.NDArray[np.float32]

ROWS: Final = 256
"""Texts that are compared at a time; fixed, so that sums round alike whoever asks."""

VECTOR_SCHEMA = pa.schema(
    [
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)


@functools.cache
def identity(model: str, revision: str | None = None) -> str:
    """What a model is known by: the content of a folder, else its id and revision."""
    folder = Path(model)
    if not folder.is_dir():
        return f"{model}@{revision or 'newest'}"
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return digest([[str(file.relative_to(folder)), sha256_of(file)] for file in files])[:16]


@functools.lru_cache(maxsize=1)
def _model(model: str, revision: str | None) -> Any:  # noqa: ANN401  (an extra)
    try:
        static_model: Any = importlib.import_module("model2vec").StaticModel
    except ImportError as error:
        raise ResourceError(
            "semantic: needs model2vec; pip install 'tracefactory[semantic]', or leave it out"
        ) from error
    folder = model
    try:
        if not Path(model).is_dir():
            from huggingface_hub import snapshot_download

            folder = snapshot_download(model, revision=revision)
        return static_model.from_pretrained(folder)
    except Exception as error:  # whatever the two raise, it is about the model that was named
        raise SourceError(
            f"semantic: model {model!r} (revision {revision!r}) cannot be loaded: "
            f"{type(error).__name__}: {str(error)[:300]}. Give a folder with a model2vec model, or "
            "a Hub id that can be reached"
        ) from error


def vectors(model: str, revision: str | None, texts: Sequence[str]) -> F32:
    """Vectors of length 1; of a text without a known word all zero."""
    found = _model(model, revision).encode(
        list(texts), show_progress_bar=False, use_multiprocessing=False
    )
    array: F32 = np.array(found, np.float32).reshape(len(texts), -1)
    length: F32 = np.sqrt((array * array).sum(axis=1, keepdims=True))
    length[length == 0] = 1
    array /= length
    return array


def vectors_of_items(settings: Mapping[str, Any], items: pa.Table) -> pa.Table:
    """The vectors of all items, as a table."""
    order = items.sort_by(
        [("benchmark", "ascending"), ("item", "ascending"), ("text", "ascending")]
    )
    texts = order.column("text").to_pylist()
    found = vectors(settings["model"], settings["revision"], texts)
    flat = pa.array(found.reshape(-1), pa.float32())
    offsets = pa.array(np.arange(len(texts) + 1, dtype=np.int32) * found.shape[1])
    columns = [
        order.column("benchmark"),
        order.column("item"),
        pa.ListArray.from_arrays(offsets, flat),
    ]
    return pa.table(dict(zip(VECTOR_SCHEMA.names, columns, strict=True))).cast(VECTOR_SCHEMA)


@dataclass(frozen=True, slots=True)
class Nearest:
    """All items' vectors, ready to be compared."""

    settings: Mapping[str, Any]
    benchmarks: Sequence[str]
    items: Sequence[str]
    vectors: F32

    @classmethod
    def of(cls, settings: Mapping[str, Any], inputs: Inputs, chunk: Chunk) -> "Nearest":
        """Read the items' vectors."""
        table = inputs.table("index_vectors", VECTOR_SCHEMA, chunk)
        flat = table.column("vector").combine_chunks().flatten().to_numpy()
        return cls(
            settings,
            table.column("benchmark").to_pylist(),
            table.column("item").to_pylist(),
            np.asarray(flat, np.float32).reshape(table.num_rows, -1),
        )

    def rows(self, stage: str, statements: Mapping[str, str]) -> list[dict[str, Any]]:
        """The nearest item of each statement, where it is near enough."""
        ids, texts = list(statements), list(statements.values())
        found: list[dict[str, Any]] = []
        for start in range(0, len(texts), ROWS):
            part = texts[start : start + ROWS]
            mine = vectors(self.settings["model"], self.settings["revision"], part)
            cosines = mine @ self.vectors.T
            best = cosines.argmax(axis=1)  # of equal ones the first, in the order of the items
            for at, item in enumerate(best.tolist()):
                # Three digits: the last ones of a sum are not the same on every machine.
                similarity = round(float(cosines[at, item]), 3)
                if similarity >= self.settings["min"]:
                    found.append(self._row(stage, ids[start + at], item, similarity))
        return found

    def _row(self, stage: str, problem: str, item: int, similarity: float) -> dict[str, Any]:
        return {
            "stage": stage,
            "problem_id": problem,
            "attempt_id": None,
            "level": "near",
            "rule": "semantic",
            "benchmark": self.benchmarks[item],
            "item": self.items[item],
            "n_items": 1,
            "similarity": similarity,
        }
