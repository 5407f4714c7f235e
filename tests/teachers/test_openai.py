"""The teacher `openai` against a real server that misbehaves (fake_server.py)."""

import asyncio
import socket
from contextlib import aclosing

import pytest
from fake_server import fake_server
from pydantic import ValidationError
from served_parts import answers, config, gathered, request

from tracefactory.errors import RecipeError, ResourceError
from tracefactory.teachers.openai import OpenAITeacher, info_of, revision_of
from tracefactory.teachers.remote.loop import in_shared_loop


@pytest.fixture(scope="module")
def server():
    with fake_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _well(request):
    if "server" in request.fixturenames:
        running = request.getfixturevalue("server")
        running.well()
        running.reset()


# -- answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_each_request_is_answered_and_sent_once(server, api):
    found = answers(server, [request(n, i) for n in range(50) for i in range(2)], api=api)
    assert sorted(found) == [(n, i) for n in range(50) for i in range(2)]
    for (n, _), completion in found.items():
        assert f"\\boxed{{{n + 1}}}" in completion.text
        assert completion.finish_reason == "stop"
        assert completion.n_prompt_tokens is not None
        assert completion.n_completion_tokens is not None
        assert completion.tokenizer == "m"
    seen = server.seen()
    assert seen["requests"] == seen["distinct"] == seen["answered"] == 100


def test_no_more_are_in_flight_than_asked_and_as_many(server):
    server.control(latency_s=0.05)
    answers(server, [request(n) for n in range(200)], concurrency=16)
    assert server.seen()["peak"] == 16


def test_the_body_says_what_the_recipe_says(server):
    server.control(keep_bodies=True)
    sampling = {"temperature": 0.5, "top_k": 40, "max_tokens": 99, "stop": "END", "min_p": 0}
    extra = {"response_format": {"type": "json_object"}}
    answers(server, [request(3)], sampling=sampling, extra=extra, tools=[{"type": "function"}])
    (body,) = server.bodies()
    assert body == {
        "model": "m", "messages": list(request(3).messages), "temperature": 0.5, "top_k": 40,
        "min_p": 0, "max_tokens": 99, "stop": ["END"], "seed": 3000,
        "response_format": {"type": "json_object"}, "tools": [{"type": "function"}],
    }  # fmt: skip


def test_a_request_s_own_max_tokens_goes_before_the_recipe_s(server):
    (found,) = answers(server, [request(3, max_tokens=5)], sampling={"max_tokens": 99}).values()
    assert found.finish_reason == "length"
    assert found.n_completion_tokens == 5


def test_it_goes_on_from_what_it_said(server):
    (cut,) = answers(server, [request(3, max_tokens=3)]).values()
    (rest,) = answers(server, [request(3, prefix=cut.text)], continues=True).values()
    (whole,) = answers(server, [request(3)]).values()
    assert cut.text + rest.text == whole.text


def test_it_goes_on_in_text_too(server):
    (cut,) = answers(server, [request(3, max_tokens=3)], api="completions").values()
    (rest,) = answers(server, [request(3, prefix=cut.text)], api="completions").values()
    (whole,) = answers(server, [request(3)], api="completions").values()
    assert cut.text + rest.text == whole.text


@pytest.mark.parametrize("reasoning", ["inline", "open", "reasoning", "reasoning_content"])
def test_reasoning_reads_alike_wherever_it_stood(server, reasoning):
    server.control(reasoning=reasoning)
    (found,) = answers(server, [request(3)]).values()
    assert found.text == "<think>\nunits: 3+1+0=4\n</think>\n\n\\boxed{4}"


@pytest.mark.parametrize(
    "usage", ["right", "negative", "strings", "floats", "absent", "null", "huge", "list"]
)
def test_usage_is_right_or_not_known(server, usage):
    server.control(usage=usage)
    (found,) = answers(server, [request(3)]).values()
    counts = (found.n_prompt_tokens, found.n_completion_tokens, found.tokenizer)
    assert counts == (None, None, None) if usage != "right" else None not in counts


