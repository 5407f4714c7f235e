"""What an endpoint offers to those who run the server themselves: gate, hook, socket, GPU time."""

import asyncio
from contextlib import aclosing

import pytest
from fake_server import fake_server
from served_parts import config, gathered, request

from tracefactory.errors import ResourceError
from tracefactory.teachers.contract import TeacherError
from tracefactory.teachers.remote.channel import Place
from tracefactory.teachers.remote.endpoint import Endpoint
from tracefactory.teachers.remote.manner import AnswerError
from tracefactory.teachers.remote.wire import Wire


@pytest.fixture
def server(tmp_path):
    with fake_server(uds=str(tmp_path / "s"), latency_s=0.02) as running:
        yield running


def at(server, **more):
    return Endpoint(Place("http://engine/v1", unix_socket=server.uds, cap=8), **more)


WIRE = Wire(config("http://engine/v1"))


def test_a_closed_gate_holds_all_and_an_open_one_none(server):
    async def through():
        opens = asyncio.Event()
        gate = lambda: None if opens.is_set() else opens.wait()  # noqa: E731
        endpoint = at(server, gate=gate)
        done = asyncio.create_task(gathered(endpoint.ask([request(n) for n in range(30)], WIRE)))
        await asyncio.sleep(0.2)
        held = endpoint.in_flight, (await asyncio.to_thread(server.seen))["requests"]
        opens.set()
        return held, await done

    held, done = asyncio.run(through())
    assert held == (0, 0)
    assert len(done) == 30


def test_what_the_gate_raises_ends_everyone_who_asks(server):
    async def broken():
        raise TeacherError("the server is beyond help")

    async def through():
        endpoint = at(server, gate=broken)
        asks = (gathered(endpoint.ask([request(n, i) for n in range(9)], WIRE)) for i in range(2))
        return await asyncio.gather(*asks, return_exceptions=True)

    for raised in asyncio.run(through()):
        assert isinstance(raised, TeacherError)
        assert "beyond help" in str(raised)


def test_failures_that_somebody_sees_to_count_nowhere(server):
    """The server dies and comes back at another socket: nothing is lost, nobody is blamed."""
    server.control(error=1.0)

    async def through():
        is_well = asyncio.Event()
        told = []

        def failed(error):
            told.append(error)
            is_well.clear()
            return True

        endpoint = at(server, failed=failed, gate=lambda: None if is_well.is_set() else mend())

        async def mend():
            if len(told) >= 40:
                await asyncio.to_thread(server.control, error=0.0)
            is_well.set()

        done = await gathered(endpoint.ask([request(n) for n in range(10)], WIRE))
        return told, done, endpoint.news()

    told, done, news = asyncio.run(through())
    assert len(told) >= 40
    assert all(error.status == 500 for error in told)
    assert {completion.finish_reason for completion in done} == {"stop"}
    assert news == []


def test_few_of_many_that_fail_to_the_last_are_given_up_and_not_the_server(tmp_path):
    """More than can be told apart at once from a server that is ill."""
    poison = [f"What is {n}+1?" for n in range(8)]
    with fake_server(uds=str(tmp_path / "s"), poison=poison) as server:
        place = Place("http://engine/v1", unix_socket=server.uds, cap=8, give_up_s=2.0)
        asks = Endpoint(place).ask([request(n) for n in range(400)], WIRE)
        done = asyncio.run(gathered(asks))
    failed = {c.problem_id for c in done if c.finish_reason == "failed"}
    assert failed == {f"p{n}" for n in range(8)}
    assert len(done) == 400


def test_what_hangs_while_all_else_fails_does_not_hang_the_run(tmp_path):
    with fake_server(uds=str(tmp_path / "s"), stall=1.0) as server:
        place = Place("http://engine/v1", unix_socket=server.uds, cap=8, give_up_s=0.5)
        endpoint = Endpoint(place)

        async def through():
            hung = asyncio.create_task(gathered(endpoint.ask([request(1)], WIRE)))
            while not endpoint.in_flight:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.control, stall=0.0, error=1.0)
            others = asyncio.create_task(gathered(endpoint.ask([request(2), request(3)], WIRE)))
            return await asyncio.gather(hung, others, return_exceptions=True)

        for raised in asyncio.run(asyncio.wait_for(through(), 60)):
            assert isinstance(raised, ResourceError)


def test_the_server_may_move_to_another_socket(server, tmp_path):
    async def through(other):
        endpoint = at(server, failed=lambda error: True)
        done = []
        async with aclosing(endpoint.ask([request(n) for n in range(50)], WIRE)) as completions:
            async for completion in completions:
                done.append(completion)
                if len(done) == 10:
                    await endpoint.move(other.uds)
        return done

    with fake_server(uds=str(tmp_path / "t"), latency_s=0.02) as other:
        assert len({c.problem_id for c in asyncio.run(through(other))}) == 50
        assert other.seen()["requests"] >= 32


def test_the_cap_may_be_set_while_it_works(server):
    async def through():
        endpoint = at(server)
        async with aclosing(endpoint.ask([request(n) for n in range(120)], WIRE)) as completions:
            most = []
            async for _ in completions:
                most.append(endpoint.in_flight)
                if len(most) == 20:
                    endpoint.cap = 2
                if len(most) == 60:
                    endpoint.cap = 12
        return most

    most = asyncio.run(through())
    assert max(most[:20]) <= 8
    assert max(most[40:60]) <= 2
    assert max(most[80:]) > 8


def test_shares_of_the_gpus_time_add_up(server):
    async def through():
        endpoint = at(server, gpus=2.0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = await gathered(endpoint.ask([request(n) for n in range(40)], WIRE))
        return done, loop.time() - began

    done, took = asyncio.run(through())
    total = sum(completion.gpu_us for completion in done) / 1e6
    assert 0 < total <= 2.0 * took
    assert total > 2.0 * 5 * 0.02  # five generations of the server's own time


def test_a_manner_may_ask_the_server_first(server):
    class Asking(Wire):
        def payload(self, asked):
            return self.after(asked)

        async def after(self, asked):
            assert b"data" in await endpoint.fetch("/models")
            with pytest.raises(AnswerError):
                await endpoint.fetch("/nothing", b"{}")
            return super().payload(asked)

    endpoint = at(server)
    manner = Asking(config("http://engine/v1"))
    done = asyncio.run(gathered(endpoint.ask([request(n) for n in range(5)], manner)))
    assert len(done) == 5


def test_a_fault_of_ours_is_raised_and_not_tried_again(server):
    class Broken(Wire):
        def completion(self, asked, answer, gpu_us):
            raise KeyError("ours")

    manner = Broken(config("http://engine/v1"))
    with pytest.raises(KeyError, match="ours"):
        asyncio.run(gathered(at(server).ask([request()], manner)))
    assert server.seen()["requests"] == 1


def test_an_endpoint_outlives_its_loops(server):
    endpoint = at(server)
    for n in range(2):
        assert len(asyncio.run(gathered(endpoint.ask([request(n)], WIRE)))) == 1
