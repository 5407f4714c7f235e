"""The best rung that holds is chosen, once; where none does, nothing runs and all is said."""

import json
import os
import threading

import pytest
from sandbox_harness import as_ordinary_user, said

from tracefactory.cli import doctor
from tracefactory.sandbox import ladder
from tracefactory.sandbox.pool import Unavailable

# A user namespace that allows no other inside: what Ubuntu's AppArmor and many containers do.
FORBIDDING = """
import ctypes, os, struct, sys
from tracefactory.sandbox import syscalls as call
def forbid_namespaces():
    user, group = os.getuid(), os.getgid()
    call.unshare(call.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"),
                       ("gid_map", f"{group} {group} 1")):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
def forbid_landlock():
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (6, 0, 0, 0x50000 | 38), (6, 0, 0, 0x7fff0000)]
    call.prctl(call.PR_SET_NO_NEW_PRIVS, 1)
    call.seccomp(b"".join(struct.pack("=HBBI", *step) for step in steps))
"""
CHOOSE = """
import json
from tracefactory.sandbox import ladder
from tracefactory.sandbox.pool import Unavailable
try:
    rung = ladder.choose()
    print(json.dumps({"rung": rung.name, "held": ladder.holds(rung)}))
    rung.pool.close()
except Unavailable as error:
    print(json.dumps({"refused": str(error)}))
"""


def test_the_default_is_the_first_and_is_chosen_once():
    rung = ladder.choose()
    assert rung.name == "namespaces"
    assert ladder.holds(rung)
    assert len(rung.findings) > 10
    found = []
    threads = [threading.Thread(target=lambda: found.append(ladder.choose())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(one) for one in found} == {id(rung)}
    assert said(rung.pool, "print(1)") == "1"


def test_a_rung_can_be_forced_and_nothing_unnamed_is_unsafe():
    assert ladder.choose("landlock").name == "landlock"
    unsafe = ladder.choose("none-unsafe")
    assert (unsafe.name, unsafe.findings) == ("none-unsafe", ())
    with pytest.raises(ValueError, match="none of namespaces"):
        ladder.choose("docker")


def test_an_ordinary_user_gets_the_default_too(tmp_path):
    with as_ordinary_user(tmp_path) as ask:
        assert json.loads(ask(CHOOSE)) == {"rung": "namespaces", "held": True}


def test_without_user_namespaces_it_is_landlock(tmp_path):
    with as_ordinary_user(tmp_path) as ask:
        found = json.loads(ask(FORBIDDING + "forbid_namespaces()" + CHOOSE))
    assert found == {"rung": "landlock", "held": True}


def test_without_anything_nothing_runs_and_all_is_said(tmp_path):
    script = FORBIDDING + "forbid_namespaces()\nforbid_landlock()" + CHOOSE
    with as_ordinary_user(tmp_path) as ask:
        found = json.loads(ask(script))["refused"]
    for word in (
        "namespaces: start: unshare: No space left on device",  # the kernel's word for a limit of 0
        "sysctl user.max_user_namespaces=10000",
        "bwrap: start",
        "landlock: start: landlock: the kernel has none",
        "TRACEFACTORY_SANDBOX_URL is not set",
        "isolation: none-unsafe runs them without walls, and marks every record",
    ):
        assert word in found, found


def test_a_refusal_is_repeated_for_a_while_and_then_tried_again(monkeypatch):
    monkeypatch.delenv(ladder.URL_VARIABLE, raising=False)
    ladder._choice.refused.clear()
    with pytest.raises(Unavailable):
        ladder.choose("remote")
    monkeypatch.setattr(ladder, "tried", lambda name: ladder.Rung(name, None))
    with pytest.raises(Unavailable):
        ladder.choose("remote")
    monkeypatch.setattr(ladder, "_REFUSAL_STANDS_S", 0.0)
    try:
        assert ladder.choose("remote").name == "remote"
    finally:
        ladder._choice.made.pop("remote", None)
        ladder._choice.refused.clear()


def test_doctor_shows_every_rung_and_the_one_that_is_used(capsys, monkeypatch):
    monkeypatch.delenv(ladder.URL_VARIABLE, raising=False)
    rungs = doctor._rungs()
    finding = doctor._sandbox(rungs)
    assert (finding["ok"], finding["found"]) == (True, "namespaces holds untrusted programs")
    shown = {rung["rung"]: rung for rung in finding["rungs"]}
    assert list(shown) == ["namespaces", "bwrap", "landlock", "remote"]
    assert [name for name, rung in shown.items() if rung["used"]] == ["namespaces"]
    assert shown["remote"]["remedy"].startswith("name a SandboxFusion server")
    for rung in rungs:
        doctor._print_rung(rung)
    text = capsys.readouterr().out
    assert "used  namespaces" in text
    assert "TRACEFACTORY_SANDBOX_URL is not set" in text


def test_doctor_fails_where_nothing_holds():
    nothing = doctor._Tried(
        ladder.Rung("bwrap", None, (ladder.Canary("start", False, "bwrap: not found"),)), False, 0.1
    )
    finding = doctor._sandbox([nothing])
    assert not finding["ok"]
    assert "none-unsafe" in finding["found"]
    assert "apt-get install bubblewrap" in finding["rungs"][0]["remedy"]


def test_self_tests_are_quick(monkeypatch):
    """A worker does one before its first program. Five times the aim: machines are shared."""
    assert all(tried.seconds < 10 for tried in doctor._rungs()), os.getloadavg()
