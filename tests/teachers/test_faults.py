"""Whatever the server does, every row is there once, and is right or says what the server said."""

from collections import Counter

import pytest
from factory_runs import (
    all_right,
    altered,
    phases,
    published,
    recipe,
    run_command,
    run_here,
    started,
    stored,
    texts,
)
from fake_server import fake_server

from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.make import make_problem

CAP = 16


def failures(seen):
    return {name: n for name, n in seen["outcomes"].items() if name not in ("ok", "hangup")}


# -- failures that pass ---------------------------------------------------------------------------


def test_a_fifth_of_the_answers_fails_and_no_row_shows_it(tmp_path):
    faults = {"error": 0.07, "reset": 0.07, "half": 0.06, "hangup": 0.05, "latency_s": 0.005}
    with fake_server(**faults) as server:
        run_command(recipe(server, 500, 100, concurrency=CAP), tmp_path / "run")
        seen = server.seen()
    all_right(tmp_path / "run", 500)
    assert {"error", "reset", "half", "hangup"} <= set(seen["outcomes"])
    assert (seen["distinct"], seen["answered"], seen["again"]) == (500, 500, 0)
    assert seen["requests"] == 500 + sum(failures(seen).values())
    assert seen["peak"] <= CAP


ONCE = ["too_many", "error", "unavailable", "reset", "half", "bad_json", "bad_shape", "stall"]


@pytest.mark.parametrize("fault", ONCE)
def test_what_failed_once_is_asked_once_more(tmp_path, fault):
    with fake_server(fail_first=1, fail_with=fault) as server:
        timeout_s = 0.5 if fault == "stall" else None
        run_here(recipe(server, 8, timeout_s=timeout_s), tmp_path / "run")
        seen = server.seen(bodies=True)
    all_right(tmp_path / "run", 8)
    assert set(seen["sent"].values()) == {2}
    assert set(seen["good"].values()) == {1}


@pytest.mark.parametrize(("retry_after", "turned"), [(None, 120), (1, 25)])
def test_ninety_percent_too_many_slow_it_down_and_then_it_is_back_at_the_cap(
    tmp_path, retry_after, turned
):
    storm = {"too_many": 0.9, "retry_after": retry_after}
    with (
        fake_server(latency_s=0.02) as server,
        phases(server, (200, storm), (200 + turned, {"too_many": 0})),
    ):
        run_command(recipe(server, 1500, 500, concurrency=CAP), tmp_path / "run")
        seen = server.seen()
    all_right(tmp_path / "run", 1500)
    assert (seen["answered"], seen["again"]) == (1500, 0)
    turned_away = [at for at, _, bad, _ in seen["bins"] if bad]
    assert turned_away, "there was no storm"
    after = [peak for at, _, _, peak in seen["bins"] if at > turned_away[-1]]
    assert max(after) == CAP


def test_a_server_that_takes_few_at_a_time_is_asked_few_at_a_time(tmp_path):
    with fake_server(latency_s=0.02, max_in_flight=4) as server:
        run_command(recipe(server, 400, 200, concurrency=64), tmp_path / "run")
        seen = server.seen()
    all_right(tmp_path / "run", 400)
    assert seen["again"] == 0
    assert seen["outcomes"]["too_many"] < 400, "most of what it sent was turned away"


def test_a_server_that_is_away_for_a_while_is_waited_for(tmp_path):
    with (
        fake_server(latency_s=0.1) as server,
        phases(server, (100, {"down_s": 2.0})),
    ):
        run_command(recipe(server, 600, 100, concurrency=CAP), tmp_path / "run")
        seen = server.seen()
    all_right(tmp_path / "run", 600)
    assert (seen["answered"], seen["again"]) == (600, 0)
    assert seen["outcomes"]["reset"] > 0


# -- answers that are odd -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "usage", ["negative", "strings", "floats", "absent", "null", "huge", "list"]
)
def test_wrong_usage_costs_no_row_and_is_not_believed(tmp_path, usage):
    with fake_server(usage=usage, same_id=True) as server:
        run_here(recipe(server, 12), tmp_path / "run")
        assert server.seen()["requests"] == 12
    all_right(tmp_path / "run", 12)
    for row in stored(tmp_path / "run").values():
        assert row["n_prompt_tokens"] is None
        assert row["n_answer_tokens"] is None


