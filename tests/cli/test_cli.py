"""The command line as a user meets it: help, JSON, exit codes, the life of a row."""

import itertools
import json
import re
import resource
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from cli_harness import COMMAND, answer, at_once, refused, tracefactory

COMMANDS = (
    "run",
    "plan",
    "status",
    "inspect",
    "fsck",
    "gc",
    "check",
    "audit-problems",
    "recipes",
    "schema",
    "doctor",
)

RECIPE = """\
name: sums
seed: 7
stages:
  problems: {use: sample, families: [{name: gcd, count: 40, split: {test: 5}}]}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.5, repair_rate: 0}
    attempts: {min: 2}
  verdicts: {use: verify, from: attempts}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'"]}
  dataset: {use: publish, from: kept}
"""
IMPORT = """\
name: stored
seed: 7
stages:
  attempts:
    use: import
    path: stored.jsonl
    problem: {id: id, statement: q, reference: a}
    attempts: [{teacher: org/model-8B, text: text}]
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A finished run in ./run, and what `run --json` said."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "sums.yaml").write_text(RECIPE)
    said = tracefactory(
        "run", "sums.yaml", "--inline", "--folder", "run", "--json", cwd=folder
    )  # fmt: skip
    return folder, said


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    rows = [
        {"id": f"a/b/{i}", "q": f"{i} + 1 = ?", "a": str(i + 1), "text": f"\\boxed{{{i + i % 2}}}"}
        for i in range(8)
    ]
    rows[3]["a"] = None
    lines = [json.dumps(row) for row in rows]
    lines[5] = lines[5][:-1]
    (folder / "stored.jsonl").write_text("\n".join(lines))
    (folder / "stored.yaml").write_text(IMPORT)
    tracefactory("run", "stored.yaml", "--inline", "--folder", "run", cwd=folder)
    return folder


# --- Help, and what it costs -------------------------------------------------------------------


def test_help_of_a_command_names_its_options_and_is_quick():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    helps = at_once({command: [command, "--help"] for command in COMMANDS})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = (after.ru_utime - before.ru_utime) / len(COMMANDS)
    assert took < 0.5, "heavy imports belong inside the commands"  # 0.12 s here; with them 1 s
    wanted = {
        "run": {"--set", "--folder", "--workers", "--scheduler", "--inline", "--takeover",
                "--force", "--retry", "--max-failed", "--json"},
        "plan": {"--set", "--folder", "--json"},
        "status": {"--json"},
        "inspect": {"--malformed", "--json"},
        "fsck": {"--sweep", "--json"},
        "gc": {"--set", "--folder", "--delete", "--json"},
        "check": {"--reference", "--response", "--response-file", "--answer-after", "--option",
                  "--json"},
        "audit-problems": {"--statement", "--reference", "--after", "--boxed", "--verifier",
                           "--option", "--examples", "--json"},
        "recipes": {"--families", "--benchmarks", "--json"},
        "schema": set(),
        "doctor": {"--json"},
    }  # fmt: skip
    for command, said in helps.items():
        assert said.returncode == 0
        assert wanted[command] <= set(re.findall(r"--[a-z-]+", said.stdout)), command


def test_help_lists_every_command_and_the_exit_codes():
    said = tracefactory("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^\W*{command}\s", said, re.MULTILINE), command
    for code in ("0 done", "2 usage", "4 disk", "5 locked", "6 integrity", "130 interrupted"):
        assert code in " ".join(said.split())


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["run", "--help"], ["check", "--help"], ["audit-problems", "--help"]],
)
def test_help_imports_nothing_heavy(arguments):
    script = (
        "import sys, os\n"
        "from tracefactory.cli import _run\n"
        "sys.argv = ['tracefactory', *sys.argv[1:]]\n"
        "if sys.argv[1:]: _run()\n"
        "heavy = {'pyarrow', 'polars', 'datasets', 'distributed', 'dask', 'numpy', 'pandas',\n"
        "         'sympy', 'vllm', 'torch', 'jinja2'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_the_module_runs_like_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "tracefactory", "recipes", "--json"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert "quickstart" in json.loads(done.stdout)


# --- Machine-readable output -------------------------------------------------------------------


def test_run_gives_one_line_of_json_on_stdout_and_the_rest_on_stderr(ran):
    folder, said = ran
    (line,) = said.stdout.splitlines()
    summary = json.loads(line)
    assert (summary["recipe"], summary["code"]) == ("sums", 0)
    assert summary["folder"] == str(folder / "run")
    assert summary["manifest_sha256"] == (folder / "run/COMMITTED").read_text().strip()
    assert summary["failed"] == []
    assert summary["stages"]["attempts"]["counts"]["attempts"] == 80
    assert said.stderr.strip()


def test_run_without_json_writes_nothing_to_stdout(ran):
    folder, _ = ran
    said = tracefactory("run", "sums.yaml", "--inline", "--folder", "run", cwd=folder)
    assert said.stdout == ""
    assert "done in" in said.stderr


def test_status_plan_fsck_and_gc_speak_json(ran):
    folder, _ = ran
    status = answer("status", "run", cwd=folder)
    assert status["live"] is False
    assert status["stages"]["verdicts"]["counts"]["attempts"] == 80
    plan = answer("plan", "sums.yaml", "--folder", "run", cwd=folder)
    assert {name: stage["run"] for name, stage in plan["stages"].items()} == {
        name: {} for name in ("problems", "attempts", "verdicts", "kept", "dataset")
    }
    report = answer("fsck", "run", cwd=folder)
    assert report["sound"] is True
    assert report["receipts"] == sum(stage["done"] for stage in status["stages"].values())
    assert answer("gc", "sums.yaml", "--folder", "run", cwd=folder) == []


def test_plan_says_what_an_edit_would_run_and_why(ran):
    folder, _ = ran
    edit = ["--set", 'stages.kept.keep=["n_answer_chars > 0"]']
    plan = answer("plan", "sums.yaml", "--folder", "run", *edit, cwd=folder)["stages"]
    assert plan["verdicts"]["run"] == {}
    assert plan["kept"]["run"] == {"config": 1}
    assert set(plan["dataset"]["run"]) == {"config"}  # the recipe's id stands in the rows
    said = tracefactory("plan", "sums.yaml", "--folder", "run", *edit, cwd=folder).stdout
    assert re.search(r"kept\s+filter\s+0\s+1\s+1 config", said)


def test_recipes_and_families_are_listed_with_examples():
    assert {"quickstart", "gsm8k_import"} <= set(answer("recipes"))
    said = tracefactory("recipes").stdout
    assert "tracefactory run quickstart" in said
    families = answer("recipes", "--families")
    assert families["modular_sum"]["splits"]["train"] > 10_000
    said = tracefactory("recipes", "--families").stdout
    for about in families.values():
        assert set(about) == {"example", "splits", "knobs"}
        assert about["example"].splitlines()[0] in said


def test_benchmarks_that_are_known_are_listed():
    known = answer("recipes", "--benchmarks")
    assert len(known) >= 20
    assert known["gsm8k"]["id"] == "openai/gsm8k"
    assert known["gpqa"]["gated"]
    said = tracefactory("recipes", "--benchmarks").stdout
    for name, about in known.items():
        line = next(line for line in said.splitlines() if line.startswith(f"{name} "))
        assert about["id"] in line
        assert (about["revision"] or "not pinned")[:12] in line


def test_schema_is_a_json_schema_that_knows_the_shipped_stages():
    schema = json.loads(tracefactory("schema").stdout)
    assert "$defs" in schema or "properties" in schema
    text = json.dumps(schema)
    for word in ("sample", "import", "split", "generate", "verify", "filter", "dedupe", "publish",
                 "until_correct", "Polars SQL"):  # fmt: skip
        assert word in text, word


def test_doctor_finds_this_machine_fit(tmp_path):
    findings = answer("doctor", cwd=tmp_path)
    assert [f["check"] for f in findings if not f["ok"]] == []
    assert {"versions", "machine", "disk", "file system", "cluster"} <= {
        f["check"] for f in findings
    }
    assert list(tmp_path.iterdir()) == []


# --- The life of one row -----------------------------------------------------------------------


def row_of(folder, view):
    path = folder / f"run/dataset/{view}/train-00000.parquet"
    return pq.ParquetFile(path).read().to_pylist()[0]


def test_inspect_shows_the_whole_life_of_a_kept_attempt(ran):
    folder, _ = ran
    row = row_of(folder, "sft")
    said = tracefactory("inspect", "run", row["id"], cwd=folder).stdout
    assert row["messages"][1]["content"] in said
    assert f"problem {row['problem_id']} (train)" in said
    assert f"reference: {row['answer']}" in said
    assert f"verdict: correct (equal), answer '{row['final_answer']}', by {row['verifier']}" in said
    assert "fate: kept" in said
    assert "published: dataset/sft/train-00000.parquet row 0" in said
    found = answer("inspect", "run", row["id"], cwd=folder)
    (attempt,) = found["attempts"]
    assert attempt["verdict"]["verifier"] == row["verifier"]
    assert attempt["seed"] == row["seed"]


def test_inspect_says_who_dropped_a_row_and_why(ran):
    folder, _ = ran
    row = row_of(folder, "rejected")
    said = tracefactory("inspect", "run", row["id"], cwd=folder).stdout
    assert "fate: dropped by kept: fails status = 'correct'" in said
    assert "published: dataset/rejected/train-00000.parquet row 0" in said


def test_inspect_of_a_problem_shows_all_attempts_at_it(ran):
    folder, _ = ran
    row = row_of(folder, "sft")
    found = answer("inspect", "run", row["problem_id"], cwd=folder)
    ids = [attempt["id"] for attempt in found["attempts"]]
    assert ids == [f"{row['problem_id']}/solver/{index}" for index in range(2)]
    held_out = folder / "run/dataset/rl/test-00000.parquet"
    problem_id = pq.ParquetFile(held_out).read().column("problem_id")[0].as_py()
    assert answer("inspect", "run", problem_id, cwd=folder)["attempts"] == []


def test_inspect_finds_ids_and_teachers_with_slashes(stored):
    said = tracefactory("inspect", "run", "a/b/2/org/model-8B/0", cwd=stored).stdout
    assert "problem a/b/2 (train)" in said
    assert "fate: dropped by dataset: status incorrect" in said
    found = answer("inspect", "run", "a/b/1", cwd=stored)
    assert [attempt["id"] for attempt in found["attempts"]] == ["a/b/1/org/model-8B/0"]


def test_inspect_of_an_unknown_id_says_so(stored):
    ids = ["nobody", "nobody/solver/0", "a/b", "a/b/1/org/model-8B/7"]
    for unknown, said in at_once({i: ["inspect", "run", i] for i in ids}, cwd=stored).items():
        assert f"{unknown!r} is no attempt or problem" in said.stderr
        assert (said.returncode, said.stdout) == (2, "")


def test_inspect_lists_malformed_rows_with_file_line_and_reason(stored):
    rows = answer("inspect", "run", "--malformed", cwd=stored)
    assert [(row["line"], row["reason"]) for row in rows] == [(4, "empty:a"), (6, "not_json")]
    lines = tracefactory("inspect", "run", "--malformed", cwd=stored).stdout.splitlines()
    assert lines[0].startswith(f"{stored / 'stored.jsonl'}:4: empty:a: ")
    assert lines[1].startswith(f"{stored / 'stored.jsonl'}:6: not_json: ")
    manifest = json.loads((stored / "run/dataset/manifest/manifest.json").read_text())
    assert manifest["rejected_rows"] == {"empty:a": 1, "not_json": 1}
    assert "--malformed" in " ".join(answer("status", "run", cwd=stored)["notes"])


def test_a_folder_that_is_no_run_is_named(tmp_path):
    pairs = itertools.product(("status", "fsck", "inspect"), ("nowhere", "."))
    for pair, said in at_once({pair: pair for pair in pairs}, cwd=tmp_path).items():
        assert said.returncode == 2
        assert f"{pair[1]} is no run folder" in said.stderr or "does not exist" in said.stderr
    assert list(tmp_path.iterdir()) == []


# --- Usage -------------------------------------------------------------------------------------


WRONG = [
    (["frobnicate"], "frobnicate"),
    (["run"], "RECIPE"),
    (["run", "quickstart", "--no-such"], "--no-such"),
    (["run", "quickstart", "--workers", "0"], "--workers"),
    (
        ["run", "quickstart", "--workers", "many"],
        "'--workers': Input should be a valid integer",
    ),
    (["run", "quickstart", "--force", "nothing"], "problems, attempts, verdicts"),
    (["run", "quickstart", "--retry", "all"], "quarantined or unanswered"),
    (["run", "quickstart", "--set", "seed"], "seed"),
    (["run", "quickstart", "--set", "stages.kept.kep=1"], "did you mean 'keep'?"),
]


def test_wrong_words_end_with_2_and_say_which(tmp_path):
    asked = {i: case[0] for i, case in enumerate(WRONG)}
    refused(at_once(asked, cwd=tmp_path), [word for _, word in WRONG])
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_a_closed_pipe_is_no_error():
    piped = f"'{COMMAND}' recipes --families | head -c 20; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
