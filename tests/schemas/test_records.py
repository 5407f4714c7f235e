"""Records and their Arrow schemas say the same, and nothing published changes unseen.

To renew the golden copies after a change that is meant (raise SCHEMA_VERSION with it):
    TRACEFACTORY_RENEW_GOLDEN=1 pytest tests/schemas/test_records.py
"""

import dataclasses
import json
import os
from pathlib import Path

import orjson
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracefactory.publish.stats import Measured, problem_stats, trace_stats
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA, Attempt
from tracefactory.schemas.manifest import (
    LENGTH_EDGES,
    RATE_EDGES,
    SCHEMA_VERSION,
    SHARD_STATS_SCHEMA,
    ShardStats,
    Spread,
    Stats,
)
from tracefactory.schemas.overlap import OVERLAP_SCHEMA, BenchmarkOverlap
from tracefactory.schemas.probe import PROBE_SCHEMA, Probe
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.receipt import RECEIPT_SCHEMA, Output, Receipt
from tracefactory.schemas.rows import records, table_of
from tracefactory.schemas.traces import SFT_SCHEMA, VIEW_SCHEMAS, Message, Trace
from tracefactory.schemas.verdict import STATUSES, VERDICT_SCHEMA, StepCounts, Verdict
from tracefactory.stages.contract import Inputs
from tracefactory.store.home import Home
from tracefactory.task import Chunk

GOLDEN = Path(__file__).parents[2] / "schemas" / "golden"
RENEW = "TRACEFACTORY_RENEW_GOLDEN"

PUBLISHED = {**VIEW_SCHEMAS, "shard_stats": SHARD_STATS_SCHEMA}
SCHEMAS = {
    **PUBLISHED,
    "problem": PROBLEM_SCHEMA,
    "attempt": ATTEMPT_SCHEMA,
    "verdict": VERDICT_SCHEMA,
    "receipt": RECEIPT_SCHEMA,
    "probe": PROBE_SCHEMA,
    "overlap": OVERLAP_SCHEMA,
}
TRAINER_COLUMNS = {
    "prompt", "completion", "chosen", "rejected", "conversations", "input_ids", "labels", "label",
    "text", "chat_template_kwargs", "image", "images",
}  # fmt: skip


def fields_of(kind):
    return [field.name for field in dataclasses.fields(kind)]


# --- Records and schemas -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Problem, PROBLEM_SCHEMA),
        (Attempt, ATTEMPT_SCHEMA),
        (Trace, SFT_SCHEMA),
        (Receipt, RECEIPT_SCHEMA),
        (Probe, PROBE_SCHEMA),
        (BenchmarkOverlap, OVERLAP_SCHEMA),
    ],
)
def test_fields_are_the_columns_in_their_order(kind, schema):
    assert fields_of(kind) == schema.names


def test_messages_hold_the_fields_of_message():
    role_and_content = [field.name for field in SFT_SCHEMA.field("messages").type.value_type]
    assert role_and_content == fields_of(Message)


def test_outputs_hold_the_fields_of_output():
    assert [f.name for f in RECEIPT_SCHEMA.field("outputs").type.value_type] == fields_of(Output)


def test_a_verdict_row_holds_the_verdict_and_the_step_counts():
    assert set(fields_of(Verdict)) <= set(VERDICT_SCHEMA.names)
    measures = {f"{name}_steps" for name in fields_of(StepCounts) if name.startswith("n_")}
    assert measures <= set(VERDICT_SCHEMA.names)


def test_a_shard_row_holds_the_shard_stats_and_a_count_for_each_status():
    assert set(fields_of(ShardStats)) <= set(SHARD_STATS_SCHEMA.names)
    assert {f"n_{status}" for status in STATUSES} <= set(SHARD_STATS_SCHEMA.names)


@pytest.mark.parametrize("kind", [Problem, Attempt, Verdict, StepCounts, Trace, Message, Output,
                                  Receipt, Spread, Stats, ShardStats, Probe,
                                  BenchmarkOverlap])  # fmt: skip
def test_records_are_frozen_and_hold_no_other_attributes(kind):
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in vars(kind)


def test_null_is_allowed_exactly_where_the_record_says_none():
    for kind, schema in (
        (Problem, PROBLEM_SCHEMA), (Attempt, ATTEMPT_SCHEMA), (Probe, PROBE_SCHEMA),
        (BenchmarkOverlap, OVERLAP_SCHEMA),
    ):  # fmt: skip
        said = {f.name: "None" in str(f.type) for f in dataclasses.fields(kind)}
        assert said == {field.name: field.nullable for field in schema}


def test_rows_come_back_as_the_same_records():
    rows = [
        Attempt("p/t/0", "p", 0, "t", "r", "MIT", "text ü\0", "stop", 2**62, 1, 2, 3, "tok"),
        Attempt("p/t/1", "p", 1, "t", "r", "MIT", "", "length", None),
    ]
    assert list(records(Attempt, table_of(rows, ATTEMPT_SCHEMA))) == rows


