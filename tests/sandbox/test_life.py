"""Boxes inside long-lived, threaded, forking and dying processes, as Dask's workers are."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sandbox_harness import ALL_RUNGS, WALLED, alive, descendants, gone_in, run, said

from tracefactory.sandbox import pool as pools
from tracefactory.sandbox.box import Box
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost, Pool

OWNER = """
import os, sys, threading, time, traceback
from tracefactory.sandbox.box import Box
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Pool
pool = Pool(sys.argv[1])
DAEMONS = '''
import os, time
for _ in range(3):
    if not os.fork():
        try: os.setsid()
        except OSError: pass
        if os.fork(): os._exit(0)
        time.sleep(60)
print("up", flush=True)
while True: pass
'''
def one():
    try:
        held()
    except BaseException:
        traceback.print_exc()
        os._exit(3)  # else nobody would say "ready", and the test would wait for ever
def held():
    with Box(pool, Limits(wall_s=60, cpu_s=60)) as box:
        box.send({"job": "program", "program": DAEMONS})
        while not box._stdout and box._end is None:
            box._step(0.05)
        if box._end is not None:
            raise RuntimeError(f"it ended before it was up: {box.finish()}")
        ready.release()
        box.finish()
ready = threading.Semaphore(0)
for _ in range(3):
    threading.Thread(target=one, daemon=True).start()
for _ in range(3):
    ready.acquire()
if "fork" in sys.argv and not os.fork():
    time.sleep(20)
print("ready", flush=True)
time.sleep(60)
"""


def folder_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:  # it ended
        return ""


@pytest.mark.parametrize("how", ["alone", "fork"])
@pytest.mark.parametrize("name", ALL_RUNGS)
def test_a_killed_owner_leaves_no_process(name, how):
    """kill -9 with runs and daemons in flight; also where a fork holds copies of its sockets."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, name, how], stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    heard, _, _ = select.select([owner.stdout], [], [], 60)
    assert heard
    assert owner.stdout.readline() == "ready\n"
    found = descendants(owner.pid)
    fork = next((pid for pid in found if os.getpgid(pid) == owner.pid), None)
    assert (fork is None) == (how == "alone")
    found.pop(fork, None)
    assert len(found) >= 3 * (1 + 3)
    folders = set(map(folder_of, found)) - {"", "/", "/tmp"}
    assert bool(folders) == (name in ("landlock", "none-unsafe"))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    try:
        assert gone_in(30, found) == set()
        assert not any(os.path.exists(folder) for folder in folders)
    finally:
        if fork:
            os.kill(fork, signal.SIGKILL)


@pytest.mark.parametrize("name", WALLED)
def test_hundreds_of_runs_leave_nothing(name):
    runs = 100 if name == "bwrap" else 300  # it starts an interpreter for each
    pool = Pool(name)
    own = Path(said(pool, "import os\nprint(os.getcwd())"))  # /tmp, where that is the run's own

    def left():
        folders = os.listdir(own.parent) if name == "landlock" else []
        return len(os.listdir("/proc/self/fd")), set(descendants(os.getpid())), folders

    zygote = pool._zygote.process.pid
    inside = next(iter(descendants(zygote)))
    time.sleep(0.2)  # the last run's socket is closed when the zygote has heard of it
    before, before_inside = left(), len(os.listdir(f"/proc/{inside}/fd"))
    for number in range(runs):
        program = f"open('/tmp/x', 'w') if {number} % 3 else None\nprint({number})"
        if name == "landlock":
            program = program.replace("/tmp/", "")
        assert said(pool, program) == str(number)
    time.sleep(0.5)
    assert left() == before
    assert len(os.listdir(f"/proc/{inside}/fd")) == before_inside
    pool.close()
    assert gone_in(30, dict.fromkeys(before[1])) == set()


