"""The page of it all: figures from the manifest and the shards' records, in one HTML file.

Nothing is loaded from anywhere. The content security policy names the one style sheet and the one
script by their hashes, so even markup that got through the escaping could not run.
"""

import base64
import functools
import hashlib
import importlib.resources
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from tracefactory.probing.rate import rates
from tracefactory.rates import pass_at
from tracefactory.report import contact, evidence, repeated, shards, spreads, texts, yields
from tracefactory.report.charts import bar, sparkline
from tracefactory.report.checks import Release, checks, tally
from tracefactory.report.sample import Drawn, Sample
from tracefactory.report.taught import looped, proven
from tracefactory.schemas.manifest import Manifest, ShardStats

TEXT_BYTES = 1_200_000
"""What the texts of all sampled rows may take of the page."""


def report(manifest: Manifest, shards: Sequence[ShardStats], sample: Sample) -> bytes:
    """report.html of a release: the same input gives the same bytes.

    Args:
        manifest: of the release.
        shards: the record of each shard, in the manifest's order.
        sample: rows to show in full (`sample.choose`).
    """
    release = Release.of(manifest, shards)
    style, script = _data("report.css"), _data("report.js")
    page = (
        _environment()
        .from_string(_data("report.html.j2"))
        .render(
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            digest=hashlib.sha256(manifest.to_bytes()).hexdigest(),
            m=manifest,
            sample=sample,
            **_figures(release),
            **_evidence(release),
            rows_shown=_shown(sample),
            taught=[one for one in (proven(manifest.proof), looped(manifest.loop)) if one],
        )
    )
    # Half of a surrogate pair is no text in any encoding; everything else passes as it is.
    return page.encode("utf-8", "backslashreplace")


def _figures(release: Release) -> dict[str, object]:
    found = checks(release)
    sft, rejected = release.stats("sft"), release.stats("rejected")
    tokens = shards.counted(sft)
    reasoning, answer = shards.spread_of(sft, tokens)
    return {
        "checks": found,
        "tally": tally(found),
        "sft": sft,
        "rejected": rejected,
        "attempts": release.step("attempts"),
        "length": reasoning.sum + answer.sum if reasoning.n else None,
        "unit": "tokens" if tokens else "characters",
        "total_bytes": sum(shard.bytes for shard in release.shards),
        "configs": release.configs,
        "yields": yields.yields(release),
        "listing": shards.listing(release.shards),
        "views": sorted({shard.config for shard in release.shards}),
        "charts": spreads.charts(release),
        "passed": pass_at(release.stats("rl").solved),
        "groupings": spreads.groupings(release),
    }


def _evidence(release: Release) -> dict[str, object]:
    both = release.stats("sft", "rejected")
    return {
        "both": both,
        "statuses": evidence.statuses(release),
        "outcomes": evidence.OUTCOMES,
        "steps": {name: evidence.steps(release, name) for name in ("sft", "rejected")},
        "probed": rates(release.stats("probes").probes),
        "dedupe": release.stages("dedupe"),
        "duplicates": release.step("duplicates"),
        "repeated": repeated.repeated(release.manifest),
        "contacts": contact.contacts(release.manifest)[: contact.SHOWN],
        "contaminated": contact.dropped(
            release.manifest.funnel, list(release.stages("decontaminate"))
        ),
        "sources": evidence.sources(release),
        "recipe": evidence.recipe(release),
        "commands": evidence.commands(release),
        "limits": evidence.limits(release),
        "writers": sorted({shard.writer for shard in release.shards}),
    }


def _shown(sample: Sample) -> dict[str, list[tuple[Drawn, list[tuple[str, texts.Cut]]]]]:
    """The sampled rows with their texts, each cut to its part of the room there is."""
    room = TEXT_BYTES // max(len(sample.accepted) + len(sample.rejected), 1)
    return {
        name: [(row, _turns(row, room)) for row in rows]
        for name, rows in (("kept", sample.accepted), ("rejected", sample.rejected))
    }


def _turns(row: Drawn, room: int) -> list[tuple[str, texts.Cut]]:
    """Each turn, the last one (the answer) with most of the room."""
    *asked, answer = row.messages or (("", ""),)
    part = room // 4 // max(len(asked), 1)
    turns = [(role, texts.cut(content, part)) for role, content in asked]
    return [*turns, (answer[0], texts.cut(answer[1], room * 3 // 4))]


def _policy(style: str, script: str) -> str:
    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


@functools.cache
def _data(name: str) -> str:
    return importlib.resources.files("tracefactory.report").joinpath(name).read_text("utf-8")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {
        "shown": texts.shown,
        "label": texts.label,
        "number": texts.number,
        "share": texts.share,
        "size": texts.size,
        "bar": bar,
        "sparkline": sparkline,
    }
    environment.filters.update(filters)
    return environment
