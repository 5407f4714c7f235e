"""Rows that hold programs: what comes out is what the checker reads, and bad rows say why."""

import base64
import gzip
import json
import pickle
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter, ValidationError

from tracefactory.errors import RecipeError, ResourceError, SourceError
from tracefactory.recipe import load_recipe
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.sources.mapping import AttemptMap, apply_extract, mapped_columns
from tracefactory.sources.programs import (
    AnyProblemMap,
    ContestMap,
    HumanEvalMap,
    UnusableRow,
    read_program,
    trusted_part,
)
from tracefactory.sources.rows import Row, pieces, read
from tracefactory.sources.tables import Rules, check_read, read_rows
from tracefactory.verifiers.python_program import verify

HUMAN_EVAL = Path(__file__).parents[2].parent / "shared/data/human_eval/HumanEval.jsonl.gz"
ROW: dict[str, object] = {
    "task_id": "T/1",
    "prompt": "import math\n\n\ndef half(x):\n    return x / 2\n\n\n"
    'def area(r):\n    """Of a disc."""\n',
    "entry_point": "area",
    "canonical_solution": "    return math.pi * r * r\n",
    "test": "def check(candidate):\n    assert abs(candidate(2) / half(8) - math.pi) < 1e-9\n",
}
HUMAN = HumanEvalMap(layout="humaneval", id="task_id")
SOLVED = HumanEvalMap.model_validate(
    {"layout": "humaneval", "solution": {"python": ["prompt", "canonical_solution"]}}
)
STDIN = {"inputs": ["1\n2\n", "5\n"], "outputs": ["3\n", "5\n"]}
CALLS = {"fn_name": "add", "inputs": [[1, 2], [[1], [2]]], "outputs": [3, [1, 2]]}


def rules(problem, attempts=(), options="{}") -> Rules:
    return Rules(
        problem=problem,
        attempts=attempts,
        verifier="tracefactory.verifiers.python_program:verify",
        options=options,
        source="s",
        license="MIT",
        domain="code",
        task_type="function",
    )


def contest(**fields: object) -> ContestMap:
    return ContestMap.model_validate({"layout": "contest", **fields})


def refused(problem, row: dict[str, object]) -> str:
    with pytest.raises(UnusableRow) as caught:
        read_program(problem, row)
    return str(caught.value)


# HumanEval's layout.


def test_the_complete_functions_of_a_prompt_stand_in_front_of_the_tests():
    made = read_program(HUMAN, ROW)
    assert made.statement == ROW["prompt"]
    assert made.reference == (
        "import math\n\ndef half(x):\n    return x / 2\n\n\n" + str(ROW["test"])
    )
    assert made.options == {"kind": "asserts", "entry_point": "area"}
    assert made.specimen is None


def test_what_is_asked_for_and_what_is_only_announced_is_no_trusted_part():
    prompt = (
        "from typing import List\nLIMIT = 3\nCOUNT: int = 4\nprint('x')\n\n"
        "@staticmethod\ndef whole(a):\n    '''doc'''\n    return a\n\n"
        "def announced(a):\n    '''doc'''\n\ndef dots(a):\n    ...\n\ndef passing(a):\n    pass\n\n"
        "class Kept:\n    size = 1\n\nclass Announced:\n    '''doc'''\n\n"
        "def asked(a):\n    return 1\n"
    )
    assert trusted_part(prompt, "asked") == (
        "from typing import List\n\nLIMIT = 3\n\nCOUNT: int = 4\n\n"
        "@staticmethod\ndef whole(a):\n    '''doc'''\n    return a\n\nclass Kept:\n    size = 1"
    )


def test_a_prompt_may_end_in_a_first_line():
    assert trusted_part("import os\n\ndef f(x):\n", "f") == "import os"
    assert trusted_part("import os\n\ndef f(x):", "f") == "import os"