@pytest.mark.parametrize("name", ALL_RUNGS)
def test_threads_share_a_zygote_and_never_each_other_s_output(name):
    pool = Pool(name)
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(
            lambda n: said(pool, "print(input() * 2)", f"<{n}>\n".encode(), wall_s=60), range(80)
        )
        assert list(answers) == [f"<{n}><{n}>" for n in range(80)]
        assert len({pool._zygote.process.pid}) == 1
    pool.close()


def test_the_thread_that_started_it_may_end():
    """A parent-death signal would follow the thread; ours must not."""
    pool = Pool("namespaces")
    thread = threading.Thread(target=run, args=(pool, "print(1)"))
    thread.start()
    thread.join()
    zygote = pool._zygote
    time.sleep(0.2)
    assert said(pool, "print(2)") == "2"
    assert pool._zygote is zygote
    pool.close()


def test_a_fork_has_its_own_zygote_even_if_the_lock_was_held():
    pool = Pool("namespaces")
    said(pool, "print(1)")
    ours = pool._zygote.process.pid
    reading, writing = os.pipe()
    with pool._lock:
        child = os.fork()
        if not child:
            text = "nothing"
            try:
                text = said(pool, "print('child')") + f" {pool._zygote.process.pid != ours}"
                pool.close()
            finally:
                os.write(writing, text.encode())
                os._exit(0)
    os.close(writing)
    with open(reading) as file:
        assert file.read() == "child True"
    os.waitpid(child, 0)
    assert said(pool, "print(2)") == "2"
    assert pool._zygote.process.pid == ours
    pool.close()


def test_a_killed_zygote_loses_its_runs_and_is_replaced():
    pool = Pool("namespaces")
    with Box(pool, Limits(wall_s=20)) as box:
        box.send({"job": "program", "program": "while True: pass"})
        below = descendants(pool._zygote.process.pid)
        os.kill(pool._zygote.process.pid, signal.SIGKILL)
        with pytest.raises(Lost):
            box.finish()
    assert gone_in(30, below) == set()
    assert said(pool, "print(3)") == "3"
    pool.close()


def test_a_stopped_zygote_is_given_up_after_its_time(monkeypatch):
    monkeypatch.setattr(pools, "START_LIMIT_S", 0.5)
    pool = Pool("namespaces")
    said(pool, "print(1)")
    zygote = pool._zygote.process.pid
    (inside,) = descendants(zygote)
    os.kill(inside, signal.SIGSTOP)
    with pytest.raises(Lost):
        run(pool, "print(2)")
    assert not alive({zygote: "1"})
    monkeypatch.setattr(pools, "START_LIMIT_S", 60.0)
    assert said(pool, "print(3)") == "3"
    pool.close()


@pytest.mark.parametrize("name", WALLED)
def test_an_old_zygote_retires_when_its_last_run_ends(name, monkeypatch):
    monkeypatch.setattr(pools, "RECYCLE_AFTER", 2)
    pool = Pool(name)
    with Box(pool, Limits()) as slow:
        slow.send({"job": "program", "program": "import time; time.sleep(2)"})
        for number in range(6):
            assert said(pool, f"print({number})") == str(number)
        assert len(pool._retired) >= 1
        assert slow.finish().exit_code == 0
    assert gone_in(30, {one.process.pid: "" for one in pool._retired}) == set()
    assert said(pool, "print(7)") == "7"
    until = time.monotonic() + 5
    while any(one.process.poll() is None for one in pool._retired) and time.monotonic() < until:
        time.sleep(0.05)
    assert all(one.process.poll() is not None for one in pool._retired)
    pool.close()


@pytest.mark.parametrize("name", WALLED)
def test_kills_that_come_with_the_end_lose_nothing(name):
    """The end and the kill may meet on their way; the ending must arrive all the same."""
    pool = Pool(name)
    said(pool, "print(1)")
    for number in range(60):
        with Box(pool, Limits(wall_s=20)) as box:
            box.send({"job": "program", "program": "print(1)"})
            while not box._stdout and box._end is None:
                box._step(0.005)
            time.sleep(number % 6 * 0.0004)
            box.kill("done")
            assert box.finish().stdout == b"1\n"
    pool.close()
