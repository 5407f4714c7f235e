"""Programs that try to get out, to stay, to spoil the machine or to pass without being right.

Each prints `escaped` when it got what it wanted; that is the output its test expects, so that a pass
is an escape. What fails as it should prints `held` (`wrong_answer`): a program with a fault of its
own ends otherwise and is noticed. What a program cannot see itself, the canaries do
(hostile_canaries.py).

If walls fail, nothing is harmed: forks are bounded (200), memory too (2 GB), files of /proc and
devices are opened and not written, and only the canaries are changed, removed or killed.

Fake passes are in tests/cases/python_program.jsonl (`fake`): both run together (test_hostile.py).
"""

# ruff: noqa: E501 - lines of programs are left as they are

import ast
from typing import NamedTuple


class Case(NamedTuple):
    name: str
    program: str
    reasons: frozenset = frozenset({"wrong_answer"})
    """Any of these is as it should be; `passed` only for the harmless."""
    sings: bool = False
    """Without walls, root's run of it gets out: the proof that it tries what it says."""
    before: str = ""
    """A program whose traces this one looks for."""
    limits: dict = {}


_BEGIN = """\
import ctypes, fcntl, json, mmap, os, resource, signal, socket, struct, sys, threading, time
task = json.loads(input())
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    found = libc.syscall(ctypes.c_long(number), *wide)
    if found < 0:
        raise OSError(ctypes.get_errno(), "call %d" % number)
    return True
def done(found):  # of a function of libc
    if found < 0:
        raise OSError(ctypes.get_errno(), "libc")
    return True
def read(path):
    with open(path, "rb") as file:
        return bool(file.read(1))
def opened(path, flags=os.O_WRONLY):
    os.close(os.open(path, flags, 0o600))
    return True
def written(path, mode="w"):
    with open(path, mode) as file:
        file.write("x")
    return True
def any_of(one, many):
    found = 0
    for each in many:
        try:
            found += bool(one(each))
        except (OSError, ValueError):
            pass
    return found
def connected(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as one:
        one.settimeout(1)
        one.connect(address)
        return True
def from_a_pair(address):
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return one.sendto(b"x", address)
def pid_fd(pid):
    return os.pidfd_open(pid)
def named():
    libc.prctl(15, task["marker"].encode(), 0, 0, 0)
def each_holds(megabytes, count, hold, seconds=2.5, orphans=False):
    # How many megabytes processes hold at once.
    reading, writing = os.pipe()
    for _ in range(count):
        if not os.fork():
            try:
                if orphans and os.fork():
                    os._exit(0)
                kept = hold(megabytes << 20)
                for place in range(0, megabytes << 20, 4096):
                    kept[place] = 1
                os.write(writing, b"x")
                time.sleep(seconds)
            finally:
                os._exit(0)
    os.close(writing)
    got = 0
    while os.read(reading, 1):
        got += megabytes
    return got
def filled(folder, megabytes=200):
    got = 0
    for number in range(megabytes // 20):
        with open("%s/%s%d" % (folder, task["marker"], number), "wb") as file:
            for _ in range(20):
                file.write(bytes(1 << 20))
                got += 1
        time.sleep(0.1)
    return got > 120
"""
_END = """
try:
    found = attack()
except (OSError, ValueError, MemoryError, ImportError, RuntimeError) as error:
    found = False
print("escaped" if found else "held")
"""
_HELD = frozenset({"wrong_answer"})


def _attempt(name, body, sings=False, reasons=_HELD, before="", **limits):
    """An attempt is an expression, or the body of a function that returns one."""
    lines, last = body.splitlines(), ast.parse(body).body[-1]
    if isinstance(last, ast.Expr):
        lines[last.lineno - 1] = "return " + lines[last.lineno - 1]
    attack = "def attack():\n" + "".join(f"    {line}\n" for line in lines)
    before = _BEGIN + before if before else ""
    return Case(name, _BEGIN + attack + _END, frozenset(reasons), sings, before, limits)


def _whole(name, reasons, program, sings=False, **limits):
    return Case(name, _BEGIN + program, frozenset(reasons.split()), sings, "", limits)


