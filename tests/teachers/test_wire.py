"""OpenAI's language: bodies from requests, completions from answers that cannot be trusted."""

import pickle
from dataclasses import astuple
from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served_parts import config, request

from tracefactory.teachers.remote.faults import error_of, kind_of, retry_after_s
from tracefactory.teachers.remote.manner import AnswerError
from tracefactory.teachers.remote.prices import Price
from tracefactory.teachers.remote.thinking import is_open, joined, restored, without_opening
from tracefactory.teachers.remote.wire import Wire, counts_of

THOUGHT = "<think>\nabc\n</think>\n\n42"


def wire(**changes):
    return Wire(config("http://127.0.0.1:1/v1", **changes))


def chat(message, reason="stop", **more):
    return orjson.dumps({"choices": [{"message": message, "finish_reason": reason}], **more})


def read(answer, *, prefix="", **changes):
    return wire(**changes).completion(request(3, prefix=prefix), answer, None)


def body(**changes):
    return orjson.loads(wire(**changes).payload(request(3))[1])


# -- bodies ----------------------------------------------------------------------------------------


def test_messages_may_be_any_mapping():
    turns = [MappingProxyType({"role": "user", "content": "hi"})]
    _, sent = wire().payload(request(3, messages=turns))
    assert orjson.loads(sent)["messages"] == [{"role": "user", "content": "hi"}]


def test_what_is_not_said_is_not_sent():
    assert body().keys() == {"model", "messages", "seed"}
    assert body(sampling={"send_seed": False}).keys() == {"model", "messages"}


def test_openai_s_own_name_of_max_tokens():
    from tracefactory.teachers.openai import OpenAITeacher

    made = OpenAITeacher(config("https://api.openai.com/v1", sampling={"max_tokens": 7}))
    sent = orjson.loads(made._wire.payload(request(3))[1])
    assert sent["max_completion_tokens"] == 7
    assert "max_tokens" not in sent


def test_a_beginning_is_the_last_turn_and_says_so():
    made = Wire(config("http://h/v1"), going_on={"continue_final_message": True})
    sent = orjson.loads(made.payload(request(3, prefix="<think>\nab"))[1])
    assert sent["messages"][-1] == {"role": "assistant", "content": "<think>\nab"}
    assert sent["continue_final_message"] is True
    assert "continue_final_message" not in orjson.loads(made.payload(request(3))[1])


def test_the_tag_that_a_template_says_is_not_sent_twice():
    sent = orjson.loads(wire(opens_thinking=True).payload(request(3, prefix=THOUGHT))[1])
    assert sent["messages"][-1]["content"] == "abc\n</think>\n\n42"
    template = "{{ messages[-1].content }}\n<think>\n"
    made = wire(api="completions", template=template)
    path, sent = made.payload(request(3, prefix="<think>\nab"))
    assert path == "/completions"
    assert orjson.loads(sent)["prompt"] == "What is 3+1?\n<think>\nab"
    _, sent = made.payload(request(3))
    assert orjson.loads(sent)["prompt"] == "What is 3+1?\n<think>\n"


def test_the_plain_template_says_who_speaks():
    sent = body(api="completions")
    assert sent["prompt"] == "System: Think first.\n\nUser: What is 3+1?\n\nAssistant:"


# -- texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        {"content": THOUGHT},
        {"content": "abc\n</think>\n\n42"},
        {"content": "42", "reasoning": "abc"},
        {"content": "\n\n42", "reasoning": "\nabc\n"},
        {"content": "42", "reasoning_content": "abc"},
        {"content": "42", "reasoning": "abc", "reasoning_content": "abc"},
        {"content": [{"type": "text", "text": "42"}], "reasoning": "abc"},
    ],
)
def test_reasoning_reads_alike_wherever_it_stood(message):
    assert read(chat(message)).text == THOUGHT


def test_a_text_that_was_cut_off_in_its_reasoning_is_left_open():
    assert read(chat({"content": None, "reasoning": "ab"}, "length")).text == "<think>\nab"
    assert read(chat({"content": "ab"}, "length"), opens_thinking=True).text == "<think>\nab"
    assert read(chat({"content": "ab"}, "length")).text == "ab"  # nobody can tell


def test_what_goes_on_opens_nothing_again():
    answer = chat({"content": "c\n</think>\n\n42"})
    assert read(answer, prefix="<think>\nab", opens_thinking=True).text == "c\n</think>\n\n42"
    apart = chat({"content": "42", "reasoning": "c"})
    assert read(apart, prefix="<think>\nab").text == "c\n</think>\n\n42"
    assert read(chat({"content": "2"}), prefix="<think>\nabc\n</think>\n\n4").text == "2"


def test_calls_and_refusals_are_text():
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    found = read(chat({"content": None, "tool_calls": [call]}, "tool_calls"))
    opening, said, closing = found.text.split("\n")
    assert (opening, orjson.loads(said), closing) == ("<tool_call>", call, "</tool_call>")
    assert found.finish_reason == "tool_calls"
    assert read(chat({"content": None, "refusal": "No."})).text == "No."


@given(st.text())
def test_without_the_tag_and_with_it_is_the_same_text(text):
    said = f"<think>\n{text}"
    assert restored(without_opening(said), opens_thinking=True) == said or text.lstrip().startswith(
        "<think>"
    )
    assert restored(text, opens_thinking=False) == text


