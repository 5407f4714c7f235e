"""The second rung: what bubblewrap is told, what it refuses, and what it leaves behind."""

import os
import signal
import time
from pathlib import Path

import pytest
from sandbox_harness import NEEDS_BWRAP, descendants, gone_in, run, said

from tracefactory.sandbox import bundle, bwrap
from tracefactory.sandbox.box import Box
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost, Pool, Unavailable

pytestmark = NEEDS_BWRAP


@pytest.fixture
def pool():
    found = Pool("bwrap")
    yield found
    found.close()


def zygotes_below():
    return descendants(os.getpid())


def test_it_is_nobody_alone_and_first(pool):
    program = "import os; print(os.getpid(), os.getuid(), os.getgid(), os.getcwd())"
    assert said(pool, program) == "1 65534 65534 /tmp"
    assert said(pool, "import os; print(os.listdir('/proc'), os.listdir('/etc'))") == "[] []"
    assert said(pool, "import os; print(os.path.exists('/sys'), os.listdir('/tmp'))") == "False []"


def test_every_run_has_an_interpreter_of_its_own(pool):
    """What one run does to its memory, and where things lie in it, no other run shares."""
    program = "import json; json.left = 1; print(id(json))"
    assert said(pool, program) != said(pool, program)
    assert said(pool, "import json; print(hasattr(json, 'left'))") == "False"


def test_no_process_is_left_and_no_zombie(pool):
    said(pool, "print(1)")
    before = zygotes_below()
    for program in (
        "print(1)",
        "import os, time\nfor _ in range(5):\n    if not os.fork(): os.setsid(); time.sleep(30)",
        "import os, signal\nos.fork()\nwhile True: signal.pause()",
    ):  # fmt: skip
        run(pool, program, wall_s=0.7)
    assert (
        gone_in(30, {pid: at for pid, at in zygotes_below().items() if pid not in before}) == set()
    )
    assert set(zygotes_below()) == set(before)


def test_bwrap_killed_from_outside_leaves_nothing(pool):
    said(pool, "print(1)")
    before = zygotes_below()
    with Box(pool, Limits(wall_s=10)) as box:
        program = "import os\nos.fork()\nprint(1, flush=True)\nimport time; time.sleep(9)"
        box.send({"job": "program", "program": program})
        time.sleep(0.5)
        new = {pid: at for pid, at in zygotes_below().items() if pid not in before}
        (outer,) = [pid for pid in new if Path(f"/proc/{pid}/stat").read_text().split()[3]
                    in map(str, before)]  # fmt: skip
        os.kill(outer, signal.SIGKILL)
        assert box.finish().signal == signal.SIGKILL
    assert gone_in(30, new) == set()
    assert said(pool, "print(2)") == "2"


def test_exit_codes_above_128_are_signals(pool):
    """What bwrap says of both is the same; the module says so."""
    assert run(pool, "import os; os._exit(137)").signal == 9
    assert run(pool, "import os; os._exit(200)").exit_code == 200


def test_bwrap_that_cannot_start_a_run_is_no_verdict(tmp_path, monkeypatch):
    """A program that exits with 1 and a bwrap that does are told apart by bwrap's own word."""
    walls = bwrap.Bubblewrap()
    said_nothing = walls_that_ran(walls, b"")
    with pytest.raises(OSError, match="did not start"):
        walls.clean(said_nothing.pid, 1 << 8, said_nothing.kept)
    said_all = walls_that_ran(walls, b'{"child-pid": 7}\n{"exit-code": 1}\n')
    assert walls.clean(said_all.pid, 1 << 8, said_all.kept) == 1 << 8


class walls_that_ran:
    def __init__(self, walls, text):
        self.pid = 1 << 22
        walls._running = set(descendants(os.getpid()))
        self.kept = walls.before_fork()
        os.write(self.kept.writing, text)
        walls.after_fork(self.pid, self.kept)


def test_the_first_word_of_the_channel_cannot_be_a_loss(pool):
    """A program that claims its walls failed is not believed: that would be retried for ever."""
    program = 'import os; os.write(3, b\'{"lost": "x"}\\n{"end": "walls"}\\n\')'
    with Box(pool, Limits()) as box:
        box.send({"job": "program", "program": program})
        assert box.finish().exit_code == 0


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo '--size SIZE'; exit 0", None),
        ("echo nothing", "too old"),
        ("echo '--size X'; echo 'bwrap: No permissions to create namespace' >&2; "
         "test \"$1\" = --help", "No permissions to create namespace"),
    ],
)  # fmt: skip
def test_what_bwrap_lacks_is_said(tmp_path, monkeypatch, script, why):
    """A bwrap of the test's own; a good answer to the probe alone makes no rung."""
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    walls = bwrap.Bubblewrap()
    walls._program = str(program)
    walls._python, walls._environment = ["/bin/true"], {}
    if why is None:
        assert "--remount-ro" in walls._that_work(["/usr"])
    else:
        with pytest.raises(OSError, match=why):
            walls._that_work(["/usr"])


def test_without_the_last_lock_where_bwrap_refuses_it(tmp_path):
    """AlmaLinux 9.8 fails on --disable-userns alone; the filter denies new namespaces anyway."""
    program = tmp_path / "bwrap"
    program.write_text(
        "#!/bin/sh\ncase \"$*\" in\n*--help*) echo '--size X --disable-userns';;\n"
        "*--disable-userns*) exit 1;;\nesac\n"
    )
    program.chmod(0o755)
    walls = bwrap.Bubblewrap()
    walls._program, walls._python, walls._environment = str(program), ["/bin/true"], {}
    assert "--disable-userns" not in walls._that_work(["/usr"])


def test_the_bundle_holds_all_that_the_driver_imports():
    """What is not in it would be missing behind bwrap and on a server, and only there."""
    names = set(bundle.MODULES)
    for text in bundle.sources().values():
        for line in text.splitlines():
            if line.startswith(("from tracefactory", "import tracefactory")):
                first, _, rest = line.partition(" import ")
                module = first.removeprefix("from tracefactory.sandbox").lstrip(".")
                wanted = {module} if module else {one.strip() for one in rest.split(",")}
                assert wanted <= names, line


def test_a_rung_that_is_gone_is_unavailable(monkeypatch):
    from tracefactory.sandbox import pool as pools

    boot = pools._BOOT.replace(
        "import sys;", "import sys, shutil; shutil.which = lambda *a, **k: None;"
    )
    monkeypatch.setattr(pools, "_BOOT", boot)
    lost = Pool("bwrap")
    with pytest.raises((Unavailable, Lost), match="bubblewrap"):
        run(lost, "print(1)")
