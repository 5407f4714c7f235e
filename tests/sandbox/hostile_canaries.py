"""What hostile programs must not touch, looked at after each of them.

    python hostile_canaries.py RUNG [NAME...]    run the suite, print what did not hold, as JSON

As a script it needs nothing but the standard library and this project's sources, so that it can be
run by a user who may read nothing else (test_hostile.py).
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections import Counter
from glob import glob
from pathlib import Path

from hostile_programs import CASES, GROUPS

from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Pool
from tracefactory.sandbox.rung import Rung
from tracefactory.verifiers.programs import judging, wanted

PROJECT = Path(__file__).parents[2]
FAKES = PROJECT / "tests/cases/python_program.jsonl"
NOBODY = 65534
VARIABLE = "TRACEFACTORY_HOSTILE"
GONE_IN_S = 3.0
KERNEL = tuple(
    f"/proc/sys/{name}"
    for name in ("kernel/core_pattern", "kernel/hostname", "vm/overcommit_memory", "kernel/sysrq")
)
PLACES = (
    "/", "/tmp/", "/tmp/tracefactory-*/", "/tmp/tracefactory-*/*/", "/dev/shm/", "/var/tmp/",
    "/usr/", "/etc/", "/home/", "/dev/", "/run/", f"{Path.home()}/", f"{PROJECT}/",
    f"{Path(os.__file__).parent}/",
)  # fmt: skip
# It ends at SIGURG, which does nothing to those who did not ask for it.
VICTIM = "trap 'exit 9' URG; while read line; do :; done"


class Canaries:
    """Files, listeners and a process; `trouble` says what happened to them."""

    def __init__(self, pool):
        self.pool = pool
        self.marker = f"tfh{secrets.token_hex(5)}"
        self.key = 0x10000000 | secrets.randbits(24)
        home = os.path.expanduser("~")
        places = (home if os.access(home, os.W_OK) else "/var/tmp", "/tmp")
        self.folders = [Path(tempfile.mkdtemp(prefix=".tracefactory-", dir=one)) for one in places]
        os.environ[VARIABLE] = self.marker
        self.listeners = self._listening()
        self.victim = None
        self.lay_out()
        judged(pool, HONEST, {})
        self.processes = self._descendants()
        self.zygote = pool._zygote.process.pid

    def lay_out(self):
        """Everything as it was at first."""
        for folder in self.folders:
            folder.chmod(0o777)  # so that only the walls are in the way
            for one in folder.iterdir():
                if not one.is_socket():
                    one.unlink()
            (folder / "canary").write_text(self.marker)
            (folder / "canary").chmod(0o666)
        self._end_victim()
        who = {"user": NOBODY, "group": NOBODY} if os.getuid() == 0 else {}
        self.victim = subprocess.Popen(
            ["/bin/sh", "-c", VICTIM], stdin=subprocess.PIPE, start_new_session=True, **who
        )
        for name in ("tmp", "home", "var/tmp", "dev/shm"):
            for path in glob(f"/{name}/*{self.marker}*"):
                os.unlink(path)
        self.seen = self._state()

    def task(self):
        """What the programs are told."""
        home, tmp = self.folders
        venv = Path(sys.prefix, "pyvenv.cfg")
        return {
            "pid": os.getpid(), "victim": self.victim.pid, "marker": self.marker, "key": self.key,
            "home": str(home / "canary"), "tmp": str(tmp / "canary"), "home_folder": str(home),
            "project": str(PROJECT / "tracefactory/sandbox/box.py"), "project_folder": str(PROJECT),
            "venv": str(venv if venv.exists() else PROJECT / "tracefactory/errors.py"),
            "tcp": self.listeners["tcp"].getsockname()[1],
            "udp": self.listeners["udp"].getsockname()[1],
            "unix": str(tmp / "stream"), "datagrams": str(tmp / "datagram"),
            "host": socket.gethostname(),
        }  # fmt: skip

    def trouble(self):
        """What is no longer as it was, in words."""
        until = time.monotonic() + GONE_IN_S
        while (left := self._left()) and time.monotonic() < until:
            time.sleep(0.02)
        state = self._state()
        changed = [f"changed: {name}" for name in state if state[name] != self.seen.get(name)]
        return left + changed + self._heard()

    def close(self):
        for one in self.listeners.values():
            one.close()
        self._end_victim()
        os.environ.pop(VARIABLE, None)
        for folder in self.folders:
            shutil.rmtree(folder)

    def _end_victim(self):
        if self.victim is not None:
            self.victim.kill()
            self.victim.stdin.close()
            self.victim.wait()

    def _listening(self):
        found = {"tcp": socket.create_server(("127.0.0.1", 0))}
        for name, kind, address in (
            ("udp", socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            ("stream", socket.SOCK_STREAM, str(self.folders[1] / "stream")),
            ("datagram", socket.SOCK_DGRAM, str(self.folders[1] / "datagram")),
            ("abstract", socket.SOCK_STREAM, f"\0{self.marker}"),
            ("abstract datagram", socket.SOCK_DGRAM, f"\0{self.marker}d"),
        ):
            found[name] = socket.socket(
                socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, kind
            )
            found[name].bind(address)
            if kind == socket.SOCK_STREAM:
                found[name].listen()
            if isinstance(address, str) and address[0] == "/":
                os.chmod(address, 0o777)
        for one in found.values():
            one.setblocking(False)
        return found

    def _heard(self):
        """Every listener that has something: a connection or a datagram."""
        found = []
        for name, one in self.listeners.items():
            with contextlib.suppress(BlockingIOError):
                if one.type == socket.SOCK_STREAM:
                    one.accept()[0].close()
                else:
                    one.recv(100)
                found.append(f"heard: {name}")
        return found

    def _left(self):
        """Processes and files that should be gone, or should be there."""
        found = [f"process: {pid}" for pid in self._descendants() - self.processes]
        if self.pool._zygote is None or self.pool._zygote.process.pid != self.zygote:
            found.append("the zygote was lost")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if Path("/proc", pid, "comm").read_text().strip() == self.marker:
                    found.append(f"process called as the marker: {pid}")
        names = [f"{place}*{self.marker}*" for place in PLACES]
        return found + [f"file: {one}" for name in names for one in glob(name)]

    def _state(self):
        """What stays as it is: files, the victim, settings of the machine, its shared memory."""
        found = {one: Path(one).read_text() for one in KERNEL if os.path.exists(one)}
        for folder in self.folders:
            found[str(folder)] = sorted(one.name for one in folder.iterdir())
            for path in (folder, folder / "canary"):
                with contextlib.suppress(OSError):
                    status = path.stat()
                    found[f"status of {path}"] = (
                        status.st_mode, status.st_uid, status.st_size,
                        status.st_mtime_ns, status.st_nlink,
                    )  # fmt: skip
            with contextlib.suppress(OSError):
                found[f"content of {folder}"] = (folder / "canary").read_text()
                found[f"attributes of {folder}"] = os.listxattr(folder / "canary")
        pid = self.victim.pid
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found["the victim"] = (words[0] in "TtZX", words[16], self.victim.poll())
            found["the victim's processors"] = os.sched_getaffinity(pid)
            found["the victim's limits"] = Path(f"/proc/{pid}/limits").read_text()
        for kind in ("shm", "sem", "msg"):
            text = Path(f"/proc/sysvipc/{kind}").read_text()
            found[f"System V {kind}"] = str(self.key) in text
        for path in ("/dev/null", os.__file__, os.path.dirname(os.__file__)):
            status = os.stat(path)
            times = 0 if stat.S_ISCHR(status.st_mode) else status.st_mtime_ns
            found[f"status of {path}"] = (status.st_mode, status.st_uid, times)
        return found

    def _descendants(self):
        """All processes below this one, but for the victim."""
        found, waiting = set(), [os.getpid()]
        while waiting:
            one = waiting.pop()
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{one}/task"):
                    text = Path(f"/proc/{one}/task/{task}/children").read_text()
                    waiting += (more := [int(pid) for pid in text.split()])
                    found.update(more)
        return found - {self.victim.pid if self.victim else 0}


HONEST = "import json\nprint('ok', len(json.loads('[1, 2]')), sum(range(10)))"
_TESTS = {"expected": "escaped\n", "honest": "ok 2 45\n"}


def judged(pool, program, task, expected="honest", **limits):
    """The finding for a program whose test expects the word that it prints."""
    test = {"input": json.dumps(task) + "\n", "output": _TESTS[expected]}
    return _found(pool, "stdin_stdout", program, [test], None, Limits(**limits))


def _found(pool, kind, program, tests, entry_point, limits, tolerance=None):
    asked = None if tolerance is None else judging.Tolerance(tolerance, tolerance)
    setting = judging.Setting(Rung(pool.walls, pool), limits, asked)
    if kind == "stdin_stdout":
        return judging.by_output(program, wanted.inputs_and_outputs(tests), setting)
    if kind == "function":
        return judging.by_calls(program, entry_point, wanted.function_calls(tests), setting)
    code = wanted.test_code(tests)
    return judging.by_asserts(program, entry_point or wanted.called_name(code), code, setting)


def fakes():
    """Programs that are wrong and want to pass: (name, what they are judged by)."""
    for line in FAKES.read_text("utf-8").splitlines():
        case = json.loads(line)
        if case.get("fake"):
            yield f"fakes: {case['why']}", case


def tried(pool, canaries, case):
    """What did not hold when it ran: nothing, if all is well."""
    task = canaries.task()
    limits = {"wall_s": 8.0, "memory_mb": 512} | case.limits
    if case.before:
        judged(pool, case.before, task, **limits)
    found = judged(pool, case.program, task, "expected", **limits)
    if found.reason in case.reasons:
        return []
    return [f"{found.reason}: {found.facts}"]


def tried_fake(pool, case):
    limits = Limits(
        case.get("timeout_s", 10.0), case.get("timeout_s", 10.0) + 1, case.get("memory_mb", 1024)
    )
    found = _found(
        pool, case["kind"], case["program"], case["tests"], case.get("entry_point"), limits,
        case.get("tolerance"),
    )  # fmt: skip
    expected = {case["reason"] or found.reason} - {"passed"}
    return [] if found.reason in expected else [f"{found.reason}: {found.facts}"]


def run_all(rung, names=()):
    """(how many ran, {name: what did not hold}, the slowest)."""
    pool = Pool(rung)
    canaries = Canaries(pool)
    trouble, ran, times = {}, Counter(), {}
    todo = [(case.name, lambda case=case: tried(pool, canaries, case)) for case in CASES]
    todo += [(name, lambda case=case: tried_fake(pool, case)) for name, case in fakes()]
    try:
        for name, run in todo:
            if names and not any(one in name for one in names):
                continue
            begun = time.monotonic()
            try:
                found = run()
                honest = judged(pool, HONEST, {}).reason
                found += [f"then an honest program: {honest}"] if honest != "passed" else []
            except Exception as error:  # the harness itself fell over: never contained
                found = [f"{type(error).__name__}: {error}"]
            found += canaries.trouble()
            ran[name.partition(":")[0]] += 1
            times[name] = round(time.monotonic() - begun, 2)
            if found:
                trouble[name] = found
                canaries.lay_out()
                canaries.processes = canaries._descendants()
                if pool._zygote is not None:
                    canaries.zygote = pool._zygote.process.pid
    finally:
        canaries.close()
        pool.close()
    slowest = sorted(times, key=times.__getitem__)[-8:]
    return dict(ran), trouble, {name: times[name] for name in slowest}


def silent():
    """The cases that should get out where no walls are, and do not: they try nothing."""
    pool = Pool("none-unsafe")
    canaries = Canaries(pool)
    found = []
    try:
        for case in CASES:
            if case.sings:
                limits = {"wall_s": 8.0, "memory_mb": 512} | case.limits
                reason = judged(pool, case.program, canaries.task(), "expected", **limits).reason
                if reason != "passed":
                    found.append((case.name, reason))
                canaries.lay_out()
                canaries._heard()
    finally:
        canaries.close()
        pool.close()
    return found


if __name__ == "__main__":
    counts, failed, slow = run_all(sys.argv[1], sys.argv[2:])
    print(json.dumps({"ran": counts, "trouble": failed, "slow": slow, "groups": len(GROUPS)}))
