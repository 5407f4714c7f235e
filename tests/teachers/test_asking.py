"""What was paid for is found again, what was cut off is gone on with, and nothing else is asked."""

import dataclasses
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.make import make_problem
from tracefactory.store.home import Home
from tracefactory.teachers.asking import Answer, ask, request_digest
from tracefactory.teachers.contract import (
    Completion,
    DrainedError,
    Request,
    TeacherError,
    TeacherInfo,
)

INFO = TeacherInfo("t", "r", "MIT", paid=True, continues=True, asks={"temperature": 0.7})
KNOBS = FAMILIES["modular_sum"].knobs()


def request(number: int = 0, index: int = 0) -> Request:
    problem = make_problem("modular_sum", KNOBS, 7, "train", number)
    turn = [{"role": "user", "content": problem.statement}]
    return Request(problem, index, 1000 * number + index, turn)


class Writer:
    """Has `length` letters to say to each request, a letter a token, and is asked in parts."""

    def __init__(self, length: int = 10, limit: int | None = 4, **info: object) -> None:
        self.info = dataclasses.replace(INFO, max_tokens=limit, **info)
        self.length, self.seen = length, list[Request]()
        self.dies_after = 1 << 30
        self.context = 1 << 30

    async def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        for one in requests:
            if len(self.seen) >= self.dies_after:
                raise TeacherError("not well")
            self.seen.append(one)
            start = len(one.prefix)
            room = min(one.max_tokens or self.info.max_tokens or 1 << 30, self.context - start)
            stop = min(self.length, start + room)
            if start >= self.context:
                yield Completion(one.problem.id, one.index, "", "refused", detail="too long")
                continue
            text = "".join(chr(97 + at % 26) for at in range(start, stop))
            end = "stop" if stop == self.length else "length"
            yield Completion(
                one.problem.id, one.index, text, end,
                n_prompt_tokens=5, n_completion_tokens=len(text), nano_usd=10,
            )  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    return Home(tmp_path).journal("a.c.r0")


def said(asked, one):
    answer = asked.answers[one.problem.id, one.index]
    return answer.said.text, answer.said.finish_reason, answer.parts


@pytest.mark.parametrize(
    ("continuations", "text", "end", "parts"),
    [(0, "abcd", "length", 1), (1, "abcdefgh", "length", 2), (2, "abcdefghij", "stop", 3),
     (9, "abcdefghij", "stop", 3)],
)  # fmt: skip
def test_what_was_cut_off_is_gone_on_with_as_often_as_allowed(
    journal, continuations, text, end, parts
):
    writer, one = Writer(max_continuations=continuations), request()
    asked = ask(writer, [one], {}, journal)
    assert said(asked, one) == (text, end, parts)
    assert [r.prefix for r in writer.seen] == [text[: 4 * at] for at in range(parts)]
    assert len({r.seed for r in writer.seen}) == parts
    whole = asked.answers[one.problem.id, 0].said
    assert whole.n_completion_tokens == len(text)
    assert whole.n_prompt_tokens == 5
    assert asked.spent["asked"] == parts
    assert asked.spent["prompt_tokens"] == 5 * parts
    assert asked.spent["completion_tokens"] == len(text)
    assert asked.spent["nano_usd"] == 10 * parts


def test_what_the_server_s_own_limit_cut_off_is_left_as_it_is(journal):
    writer, one = Writer(max_continuations=5), request()
    writer.context = 6
    asked = ask(writer, [one], {}, journal)
    assert said(asked, one) == ("abcdef", "length", 2)
    assert asked.answers[one.problem.id, 0].over
    assert len(writer.seen) == 2


def test_a_refused_continuation_costs_nothing_of_what_was_said(journal):
    writer, one = Writer(max_continuations=5), request()
    writer.context = 4
    asked = ask(writer, [one], {}, journal)
    assert said(asked, one) == ("abcd", "length", 1)
    assert asked.spent["refused"] == 1


def test_a_refusal_is_an_outcome_and_is_no_answer_for_the_next_time(journal):
    writer, one = Writer(), request()
    writer.context = 0
    asked = ask(writer, [one], {}, journal)
    assert said(asked, one) == ("", "refused", 1)
    writer.context = 100
    before = {request_digest(writer.info, one): asked.answers[one.problem.id, 0]}
    assert said(ask(writer, [one], before, journal), one)[1] == "length"


@settings(max_examples=30)
@given(
    n=st.integers(1, 6),
    length=st.integers(1, 14),
    continuations=st.integers(0, 3),
    deaths=st.lists(st.integers(0, 8), max_size=4),
)
def test_whatever_dies_when_no_part_is_paid_for_twice(
    tmp_path_factory, n, length, continuations, deaths
):
    home = Home(tmp_path_factory.mktemp("home"))
    requests = [request(number) for number in range(n)]
    calm = Writer(length, max_continuations=continuations)
    expected = ask(calm, requests, {}, home.journal("calm"))
    paid = 0
    for dies_after in [*deaths, 1 << 30]:
        writer = Writer(length, max_continuations=continuations)
        writer.dies_after = dies_after
        journal = home.journal("killed")
        try:
            asked = ask(writer, requests, {}, journal)
        except TeacherError:
            asked = None
        journal.close()
        paid += len(writer.seen)
        if asked is not None:
            break
    assert asked is not None
    assert {k: (a.said.text, a.parts) for k, a in asked.answers.items()} == {
        k: (a.said.text, a.parts) for k, a in expected.answers.items()
    }
    assert paid == len(calm.seen)
    assert asked.spent == expected.spent


