"""Each rung holds what it says, as root and as an ordinary user, and all of them agree."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_harness import ALL_RUNGS, ROOT, WALLED, as_ordinary_user, run, said

from tracefactory.sandbox import canaries
from tracefactory.sandbox.pool import Pool

CANARIES = """
import sys, json
from tracefactory.sandbox.canaries import examine
from tracefactory.sandbox.pool import Pool
pool = Pool(sys.argv[1])
print(json.dumps([list(one) for one in examine(pool)]))
pool.close()
"""


@pytest.fixture(scope="module", params=WALLED)
def pool(request):
    found = Pool(request.param)
    yield found
    found.close()


def test_every_canary_holds(pool):
    found = canaries.examine(pool)
    assert [canary for canary in found if not canary.held] == []
    assert [canary.name for canary in found] == list(canaries.NAMES)


@pytest.mark.parametrize("name", WALLED)
def test_every_canary_holds_for_an_ordinary_user(name, tmp_path):
    with as_ordinary_user(tmp_path) as ask:
        found = ask(CANARIES, name)
    assert "false" not in found
    assert found.count("true") == len(canaries.NAMES)


@pytest.mark.parametrize("name", WALLED)
def test_it_may_be_installed_where_only_root_may_enter(name, tmp_path):
    """As in /root: what becomes nobody has read all that it needs."""
    home = tmp_path / "home"
    shutil.copytree(ROOT / "tracefactory/sandbox", home / "tracefactory/sandbox")
    (home / "tracefactory/__init__.py").touch()
    home.chmod(0o700)
    found = subprocess.run(
        [sys.executable, "-c", CANARIES, name], env={"PYTHONPATH": str(home), "HOME": "/root"},
        cwd="/", capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert "false" not in found
    assert found.count("true") == len(canaries.NAMES)


def test_canaries_sing_where_there_are_no_walls():
    """Else a canary that holds would say nothing."""
    before = {place: set(os.listdir(place)) for place in ("/", "/usr", "/etc", Path.home())}
    pool = Pool("none-unsafe")
    found = {canary.name for canary in canaries.examine(pool) if canary.held}
    pool.close()
    only_root_may = set() if os.getuid() == 0 else {"core_pattern"}
    assert found == {"memory"} | only_root_may  # limits are no walls, and always there
    assert {place: set(os.listdir(place)) for place in before} == before


def test_an_unstartable_rung_says_why():
    pool = Pool("none-such")
    (found,) = canaries.examine(pool)
    assert (found.name, found.held) == ("start", False)
    assert "none-such" in found.detail


@pytest.mark.parametrize(
    ("program", "code", "signal", "killed_for"),
    [
        ("print(1)", 0, None, ""),
        ("raise SystemExit(3)", 3, None, ""),
        ("import sys; sys.exit('no')", 1, None, ""),
        ("1/0", 1, None, ""),
        ("import os; os._exit(250)", 250, None, ""),
        ("import ctypes; ctypes.string_at(0)", None, 11, ""),
        ("while True: pass", None, 9, "timeout_wall"),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", None, 9, "output_limit"),
        ("x = bytearray(1 << 30)", 1, None, ""),
    ],
)
def test_endings_are_the_same_on_every_rung(pool, program, code, signal, killed_for):
    found = run(pool, program, wall_s=3.0, memory_mb=512)
    assert (found.exit_code, found.signal, found.killed_for) == (code, signal, killed_for)


def test_processor_time_ends_it(pool):
    found = run(pool, "while True: pass", wall_s=20.0, cpu_s=1.0)
    assert (found.signal, found.killed_for) == (9, "")
    assert found.cpu_s > 0.5  # the kernel counts it in ticks


def test_nothing_of_the_launcher_s_environment_is_there(pool):
    found = eval(said(pool, "import os; print(dict(os.environ))"))
    assert set(found) == {"PATH", "HOME", "TMPDIR", "LC_ALL"}


def test_the_standard_library_is_there(pool):
    """Modules of packages that were imported before the walls stood, and others."""
    said(
        pool,
        "import encodings.ascii, encodings.cp1252, json.tool, collections.abc, ctypes\n"
        "import decimal, sqlite3, unittest, xml.dom, zoneinfo, multiprocessing, asyncio",
    )


def test_only_four_descriptors_come_along(pool):
    program = "import os\nfound = []\nfor fd in range(300):\n    try: os.fstat(fd)\n    except OSError: continue\n    found.append(fd)\nprint(found)"  # noqa: E501
    assert said(pool, program) == "[0, 1, 2, 3]"


def test_what_the_filter_denies(pool):
    program = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
found = []
for name, number, *args in [
    ("socket", 41, 2, 1, 0), ("unshare", 272, 0x10000000), ("mount", 165, 0, 0, 0, 0, 0),
    ("ptrace", 101, 0, 0, 0, 0), ("bpf", 321, 0, 0, 0), ("io_uring_setup", 425, 1, 0),
    ("keyctl", 250, 0, 0), ("perf_event_open", 298, 0, 0, 0, 0, 0), ("userfaultfd", 323, 0),
    ("setns", 308, 0, 0), ("clone", 56, 0x10000000 | 17, 0, 0, 0, 0), ("memfd_create", 319, 0, 0),
]:
    if libc.syscall(number, *args) != -1 or ctypes.get_errno() != errno.EPERM:
        found.append(name)
if libc.syscall(435, 0, 0) != -1 or ctypes.get_errno() != errno.ENOSYS:
    found.append("clone3")
print(found)
"""
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86-64")
    assert said(pool, program) == "[]"


