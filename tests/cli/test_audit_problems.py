"""`tracefactory audit-problems`: every kind of finding, in files and in folders of real runs."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_harness import answer, at_once, refused, tracefactory

from tracefactory.audit.inputs import FileProblems, RunProblems
from tracefactory.audit.problems import FAULTS, KINDS, audit
from tracefactory.cli.audit import VERIFIER
from tracefactory.sources.inputs import TableSettings
from tracefactory.sources.mapping import Column

MATHS = Path(__file__).parents[3] / "shared/data/math/test.jsonl"

COLUMNS = ("--statement", "q", "--reference", "a")

OWN = """\
from tracefactory.schemas.verdict import Verdict

VERSION = "1"


def judge(reference, response):
    if reference == "boom":
        raise RuntimeError("boom")
    answer = response.removeprefix("\\\\boxed{").removesuffix("}")
    status = "incorrect" if reference == "never" or answer != reference else "correct"
    return Verdict("", status, "compared")


def verify(problem, attempt):
    return judge(problem.reference, attempt.text)
"""

IMPORT = """\
name: stored
seed: 7
stages:
  attempts:
    use: import
    path: stored.jsonl
    chunk: {rows: 3}
    problem: {id: id, statement: q, reference: a}
    attempts: [TEACHERS]
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""
FAMILIES = """\
name: sums
seed: 7
stages:
  problems: {use: sample, families: [{name: gcd, count: 30, split: {test: 5}}]}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.3}
    attempts: {min: 1, max: 3, until_correct: 1}
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""


def write(path, *rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))


def problem(statement, reference, **more):
    return {"q": statement, "a": reference, **more}


def found(said, kind):
    return [finding for finding in said["findings"] if finding["kind"] == kind]


def of_file(path, verifier="symbolic", **part):
    return audit(FileProblems(str(path), "q", Column(column="a", **part), verifier, {}))


# --- Files -------------------------------------------------------------------------------------


def test_each_kind_of_finding_in_a_file(tmp_path):
    write(
        tmp_path / "p.jsonl",
        problem("one half?", "1/2"),
        problem("no reference", "\\frac{1}{"),
        problem("One  HALF?", "0.5"),
        problem("twice", "3"),
        problem("Twice", "4"),
        problem("twice", "5"),
    )
    said = answer(
        "audit-problems", "p.jsonl", *COLUMNS, "--verifier", "symbolic", cwd=tmp_path, code=6
    )
    counts = {"unreadable": 1, "contradiction": 1, "duplicate": 1}
    assert said["counts"] == {kind: counts.get(kind, 0) for kind in KINDS}
    assert (said["sound"], said["problems"], said["with_attempts"]) == (False, 6, 0)
    (unreadable,) = found(said, "unreadable")
    assert (unreadable["problem_id"], unreadable["reference"]) == ("p.jsonl:2", "\\frac{1}{")
    (contradiction,) = found(said, "contradiction")
    assert contradiction["problem_id"] == "p.jsonl:4"
    assert contradiction["against"] == {"p.jsonl:5": "4", "p.jsonl:6": "5"}
    assert contradiction["reason"] == "different"
    (duplicate,) = found(said, "duplicate")
    assert duplicate["against"] == {"p.jsonl:3": "0.5"}
    assert said["to_do"].keys() == said["counts"].keys()


def test_a_checker_of_ones_own_is_asked(tmp_path, monkeypatch):
    (tmp_path / "own_checker_of_audit.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = [problem("a", "never"), problem("b", "boom"), problem("c", "fine")]
    write(tmp_path / "p.jsonl", *rows)
    report = of_file(tmp_path / "p.jsonl", "own_checker_of_audit:verify")
    assert [(f.kind, f.reference, f.reason) for f in report.findings] == [
        ("not_itself", "never", "compared"),
        ("crashed", "boom", "crash:RuntimeError"),
    ]
    assert not report.sound()


def test_what_the_symbolic_checker_has_read_is_printed_and_judged_again(tmp_path, monkeypatch):
    from tracefactory.verifiers.maths import printing

    write(tmp_path / "p.jsonl", problem("a", "\\frac{1}{2}"), problem("b", "\\text{even}"))
    assert of_file(tmp_path / "p.jsonl").findings == []
    monkeypatch.setattr(printing, "latex", lambda node: "\\frac{1}{3}")
    report = of_file(tmp_path / "p.jsonl")
    (finding,) = report.findings
    assert (finding.kind, finding.reference) == ("reprinted", "\\frac{1}{2}")
    assert (finding.against, finding.reason) == ({"latex": "\\frac{1}{3}"}, "latex:different")
    assert report.sound()  # a suspicion, and no fault of the reference


def test_what_the_checker_takes_for_the_same_is_no_contradiction(tmp_path):
    write(tmp_path / "p.jsonl", problem("a", "25%"), problem("a", "25"), problem("A ", "1/4"))
    symbolic, numeric = (of_file(tmp_path / "p.jsonl", name) for name in ("symbolic", "numeric"))
    assert [(f.kind, f.n) for f in symbolic.findings] == [("duplicate", 2)]
    assert [f.kind for f in numeric.findings] == ["unreadable", "contradiction"]


def test_many_repeats_are_one_finding_that_counts_them(tmp_path):
    write(tmp_path / "p.jsonl", *(problem("a" if i % 2 else "b", str(i % 2)) for i in range(60)))
    report = of_file(tmp_path / "p.jsonl")
    assert report.counts()["duplicate"] == 58
    assert [(f.n, len(f.against)) for f in report.findings] == [(29, 10), (29, 10)]
    assert report.sound()


def test_all_formats_and_parts_of_columns(tmp_path):
    boxed = [{"q": f"q{i}", "a": f"so \\boxed{{{i}}} or not: \\boxed{{{i + 1}}}"} for i in range(5)]
    write(tmp_path / "b.jsonl", *boxed)
    pq.write_table(pa.Table.from_pylist(boxed), tmp_path / "b.parquet")
    (tmp_path / "c.csv").write_text("q,a\nx,long #### 7\ny,long #### seven\nz,nothing\n")
    for name in ("b.jsonl", "b.parquet"):
        report = of_file(tmp_path / name, "numeric", boxed=True)
        assert (report.problems, report.findings) == (5, [])
    report = of_file(tmp_path / "c.csv", "numeric", after="####")
    assert [(f.problem_id, f.reference) for f in report.findings] == [
        (f"{tmp_path}/c.csv:2", "seven")
    ]
    assert report.left_out == {"marker_not_found:####": 1}
    assert report.problems == 2


def test_people_see_examples_and_what_to_do(tmp_path):
    write(tmp_path / "p.jsonl", *(problem(f"What is [red] {i}?", "x + ") for i in range(5)))
    asked = ("audit-problems", "p.jsonl", *COLUMNS)
    said = tracefactory(*asked, "--examples", "2", cwd=tmp_path, code=6).stdout
    assert "unreadable: 2 of 5" in said
    assert said.count("reference  x +") == 2
    assert "statement  What is [red] 1?" in said
    assert "correct the reference" in said
    assert said.splitlines()[-1].startswith("5 problems, 0 of them with attempts")
    assert said.rstrip().endswith("NOT sound")
    assert "of 5" not in tracefactory(*asked, "--examples", "0", cwd=tmp_path, code=6).stdout


def test_options_reach_the_checker(tmp_path):
    write(tmp_path / "p.jsonl", problem("which?", "F"))
    asked = ["audit-problems", "p.jsonl", *COLUMNS, "--verifier", "choice"]
    said = at_once({0: [*asked, "--option", "choices=ABCDEF"], 1: asked}, cwd=tmp_path)
    assert [one.returncode for one in said.values()] == [0, 6]


LACKING = [
        (["nowhere"], "nowhere is no run folder"),
        (["nowhere.jsonl", *COLUMNS], "does not exist"),
        (["p.jsonl", "--statement", "q"], "--reference COLUMN"),
        (["p.jsonl", "--statement", "qq", "--reference", "a"], "did you mean 'q'?"),
        (["p.jsonl", *COLUMNS, "--after", "####"], "1 x marker_not_found:####"),
        (["p.jsonl", *COLUMNS, "--after", "####", "--boxed"], "keep one"),
        (["p.jsonl", *COLUMNS, "--verifier", "numbers"], "tracefactory.verifiers.numbers"),
        (["p.jsonl", *COLUMNS, "--option", "choices=AB"], "'choices'"),
        (["p.jsonl", *COLUMNS, "--option", "choices"], "name=value"),
        (["p.jsonl", *COLUMNS, "--verifier", "tracefactory.verifiers.steps:measure"],
         "none of 1 problems can be audited"),
]  # fmt: skip


def test_what_cannot_be_audited_is_said(tmp_path):
    write(tmp_path / "p.jsonl", problem("q", "1"))
    asked = {i: ["audit-problems", *case[0]] for i, case in enumerate(LACKING)}
    refused(at_once(asked, cwd=tmp_path), [word for _, word in LACKING])


def test_the_checker_unless_said_is_that_of_recipes():
    assert TableSettings.model_fields["verifier"].default == VERIFIER
    said = " ".join(tracefactory("audit-problems", "--help").stdout.split())
    assert f"default: {VERIFIER}" in said


def test_a_file_gives_the_same_problems_at_each_reading(tmp_path):
    write(tmp_path / "p.jsonl", *(problem(f"q{i}", str(i)) for i in range(10)))
    source = FileProblems(str(tmp_path / "p.jsonl"), "q", "a", "numeric", {})
    first, second = source.items(answers=True), source.items(answers=False)
    assert next(first) == next(second)
    assert len(list(first)) == len(list(second)) == 9


# --- Run folders -------------------------------------------------------------------------------


def ran(folder, rows, teachers=("A", "B", "C")):
    folder.mkdir(exist_ok=True)
    write(folder / "stored.jsonl", *rows)
    maps = ", ".join(f"{{teacher: {name}, text: {name}}}" for name in teachers)
    (folder / "stored.yaml").write_text(IMPORT.replace("TEACHERS", maps))
    tracefactory("run", "stored.yaml", "--inline", "--folder", "run", cwd=folder)
    return folder / "run"


def boxes(**answers):
    return {name: f"\\boxed{{{text}}}" for name, text in answers.items()}


def stored(number, reference, **answers):
    return {"id": f"p{number}", "q": f"q{number}", "a": reference, **boxes(**answers)}


def test_teachers_who_agree_against_the_reference_are_found(tmp_path):
    rows = [
        stored(0, "1", A="2", B="2", C="4/2"),  # all three
        stored(1, "1", A="2", B="2", C="1"),  # one is right
        stored(2, "1", A="2", B="2", C="3"),  # two of three
        stored(3, "1", A="2", B="3", C="4"),
        stored(4, "1", A="x", B="x", C="x"),  # not answers to the checker
        stored(5, "y", A="2", B="2", C="2"),  # unreadable, and said so
        stored(6, "1", A="1", B="1", C="1"),
    ]
    run = ran(tmp_path, rows)
    report = audit(RunProblems(run))
    assert (report.problems, report.with_attempts) == (7, 7)
    assert [(f.problem_id, f.reason, f.against) for f in report.of("consensus")] == [
        ("p0", "3_of_3", {"A/0": "2", "B/0": "2", "C/0": "4/2"}),
        ("p2", "2_of_3", {"A/0": "2", "B/0": "2"}),
    ]
    assert [f.problem_id for f in report.of("unreadable")] == ["p5"]
    assert len(report.findings) == 3
    said = answer("audit-problems", "run", cwd=tmp_path, code=6)
    assert said["counts"] == report.counts()
    assert [f["problem_id"] for f in said["findings"]] == ["p5", "p0", "p2"]


def test_one_teacher_must_agree_with_itself_three_times(tmp_path):
    def row(number, *answers):
        return [stored(number, "1", A=text) for text in answers]

    rows = [*row(0, "2", "2", "2"), *row(1, "2", "2", "3", "4"), *row(2, "2", "2", "2", "1")]
    report = audit(RunProblems(ran(tmp_path, rows, ["A"])))
    (finding,) = report.findings
    assert (finding.kind, finding.problem_id, finding.reason) == ("consensus", "p0", "3_of_3")
    assert set(finding.against) == {"A/0", "A/1", "A/2"}
    assert report.sound()


def test_verdicts_of_joined_branches_meet_their_problems(tmp_path):
    rows = [stored(number, "1", A="2", B="2") for number in range(5)]
    write(tmp_path / "stored.jsonl", *rows)
    recipe = IMPORT.replace("TEACHERS", "{teacher: A, text: A}, {teacher: B, text: B}")
    source = recipe.partition("  verdicts:")[0]
    (tmp_path / "stored.yaml").write_text(
        f"{source}"
        "  first: {use: split, from: attempts, test: 0.01}\n"
        "  second: {use: split, from: attempts, test: 0.01}\n"
        "  verdicts: {use: verify, from: [first, second]}\n"
    )
    tracefactory("run", "stored.yaml", "--inline", "--folder", "run", cwd=tmp_path)
    report = audit(RunProblems(tmp_path / "run"))
    assert (report.problems, report.with_attempts) == (5, 5)
    assert {f.reason for f in report.of("consensus")} == {"2_of_2"}


def test_contradictions_and_duplicates_in_a_run_have_ids_of_their_own(tmp_path):
    rows = [
        {"id": name, "q": statement, "a": reference, **boxes(A=reference)}
        for name, statement, reference in (
            ("first", "how many?", "7"),
            ("second", "How many? ", "8"),
            ("third", "how  many?", "7.0"),
        )
    ]
    report = audit(RunProblems(ran(tmp_path, rows, ["A"])))
    assert report.of("contradiction")[0].against == {"second": "8"}
    assert report.of("duplicate")[0].against == {"third": "7.0"}


def test_an_edited_recipe_s_old_chunks_are_not_counted_again(tmp_path):
    rows = [stored(number, "1", A="1") for number in range(9)]
    run = ran(tmp_path, rows, ["A"])
    recipe = (tmp_path / "stored.yaml").read_text().replace("rows: 3", "rows: 9")
    (tmp_path / "stored.yaml").write_text(recipe)
    tracefactory("run", "stored.yaml", "--inline", "--folder", "run", cwd=tmp_path)
    report = audit(RunProblems(run))
    assert (report.problems, report.findings) == (9, [])


def test_a_run_of_families_is_sound_and_rows_left_out_are_said(tmp_path):
    (tmp_path / "sums.yaml").write_text(FAMILIES)
    tracefactory("run", "sums.yaml", "--inline", "--folder", "run", cwd=tmp_path)
    said = answer("audit-problems", "run", cwd=tmp_path)
    assert (said["sound"], said["problems"], said["left_out"]) == (True, 35, {})
    assert 0 < said["with_attempts"] <= 30
    assert not any(f["kind"] in FAULTS for f in said["findings"])
    run = ran(tmp_path / "x", [stored(0, "1", A="1"), {"id": "p1"}], ["A"])
    shown = tracefactory("audit-problems", run).stdout
    assert "left out: 1 rows that are no problems: 1 missing_column:q" in shown


def test_a_run_folder_needs_no_columns_and_must_have_problems(tmp_path):
    run = ran(tmp_path, [stored(0, "1", A="1")], ["A"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/receipts.log").write_bytes(b"")
    asked = {
        0: ["audit-problems", run, *COLUMNS],
        1: ["audit-problems", run, "--verifier", "symbolic"],
        2: ["audit-problems", tmp_path / "empty"],
    }
    refused(at_once(asked), ["leave out --statement", "--verifier", "has no problems yet"])


# --- Real problems -----------------------------------------------------------------------------


def test_the_references_of_math_hold():
    if not MATHS.exists():
        pytest.skip(f"no {MATHS}: run where the data folder is")
    part = Column(column="solution", boxed=True)
    report = audit(FileProblems(str(MATHS), "problem", part, "symbolic", {}))
    assert (report.problems, report.left_out.total(), report.sound()) == (5000, 0, True)
