"""The views beside `sft`: reasoning in its own field, pairs of right and wrong; and what holds them
together: every attempt once, the same columns, a hash that is of the row's own content.
"""

import hashlib
import json
import subprocess
import sys
from collections import Counter

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.publish.stats import stats_of
from tracefactory.publish.views.preference import Side, paired
from tracefactory.publish.views.sft_reasoning import divided
from tracefactory.schemas.traces import (
    PREFERENCE_SCHEMA,
    SFT_REASONING_SCHEMA,
    SFT_SCHEMA,
    VIEW_SCHEMAS,
)
from tracefactory.verifiers.extract import split_reasoning

RECIPE = """\
name: views
seed: 7
stages:
  attempts:
    use: import
    path: stored.jsonl
    license: "MIT"
    problem: {id: id, statement: q, reference: a, split: split}
    attempts:
      - {teacher: org/a, text: a1, teacher_license: Apache-2.0}
      - {teacher: org/b, text: b1}
      - {teacher: org/c, text: c1}
      - {teacher: org/d, text: d1}
  verdicts: {use: verify, from: attempts}
  some: {use: select, from: verdicts, traces: {per_problem: 1, prefer: shortest}}
  dataset:
    use: publish
    from: some
    views: [sft, sft_reasoning, rl, pretrain, preference, rejected]
"""