def test_what_a_run_writes_has_a_limit(pool):
    """Where it has a file system of its own, that is full; else it is watched, and killed."""
    program = """
import time
try:
    for n in range(100):
        with open(f"{n}", "wb") as file:
            file.write(bytes(1 << 20))
        time.sleep(0.05)
except OSError as error:
    print(error.errno, n)
"""
    if pool.walls == "landlock":
        assert run(pool, program, disk_mb=8).killed_for == "disk_limit"
        return
    errno, written = said(pool, program, disk_mb=8).split()
    assert errno == "28"
    assert int(written) < 9


def test_a_fork_bomb_is_bounded_and_ends(pool):
    program = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    found = run(pool, program, wall_s=1.0, processes=20)
    assert found.killed_for == "timeout_wall"
    assert said(pool, "print(1)") == "1"


LANDLOCK = [
    ("chmod", "import os; os.chmod({file!r}, 0o777)"),
    ("times", "import os; os.utime({file!r}, (1, 1))"),
    ("attributes", "import os; os.setxattr({file!r}, 'user.x', b'1')"),
    ("limits of others", "import resource, os; "
                         "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (9, 9))"),
    ("priority of others", "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)"),
    ("leaving the group", "import os; os.setsid()"),
    ("watching", "import ctypes; l = ctypes.CDLL(None); "
                 "fd = l.inotify_init1(0)\nif fd < 0: raise PermissionError"),
    ("semaphores", "import ctypes; l = ctypes.CDLL(None)\n"
                   "if l.semget(1234, 1, 0o1777) < 0: raise PermissionError"),
    ("owner of signals", "import fcntl, os; fcntl.fcntl(1, fcntl.F_SETOWN, os.getppid())"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "program"), LANDLOCK, ids=[name for name, _ in LANDLOCK])
def test_landlock_s_filter_closes_what_landlock_leaves_open(tmp_path, name, program):
    """All of it would work on other things of the same user."""
    file = tmp_path / "file"
    file.write_text("x")
    before = file.stat()
    pool = Pool("landlock")
    found = run(pool, program.format(file=str(file)))
    pool.close()
    assert found.exit_code == 1
    assert file.stat() == before


def test_its_own_limits_stay_its_own_to_lower():
    pool = Pool("landlock")
    program = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (9, 9)); print(r.getrlimit(7))"
    assert said(pool, program) == "(9, 9)"
    pool.close()


@pytest.mark.parametrize("name", ["landlock", "none-unsafe"])
@pytest.mark.parametrize(
    "program",
    [
        "import os\nfor _ in range(3000):\n    os.mkdir('x'); os.chdir('x')",
        "import os\nos.mkdir('shut', 0); os.mkdir('a'); os.symlink('/usr', 'a/link')",
        "import os\nfor n in range(300): os.makedirs(f'{n}/{n}'); open(f'{n}/f', 'w').close()",
        "import os\nos.mkfifo('p'); os.rmdir(os.getcwd()) if False else None",
        "import os, shutil\nhere = os.getcwd(); shutil.rmtree(here, ignore_errors=True)",
    ],
)
def test_whatever_a_run_leaves_is_removed(name, program):
    pool = Pool(name)
    folder = Path(said(pool, "import os\nprint(os.getcwd())")).parent
    run(pool, program, wall_s=10.0)
    assert said(pool, "print(1)") == "1"
    assert os.listdir(folder) == []
    pool.close()
    assert not folder.exists()


@pytest.mark.parametrize("name", ALL_RUNGS)
def test_devices_are_devices_and_nothing_else_is(name):
    pool = Pool(name)
    program = "import os\nfor n in ('null', 'full', 'random', 'urandom'): print(os.stat('/dev/' + n).st_mode)"  # noqa: E501
    modes = said(pool, program).split()
    pool.close()
    assert all(stat.S_ISCHR(int(mode)) for mode in modes)


def test_an_interpreter_in_tmp_is_not_covered(tmp_path):
    """A box has a /tmp of its own; an interpreter that lives in the host's must still be found."""
    if os.getuid():
        pytest.skip("only root's interpreter is copied by the test")
    from tracefactory.sandbox.interpreter import _copied_interpreter, interpreter

    folder = Path("/tmp", f"tracefactory-test-python-{os.getpid()}")
    shutil.copytree(_copied_interpreter(), folder, symlinks=True)
    try:
        for name in ("namespaces", "landlock"):
            script = CANARIES + "print(__import__('sys').base_prefix)"
            found = subprocess.run(
                [interpreter(str(folder)), "-c", script, name], capture_output=True, text=True,
                env={"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": "/root",
                     "LD_LIBRARY_PATH": f"{folder}/lib", "PYTHONDONTWRITEBYTECODE": "1"},
                check=True, timeout=60,
            ).stdout  # fmt: skip
            assert str(folder) in found
            assert "false" not in found
    finally:
        shutil.rmtree(folder)
