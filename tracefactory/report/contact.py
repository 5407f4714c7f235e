"""What rows have in common with benchmarks, benchmark by benchmark: for the page and the card."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tracefactory.schemas.manifest import Manifest
from tracefactory.schemas.overlap import LEVELS

SHOWN = 60
"""Benchmarks in the table of the page; all are in the manifest."""


class Contact(NamedTuple):
    """One benchmark."""

    name: str
    place: str
    """Hub id, or `file`."""
    revision: str
    items: int
    unusable: int
    """Rows of it that had no text, so that nothing was compared with them."""
    found: Mapping[str, int] | None
    """Overlaps by `level.part`; None: the release does not publish them."""


def contacts(manifest: Manifest) -> list[Contact]:
    """The benchmarks that rows were compared with, those with overlaps first."""
    counts = _counts(manifest)
    found = [_contact(each, counts) for each in manifest.benchmarks]
    return sorted(found, key=lambda one: (-sum((one.found or {}).values()), one.name))


def _counts(manifest: Manifest) -> Mapping[str, int] | None:
    if "overlaps" not in manifest.configs:
        return None
    counts: dict[str, int] = {}
    for split in manifest.configs["overlaps"].values():
        for key, n in split["stats"]["overlaps"].items():
            counts[key] = counts.get(key, 0) + n
    return counts


def _contact(given: Mapping[str, Any], counts: Mapping[str, int] | None) -> Contact:
    name = str(given.get("name", ""))
    revision = given.get("revision") or str(given.get("content_sha256_sum") or "")
    return Contact(
        name=name,
        place=str(given.get("id") or given.get("kind") or ""),
        revision=str(revision),
        items=int(given.get("items") or 0),
        unusable=int(given.get("unusable_rows") or 0),
        found=None if counts is None else _of(name, counts),
    )


def _of(name: str, counts: Mapping[str, int]) -> dict[str, int]:
    return {
        f"{level}_{part}": counts.get(f"{name}.{level}.{part}", 0)
        for level in LEVELS
        for part in ("problem", "trace")
    }


def dropped(funnel: Mapping[str, int], stages: Sequence[str]) -> dict[str, int]:
    """What decontaminate stages counted, summed over them."""
    found: dict[str, int] = {}
    for step, n in funnel.items():
        stage, _, key = step.rpartition(".")
        if stage in stages:
            found[key] = found.get(key, 0) + n
    return found