def test_what_a_provider_says_it_cost_goes_before_the_file(server, tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text("{date: 2026-11-01, currency: USD, models: {m: {input: 1, output: 10}}}")
    named = {"prices": {"path": str(prices)}}
    (by_file,) = answers(server, [request(3)], **named).values()
    assert by_file.nano_usd == 1000 * (by_file.n_prompt_tokens + 10 * by_file.n_completion_tokens)
    assert answers(server, [request(3)])[3, 0].nano_usd is None
    server.control(usd_per_token=0.001)
    (said,) = answers(server, [request(3)], **named).values()
    assert said.nano_usd == 1_000_000 * (said.n_prompt_tokens + said.n_completion_tokens)


# -- failures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", ["error", "unavailable", "too_many", "reset", "half", "bad_json", "bad_shape"]
)
def test_a_try_that_fails_is_followed_by_another(server, fault):
    server.control(fail_first=1, fail_with=fault)
    found = answers(server, [request(n) for n in range(20)])
    assert len(found) == 20
    assert {completion.finish_reason for completion in found.values()} == {"stop"}
    assert server.seen()["answered"] == 20


def test_connections_that_end_after_an_answer_lose_nothing(server):
    server.control(hangup=0.3)
    found = answers(server, [request(n) for n in range(200)], concurrency=8)
    assert {completion.finish_reason for completion in found.values()} == {"stop"}


def test_a_stalled_request_is_sent_again_where_the_user_set_a_time(server):
    server.control(fail_first=1, fail_with="stall")
    found = answers(server, [request(n) for n in range(5)], timeout_s=0.5)
    assert {completion.finish_reason for completion in found.values()} == {"stop"}


def test_a_fifth_of_all_tries_failing_costs_no_row(server):
    server.control(latency_s=0.005, error=0.08, reset=0.06, half=0.03, bad_json=0.03)
    found = answers(server, [request(n) for n in range(500)])
    assert len(found) == 500
    assert {completion.finish_reason for completion in found.values()} == {"stop"}


def test_new_work_goes_on_while_a_request_waits_for_its_next_try(server):
    server.control(latency_s=0.01, poison=["What is 0+1?"], fail_with="error")

    async def order():
        teacher = OpenAITeacher(config(server, concurrency=1))
        async with aclosing(teacher.complete([request(n) for n in range(30)])) as completions:
            return [int((await anext(completions)).problem_id[1:]) for _ in range(29)]

    assert asyncio.run(order()) == list(range(1, 30))


def test_a_request_that_alone_keeps_failing_ends_as_failed(server, monkeypatch):
    monkeypatch.setattr("tracefactory.teachers.remote.endpoint.BACK_OFF_S", 0.001)
    server.control(poison=["What is 7+1?"], fail_with="error")
    found = answers(server, [request(n) for n in range(40)])
    assert found.pop((7, 0)).finish_reason == "failed"
    assert {completion.finish_reason for completion in found.values()} == {"stop"}


def test_the_last_one_ends_too(server, monkeypatch):
    monkeypatch.setattr("tracefactory.teachers.remote.endpoint.BACK_OFF_S", 0.001)
    server.control(poison=["What is 7+1?"], fail_with="error")
    (found,) = answers(server, [request(7)]).values()
    assert found.finish_reason == "failed"
    assert "500" in found.detail
    assert "12 tries" in found.detail


def test_a_refused_request_is_an_outcome(server):
    server.control(refuse=["What is 7+1?"], too_long=["What is 8+1?"])
    found = answers(server, [request(n) for n in range(20)])
    assert found[7, 0].finish_reason == found[8, 0].finish_reason == "refused"
    assert "will not answer" in found[7, 0].detail
    assert "context length" in found[8, 0].detail
    assert server.seen()["again"] == 0


def test_what_is_forbidden_to_one_alone_is_refused(server):
    server.control(latency_s=0.01, refuse=["What is 70+1?"], refuse_status=403)
    found = answers(server, [request(n) for n in range(80)], concurrency=4)
    assert found[70, 0].finish_reason == "refused"
    assert sum(c.finish_reason == "stop" for c in found.values()) == 79


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"api_key": "secret-1"}, ("401", "api_key_env")),
        ({"models": ["other"]}, ("404", "`model`", "base_url")),
        ({"refuse": ["What"], "refuse_status": 403}, ("403", "api_key_env")),
        ({"refuse": ["What"], "refuse_status": 402}, ("402", "money")),
        ({"refuse": ["What"], "refuse_status": 307}, ("307", "redirection")),
    ],
)
def test_a_set_up_that_the_server_does_not_like_ends_the_run(server, faults, words):
    server.control(**faults)
    with pytest.raises(ResourceError) as raised:
        answers(server, [request(n) for n in range(20)])
    assert all(word in str(raised.value) for word in words)
    assert server.base_url in str(raised.value)