@given(st.text(alphabet="ab\n"), st.text(alphabet="ab\n"))
def test_joined_text_is_closed_once_and_open_only_if_cut(reasoning, content):
    whole = joined(reasoning, content, cut=False, goes_on=False)
    assert whole.count("</think>") == 1
    assert not is_open(whole)
    assert is_open(joined(reasoning, "", cut=True, goes_on=False))


# -- counts and money ------------------------------------------------------------------------------


def test_counts():
    usage = {
        "prompt_tokens": 9, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }  # fmt: skip
    found = read(chat({"content": "42"}, usage=usage))
    assert (found.n_prompt_tokens, found.n_cached_tokens, found.n_completion_tokens) == (9, 8, 7)
    assert (found.n_reasoning_tokens, found.n_answer_tokens) == (5, 2)
    usage["completion_tokens_details"] = {"reasoning_tokens": 0}
    found = read(chat({"content": "42"}, usage=usage))
    assert (found.n_reasoning_tokens, found.n_answer_tokens) == (None, None)


@pytest.mark.parametrize("wrong", [-1, 1.0, "7", True, None, [], 10**12])
def test_counts_that_cannot_be_right_are_not_known(wrong):
    assert counts_of({"prompt_tokens": wrong, "completion_tokens": wrong}) == (None,) * 4


def test_no_part_is_larger_than_the_whole():
    usage = {"prompt_tokens": 9, "completion_tokens": 7}
    more = {"cached_tokens": 10}, {"reasoning_tokens": 8}
    usage |= {"prompt_tokens_details": more[0], "completion_tokens_details": more[1]}
    assert counts_of(usage) == (9, None, 7, None)


def test_prices():
    price = Price(input=1.0, output=10.0, cached=0.1)
    assert price.nano_usd(1000, 400, 50) == 1000 * (600 * 1 + 400 * 0.1 + 50 * 10)
    assert Price(input=1.0, output=10.0).nano_usd(1000, 400, 50) == 1000 * (1000 + 500)
    assert price.nano_usd(1000, None, None) is None
    assert price.nano_usd(None, None, 50) is None


@pytest.mark.parametrize("cost", [-1, "1", True, None, 1e300])
def test_a_cost_that_cannot_be_right_is_not_known(cost):
    assert read(chat({"content": "42"}, usage={"cost": cost})).nano_usd is None


# -- answers that are none -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"[]", b"null", b'{"choices": [{"mess', b'{"choices": []}', b'{"choices": {}}',
        b'{"choices": [null]}', b'{"choices": [{"finish_reason": "stop"}]}',
        chat({"content": "4"}, None), chat({"content": "4"}, "error"), chat({"content": "4"}, 7),
        chat({"content": 4}), b"\xff\xfe",
    ],
)  # fmt: skip
def test_half_answers_are_tried_again(answer):
    with pytest.raises(AnswerError) as raised:
        read(answer)
    assert kind_of(raised.value) == "trouble"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": "slow down"}, "busy"),
        ({"code": 502, "message": "provider"}, "trouble"),
        ({"code": 400, "message": "too long"}, "refused"),
        ({"message": "who knows"}, "trouble"),
    ],
)
def test_an_error_in_disguise_is_one(error, kind):
    with pytest.raises(AnswerError, match=error["message"]) as raised:
        read(orjson.dumps({"error": error}))
    assert kind_of(raised.value) == kind


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("choices", "message", "content", "finish_reason", "usage", "error", "code",
                 "text", "reasoning", "tool_calls", "prompt_tokens", "completion_tokens_details")
            ), inner, max_size=4,
        ),
    )
)  # fmt: skip
def test_no_answer_brings_anything_but_a_completion_or_an_answer_error(said):
    try:
        found = read(orjson.dumps(said))
    except AnswerError:
        return
    found.text.encode()
    assert found.finish_reason


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (429, b'{"error": {"message": "slow", "code": "rate_limit"}}', "busy", "slow"),
        (429, b'{"error": {"message": "x", "code": "insufficient_quota"}}', "setup", "x"),
        (503, b"", "busy", "no words"),
        (500, b"<html>oh</html>", "trouble", "oh"),
        (408, b"", "trouble", "no words"),
        (400, b'{"error": {"message": "too long"}}', "refused", "too long"),
        (413, b"", "refused", "no words"),
        (422, b'{"detail": [{"loc": ["body"], "msg": "wrong"}]}', "refused", "wrong"),
        (401, b'{"message": "no"}', "setup", "no"),
        (403, b"", "forbidden", "no words"),
        (404, b'{"detail": "Not Found"}', "setup", "Not Found"),
        (302, b"", "setup", "redirection"),
    ],
)
def test_what_statuses_mean(status, body, kind, words):
    error = error_of(status, {}, body)
    assert kind_of(error) == kind
    assert words in str(error)
    assert str(status) in str(error)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers, wait_s):
    assert retry_after_s(headers) == wait_s


def test_a_failed_try_survives_the_way_from_a_worker_to_the_driver():
    error = AnswerError("busy", 503, "overloaded", 2.5, answered=True, gpu_s=0.25)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "status 503: busy"
    assert astuple(again) == astuple(error)