# --- What trainers and readers can take --------------------------------------------------------


def types_in(kind):
    yield kind
    for i in range(kind.num_fields):
        yield from types_in(kind.field(i).type)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_columns_are_of_types_that_every_reader_takes(name):
    allowed = {pa.string(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_()}
    for field in PUBLISHED[name]:
        for kind in types_in(field.type):
            nested = pa.types.is_struct(kind) or pa.types.is_list(kind)
            assert nested or kind in allowed, f"{name}.{field.name} is {field.type}"


@pytest.mark.parametrize("name", ["sft", "rejected", "probes", "overlaps"])
def test_no_column_that_trainers_branch_on(name):
    assert not TRAINER_COLUMNS & set(VIEW_SCHEMAS[name].names)


def test_rl_and_pretrain_have_only_the_trainer_column_they_are_for():
    assert TRAINER_COLUMNS & set(VIEW_SCHEMAS["rl"].names) == {"prompt"}
    assert TRAINER_COLUMNS & set(VIEW_SCHEMAS["pretrain"].names) == {"text"}


def test_no_published_column_is_a_date():
    for name, schema in PUBLISHED.items():
        for column in schema.names:
            assert not {"created", "date", "time", "host"} & set(column.split("_")), (name, column)


# --- Golden copies -----------------------------------------------------------------------------


def golden_of(name):
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "columns": [
            {"name": field.name, "type": str(field.type), "nullable": field.nullable}
            for field in SCHEMAS[name]
        ],
    }


def renew():
    GOLDEN.mkdir(exist_ok=True)
    for name in SCHEMAS:
        text = json.dumps(golden_of(name), indent=2)
        (GOLDEN / f"{name}.json").write_text(text + "\n", "utf-8")
    for path in GOLDEN.glob("*.json"):
        if path.stem not in SCHEMAS:
            path.unlink()


@pytest.fixture(scope="module", autouse=True)
def _renewed():
    if os.environ.get(RENEW) == "1":
        renew()


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_its_golden_copy(name):
    path = GOLDEN / f"{name}.json"
    how = (
        "if the change is meant, raise SCHEMA_VERSION in schemas/manifest.py (unless it was raised "
        f"since the last release) and run: {RENEW}=1 pytest tests/schemas/test_records.py"
    )
    assert path.exists(), f"{path} is missing; {how}"
    assert json.loads(path.read_text("utf-8")) == golden_of(name), f"{path} differs; {how}"


def test_there_is_no_golden_copy_without_a_schema():
    assert {path.stem for path in GOLDEN.iterdir()} == set(SCHEMAS)


# --- Statistics: any partition folds to the whole ----------------------------------------------

names = st.sampled_from(["a", "b", "ü: |"])
traces = st.fixed_dictionaries(
    {
        "status": st.sampled_from(STATUSES),
        "reason": names,
        "verifier": names,
        "teacher": names,
        "teacher_revision": st.sampled_from(["program:x@1", "main"]),
        "domain": names,
        "task_type": names,
        "source": names,
        "license": names,
        "finish_reason": st.sampled_from(["stop", "length"]),
        # fractions as polars makes them: 32-bit
        "pass_rate": st.none() | st.integers(0, 8).map(lambda k: k / 8) | st.just(1 / 3),
        "dropped_by": names,
        "drop_reason": st.sampled_from(["fails x", "duplicate of p/t/0", "duplicate of p/t/1"]),
        "n_reasoning_chars": st.integers(0, 300_000),
        "n_answer_chars": st.sampled_from([*LENGTH_EDGES, *(edge + 63 for edge in LENGTH_EDGES)]),
        "steps": st.none() | st.tuples(*[st.integers(0, 3)] * 5),
    }
)
OUTCOMES = ("true", "rounded", "repaired", "false", "uncheckable")


def columns_of(row, number, schema):
    plain = {column: row.get(column) for column in schema.names}
    return {**plain, "id": f"p/t/{number}", "attempt_index": number}


def verdict_of(row, number):
    steps = row["steps"]
    counts = dict.fromkeys((f"n_{o}_steps" for o in OUTCOMES), None)
    if steps is not None:
        counts = {f"n_{o}_steps": n for o, n in zip(OUTCOMES, steps, strict=True)}
    evidence = {"mark": dict(zip(OUTCOMES, steps, strict=True)), "first_false": []} if steps else {}
    return {
        **{name: row.get(name) for name in VERDICT_SCHEMA.names},
        **counts,
        "attempt_id": f"p/t/{number}",
        "problem_id": "p",
        "attempt_index": number,
        "in_rate": True,
        "evidence": "{}",
        "steps_evidence": None if steps is None else orjson.dumps(evidence).decode(),
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("stats"))


