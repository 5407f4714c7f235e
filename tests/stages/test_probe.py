"""The probe stage: whose traces, what is asked, what came of it, and nothing paid for twice."""

import pytest
from probe_parts import SOUND, judged, lines_of, ordered, probed, says, trace
from pydantic import ValidationError
from stage_parts import Row

from tracefactory.errors import RecipeError
from tracefactory.recipe import load_recipe
from tracefactory.schemas.probe import PROBE_SCHEMA
from tracefactory.store.home import Home
from tracefactory.teachers.contract import TeacherError

RIGHT = "13-11=2\n</think>\n\n\\boxed{1}"
MOVED = "13-11=2\n</think>\n\n\\boxed{2}"


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "run")


@pytest.fixture
def notes(tmp_path):
    return tmp_path / "notes"


def rows_of(result):
    return {row["id"]: row for row in result.tables["probes"].to_pylist()}


# --- What is asked and what came of it -----------------------------------------------------------


def test_a_row_says_what_was_altered_and_what_came_of_it(home, notes):
    chunk = judged(home, "c", [Row("p", 3, text=SOUND)])
    (row,) = rows_of(probed(home, chunk, says(notes, MOVED))).values()
    assert row["id"] == "p/t/3/probe/alter"
    assert (row["attempt_id"], row["problem_id"]) == ("p/t/3", "p")
    assert (row["domain"], row["task_type"], row["source"]) == ("math", "kind", "s")
    assert (row["license"], row["teacher_license"]) == ("MIT", "MIT")
    assert (row["teacher"], row["teacher_revision"]) == ("t", "r2")
    assert (row["kind"], row["step"], row["before"]) == ("alter", 2, "12")
    assert row["prefix"] == f"<think>\n3*4={row['after']}\n"
    assert (row["continuation"], row["trace_answer"]) == (MOVED, "1")
    assert (row["final_answer"], row["outcome"]) == ("2", "moved")
    assert lines_of(notes) == [f"p/3 {row['prefix']!r}"]


def test_what_the_stage_leaves_has_its_schema(home, notes):
    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    assert probed(home, chunk, says(notes, MOVED)).tables["probes"].schema == PROBE_SCHEMA
    nothing = judged(home, "d", [Row("p", 0, text="I do not know")])
    found = probed(home, nothing, says(notes, MOVED))
    assert found.tables["probes"].schema == PROBE_SCHEMA
    assert found.tables["probes"].num_rows == 0


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (MOVED, "moved"),
        (RIGHT, "stayed"),
        ("</think>\n\n\\boxed{2/2}", "stayed"),  # the checker compares, not the letters
        ("</think>\n\nNo idea.", "no_answer"),
        ("and so on", "no_answer"),  # cut off within its reasoning
        ("", "no_answer"),
    ],
)
def test_outcomes(home, notes, words, outcome):
    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    result = probed(home, chunk, says(notes, words))
    (row,) = rows_of(result).values()
    assert row["outcome"] == outcome
    assert (row["final_answer"] is None) == (outcome == "no_answer")
    expected = {
        "probed": 1, "not_probed": 0, "asked": 1,
        **dict.fromkeys(("moved", "stayed", "no_answer", "unclear"), 0), outcome: 1,
    }  # fmt: skip
    assert {name: result.counts[name] for name in expected} == expected


def broken(problem, attempt):
    raise ZeroDivisionError


def no_reference(problem, attempt):
    """A checker whose references are no answers, like the tests of a program."""
    from tracefactory.schemas.verdict import Verdict

    if problem.reference != "1":
        return Verdict("", "bad_reference", "no_tests")
    right = "fine" in attempt.text
    return Verdict("", "correct" if right else "incorrect", "tests", final_answer="a program")


@pytest.mark.parametrize(
    ("verifier", "words", "outcome"),
    [
        ("broken", MOVED, "unclear"),
        ("no_reference", "this is fine", "stayed"),
        ("no_reference", "this is not", "moved"),
    ],
)
def test_the_checker_that_judged_the_trace_says_whether_it_moved(
    home, notes, verifier, words, outcome
):
    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    table = home.read(chunk.files["verdicts"][0])
    at = table.column_names.index("verifier")
    named = table.set_column(at, table.schema.field(at), [[f"test_probe:{verifier}@1"]])
    files = {**chunk.files, "verdicts": (home.put("v2", "c", "verdicts", named),)}
    chunk = type(chunk)(chunk.name, files, chunk.facts, chunk.root)
    (row,) = rows_of(probed(home, chunk, says(notes, words))).values()
    assert row["outcome"] == outcome


def test_truncated_reasoning_is_asked_for_an_answer_at_once(home, notes):
    rows = [Row("p", 0, text=SOUND), Row("q", 0, text="\\boxed{1}")]
    result = probed(home, judged(home, "c", rows), says(notes, "\\boxed{1}"), kind="truncate")
    (row,) = rows_of(result).values()
    assert (row["id"], row["outcome"]) == ("p/t/0/probe/truncate", "stayed")
    assert (row["step"], row["before"], row["after"]) == (None, None, None)
    assert lines_of(notes) == ["p/0 '<think>\\n\\n</think>\\n\\n'"]
    assert result.counts["not_probed"] == 1  # there was nothing to leave out


# --- Whose traces --------------------------------------------------------------------------------


