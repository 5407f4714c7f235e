"""The stage: what goes, what stays, where that is noted; benchmarks from files and a folder."""

import json
import random
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from stage_parts import Row, chunk_of, driven, dropped_by

from tracefactory.contamination.known import KNOWN, names_of
from tracefactory.errors import SourceError
from tracefactory.schemas.overlap import OVERLAP_SCHEMA
from tracefactory.schemas.problem import PROBLEM_SCHEMA
from tracefactory.stages import decontaminate
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs
from tracefactory.stages.decontaminate import STAGE, DecontaminateConfig
from tracefactory.stages.split import split_of
from tracefactory.store.home import Home

ITEM = "A farmer has 12 red hens and 7 grey geese, and each of the hens lays 3 eggs a week in May."
TWIN = ITEM.replace("12", "31").replace("7", "9")
FREE = "Nobody has ever asked how many sheep go over this wall at night while we lie here awake."


@pytest.fixture
def bench(tmp_path):
    path = tmp_path / "bench.jsonl"
    path.write_text("".join(json.dumps({"q": q}) + "\n" for q in (ITEM, "What is 15 times 4?")))
    return {"name": "ours", "path": str(path), "text": "q"}


def config(*benchmarks, **rest):
    given = {"use": "decontaminate", "from": "x", "benchmarks": list(benchmarks), **rest}
    return DecontaminateConfig.model_validate(given)


def chunk(home, name, statements, texts, splits=None):
    """A chunk with a problem a statement and one attempt at each, with its text."""
    rows = [
        Row(f"{name}-{n}", 0, text=text, split=(splits or {}).get(n, "train"))
        for n, text in enumerate(texts)
    ]
    made = chunk_of(home, name, rows)
    table = home.read(made.files["problems"][0]).to_pylist()
    for row, statement in zip(table, statements, strict=True):
        row["statement"] = statement
    problems = pa.Table.from_pylist(table, schema=PROBLEM_SCHEMA)
    files = {**made.files, "problems": (home.put("in2", name, "problems", problems),)}
    return type(made)(made.name, files, made.facts, made.root)


def after(home, settings, chunks):
    """The chunks behind the stage by name, and what the receipts count."""
    plan = driven(STAGE, settings, home, chunks)
    counts = sum((Counter(r.counts) for receipts in plan.done for r in receipts), Counter())
    return plan, {c.name: c for c in STAGE.chunks(settings, plan)}, counts


def rows_of(home, chunks):
    """Overlaps, each once: all chunks of a group carry them."""
    found = [
        r for c in chunks for r in Inputs(home, (c,)).table("overlaps", OVERLAP_SCHEMA).to_pylist()
    ]
    return {(r["problem_id"], r["attempt_id"], r["benchmark"]): r for r in found}


# --- What goes -----------------------------------------------------------------------------------


def test_statements_and_traces_are_both_looked_at(tmp_path, bench):
    home = Home(tmp_path / "run")
    statements = [ITEM, TWIN, FREE, FREE, FREE]
    texts = ["5", "5", f"This is like: {ITEM} So 5.", "5", "What is 15 times 4? It is 60."]
    one = chunk(home, "c", statements, texts)
    plan, chunks, counts = after(home, config(bench), [one])
    gone = dropped_by(STAGE, config(bench), home, plan)
    assert gone == {
        "c-0/t/0": "problem in ours: copy of item 1, coverage 1.00",
        "c-2/t/0": "trace in ours: copy of item 1, coverage 1.00",
    }
    assert split_of(Inputs(home, (chunks["c"],))) == {"c-0": "contaminated"}
    rows = rows_of(home, chunks.values())
    assert {key: (r["level"], r["rule"]) for key, r in rows.items()} == {
        ("c-0", None, "ours"): ("contaminated", "coverage"),
        ("c-1", None, "ours"): ("suspect", "renumbered"),
        ("c-2", "c-2/t/0", "ours"): ("contaminated", "coverage"),
    }
    assert {r["stage"] for r in rows.values()} == {"selected"}
    assert {k: counts[k] for k in ("kept", "contaminated", "suspect", "problems_contaminated",
                                   "problems_suspect", "items")} == {
        "kept": 3, "contaminated": 2, "suspect": 1, "problems_contaminated": 1,
        "problems_suspect": 1, "items": 2,
    }  # fmt: skip
    assert counts["dropped:problem in ours: copy"] == counts["dropped:trace in ours: copy"] == 1