def test_no_trusted_part_leaves_the_tests_as_they_are():
    row = ROW | {"prompt": "def area(r):\n    '''Of a disc.'''\n"}
    assert read_program(HUMAN, row).reference == ROW["test"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompt": "def (:"}, "prompt:not_python:line_1"),
        ({"prompt": None}, "empty:prompt"),
        ({"test": "x = 1\nassert ("}, "tests:not_python:line_2"),
        ({"test": "x = '\0'"}, "tests:not_python"),
        ({"test": " "}, "empty:test"),
        ({"test": ["assert 1"]}, "list:test"),
        ({"entry_point": "a.b"}, "bad_entry_point"),
        ({"entry_point": ""}, "empty:entry_point"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(change: dict[str, object], reason: str):
    assert refused(HUMAN, ROW | change) == reason


def test_deep_and_huge_code_is_a_reason_and_no_crash():
    for text in ("(" * 50_000, "x = " + "-" * 100_000 + "1", "f(" * 3_000 + ")" * 3_000):
        assert refused(HUMAN, ROW | {"test": text}).startswith("tests:not_python")


def test_a_solution_is_judged_before_the_problem_is_used():
    wrong = ROW | {"canonical_solution": "    x\n"}
    result = read_rows([("f", _row(1, ROW)), ("f", _row(2, wrong))], rules(SOLVED))
    assert result.counts["read"] == 1
    (bad,) = result.tables["malformed"].to_pylist()
    assert (bad["file"], bad["line"]) == ("f", 2)
    assert bad["reason"] == "bad_reference:runtime_error"


def _row(line: int, value: dict[str, object]):
    return Row(line, value)


def test_a_checker_that_cannot_run_is_no_bad_reference(monkeypatch):
    monkeypatch.delenv("TRACEFACTORY_SANDBOX_URL", raising=False)
    options = '{"isolation":"remote"}'
    with pytest.raises(ResourceError, match=r"could not run \(sandbox_unavailable\)"):
        read_rows([("f", _row(1, ROW))], rules(SOLVED, options=options))


def test_stored_programs_become_attempts_fence_and_all():
    attempt = AttemptMap.model_validate(
        {"teacher": "t", "text": {"python": ["prompt", "canonical_solution"]}}
    )
    result = read_rows([("f", _row(1, ROW))], rules(HUMAN, (attempt,)))
    (row,) = result.tables["attempts_read"].to_pylist()
    code = str(ROW["prompt"]) + str(ROW["canonical_solution"])
    assert row["text"] == f"```python\n{code}```"
    (problem,) = result.tables["problems_read"].to_pylist()
    assert problem["id"] == "T/1"
    assert json.loads(problem["verifier_options"]) == {"kind": "asserts", "entry_point": "area"}


def test_a_fence_is_longer_than_any_in_the_code():
    rule = AttemptMap.model_validate({"teacher": "t", "text": {"python": ["a"]}}).text
    code = "x = '''\n```\nhm ````\n'''"
    text = apply_extract(rule, {"a": code})
    assert text == f"`````python\n{code}\n`````"
    two = AttemptMap.model_validate({"teacher": "t", "text": {"python": ["a", "b"]}})
    assert mapped_columns(two) == {"text.0": "a", "text.1": "b"}


# Contests.


def test_tests_on_standard_input():
    row = {"question": " Add. ", "input_output": json.dumps(STDIN)}
    made = read_program(contest(), row)
    assert made.statement == "Add."
    assert json.loads(made.reference) == [
        {"input": "1\n2\n", "output": "3\n"}, {"input": "5\n", "output": "5\n"}
    ]  # fmt: skip
    assert made.options == {"kind": "stdin_stdout"}


def test_tests_that_name_a_function_are_calls_of_it():
    made = read_program(contest(), {"question": "Add.", "input_output": json.dumps(CALLS)})
    assert json.loads(made.reference) == [
        {"args": [1, 2], "expected": 3}, {"args": [[1], [2]], "expected": [1, 2]}
    ]  # fmt: skip
    assert made.options == {"kind": "function", "entry_point": "add"}


def test_outputs_wrapped_in_a_list_are_taken_out_where_the_recipe_says_so():
    tests = CALLS | {"outputs": [[3], [[1, 2]]]}
    row = {"question": "Add.", "input_output": json.dumps(tests)}
    made = read_program(contest(wrapped_outputs=True), row)
    assert [test["expected"] for test in json.loads(made.reference)] == [3, [1, 2]]
    bare = {"question": "?", "input_output": json.dumps(CALLS)}
    assert refused(contest(wrapped_outputs=True), bare) == "tests:output_not_wrapped"


def test_lists_of_texts_are_lines_and_nested_columns_need_no_json():
    tests = {"inputs": [["1", "2"]], "outputs": [["3", "4"]]}
    made = read_program(contest(), {"question": "Add.", "input_output": tests})
    assert json.loads(made.reference) == [{"input": "1\n2", "output": "3\n4"}]


def test_inputs_and_outputs_may_have_columns_of_their_own():
    rule = contest(tests={"inputs": "given", "outputs": "wants"}, entry_point="name")
    row = {"question": "Add.", "given": [[1, 2]], "wants": [3], "name": "add"}
    assert read_program(rule, row).options == {"kind": "function", "entry_point": "add"}
    assert read_program(rule, row | {"name": "", "given": ["1"], "wants": ["2"]}).options == {
        "kind": "stdin_stdout"
    }
    assert mapped_columns(rule) == {
        "statement": "question", "tests.0": "given", "tests.1": "wants", "entry_point": "name"
    }  # fmt: skip


LIVE = contest(
    statement="question_content",
    starter="starter_code",
    tests=["public_test_cases", "private_test_cases"],
    entry_point="metadata",
)


def live(public: object, private: object, metadata: str = "{}", starter: str = ""):
    return {
        "question_content": "Do it.",
        "starter_code": starter,
        "public_test_cases": json.dumps(public),
        "private_test_cases": private if isinstance(private, str) else json.dumps(private),
        "metadata": metadata,
    }


def packed(text: str) -> str:
    """As LiveCodeBench writes its private tests."""
    return base64.b64encode(zlib.compress(pickle.dumps(text))).decode()


def test_public_and_private_tests_are_joined_and_packed_ones_are_read_without_unpickling():
    one, two = ({"input": str(n), "output": str(n), "testtype": "stdin"} for n in (1, 2))
    for private in ([two], packed(json.dumps([two]))):
        made = read_program(LIVE, live([one], private))
        assert json.loads(made.reference) == [
            {"input": "1", "output": "1"}, {"input": "2", "output": "2"}
        ]  # fmt: skip


class _Shouts:
    def __reduce__(self):
        return print, ("unpickled",)


def test_a_pickle_of_anything_but_a_text_is_refused(capsys):
    for held in (_Shouts(), ["[]"], {"a": 1}, b"[]"):
        text = base64.b64encode(zlib.compress(pickle.dumps(held))).decode()
        reason = refused(LIVE, live([], text))
        assert reason in ("tests:pickle_of_more_than_a_text", "tests:not_json")
    assert "unpickled" not in capsys.readouterr().out


def test_functional_tests_have_one_argument_a_line():
    test = {"input": '[1, 2]\n"a"', "output": "true", "testtype": "functional"}
    row = live([test], [], '{"func_name": "has"}', "def has(xs, a):\n    ...\n")
    made = read_program(LIVE, row)
    assert json.loads(made.reference) == [{"args": [[1, 2], "a"], "expected": True}]
    assert made.options == {"kind": "function", "entry_point": "has"}
    assert made.statement == ("Do it.\n\nStart from:\n\n```python\ndef has(xs, a):\n    ...\n```")


@pytest.mark.parametrize(
    ("rule", "row", "reason"),
    [
        (contest(), {"input_output": "{}"}, "missing_column:question"),
        (contest(), {"question": "?"}, "missing_column:input_output"),
        (contest(), {"question": "?", "input_output": ""}, "tests:none"),
        (contest(), {"question": "?", "input_output": "{bad"}, "tests:not_json"),
        (contest(), {"question": "?", "input_output": '{"inputs": [NaN]}'}, "tests:not_json"),
        (contest(), {"question": "?", "input_output": "not base64"}, "tests:not_json"),
        (contest(), {"question": "?", "input_output": "{}"}, "tests:no_inputs_and_outputs"),
        (contest(), {"question": "?", "input_output": '[{"input": ""}]'},
         "tests:no_inputs_and_outputs"),
        (contest(), {"question": "?", "input_output": {"inputs": ["1"], "outputs": []}},
         "tests:unequal_lengths"),
        (contest(), {"question": "?", "input_output": {"inputs": "1", "outputs": "1"}},
         "tests:no_list"),
        (contest(), {"question": "?", "input_output": {"inputs": [1], "outputs": [1]}},
         "tests:not_text"),
        (contest(), {"question": "?", "input_output": {"inputs": [], "outputs": []}}, "tests:none"),
        (contest(), {"question": "?", "input_output": CALLS | {"fn_name": "a b"}},
         "bad_entry_point"),
        (contest(), {"question": "?", "input_output": CALLS | {"fn_name": 3}}, "bad_entry_point"),
        (contest(), {"question": "?", "input_output": CALLS | {"inputs": [1, 2]}},
         "tests:no_arguments"),
        (contest(starter="code"), {"question": "?", "input_output": STDIN}, "missing_column:code"),
        (contest(tests=["public_test_cases"], statement="question_content"),
         live([{"input": "1", "output": "1", "testtype": "functional"}], []), "no_entry_point"),
        (LIVE, live([{"input": "1", "output": "1", "testtype": "functional"}],
                    [{"input": "1", "output": "1", "testtype": "stdin"}]),
         "tests:of_several_sorts"),
        (LIVE, live([{"input": "1", "output": "1"}], [], '{"func_name": "f"}',
                    "class Solution:\n    def f(self, x): ..."), "entry_point_in_a_class"),
        (LIVE, live([{"input": "[1", "output": "1"}], [], '{"func_name": "f"}'), "tests:not_json"),
        (LIVE, live([{"input": "1", "output": "1"}], [], "{bad"), "entry_point:not_json"),
    ],
)  # fmt: skip
def test_a_contest_row_that_cannot_be_used_says_why(rule, row, reason: str):
    assert refused(rule, row) == reason


def test_numbers_of_any_length_are_kept():
    tests = {"fn_name": "f", "inputs": [[10**40]], "outputs": [10**60]}
    made = read_program(contest(), {"question": "?", "input_output": json.dumps(tests)})
    assert json.loads(made.reference) == [{"args": [10**40], "expected": 10**60}]


@pytest.mark.parametrize(
    ("tests", "right", "wrong"),
    [
        (STDIN, "import sys\nprint(sum(map(int, sys.stdin)))", "print(3)"),
        (CALLS, "def add(a, b):\n    return a + b", "def add(a, b):\n    return 3"),
    ],
)
def test_what_comes_out_is_what_the_checker_reads(tests, right: str, wrong: str):
    result = read_rows([("f", _row(1, {"question": "Add.", "input_output": tests}))],
                       rules(contest(), options='{"timeout_s":"5"}'))  # fmt: skip
    (row,) = result.tables["problems_read"].to_pylist()
    problem = Problem(**{name: row[name] for name in PROBLEM_SCHEMA.names})
    assert json.loads(problem.verifier_options)["timeout_s"] == "5"

    def judged(program: str) -> str:
        text = f"```python\n{program}\n```"
        return verify(problem, Attempt("a", "p", 0, "t", "", "", text, "stop", None)).status

    assert (judged(right), judged(wrong)) == ("correct", "incorrect")


# Files and recipes.


def read_file(path: Path, problem):
    found = ((piece.path, row) for piece in pieces(path) for row in read(piece))
    return read_rows(found, rules(problem))


def test_jsonl_its_gzip_and_parquet_give_the_same_problems(tmp_path: Path):
    rows = [ROW, ROW | {"task_id": "T/2", "test": "assert area(0) == 0\n"}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = [
        read_file(tmp_path / name, HUMAN).tables["problems_read"].drop_columns(["file"])
        for name in ("a.jsonl", "a.jsonl.gz", "a.parquet")
    ]
    assert found[0].num_rows == 2
    assert found[0] == found[1] == found[2]


def test_malformed_rows_are_listed_with_file_and_line(tmp_path: Path):
    file = tmp_path / "rows.jsonl"
    bad = ROW | {"test": "assert ("}
    file.write_text("".join(f"{json.dumps(row)}\n" for row in (ROW, bad, ROW)) + "{oops\n")
    malformed = read_file(file, HUMAN).tables["malformed"].to_pylist()
    assert [(m["file"], m["line"], m["reason"]) for m in malformed] == [
        (str(file), 2, "tests:not_python:line_1"), (str(file), 4, "not_json")
    ]  # fmt: skip


def test_columns_that_no_row_has_are_named():
    result = read_rows([("f", _row(1, {"promt": "x", "test": "y", "entry_point": "z"}))],
                       rules(HUMAN))  # fmt: skip
    columns = json.loads(result.facts["columns"])
    with pytest.raises(SourceError, match=r"'prompt' for statement \(did you mean 'promt'"):
        check_read([result.counts], columns, rules(HUMAN), "rows.jsonl", 0)


def test_a_map_of_no_such_layout_or_key_is_refused():
    adapter = TypeAdapter(AnyProblemMap)
    no_tests = {"layout": "contest", "tests": []}
    for wrong in ({"layout": "mbpp"}, {"layout": "humaneval", "test": "x"}, no_tests):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)
    plain = adapter.validate_python({"statement": "q", "reference": "a"})
    assert mapped_columns(plain) == {"statement": "q", "reference": "a"}


RECIPE = """
name: programs
seed: 1
stages:
  problems:
    use: sample
    file: {path: FILE, problem: MAP}
    verifier: python_program
    domain: code
  attempts: {use: generate, from: problems, teacher: {kind: "mine:Mine"}}
"""


def test_a_recipe_that_would_not_run_programs_is_refused(tmp_path: Path):
    text = RECIPE.replace("MAP", "{layout: humaneval}").replace(
        "    verifier: python_program\n", ""
    )
    text = text.replace("FILE", str(tmp_path / "x.jsonl"))
    with pytest.raises(RecipeError, match=r"'numeric' does not check; add `verifier: python_prog"):
        load_recipe(text)
    with pytest.raises(
        RecipeError, match=r"'humaneval', 'contest', found .* did you mean 'humaneval'"
    ):
        load_recipe(text.replace("humaneval", "humanevil"))


def test_the_164_prompts_of_human_eval_are_read():
    if not HUMAN_EVAL.exists():
        pytest.skip(f"REAL INPUT ABSENT: {HUMAN_EVAL} is not here, so no real row was read")
    result = read_file(HUMAN_EVAL, HUMAN)
    assert result.counts["read"] == 164
    assert result.counts["rejected"] == 0
    references = {r["id"]: r["reference"] for r in result.tables["problems_read"].to_pylist()}
    for number, helper in ((32, "poly"), (38, "encode_cyclic"), (50, "encode_shift")):
        assert f"def {helper}(" in references[f"HumanEval/{number}"]