def test_the_key_is_sent_and_never_shown(server, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "secret-1\n")
    server.control(api_key="secret-1", models=["other"])
    with pytest.raises(ResourceError) as raised:  # the model, no longer the key
        answers(server, [request()], api_key_env="SOME_KEY")
    assert "404" in str(raised.value)
    assert "secret-1" not in str(raised.value)
    made = config(server, api_key_env="SOME_KEY")
    assert "secret-1" not in repr(made) + str(info_of(made))


def test_an_absent_key_is_told_before_anything_is_sent(monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(ResourceError, match="SOME_KEY"):
        answers("https://teacher.invalid/v1", [request()], api_key_env="SOME_KEY")


def test_an_endpoint_that_answers_nobody_is_given_up():
    with socket.socket() as taken:  # a port that nobody listens on
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ResourceError, match="answered nobody"):
            answers(url, [request(n) for n in range(20)], give_up_s=1)


def test_an_outage_fails_no_request(server):
    server.control(latency_s=0.02)

    async def through():
        teacher = OpenAITeacher(config(server, concurrency=32))
        done = []
        async with aclosing(teacher.complete([request(n) for n in range(300)])) as completions:
            async for completion in completions:
                done.append(completion)
                if len(done) == 50:
                    await asyncio.to_thread(server.control, down_s=2)
        return done

    done = asyncio.run(through())
    assert len({completion.problem_id for completion in done}) == len(done) == 300
    assert {completion.finish_reason for completion in done} == {"stop"}


def test_mostly_429_goes_on_and_comes_back(server):
    server.control(latency_s=0.01, too_many=0.9)

    async def through():
        teacher = OpenAITeacher(config(server, concurrency=64))
        limits = []
        async with aclosing(teacher.complete([request(n) for n in range(3000)])) as completions:
            n_done = 0
            async for completion in completions:
                assert completion.finish_reason == "stop"
                n_done += 1
                limits.append(teacher.endpoint.limit)
                if n_done == 60:
                    await asyncio.to_thread(server.well)
        return n_done, limits

    n_done, limits = asyncio.run(through())
    assert n_done == 3000
    assert limits[58] < 16
    assert limits[-1] == 64


# -- sharing ---------------------------------------------------------------------------------------


def test_two_who_ask_share_the_places(server):
    server.control(latency_s=0.05)

    async def both():
        teachers = [OpenAITeacher(config(server, concurrency=8)) for _ in range(2)]
        assert teachers[0].endpoint is teachers[1].endpoint
        asked = ([request(n, i) for n in range(20)] for i in range(2))
        asks = zip(teachers, asked, strict=True)
        return await asyncio.gather(*(gathered(t.complete(r)) for t, r in asks))

    first, second = asyncio.run(both())
    assert {c.index for c in first} == {0}
    assert {c.index for c in second} == {1}
    assert len(first) == len(second) == 20
    assert server.seen()["peak"] == 8


def test_it_takes_requests_only_when_it_can_send_them(server):
    server.control(latency_s=0.05)
    taken = []

    def requests():
        for n in range(100):
            taken.append(n)
            yield request(n)

    async def some():
        teacher = OpenAITeacher(config(server, concurrency=4))
        ahead = []
        async for _ in (completions := teacher.complete(requests())):
            ahead.append(len(taken) - len(ahead))
            if len(ahead) == 40:
                break
        await completions.aclose()
        return ahead

    assert max(asyncio.run(some())) <= 2 * 4


def test_requests_that_end_early_leave_nothing_behind(server):
    server.control(latency_s=0.05)
    found = answers(server, (request(n) for n in range(7)), concurrency=4)
    assert len(found) == server.seen()["requests"] == 7


def test_whoever_makes_requests_may_raise(server):
    def requests():
        yield from (request(n) for n in range(5))
        raise RecipeError("no more")

    async def through():
        async for completion in OpenAITeacher(config(server)).complete(requests()):
            got.append(completion)

    got = []
    with pytest.raises(RecipeError, match="no more"):
        asyncio.run(through())
    assert len(got) == 5