SINGS = True
READING = [
    _attempt("a file at home", "read(task['home'])", SINGS),
    _attempt("a file in the host's /tmp", "read(task['tmp'])", SINGS),
    _attempt("the list of users", "read('/etc/passwd')", SINGS),
    _attempt("the users' passwords", "read('/etc/shadow')", SINGS),
    _attempt("what is at home", "os.listdir(task['home_folder'])", SINGS),
    _attempt("what is in the root",
             "any_of(lambda name: name in ('run', 'sys', 'boot', 'srv'), os.listdir('/'))", SINGS),
    _attempt("the project", "read(task['project'])", SINGS),
    _attempt("the environment of packages", "read(task['venv'])", SINGS),
    _attempt("a module of the project", "import tracefactory.errors as found\nreturn found",
             reasons={"wrong_answer"}),
    _attempt("through .. to the root", "read('../' * 60 + task['tmp'])", SINGS),
    _attempt("from the folder itself",
             "os.chdir(os.path.dirname(task['tmp']))\nread('canary')", SINGS),
    _attempt("through a symlink", "os.symlink(task['tmp'], 'link')\nread('link')", SINGS),
    _attempt("through a link to the root", "os.symlink('/', 'way')\nread('way/etc/passwd')", SINGS),
    _attempt("a hard link", "os.link(task['tmp'], 'hard')\nread('hard')", SINGS),
    _attempt("by another program",
             "import subprocess\nsubprocess.run(['/bin/cat', task['tmp']], capture_output=True).stdout",
             SINGS),
    _attempt("by a handle",
             "kept = ctypes.create_string_buffer(struct.pack('Ii', 120, 0), 128)\n"
             "number = ctypes.c_int()\n"
             "call(303, -100, task['tmp'].encode(), kept, ctypes.byref(number), 0)\n"
             "call(304, os.open('/tmp', os.O_RDONLY), kept, os.O_RDONLY)", SINGS),
    _attempt("by a handle of the root that was guessed",
             "kept = struct.pack('IiQ', 8, 1, 2)\n"
             "call(304, os.open('/tmp', os.O_RDONLY), kept, os.O_RDONLY)"),
    _attempt("by openat2",
             "how = struct.pack('QQQ', 0, 0, 0)\ncall(437, -100, task['tmp'].encode(), how, 24)",
             SINGS),
    _attempt("the environment of the first process", "read('/proc/1/environ')"),
    _attempt("its own environment in /proc", "read('/proc/self/environ')", SINGS),
    _attempt("its own maps", "read('/proc/self/maps')", SINGS),
    _attempt("the launcher's environment", "read('/proc/%d/environ' % task['pid'])", SINGS),
    _attempt("another's environment", "read('/proc/%d/environ' % task['victim'])", SINGS),
    _attempt("the launcher's memory", "opened('/proc/%d/mem' % task['pid'], os.O_RDONLY)", SINGS),
    _attempt("its parent's memory", "opened('/proc/%d/mem' % os.getppid(), os.O_RDONLY)", SINGS),
    _attempt("through /proc/self/root", "read('/proc/self/root/etc/passwd')", SINGS),
    _attempt("through another's root", "read('/proc/%d/root/etc/passwd' % task['pid'])", SINGS),
    _attempt("through another's descriptors",
             "any_of(lambda fd: opened('/proc/%d/fd/%d' % (task['pid'], fd), 0), range(3, 40))", SINGS),
    _attempt("descriptors that were left open", "any_of(os.fstat, range(4, 4096))\n"),
    _attempt("disks and memory as devices",
             "any_of(lambda name: opened('/dev/' + name, os.O_RDONLY),\n"
             "    ('mem', 'kmsg', 'vda', 'sda', 'kvm', 'fuse', 'tty', 'ptmx', 'net/tun'))", SINGS),
    _attempt("settings of the kernel", "any_of(read, ('/sys/kernel/notes', '/proc/version'))", SINGS),
]  # fmt: skip

WRITING = [
    _attempt("over a file at home", "written(task['home'])", SINGS),
    _attempt("at the end of a file in the host's /tmp", "written(task['tmp'], 'a')", SINGS),
    _attempt("beside a file at home", "written(task['home'] + task['marker'])", SINGS),
    _attempt("in /var/tmp", "written('/var/tmp/' + task['marker'])", SINGS),
    _attempt("everywhere",
             "any_of(lambda place: written(place + '/' + task['marker']), ('', '/usr', '/usr/lib', '/etc',\n"
             "    '/usr/local', '/var', '/home', '/root', '/dev', '/proc', '/sys', '/run', '/opt', '/bin',\n"
             "    '/lib', task['project_folder'], os.path.dirname(os.__file__), sys.base_prefix))"),
    _attempt("the host's /tmp and /dev/shm",
             "any_of(lambda place: written(place + '/' + task['marker']), ('/tmp', '/dev/shm', '.'))\n"
             "return False"),
    _attempt("a file without a name", "opened('/var/tmp', os.O_TMPFILE | os.O_RDWR)", SINGS),
    _attempt("removing", "os.unlink(task['tmp'])\nTrue", SINGS),
    _attempt("renaming", "os.rename(task['tmp'], task['tmp'] + '2')\nTrue", SINGS),
    _attempt("replacing", "written('mine')\nos.rename('mine', task['tmp'])\nTrue", SINGS),
    _attempt("shortening", "os.truncate(task['tmp'], 0)\nTrue", SINGS),
    _attempt("changing who may read", "os.chmod(task['tmp'], 0)\nTrue", SINGS),
    _attempt("changing the owner", "os.chown(task['tmp'], 1, 1)\nTrue", SINGS),
    _attempt("changing times", "os.utime(task['tmp'], (1, 1))\nTrue", SINGS),
    _attempt("changing the times of shared folders",
             "any_of(lambda path: os.utime(path) is None, ('/', '/tmp/..', '/usr', '/usr/lib', '/dev',\n"
             "    os.path.dirname(os.__file__), os.__file__))"),
    _attempt("attributes", "os.setxattr(task['tmp'], 'user.x', b'1')\nTrue", SINGS),
    _attempt("through a symlink, written", "os.symlink(task['tmp'], 'link')\nwritten('link')", SINGS),
    _attempt("a module that others import", "opened(os.__file__)", SINGS),
    _attempt("filling /tmp", "filled('/tmp')", reasons={"wrong_answer", "output_limit"}),
    _attempt("filling /dev/shm", "filled('/dev/shm')", reasons={"wrong_answer", "output_limit"}),
    _attempt("filling its own folder", "filled('.')", reasons={"wrong_answer", "output_limit"}),
    _attempt("filling files that have no names",
             "kept, got = [], 0\n"
             "for number in range(10):\n"
             "    kept.append(open(str(number), 'wb'))\n"
             "    os.unlink(str(number))\n"
             "    got += kept[-1].write(bytes(20 << 20))\n"
             "    time.sleep(0.1)\n"
             "return got > 120 << 20", reasons={"wrong_answer", "output_limit"}),
    _attempt("filling files that only memory knows",
             "import mmap\n"
             "kept, got = [], 0\n"
             "for number in range(10):\n"
             "    with open(str(number), 'w+b') as file:\n"
             "        got += file.write(bytes(20 << 20))\n"
             "        file.flush()\n"
             "        kept.append(mmap.mmap(file.fileno(), 20 << 20))\n"
             "    os.unlink(str(number))\n"
             "    time.sleep(0.1)\n"
             "return got > 120 << 20", reasons={"wrong_answer", "output_limit"}),
    _attempt("filling files on their way between sockets",
             "import socket\n"
             "kept, got = [], 0\n"
             "for number in range(10):\n"
             "    with open(str(number), 'wb') as file:\n"
             "        os.unlink(str(number))\n"
             "        got += file.write(bytes(20 << 20))\n"
             "        file.flush()\n"
             "        kept.append(socket.socketpair())\n"
             "        socket.send_fds(kept[-1][0], [b'x'], [file.fileno()])\n"
             "    time.sleep(0.1)\n"
             "return got > 120 << 20", reasons={"wrong_answer", "output_limit"}),
    _attempt("filling files of a thread whose process seems to have ended",
             "import threading\n"
             "def fill():\n"
             "    kept, got = [], 0\n"
             "    for number in range(10):\n"
             "        kept.append(open(str(number), 'wb'))\n"
             "        os.unlink(str(number))\n"
             "        got += kept[-1].write(bytes(20 << 20))\n"
             "        time.sleep(0.1)\n"
             "    print('escaped' if got > 120 << 20 else 'held', flush=True)\n"
             "    os._exit(0)\n"
             "threading.Thread(target=fill).start()\n"
             "libc.syscall(60, 0)", reasons={"wrong_answer", "output_limit"}),
    _attempt("filling folders beyond the length of paths",
             "got = 0\n"
             "for number in range(200):\n"
             "    os.mkdir('d' * 200), os.chdir('d' * 200)\n"
             "    if number > 50: got += open('x', 'wb').write(bytes(1 << 20))\n"
             "    time.sleep(0.005)\n"
             "return got > 120 << 20", reasons={"wrong_answer", "output_limit"}),
    _attempt("filling thousands of small files",
             "for number in range(9000):\n"
             "    with open(str(number), 'wb') as file: file.write(bytes(1 << 14))\n"
             "time.sleep(0.3)\nreturn True", reasons={"wrong_answer", "output_limit"}),
    _attempt("a sparse file", "with open('big', 'w') as file: file.truncate(1 << 40)\nTrue"),
    _attempt("a file laid out at once", "os.posix_fallocate(os.open('big', 66), 0, 1 << 30)\nTrue"),
    _attempt("thousands of files",
             "for n in range(3000): open('f%d' % n, 'w').close()\nreturn False"),
    _attempt("a tree deeper than paths can be",
             "for n in range(2000): os.mkdir('d'), os.chdir('d')\nreturn False",
             reasons={"wrong_answer", "output_limit"}),
    _attempt("a device of its own",
             "os.mknod('disk', 0o60600, os.makedev(254, 0))\nopened('disk', os.O_RDONLY)"),
]  # fmt: skip

