"""Hugging Face datasets as rows, through the `datasets` library.

Not here: credentials (HF_TOKEN, as everywhere), streaming (rows are read from the local cache).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from tracefactory.errors import SourceError
from tracefactory.sources.rows import Row
from tracefactory.stages.contract import Result


def _load(hub: Mapping[str, Any]) -> Any:  # noqa: ANN401  (datasets has no types worth the name)
    import datasets

    datasets.disable_progress_bars()
    cache = None
    if "folder_sha256" in hub:
        # The library knows a local folder with a README again by its name alone, and would give
        # the rows it once had, or those of another folder so called.
        from datasets.config import HF_DATASETS_CACHE

        cache = str(Path(HF_DATASETS_CACHE) / f"tracefactory-{hub['folder_sha256'][:16]}")
    try:
        return datasets.load_dataset(
            hub["id"],
            name=hub["config"],
            split=hub["split"],
            revision=hub["revision"],
            cache_dir=cache,
        )
    except Exception as error:  # whatever datasets raises, it is about what the recipe asked for
        raise SourceError(
            f"hub dataset {hub['id']!r} (config {hub['config']!r}, split {hub['split']!r}, "
            f"revision {hub['revision']!r}): {type(error).__name__}: {str(error)[:500]}. "
            "Check the names; for a "
            "private one set HF_TOKEN; without a network give a local folder or use `file:`"
        ) from error


def open_hub(hub: Mapping[str, Any]) -> Result:
    """Fetch a dataset into the worker's cache; how many rows it has, and at which commit."""
    revision = hub["revision"]
    if not Path(hub["id"]).exists():
        from huggingface_hub import HfApi

        try:
            revision = HfApi().dataset_info(hub["id"], revision=revision).sha
        except Exception as error:
            raise SourceError(
                f"hub dataset {hub['id']!r} at revision {revision!r} cannot be reached: "
                f"{type(error).__name__}: {str(error)[:300]}. Check the id and the network"
            ) from error
    dataset = _load({**hub, "revision": revision})
    facts = {
        "rows": str(len(dataset)),
        "revision": revision or "",
        "content": str(dataset._fingerprint),
    }
    return Result({}, {"rows": len(dataset)}, facts)


def read_hub(hub: Mapping[str, Any], start: int, stop: int) -> Iterator[Row]:
    """Rows [start, stop) of an opened dataset."""
    dataset = _load(hub)
    table = cast("pa.Table", dataset.with_format("arrow")[start:stop])
    for batch in table.to_batches(max_chunksize=1000):
        for offset, value in enumerate(batch.to_pylist()):
            yield Row(start + offset + 1, value)
        start += batch.num_rows
