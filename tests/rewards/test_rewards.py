"""Rewards are the checkers' verdicts, and never 0.0 for what says nothing about the answer."""

import json
import logging
import pickle
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import rewards_checks

from tracefactory.rewards import (
    ALLOW_VARIABLE,
    ERRORS_VARIABLE,
    Correct,
    InfrastructureError,
    compute_score,
    correct,
    plain_text,
)

RECIPE = """\
name: rewarded
seed: 7
stages:
  problems:
    use: sample
    families:
      - {name: modular_sum, count: 30}
      - {name: base_conversion, count: 30}
      - {name: polynomial, count: 30}
  attempts: {use: generate, from: problems, teacher: {kind: solver, slip_rate: 0.5}}
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""


def info(verifier="tracefactory.verifiers.numeric:verify@1", reference="4", **options):
    return json.dumps({"verifier": verifier, "options": options, "reference": reference})


def mine(name="verify"):
    return info(f"rewards_checks:{name}@3")


def turn(text, **more):
    return [{"role": "assistant", "content": text, **more}]


@pytest.fixture(autouse=True)
def _no_calls_yet():
    rewards_checks.calls.clear()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rewarded")
    (folder / "recipe.yaml").write_text(RECIPE)
    done = subprocess.run(
        [sys.executable, "-m", "tracefactory", "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run" / "dataset"


# --- The rows of rl as they are -----------------------------------------------------------------


def rows_of(dataset, view):
    return pq.ParquetFile(dataset / view / "train-00000.parquet").read().to_pylist()


def test_every_attempt_of_a_release_is_rewarded_as_it_was_judged(dataset):
    tasks = {row["problem_id"]: row for row in rows_of(dataset, "rl")}
    traces = [*rows_of(dataset, "sft"), *rows_of(dataset, "rejected")]
    batch = [tasks[trace["problem_id"]] for trace in traces]
    columns = {name: [row[name] for row in batch] for name in batch[0] if name != "prompt"}
    rewards = correct(
        prompts=[row["prompt"] for row in batch],
        completions=[trace["messages"][1:] for trace in traces],
        completion_ids=[[1]] * len(traces),
        trainer_state=None,
        **columns,
    )
    assert rewards == [float(trace["status"] == "correct") for trace in traces]
    assert {0.0, 1.0} == set(rewards)
    plain = correct([t["messages"][1]["content"] for t in traces], columns["verification_info"])
    assert plain == rewards


def test_verl_finds_it_in_either_place(dataset):
    for row in rows_of(dataset, "rl")[:20]:
        right = f"<think>\nx\n</think>\n\n\\boxed{{{row['solution']}}}"
        told = row["verification_info"]
        assert compute_score("org/name", right, told) == 1.0
        extra = {"verification_info": told, "index": 3}
        assert compute_score("org/name", right, row["solution"], extra) == 1.0
        assert compute_score("org/name", "I do not know", told, {}) == 0.0


def test_verl_without_verification_info_is_told_what_to_do():
    with pytest.raises(ValueError, match="put rl's column verification_info"):
        compute_score("org/name", "4", 4)
    with pytest.raises(ValueError, match="is no verification_info"):
        compute_score("org/name", "4", "4")


# --- What is a reward -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "reward"),
    [
        ("\\boxed{4}", 1.0),
        ("<think>\n2+2\n</think>\n\n\\boxed{4}", 1.0),
        ("2+2\n</think>\n\n\\boxed{4}", 1.0),  # the template opened the tag
        ("\\boxed{5}", 0.0),
        ("<think>\n\\boxed{4}", 0.0),  # cut off while it was thinking
        ("", 0.0),
    ],
)
def test_a_response_is_right_or_it_is_not(response, reward):
    assert correct([response], [info()]) == [reward]
    assert correct([turn(response)], [info()]) == [reward]


def test_nothing_is_said_of_what_cannot_be_judged(monkeypatch):
    monkeypatch.setenv(ALLOW_VARIABLE, "rewards_checks")
    assert correct(["4"] * 2, [mine("undecided"), mine("bad_reference")]) == [None, None]
    assert compute_score("d", "4", mine("undecided")) == 0.0


@pytest.mark.parametrize("name", ["crashes", "lost"])
def test_an_infrastructure_error_is_raised_or_none_and_never_zero(monkeypatch, name):
    monkeypatch.setenv(ALLOW_VARIABLE, "rewards_checks")
    with pytest.raises(InfrastructureError, match=r"rewards_checks:\w+@3"):
        correct(["4"], [mine(name)])
    with pytest.raises(InfrastructureError):
        compute_score("d", "4", mine(name))
    monkeypatch.setenv(ERRORS_VARIABLE, "none")
    assert correct(["4", "4"], [mine(name), info()]) == [None, 0.0]
    with pytest.raises(InfrastructureError):  # verl knows no missing reward
        compute_score("d", "4", mine(name))


def test_a_checker_that_fails_once_is_asked_again():
    assert Correct(allow=("rewards_checks",))(["4"], [mine("crashes_once")]) == [1.0]
    assert len(rewards_checks.calls) == 2


# --- Whose word is taken --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "rewards_checks:verify@3",
        "os:system@1",
        "tracefactory.verifiers.contract:resolve@0",
        "tracefactory.verifiersx:verify",
        "tracefactory.rewards:correct",
        "subprocess",
        "",
    ],
)
def test_only_shipped_checkers_are_imported_by_a_dataset_s_word(address):
    with pytest.raises(InfrastructureError, match=ALLOW_VARIABLE):
        correct(["4"], [info(address)])
    assert rewards_checks.calls == []


def test_others_are_allowed_by_name(monkeypatch):
    assert Correct(allow=("rewards_checks",))(["4"], [mine()]) == [1.0]
    monkeypatch.setenv(ALLOW_VARIABLE, "other, rewards_checks")
    assert correct(["5"], [mine()]) == [0.0]
    monkeypatch.setenv(ALLOW_VARIABLE, "rewards")
    with pytest.raises(InfrastructureError):
        correct(["5"], [mine()])


def test_a_dataset_cannot_have_programs_run_without_walls():
    reference = json.dumps([{"input": "", "output": "4\n"}])
    asked = info(
        "tracefactory.verifiers.python_program:verify@1", reference,
        kind="stdin_stdout", isolation="none-unsafe",
    )  # fmt: skip
    try:
        assert correct(["```python\nprint(4)\n```"], [asked]) == [1.0]
    except InfrastructureError as error:
        assert "nothing here can hold untrusted programs" in str(error)  # noqa: PT017


def test_another_version_of_the_checker_is_said_once(caplog):
    old = info("tracefactory.verifiers.numeric:verify@0.0")
    with caplog.at_level(logging.WARNING):
        correct(["4"] * 3, [old] * 3)
    assert [r.message for r in caplog.records if "@0.0" in r.message]
    assert len(caplog.records) == 1


# --- How it is called -----------------------------------------------------------------------------


def test_a_checker_sees_the_statement_and_the_response(monkeypatch):
    monkeypatch.setenv(ALLOW_VARIABLE, "rewards_checks")
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "What is 2 + 2?"}]
    correct([turn("4")], [mine()], [prompt], source=["x"], verifier=["y"])
    ((problem, attempt),) = rewards_checks.calls
    assert (problem.statement, problem.reference, attempt.text) == ("What is 2 + 2?", "4", "4")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("a", "a"),
        (turn("a"), "a"),
        ([], ""),
        ([{"role": "assistant", "content": None}], ""),
        (turn("b", reasoning_content="a"), "<think>\na\n</think>\n\nb"),
        (turn("b", thinking="a"), "<think>\na\n</think>\n\nb"),
        (turn([{"type": "text", "text": "a"}, {"type": "image"}]), "a"),
    ],
)
def test_completions_in_all_their_forms_have_a_text(message, text):
    assert plain_text(message) == text


def test_calls_that_are_none_say_what_is_wrong(monkeypatch):
    with pytest.raises(ValueError, match="2 completions and 1 rows"):
        correct(["a", "b"], [info()])
    with pytest.raises(ValueError, match="is no verification_info"):
        correct(["a"], ["{}"])
    with pytest.raises(ValueError, match="neither a text nor a conversation"):
        correct([4], [info()])
    monkeypatch.setenv(ERRORS_VARIABLE, "zero")
    with pytest.raises(ValueError, match="it can be raise or none"):
        correct(["a"], [info()])


def test_it_has_a_name_and_pickles_as_trainers_want():
    assert Correct().__name__ == correct.__name__ == "correct"
    again = pickle.loads(pickle.dumps(Correct(("a",), "none")))
    assert again == Correct(("a",), "none")