def test_only_correct_sound_traces_of_the_teacher_that_nobody_dropped(home, notes):
    rows = [
        Row("good", 0, text=SOUND),
        Row("wrong", 0, text=trace("3*4=12", "12-11=1", answer="2")),
        Row("false", 0, text=trace("3*4=13", "12-11=1")),
        Row("repaired", 0, text=trace("3*4=13", "Recheck: 3*4=12", "12-11=1")),
        Row("dropped", 0, text=SOUND, dropped=True),
        Row("held", 0, text=SOUND, split="test"),
        Row("other", 0, teacher="u", text=SOUND),
        Row("bare", 0, text="\\boxed{1}"),
    ]
    for also in (("steps",), ()):  # where steps were not measured before, they are now
        chunk = judged(home, f"c{len(also)}", rows, also)
        result = probed(home, chunk, says(notes, RIGHT))
        found = {row["problem_id"] for row in rows_of(result).values()}
        assert found == {"good", "repaired"}
        assert result.counts["not_probed"] == 1  # bare


def test_a_problem_that_was_held_out_later_is_not_shown(home, notes):
    import pyarrow as pa

    from tracefactory.stages.split import SPLIT_SCHEMA

    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    moved = pa.Table.from_pylist([{"problem_id": "p", "split": "test"}], schema=SPLIT_SCHEMA)
    chunk = chunk.extended([home.put("s", "c", "splits", moved)], {})
    assert rows_of(probed(home, chunk, says(notes, MOVED))) == {}
    assert lines_of(notes) == []


def test_a_share_is_drawn_by_the_ids_and_a_larger_one_holds_the_smaller(home, notes):
    chunk = judged(home, "c", [Row(f"p{i}", 0, text=SOUND) for i in range(200)])
    drawn = [
        rows_of(probed(home, chunk, says(notes, MOVED), share=share, max=200)).keys()
        for share in (0.1, 0.3, 1.0)
    ]
    assert 8 <= len(drawn[0]) <= 36
    assert 40 <= len(drawn[1]) <= 80
    assert len(drawn[2]) == 200
    assert drawn[0] <= drawn[1] <= drawn[2]
    few = rows_of(probed(home, chunk, says(notes, MOVED), max=5)).keys()
    assert len(few) == 5
    assert few <= drawn[0]  # those of the smallest hashes


def test_a_chunk_without_attempts_passes_through(home):
    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    files = {"problems": chunk.files["problems"]}
    assert ordered(type(chunk)("c", files), {"kind": "solver"}) is None


def test_quarantined_problems_are_left_out(home, notes):
    from tracefactory.stages.contract import Inputs
    from tracefactory.stages.probe import STAGE

    chunk = judged(home, "c", [Row("p", 0, text=SOUND), Row("q", 0, text=SOUND)])
    order = ordered(chunk, says(notes, MOVED))
    inputs = Inputs(home, order.inputs, skip=frozenset({"p"}))
    found = rows_of(STAGE.work(order.config, inputs, home.journal("p")))
    assert {row["problem_id"] for row in found.values()} == {"q"}


def test_attempts_and_verdicts_are_not_among_its_outputs(home, notes):
    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    assert set(probed(home, chunk, says(notes, MOVED)).tables) == {"probes"}


# --- What was paid for ---------------------------------------------------------------------------


def test_what_a_teacher_said_before_it_failed_is_not_asked_for_again(home, notes):
    chunk = judged(home, "c", [Row(f"p{i}", 0, text=SOUND) for i in range(6)])
    with pytest.raises(TeacherError, match="not well"):
        probed(home, chunk, says(notes, MOVED, fails_at=4))
    assert len(lines_of(notes)) == 4
    assert len(rows_of(probed(home, chunk, says(notes, MOVED)))) == 6
    assert len(lines_of(notes)) == len(set(lines_of(notes))) == 6


def test_a_larger_share_asks_only_for_what_is_new(home, notes):
    chunk = judged(home, "c", [Row(f"p{i}", 0, text=SOUND) for i in range(8)])
    before = probed(home, chunk, says(notes, MOVED), max=3)
    assert before.facts["asked"] == ordered(chunk, says(notes, MOVED), max=8).asked
    home.journal("p").remove()  # as the driver does when the receipt is written
    output = home.put("p", "c", "probes", before.tables["probes"])
    after = probed(home, chunk, says(notes, MOVED), (output,), max=8)
    assert rows_of(before).items() <= rows_of(after).items()
    assert len(lines_of(notes)) == len(set(lines_of(notes))) == 8


def test_other_words_under_the_statement_are_another_question(home, notes):
    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    other = type(chunk)(chunk.name, chunk.files, {"instruction": "Shout it."}, chunk.root)
    teacher = says(notes, MOVED)
    assert ordered(chunk, teacher).asked != ordered(other, teacher).asked
    assert ordered(chunk, teacher).asked != ordered(chunk, teacher, kind="truncate").asked


# --- Who can be asked ----------------------------------------------------------------------------


def test_a_teacher_that_does_not_go_on_is_refused_in_the_recipe():
    text = """
name: x
seed: 1
stages:
  problems: {use: sample, families: [{name: small_programs, count: 2}]}
  attempts: {use: generate, from: problems, teacher: {kind: programmer}}
  verdicts: {use: verify, from: attempts}
  probes: {use: probe, from: verdicts, teacher: {kind: programmer}}
"""
    with pytest.raises(RecipeError, match=r"stages\.probes.*'programmer' does not go on"):
        load_recipe(text)


def test_one_s_own_teacher_is_refused_as_soon_as_it_can_be_told(home, notes):
    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    with pytest.raises(RecipeError, match=r"stages\.p: teacher 't' does not go on from a prefix"):
        probed(home, chunk, says(notes, MOVED, continues=False))
    assert lines_of(notes) == []


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.5}, {"max": 0}, {"kind": "cut"}])
def test_settings_are_checked(home, wrong):
    chunk = judged(home, "c", [Row("p", 0, text=SOUND)])
    with pytest.raises(ValidationError):
        ordered(chunk, {"kind": "solver"}, **wrong)
