"""Every torture message through the parsers, and from datagram to answer through the user agent."""

from __future__ import annotations

from typing import Final

import pytest

from siprec_src.sip.message import Request, Response
from siprec_src.sip.parser import KeepAlive, Malformed, Parsed, StreamParser
from siprec_src.sip.writer import write_message
from tests.torture.support import Case, case, names

RELAYED = {"process", "relay", "process, headers ignored"}  #: an owner of calls is told; it relays
DROPPED = {"drop", "drop (no transaction)"}

ALSO_RIGHT: Final[dict[str, set[int | str]]] = {
    "wsinv": {481},  # has a To tag: in a dialog that is not there
    "sdp01": {"process"},  # bodies are the callee's matter, and so is the 406
    "zeromf": {200},  # "UAS: process"
}

OWN_STREAM_VERDICT: Final[dict[str, list[str]]] = {
    "baddn": [],  # no empty line ever comes: waits until the driver's idle limit
    "clerr": [],  # waits for the rest of the body
    "dblreq": ["REGISTER", "INVITE", "close"],  # what is behind the second Content-Length is no SIP
    "inv2543": ["400 close"],
    "mcl01": ["400 close"],
    "ncl": ["400 close"],
    "test": ["close"],
}

OWN_VERDICTS_OVER_TCP: Final[dict[str, list[int | str]]] = {
    "baddn": [],
    "clerr": [],
    "dblreq": [405, 400, "drop"],  # an INVITE without Contact follows
    "inv2543": [400],
    "mcl01": [400],
    "ncl": [400],
    "test": ["drop"],
}


def summary(item: Parsed | KeepAlive) -> str:
    match item:
        case Request(method=method):
            return method
        case Response(status=status):
            return str(status)
        case Malformed(error=error, partial=partial, close=close):
            words = [str(error.status)] if partial is not None else []
            return " ".join([*words, "close" if close else "stays"])
        case KeepAlive():
            return "ping"


def told(data: bytes, *, cut: int) -> tuple[list[Parsed | KeepAlive], bool]:
    parser = StreamParser()
    return parser.feed(data[:cut]) + parser.feed(data[cut:]), parser.closed


@pytest.mark.rfc("4475", "3")
@pytest.mark.parametrize("name", names())
def test_the_datagram_parser_takes_what_is_valid_and_refuses_what_is_not(name: str) -> None:
    message = case(name)
    acceptable = set(message.entry["acceptable"])
    assert message.parsed is not None
    if isinstance(message.parsed, Malformed):
        answerable = message.parsed.partial is not None
        assert message.parsed.error.status in acceptable if answerable else acceptable & DROPPED
    else:
        assert message.entry["parser"] in {"accept", "either"}


@pytest.mark.rfc("4475", "3")
@pytest.mark.parametrize("name", names())
def test_the_stream_parser_says_the_same_wherever_a_read_is_cut(name: str) -> None:
    message = case(name)
    whole, closed = told(message.data, cut=0)
    if name in OWN_STREAM_VERDICT:
        assert [summary(item) for item in whole] == OWN_STREAM_VERDICT[name]
    else:
        assert message.parsed is not None
        assert [summary(item) for item in whole] == [summary(message.parsed)]
    for cut in range(1, len(message.data)):
        again, also_closed = told(message.data, cut=cut)
        assert [summary(item) for item in again] == [summary(item) for item in whole]
        assert [item for item in again if not isinstance(item, Malformed)] == [
            item for item in whole if not isinstance(item, Malformed)
        ]
        assert also_closed == closed


@pytest.mark.rfc("4475", "3")
@pytest.mark.parametrize("name", names())
def test_what_is_taken_can_be_written_and_read_again(name: str) -> None:
    message = case(name)
    if isinstance(message.parsed, Malformed) or message.parsed is None:
        return
    data = write_message(message.parsed)
    again = Case(message.entry, data)
    assert not isinstance(again.parsed, Malformed)
    assert again.parsed is not None
    assert again.parsed.body == message.parsed.body
    assert again.parsed.headers.without("l") == message.parsed.headers.without("l")
    assert write_message(again.parsed) == data


@pytest.mark.rfc("4475", "3")
@pytest.mark.parametrize("name", names())
def test_the_user_agent_gives_an_acceptable_answer(name: str) -> None:
    message = case(name)
    acceptable = set(message.entry["acceptable"]) | ALSO_RIGHT.get(name, set())
    verdict = message.verdict
    if verdict == "process":
        assert acceptable & RELAYED
    elif verdict == "drop":
        assert acceptable & DROPPED
    else:
        assert verdict in acceptable


@pytest.mark.rfc("4475", "3")
@pytest.mark.parametrize("name", names())
def test_over_tcp_the_user_agent_gives_the_same_answer(name: str) -> None:
    """Wherever a read is cut, it gets these messages: see above."""
    message = case(name)
    assert message.verdicts_over_tcp == OWN_VERDICTS_OVER_TCP.get(name, [message.verdict])
