"""Requests to servers of customers: callbacks, and the documents that tell what to do with a call.

Whom the URL leads to is looked at when the connection is made, by the very address that it is made to:
neither a name whose owner changes where it leads to nor an odd spelling gets inside
(`api.addresses`). No redirection is followed, no proxy of the environment used; answers are read to a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from siprec_src import __version__
from siprec_src.api.addresses import IpNetwork, refusal
from siprec_src.errors import RemoteError
from siprec_src.values import immutable

if TYPE_CHECKING:
    import aiohttp

MAX_URL: Final = 4000  #: characters
LOOKUPS: Final = 16  #: names that are looked up at a time
USER_AGENT: Final = f"siprec-src/{__version__}"


@immutable
class OutsideRequest:
    """One request."""

    method: str
    url: str = dataclasses.field(repr=False)  #: as on the wire: ASCII, no credentials, no fragment
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    body: bytes | None = dataclasses.field(default=None, repr=False)


@immutable
class OutsideAnswer:
    """What came back."""

    status: int
    headers: Mapping[str, str]  #: names without case
    body: bytes = dataclasses.field(repr=False)
    complete: bool  #: the body is all that there was


class OutsideError(RemoteError):
    """No answer. The text is for people and holds no credentials.

    Attributes:
        again: whether another try may go well.
    """

    reason = "outside-failed"

    def __init__(self, message: str, *, again: bool = True) -> None:
        super().__init__(message)
        self.again = again


class Outside:
    """Asks servers of customers.

    Args:
        allowed: networks that may be asked although they are private.
        own_port: of the daemon's own HTTP, which is never asked; whoever is on this host may command there.
        trusted_ca: more authorities than the system's.
    """

    def __init__(
        self,
        allowed: Sequence[IpNetwork] = (),
        *,
        own_port: int | None = None,
        trusted_ca: Path | None = None,
        max_concurrent: int = 100,
    ) -> None:
        self._allowed = tuple(allowed)
        self._own_port = own_port
        self._trusted_ca = trusted_ca
        self._max_concurrent = max_concurrent
        self._session: asyncio.Task[aiohttp.ClientSession] | None = None
        self._lookups = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="outside")

    async def ask(
        self, request: OutsideRequest, *, connect_timeout_s: float, timeout_s: float, max_bytes: int
    ) -> OutsideAnswer:
        """The answer, its body up to ``max_bytes``.

        Raises:
            OutsideError: there was none.
        """
        try:
            session = await self._ready()
        except (OSError, ValueError) as error:
            raise OutsideError(f"trusted_ca: {error}") from None
        import aiohttp
        from yarl import URL

        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=connect_timeout_s)
        try:
            async with session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=request.body,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body, complete = await _read(response.content, max_bytes)
                return OutsideAnswer(
                    status=response.status, headers=response.headers, body=body, complete=complete
                )
        except TimeoutError:
            raise OutsideError(f"no answer within {timeout_s:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise OutsideError(f"its certificate cannot be trusted: {error.certificate_error}") from None
        except aiohttp.ClientResponseError:  # whose text has the URL, and what came
            raise OutsideError("its answer is not HTTP") from None
        except ValueError:  # aiohttp's own, and names that IDNA does not know
            raise OutsideError("the URL cannot be used", again=False) from None
        except (aiohttp.ClientError, OSError) as error:
            raise OutsideError(_text(error)) from None

    async def prepare(self) -> None:
        """Do beforehand what the first request would have to wait for; it says what is wrong, not this."""
        with contextlib.suppress(OSError, ValueError):
            await self._ready()

    async def close(self) -> None:
        """Break off what is under way."""
        if self._session is not None:
            session = await asyncio.gather(self._session, return_exceptions=True)
            for opened in session:
                if not isinstance(opened, BaseException):
                    await opened.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def _ready(self) -> aiohttp.ClientSession:
        # A task: the second of two first requests waits for the same session, and is free to be cancelled.
        if self._session is None or (self._session.done() and self._session.exception() is not None):
            self._session = asyncio.create_task(self._open())
        return await asyncio.shield(self._session)

    async def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        # Authorities and modules take a tenth of a second: not on the loop.
        context = await loop.run_in_executor(self._lookups, _tls_context, self._trusted_ca)
        import aiohttp

        connector = aiohttp.TCPConnector(
            ssl=context,
            limit=self._max_concurrent,
            resolver=_resolver(self._lookups),
            use_dns_cache=False,
            force_close=True,  # a connection that was kept may be gone: a POST would fail for nothing
            happy_eyeballs_delay=None,  # one address after the other, each through the same door
            socket_factory=self._socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT},
            trust_env=False,
        )

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """The door: the socket for a connection to this address, if any may be made."""
        family, kind, protocol, _, (host, port, *_rest) = address
        if (why := refusal(host, self._allowed)) is not None:
            raise OutsideError(f"{why}, and [callbacks] allow_private does not have it", again=False)
        if port == self._own_port and _is_ours(family, host):
            raise OutsideError("this is the daemon's own API", again=False)
        return socket.socket(family, kind, protocol)


def check_url(text: str) -> None:
    """Raises ValueError, saying why, when ``text`` is no absolute URL of http or https."""
    if len(text) > MAX_URL:
        raise ValueError(f"longer than {MAX_URL} characters")
    if any(sign <= " " or sign == "\x7f" for sign in text):
        raise ValueError("blanks or control characters in it")
    parts = urlsplit(text)
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError("expected http:// or https://")
    if not parts.hostname or parts.port == 0:
        raise ValueError("expected a host")
    text.encode("utf-8")


def shown(url: str) -> str:
    """A URL for logs: without credentials, and without the values of its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no URL"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?…" if parts.query else "")


def _tls_context(trusted_ca: Path | None) -> ssl.SSLContext:
    import aiohttp  # noqa: F401 - so that it is there when the loop wants it

    context = ssl.create_default_context()
    if trusted_ca is not None:
        context.load_verify_locations(trusted_ca)
    return context


def _resolver(executor: ThreadPoolExecutor) -> Any:
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Resolver(AbstractResolver):
        """The system's lookups, in threads of our own: slow ones hold up nobody else."""

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            found = await asyncio.get_running_loop().run_in_executor(
                executor, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            )
            numeric = socket.AI_NUMERICHOST
            return [
                ResolveResult(
                    hostname=host, host=str(at[0]), port=port, family=kind, proto=protocol, flags=numeric
                )
                for kind, _, protocol, _, at in found
            ]

        async def close(self) -> None:
            pass

    return Resolver()


async def _read(content: aiohttp.StreamReader, max_bytes: int) -> tuple[bytes, bool]:
    """So much of a body as is wanted, and whether it was all."""
    octets = bytearray()
    async for chunk in content.iter_any():
        octets += chunk
        if len(octets) > max_bytes:
            return bytes(octets[:max_bytes]), False
    return bytes(octets), True


def _is_ours(family: int, host: str) -> bool:
    """Whether this host has the address: only to such a one can a socket be bound."""
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((host, 0))
        except OSError:
            return False
        return True


def _text(error: Exception) -> str:
    """In the system's words where it is its error: those of Python name addresses and more."""
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None) or 0
    if number > 0:
        return os.strerror(number)
    return str(getattr(cause, "strerror", None) or cause) or type(error).__name__
