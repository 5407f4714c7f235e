"""The teacher `vllm` on real vLLM: answers, going on, refusals; deaths and hangs in mid-run."""

import asyncio
import os
import signal
import threading
import time
from dataclasses import replace

import pytest
from vllm_harness import held, names_below

from tracefactory.errors import ResourceError
from tracefactory.teachers.contract import Request
from tracefactory.teachers.engine.life import leave
from tracefactory.teachers.remote.loop import in_shared_loop
from tracefactory.teachers.vllm import VllmConfig, VllmTeacher


def ask(teacher, requests):
    async def all_of_them():
        return [completion async for completion in teacher.complete(requests)]

    return in_shared_loop(all_of_them())


def teacher_of(settings, **changes):
    sampling = {**settings["sampling"], **changes.pop("sampling", {})}
    return VllmTeacher(VllmConfig(**{**settings, "sampling": sampling, **changes}))


@pytest.fixture(scope="module")
def asked(tiny):
    from tiny_model import problems, turns

    return [Request(p, 0, 100 + i, turns(p)) for i, p in enumerate(problems("train", 200))]


@pytest.fixture(scope="module", autouse=True)
def nothing_left():
    yield
    files, processes = held(os.getpid()), names_below(os.getpid())
    in_shared_loop(leave())
    assert not any(path.exists() for path in files)
    assert not any(_alive(pid) for pid in processes.values())


def test_it_is_as_right_as_the_same_model_in_this_process(settings, tiny):
    """Within 2 points, greedily, on the same problems that it has never seen."""
    from tiny_model import held_out, problems

    from tracefactory.prove.evaluate import Speaker, score, status_of
    from tracefactory.prove.save import load_model

    tests = problems("test", 300)
    out = held_out(tests)
    here = score(Speaker(*load_model(tiny), 200), "ood", out, 7).greedy
    teacher = teacher_of(settings, sampling={"temperature": 0.0})
    said = {
        c.problem_id: c
        for c in ask(
            teacher,
            [Request(p, 0, i, h.messages) for i, (p, h) in enumerate(zip(tests, out, strict=True))],
        )
    }
    there = sum(status_of(p, said[p.problem_id].text) == "correct" for p in out)
    assert here > 90
    assert abs(here - there) <= 6, (here, there)
    for completion in said.values():
        assert completion.n_prompt_tokens
        assert completion.n_completion_tokens
        assert completion.tokenizer == "tiny"


def test_a_seed_gives_the_same_answer_and_another_one_others(settings, asked):
    teacher = teacher_of(settings)
    first = {c.problem_id: c.text for c in ask(teacher, asked)}
    again = {c.problem_id: c.text for c in ask(teacher, asked[::-1])}
    other = {c.problem_id: c.text for c in ask(teacher, [replace(r, seed=9) for r in asked])}
    assert sum(first[one] == again[one] for one in first) >= 0.95 * len(first)
    assert first != other


def test_what_was_cut_off_is_gone_on_with_from_where_it_was(settings, asked):
    teacher = teacher_of(settings, sampling={"temperature": 0.0})
    whole = {c.problem_id: c.text for c in ask(teacher, asked)}
    cut = {c.problem_id: c for c in ask(teacher, [replace(r, max_tokens=8) for r in asked])}
    assert all(c.finish_reason == "length" for c in cut.values())
    assert all(c.n_completion_tokens == 8 for c in cut.values())
    prefixed = [replace(r, prefix=cut[r.problem.id].text) for r in asked]
    rest = {c.problem_id: c for c in ask(teacher, prefixed)}
    same = [cut[one].text + rest[one].text == whole[one] for one in whole]
    assert sum(same) >= 0.95 * len(same)


def test_a_request_that_is_too_long_is_an_outcome(settings, asked):
    long = replace(asked[0], messages=[{"role": "user", "content": "1 + " * 600 + "1"}])
    (refused,) = ask(teacher_of(settings), [long])
    assert refused.finish_reason == "refused"
    assert "maximum context length" in refused.detail


def test_a_server_that_hangs_is_ended_and_replaced_and_nothing_is_paid_twice(
    settings, asked, counted
):
    teacher = teacher_of(settings, concurrency=8, stall_s=20.0)
    ask(teacher, [replace(asked[0], seed=1)])  # the start of the engine is no part of it
    there = names_below(os.getpid())
    assert set(there) == {"api", "core", "worker"}
    n_before, before = counted.n_answered(), len(counted.lines())

    def stop_it():
        while counted.n_answered() < n_before + 50:
            time.sleep(0.005)
        os.kill(there["worker"], signal.SIGSTOP)

    stopper = threading.Thread(target=stop_it)
    stopper.start()
    found = ask(teacher, [replace(r, seed=r.seed + 5000) for r in asked])
    stopper.join()
    assert sorted(c.problem_id for c in found) == sorted(r.problem.id for r in asked)
    assert {c.finish_reason for c in found} <= {"stop", "length"}
    assert counted.asked_after_it_was_answered(before) == []
    n_again = sum(word == "asked" for word, _ in counted.lines()[before:]) - len(asked)
    # What was in flight; busy cores may make it seem to hang more than once.
    news = teacher.news()
    n_hung = sum("gave no token for 20 s" in line for line in news)
    assert n_hung, news
    assert 0 < n_again <= 8 * n_hung
    now = names_below(os.getpid())
    assert set(now) == set(there)
    assert not set(now.values()) & set(there.values())
    assert not any(_alive(pid) for pid in there.values())


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_template_that_opens_thinking_is_noticed(settings, asked, tmp_path):
    """Another template is another engine: the one that is there is ended first."""
    from tracefactory.prove.tokens import CHAT_TEMPLATE

    template = tmp_path / "opens.jinja"
    template.write_text(CHAT_TEMPLATE.replace("'<|assistant|>'", "'<|assistant|><think>\\n'"))
    before = names_below(os.getpid())
    teacher = teacher_of(
        settings, chat_template={"path": str(template)}, sampling={"temperature": 0.0}
    )
    found = ask(teacher, asked)
    assert all(c.text.startswith("<think>\n") for c in found)
    assert not any(c.text.startswith("<think>\n<think>") for c in found)
    cut = {c.problem_id: c for c in ask(teacher, [replace(r, max_tokens=6) for r in asked])}
    assert all(c.text.startswith("<think>\n") for c in cut.values())
    whole = {c.problem_id: c.text for c in found}
    prefixed = [replace(r, prefix=cut[r.problem.id].text) for r in asked]
    rest = {c.problem_id: c for c in ask(teacher, prefixed)}
    same = [cut[one].text + rest[one].text == whole[one] for one in whole]
    assert sum(same) >= 0.95 * len(same)
    assert not set(names_below(os.getpid()).values()) & set(before.values())


def test_wrong_arguments_end_with_the_words_of_the_server(settings, asked):
    teacher = teacher_of(settings, engine={"max_model_len": 512, "no_such_option": 3})
    with pytest.raises(ResourceError, match="no-such-option"):
        ask(teacher, asked[:1])
    assert names_below(os.getpid()) == {}


def test_two_chunks_share_one_server_and_two_models_take_turns(settings, asked):
    teacher = teacher_of(settings)

    async def both():
        async def one(requests):
            return [c async for c in teacher.complete(requests)]

        return await asyncio.gather(one(asked[:100]), one(asked[100:]))

    first, second = in_shared_loop(both())
    assert len(first) == len(second) == 100
    assert len(names_below(os.getpid())) == 3