def test_right_usage_is_kept(tmp_path):
    with fake_server(reasoning="reasoning") as server:
        run_here(recipe(server, 12), tmp_path / "run")
        tokens = server.seen()["tokens"]
    rows = stored(tmp_path / "run").values()
    assert sum(row["n_reasoning_tokens"] + row["n_answer_tokens"] for row in rows) == tokens
    assert all(row["n_prompt_tokens"] > 0 for row in rows)


def test_reasoning_is_the_same_text_wherever_the_server_puts_it(tmp_path):
    with fake_server() as server:
        for where in ("inline", "open", "reasoning", "reasoning_content"):
            server.control(reasoning=where)
            run_here(recipe(server, 12), tmp_path / where)
            all_right(tmp_path / where, 12)
            assert texts(tmp_path / where) == texts(tmp_path / "inline"), where
    assert all(text.startswith("<think>\n") for text in texts(tmp_path / "inline").values())


# -- requests that the server will not answer -----------------------------------------------------


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_a_row_with_the_servers_words(tmp_path, status):
    words = "no sums modulo seven here"
    refuse = {"refuse": ["mod 7."], "refuse_status": status, "refuse_words": words}
    with fake_server(**refuse) as server:
        data = recipe(server, 40)
        run_here(data, tmp_path / "run")
        seen = server.seen()
        run_here(data, tmp_path / "run")
        assert server.seen()["requests"] == seen["requests"] == 40, "asked again"
    rows = published(tmp_path / "run")
    states = Counter(row["status"] for row in rows)
    assert states == {"error": seen["outcomes"][str(status)], "correct": seen["outcomes"]["ok"]}
    assert {r["reason"] for r in rows if r["status"] == "error"} == {"refused"}
    refused = [r for r in stored(tmp_path / "run").values() if r["finish_reason"] == "refused"]
    assert len(refused) == states["error"]
    assert all(words in row["detail"] for row in refused)


def test_a_server_that_refuses_everything_has_the_run_end_in_words(tmp_path):
    with fake_server(refuse=["mod"], refuse_words="no such voice") as server:
        data = recipe(server, 30)
        said = run_command(data, tmp_path / "run", code=3)
        assert "attempts: the server answered none of 30 requests" in said
        assert "no such voice" in said
        assert "--retry unanswered" in said
        server.control(refuse=["mod 7."])
        server.reset()
        run_command(data, tmp_path / "run", code=3)
        assert server.seen()["requests"] == 0, "nobody asked for that"
        said = run_command(data, tmp_path / "run", "--retry", "unanswered")
        assert server.seen()["requests"] == 30
        refused = server.seen()["outcomes"]["400"]
        assert f"{refused} of 30 requests have no answer" in said
        server.control(refuse=[])
        run_command(data, tmp_path / "run", "--retry", "unanswered")
        assert server.seen()["requests"] == 30 + refused
    all_right(tmp_path / "run", 30)


def test_a_prompt_that_is_too_long_is_a_row_of_its_own(tmp_path):
    with fake_server(too_long=["mod 11."]) as server:
        run_here(recipe(server, 40), tmp_path / "run")
        outcomes = server.seen()["outcomes"]
    rows = stored(tmp_path / "run").values()
    refused = [row for row in rows if row["finish_reason"] == "refused"]
    assert len(rows) == 40
    assert len(refused) == outcomes["400"] > 0
    assert all("maximum context length" in row["detail"] for row in refused)


def test_a_request_that_never_succeeds_while_others_do_is_a_row_that_says_so(tmp_path):
    knobs = FAMILIES["modular_sum"].knobs()
    poison = [make_problem("modular_sum", knobs, 7, "train", i).statement for i in range(3)]
    with fake_server(poison=poison, latency_s=0.25) as server:  # others are answered all the while
        run_here(recipe(server, 500, 500, concurrency=4), tmp_path / "run")
    failed = [r for r in stored(tmp_path / "run").values() if r["finish_reason"] == "failed"]
    assert len(failed) == len(poison)
    assert all("500" in row["detail"] for row in failed)
    rows = published(tmp_path / "run")
    assert Counter(row["status"] for row in rows) == {"correct": 497, "error": 3}
    assert {row["reason"] for row in rows if row["status"] == "error"} == {"failed"}


