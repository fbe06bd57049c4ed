"""The API as its clients meet it: a daemon with accounts, recorders behind connectors, live calls.

The platform's own client library does the asking; only its host is replaced.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import itertools
import json
import signal
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from tests.support import speech
from tests.support.customer import Customer, Told, customer
from tests.support.daemon import LOOPBACK, Daemon, free_port, running, until
from tests.support.exchange import Dialog, Exchange
from tests.support.recorder import Recorder, Recording
from tests.support.voice import Voice

ACCOUNT, TOKEN = "AC" + "0123456789abcdef" * 2, "the token of the tests"
SECRET = "d2hhdCBzaWducw=="  #: of both applications, whose keys are the SIDs
STRANGER, STRANGERS_TOKEN = "AC" + "f" * 32, "the token of somebody else"
PLATFORM = "https://api.twilio.com"


class ToDaemon(TwilioHttpClient):  # type: ignore[misc] # the library has no types
    """The library's HTTP client, with another host; keeps what was answered."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=20)
        self._base = base
        self.answers: list[Response] = []

    def request(self, method: str, url: str, *rest: Any, **more: Any) -> Response:
        answer = super().request(method, url.replace(PLATFORM, self._base), *rest, **more)
        self.answers.append(answer)
        return answer


@dataclasses.dataclass(frozen=True, slots=True)
class Hook:
    """A URL of the customer's that one Siprec alone is told at."""

    customer: Customer
    path: str
    query: str

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.customer.port}{self.path}{self.query}"

    @property
    def told(self) -> list[Told]:
        """All that has come."""
        return [told for told in list(self.customer.told) if urlsplit(told.url).path == self.path]

    def wait(self, *events: str) -> list[dict[str, str]]:
        """The fields of each callback, once all these have come: in this order, and signed."""
        until(lambda: len(self.told) >= len(events), 5, f"{events}; so far {self.told}")
        assert [told.fields["SiprecEvent"] for told in self.told] == list(events)
        assert all(told.is_signed_with(TOKEN) for told in self.told)
        return [told.fields for told in self.told]


@dataclasses.dataclass(slots=True, kw_only=True)
class LiveCall:
    """A call through the daemon in which both speak."""

    sid: str
    handle: int  #: as logs name it
    number: str
    caller: Dialog
    alice: Voice
    bob: Voice
    alice_says: bytes
    bob_says: bytes
    exchange: Exchange

    def talk_more(self, packets: int = 10) -> None:
        """Until so many packets more have gone both ways."""
        most = [len(voice.heard) + packets for voice in (self.alice, self.bob)]
        voices = (self.alice, self.bob)
        until(
            lambda: all(len(v.heard) >= n for v, n in zip(voices, most, strict=True)), 5, "some of the speech"
        )

    def hang_up(self) -> None:
        self.exchange.hang_up(self.caller)


