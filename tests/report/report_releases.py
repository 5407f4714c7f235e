"""Releases made by hand: what a report is tested on, down to texts that mean harm."""

from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.report.sample import Drawn, Sample
from tracefactory.schemas.manifest import Manifest, ShardStats, Spread, Stats
from tracefactory.schemas.traces import REJECTED_SCHEMA, SFT_SCHEMA

RECIPE = {
    "name": "made",
    "description": "Made for a test.",
    "stages": {
        "problems": {"use": "sample"},
        "attempts": {"use": "generate"},
        "verdicts": {"use": "verify"},
        "kept": {"use": "filter"},
        "unique": {"use": "dedupe", "level": "exact"},
        "dataset": {"use": "publish"},
    },
}
HARM = [
    "<script>document.title = 'ran'; fetch('http://127.0.0.1:9/leak')</script>",
    "</template></pre></details></main><h1 id=escaped>out</h1>",
    "<img src='http://127.0.0.1:9/leak.png' onerror='document.title = 1'>",
    '" onmouseover="document.title = \'ran\'" x="',
    "' autofocus onfocus='document.title = 1' x='",
    "</style><style>@import 'http://127.0.0.1:9/leak.css';</style>",
    "</title></script><svg onload=document.title=1>",
    "{{ 7 * 7 }}{% raise %}{# #}",
    "]]><!-- <a href='javascript:document.title=1'>",
    "\u202egnp.exe\u2066 left \u200bzero\x00nul\x1b[31m\rback",
    "long" * 200,
]


def spread(*numbers):
    bins = [0] * 13
    for n in numbers:
        bins[max(n, 32).bit_length() - 6 if n >= 64 else 0] += 1
    low, high = min(numbers, default=None), max(numbers, default=None)
    return Spread(len(numbers), sum(numbers), low, high, tuple(bins))


