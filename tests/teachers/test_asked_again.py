"""An answer is used again exactly when all that it depends on is the same."""

import shutil

import factory_runs
import pytest
from factory_runs import altered, only_asking, run_here, stored, texts
from fake_server import fake_server

COUNT = 6
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
EXAMPLE = {"user": "What is 1+1?", "assistant": "\\boxed{2}"}

DEPENDS = {
    "teacher.model": "another",
    "teacher.revision": "2026-11-01",
    "teacher.name": "somebody",
    "teacher.api": "completions",
    "teacher.tools": [TOOL],
    "teacher.continue_with": {"continue_final_message": True},
    "teacher.extra": {"response_format": {"type": "text"}},
    "teacher.sampling.temperature": 0.5,
    "teacher.sampling.top_p": 0.9,
    "teacher.sampling.top_k": 20,
    "teacher.sampling.min_p": 0.1,
    "teacher.sampling.min_tokens": 2,
    "teacher.sampling.stop": ["THE END"],
    "teacher.sampling.presence_penalty": 0.1,
    "teacher.sampling.frequency_penalty": 0.1,
    "teacher.sampling.repetition_penalty": 1.1,
    "teacher.sampling.send_seed": False,
    "prompt.system": "You are careful.",
    "prompt.template": "Please: {{ statement }} {{ instruction }}",
    "prompt.by_domain": {"math": "{{ statement }} Be exact."},
    "prompt.by_family": {"modular_sum": "{{ statement }} Mind the signs."},
    "prompt.examples": [EXAMPLE],
    "instruction": "Box it: \\boxed{}.",
}
"""Fields of the recipe, each with another value than it has."""

NOT = {
    "teacher.concurrency": 3,
    "teacher.timeout_s": 60.0,
    "teacher.api_key_env": "ANOTHER_KEY",
    "teacher.max_continuations": 3,
    "teacher.sampling.max_tokens": 5000,
}


def recipe(server, problems, **teacher):
    return only_asking(factory_runs.recipe(server, problems, **teacher))


@pytest.fixture(scope="module")
def server():
    with fake_server() as server:
        yield server


@pytest.fixture(scope="module")
def answered(server, tmp_path_factory):
    """A folder with a finished run of the base recipe."""
    folder = tmp_path_factory.mktemp("answered") / "run"
    run_here(recipe(server, COUNT), folder)
    return folder


@pytest.fixture
def folder(answered, tmp_path, server):
    """A copy of it, of one's own."""
    server.well()
    server.reset()
    return shutil.copytree(answered, tmp_path / "run")


def asked(server, data, folder):
    """Requests that a run sends; right after it, the same run sends none."""
    server.reset()
    run_here(data, folder)
    found = server.seen()["requests"]
    run_here(data, folder)
    assert server.seen()["requests"] == found
    assert len(texts(folder)) >= COUNT
    return found


def test_nothing_changed_nothing_asked(server, folder):
    assert asked(server, recipe(server, COUNT), folder) == 0


@pytest.mark.parametrize("field", DEPENDS)
def test_a_change_asks_again(server, folder, field):
    data = altered(recipe(server, COUNT), field, DEPENDS[field])
    assert asked(server, data, folder) == COUNT


@pytest.mark.parametrize("field", NOT)
def test_no_answer_depends_on(server, folder, field):
    before = texts(folder)
    assert asked(server, altered(recipe(server, COUNT), field, NOT[field]), folder) == 0
    assert texts(folder) == before


def test_another_base_url_asks_again(server, folder):
    with fake_server() as other:
        assert asked(other, recipe(other, COUNT), folder) == COUNT
    assert server.seen()["requests"] == 0


def test_another_template_of_completions_asks_again(server, tmp_path):
    data = recipe(server, COUNT, api="completions")
    assert asked(server, data, tmp_path / "run") == COUNT
    template = "{% for turn in messages %}{{ turn.content }}\n{% endfor %}A: "
    data = altered(data, "teacher.template", template)
    assert asked(server, data, tmp_path / "run") == COUNT


def test_a_second_attempt_asks_only_for_itself(server, folder):
    data = altered(recipe(server, COUNT), "attempts", {"min": 2})
    before = texts(folder)
    assert asked(server, data, folder) == COUNT
    after = texts(folder)
    assert len(after) == 2 * COUNT
    assert before.items() <= after.items()


def test_who_forces_a_stage_has_everything_asked_again(server, folder):
    run_here(recipe(server, COUNT), folder, force="attempts")
    assert server.seen()["requests"] == COUNT


def test_more_problems_ask_only_for_themselves(server, folder):
    assert asked(server, recipe(server, COUNT + 20), folder) == 20


@pytest.mark.parametrize("usage", ["right", "absent"])
@pytest.mark.parametrize("continues", [True, False])
def test_more_max_tokens_only_go_on_with_what_was_cut_off(server, tmp_path, continues, usage):
    server.control(usage=usage)
    data = recipe(server, 30, continues=continues, max_continuations=0)
    run_here(data, tmp_path / "whole")
    short = altered(data, "teacher.sampling", {"max_tokens": 14})
    assert asked(server, short, tmp_path / "run") == 30
    first = stored(tmp_path / "run")
    cut = {name for name, row in first.items() if row["finish_reason"] == "length"}
    assert 0 < len(cut) < 30, "or this shows nothing"

    server.control(keep_bodies=True)
    longer = altered(data, "teacher.sampling", {"max_tokens": 200})
    assert asked(server, longer, tmp_path / "run") == len(cut)
    went_on = [body["messages"][-1]["role"] == "assistant" for body in server.bodies()]
    assert went_on == [continues] * len(cut)
    second = stored(tmp_path / "run")
    assert {name: row["text"] for name, row in second.items()} == texts(tmp_path / "whole")
    assert all(second[name] == row for name, row in first.items() if name not in cut)


def test_going_back_to_an_earlier_setting_pays_nothing(server, folder):
    before = texts(folder)
    warm = altered(recipe(server, COUNT), "teacher.sampling.temperature", 0.5)
    assert asked(server, warm, folder) == COUNT
    assert asked(server, recipe(server, COUNT), folder) == 0
    assert texts(folder) == before
    assert asked(server, warm, folder) == 0
