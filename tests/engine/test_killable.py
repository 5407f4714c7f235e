import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tracefactory import killable
from tracefactory.killable import Outcome, StartError, Workers, shared

PARTS = "killable_parts"
GIB = 1 << 30
SOON_S = 30.0
"""Longer than anything here takes, on a busy machine too."""


@pytest.fixture
def workers():
    """Make workers for one of the parts."""
    with contextlib.ExitStack() as stack:
        yield lambda name, **limits: stack.enter_context(Workers(f"{PARTS}:{name}", **limits))


def one(made, item, timeout_s=SOON_S):
    (outcome,) = made.ask([item], timeout_s)
    return outcome


def gone(pid):
    """Is the process no more? Waits for it a while; a zombie is gone."""
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.02)
                continue
        return True
    return False


def pids_in(file):
    end = time.monotonic() + SOON_S
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return [int(pid) for pid in file.read_text().split()]


def run(script, *arguments):
    """Run a script in a process of its own, with the tests' import path."""
    here = str(Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": here},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_items_come_back_in_order_from_one_process(workers):
    items = [None, True, 7, 1.5, "ä\x00", [1, [2]], {"a": {"b": []}}]
    assert [o.value for o in workers("same").ask(items, SOON_S)] == items
    made = workers("pid")
    first = made.ask([0, 0], SOON_S) + made.ask([0], SOON_S)
    assert len({o.value for o in first}) == 1
    assert first[0].value != os.getpid()


def test_nothing_to_do_starts_nothing(workers):
    before = set(killable._ALIVE)
    assert workers("same").ask([], SOON_S) == []
    assert set(killable._ALIVE) == before


def test_an_endless_loop_times_out(workers):
    made = workers("seconds")
    started = time.monotonic()
    assert one(made, -1, 0.3).status == "timeout"
    assert time.monotonic() - started < SOON_S / 2
    assert one(made, 0) == Outcome("done", 0)


def test_a_long_call_into_c_times_out(workers):
    assert one(workers("power"), [9, 9**9], 0.3).status == "timeout"


def test_a_kill_costs_one_item(workers):
    items = [0] * 20
    items[5] = items[11] = -1
    outcomes = workers("seconds").ask(items, 0.5)
    assert [o.status == "timeout" for o in outcomes] == [item == -1 for item in items]
    assert [o.value for o in outcomes if o.status == "done"] == [0] * 18


def test_every_item_has_the_whole_time(workers):
    outcomes = workers("seconds").ask([0.4] * 4, 1.2)
    assert [o.status for o in outcomes] == ["done"] * 4


def test_a_slow_start_is_not_a_timeout(workers, tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(1.5)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert one(workers("same", preload=("slow_to_import",)), 1, 0.5) == Outcome("done", 1)


def test_a_memory_bomb_meets_its_limit_and_the_next_item_a_new_worker(workers):
    made = workers("grow", memory_bytes=GIB // 2)
    outcomes = made.ask([0, 1 << 24, 0], SOON_S)
    assert [o.status for o in outcomes] == ["done", "memory", "done"]


def test_the_limit_of_processor_time_is_a_timeout_too(workers):
    outcome = one(workers("meet_the_backstop"), 0)
    assert outcome == Outcome("timeout", None, "killed by SIGXCPU")


@pytest.mark.parametrize(
    ("name", "item", "words"),
    [
        ("leave", 3, "exit code 3"),
        ("leave", 0, "exit code 0"),
        ("segfault", 0, "killed by SIGSEGV"),
        ("complain_and_abort", 0, "killed by SIGABRT: out of luck"),
        ("long", (16 << 20) + 1, "a result of more than 16777216 bytes"),
    ],
)
def test_a_dead_worker_says_how_it_died(workers, name, item, words):
    made = workers(name)
    assert one(made, item) == Outcome("crashed", None, words)
    assert one(made, item) == Outcome("crashed", None, words)


@pytest.mark.parametrize(
    ("name", "item", "words"),
    [
        ("raise_it", "value", "ValueError: no good"),
        ("raise_it", "exit", "SystemExit: no good"),
        ("raise_it", "deep", "RecursionError: no good"),
        ("no_json", 0, "TypeError: Type is not JSON serializable: set"),
    ],
)
def test_an_exception_costs_no_worker(workers, name, item, words):
    made = workers(name)
    assert made.ask([item, item], SOON_S) == [Outcome("raised", None, words)] * 2
    assert made._idle[0].items_left == 998


def test_a_result_just_short_of_the_limit_arrives(workers):
    size = (16 << 20) - 100
    assert len(one(workers("long"), size).value) == size


def test_full_pipes_in_both_directions_do_not_deadlock(workers):
    items = ["y" * 100_000] * 100
    assert [o.value for o in workers("same").ask(items, SOON_S)] == items


def test_what_a_function_prints_is_no_answer(workers):
    assert workers("chatty").ask([1, 2], SOON_S) == [
        Outcome("done", [1, ""]),
        Outcome("done", [2, ""]),
    ]


def test_a_worker_is_replaced_after_so_many_items(workers):
    pids = [o.value for o in workers("pid", recycle_after=3).ask([0] * 8, SOON_S)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 2]
    assert all(gone(pid) for pid in dict.fromkeys(pids[:6]))


def test_a_worker_that_died_idle_costs_nothing(workers):
    made = workers("pid")
    pid = one(made, 0).value
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    outcome = one(made, 0)
    assert outcome.status == "done"
    assert outcome.value != pid


@pytest.mark.parametrize(("seconds", "status"), [(600, "timeout"), (0, "crashed")])
def test_a_worker_s_children_die_with_it(workers, tmp_path, seconds, status):
    file = tmp_path / "pids"
    assert one(workers("family"), [str(file), seconds], 3).status == status
    pids = pids_in(file)
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("no_such_module:f", "no_such_module:f: ModuleNotFoundError"),
        ("killable_parts:no_such_function", "AttributeError"),
    ],
)
def test_a_worker_that_cannot_start_is_an_error_not_an_outcome(address, words):
    with Workers(address) as made, pytest.raises(StartError, match=words):
        made.ask([1], SOON_S)


def test_too_little_memory_to_start_is_an_error(workers):
    with pytest.raises(StartError):
        workers("same", memory_bytes=1 << 20, preload=("pyarrow",)).ask([1], SOON_S)


def test_a_worker_that_never_starts_is_an_error(workers, tmp_path, monkeypatch):
    (tmp_path / "never_imported.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(killable, "START_LIMIT_S", 0.5)
    with pytest.raises(StartError, match="began nothing"):
        workers("same", preload=("never_imported",)).ask([1], SOON_S)


def test_an_item_that_is_no_json_starts_nothing(workers):
    before = set(killable._ALIVE)
    with pytest.raises(TypeError):
        workers("same").ask([{1, 2}], SOON_S)
    assert set(killable._ALIVE) == before


def test_closed_workers_are_dead_and_say_so():
    made = Workers(f"{PARTS}:pid")
    pid = one(made, 0).value
    made.close()
    assert gone(pid)
    with pytest.raises(RuntimeError, match="closed"):
        made.ask([0], SOON_S)


def test_shared_workers_are_the_same_for_the_same_limits():
    address = f"{PARTS}:same"
    assert shared(address) is shared(address)
    assert shared(address) is not shared(address, memory_bytes=GIB)


def test_an_environment_is_given_and_hashes_are_the_same_in_every_worker(workers):
    made = workers("surroundings", env=(("ONE", "1"),))
    assert one(made, ["ONE", "PYTHONHASHSEED"]).value == ["1", "0"]
    hashes = {o.value for o in workers("hash_of", recycle_after=1).ask(["text"] * 3, SOON_S)}
    assert len(hashes) == 1


def test_eight_threads_ask_at_once(workers):
    made = workers("seconds")
    found = {}

    def ask(number):
        items = [0.01 * (number % 3), -1, 0, 0.02]
        found[number] = [(o.status, o.value) for o in made.ask(items, 0.5)]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(8):
        first = 0.01 * (n % 3)
        assert found[n] == [("done", first), ("timeout", None), ("done", 0), ("done", 0.02)]
    assert len(made._idle) <= (os.cpu_count() or 1)


def test_a_worker_outlives_the_thread_that_started_it(workers):
    made, found = workers("pid"), []
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(one(made, 0).value))
        thread.start()
        thread.join()
    assert len(set(found)) == 1


FORK = """
import os, sys, threading, time
from tracefactory.killable import Workers, _ALIVE
workers, slow = Workers("killable_parts:pid"), Workers("killable_parts:seconds")
mine = workers.ask([0], 30)[0].value
busy = threading.Thread(target=lambda: slow.ask([1.5], 30))
busy.start()
while not any(not w.dead for w in _ALIVE if w not in workers._idle):
    time.sleep(0.01)
child = os.fork()
if not child:
    assert not _ALIVE
    theirs = workers.ask([0], 30)[0].value
    assert theirs != mine, "the child used its parent's worker"
    assert slow.ask([0, -1, 0], 0.3)[2].status == "done"
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert workers.ask([0], 30)[0].value == mine, "the child killed its parent's worker"
busy.join()
print(mine)
"""


def test_a_forked_child_has_workers_of_its_own_and_leaves_its_parent_s_alone():
    with run(FORK) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert gone(int(said.split()[-1]))


KILLED = """
import os, sys, threading, time
from tracefactory.killable import Workers
busy, heir = sys.argv[1:]
threading.Thread(target=Workers("killable_parts:hang_once_started").ask, args=([busy], 600)).start()
while not os.path.exists(busy):
    time.sleep(0.01)
Workers("killable_parts:pid").ask([0], 30)
child = os.fork()
if not child:
    time.sleep(600)
with open(heir, "w") as file:
    file.write(str(child))
time.sleep(600)
"""


def test_a_parent_killed_at_once_leaves_no_worker_even_deep_in_c_even_after_a_fork(tmp_path):
    """One worker is busy, one is idle, and a child of the parent lives on."""
    busy, heir = tmp_path / "busy", tmp_path / "heir"
    with run(KILLED, busy, heir) as process:
        (heir_pid,) = pids_in(heir)
        workers = [p.pid for p in psutil.Process(process.pid).children() if p.pid != heir_pid]
        assert len(workers) == 2
        assert pids_in(busy)[0] in workers
        process.kill()
        try:
            assert all(gone(pid) for pid in workers)
            assert psutil.pid_exists(heir_pid)
        finally:
            os.kill(heir_pid, signal.SIGKILL)


INTERRUPTED = """
import signal, sys, threading, os, time
from tracefactory.killable import Workers, _ALIVE
workers = Workers("killable_parts:seconds")
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    workers.ask([600], 600)
except KeyboardInterrupt:
    print("interrupted", len(_ALIVE))
print(workers.ask([0], 30)[0].status)
"""


def test_an_interrupt_kills_the_worker_it_interrupts():
    with run(INTERRUPTED) as process:
        said, _ = process.communicate(timeout=60)
    assert said.split() == ["interrupted", "0", "done"]


def test_it_works_inside_a_dask_worker():
    distributed = pytest.importorskip("distributed")
    script = """
from distributed import Client, LocalCluster
from tracefactory.killable import shared

def job(n):
    statuses = [o.status for o in shared("killable_parts:seconds").ask([0, -1, 0], 0.5)]
    return statuses, shared("killable_parts:pid").ask([0], 30)[0].value

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                      dashboard_address=None) as cluster, Client(cluster) as client:
        for statuses, worker in client.gather(client.map(job, range(4), pure=False)):
            assert statuses == ["done", "timeout", "done"], statuses
            print(worker)
"""
    assert distributed
    with run(script) as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert all(gone(int(pid)) for pid in said.split() if pid.isdigit())
