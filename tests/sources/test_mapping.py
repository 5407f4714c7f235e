from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tracefactory.sources.mapping import (
    AttemptMap,
    Column,
    Constant,
    Missing,
    ProblemMap,
    apply_extract,
    columns_to_read,
    mapped_columns,
    missing_columns,
    seen_columns,
)

GSM8K = ProblemMap.model_validate(
    {
        "statement": "question",
        "reference": {"column": "answer", "after": "####"},
        "license": {"value": "MIT"},
    }
)
SIXB = AttemptMap.model_validate(
    {"teacher": "6b", "text": "6b_finetuning.solution", "teacher_license": "MIT"}
)


@pytest.mark.parametrize(
    ("rule", "row", "want"),
    [
        ("a", {"a": " kept as is\n"}, " kept as is\n"),
        ("a", {"a": 3}, "3"),
        ("a", {"a": 3.0}, "3.0"),
        ("a", {"a": 0.1}, "0.1"),
        ("a", {"a": 10**30}, "1" + "0" * 30),
        ("a", {"a": Decimal("1.50")}, "1.50"),
        ("a.b", {"a.b": "flat", "a": {"b": "deep"}}, "flat"),
        ("a.b", {"a": {"b": "deep"}}, "deep"),
        ("a.b.c", {"a.b": {"c": "x"}}, "x"),
        ("a.b.c", {"a": {"b.c": "x"}}, "x"),
        ("a.b.c", {"a": {"b": 1}, "a.b": {"c": "second way"}}, "second way"),
        (Column(column="a", after="####"), {"a": "#### 1 #### 2 \n"}, "2"),
        (Column(column="a", after="A:"), {"a": "A: 1\nA: 18"}, "18"),
        (
            Column(column="a", boxed=True),
            {"a": r"\boxed{1} and \boxed{\frac{1}{2}}."},
            r"\frac{1}{2}",
        ),
        (Constant(value=" MIT"), {}, " MIT"),
    ],
)
def test_text_is_found(rule, row, want):
    assert apply_extract(rule, row) == want


@pytest.mark.parametrize(
    ("rule", "row", "reason"),
    [
        ("a", {}, "missing_column:a"),
        ("a.b", {"a": {"c": 1}}, "missing_column:a.b"),
        ("a.b", {"a": None}, "missing_column:a.b"),
        ("a.b", {"a": "text"}, "missing_column:a.b"),
        ("a", {"a": None}, "empty:a"),
        ("a", {"a": ""}, "empty:a"),
        ("a", {"a": " \n"}, "empty:a"),
        ("a", {"a": True}, "boolean:a"),
        ("a", {"a": ["x"]}, "list:a"),
        ("a", {"a": {"b": "x"}}, "object:a"),
        ("a", {"a": float("nan")}, "not_finite:a"),
        ("a", {"a": Decimal("inf")}, "not_finite:a"),
        ("a", {"a": b"x"}, "other:a"),
        (Column(column="a", after="####"), {"a": "no mark"}, "marker_not_found:####"),
        (Column(column="a", after="####"), {"a": "gone ####  "}, "empty:a"),
        (Column(column="a", after="####"), {}, "missing_column:a"),
        (Column(column="a", boxed=True), {"a": r"\boxed{1"}, "no_box:a"),
        (Column(column="a", boxed=True), {"a": r"\boxed{ }"}, "no_box:a"),
    ],
)
def test_what_is_not_there_has_a_reason(rule, row, reason):
    assert apply_extract(rule, row) == Missing(reason)


balanced = st.recursive(
    st.text("abc+1", min_size=1, max_size=5),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: f"{{{''.join(parts)}}}"
    ),
)


@settings(deadline=None)
@given(st.text("ab {}"), balanced, st.text("ab }"))
def test_a_balanced_box_is_found_in_any_surroundings(before, content, after):
    row = {"a": f"{before}\\boxed{{{content}}}{after}"}
    assert apply_extract(Column(column="a", boxed=True), row) == content


@pytest.mark.parametrize("text", ["The answer is 3", "#### 3", "\\boxed{3", "3"])
def test_what_is_not_in_a_box_is_not_taken_for_one(text):
    assert apply_extract(Column(column="a", boxed=True), {"a": text}) == Missing("no_box:a")


@pytest.mark.parametrize(
    ("rules", "where"),
    [
        ({"statement": "q"}, "reference"),
        ({"statement": "q", "reference": {"colum": "a"}}, "colum"),
        ({"statement": "q", "reference": {"column": "a", "after": "x", "boxed": True}}, "two ways"),
        ({"statement": "q", "reference": {"column": "a", "boxed": False}}, "boxed"),
        ({"statement": "q", "reference": {"value": "a", "column": "b"}}, "column"),
        ({"statement": "q", "reference": 3}, "reference"),
        ({"statement": "", "reference": "a"}, "statement"),
        ({"statement": "q", "reference": "a", "answer": "b"}, "answer"),
    ],
)
def test_a_wrong_map_is_refused(rules, where):
    with pytest.raises(ValidationError, match=where):
        ProblemMap.model_validate(rules)


@pytest.mark.parametrize("rules", [GSM8K, SIXB])
def test_a_map_survives_json(rules):
    assert type(rules).model_validate_json(rules.model_dump_json(exclude_none=True)) == rules


def test_only_what_names_a_column_counts_as_one():
    assert mapped_columns(GSM8K) == {"statement": "question", "reference": "answer"}
    assert mapped_columns(SIXB) == {"text": "6b_finetuning.solution"}
    assert columns_to_read(SIXB) == {"6b_finetuning", "6b_finetuning.solution"}


def test_missing_columns_are_named_with_the_nearest():
    seen = set(seen_columns({"Question": "q", "meta": {"answers": "a"}}))
    assert seen == {"Question", "meta", "meta.answers"}
    said = missing_columns(GSM8K, seen)
    assert said is not None
    assert "'question' for statement (did you mean 'Question'?)" in said
    assert "'answer' for reference" in said
    assert "Question, meta, meta.answers" in said


def test_nothing_is_said_when_all_columns_are_there():
    assert missing_columns(GSM8K, {"question", "answer"}) is None
    assert missing_columns(SIXB, set(seen_columns({"6b_finetuning": {"solution": ""}}))) is None


def test_seen_columns_ends_on_deep_rows():
    row: dict[str, object] = {}
    for _ in range(5_000):
        row = {"a": row}
    assert len(list(seen_columns(row))) == 8


def test_many_columns_are_cut():
    said = missing_columns(GSM8K, {f"column_{i}" for i in range(1_000)})
    assert said is not None
    assert "and 980 more" in said
    assert len(said) < 600