ENVIRONMENT = [
    _attempt("os.environ", "'TRACEFACTORY_HOSTILE' in os.environ or len(os.environ) > 6"),
    _attempt("libc's environment",
             "place = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')\n"
             "found = [place[n] for n in range(100) if not any(place[k] is None for k in range(n + 1))]\n"
             "return any(b'HOSTILE' in one for one in found)"),
    _attempt("libc's getenv",
             "libc.getenv.restype = ctypes.c_char_p\nlibc.getenv(b'TRACEFACTORY_HOSTILE')"),
    _attempt("a child's environment",
             "import subprocess\n"
             "b'HOSTILE' in subprocess.run(['/usr/bin/env'], capture_output=True).stdout"),
    _attempt("who the host is", "socket.gethostname() == task['host'] and read('/etc/hostname')"),
]  # fmt: skip

NETWORK = [
    _attempt("tcp to the host", "connected(socket.AF_INET, ('127.0.0.1', task['tcp']))", SINGS),
    _attempt("tcp by the kernel's number", "call(41, 2, 1, 0)", SINGS),
    _attempt("tcp version 6", "socket.socket(socket.AF_INET6)", SINGS),
    _attempt("tcp out", "socket.socket().connect_ex(('192.0.2.1', 80)) not in (1, 13)"),
    _attempt("udp",
             "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', task['udp']))", SINGS),
    _attempt("raw", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", SINGS),
    _attempt("packets", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", SINGS),
    _attempt("unix by path", "connected(socket.AF_UNIX, task['unix'])", SINGS),
    _attempt("unix abstract", "connected(socket.AF_UNIX, '\\0' + task['marker'])", SINGS),
    _attempt("unix datagrams by path", "from_a_pair(task['datagrams'])", SINGS),
    _attempt("unix datagrams, abstract", "from_a_pair('\\0' + task['marker'] + 'd')", SINGS),
    _attempt("unix datagrams of raw kind",
             "call(53, 1, 3, 0, ctypes.create_string_buffer(8))", SINGS),
    _attempt("netlink", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", SINGS),
    _attempt("virtual sockets", "socket.socket(socket.AF_VSOCK)"),
    _attempt("the kernel's cipher sockets", "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)"),
    _attempt("listening", "socket.create_server(('127.0.0.1', 0))", SINGS),
    _attempt("binding what it has", "socket.socket(fileno=3).bind(b'\\0' + task['marker'].encode())"),
    _attempt("names looked up", "socket.create_connection(('localhost', task['tcp']), 1)", SINGS),
    _attempt("a pair of its own: harmless",
             "one, other = socket.socketpair()\none.send(b'x')\nother.recv(1)",
             reasons={"passed"}),
]  # fmt: skip

_CROWD = {"processes": 32, "memory_mb": 4096}
_HANG = "timeout_wall"
PROCESSES = [
    _attempt("200 forks",
             "for number in range(200):\n"
             "    if not os.fork():\n"
             "        time.sleep(20)\n"
             "        os._exit(0)\n"
             "True", SINGS, **_CROWD),
    _attempt("200 threads",
             "for number in range(200):\n"
             "    threading.Thread(target=time.sleep, args=(20,), daemon=True).start()\n"
             "True", SINGS, **_CROWD),
    _attempt("100 programs",
             "import subprocess\n"
             "held = [subprocess.Popen(['/bin/sleep', '20']) for _ in range(100)]", SINGS, **_CROWD),
    _attempt("100 forks by the kernel's number",
             "def fork():\n"
             "    if not libc.syscall(57):\n"
             "        time.sleep(20)\n"
             "        os._exit(0)\n"
             "    return done(ctypes.get_errno() and -1)\n"
             "return sum(fork() for _ in range(100)) == 100", **_CROWD),
    _whole("forks of forks", "timeout_wall", "for _ in range(7):\n"
           "    try: os.fork()\n"
           "    except OSError: pass\n"
           "time.sleep(20)", wall_s=0.4, **_CROWD),
    _whole("forks that end and fork again", "timeout_wall", "until = time.monotonic() + 20\n"
           "while time.monotonic() < until:\n"
           "    try:\n"
           "        if os.fork(): os._exit(0) if os.getpid() != 1 else time.sleep(0.01)\n"
           "    except OSError: pass", wall_s=0.4, **_CROWD)._replace(
               reasons=frozenset({"timeout_wall", "wrong_answer", "runtime_error"})),
]  # fmt: skip
_STAYING = {
    "a fork that is left": "pass",
    "a session of its own": "os.setsid()",
    "a group of its own": "os.setpgid(0, 0)",
    "deaf to signals": "[signal.signal(n, signal.SIG_IGN) for n in range(1, 65) if n not in (9, 19, 32, 33)]",
    "two forks and a session": "os.setsid(); os.fork() and os._exit(0); os.chdir('/')",
    "a reaper of its own": "libc.prctl(36, 1, 0, 0, 0); os.fork()",
    "signals blocked": "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
    "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
    "streams closed": "os.closerange(0, 64)",
}
STAYING = [
    _attempt(f"staying: {name}",
             "alive, told = os.pipe()\n"
             "if not os.fork():\n"
             "    named()\n"
             "    os.write(told, b'1')\n"
             "    os.close(told)\n"
             "    try:\n"
             f"        {how}\n"
             "    except (OSError, ValueError): pass\n"
             "    time.sleep(30)\n"
             "    os._exit(0)\n"
             "os.read(alive, 1)\n"
             "return False")
    for name, how in _STAYING.items()
] + [
    _attempt("staying: beside its parent (CLONE_PARENT)",
             "child = libc.syscall(56, ctypes.c_long(0x8000 | 17), 0, 0, 0, 0)\n"
             "if not child:\n"
             "    named()\n"
             "    time.sleep(30)\n"
             "    os._exit(0)\n"
             "time.sleep(0.1)\n"
             "return False"),
    _attempt("staying: a program in a session",
             "import subprocess\n"
             "subprocess.Popen(['/bin/sleep', '30'], start_new_session=True)\nreturn False"),
]  # fmt: skip

_MEMORY = {"memory_mb": 512}
_FILE = "mmap.mmap(os.open({!r}, os.O_RDWR), size)"
MEMORY = [
    _whole("one large block", "memory_limit", "held = bytearray(1 << 30)", **_MEMORY),
    _whole("a list that grows", "memory_limit",
           "held = []\nwhile len(held) < 200: held.append(b'x' * (10 << 20))", **_MEMORY),
    _whole("a text that doubles", "memory_limit",
           "held = 'x'\nwhile len(held) < 2 << 30: held += held", **_MEMORY),
    _whole("a large number", "memory_limit timeout_wall", "held = 1 << (8 << 30)", wall_s=0.5, **_MEMORY),
    _attempt("a private mapping", "mmap.mmap(-1, 1 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
             **_MEMORY),
    _attempt("a shared mapping", "mmap.mmap(-1, 1 << 30)", **_MEMORY),
    _attempt("shared mappings of many",
             "each_holds(160, 8, lambda size: mmap.mmap(-1, size)) > 700", SINGS,
             {"wrong_answer", "memory_limit"}, **_MEMORY),
    _attempt("shared mappings of /dev/zero",
             f"each_holds(160, 8, lambda size: {_FILE.format('/dev/zero')}) > 700", SINGS,
             {"wrong_answer", "memory_limit"}, **_MEMORY),
    _attempt("many with a bit each", "each_holds(160, 8, bytearray) > 1100", False,
             {"memory_limit"}, **_MEMORY),
    _attempt("many orphans with a bit each",
             "each_holds(160, 8, bytearray, orphans=True) > 1100", False, {"memory_limit"}, **_MEMORY),
    _attempt("memory without a file", "os.memfd_create('x')", SINGS),
    _attempt("secret memory", "call(447, 0)"),
    _attempt("shared memory of System V",
             "number = libc.shmget(0, 1 << 20, 0o1600)\n"
             "done(number)\nlibc.shmctl(number, 0, None)\nreturn True", SINGS),
    _attempt("shared memory that stays", "libc.shmget(task['key'], 1 << 20, 0o1666)\nreturn False"),
    _attempt("semaphores that stay", "libc.semget(task['key'], 1, 0o1666)\nreturn False"),
    _attempt("messages that stay", "libc.msgget(task['key'], 0o1666)\nreturn False"),
    _attempt("locked memory", "libc.mlockall.restype = ctypes.c_int\ndone(libc.mlockall(3))"),
    _whole("memory in a collector's dead end", "memory_limit",
           "class Kept:\n    def __del__(self): kept.append(bytearray(64 << 20)); Kept()\n"
           "kept = []\nfor n in range(40): Kept()\nheld = bytearray(1 << 30)", **_MEMORY),
]  # fmt: skip

OUTPUT = [
    _whole("lines for ever", "output_limit", "while True: print('x' * 1000)", wall_s=5.0),
    _whole("one long line", "output_limit", "print('x' * (20 << 20))"),
    _whole("blocks for ever", "output_limit", "while True: os.write(1, bytes(65536))", wall_s=5.0),
    _whole("by eight processes", "output_limit", "for _ in range(3): os.fork()\n"
           "while True: os.write(1, bytes(65536))", wall_s=5.0),
    _whole("errors for ever", "timeout_wall", "while True: os.write(2, bytes(65536))", wall_s=0.4),
    _whole("a great many errors, then nothing", "wrong_answer",
           "for _ in range(400): os.write(2, bytes(65536))\nprint('held')"),
    _whole("messages for ever", "channel_violation",
           "while True: os.write(3, b'{\"x\": 1}\\n' * 1000)", wall_s=5.0),
    _whole("a message without an end", "channel_violation",
           "while True: os.write(3, b'x' * 65536)", wall_s=5.0),
    _whole("a child that goes on when it ended", "wrong_answer output_limit",
           "if not os.fork():\n    while True: os.write(1, bytes(65536))\nos._exit(0)", wall_s=5.0),
    _whole("output that nothing ends", "timeout_wall",
           "os.write(1, b'escaped')\ntime.sleep(20)", wall_s=0.3),
]  # fmt: skip

_SHORT = {"wall_s": 0.3}
TIME = [
    _whole("sleep", _HANG, "time.sleep(60)", **_SHORT),
    _whole("busy", _HANG, "while True: pass", **_SHORT),
    _whole("busy in threads", _HANG, "def spin():\n    while True: pass\n"
           "for _ in range(8): threading.Thread(target=spin).start()", **_SHORT),
    _whole("busy in processes", _HANG, "for _ in range(3): os.fork()\nwhile True: pass", **_SHORT),
    _whole("busy in C", _HANG, "10 ** 10 ** 8", **_SHORT),
    _whole("busy in a pattern", _HANG, "import re\nre.match('(a+)+$', 'a' * 60 + 'b')", **_SHORT),
    _whole("deaf to all signals", _HANG,
           "[signal.signal(n, lambda *_: None) for n in range(1, 65) if n not in (9, 19, 32, 33)]\n"
           "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", **_SHORT),
    _whole("catching all errors", _HANG,
           "while True:\n    try:\n        while True: pass\n    except BaseException: pass", **_SHORT),
    _whole("at its exit", _HANG, "import atexit\n@atexit.register\ndef f():\n    while True: pass",
           **_SHORT),
    _whole("a thread that never ends", _HANG, "threading.Thread(target=time.sleep, args=(60,)).start()",
           **_SHORT),
    _whole("waiting for a message", _HANG, "while True: os.read(3, 1); time.sleep(60)", **_SHORT),
    _whole("waiting for a child", _HANG, "if not os.fork(): time.sleep(60)\nos.wait()", **_SHORT),
    _whole("a lock held twice", _HANG, "lock = threading.Lock()\nwith lock: lock.acquire()", **_SHORT),
    _whole("slow to be read", "syntax_error crashed memory_limit runtime_error timeout_wall",
           "x = " + "(" * 3000 + ")" * 3000, **_SHORT),
    _attempt("more time from the limit", "resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))\nTrue"),
    # `crashed`: the kernel's kill may come when it has counted three quarters of the limit.
    _whole("processor time of one", "timeout_cpu timeout_wall crashed", "while True: pass", cpu_s=1.0, wall_s=1.2),
]  # fmt: skip

SIGNALS = [
    _attempt("every process", "os.kill(-1, signal.SIGURG)\nreturn False"),
    _attempt("the first process", "os.getpid() != 1 and os.kill(1, 0) is None", SINGS),
    _attempt("its parent", "os.getppid() > 0 and os.kill(os.getppid(), 0) is None", SINGS),
    _attempt("its parent's group",
             "os.getppid() > 0 and os.killpg(os.getpgid(os.getppid()), 0) is None", SINGS),
    _attempt("the launcher", "os.kill(task['pid'], 0) is None", SINGS),
    _attempt("another", "os.kill(task['victim'], 9) is None", SINGS),
    _attempt("another, stopped", "os.kill(task['victim'], signal.SIGSTOP) is None", SINGS),
    _attempt("another, with a value",
             "call(129, task['victim'], 23, struct.pack('iii', 23, 0, -1) + bytes(116))", SINGS),
    _attempt("another's thread", "call(234, task['victim'], task['victim'], 23)", SINGS),
    _attempt("another by descriptor",
             "signal.pidfd_send_signal(pid_fd(task['victim']), 23)\nTrue", SINGS),
    _attempt("neighbours",
             "any_of(lambda pid: pid > 1 and os.kill(pid, 0) is None,\n"
             "    [os.getpid() + n for n in range(-60, 60) if n])", SINGS),
    _attempt("another as owner of what arrives",
             "fcntl.fcntl(1, fcntl.F_SETOWN, task['victim'])\nTrue", SINGS),
    _attempt("another's limits",
             "resource.prlimit(task['victim'], resource.RLIMIT_NOFILE, (9, 9))\nTrue", SINGS),
    _attempt("another's priority", "os.setpriority(os.PRIO_PROCESS, task['victim'], 19)\nTrue", SINGS),
    _attempt("another's processors", "os.sched_setaffinity(task['victim'], {0})\nTrue", SINGS),
    _whole("itself, stopped", "timeout_wall wrong_answer",
           "os.kill(os.getpid(), signal.SIGSTOP)\nprint('held')", **_SHORT),
    _whole("itself, killed", "crashed wrong_answer", "os.kill(os.getpid(), 9)\nprint('held')"),
    _whole("its group, killed", "crashed wrong_answer", "os.killpg(0, 15)\nprint('held')"),
]  # fmt: skip

OTHERS = [
    _attempt("tracing another", "call(101, 16, task['victim'], 0, 0)", SINGS),
    _attempt("seizing another", "call(101, 0x4206, task['victim'], 0, 0)", SINGS),
    _attempt("being traced", "call(101, 0, 0, 0, 0)", SINGS),
    _attempt("another's memory",
             "kept = ctypes.create_string_buffer(8)\n"
             "part = struct.pack('QQ', ctypes.addressof(kept), 8)\n"
             "call(310, task['pid'], part, 1, struct.pack('QQ', id(0), 8), 1, 0)"),
    _attempt("writing another's memory", "call(311, task['victim'], bytes(16), 1, bytes(16), 1, 0)", SINGS),
    _attempt("another's descriptors", "call(438, pid_fd(task['victim']), 0, 0)", SINGS),
    _attempt("comparing with another", "call(312, os.getpid(), task['victim'], 1, 0, 0)", SINGS),
    _attempt("advice about another's memory",
             "call(440, pid_fd(task['victim']), bytes(16), 1, 20, 0)", SINGS),
]  # fmt: skip

PRIVILEGE = [
    _attempt("a user namespace", "done(libc.unshare(0x10000000))", SINGS),
    _attempt("a mount namespace", "done(libc.unshare(0x20000))", SINGS),
    _attempt("all namespaces", "done(libc.unshare(0x7e020000))"),
    _attempt("a namespace by clone",
             "child = libc.syscall(56, ctypes.c_long(0x10000000 | 17), 0, 0, 0, 0)\n"
             "child or os._exit(0)\ndone(child)", SINGS),
    _attempt("a namespace by clone3",
             "kept = struct.pack('11Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)\n"
             "child = libc.syscall(435, kept, ctypes.c_long(88))\nchild or os._exit(0)\ndone(child)",
             SINGS),
    _attempt("another's namespaces", "done(libc.setns(pid_fd(task['victim']), 0x20000))", SINGS),
    _attempt("a namespace by its file",
             "done(libc.setns(os.open('/proc/1/ns/mnt', 0), 0))"),
    _attempt("mounting", "done(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))"),
    _attempt("mounting /proc", "os.mkdir('p')\ndone(libc.mount(b'proc', b'p', b'proc', 0, None))"),
    _attempt("mounting again, writable", "done(libc.mount(b'none', b'/', None, 32 | 4096, None))"),
    _attempt("unmounting", "done(libc.umount2(b'/tmp', 2))"),
    _attempt("another root", "done(libc.chroot(b'.'))", SINGS),
    _attempt("pivoting", "call(155, b'.', b'.')"),
    _attempt("a tree of mounts", "call(428, -100, b'/', 1)", SINGS),
    _attempt("a tree of mounts, newer", "call(467, -100, b'/', 1, 0, 0)", SINGS),
    _attempt("a file system by descriptor", "call(430, b'tmpfs', 0)", SINGS),
    _attempt("attributes of mounts", "call(442, -100, b'/', 0, bytes(32), 32)"),
    _attempt("becoming root", "os.setuid(0)\nTrue", SINGS),
    _attempt("becoming another", "os.setresuid(1, 1, 1)\nTrue", SINGS),
    _attempt("groups", "os.setgroups([0])\nTrue", SINGS),
    _attempt("capabilities",
             "call(126, struct.pack('Ii', 0x20080522, 0), struct.pack('6I', *[0xffffffff] * 6))"),
    _attempt("an ambient capability", "done(libc.prctl(47, 2, 21, 0, 0))"),
    _attempt("new rights at exec", "libc.prctl(39, 0, 0, 0, 0) != 1", SINGS),
    _attempt("new rights allowed again", "done(libc.prctl(38, 0, 0, 0, 0))"),
    _attempt("no filter", "libc.prctl(21, 0, 0, 0, 0) != 2", SINGS),
    _attempt("a filter that allows",
             "allow = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\n"
             "program = struct.pack('HxxxxxxQ', 1, ctypes.addressof(allow))\n"
             "call(317, 1, 0, program)\nsocket.socket()"),
    _attempt("the filter taken away", "done(libc.prctl(22, 0, 0, 0, 0))"),
    _attempt("a higher limit",
             "any_of(lambda kind: resource.setrlimit(kind, (-1, -1)) is None,\n"
             "    [kind for kind in range(16) if resource.getrlimit(kind)[1] != -1])"),
    _attempt("its own limits by prlimit",
             "resource.prlimit(0, resource.RLIMIT_AS, (-1, -1))\nTrue"),
    _attempt("a sharper priority", "os.nice(-5) < 0"),
    _attempt("real time",
             "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))\nTrue"),
    _attempt("personality", "call(135, 0x40000)", SINGS),
    _attempt("io_uring", "call(425, 1, ctypes.create_string_buffer(120))", SINGS),
    _attempt("bpf", "call(321, 0, struct.pack('5I', 1, 4, 4, 1, 0), 20)"),
    _attempt("performance counters",
             "call(298, struct.pack('IIQ', 1, 112, 0) + bytes(96), 0, -1, -1, 0)", SINGS),
    _attempt("page faults of its own", "call(323, 1)", SINGS),
    _attempt("keys", "call(250, 0, -3, 1)", SINGS),
    _attempt("a key of the user", "call(248, b'user', b'x', b'y', 1, -3)", SINGS),
    _attempt("ports of the machine", "call(172, 3)"),
    _attempt("a segment of its own", "call(154, 1, struct.pack('4I', 0, 0, 0, 0), 16)"),
    _attempt("a module of the kernel", "call(175, b'', 0, b'')"),
    _attempt("the kernel's log", "call(103, 10, 0, 0)", SINGS),
    _attempt("the host's name", "done(libc.sethostname(task['host'].encode(), len(task['host'])))", SINGS),
    _attempt("a queue of messages", "libc.mq_open(b'/' + task['marker'].encode(), 66, 0o600, None) >= 0"),
    _attempt("watching files for the system", "call(300, 0, 0)"),
    _attempt("what dies is dumped",
             "any_of(opened, ('/proc/sys/kernel/core_pattern', '/proc/self/coredump_filter'))", SINGS),
    _attempt("switches of the kernel",
             "any_of(opened, ('/proc/sys/vm/drop_caches', '/proc/sys/kernel/hostname',\n"
             "    '/proc/sysrq-trigger', '/proc/sys/vm/overcommit_memory', '/proc/self/oom_score_adj',\n"
             "    '/proc/self/uid_map', '/sys/fs/cgroup/cgroup.procs', '/sys/power/state'))", SINGS),
    _attempt("a lease that makes others wait",
             "fcntl.fcntl(os.open(os.__file__, 0), 1024, fcntl.F_RDLCK)\nTrue", SINGS),
    _whole("calls of another kind (x32)", "crashed",
           "libc.syscall(ctypes.c_long(0x40000000 | 41), 2, 1, 0)\nprint('escaped')"),
    _whole("calls of another kind (32 bits)", "crashed",
           "code = b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3'  # mov eax, 20; int 0x80; ret\n"
           "kept = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)\nkept.write(code)\n"
           "place = ctypes.addressof(ctypes.c_char.from_buffer(kept))\n"
           "ctypes.CFUNCTYPE(ctypes.c_int)(place)()\nprint('escaped')"),
]  # fmt: skip

CRASHES = [
    _whole("a wild pointer", "crashed", "ctypes.string_at(1)"),
    _whole("abort", "crashed", "os.abort()"),
    _whole("recursion", "runtime_error", "def f(): f()\nf()"),
    _whole("recursion without a limit", "crashed memory_limit",
           "sys.setrecursionlimit(10 ** 9)\nclass A:\n    def __repr__(self): return repr(self)\nrepr(A())"),
    _whole("recursion in C", "crashed memory_limit runtime_error",
           "x = ()\nfor _ in range(3000000): x = (x,)\nhash(x)"),
    _whole("None broken", "crashed runtime_error wrong_answer timeout_wall",
           "ctypes.memset(id(None), 255, 16)\nprint(None)", wall_s=1.0),
    _whole("built-ins removed", "runtime_error wrong_answer",
           "import builtins\nfor n in dir(builtins):\n    if n != 'delattr': delattr(builtins, n)\nx"),
    _whole("all descriptors closed", "wrong_answer runtime_error", "os.closerange(0, 64)\nprint('escaped')"),
    _whole("another program instead", "wrong_answer", "os.execv('/bin/echo', ['echo', 'held'])"),
    _whole("another interpreter instead", "runtime_error crashed wrong_answer",
           "os.execv(sys.executable or '/usr/bin/false', ['x', '-c', 'print(1)'])"),
    _whole("a signal of a bad call", "crashed wrong_answer", "os.kill(os.getpid(), signal.SIGSYS)\nprint('held')"),
    _whole("an exit code that looks like a signal", "runtime_error crashed", "os._exit(137)"),
    _whole("exit with the answer", "runtime_error", "print('escaped', flush=True)\nos._exit(1)"),
    _whole("the answer, then a crash", "crashed", "print('escaped', flush=True)\nctypes.string_at(0)"),
    _whole("a null in the source", "syntax_error", "\0"),
    _whole("brackets without end", "syntax_error memory_limit crashed", "(" * 100_000),
    _whole("minus signs without end", "syntax_error memory_limit crashed runtime_error",
           "x = " + "-" * 200_000 + "1"),
]  # fmt: skip

_SAYS = "os.write(3, {})\nprint('escaped')"
CHANNEL = [
    _whole(f"says {name}", reasons, _SAYS.format(what))
    for name, reasons, what in [
        ("that it began", "channel_violation", "b'{\"begun\": true}\\n'"),
        ("that it is ready", "channel_violation", "b'{\"ready\": true}\\n'"),
        ("that it is lost", "channel_violation", "b'{\"lost\": \"x\"}\\n'"),
        ("a value", "channel_violation", "b'{\"id\": 1, \"value\": 4}\\n'"),
        ("a nonce", "tampered", "b'{\"nonce\": \"x\", \"calls\": 1}\\n'"),
        ("two things", "channel_violation tampered", "b'{\"end\": 1}\\n{\"nonce\": 1}\\n'"),
        ("half a line", "channel_violation", "b'{\"begun\": tr'"),
        ("no text", "channel_violation", "bytes(range(256)) + b'\\n'"),
        ("nothing", "channel_violation", "b'\\n'"),
        ("a list", "channel_violation", "b'[]\\n'"),
        ("brackets without end", "channel_violation", "b'[' * 100000 + b'\\n'"),
        ("a number without end", "channel_violation", "b'1' * 100000 + b'\\n'"),
        ("a float too large", "channel_violation",
         "b'{\"a\": {\"!complex\": [\"0x1p99999\", \"0x0p0\"]}}\\n'"),
        ("an unknown tag", "channel_violation", "b'{\"a\": {\"!object\": 1}}\\n'"),
        ("a tag without sense", "channel_violation", "b'{\"a\": {\"!set\": [[1]]}}\\n'"),
        ("an end that was none", "channel_violation", "b'{\"end\": \"syntax_error\"}\\n'"),
    ]
] + [
    _whole("closes the channel", "wrong_answer", "os.close(3)\nprint('held')"),
    _whole("shuts the channel", "wrong_answer",
           "socket.socket(fileno=3).shutdown(socket.SHUT_RDWR)\nprint('held')"),
    _whole("a child says it later", "channel_violation tampered",
           "child = os.fork()\nif not child:\n"
           "    time.sleep(0.05)\n    os.write(3, b'{\"nonce\": \"x\"}\\n')\n    os._exit(0)\n"
           "os.wait()\nprint('escaped')"),
    _whole("sends a descriptor", "channel_violation wrong_answer runtime_error",
           "socket.send_fds(socket.socket(fileno=os.dup(3)), [b'x'], [0, 1, 2])\nprint('escaped')"),
    _whole("fails with a forged reason", "syntax_error runtime_error channel_violation",
           "os.write(3, b'{\"end\": \"syntax_error\", \"error\": [1], \"line\": \"x\"}\\n')\nos._exit(1)"),
    _whole("fails with a reason of surrogates", "runtime_error",
           "os.write(3, b'{\"end\": \"exception\", \"error\": \"\\\\ud800\", \"line\": 1e9}\\n')\nos._exit(1)"),
]  # fmt: skip

_SECRET = "'left' + '-by-' + 'another'"
LEAKS = [
    _attempt("files of the run before",
             "any_of(lambda place: read(place + '/left'), ('/tmp', '/dev/shm', '.', '/var/tmp', '~', '..'))",
             before="any_of(lambda place: written(place + '/left'), ('/tmp', '/dev/shm', '.', '/var/tmp', '..'))"),
    _attempt("folders of other runs",
             "any_of(os.listdir, ('..', os.path.dirname(os.getcwd()) if os.getcwd() != '/tmp' else '-'))\n"
             "return os.getcwd() != '/tmp' and any_of(os.listdir, ('..',))"),
    _attempt("modules patched by the run before",
             "import math, random\n"
             "return math.sqrt(4) != 2.0 or json.loads('1') != 1 or len('ab') != 2 or 'left' in sys.modules",
             before="import builtins, math, random\n"
                    "math.sqrt = json.loads = builtins.len = lambda *_: 7\nsys.modules['left'] = math"),
    _attempt("patched in memory", "(1000003).bit_length() != 20 or 5 + 5 != 10",
             before="ctypes.memset(id(5) + 24, 9, 1)"),
    _attempt("the environment of the run before", "'LEFT' in os.environ or libc.getenv(b'LEFT')",
             before="os.environ['LEFT'] = '1'"),
    _attempt("settings of the run before",
             "found = os.umask(0o22), sys.getrecursionlimit(), signal.getsignal(10), threading.active_count()\n"
             "found != (0o22, 3000, signal.SIG_DFL, 1)",
             before="os.umask(0); sys.setrecursionlimit(99)\nsignal.signal(10, signal.SIG_IGN)\n"
                    "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"),
    _attempt("semaphores of the run before",
             "libc.sem_open.restype = ctypes.c_void_p\nlibc.sem_open(b'/left', 0) or False",
             before="libc.sem_open(b'/left', 64, 0o666, 1)"),
    _attempt("shared memory of the run before", "libc.shmget(task['key'], 1, 0) >= 0",
             before="libc.shmget(task['key'], 4096, 0o1666)"),
    _attempt("semaphores of System V before", "libc.semget(task['key'], 1, 0) >= 0",
             before="libc.semget(task['key'], 1, 0o1666)"),
    _attempt("processes of the run before",
             "any_of(lambda pid: pid > 1 and os.kill(pid, 0) is None, [os.getpid() - n for n in range(1, 20)])",
             before="if not os.fork(): time.sleep(20)"),
    _attempt("memory of the run before",
             "import gc\n"
             f"secret = {_SECRET}\n"
             "any_of(lambda one: type(one) is dict and secret in map(str, dict.values(one))\n"
             "    and dict.get(one, 'secret') != secret, gc.get_objects())",
             before=f"secret = {_SECRET}"),
    _attempt("sockets in the frames above",
             "found, frame = [], sys._getframe()\n"
             "while frame:\n"
             "    found += [one for one in frame.f_locals.values() if isinstance(one, socket.socket)]\n"
             "    frame = frame.f_back\n"
             "any_of(lambda one: one.fileno() > 3 and os.fstat(one.fileno()), found)"),
    _attempt("requests in the objects of the collector",
             "import gc\n"
             "any_of(lambda one: isinstance(one, socket.socket) and one.fileno() > 3 and os.fstat(one.fileno()),\n"
             "    gc.get_objects())"),
    _attempt("locks of the run before",
             "fcntl.flock(os.open(os.__file__, 0), fcntl.LOCK_EX | fcntl.LOCK_NB)\nreturn False",
             before="fcntl.flock(os.open(os.__file__, 0), fcntl.LOCK_EX)\nif not os.fork(): time.sleep(20)"),
]  # fmt: skip

GROUPS = {
    "reading": READING, "writing": WRITING, "environment": ENVIRONMENT, "network": NETWORK,
    "processes": PROCESSES + STAYING, "memory": MEMORY, "output": OUTPUT, "time": TIME,
    "signals": SIGNALS, "others": OTHERS, "privilege": PRIVILEGE, "crashes": CRASHES,
    "channel": CHANNEL, "leaks": LEAKS,
}  # fmt: skip
CASES = [
    case._replace(name=f"{group}: {case.name}") for group, cases in GROUPS.items() for case in cases
]