def test_a_larger_limit_keeps_what_had_ended_and_goes_on_with_the_rest(journal, tmp_path):
    short, long = request(0), request(1)

    class Two(Writer):
        async def complete(self, requests):
            for one in requests:
                self.length = 3 if one.problem.id == short.problem.id else 10
                async for completion in Writer.complete(self, [one]):
                    yield completion

    first = Two(max_continuations=0)
    asked = ask(first, [short, long], {}, journal)
    known = {a.request: a for a in asked.answers.values()}
    second = Two(limit=12, max_continuations=0)
    again = ask(second, [short, long], known, Home(tmp_path).journal("later"))
    assert said(again, short) == ("abc", "stop", 1)
    assert said(again, long) == ("abcdefghij", "stop", 2)
    assert [(r.problem.id, r.prefix, r.max_tokens) for r in second.seen] == [
        (long.problem.id, "abcd", 8)
    ]
    assert again.spent["asked"] == 1


def test_who_cannot_go_on_is_asked_anew_for_what_a_smaller_limit_cut_off(journal, tmp_path):
    one = request()
    asked = ask(Writer(continues=False), [one], {}, journal)
    assert said(asked, one) == ("abcd", "length", 1)
    known = {a.request: a for a in asked.answers.values()}
    later = Home(tmp_path).journal("later")
    writer = Writer(limit=8, continues=False)
    again = ask(writer, [one], known, later)
    later.close()
    assert said(again, one) == ("abcdefgh", "length", 1)
    assert [r.prefix for r in writer.seen] == [""]
    third = Writer(limit=8, continues=False)
    assert said(ask(third, [one], known, later), one) == ("abcdefgh", "length", 1)
    assert not third.seen  # the journal has it


def test_known_answers_are_not_asked_for(journal):
    writer, requests = Writer(length=3), [request(0), request(1)]
    digest = request_digest(writer.info, requests[0])
    known = {digest: Answer(Completion(requests[0].problem.id, 0, "old"), digest)}
    asked = ask(writer, requests, known, journal)
    assert said(asked, requests[0]) == ("old", "stop", 1)
    assert [r.problem.id for r in writer.seen] == [requests[1].problem.id]


CHANGES = {
    "name": lambda info, one: (dataclasses.replace(info, name="u"), one),
    "revision": lambda info, one: (dataclasses.replace(info, revision="s"), one),
    "asks": lambda info, one: (dataclasses.replace(info, asks={"temperature": 0.8}), one),
    "messages": lambda info, one: (
        info,
        dataclasses.replace(one, messages=[{"role": "system", "content": "x"}, *one.messages]),
    ),
    "role": lambda info, one: (
        info,
        dataclasses.replace(one, messages=[{**one.messages[0], "role": "system"}]),
    ),
    "prefix": lambda info, one: (info, dataclasses.replace(one, prefix="a")),
    "seed": lambda info, one: (info, dataclasses.replace(one, seed=one.seed + 1)),
    "index": lambda info, one: (info, dataclasses.replace(one, index=one.index + 1)),
}


@pytest.mark.parametrize("field", CHANGES)
def test_all_that_an_answer_depends_on_is_in_the_digest(field):
    one = request()
    info, changed = CHANGES[field](INFO, one)
    assert request_digest(info, changed) != request_digest(INFO, one)


def test_max_tokens_and_who_counts_are_not_in_the_digest():
    one = request()
    larger = dataclasses.replace(INFO, max_tokens=9, max_continuations=3)
    assert request_digest(larger, one) == request_digest(INFO, one)


def test_a_run_that_is_asked_to_stop_sends_nothing_more_and_keeps_what_came(tmp_path, monkeypatch):
    monkeypatch.setattr("tracefactory.store.beats.LOOK_EVERY_S", 0.0)
    home, requests = Home(tmp_path), [request(number) for number in range(6)]
    drain = tmp_path / "journal" / "drain"

    class Stopped(Writer):
        async def complete(self, requests):
            async for completion in Writer.complete(self, requests):
                drain.parent.mkdir(exist_ok=True)
                drain.touch()
                yield completion

    writer, journal = Stopped(length=3), home.journal("a")
    with pytest.raises(DrainedError):
        ask(writer, requests, {}, journal)
    journal.close()
    sent = len(writer.seen)
    assert 0 < sent < 6
    drain.unlink()
    rest = Writer(length=3)
    asked = ask(rest, requests, {}, home.journal("a"))
    assert len(asked.answers) == 6
    assert len(rest.seen) == 6 - sent
    assert asked.spent["asked"] == 6


def test_a_free_teacher_leaves_no_journal(tmp_path):
    home = Home(tmp_path)
    asked = ask(Writer(length=3, paid=False), [request()], {}, home.journal("a"))
    assert asked.spent == {}
    assert not list(tmp_path.glob("journal/*"))


def test_problems_are_told_apart_not_only_their_words():
    one, other = request(0), request(1)
    same: Problem = dataclasses.replace(other.problem, statement=one.problem.statement)
    twin = dataclasses.replace(other, problem=same, messages=one.messages)
    assert request_digest(INFO, one) != request_digest(INFO, twin)
