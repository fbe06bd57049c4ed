"""What the index asserts of single messages beyond their verdict; one check for each, in its order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.headers import parse_number, parse_retry_after, parse_tokens
from siprec_src.sip.parser import Malformed
from siprec_src.sip.transaction.key import server_key
from siprec_src.sip.uri import unescape
from siprec_src.sip.vocabulary import Transmit
from tests.torture.support import Case, case, names

Check = Callable[[Case], bool]
INTMETH: Final = "!interesting-Method0123456789_*+`.%indeed'~"


def two_of_them_differ(c: Case) -> bool:
    """Two requests whose branch is only the cookie, alike but for Call-ID, are two transactions."""
    other = Case(c.entry, c.data.replace(b"badbranch.", b"otherbranch."))
    return not c.request.via.has_unique_branch and server_key(c.request) != server_key(other.request)


def refused_with(c: Case, section: str) -> bool:
    return c.malformed.error.section == section


def never_a_timer(c: Case) -> bool:
    """Even with a CSeq that is right, the wait that the response asks for cannot be read."""
    readable = Case(c.entry, c.data.replace(b"9292394834772304023312", b"1"))
    with pytest.raises(RemoteProtocolError):
        parse_retry_after(readable.response.headers.get("retry-after") or "")
    return isinstance(c.parsed, Malformed)


def no_bignum(c: Case) -> bool:
    assert c.malformed.partial is not None
    expires = c.malformed.partial.headers.get("expires") or ""
    with pytest.raises(RemoteProtocolError):
        parse_number("Expires", expires, 2**32 - 1, "RFC 3261 20.19")
    return len(expires) > 100


def hops(c: Case) -> list[tuple[str, str]]:
    return [(via.transport, via.host) for via in c.request.vias]


CHECKS: Final[dict[str, tuple[Check, ...]]] = {
    "badbranch": (two_of_them_differ,),
    "bcast": (lambda c: not any(isinstance(e, Transmit) for e in c.effects),),
    "bext01": (
        lambda c: (
            parse_tokens("Unsupported", c.answers[-1].headers.get("unsupported") or "")
            == ("nothingSupportsThis", "nothingSupportsThisEither")
        ),
    ),
    "cparam01": (
        lambda c: (
            c.request.contacts[0].parameter("unknownparam") == ""
            and c.request.contacts[0].uri.parameter("unknownparam") is None
        ),
    ),
    "cparam02": (
        lambda c: (
            c.request.contacts[0].parameter("unknownparam") is None
            and c.request.contacts[0].uri.parameter("unknownparam") == ""
        ),
    ),
    "dblreq": (
        lambda c: c.request.method == "REGISTER",
        lambda c: c.request.body == b"" and c.verdict != "process" and len(c.effects) == 1,
    ),
    "esc01": (
        lambda c: (
            (c.request.target.user, c.request.target.host, c.request.target.scheme)
            == ("sips%3Auser%40example.com", "example.net", "sip")
        ),
        lambda c: unescape(c.request.to.uri.user) == "user",
        lambda c: c.request.contacts[0].uri.parameter("name") == "value%41",
    ),
    "esc02": (
        lambda c: c.request.method == "RE%47IST%45R" and c.verdict in {405, 501},
        lambda c: c.request.to.display == "%Z%45",
        lambda c: len(c.request.contacts) == 2,
    ),
    "escnull": (
        lambda c: "%00" in unescape(c.request.to.uri.user) and "\0" not in repr(c.request),
        lambda c: c.request.contacts[0].uri != c.request.contacts[1].uri,
        lambda c: all("\0" not in unescape(contact.uri.user) for contact in c.request.contacts),
    ),
    "escruri": (lambda c: c.malformed.partial is not None and c.malformed.partial.routes == (),),
    "intmeth": (
        lambda c: c.request.method == INTMETH,
        lambda c: c.request.cseq.method == INTMETH,
        lambda c: c.request.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
        lambda c: (c.request.headers.get("extensionHeader-!.%*+_`'~") or "").encode() in c.data,
        lambda c: (
            (c.request.from_.display, c.request.from_.tag)
            == ("token1~` token2'+_ token3*%!.-", "_token~1'+`*%!-.")
        ),
        lambda c: (
            '"BEL:\\\a NUL:\\\0 DEL:\\\x7f"' in (c.request.headers.get("to") or "")
            and "\0" not in repr(c.request)
        ),
    ),
    "inv2543": (
        lambda c: c.request.body.endswith(b"m=audio 49217 RTP/AVP 0\r\n") and c.request.body[:3] == b"v=0",
    ),
    "invut": (lambda c: c.verdict == "process" or "accept" in c.answers[-1].headers,),
    "longreq": (
        lambda c: (
            len(c.request.call_id) > 100
            and len(c.request.from_.tag or "") > 100
            and any(len(name) == 93 for name, _ in c.request.headers)
        ),
        lambda c: len(c.request.body) == 150,
        lambda c: len(c.data) == 3515,
    ),
    "lwsdisp": (lambda c: c.request.from_.display == "caller",),
    "mpart01": (
        lambda c: len(c.request.body) == 553 and b"\0" in c.request.body and c.data.endswith(c.request.body),
    ),
    "multi01": (lambda c: refused_with(c, "RFC 3261 8.1.1.3"),),
    "ncl": (lambda c: refused_with(c, "RFC 3261 20.14"),),
    "noreason": (lambda c: c.response.status == 100, lambda c: c.response.reason == ""),
    "regescrt": (
        lambda c: (
            c.request.contacts[0].uri.headers == "Route=%3Csip:sip.example.com%3E" and c.request.routes == ()
        ),
    ),
    "scalar02": (lambda c: refused_with(c, "RFC 3261 8.1.1.5"), no_bignum),
    "scalarlg": (never_a_timer,),
    "semiuri": (
        lambda c: c.request.target.user == "user;par=u%40example.net",
        lambda c: c.request.target.parameters == (),
    ),
    "test": (lambda c: c.verdict == "drop",),
    "transports": (lambda c: [t for t, _ in hops(c)] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"],),
    "unreason": (
        lambda c: c.response.status == 200,
        lambda c: "сто девяносто девять" in c.response.reason and c.response.reason.encode() in c.data,
    ),
    "wsinv": (
        lambda c: c.request.to.tag == "1918181833n",
        lambda c: c.request.from_.tag == "98asjd8",
        lambda c: c.request.from_.display == 'J Rosenberg \\"',
        lambda c: str(c.request.cseq) == "9 INVITE",
        lambda c: c.request.max_forwards == 68,
        lambda c: (
            hops(c) == [("UDP", "192.0.2.2"), ("TCP", "spindle.example.com"), ("UDP", "192.168.255.111")]
        ),
        lambda c: [r.uri.lr for r in c.request.routes] == [True],  # the octets hold one, the index says two
        lambda c: (
            [c.request.contacts[0].parameter(n) for n in ("q", "newparam", "secondparam")]
            == ["0.33", "newvalue", ""]
        ),
        lambda c: len(c.request.body) == 150,
        lambda c: c.request.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;",
        lambda c: c.verdict == 481,
    ),
}


@pytest.mark.rfc("4475", "3")
@pytest.mark.parametrize("name", names())
def test_what_the_index_asserts_is_so(name: str) -> None:
    message = case(name)
    checks = CHECKS.get(name, ())
    assert len(checks) == len(message.entry["asserts"])
    for check, claim in zip(checks, message.entry["asserts"], strict=True):
        assert check(message), claim
