"""The parts of an audit, each by what it promises."""

import json
import os

import orjson
import polars as pl
import pytest
from audit_harness import kill_this_process
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.audit.by_recipe import _let_in, _passes
from tracefactory.audit.crew import Job, ends
from tracefactory.audit.faults import differences
from tracefactory.audit.inside import Unsafe, path_of, read_bytes, walk
from tracefactory.audit.interval import wilson
from tracefactory.audit.planted import wrong_answers, wrong_programs
from tracefactory.audit.recheck import spans
from tracefactory.audit.recipe_says import RecipeSays, recipe_says
from tracefactory.audit.traces import Span, read_verdict
from tracefactory.cluster import DaskPool, Died, Done
from tracefactory.trusted import Refused, find_checker, safe_options
from tracefactory.verifiers import numeric

# --- Planted answers -----------------------------------------------------------------------------

numbers = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.fractions(max_denominator=1000).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
)


@given(reference=numbers, others=st.lists(numbers, max_size=4))
def test_what_is_planted_is_wrong_to_an_exact_checker(reference, others):
    for kind, wrong in wrong_answers(reference, others):
        verdict = numeric.judge(reference, f"\\boxed{{{wrong}}}")
        assert verdict.status == "incorrect", (kind, reference, wrong)


@given(reference=numbers.filter(lambda text: numeric.rational(text) != (0, 1)))
def test_there_is_always_a_wrong_number(reference):
    kinds = {kind for kind, _ in wrong_answers(reference, ())}
    assert {"digit", "sign"} <= kinds


def test_letters_and_words_have_wrong_ones_too():
    assert dict(wrong_answers("(B)", ["C"])) == {"letter": "(C)", "other_reference": "C"}
    assert dict(wrong_answers("x + 1", ["1 + x", "2x"])) == {"other_reference": "2x"}
    assert dict(wrong_answers("x", [])) == {}


def test_a_changed_program_is_another_program():
    program = "def total(n):\n    found = 3\n    return found + n\n"
    wrongs = dict(wrong_programs(program))
    assert wrongs["constant"] == "def total(n):\n    found = 4\n    return found + n"
    assert wrongs["operator"] == "def total(n):\n    found = 3\n    return found - n"
    assert wrongs["stub"] == "def total(n):\n    return None"


@pytest.mark.parametrize("program", ["def (", "\0", "(" * 5000, "x" * 30_000, "-" * 9000 + "1"])
def test_what_is_no_program_is_left_alone(program):
    assert list(wrong_programs(program)) == []


@given(st.text())
def test_planting_survives_any_text(text):
    assert all(isinstance(wrong, str) for _, wrong in wrong_answers(text, [text, "7"]))
    assert all(isinstance(wrong, str) for _, wrong in wrong_programs(text))


# --- Names and files of others -------------------------------------------------------------------


@given(
    name=st.text(st.characters(codec="utf-8")) | st.sampled_from(["../x", "/etc/passwd", "a/../b"])
)
def test_no_name_leads_out(tmp_path_factory, name):
    root = tmp_path_factory.getbasetemp() / "inside"
    root.mkdir(exist_ok=True)
    try:
        path = path_of(root, name)
    except (Unsafe, OSError):
        return
    assert path.resolve().is_relative_to(root.resolve())


def test_links_and_pipes_are_not_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "file").symlink_to(tmp_path / "real" / "file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder/file", "file", "pipe", "real"):
        with pytest.raises(Unsafe):
            path_of(tmp_path, name)
    assert read_bytes(tmp_path, "real/file") == b"x"
    with pytest.raises(Unsafe, match="larger than 0"):
        read_bytes(tmp_path, "real/file", 0)
    assert walk(tmp_path) == (["real/file"], ["file", "folder", "pipe"])


# --- What a dataset has no say in ----------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["os:system", "tracefactory.verifiers.numeric:rational", "tracefactory.cli.app:run",
     "tracefactory.verifiers.contract:resolve", "tracefactory.verifiersx:verify", "numeric", "",
     "tracefactory.verifiers..x:verify", "a b:c", "tracefactory.verifiers.nothing_there:verify"],
)  # fmt: skip
def test_only_shipped_checkers_are_imported_by_a_rows_word(address):
    with pytest.raises(Refused):
        find_checker(f"{address}@1")


def test_a_package_that_the_auditor_allows_is_imported():
    assert find_checker("tracefactory.verifiers.numeric:verify@0").version.endswith(numeric.VERSION)
    with pytest.raises(Refused, match="--allow-verifier json"):
        find_checker("json:dumps@1", ("jso",))
    assert find_checker("json:dumps@1", ("json",)).address == "json:dumps"