def response(answer, note="sum"):
    return f"<think>\nthe {note} is {answer}\n</think>\n\n\\boxed{{{answer}}}"


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    """The rows of each view: of four teachers two are right, one is wrong, one says nothing."""
    folder = tmp_path_factory.mktemp("views")
    rows = [
        {
            "id": f"p{i}", "q": f"What is {i} + {i}?", "a": str(2 * i),
            "split": "test" if i >= 30 else "train",
            "a1": response(2 * i), "b1": response(2 * i, "sum of both numbers"),
            "c1": response(2 * i + (i % 3 > 0)), "d1": "I do not know.",
        }
        for i in range(40)
    ]  # fmt: skip
    (folder / "stored.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    done = subprocess.run(
        [sys.executable, "-m", "tracefactory", "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    dataset = folder / "run" / "dataset"
    found = {
        f"{path.parent.name}.{path.name.partition('-')[0]}": pq.ParquetFile(path).read()
        for path in dataset.glob("*/*-00000.parquet")
    }
    return {name: found[name].to_pylist() for name in found} | {"tables": found, "at": dataset}


def test_sft_reasoning_is_sft_row_by_row(views):
    sft, split = views["sft.train"], views["sft_reasoning.train"]
    assert [row["id"] for row in sft] == [row["id"] for row in split]
    for one, other in zip(sft, split, strict=True):
        user, assistant = other["messages"]
        inline = f"<think>\n{assistant['reasoning_content']}\n</think>\n\n{assistant['content']}"
        assert user == {**one["messages"][0], "reasoning_content": None}
        assert one["messages"][1]["content"] == inline
        rest = one.keys() - {"messages", "content_sha256"}
        assert {name: one[name] for name in rest} == {name: other[name] for name in rest}


def test_sft_reasoning_has_the_columns_of_sft():
    assert SFT_REASONING_SCHEMA.names == SFT_SCHEMA.names
    fields = SFT_REASONING_SCHEMA.field("messages").type.value_type
    assert [field.name for field in fields] == ["role", "content", "reasoning_content"]


def test_a_pair_is_a_published_trace_and_an_incorrect_one_of_the_same_problem(views):
    sft = {row["id"]: row for row in views["sft.train"]}
    rejected = {row["id"]: row for row in views["rejected.train"]}
    pairs = views["preference.train"]
    assert len(pairs) == 20  # of 30 problems, 20 have a wrong answer by org/c
    for pair in pairs:
        chosen, other = sft[pair["chosen_id"]], rejected[pair["rejected_id"]]
        assert pair["id"] == f"{pair['chosen_id']}~{pair['rejected_id']}"
        assert (chosen["status"], other["status"]) == ("correct", "incorrect")
        assert chosen["problem_id"] == other["problem_id"] == pair["problem_id"]
        assert pair["prompt"] == chosen["messages"][:1] == other["messages"][:1]
        assert pair["chosen"] == chosen["messages"][1:]
        assert pair["rejected"] == other["messages"][1:]
        for side, row in (("chosen", chosen), ("rejected", other)):
            for name in ("teacher", "teacher_license", "final_answer", "reason", "verifier"):
                assert pair[f"{side}_{name}"] == row[name]
        shared = ("answer", "license", "source", "domain", "task_type", "pass_rate", "recipe_id")
        assert {n: pair[n] for n in shared} == {n: chosen[n] for n in shared}
    assert not [pair for pair in pairs if int(pair["problem_id"][1:]) >= 30]  # held out


def test_an_attempt_that_select_dropped_is_rejected_with_the_reason(views):
    reasons = Counter(row["drop_reason"] for row in views["rejected.train"])
    # Of 30 problems 10 have three right answers and 20 two; one of each stays.
    assert reasons == {
        "more than 1 a problem": 40, "status incorrect": 20, "status no_answer": 30, "held_out": 40,
    }  # fmt: skip
    assert {r["dropped_by"] for r in views["rejected.train"] if "more" in r["drop_reason"]} == {
        "some"
    }
    assert len(views["sft.train"]) == 30


def test_every_file_has_the_columns_of_its_view(views):
    for name, table in views["tables"].items():
        assert table.schema.remove_metadata() == VIEW_SCHEMAS[name.partition(".")[0]], name


def content(name, row):
    """What the hash of a row is of, by the row alone."""
    view = name.partition(".")[0]
    if view == "pretrain":
        return [row["text"]]
    if view == "rl":
        return [row["prompt"][0]["content"], row["solution"]]
    if view == "preference":
        turns = (row[part][0]["content"] for part in ("prompt", "chosen", "rejected"))
        return [*turns, row["answer"]]
    user, assistant = row["messages"]
    if view == "sft_reasoning":
        parts = (assistant["reasoning_content"], assistant["content"])
        return [user["content"], *parts, row["answer"]]
    return [user["content"], assistant["content"], row["answer"]]


def test_the_content_hash_of_a_row_can_be_had_from_the_row(views):
    for name in views["tables"]:
        for row in views[name]:
            digest = hashlib.sha256(orjson.dumps(content(name, row))).hexdigest()
            assert row["content_sha256"] == digest, name


def test_figures_of_pairs_count_each_side(views):
    stats = stats_of("preference", views["tables"]["preference.train"], None)
    assert stats.rows == 20
    assert stats.statuses == {"correct": 20, "incorrect": 20}
    assert stats.teachers["org/c"] == 20
    assert sum(stats.teachers.values()) == 40
    assert stats.licenses == {"MIT": 20}
    assert stats.teacher_licenses["unknown"] >= 20


def test_pairs_have_the_columns_of_preference_trainers_and_no_others_they_branch_on():
    branches = {"prompt", "completion", "chosen", "rejected", "conversations", "messages", "text",
                "input_ids", "labels", "label", "images", "chat_template_kwargs"}  # fmt: skip
    assert branches & set(PREFERENCE_SCHEMA.names) == {"prompt", "chosen", "rejected"}
    assert branches & set(SFT_REASONING_SCHEMA.names) == {"messages"}


# --- Pairing -------------------------------------------------------------------------------------

SIDES = st.lists(
    st.builds(Side, st.integers(0, 99).map(str), st.sampled_from("ab"), st.integers(0, 50)),
    max_size=8,
    unique_by=lambda side: side.attempt_id,
)


@given(chosen=SIDES, rejected=SIDES, data=st.data())
def test_pairs_depend_on_no_order_and_use_an_attempt_once(chosen, rejected, data):
    chosen = [side._replace(attempt_id=f"c{side.attempt_id}") for side in chosen]
    found = list(paired(chosen, rejected))
    mixed = data.draw(st.permutations(chosen)), data.draw(st.permutations(rejected))
    assert list(paired(*mixed)) == found
    assert len(found) == min(len(chosen), len(rejected))
    assert len({i for pair in found for i in pair}) == 2 * len(found)


def test_one_teacher_s_pairs_come_first_and_then_the_nearest_in_length():
    chosen = [Side("c1", "a", 10), Side("c2", "b", 90)]
    rejected = [Side("r1", "a", 90), Side("r2", "b", 12)]
    assert list(paired(chosen, rejected)) == [("c2", "r2"), ("c1", "r1")]
    same = [Side("c1", "a", 10), Side("c2", "a", 90)]
    assert list(paired(same, [Side("r1", "a", 80)])) == [("c2", "r1")]


# --- Reasoning in its own field ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reasoning", "left"),
    [
        ("<think>\na\n</think>\n\nb", "a", "b"),
        ("a\n</think>\n\nb", "a", "b"),  # a template that opened the tag in the prompt
        ("<think>a</think>b", "a", "b"),
        ("<thinking>\na\n</thinking>\nb", "a", "b"),
        ("b", None, "b"),
        ("<think>\n\n</think>\n\nb", None, "b"),
        ("<think></think>b", None, "b"),
        ("<think>\na", "a", ""),
        ("Well.\n<think>\na\n</think>\n\nb", "a", "Well.\n\nb"),
        ("Well.\n<think>\na\n</think>", "a", "Well."),
        ("<think>\na\n</think>\nb\n<think>\nc\n</think>\n\nd", "a\n</think>\nb\n<think>\nc", "d"),
        ("<think>\n  indented\n\n</think>\n\n  b\n", "  indented", "  b\n"),
        ("", None, ""),
    ],
)
def test_a_response_is_divided(text, reasoning, left):
    assert divided(text) == (reasoning, left)


@given(st.lists(st.sampled_from(["<think>", "</think>", "<thinking>", "\n", "a b", " "])))
def test_nothing_but_tags_and_blanks_is_lost(pieces):
    text = "".join(pieces)
    reasoning, left = divided(text)
    words = text.replace("<think>", " ").replace("</think>", " ").replace("<thinking>", " ")
    kept = f"{reasoning or ''} {left}"
    for tag in ("<think>", "</think>", "<thinking>"):
        kept = kept.replace(tag, " ")
    assert Counter(kept.split()) == Counter(words.split())
    if split_reasoning(text)[1] == text:
        assert (reasoning, left) == (None, text)