def traces(rows, config, length=100, correct=None, **changes):
    """Statistics of `sft` or `rejected` rows."""
    correct = (rows if config == "sft" else rows // 2) if correct is None else correct
    statuses = {"correct": correct, "incorrect": rows - correct}
    stats = Stats(
        rows=rows,
        statuses={name: n for name, n in statuses.items() if n},
        reasons={
            key: n
            for key, n in {"correct:equal": correct, "incorrect:different": rows - correct}.items()
            if n
        },
        dropped={
            key: n
            for key, n in {
                "kept: fails status = 'correct'": rows - correct,
                "unique: duplicate": correct,
            }.items()
            if n and config == "rejected"
        },
        verifiers={"tracefactory.verifiers.symbolic:verify@1": rows},
        teachers={"org/model-8B": rows},
        teacher_revisions={"org/model-8B @ 1a2b3c": rows},
        teacher_licenses={"MIT": rows},
        programs=0,
        domains={"math": rows},
        task_types={"gcd": rows},
        sources={"numbers": rows},
        licenses={"MIT": rows},
        finish_reasons={"stop": rows},
        truncated=0,
        without_reasoning=0,
        limited_by_clock=0,
        steps={"true": 2 * rows, "false": 0, "equation.true": 2 * rows},
        rows_with_false_steps=0,
        correct_with_false_steps=0,
        reasoning_chars=spread(*[length] * rows),
        answer_chars=spread(*[20] * rows),
        pass_rates=(0, 0, 0, 0, 0, 0, 0, 0, rows),
    )
    return replace(stats, **changes)


def problems(rows, **changes):
    """Statistics of `rl` rows."""
    stats = Stats(
        rows=rows,
        domains={"math": rows},
        licenses={"MIT": rows},
        pass_rates=(rows // 2, 0, 0, 0, 0, 0, 0, 0, rows - rows // 2),
    )
    return replace(stats, **changes)


def shard(config, index, stats, split="train", **changes):
    path = f"{config}/{split}-{index:05d}.parquet"
    made = ShardStats(
        path=path,
        config=config,
        split=split,
        index=index,
        rows=stats.rows,
        bytes=stats.rows * 100,
        file_sha256=f"{abs(hash(path)) % 16**8:08x}" * 8,
        content_sha256="c" * 64,
        row_groups=1,
        schema_sha256=config,
        schema_version="2",
        writer="pyarrow 26.0.1",
        recipe_id="0123456789abcdef",
        seed=7,
        stats=stats,
    )
    return replace(made, **changes)


def shards():
    """Six shards of each view; the fifth of `sft` has far longer traces than the others."""
    return [
        *(shard("rejected", i, traces(80, "rejected")) for i in range(6)),
        *(shard("rl", i, problems(60)) for i in range(6)),
        shard("rl", 0, problems(40, pass_rates=(0,) * 9, unrated=40), split="test"),
        *(shard("sft", i, traces(100 + i, "sft", length=900 if i == 4 else 100)) for i in range(6)),
    ]


def manifest(parts, **changes):
    """The manifest whose figures are the fold of these shards."""
    configs = {}
    for part in parts:
        configs.setdefault(part.config, {}).setdefault(part.split, []).append(part)
    rows = {config: sum(part.rows for part in parts if part.config == config) for config in configs}
    correct = sum(part.stats.statuses.get("correct", 0) for part in parts)
    sft, rejected = rows.get("sft", 0), rows.get("rejected", 0)
    dropped = Stats.fold(part.stats for part in parts if part.config == "rejected").dropped
    made = Manifest(
        name="made",
        schema_version="2",
        tracefactory="0.1.0",
        recipe_id="0123456789abcdef",
        recipe=RECIPE,
        seed=7,
        title="Made by hand",
        license=None,
        repository=None,
        parent_release=None,
        funnel={
            "problems.problems": rows.get("rl", 0),
            "attempts.attempts": sft + rejected,
            "verdicts.correct": correct,
            "verdicts.incorrect": sft + rejected - correct,
            "kept.kept": correct,
            "unique.kept": sft,
            "unique.duplicates": dropped.get("unique: duplicate", 0),
            "published.sft.train": sft,
        },
        rejected_rows={},
        inputs=[{"kind": "file", "name": "numbers", "license": "MIT", "rows": rows.get("rl", 0)}],
        configs={
            config: {
                split: {
                    "files": [part.path for part in each],
                    "rows": sum(part.rows for part in each),
                    "bytes": sum(part.bytes for part in each),
                    "stats": asdict(Stats.fold(part.stats for part in each)),
                }
                for split, each in splits.items()
            }
            for config, splits in configs.items()
        },
        files=[
            {"path": p.path, "sha256": p.file_sha256, "bytes": p.bytes, "rows": p.rows}
            for p in parts
        ],
    )
    return replace(made, **changes)


def row(number, config="sft", **changes):
    """One published row, of the columns of its view."""
    schema = SFT_SCHEMA if config == "sft" else REJECTED_SCHEMA
    made = dict.fromkeys(schema.names)
    made |= {
        "id": f"p{number}/model/0",
        "messages": [
            {"role": "user", "content": f"What is {number} + 1?"},
            {"role": "assistant", "content": f"<think>\n{number}+1\n</think>\n\n{number + 1}"},
        ],
        "teacher": "org/model-8B",
        "answer": str(number + 1),
        "final_answer": str(number + 1),
        "status": "correct" if config == "sft" else "incorrect",
        "reason": "equal" if config == "sft" else "different",
    }
    if config == "rejected":
        made |= {"dropped_by": "kept", "drop_reason": "fails status = 'correct'"}
    return made | changes


def write(path, rows, config="sft", row_group_size=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = SFT_SCHEMA if config == "sft" else REJECTED_SCHEMA
    table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table, path, row_group_size=row_group_size or max(len(rows), 1))


def drawn(number, config="sft", texts=None):
    """A sampled row; `texts` are its turns."""
    made = row(number, config)
    turns = texts or [turn["content"] for turn in made["messages"]]
    facts = {
        name: value
        for name, value in made.items()
        if name not in ("id", "messages", "recipe_id", "content_sha256", "seed", "attempt_index")
    }
    roles = ["user"] * (len(turns) - 1) + ["assistant"]
    return Drawn(
        made["id"], f"{config}/train-00000.parquet", tuple(zip(roles, turns, strict=True)), facts
    )


def sample(texts=None):
    return Sample(
        "0" * 64,
        accepted=tuple(drawn(i, texts=texts) for i in range(3)),
        rejected=tuple(drawn(i, "rejected", texts=texts) for i in range(10, 13)),
    )


def harmful():
    """A release in which every text that comes from outside means harm."""
    every = {text: 10 for text in HARM}
    many = {
        field: every
        for field in ("verifiers", "teachers", "teacher_revisions", "teacher_licenses", "domains",
                      "task_types", "sources", "licenses", "dropped", "reasons", "tokenizers")
    }  # fmt: skip
    stats = traces(100, "rejected", **many)
    stats = replace(stats, dropped={f"kept: {text}": 10 for text in HARM})
    stats = replace(stats, steps={**stats.steps, **{f"{text}.true": 1 for text in HARM}})
    parts = [
        shard("rejected", i, stats, path=f"rejected/{text[:60]}", writer=text)
        for i, text in enumerate(HARM)
    ]
    parts.append(shard("sft", 0, traces(100, "sft", **many), schema_sha256="x"))
    evil = "".join(HARM)
    whole = manifest(
        parts,
        title=evil,
        name=evil,
        recipe_id=evil,
        tracefactory=evil,
        schema_version=evil,
        license=evil,
        repository=None,
        parent_release=evil,
        recipe={**RECIPE, "description": evil, "notes": HARM},
        rejected_rows=every,
        inputs=[dict.fromkeys(("kind", "name", "revision", "license"), text) for text in HARM],
    )
    rows = [
        Drawn(text, text, ((text, text), (text, "\n" + text)), dict(row(1), **dict.fromkeys(
            ("teacher", "answer", "final_answer", "status", "reason", "drop_reason"), text)))
        for text in HARM
    ]  # fmt: skip
    facts = ("id", "messages")
    rows = [replace(r, facts={k: v for k, v in r.facts.items() if k not in facts}) for r in rows]
    rows = [replace(r, facts={**r.facts, "dropped_by": r.id}) for r in rows]
    return whole, parts, Sample(evil, tuple(rows), tuple(rows))