def stats_of(rows, view, home):
    """The figures that the publish stage would give these (number, row) pairs."""
    schema = VIEW_SCHEMAS[view]
    table = pa.Table.from_pylist([columns_of(row, n, schema) for n, row in rows], schema=schema)
    verdicts = pa.Table.from_pylist([verdict_of(row, n) for n, row in rows], schema=VERDICT_SCHEMA)
    output = home.put("verdicts", "x", "verdicts", verdicts)
    return trace_stats(table, Measured(Inputs(home, (Chunk("x", {"verdicts": (output,)}),))))


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(traces, max_size=12),
    cuts=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    view=st.sampled_from(["sft", "rejected", "pretrain"]),
)
def test_figures_of_any_partition_fold_to_the_figures_of_all_rows(home, rows, cuts, view):
    numbered = list(enumerate(rows))
    parts = [
        [pair for pair, cut in zip(numbered, cuts, strict=False) if cut == k] for k in range(4)
    ]
    folded = Stats.fold(stats_of(part, view, home) for part in parts)
    assert folded == stats_of(numbered, view, home)
    assert Stats.from_json(orjson.loads(orjson.dumps(folded))) == folded
    assert folded.rows == sum(folded.statuses.values()) == len(rows)
    assert folded.reasoning_chars.n == sum(folded.reasoning_chars.histogram) == len(rows)
    if view != "pretrain":
        assert sum(folded.pass_rates) + folded.unrated == len(rows)
    measured = [row["steps"] for row in rows if row["steps"] is not None]
    if measured:
        for k, outcome in enumerate(OUTCOMES):
            assert folded.steps[outcome] == sum(steps[k] for steps in measured)
        assert folded.rows_with_false_steps == sum(steps[3] > 0 for steps in measured)
    else:  # null = not measured
        assert folded.rows_with_false_steps is None
        assert not folded.steps


tasks = st.fixed_dictionaries(
    {
        "domain": names,
        "task_type": names,
        "source": names,
        "license": names,
        "pass_rate": st.none() | st.integers(0, 8).map(lambda k: k / 8),
        "verification_info": names.map(lambda name: orjson.dumps({"verifier": name}).decode()),
    }
)


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(tasks, max_size=10), cut=st.integers(0, 10))
def test_figures_of_problems_fold_too(rows, cut):
    schema = VIEW_SCHEMAS["rl"]

    def of(some):
        plain = [{**dict.fromkeys(schema.names), **row} for row in some]
        return problem_stats(pa.Table.from_pylist(plain, schema=schema))

    assert of(rows[:cut]).merge(of(rows[cut:])) == of(rows)


counts = st.dictionaries(names, st.integers(1, 9), max_size=3)
maybe = st.none() | st.integers(0, 9)
n_bins = len(LENGTH_EDGES)
bins = st.lists(st.integers(0, 9), min_size=n_bins, max_size=n_bins).map(tuple)
spreads = st.builds(Spread, st.integers(0, 9), st.integers(0, 99), maybe, maybe, bins)
figures = st.builds(
    Stats,
    rows=st.integers(0, 9),
    **dict.fromkeys(
        ("statuses", "reasons", "dropped", "verifiers", "teachers", "domains", "task_types",
         "sources", "licenses", "finish_reasons", "steps", "probes"),
        counts,
    ),
    **dict.fromkeys(
        ("programs", "truncated", "rows_with_false_steps", "correct_with_false_steps"), maybe
    ),
    reasoning_chars=spreads,
    answer_chars=spreads,
    pass_rates=st.lists(
        st.integers(0, 9), min_size=len(RATE_EDGES), max_size=len(RATE_EDGES)
    ).map(tuple),
    unrated=st.integers(0, 9),
)  # fmt: skip


@settings(max_examples=80)
@given(a=figures, b=figures, c=figures)
def test_merging_knows_no_order_and_no_grouping(a, b, c):
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c)) == Stats.fold([c, a, b])
    assert Stats.fold([a]) == Stats().merge(a) == a
    assert Stats.from_json(json.loads(json.dumps(dataclasses.asdict(a)))) == a


def test_every_figure_takes_part_in_the_merge():
    one = {"rows": 1, "unrated": 1, "pass_rates": (1,) * len(RATE_EDGES)}
    for field in dataclasses.fields(Stats):
        if "Counts" in str(field.type) or "Mapping" in str(field.type):
            one[field.name] = {"x": 1}
        elif "None" in str(field.type):
            one[field.name] = 1
        elif "Spread" in str(field.type):
            one[field.name] = Spread(1, 1, 1, 1, (1,) * len(LENGTH_EDGES))
    assert set(one) == set(fields_of(Stats))
    merged = Stats(**one).merge(Stats(**one))
    for name in one:
        assert getattr(merged, name) != one[name], name


def test_a_length_or_rate_on_an_edge_falls_into_the_bin_that_begins_there():
    from tracefactory.publish.stats import rate_bins, spread

    assert spread(LENGTH_EDGES).histogram == (1,) * len(LENGTH_EDGES)
    assert rate_bins(RATE_EDGES) == ((1,) * len(RATE_EDGES), 0)
    third = pl.Series([1 / 3], dtype=pl.Float32)[0]
    assert rate_bins([third, None]) == ((0, 0, 1, 0, 0, 0, 0, 0, 0), 1)
