"""A program that is killed at its n-th step, and the pieces of work to kill it in.

`Zygote` starts this file once; for each crash it forks, so that a crash costs milliseconds. The
child counts its calls into the operating system and sends itself SIGKILL instead of making the
n-th. A write counts twice: before it, and when half of it is written.
"""

import contextlib
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from tracefactory.errors import FactoryError, ResourceError
from tracefactory.schemas.receipt import Receipt
from tracefactory.store.commit import commit_dataset
from tracefactory.store.files import write_atomic
from tracefactory.store.home import Home, Journal, RunFolder
from tracefactory.store.log import Log, frame

STEPS = (
    *("open", "write", "pwrite", "ftruncate", "fsync"),
    *("replace", "rename", "link", "unlink", "rmdir", "mkdir"),
)

OLD = {"README.md": b"old card\n", "manifest/manifest.json": b'{"release": "old"}\n'}
NEW = {
    "README.md": b"new card\n",
    "manifest/manifest.json": b'{"release": "new"}\n',
    "manifest/shards/a.json": b"{}\n",
}


def table(word, rows=20):
    return pa.table({"id": [f"{word}-{i}" for i in range(rows)], "n": list(range(rows))})


def receipt(slot, *outputs, key="k"):
    return Receipt(slot, key, {"use": "x:y"}, outputs, {"rows": 1}, {"f": "g\n\u2028"}, worker="w")


def release(path, which):
    """Publish, from outputs that lie in raw/; `which` is OLD or NEW."""
    word = json.loads(which["manifest/manifest.json"])["release"]
    shards = {f"sft/{name[4:]}": path / name for name in outputs_of(path, word)}
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(_digests(shards, which)))
    return commit_dataset(path, shards, {**which, "SHA256SUMS": sums.encode()})


def outputs_of(path, word):
    return sorted(str(found.relative_to(path)) for found in path.glob(f"raw/{word}*.parquet"))


def _digests(shards, texts):
    for name, source in shards.items():
        yield name, hashlib.sha256(source.read_bytes()).hexdigest()
    for name, data in texts.items():
        yield name, hashlib.sha256(data).hexdigest()


def do_write(path):
    write_atomic(path / "deep" / "file", b"new" * 5000)


def do_put(path):
    Home(path).put("raw", "c.r0", "attempts", table("new"))


def do_record(path):
    with RunFolder(path) as run:
        run.record(receipt("raw/b.r0"))


def do_open(path):
    with RunFolder(path):
        pass


def do_append_under_limits(path):
    """The file may grow to here and no further, for each byte of a line."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    record, start = {"t": "x" * 20}, (path / "a.log").stat().st_size
    for limit in range(start, start + len(frame(record))):
        with Log(path / "a.log") as log:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                log.append(record)
            except ResourceError:
                assert (path / "a.log").stat().st_size == start, limit
            else:
                raise AssertionError(f"a line past the limit {limit}")


def do_commit_old(path):
    with RunFolder(path):
        release(path, OLD)


def do_commit_new(path):
    with RunFolder(path):
        release(path, NEW)


def _count_down(n, log):
    left, done = [n], []

    def step(name, half=None):
        done.append(name)
        left[0] -= 1
        if left[0] == 0:
            if half:
                half()
            os.write = plain_write
            os.write(log, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    plain_write = os.write

    def wrap(name, plain):
        def wrapped(*args, **options):
            step(name)
            if name in ("write", "pwrite"):
                data = bytes(args[1])
                step(f"half of {name}", lambda: plain(args[0], data[: len(data) // 2], *args[2:]))
            return plain(*args, **options)

        return wrapped

    for name in STEPS:
        setattr(os, name, wrap(name, getattr(os, name)))
    return done


def _serve():
    """Lines `{"do": ..., "path": ..., "n": ...}` in, `{"killed": ..., "at": ...}` out."""
    for line in sys.stdin:
        asked = json.loads(line)
        heard, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(heard)
            try:
                _count_down(asked["n"], told)
                globals()[f"do_{asked['do']}"](Path(asked["path"]))
            except BaseException as error:
                os.write(told, f"raised {error!r}".encode())
                os._exit(1)
            os._exit(0)
        os.close(told)
        with os.fdopen(heard) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status)
        print(json.dumps({"killed": killed, "said": said, "status": status}), flush=True)


class Zygote:
    """The server above, for a test module."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def crash(self, do, path, n):
        """Kill at step n (0: never); the name of that step, or None when the work ended before."""
        self.process.stdin.write(json.dumps({"do": do, "path": str(path), "n": n}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer["killed"]:
            assert answer["status"] == signal.SIGKILL
            return answer["said"]
        assert answer["status"] == 0, answer
        return None

    def every_step(self, do, prepare):
        """Yield (step, name of the call, folder) for a crash at every step."""
        for n in range(1, 1000):
            path = prepare()
            at = self.crash(do, path, n)
            if at is None:
                assert n > 5, "nothing was counted"
                return
            yield n, at, path
        raise AssertionError("never ends")

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def tree(path):
    """Names and contents of all files below."""
    return {
        str(found.relative_to(path)): found.read_bytes()
        for found in sorted(path.rglob("*"))
        if found.is_file()
    }


def copier(source, room):
    """A function that makes a fresh copy of a folder (and drops the one before)."""
    target = room / "copy"

    def copy():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        return target

    return copy


# ---- a driver that does as it is told, line by line ----


def _drive(path, takeover):
    """Hold a run folder; obey `record SLOT`, `check`, `fork`, `mp`, `close` from stdin."""
    try:
        run = RunFolder(path, takeover=takeover)
    except FactoryError as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error)}), flush=True)
        return
    print(json.dumps({"pid": os.getpid(), "epoch": run.lock.holder.epoch}), flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        answer = {}
        try:
            if word == "record":
                run.record(receipt(rest[0]))
            elif word == "check":
                run.lock.check()
            elif word == "fork":
                answer["child"] = _outlive()
            elif word == "mp":
                import multiprocessing

                child = multiprocessing.get_context("fork").Process(target=signal.pause)
                child.start()
                answer["child"] = child.pid
            elif word == "close":
                run.close()
        except FactoryError as error:
            answer = {"error": type(error).__name__, "text": str(error)}
        print(json.dumps(answer), flush=True)


def _outlive():
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return pid


class Driver:
    """Another process that holds, or tries to hold, a run folder."""

    def __init__(self, path, *, takeover=False):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "drive", str(path), str(int(takeover))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hello = None

    @property
    def hello(self):
        if self._hello is None:
            self._hello = json.loads(self.process.stdout.readline())
        return self._hello

    def ask(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


# ---- other programs ----


def _journal(path):
    """Append for ever; a byte out for each record that is kept."""
    journal = Journal(path, "c")
    for i in range(10_000_000):
        journal.append({"i": i, "t": "x" * 100})
        os.write(1, b"1")


def _puts(path, word):
    """Put tables at one slot: some of our own, some that the others put too."""
    for rows in range(1, 25):
        for name in (word, "shared"):
            output = Home(path).put("raw", "c.r0", "attempts", table(name, rows))
            print(json.dumps([name, rows, asdict(output)]), flush=True)


def start(program, *words):
    """Start one of the programs in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, program, *map(str, words)], stdout=subprocess.PIPE
    )


if __name__ == "__main__":
    program, *words = sys.argv[1:]
    if program == "serve":
        _serve()
    elif program == "journal":
        _journal(Path(words[0]))
    elif program == "puts":
        _puts(Path(words[0]), words[1])
    else:
        _drive(Path(words[0]), words[1] == "1")