class Api:
    """One daemon for many tests; each has calls of its own."""

    def __init__(
        self, daemon: Daemon, exchange: Exchange, customer: Customer, recorders: dict[str, Recorder]
    ) -> None:
        self.daemon = daemon
        self.exchange = exchange
        self._customer = customer
        self.recorders = recorders
        self.base = f"http://{LOOPBACK}:{daemon.http}"
        self.client = self.client_of(ACCOUNT, TOKEN)
        self._numbers = itertools.count(1)

    def client_of(self, account: str, token: str) -> Client:
        """The library, as somebody uses it."""
        return Client(account, token, http_client=ToDaemon(self.base))

    def wait_recording(self, *sids: str | None) -> None:
        """Until an SRS has agreed to each of these Siprecs."""
        for sid in sids:
            until(partial(self._has_begun, sid), 5, f"{sid} begins")

    def reload(self) -> None:
        """Have the configuration read again."""
        before = len(self.daemon.events("config.reloaded"))
        self.daemon.signal(signal.SIGHUP)
        until(lambda: len(self.daemon.events("config.reloaded")) > before, 10, "the reload")

    def _has_begun(self, sid: str | None) -> bool:
        return bool(self.logged("recording.begin", sid))

    def logged(self, event: str, sid: str | None) -> list[dict[str, Any]]:
        """The lines of the log about the copy of one Siprec."""
        return [line for line in self.daemon.events(event) if line["copy"] == sid]

    def _handle(self, call_sid: str) -> int:
        return int(json.loads(self.daemon.get(f"/v1/calls/{call_sid}")[1])["call"])

    def recordings(self, call: LiveCall, count: int = 1, *, at: str = "Default") -> list[Recording]:
        """The finished ones of a call at one recorder, oldest first; waits until there are ``count``."""
        session = base64.b64encode(bytes.fromhex(call.sid[2:]))
        found: list[Recording] = []

        def there() -> bool:
            done = self.recorders[at].recordings(0)
            found[:] = [one for one in done if one.metadata() and session in one.metadata()[0]]
            return len(found) >= count

        until(there, 10, f"{count} recordings of {call.sid} at {at}")
        assert len(found) == count
        return found

    def hook(self, query: str = "") -> Hook:
        """A new one."""
        return Hook(self._customer, f"/hook{next(self._numbers)}", query)

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON of the newest answer that `client` got."""
        made = self.client.http_client
        assert isinstance(made, ToDaemon)
        value: dict[str, Any] = json.loads(made.answers[-1].text)
        return value

    @contextlib.contextmanager
    def call(self, *fields: str, seconds: float = 20.0) -> Iterator[LiveCall]:
        """A live call; ``fields``: more of its INVITE. Ended afterwards unless it has been."""
        number = f"+1415555{next(self._numbers):04}"
        with contextlib.ExitStack() as stack:
            alice, bob = Voice(ssrc=0x0A11CE), Voice(ssrc=0x0B0B, first_sequence=100)
            stack.callback(alice.stop)
            stack.callback(bob.stop)
            ports = (alice.port, bob.port)
            caller, callee = self.exchange.place(number, caller="+14155550000", ports=ports, fields=fields)
            words = speech.caller(seconds), speech.callee(seconds)
            alice.speak(words[0], caller.media)
            bob.speak(words[1], callee.media)
            (known,) = self.client.calls.list(to=number)
            call = LiveCall(
                sid=known.sid,
                handle=self._handle(known.sid),
                number=number,
                caller=caller,
                alice=alice,
                bob=bob,
                alice_says=words[0],
                bob_says=words[1],
                exchange=self.exchange,
            )
            yield call
            if not caller.ended:
                call.hang_up()


@contextlib.contextmanager
def api(directory: Path) -> Iterator[Api]:
    """A daemon that records on request alone.

    Its connectors are `Default` and `Gridspace1`; `Secure`, the first one by SRTP; `Mortal`, to be killed;
    `Refusing`, which declines; and `Nobody`, where nobody listens.
    """
    via, bob_at = (LOOPBACK, free_port()), (LOOPBACK, free_port())
    with contextlib.ExitStack() as stack:
        recorders = {
            name: Recorder(directory / name, behave="refuse=603" if name == "Refusing" else "answer")
            for name in ("Default", "Gridspace1", "Mortal", "Refusing")
        }
        for srs in recorders.values():
            stack.callback(srs.stop)
        for srs in recorders.values():
            srs.wait_listening()
        uris = {name: srs.uri(";transport=tcp") for name, srs in recorders.items()}
        uris["Secure"] = recorders["Default"].uri(";secure=true;transport=tcp")
        uris["Nobody"] = f"sip:srs@{LOOPBACK}:{free_port()};transport=tcp"
        accounts = (ACCOUNT, TOKEN), (STRANGER, STRANGERS_TOKEN)
        for sid, token in accounts:
            for name, secret in ((sid, token), (f"{sid}.secret", SECRET)):
                (directory / name).touch(mode=0o600)
                (directory / name).write_text(secret)
        # It outlives other tests of its process, which look at what daemons leave in the directory of all.
        runtime = stack.enter_context(tempfile.TemporaryDirectory(prefix="siprec-"))
        text = [
            f'[daemon]\nruntime_directory = "{runtime}"\n',
            '[callbacks]\nallow_private = ["127.0.0.0/8"]\n',
            *(
                f'[[account]]\nsid = "{sid}"\nauth_token_file = "{directory / sid}"\n'
                f'application_key = "{sid}"\napplication_secret_file = "{directory / sid}.secret"\n'
                for sid, _ in accounts
            ),
            *(f'[[connector]]\nname = "{name}"\nuri = "{uri}"\n' for name, uri in uris.items()),
        ]
        route = f"sip:{bob_at[0]}:{bob_at[1]}"
        daemon = stack.enter_context(running(directory, route=route, listen=via[1], config="".join(text)))
        exchange = stack.enter_context(Exchange(via, bob_at))
        server = stack.enter_context(customer())
        yield Api(daemon, exchange, server, recorders)
        assert not daemon.events("machine.failed")
        assert not daemon.events("api.failed")
        for name in ("Default", "Gridspace1"):
            recorders[name].assert_documents()
