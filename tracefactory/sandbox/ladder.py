"""Which walls hold here: tried from the best to the least, by running canaries behind each.

    namespaces, bwrap, landlock   on this machine (walls.py)
    remote                        a server, if TRACEFACTORY_SANDBOX_URL names one (remote.py)
    none-unsafe                   only by that name; every record then says so

Chosen once per process and never changed: what fails later is a fault to retry, not a reason to
step down. If nothing holds, nothing runs.
"""

import os
import threading
import time
from pathlib import Path

from tracefactory.sandbox import remote, syscalls
from tracefactory.sandbox.canaries import examine
from tracefactory.sandbox.pool import Pool, Unavailable
from tracefactory.sandbox.rung import Canary, Rung

__all__ = [
    "LOCAL",
    "NAMES",
    "UNSAFE",
    "URL_VARIABLE",
    "Canary",
    "Rung",
    "choose",
    "holds",
    "remedy",
    "tried",
]
LOCAL = ("namespaces", "bwrap", "landlock")
UNSAFE = "none-unsafe"
NAMES = (*LOCAL, "remote", UNSAFE)
URL_VARIABLE = "TRACEFACTORY_SANDBOX_URL"
_REFUSAL_STANDS_S = 60.0
"""How long a refusal is repeated before everything is tried again."""

_REMEDIES = {
    "namespaces": "allow user namespaces",
    "bwrap": "install bubblewrap 0.7 or newer (apt-get install bubblewrap)",
    "landlock": "use a kernel with Landlock: Linux 5.13 or newer, with landlock in its lsm= list",
    "remote": f"name a SandboxFusion server in {URL_VARIABLE}",
}
_IN_A_CONTAINER = (
    "in a container: --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
)
# What forbids user namespaces, and the value that allows them.
_SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", "1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user/max_user_namespaces", "0", "10000"),
)


def choose(isolation: str = "") -> Rung:
    """The rung that all runs of this process stand on.

    Args:
        isolation: a rung's name, to have that one or none; empty for the best that holds.

    Raises:
        Unavailable: none holds; the message has all findings and what to do.
        ValueError: there is no rung of this name.
    """
    if isolation and isolation not in NAMES:
        raise ValueError(f"isolation: {isolation!r} is none of {', '.join(NAMES)}")
    with _choice.lock:
        if isolation not in _choice.made:
            _choice.made[isolation] = _chosen(isolation)
        return _choice.made[isolation]


def tried(name: str) -> Rung:
    """The rung with its findings, whether it holds or not."""
    if name == "remote":
        url = os.environ.get(URL_VARIABLE, "")
        if not url:
            return Rung(name, None, (Canary("start", False, f"{URL_VARIABLE} is not set"),))
        return Rung(name, None, remote.examine(url), url)
    if why := syscalls.supported():
        return Rung(name, None, (Canary("start", False, why),))
    pool = Pool(name)
    if name == UNSAFE:
        return Rung(name, pool)
    findings = examine(pool)
    if not all(canary.held for canary in findings):
        pool.close()
    return Rung(name, pool, findings)


def holds(rung: Rung) -> bool:
    """Did every canary hold?"""
    return all(canary.held for canary in rung.findings)


def remedy(name: str) -> str:
    """What would make a rung hold here."""
    found = _REMEDIES.get(name, "")
    if name == "namespaces":
        hints = [
            f"sysctl {key.replace('/', '.')}={good}"
            for key, bad, good in _SWITCHES
            if _setting(key) == bad
        ]
        found += f" ({'; '.join(hints) or _IN_A_CONTAINER})"
    return found


class _Choice:
    """What this process chose; a fork starts with the same, and a lock of its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made: dict[str, Rung] = {}
        self.refused: dict[str, tuple[float, str]] = {}

    def unlock(self) -> None:
        self.lock = threading.Lock()


_choice = _Choice()
os.register_at_fork(after_in_child=_choice.unlock)


def _chosen(isolation: str) -> Rung:
    refused_at, message = _choice.refused.get(isolation, (float("-inf"), ""))
    if time.monotonic() < refused_at + _REFUSAL_STANDS_S:
        raise Unavailable(message)
    failed: list[Rung] = []
    for name in (isolation,) if isolation else (*LOCAL, "remote"):
        rung = tried(name)
        if holds(rung):
            return rung
        failed.append(rung)
    message = _refusal(failed)
    _choice.refused[isolation] = (time.monotonic(), message)
    raise Unavailable(message)


def _refusal(failed: list[Rung]) -> str:
    parts = [
        f"{rung.name}: "
        + "; ".join(f"{name}: {detail}" for name, held, detail in rung.findings if not held)
        + f" -> {remedy(rung.name)}"
        for rung in failed
    ]
    return (
        "nothing here can hold untrusted programs. "
        + " | ".join(parts)
        + f" | isolation: {UNSAFE} runs them without walls, and marks every record"
    )


def _setting(key: str) -> str:
    try:
        return Path("/proc/sys", key).read_text("ascii").strip()
    except OSError:
        return ""