def test_closing_cancels_what_is_in_flight(server):
    server.control(stall=1.0)

    async def closed():
        teacher = OpenAITeacher(config(server, concurrency=4))
        completions = teacher.complete([request(n) for n in range(20)])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(completions), 0.5)
        await completions.aclose()
        return teacher.endpoint

    endpoint = asyncio.run(closed())
    assert endpoint.in_flight == endpoint.waiting == 0
    assert server.seen()["requests"] == 4


def test_the_shared_loop_serves_threads_and_hands_on_what_is_raised(server):
    teacher = OpenAITeacher(config(server))
    assert len(in_shared_loop(gathered(teacher.complete([request(n) for n in range(3)])))) == 3

    async def fails():
        raise RecipeError("so it is")

    with pytest.raises(RecipeError, match="so it is"):
        in_shared_loop(fails())


# -- what rows and keys depend on ------------------------------------------------------------------

CHANGES = {
    "base_url": "http://127.0.0.1:2/v1",
    "model": "n",
    "revision": "2026-11-01",
    "api": "completions",
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "extra": {"response_format": {"type": "json_object"}},
    "opens_thinking": True,
    "continue_with": {"continue_final_message": True},
    "max_tokens_field": "max_completion_tokens",
    **{
        f"sampling.{name}": value
        for name, value in {
            "temperature": 0.7, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "min_tokens": 3,
            "stop": ["x"], "presence_penalty": 0.1, "frequency_penalty": 0.1,
            "repetition_penalty": 1.1, "send_seed": False,
        }.items()
    },
}  # fmt: skip
SAME = {
    "sampling.max_tokens": 5, "license": "MIT", "name": "x", "concurrency": 3, "timeout_s": 5.0,
    "max_continuations": 3, "give_up_s": 3.0, "api_key_env": "OTHER", "continues": True,
    "prices": {"path": "prices.yaml"},
}  # fmt: skip


def changed(name, value):
    outer, _, inner = name.partition(".")
    return config("http://127.0.0.1:1/v1", **{outer: {inner: value} if inner else value})


@pytest.mark.parametrize("name", CHANGES)
def test_each_field_that_changes_answers_changes_the_key(name):
    plain, other = changed("model", "m"), changed(name, CHANGES[name])
    assert info_of(plain).asks != info_of(other).asks
    assert revision_of(plain) != revision_of(other)
    assert info_of(other).revision == revision_of(other)


@pytest.mark.parametrize("name", SAME)
def test_no_other_field_does(name):
    plain, other = changed("model", "m"), changed(name, SAME[name])
    assert info_of(plain).asks == info_of(other).asks
    assert revision_of(plain) == revision_of(other)


def test_the_template_counts_where_it_is_sent():
    both = [config("http://h/v1", api="completions", template=t) for t in ("", "{{ messages }}")]
    assert revision_of(both[0]) != revision_of(both[1])


def test_every_field_is_one_or_the_other():
    fields = {*type(config("http://h/v1")).model_fields} - {"kind", "sampling", "template"}
    sampling = {f"sampling.{name}" for name in type(config("http://h/v1").sampling).model_fields}
    assert fields | sampling == CHANGES.keys() | SAME.keys()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"base_url": "api.example.com"}, "is no URL"),
        ({"base_url": "https://me:secret@api.example.com/v1"}, "api_key_env"),
        ({"extra": {"temperature": 1}}, "under `sampling`"),
        ({"extra": {"stream": True}}, "the factory's to say"),
        ({"template": "{% for %}"}, "no jinja2 template"),
        ({"sampling": {"temperature": -1}}, "greater than or equal to 0"),
        ({"sampling": {"temprature": 1}}, "Extra inputs"),
        ({"concurrency": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_told(wrong, words):
    with pytest.raises(ValidationError, match=words):
        config(**{"server": "https://h/v1", **wrong}) if "base_url" not in wrong else config(
            wrong["base_url"]
        )


def test_the_environment_may_name_the_endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/")
    made = type(config("http://h/v1")).model_validate({"model": "m"})
    assert made.base_url == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{date: 2026-11-01, currency: EUR, models: {}}", "currency"),
        ("{date: 2026-11-01, currency: USD, models: {other: {input: 1, output: 1}}}", "only other"),
        ("[1", "that can be read"),
        ("{date: soon, currency: USD, models: {m: {input: -1, output: 1}}}", "models.m.input"),
    ],
)
def test_prices_that_cannot_be_used_are_told(tmp_path, text, words):
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=words):
        OpenAITeacher(config("http://h/v1", prices={"path": str(file)}))