@pytest.mark.parametrize("faults", [{"api_key": "secret"}, {"models": ["another"]}])
def test_a_setup_that_nothing_can_come_of_ends_the_run(tmp_path, faults):
    with fake_server(**faults) as server:
        said = run_command(recipe(server, 40), tmp_path / "run", code=4)
        assert server.seen()["requests"] <= 2 * 40
        assert server.base_url in said
    assert "Traceback" not in said


# -- answers that were cut off --------------------------------------------------------------------

SHORT, TIMES = 8, 1


@pytest.mark.parametrize("where", ["inline", "open", "reasoning"])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_what_was_cut_off_is_saved_continued_and_marked(tmp_path, api, where):
    if api == "completions" and where == "reasoning":
        pytest.skip("completions have no such field")
    with fake_server(reasoning=where) as server:
        data = recipe(server, 40, api=api, continues=True, max_continuations=TIMES)
        data = altered(data, "teacher.opens_thinking", where == "open" or None)
        run_here(data, tmp_path / "whole")
        server.reset()
        run_here(altered(data, "teacher.sampling", {"max_tokens": SHORT}), tmp_path / "cut")
        seen = server.seen()
    whole, cut = texts(tmp_path / "whole"), stored(tmp_path / "cut")
    assert cut.keys() == whole.keys()
    ended = {name for name, row in cut.items() if row["finish_reason"] == "stop"}
    assert 0 < len(ended) < 40, "or this shows nothing"
    for name, row in cut.items():
        if name in ended:
            assert row["text"] == whole[name]
        else:
            assert row["finish_reason"] == "length"
            assert whole[name].startswith(row["text"])
            assert row["n_continuations"] == TIMES
    continued = sum(row["n_continuations"] for row in cut.values())
    assert seen["requests"] == 40 + continued
    status = {row["id"]: row["status"] for row in published(tmp_path / "cut")}
    assert {status[name] for name in ended} == {"correct"}
    assert "incorrect" not in status.values()


def test_a_continuation_that_is_refused_leaves_what_there_was(tmp_path):
    with fake_server(too_long_after=SHORT - 1) as server:
        data = recipe(server, 20, continues=True, sampling={"max_tokens": SHORT})
        run_here(data, tmp_path / "run")
    rows = stored(tmp_path / "run").values()
    assert len(rows) == 20
    assert {row["finish_reason"] for row in rows} <= {"length", "stop"}
    assert all(row["text"] for row in rows)


# -- kill -9 --------------------------------------------------------------------------------------


def test_a_killed_worker_costs_no_row_and_pays_nothing_twice(tmp_path):
    with fake_server(latency_s=0.03) as server:
        data = recipe(server, 600, 200, concurrency=CAP)
        with started(data, tmp_path / "run") as live:
            for goal in (150, 400):
                wait_for(lambda goal=goal: server.seen()["answered"] >= goal, live)
                live.asking(server).kill()
            live.wait()
        seen = server.seen()
    all_right(tmp_path / "run", 600)
    assert seen["distinct"] == seen["answered"] == 600
    # What had been answered when the worker died, and not yet been written down.
    assert seen["again"] <= 2 * CAP
    assert seen["requests"] <= 600 + 2 * CAP


def test_a_killed_driver_goes_on_from_what_was_answered(tmp_path):
    with fake_server(latency_s=0.03, error=0.1) as server:
        data = recipe(server, 600, 200, concurrency=CAP)
        with started(data, tmp_path / "run") as live:
            wait_for(lambda: server.seen()["answered"] >= 250, live)
        before = server.seen()
        run_command(data, tmp_path / "run")
        seen = server.seen()
    all_right(tmp_path / "run", 600)
    assert before["answered"] < 600
    assert seen["answered"] == 600
    # Written by the server and not yet kept here; and a worker outlives its driver for a moment.
    assert seen["again"] <= 2 * CAP


def wait_for(condition, live):
    while not condition():
        assert live.process.poll() is None, live.text()