def test_what_is_dropped_already_and_what_is_held_out_is_left_alone(tmp_path, bench):
    home = Home(tmp_path / "run")
    one = chunk(home, "c", [ITEM, FREE], [ITEM, f"{ITEM}"], splits={0: "test"})
    gone = pa.Table.from_pylist(
        [{"attempt_id": "c-1/t/0", "dropped_by": "f", "drop_reason": "x"}], schema=DECISION_SCHEMA
    )
    one = one.extended([home.put("d", "c", "decisions", gone)], {})
    plan, chunks, _ = after(home, config(bench), [one])
    assert dropped_by(STAGE, config(bench), home, plan) == {}
    assert rows_of(home, chunks.values()) == {}


def test_before_any_teacher_was_asked_problems_alone_are_looked_at(tmp_path, bench):
    home = Home(tmp_path / "run")
    full = chunk(home, "c", [ITEM, FREE], ["1", "2"])
    bare = type(full)("c", {"problems": full.files["problems"]}, {}, "c")
    _, chunks, counts = after(home, config(bench), [bare])
    assert split_of(Inputs(home, (chunks["c"],))) == {"c-0": "contaminated"}
    assert "kept" not in counts  # no attempts, no figure of them


def test_a_chunk_without_contaminated_problems_gets_no_splits(tmp_path, bench):
    """So that nobody is asked, and paid, again when a list of benchmarks changes elsewhere."""
    home = Home(tmp_path / "run")
    chunks = [chunk(home, "a", [FREE], ["1"]), chunk(home, "b", [ITEM], ["1"])]
    _, out, _ = after(home, config(bench), chunks)
    assert "splits" not in out["a"].files
    assert len(out["b"].files["splits"]) == 1


def test_nothing_depends_on_chunks_groups_or_order(tmp_path, bench, monkeypatch):
    chance = random.Random(7)
    statements = [chance.choice([ITEM, TWIN, FREE, f"{FREE} {n}"]) for n in range(60)]
    texts = [
        chance.choice(["1", f"so: {ITEM}", "each of the hens lays 3 eggs a week in"])
        for _ in statements
    ]

    def outcome(folder, size, group):
        monkeypatch.setattr(decontaminate, "GROUP_ROWS", group)
        home = Home(tmp_path / folder)
        order = list(range(len(statements)))
        chance.shuffle(order)
        chunks, names = [], {}
        for start in range(0, len(order), size):
            part = order[start : start + size]
            name = f"c{start:03d}"
            names |= {f"{name}-{n}": i for n, i in enumerate(part)}
            chunks.append(
                chunk(home, name, [statements[i] for i in part], [texts[i] for i in part])
            )
        plan, out, counts = after(home, config(bench), chunks)
        gone = dropped_by(STAGE, config(bench), home, plan)
        rows = rows_of(home, out.values())
        return (
            {names[i.partition("/")[0]]: why for i, why in gone.items()},
            sorted((names[p], a is None, r["level"], r["rule"], r["coverage"], r["item"])
                   for (p, a, _), r in rows.items()),
            {k: n for k, n in counts.items() if k not in ("index_bytes",)},
        )  # fmt: skip

    first = outcome("one", 60, 10**6)
    assert first[0]
    assert outcome("two", 7, 20) == first
    assert outcome("three", 1, 1) == first


# --- Benchmarks ----------------------------------------------------------------------------------


def read(home, settings):
    plan = driven(STAGE, settings, home, [chunk(home, "c", [FREE], ["1"])])
    items = [row for r in plan.done[0] for o in r.outputs for row in home.read(o).to_pylist()]
    return items, STAGE.compared(settings, plan)


def test_what_was_read_is_described(tmp_path, bench):
    items, (described,) = read(Home(tmp_path / "run"), config(bench))
    assert [(r["item"], r["benchmark"]) for r in items] == [("1", "ours"), ("2", "ours")]
    assert described | {"content_sha256_sum": ""} == {
        "stage": "selected", "name": "ours", "kind": "file", "columns": ["q"], "items": 2,
        "unusable_rows": 0, "content_sha256_sum": "",
    }  # fmt: skip


