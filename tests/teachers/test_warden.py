"""Nothing of a server's tree outlives its owner, whoever is killed; what is others' stays."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

import pytest

from tracefactory.teachers.engine import warden

# A tree as servers have them: a child with a session of its own that ignores SIGTERM, a grandchild
# that lost its parent, and shared memory that only the children have.
TREE = """\
import os, signal, sys, time
from multiprocessing import resource_tracker, shared_memory
resource_tracker.register = lambda *a: None
folder = sys.argv[1]
def wait(name):
    with open(f"{folder}/{name}.pid.part", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{folder}/{name}.pid.part", f"{folder}/{name}.pid")
    while True:
        time.sleep(60)
memory = shared_memory.SharedMemory(create=True, size=1 << 16)
open(f"{folder}/shm", "w").write(memory._name.lstrip("/"))
if not os.fork():
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if not os.fork():
        wait("child")
    if not os.fork():
        if not os.fork():
            os.setsid()
            os.environ.clear()
            wait("orphan")
        os._exit(0)
    wait("worker")
memory.close()
wait("server")
"""
OWNER = """\
import json, os, subprocess, sys
order = json.loads(sys.argv[1])
read_end, write_end = os.pipe()
order["lifeline"] = read_end
log = open(order["folder"] + "/log", "ab")
process = subprocess.Popen(
    [sys.executable, "-I", "-S", sys.argv[2], json.dumps(order)], stdout=subprocess.PIPE,
    stderr=log, pass_fds=(read_end,), start_new_session=True)
os.close(read_end)
print(process.pid, flush=True)
print(process.stdout.readline().decode(), end="", flush=True)
"""
NAMES = ("server", "child", "orphan", "worker")


class Tree:
    def __init__(self, place, command=None):
        self.place, self.folder = place, place / "own"
        self.folder.mkdir()
        self.mark = uuid.uuid4().hex
        order = {
            "command": command or [sys.executable, "-c", TREE, str(place)],
            "folder": str(self.folder),
            "mark": self.mark,
        }
        (self.folder / "socket").touch()
        self.owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, json.dumps(order), warden.__file__],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.outer = int(self.owner.stdout.readline())

    def pids(self):
        until = time.monotonic() + 60
        while not all((self.place / f"{name}.pid").exists() for name in NAMES):
            assert time.monotonic() < until
            time.sleep(0.01)
        pids = {name: int((self.place / f"{name}.pid").read_text()) for name in NAMES}
        pids |= {"owner": self.owner.pid, "outer": self.outer}
        (pids["inner"],) = (
            pid for pid in warden.descendants(self.outer) if _parent(pid) == self.outer
        )
        return pids

    def shared(self):
        return Path("/dev/shm", (self.place / "shm").read_text())


def _parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(*pids, paths=()):
    until = time.monotonic() + 30
    while any(map(alive, pids)) or any(path.exists() for path in paths):
        assert time.monotonic() < until, [pid for pid in pids if alive(pid)]
        time.sleep(0.01)
    return True


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path)
    yield tree
    tree.owner.kill()
    tree.owner.wait()
    tree.owner.stdout.close()
    gone(tree.outer)


@pytest.mark.parametrize(
    "victims",
    [
        ["owner"], ["outer"], ["inner"], ["server"], ["server", "owner"], ["owner", "outer"],
        ["owner", "inner"], ["owner", "inner", "server"],
    ],
    ids="-".join,
)  # fmt: skip
def test_nothing_is_left_whoever_is_killed(tree, victims):
    pids = tree.pids()
    shared = tree.shared()
    assert shared.exists()
    for victim in victims:
        os.kill(pids[victim], signal.SIGKILL)
        if victim == "owner":
            tree.owner.wait()
    others = [pid for name, pid in pids.items() if name != "owner"]
    assert gone(*others, paths=[tree.folder, shared])


def test_the_owner_hears_how_it_ended_and_its_last_words(tmp_path):
    tree = Tree(tmp_path, [sys.executable, "-c", "print('so long'); raise SystemExit(7)"])
    said = json.loads(tree.owner.stdout.readline())
    assert said == {"ended": 7, "log": "so long\n"}
    tree.owner.stdout.close()
    assert tree.owner.wait() == 0
    assert not tree.folder.exists()


def test_a_command_that_is_not_there_is_an_end_with_words(tmp_path):
    tree = Tree(tmp_path, ["/nowhere/python", "-m", "server"])
    said = json.loads(tree.owner.stdout.readline())
    assert said["ended"] == 127
    assert "cannot start /nowhere/python" in said["log"]
    tree.owner.stdout.close()
    tree.owner.wait()


def test_sigterm_to_the_warden_ends_the_tree(tree):
    pids = tree.pids()
    os.kill(pids["outer"], signal.SIGTERM)
    assert gone(*(pids[name] for name in (*NAMES, "outer", "inner")), paths=[tree.shared()])


def test_an_owner_without_wardens_sweeps_by_the_mark(tree):
    pids = tree.pids()
    shared = tree.shared()
    for name in ("outer", "inner"):
        os.kill(pids[name], signal.SIGSTOP)  # as good as dead
    warden.sweep(tree.mark, str(tree.folder))
    assert gone(pids["server"], pids["child"], pids["worker"], paths=[tree.folder, shared])
    for name in ("inner", "outer"):
        os.kill(pids[name], signal.SIGCONT)
    assert gone(pids["orphan"], pids["outer"], pids["inner"])  # had hidden: they find it


def test_shared_memory_of_others_stays(tree):
    theirs = shared_memory.SharedMemory(create=True, size=4096)
    try:
        tree.pids()
        tree.owner.kill()
        assert gone(tree.outer, paths=[tree.shared()])
        assert Path("/dev/shm", theirs.name).exists()
        assert theirs.name in warden.mapped([os.getpid()])
        warden.remove(None, {theirs.name})  # even if a tree had it too
        assert Path("/dev/shm", theirs.name).exists()
    finally:
        theirs.close()
        theirs.unlink()
        resource_tracker.ensure_running()


def test_children_of_others_are_not_descendants():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert child.pid in warden.descendants(os.getpid())
        assert os.getpid() not in warden.descendants(child.pid)
    finally:
        child.kill()
        child.wait()
