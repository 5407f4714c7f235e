"""The dataset's card: a README made from the manifest alone."""

import functools
import importlib.resources
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined

from tracefactory.probing.rate import Rate, rates
from tracefactory.publish.columns import columns_of
from tracefactory.rates import PassAt, pass_at
from tracefactory.report.contact import contacts
from tracefactory.report.taught import looped, proven
from tracefactory.schemas.manifest import Manifest

ORDER = ("sft", "sft_reasoning", "rl", "pretrain", "preference", "rejected", "probes", "overlaps")


@functools.cache
def _environment() -> Environment:
    # The card is Markdown, not HTML: nothing is escaped; and nothing missing is let by.
    return Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )


def size_category(rows: int) -> str:
    """The Hub's word for a number of rows."""
    for limit, word in (
        (1_000, "n<1K"),
        (10_000, "1K<n<10K"),
        (100_000, "10K<n<100K"),
        (1_000_000, "100K<n<1M"),
    ):
        if rows < limit:
            return word
    return "1M<n<10M" if rows < 10_000_000 else "n>10M"


def share(part: int, whole: int) -> str:
    """A percentage, or a dash when there is nothing to divide by."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def card(manifest: Manifest, contents: Mapping[str, str]) -> str:
    """README.md of the dataset: how to load it, what is in it, how it was checked, its limits.

    `contents` is a hash of the files of each config. It stands in the configs' descriptions,
    because `datasets` would take two local folders with files of the same names for one, and
    serve the rows of the first from its cache.
    """
    template = importlib.resources.files("tracefactory").joinpath("card.md.j2").read_text("utf-8")
    configs = {name: manifest.configs[name] for name in ORDER if name in manifest.configs}
    traces: list[Mapping[str, Any]] = [
        configs[name][split]["stats"]
        for name in ("sft", "rejected")
        if name in configs
        for split in configs[name]
    ]
    rows = sum(f["rows"] for f in configs.get("sft", {}).values())
    return (
        _environment()
        .from_string(template)
        .render(
            title=manifest.title,
            m=manifest,
            place=manifest.repository or "PATH_TO_THIS_FOLDER",
            audited=f"hf://datasets/{manifest.repository}" if manifest.repository else ".",
            contents=contents,
            configs=configs,
            sft=_first(configs, "sft"),
            rejected=_first(configs, "rejected"),
            attempts=sum(s["rows"] for s in traces),
            programs=sum(s["programs"] or 0 for s in traces),
            verifiers=_merged(traces, "verifiers"),
            teachers=_merged(traces, "teachers"),
            statuses=_merged(traces, "statuses"),
            licenses=licenses_of(manifest),
            size=size_category(rows),
            columns=dict(columns_of("sft")),
            probed=_probed(configs),
            contacts=contacts(manifest),
            passed=_passed(configs),
            revisions=_merged(traces, "teacher_revisions"),
            share=share,
            taught=[one for one in (proven(manifest.proof), looped(manifest.loop)) if one],
        )
    )


def licenses_of(manifest: Manifest) -> list[str]:
    """The one that was stated for the whole release; else those of its rows."""
    if manifest.license is not None:
        return [manifest.license]
    return sorted(
        {
            name
            for splits in manifest.configs.values()
            for figures in splits.values()
            for name in figures["stats"]["licenses"]
        }
    )


def _probed(configs: Mapping[str, Any]) -> list[Rate]:
    return rates(_merged([each["stats"] for each in configs.get("probes", {}).values()], "probes"))


def _passed(configs: Mapping[str, Any]) -> list[PassAt]:
    return pass_at(_merged([each["stats"] for each in configs.get("rl", {}).values()], "solved"))


def _first(configs: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    return next((figures for figures in configs.get(name, {}).values()), None)


def _merged(stats: list[Mapping[str, Any]], field: str) -> dict[str, int]:
    merged: dict[str, int] = {}
    for part in stats:
        for key, n in part[field].items():
            merged[key] = merged.get(key, 0) + n
    return dict(sorted(merged.items()))
