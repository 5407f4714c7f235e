"""What hangs is not waited for: a call that moves no byte over any connection is given up.

Transfers can hang without an end or an error (Xet behind some proxies does). Libraries differ in
what they tell, so the kernel is asked: Linux counts the bytes of each TCP connection. Elsewhere a
call is waited for as long as it takes.
"""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from tracefactory.errors import ResourceError

T = TypeVar("T")

LOOK_S = 0.5
_INFO_BYTES = 256
_ACKED_AT = 120
"""Of the 8-byte counters of bytes acknowledged and received, in `struct tcp_info` of Linux."""


class Stalled(ResourceError):
    """No byte moved for too long."""


def moved_bytes() -> dict[int, int] | None:
    """Bytes sent and received by each of this process's TCP connections; None: cannot be known."""
    here = Path("/proc/self/fd")
    if not hasattr(socket, "TCP_INFO") or not here.is_dir():
        return None
    found: dict[int, int] = {}
    for entry in os.listdir(here):  # noqa: PTH208  (names alone: entries come and go)
        with contextlib.suppress(OSError, struct.error):
            if not os.readlink(here / entry).startswith("socket:"):  # noqa: PTH115
                continue
            inode = os.stat(here / entry).st_ino  # noqa: PTH116
            with socket.socket(fileno=os.dup(int(entry))) as one:
                if one.type != socket.SOCK_STREAM or one.family not in _INTERNET:
                    continue
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            found[inode] = sum(struct.unpack_from("=QQ", info, _ACKED_AT))
    return found


_INTERNET = (socket.AF_INET, socket.AF_INET6)


class _Watch:
    """Remembers when a byte last moved."""

    def __init__(self) -> None:
        self._before = moved_bytes()
        self._last = time.monotonic()

    def still_s(self) -> float:
        """Seconds without a byte; a connection that is new counts from its second look on."""
        now = moved_bytes()
        if now is None or self._before is None:
            return 0.0
        if any(n > self._before.get(one, n) for one, n in now.items()):
            self._last = time.monotonic()
        self._before = now
        return time.monotonic() - self._last


def watched(do: Callable[[], T], what: str, limit_s: float) -> T:
    """The result of `do`, which runs in a thread of its own and is left behind if it hangs.

    Raises:
        Stalled: no byte moved for `limit_s` seconds.
    """
    ended = threading.Event()
    found: dict[str, Any] = {}

    def work() -> None:
        try:
            found["result"] = do()
        except BaseException as error:
            found["error"] = error
        finally:
            ended.set()

    watch = _Watch()
    threading.Thread(target=work, name=what, daemon=True).start()
    while not ended.wait(LOOK_S):
        if watch.still_s() > limit_s:
            raise Stalled(
                f"{what}: no byte moved for {limit_s:.0f} s. Nothing of this release is visible "
                "yet. Give the same command again, what was sent is not sent twice; if it hangs "
                "again, try --no-xet (plain HTTP), or --stalled-after for a very slow line."
            )
    if "error" in found:
        raise found["error"]
    return cast("T", found["result"])
