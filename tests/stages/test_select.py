"""`select` keeps what its rules say, whatever the order and the chunks of the rows."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from stage_parts import Row, chunk_of, driven, dropped_by

from tracefactory.errors import RecipeError
from tracefactory.selection.choosing import Candidate, distance, most_different, word_runs
from tracefactory.stages import select
from tracefactory.stages.select import STAGE, SelectConfig
from tracefactory.store.home import Home


def config(**rules):
    return SelectConfig(use="select", from_=("kept",), **rules)


def selected(rows, folder, *, chunks=None, seed=7, **rules):
    """What is dropped, by id; `chunks` are lists of rows, or all rows are one."""
    home, settings_ = Home(folder), config(**rules)
    made = [chunk_of(home, f"c{n}", part) for n, part in enumerate(chunks or [rows])]
    plan = driven(STAGE, settings_, home, made, seed)
    gone = dropped_by(STAGE, settings_, home, plan)
    counts = sum((Counter(r.counts) for receipts in plan.done for r in receipts), Counter())
    assert {f"dropped:{reason}": n for reason, n in Counter(gone.values()).items()} == {
        key: n for key, n in counts.items() if key.startswith("dropped:")
    }
    return gone, counts["kept"]


def kept(rows, gone):
    return {row.id for row in rows} - gone.keys()


# --- traces -------------------------------------------------------------------------------------


def test_the_first_of_each_problem_stay(tmp_path):
    rows = [Row(f"p{p}", i) for p in range(5) for i in (3, 0, 2, 1)]
    gone, n = selected(rows, tmp_path, traces={"per_problem": 2})
    assert kept(rows, gone) == {f"p{p}/t/{i}" for p in range(5) for i in (0, 1)}
    assert set(gone.values()) == {"more than 2 a problem"}
    assert n == 10


def test_the_shortest_stay(tmp_path):
    rows = [Row("p", i, text=f"<think>\n{'x' * n}\n</think>\n\n1") for i, n in enumerate([9, 3, 5])]
    gone, _ = selected(rows, tmp_path, traces={"per_problem": 1, "prefer": "shortest"})
    assert kept(rows, gone) == {"p/t/1"}


def test_the_most_different_stay(tmp_path):
    texts = ["we add three and four", "we add three and four now", "by halves of the even ones"]
    rows = [Row("p", i, text=text) for i, text in enumerate(texts)]
    rows += [Row("q", 0, text=texts[0])]
    rule = {"per_problem": 2, "prefer": "most_different"}
    gone, _ = selected(rows, tmp_path, traces=rule)
    assert gone.keys() == {"p/t/1"}


def test_a_problem_s_traces_are_counted_over_all_teachers_and_branches(tmp_path):
    """Branches of a source bring one problem in two chunks with one root."""
    home, settings_ = Home(tmp_path), config(traces={"per_problem": 1})
    branches = [
        chunk_of(home, f"{teacher}.c0", [Row(f"p{p}", 0, teacher) for p in range(40)], root="c0")
        for teacher in ("a", "b")
    ]
    gone = dropped_by(STAGE, settings_, home, driven(STAGE, settings_, home, branches))
    assert len(gone) == 40
    assert {i.partition("/")[0] for i in gone} == {f"p{p}" for p in range(40)}
    teachers = Counter(i.split("/")[1] for i in gone)
    assert min(teachers["a"], teachers["b"]) > 8  # neither is preferred for its name


# --- difficulty ---------------------------------------------------------------------------------


def test_a_band_of_difficulty_and_both_its_ends(tmp_path):
    """p<n> was solved n times of 10: its difficulty is 1 - n/10."""
    rows = [
        Row(f"p{n}", i, status="correct" if i < n else "incorrect")
        for n in range(1, 11)
        for i in range(10)
    ]
    gone, n = selected(rows, tmp_path, difficulty={"min": 0.3, "max": 0.7})
    right = [row for row in rows if row.status == "correct"]
    assert {i.split("/")[0] for i in kept(right, gone)} == {"p3", "p4", "p5", "p6", "p7"}
    assert set(gone.values()) == {"difficulty below 0.3", "difficulty above 0.7"}
    assert n == 25


def test_difficulty_counts_rows_that_are_gone_and_needs_a_rate(tmp_path):
    rows = [Row("half", 0), Row("half", 1, status="incorrect", dropped=True)]
    rows += [Row("unrated", 0, in_rate=False)]
    gone, _ = selected(rows, tmp_path, difficulty={"min": 0.5, "max": 0.5})
    assert gone == {"unrated/t/0": "difficulty not measured"}


# --- weights ------------------------------------------------------------------------------------


def test_weights_keep_shares_of_rows(tmp_path):
    rows = [Row(f"p{p}", 0, domain=d) for p in range(4000) for d in [("math", "code")[p % 2]]]
    gone, _ = selected(rows, tmp_path, weights={"domain": {"math": 0.25}})
    left = Counter(row.domain for row in rows if row.id not in gone)
    assert left["code"] == 2000
    assert 420 < left["math"] < 580  # 500, and four standard deviations
    assert set(gone.values()) == {"domain math: a share 0.25"}


def test_weights_multiply_and_a_star_stands_for_the_rest(tmp_path):
    rows = [
        Row(f"p{p}", 0, teacher=t, source=s)
        for p in range(2000) for t in ("a", "b") for s in ("x",)
    ]  # fmt: skip
    gone, _ = selected(
        rows, tmp_path, weights={"source": {"x": 0.5}, "teacher": {"a": 0.5, "*": 0.0}}
    )
    left = Counter(row.teacher for row in rows if row.id not in gone)
    assert left["b"] == 0
    assert 420 < left["a"] < 580


def test_a_row_keeps_its_draw_when_others_come(tmp_path):
    few = [Row(f"p{p}", 0) for p in range(200)]
    many = [Row(f"p{p}", 0) for p in range(600)]
    rule = {"weights": {"domain": {"math": 0.5}}}
    first, _ = selected(few, tmp_path / "few", **rule)
    second, _ = selected(many, tmp_path / "many", **rule)
    assert first.keys() == second.keys() & {row.id for row in few}
    assert selected(few, tmp_path / "seed", seed=8, **rule)[0] != first


# --- budget -------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 9, 10, 11, 995, 1000, 5000])
def test_a_budget_is_spent_and_not_passed(tmp_path, budget):
    rows = [Row(f"p{p}", 0, tokens=10) for p in range(100)]
    gone, n = selected(rows, tmp_path, budget={"tokens": budget})
    assert n == len(kept(rows, gone)) == min(budget // 10, 100)
    assert set(gone.values()) <= {f"over the budget: {budget} tokens"}


def test_a_larger_budget_keeps_all_that_a_smaller_one_kept(tmp_path):
    rows = [Row(f"p{p}", 0, text="x" * (p % 50 + 1)) for p in range(500)]
    last = set()
    for budget in (100, 2000, 5000, 12000):
        gone, n = selected(rows, tmp_path / str(budget), budget={"chars": budget})
        assert sum(len(row.text) for row in rows if row.id not in gone) <= budget
        assert last <= kept(rows, gone)
        last = kept(rows, gone)
        assert n == len(last)


def test_a_budget_of_tokens_that_nobody_counted_is_an_error(tmp_path):
    with pytest.raises(RecipeError, match=r"nobody counted those of 'p/t/0'.*chars"):
        selected([Row("p", 0)], tmp_path, budget={"tokens": 5})


def test_another_budget_ranks_nothing_again(tmp_path):
    """Only the cut reads how much it is: all other orders of the first phase are the same."""
    home = Home(tmp_path)
    chunks = [chunk_of(home, "c", [Row("p", 0)])]
    first, second = (config(budget={"chars": n}) for n in (10, 20))
    plan = driven(STAGE, first, home, chunks)
    ranks = [list(STAGE.orders(one, plan, 0)) for one in (first, second)]
    cuts = [list(STAGE.orders(one, plan, 1)) for one in (first, second)]
    assert ranks[0] == ranks[1]
    assert cuts[0] != cuts[1]


def test_a_weight_does_not_put_its_rows_first_in_the_budget(tmp_path):
    """Both draw from a hash of the id; were it one draw, the few that a weight left would lead."""
    rows = [Row(f"p{p}", 0, domain=("rare", "math")[p % 10 > 0], tokens=1) for p in range(5000)]
    rule = {"weights": {"domain": {"rare": 0.1}}, "budget": {"tokens": 1000}}
    gone, _ = selected(rows, tmp_path, **rule)
    left = Counter(row.domain for row in rows if row.id not in gone)
    assert left["rare"] + left["math"] == 1000
    assert left["rare"] < 40  # its share of the rest is about 11 in 1,000


def test_a_row_larger_than_all_of_the_budget_is_passed_over(tmp_path):
    """Wherever its hash puts it, it would end the budget there, and never could be kept."""
    small = [Row(f"p{p}", 0, tokens=10) for p in range(100)]
    huge = [Row(f"huge{p}", 0, tokens=5000) for p in range(5)]
    for budget in (300, 999, 4999):
        gone, n = selected(small + huge, tmp_path / str(budget), budget={"tokens": budget})
        alone, _ = selected(small, tmp_path / f"{budget}-alone", budget={"tokens": budget})
        assert n == min(budget // 10, 100)
        assert gone.keys() == alone.keys() | {row.id for row in huge}
        assert set(gone.values()) == {f"over the budget: {budget} tokens"}
    assert selected(huge, tmp_path / "huge", budget={"tokens": 5})[1] == 0


@pytest.mark.parametrize(
    "weights", [{"domain": {"maht": 0.1}}, {"teacher": {"t": 1.0, "T": 0.5}}, {"source": {"S": 1}}]
)
def test_a_weight_that_names_what_no_row_has_is_an_error(tmp_path, weights):
    rows = [Row("p", 0), Row("q", 0, status="incorrect")]
    with pytest.raises(RecipeError, match="no row has it"):
        selected(rows, tmp_path, chunks=[rows[:1], rows[1:]], weights=weights)


def test_a_weight_of_rows_that_are_gone_or_of_one_group_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(select, "GROUP_ROWS", 1)
    rows = [Row("p", 0), Row("q", 0, domain="code", dropped=True)]
    shares = {"domain": {"code": 0.0, "math": 1.0, "*": 1.0}}
    assert selected(rows, tmp_path, chunks=[rows[:1], rows[1:]], weights=shares) == ({}, 1)


# --- what it leaves alone ------------------------------------------------------------------------


def test_rows_that_will_not_be_published_count_for_nothing(tmp_path):
    rows = [
        Row("p", 0, dropped=True), Row("p", 1, status="incorrect"), Row("p", 2), Row("p", 3),
        Row("held", 0, split="test"),
    ]  # fmt: skip
    gone, n = selected(rows, tmp_path, traces={"per_problem": 1}, budget={"chars": 1000})
    assert gone == {"p/t/3": "more than 1 a problem"}
    assert n == 1


def test_nothing_to_select_from(tmp_path):
    rows = [Row("p", 0, status="incorrect")]
    assert selected(rows, tmp_path, budget={"chars": 1}) == ({}, 0)


def test_chunks_without_verdicts_go_on(tmp_path):
    home, settings_ = Home(tmp_path), config(budget={"chars": 1})
    empty = chunk_of(home, "empty", [Row("p", 0)]).only("problems")
    plan = driven(STAGE, settings_, home, [empty, chunk_of(home, "full", [Row("q", 0)])])
    assert {chunk.name for chunk in STAGE.chunks(settings_, plan)} == {"empty", "full"}


# --- no order, no chunks --------------------------------------------------------------------------

ROWS = st.builds(
    Row,
    problem=st.sampled_from([f"p{n}" for n in range(6)]),
    index=st.integers(0, 3),
    teacher=st.sampled_from(["a", "b"]),
    status=st.sampled_from(["correct", "correct", "incorrect"]),
    text=st.sampled_from(["one two three four", "five six seven", "one two three", "x"]),
    dropped=st.sampled_from([False, False, True]),
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "traces": st.fixed_dictionaries(
            {
                "per_problem": st.integers(1, 3),
                "prefer": st.sampled_from(["first", "shortest", "most_different"]),
            }
        ),
        "difficulty": st.sampled_from([{"min": 0.25}, {"max": 0.5}]),
        "weights": st.sampled_from([{"domain": {"math": 0.5}}, {"domain": {"*": 0.7}}]),
        "budget": st.sampled_from([{"chars": 5}, {"chars": 30}, {"chars": 500}]),
    },
).filter(bool)


@settings(max_examples=60)
@given(rows=st.lists(ROWS, max_size=40, unique_by=lambda row: row.id), rules=RULES, data=st.data())
def test_the_same_rows_stay_for_any_order_any_chunks_and_any_groups(rows, rules, data):
    problems = sorted({row.problem for row in rows})
    place = {p: data.draw(st.integers(0, 3), label=p) for p in problems}  # problems stay whole
    mixed = data.draw(st.permutations(rows))
    parts = [[row for row in mixed if place[row.problem] == n] for n in range(4)]
    group = data.draw(st.sampled_from([1, 7, 50_000]), label="group")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        whole = selected(rows, Path(folder, "whole"), **rules)
        patch.setattr(select, "GROUP_ROWS", group)
        chunks = [part for part in parts if part] or [[]]
        assert selected(mixed, Path(folder, "parts"), chunks=chunks, **rules) == whole


# --- choosing -------------------------------------------------------------------------------------


def test_near_texts_share_runs_of_words():
    same = word_runs("a b c d")
    assert distance(same, word_runs("a  b c\nd")) == 0
    assert distance(same, word_runs("e f g h")) == 1
    assert 0 < distance(same, word_runs("a b c e")) < 1
    assert distance(word_runs(""), word_runs("")) == 0


def test_the_most_different_of_equal_texts_are_the_first():
    texts = dict.fromkeys("abcd", "all the same words")
    candidates = [Candidate(i, n, 3, 0) for n, i in enumerate("abcd")]
    assert most_different(candidates, 3, texts) == ["a", "b", "c"]


# --- config ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({}, "nothing to select by"),
        ({"budget": {}}, "in tokens or in chars"),
        ({"budget": {"tokens": 5, "chars": 5}}, "in tokens or in chars"),
        ({"difficulty": {"min": 0.9, "max": 0.1}}, "min is above max"),
        ({"difficulty": {"min": -1}}, "greater than or equal to 0"),
        ({"weights": {"domain": {"math": 2}}}, "less than or equal to 1"),
        ({"budget": {"chars": 5}, "statuses": ()}, "at least 1 item"),
        ({"traces": {"per_problem": 0}}, "greater than or equal to 1"),
        ({"traces": {"per_problem": 1, "prefer": "longest"}}, "most_different"),
    ],
)
def test_rules_that_mean_nothing_are_refused(rules, said):
    with pytest.raises(ValidationError, match=said):
        config(**rules)
