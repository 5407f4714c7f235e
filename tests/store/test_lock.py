import os
import signal
import socket
import time

import orjson
import pytest
from store_crash import Driver, Zygote, copier, do_open, receipt

from tracefactory.errors import LockedError
from tracefactory.store.home import LOCK, RECEIPTS, RunFolder
from tracefactory.store.lock import Lock, live_holder
from tracefactory.store.log import replay


@pytest.fixture(scope="module")
def zygote():
    server = Zygote()
    yield server
    server.close()


def slots(path):
    return [line.data["slot"] for line in replay(path / RECEIPTS)]


# ---- one driver ----


def test_a_second_process_is_told_at_once_who_holds_the_folder(tmp_path):
    with Driver(tmp_path / "run") as holder:
        pid = holder.hello["pid"]
        began = time.monotonic()
        with pytest.raises(LockedError) as caught:
            RunFolder(tmp_path / "run")
        assert time.monotonic() - began < 2
        for words in (str(pid), socket.gethostname(), str(tmp_path / "run"), "--takeover"):
            assert words in str(caught.value)
        # being refused took nothing from the holder
        assert holder.ask("record raw/a.r0") == {}
        with Driver(tmp_path / "run") as third:
            assert third.hello["error"] == "LockedError"
    assert slots(tmp_path / "run") == ["raw/a.r0"]


def test_the_lock_is_free_as_soon_as_its_holder_is_killed(tmp_path):
    for epoch in (1, 2, 3):
        with Driver(tmp_path / "run") as holder:
            assert holder.hello["epoch"] == epoch
            holder.kill()
            assert live_holder(tmp_path / "run" / LOCK) is None
    with RunFolder(tmp_path / "run") as run:
        assert run.lock.holder.epoch == 4


@pytest.mark.parametrize("how", ["fork", "mp"])
def test_a_forked_child_that_outlives_its_parent_does_not_keep_the_lock(tmp_path, how):
    with Driver(tmp_path / "run") as holder:
        assert "pid" in holder.hello
        child = holder.ask(how)["child"]
        try:
            holder.kill()
            os.kill(child, 0)  # it lives
            with RunFolder(tmp_path / "run") as run:
                assert run.lock.holder.epoch == 2
        finally:
            os.kill(child, signal.SIGKILL)