def test_a_dataset_cannot_take_the_walls_away():
    program = "tracefactory.verifiers.python_program:verify"
    options = orjson.dumps({"kind": "asserts", "isolation": "none-unsafe", "timeout_s": "2"})
    assert orjson.loads(safe_options(program, options.decode())) == {
        "kind": "asserts",
        "timeout_s": "2",
    }
    for bad in (
        '{"timeout_s": "1e9"}',
        '{"memory_mb": "99999"}',
        '{"timeout_s": "nan"}',
        "[]",
        "{",
    ):
        with pytest.raises(Refused):
            safe_options(program, bad)


# --- Small things --------------------------------------------------------------------------------


@given(n=st.integers(1, 10_000), share=st.floats(0, 1))
def test_an_interval_holds_its_share(n, share):
    hits = round(share * n)
    found = wilson(hits, n)
    assert 0 <= found.low <= found.share <= found.high <= 1
    assert wilson(hits, n).high - found.low <= 1
    assert (found.low == 0) == (hits == 0)


def test_a_known_interval():
    found = wilson(8, 10)  # Wilson 1927, as printed in many tables
    assert (round(found.low, 4), round(found.high, 4)) == (0.4902, 0.9433)
    assert wilson(0, 0) == (None, None, None)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=2), x, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_any_recipe_can_be_read(data):
    recipe_says({"stages": data})
    recipe_says({"stages": {"a": {"use": "generate", "attempts": data, "instruction": data}}})
    recipe_says({"stages": {"a": {"use": "verify", "also": data, "from": data}}})


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ("status = 'correct'", [True, False, True]),
        ("STATUS = 'correct'", None),  # Polars has no such column: so nothing is said
        ("n_false_steps = 0", [True, True, False]),  # not counted is not passed
        ("n_reasoning_chars between 40 and 20000", [True, False, True]),
        ("status IN ('correct', 'undecided')", [True, False, True]),
        ("difficulty > 0.2", [False, True, True]),
        ("difficulty <= 0.2", [True, False, False]),
        ("status = 7", None),
        ("n_true_steps >= 2", None),
        ("status = 'correct' or 1 = 1", None),
        ("(((" * 10_000, None),
        ("read_csv('/etc/passwd')", None),
    ],
)
def test_only_the_plainest_rules_are_asked(rule, passes):
    rows = pl.DataFrame({
        "status": ["correct", "incorrect", "correct"], "n_false": [0, 0, None],
        "attempt_index": [0, 1, 2], "n_attempts": [3, 3, 3], "pass_rate": [0.8, 0.5, 0.25],
        "n_reasoning": [40, 39, 100], "n_answer": [1, 1, 1],
    }, schema_overrides={"pass_rate": pl.Float32})  # fmt: skip
    found = _passes(rows, rule)
    assert (None if found is None else found.to_list()) == passes


def test_braces_of_somebody_s_recipe_are_no_form_to_be_filled_in():
    rows = pl.DataFrame(
        {"path": ["sft/x"], "config": ["sft"], "row": [0], "id": ["i"], "status": ["odd"]}
    )
    says = RecipeSays(statuses=frozenset({"{nothing} {0} {"}))
    (fault,) = _let_in(rows, says)
    assert "{nothing} {0} {" in fault.expected


@given(plain, plain)
def test_differences_are_there_exactly_when_two_differ(left, right):
    assert list(differences(left, left)) == []
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert bool(list(differences(left, right))) != same


@given(st.sets(st.integers(0, 1000)), st.integers(1, 60))
def test_spans_hold_every_row_once(rows, size):
    found = list(spans("", "f", rows, size))
    assert [row for span in found for row in span.rows] == sorted(rows)
    assert all(0 < len(span.rows) <= size for span in found)


def test_words_for_verdicts():
    assert {read_verdict(v) for v in (True, "TRUE", 1, 1.0, "Correct")} == {"correct"}
    assert {read_verdict(v) for v in (False, "no", 0, "failed")} == {"incorrect"}
    assert {read_verdict(v) for v in (None, "", 0.5, [], "maybe")} == {"unreadable"}


# --- Workers that die ----------------------------------------------------------------------------


def test_a_row_that_kills_its_worker_costs_that_row_alone():
    orders = [Span("", "f", tuple(range(start, start + 5))) for start in range(0, 40, 5)]
    jobs = [Job(f"job-{n}", kill_this_process, order) for n, order in enumerate(orders)]
    with DaskPool(2) as pool:
        found = list(ends(pool, jobs))
    done = [(job, end) for job, end in found if isinstance(end, Done)]
    dead = [job.order.rows for job, end in found if isinstance(end, Died)]
    assert dead == [(7,)]
    assert sum(end.value for _, end in done) == sum(range(40)) - 7
    assert sorted(row for job, _ in done for row in job.order.rows) == [
        row for row in range(40) if row != 7
    ]