def test_choices_are_added_only_where_a_question_is_short(tmp_path):
    path = tmp_path / "mc.parquet"
    rows = [
        {"id": "x", "question": "Which is true?", "choices": {"text": ["red hens", "grey geese"]}},
        {"id": "y", "question": ITEM, "choices": {"text": ["one", "two"]}},
        {"id": "z", "question": None, "choices": {"text": ["one"]}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    place = {"name": "mc", "path": str(path), "text": ["question", "choices.text"], "item": "id"}
    items, (described,) = read(Home(tmp_path / "run"), config(place))
    assert {r["item"]: r["text"] for r in items} == {
        "x": "Which is true?\nred hens\ngrey geese", "y": ITEM
    }  # fmt: skip
    assert described["unusable_rows"] == 1


def test_a_column_that_is_not_there_is_an_error_with_those_that_are(tmp_path, bench):
    with pytest.raises(SourceError, match="no row has a text in 'question'; columns: q"):
        read(Home(tmp_path / "run"), config({**bench, "text": "question"}))


@pytest.mark.parametrize(
    ("lines", "place", "said"),
    [
        (["{not json"], {}, "1 line cannot be read .the first is line 1, not_json: '{not json'"),
        (['{"q": "\\ud800"}'] * 2, {}, "2 lines cannot be read .the first is line 1, lone_surr"),
        (
            ['{"q": "What?"}', "{", '{"other": 1}', '{"q": ""}'],
            {},
            "1 line cannot be read .*; 2 rows do not have a text in 'q'; columns: other, q",
        ),
        (['{"q": "What?"}'], {"item": "nope"}, "no row has an id in 'nope'; columns: q. Name"),
        (["{}"], {}, "there is no row"),
    ],
)  # fmt: skip
def test_a_benchmark_that_can_mostly_not_be_read_is_an_error_not_a_small_one(
    tmp_path, lines, place, said
):
    path = tmp_path / "theirs.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(SourceError, match=f"benchmark theirs: {said}"):
        read(
            Home(tmp_path / "run"),
            config({"name": "theirs", "path": str(path), "text": "q"} | place),
        )


def test_a_known_benchmark_from_a_file_needs_no_columns(tmp_path):
    path = tmp_path / "copy.jsonl"
    path.write_text(json.dumps({"question": ITEM}) + "\n")
    items, (described,) = read(Home(tmp_path / "run"), config({"name": "gsm8k", "path": str(path)}))
    assert (len(items), described["kind"]) == (1, "file")


def test_a_dataset_folder_is_read_like_the_hub(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist([{"problem": ITEM}] * 2), folder / "test-0.parquet")
    place = {"name": "s", "hub": {"id": str(folder), "split": "test"}, "text": "problem"}
    items, (described,) = read(Home(tmp_path / "run"), config(place))
    assert [r["item"] for r in items] == ["1", "2"]
    assert (described["kind"], described["items"], described["revision"]) == ("hub", 2, None)


def test_an_edited_benchmark_is_another_one(tmp_path, bench):
    from tracefactory.stages.contract import Plan

    def orders():
        return [o.config for o in STAGE.orders(config(bench), Plan("s", 7, "r"), 0)]

    before = orders()
    assert orders() == before
    path = tmp_path / "bench.jsonl"
    path.write_text(path.read_text() + json.dumps({"q": FREE}) + "\n")
    assert orders() != before


def test_the_list_of_known_benchmarks():
    assert len(KNOWN) >= 20
    assert set(names_of("all")) == {name for name, known in KNOWN.items() if not known.gated}
    assert not set(KNOWN) & {"all", "math", "science", "code", "general"}
    for name, known in KNOWN.items():
        assert known.revision is None or len(known.revision) == 40, name
        assert known.text, name
        assert known.configs, name
    spelled = config("math", "gpqa").benchmarks
    assert {b.name for b in spelled} == {*names_of("math"), "gpqa"}
    (place,) = next(b for b in spelled if b.name == "gsm8k").hubs()
    assert (place.id, place.config, place.split) == ("openai/gsm8k", "main", "test")
    assert place.revision == KNOWN["gsm8k"].revision


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("gsm9k", "no known benchmark 'gsm9k'.*gsm8k"),
        ({"name": "ours", "path": "x.jsonl"}, "say in `text` which column"),
        ({"name": "ours", "path": "x", "hub": {"id": "a/b"}, "text": "q"}, "not both"),
        ({"name": "gsm8k", "path": "x", "revision": "main"}, "is for a known one"),
    ],
)
def test_places_that_mean_nothing_are_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        config(given)


def test_a_benchmark_twice_is_refused():
    with pytest.raises(ValidationError, match="named twice: gsm8k"):
        config("math", "gsm8k")
    with pytest.raises(ValidationError, match="named twice: ours"):
        config(*({"name": name, "path": "x.jsonl", "text": "q"} for name in ("ours", "OURS")))
