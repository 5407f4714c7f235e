"""What the workers of test_killable.py are asked to do. Addressed by name, as any function is."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path


def same(item):
    return item


def pid(_):
    return os.getpid()


def seconds(item):
    """Sleep so long; negative: for ever, in a loop that never leaves Python."""
    while item < 0:
        pass
    time.sleep(item)
    return item


def power(item):
    """One call into C, which sees no signal handler until it is done."""
    base, exponent = item
    return (base**exponent) % 10


def grow(item):
    held = []
    while item:
        held.append(bytearray(item))
    return None


def leave(item):
    os._exit(item)


def segfault(_):
    os.kill(os.getpid(), 11)


def complain_and_abort(_):
    print("said aloud")
    print("out of luck", file=sys.stderr, flush=True)
    os.abort()


def meet_the_backstop(_):
    resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
    while True:
        pass


def raise_it(item):
    raise {"value": ValueError, "exit": SystemExit, "deep": RecursionError}[item]("no good")


def long(item):
    return "x" * item


def no_json(_):
    return {1, 2}


def chatty(item):
    """Print, read and write where a careless library would."""
    print("noise" * 100_000)
    os.write(1, b"\x00\x00\x00\x05noise")
    os.write(2, b"noise" * 100_000)
    return [item, sys.stdin.read()]


def family(item):
    """Start two children that outlive the call: by fork, and by exec."""
    how, seconds_ = item
    child = os.fork()
    if not child:
        time.sleep(600)
        os._exit(0)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(how).write_text(f"{os.getpid()} {child} {other.pid}")
    time.sleep(seconds_)
    os._exit(3)


def hang_once_started(item):
    """Say who we are, then be in C for longer than anyone waits."""
    Path(item).write_text(str(os.getpid()))
    return 9 ** (9**9)


def surroundings(names):
    return [os.environ.get(name) for name in names]


def hash_of(text):
    return hash(text)
