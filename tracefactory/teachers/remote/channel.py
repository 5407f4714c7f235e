"""Bytes to a server and back: connections, the key, who is in flight, and the GPU's time.

Not here: what is sent, and when (endpoint.py). aiohttp is imported where a connection is opened:
most commands and workers ask nobody.
"""

import asyncio
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from tracefactory.errors import ResourceError
from tracefactory.teachers.remote.faults import error_of
from tracefactory.teachers.remote.manner import AnswerError

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

KEEP_ALIVE_S = 4.0
"""An unused connection is closed before common servers close it (5 s): no request meets its end."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an endpoint is and how it is treated. Equal places share one endpoint."""

    base_url: str
    """What paths are added to; `http://engine` or the like over a unix socket."""
    api_key_env: str | None = None
    """The environment variable that holds the key; None: no key is sent."""
    unix_socket: str | None = None
    """The socket's path, if that is how to get there."""
    cap: int = 256
    """Requests in flight at most, to begin with; it begins there too."""
    timeout_s: float | None = None
    """Of one request; None: as long as it takes."""
    trip_s: float = 30.0
    """So long with failures only, and one request at a time tries it."""
    give_up_s: float = 1800.0
    """So long with failures only, and TeacherError ends whoever asks."""


class Channel:
    """A pool of connections to one server, open while somebody asks."""

    def __init__(self, place: Place, gpus: float = 0.0) -> None:
        """Make it; nothing is opened yet. With `gpus`, each answer gets its share of their time."""
        self.in_flight = 0
        self.gpus = gpus
        self.place = place
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None
        self._proxy: str | None = None
        self._key = ""
        self._share = self._since = 0.0
        """The integral of gpus / in_flight over time, and until when."""

    def open(self) -> None:
        """Be ready to send.

        Raises:
            ResourceError: there is no key.
        """
        if self._session is not None:
            return
        import aiohttp

        self._key = _key(self.place)
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._proxy = _proxy(self.place)
        self._session = aiohttp.ClientSession(
            connector=_connector(self.place),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            # sock_connect too is no limit of ours: the kernel gives up by itself
            timeout=aiohttp.ClientTimeout(total=self.place.timeout_s),
        )

    async def close(self) -> None:
        """Close all connections; `open` opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def move(self, place: Place) -> None:
        """Send elsewhere from now on; what is in flight fails."""
        self.place, session, self._session = place, self._session, None
        if session is not None:
            self.open()
            await session.close()

    async def post(self, path: str, body: bytes) -> tuple[bytes, float]:
        """One request; the body of its answer, and its share of the GPUs' time in seconds.

        Raises:
            AnswerError: no answer, half an answer, or one of another status than 200.
        """
        began = self._count(1)
        try:
            answer = await self._exchange("POST", path, body)
        except AnswerError as error:
            error.gpu_s = self._count(-1) - began
            raise
        except BaseException:
            self._count(-1)
            raise
        return answer, self._count(-1) - began

    async def fetch(self, path: str, body: bytes | None = None) -> bytes:
        """One request that is counted nowhere: a GET, or a POST of JSON.

        Raises:
            AnswerError: no answer, half an answer, or one of another status than 200.
        """
        return await self._exchange("GET" if body is None else "POST", path, body)

    async def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        session = self._session
        if session is None:
            raise AnswerError("nobody asks this endpoint, so no connection is open", answered=False)
        import aiohttp
        from yarl import URL

        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self.place.base_url + path)
        try:
            async with session.request(
                method, url, data=body, allow_redirects=False, proxy=self._proxy
            ) as response:
                answer = await response.read()
                if response.status != 200:
                    if self._key:  # some servers say it back, and what they say is kept
                        answer = answer.replace(self._key.encode(), b"(the key)")
                    raise error_of(response.status, response.headers, answer)
                return answer
        except TimeoutError as error:
            raise AnswerError(f"no answer within {self.place.timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            torn = isinstance(error, aiohttp.ClientPayloadError)
            raise AnswerError(f"{type(error).__name__}: {error}", answered=torn) from error

    def _count(self, change: int) -> float:
        """Note that a request began or ended; the integral until now."""
        if self.gpus:
            now = time.monotonic()
            if self.in_flight:
                self._share += self.gpus * (now - self._since) / self.in_flight
            self._since = now
        self.in_flight += change
        return self._share


def is_loopback(url: str) -> bool:
    """Does the URL lead to this machine?"""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _key(place: Place) -> str:
    """What the server wants to be shown; empty: nothing."""
    if place.api_key_env is None:
        return ""
    key = os.environ.get(place.api_key_env, "").strip()
    if not key.isprintable() or not key.isascii():
        raise ResourceError(
            f"the environment variable {place.api_key_env} holds no key: there is a line break or "
            "another sign in it that no key has"
        )
    if key or place.unix_socket or is_loopback(place.base_url):
        return key
    raise ResourceError(
        f"{place.base_url} needs a key, and the environment variable {place.api_key_env} is not "
        "set where the workers run; set it, or name another with `api_key_env`"
    )


def _connector(place: Place) -> "aiohttp.BaseConnector":
    import aiohttp

    asyncio.get_running_loop()  # connectors belong to the loop that runs
    if place.unix_socket is not None:
        return aiohttp.UnixConnector(place.unix_socket, limit=0, keepalive_timeout=KEEP_ALIVE_S)
    return aiohttp.TCPConnector(
        limit=0, keepalive_timeout=KEEP_ALIVE_S, socket_factory=_watched_socket
    )


def _watched_socket(info: "aiohttp.AddrInfoType") -> socket.socket:
    """A socket whose other end is asked from time to time whether it is still there.

    Traces may take hours, so silence means nothing; a machine that vanished must show all the same.
    """
    family, kind, protocol, _, _ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 6)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


def _proxy(place: Place) -> str | None:
    """The proxy of the environment; looked up once and not for each request, as aiohttp would."""
    url = urlsplit(place.base_url)
    if place.unix_socket or is_loopback(place.base_url) or proxy_bypass(url.hostname or ""):
        return None
    return getproxies().get(url.scheme)