def test_release_frees_the_lock_and_may_be_repeated(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.close()
    run.lock.release()
    with Driver(tmp_path / "run") as other:
        assert other.hello["epoch"] == 2
        assert other.ask("close") == {}
        with RunFolder(tmp_path / "run") as again:
            assert again.lock.holder.epoch == 3


def test_a_second_run_in_one_process_is_refused_and_costs_the_first_nothing(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with RunFolder(tmp_path / "run") as run:
        for path in (tmp_path / "run", tmp_path / "run" / ".." / "run", tmp_path / "link"):
            for takeover in (False, True):
                with pytest.raises(LockedError, match="same process"):
                    RunFolder(path, takeover=takeover)
        run.record(receipt("raw/a.r0"))
        with Driver(tmp_path / "run") as other:
            assert other.hello["error"] == "LockedError"


def test_a_folder_that_cannot_be_opened_is_not_left_locked(tmp_path):
    with RunFolder(tmp_path / "run"):
        pass
    (tmp_path / "run" / "events.jsonl").unlink()
    (tmp_path / "run" / "events.jsonl").mkdir()
    for _ in range(2):
        with pytest.raises(IsADirectoryError):
            RunFolder(tmp_path / "run")
    assert live_holder(tmp_path / "run" / LOCK) is None
    (tmp_path / "run" / "events.jsonl").rmdir()
    with RunFolder(tmp_path / "run"):
        pass


def test_no_file_descriptor_is_left_behind(tmp_path):
    with Driver(tmp_path / "run") as holder:
        assert "pid" in holder.hello
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(5):
            with pytest.raises(LockedError):
                RunFolder(tmp_path / "run")
        assert live_holder(tmp_path / "run" / LOCK).pid == holder.hello["pid"]
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# ---- who holds it ----


def test_who_holds_it_is_told_without_taking_or_dropping_it(tmp_path):
    lock = tmp_path / "run" / LOCK
    assert live_holder(lock) is None
    with Driver(tmp_path / "run") as holder:
        pid = holder.hello["pid"]
        for _ in range(3):
            found = live_holder(lock)
            assert (found.pid, found.host, found.epoch) == (pid, socket.gethostname(), 1)
        assert holder.ask("check") == {}
        holder.ask("close")
        assert live_holder(lock) is None

    (tmp_path / "link").symlink_to(tmp_path / "run")
    with RunFolder(tmp_path / "run") as run:
        for path in (lock, tmp_path / "link" / LOCK, tmp_path / "run" / ".." / "run" / LOCK):
            assert live_holder(path) == run.lock.holder
        with Driver(tmp_path / "run") as other:  # asking did not drop it
            assert other.hello["error"] == "LockedError"
    assert live_holder(lock) is None


def test_asking_needs_no_right_to_write(tmp_path):
    with Driver(tmp_path / "run") as holder:
        pid = holder.hello["pid"]
        (tmp_path / "run" / LOCK).chmod(0o444)
        assert live_holder(tmp_path / "run" / LOCK).pid == pid


# ---- takeover ----


def test_after_a_takeover_the_first_stops_at_its_next_receipt(tmp_path):
    with Driver(tmp_path / "run") as first:
        assert first.hello["epoch"] == 1
        assert first.ask("record raw/a.r0") == {}
        with RunFolder(tmp_path / "run", takeover=True) as second:
            assert second.lock.holder.epoch == 2
            assert second.receipts.get("raw/a.r0") == receipt("raw/a.r0")
            second.record(receipt("raw/b.r0"))
            for words in ("record raw/c.r0", "check", "record raw/d.r0"):
                answer = first.ask(words)
                assert answer["error"] == "LockedError"
                assert "taken over" in answer["text"]
            assert live_holder(tmp_path / "run" / LOCK).pid == os.getpid()
            with Driver(tmp_path / "run") as third:
                assert third.hello["error"] == "LockedError"
                assert str(os.getpid()) in third.hello["text"]
            assert first.ask("close") == {}  # the first lets go of what is no longer its own
            assert live_holder(tmp_path / "run" / LOCK).pid == os.getpid()
            second.record(receipt("raw/e.r0"))
    assert slots(tmp_path / "run") == ["raw/a.r0", "raw/b.r0", "raw/e.r0"]


def test_the_one_that_was_taken_over_says_who_holds_the_folder_now(tmp_path):
    with RunFolder(tmp_path / "run") as run, Driver(tmp_path / "run", takeover=True) as second:
        assert second.hello["epoch"] == 2
        with pytest.raises(LockedError, match="taken over"):
            run.record(receipt("raw/a.r0"))
        assert live_holder(tmp_path / "run" / LOCK).pid == second.hello["pid"]
        assert second.ask("record raw/b.r0") == {}
    assert slots(tmp_path / "run") == ["raw/b.r0"]


def test_takeover_of_a_free_folder_is_an_ordinary_start(tmp_path):
    with RunFolder(tmp_path / "run", takeover=True) as run:
        assert run.lock.holder.epoch == 1


def test_of_many_takeovers_at_once_one_is_left_and_the_others_are_told(tmp_path):
    with Driver(tmp_path / "run") as first:
        assert "pid" in first.hello
        taking = [Driver(tmp_path / "run", takeover=True) for _ in range(4)]
        try:
            won = [driver for driver in taking if "pid" in driver.hello]
            for driver in taking:
                assert driver.hello.get("error") in (None, "LockedError"), driver.hello
            still = [driver for driver in won if driver.ask("check") == {}]
            assert len(still) == 1
            assert still[0].hello["epoch"] >= 2
            assert live_holder(tmp_path / "run" / LOCK).pid == still[0].hello["pid"]
            assert first.ask("check")["error"] == "LockedError"
        finally:
            for driver in taking:
                driver.__exit__()


def test_a_folder_that_is_gone_stops_its_driver(tmp_path):
    with Driver(tmp_path / "run") as holder:
        assert "pid" in holder.hello
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        assert holder.ask("record raw/a.r0")["error"] == "LockedError"


# ---- crashes and odd files ----


def test_the_epoch_counts_up_through_a_crash_at_any_step(zygote, tmp_path):
    start = tmp_path / "start"
    for _ in range(3):
        do_open(start)
    for n, at, path in zygote.every_step("open", copier(start, tmp_path)):
        with RunFolder(path) as run:
            assert run.lock.holder.epoch in (4, 5), (n, at)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"null", b"[1]", b"\xff\x00", b'{"pid": 1}', b" " * 5000, b"x" * 9000]
)
def test_a_lock_file_of_anything_is_no_obstacle(tmp_path, content):
    path = tmp_path / LOCK
    path.write_bytes(content)
    assert live_holder(path) is None
    with Lock(path) as lock:
        assert lock.holder.epoch == 1
        # reading the file here, in the holder's own process, would drop the lock
        with Driver(tmp_path) as other:
            assert str(os.getpid()) in other.hello["text"]
    assert orjson.loads(path.read_bytes())["pid"] == os.getpid()
