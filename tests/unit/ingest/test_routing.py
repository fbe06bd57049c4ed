"""Routing: trunks by source, the next hop, the Request-URI."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from siprec_src.communication import Side
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.routing import Refusal, Route, RoutingTable, Trunk, catch_all
from siprec_src.ingest.inline.voice import Dialled
from siprec_src.sip.credentials import Credentials
from siprec_src.sip.flow import Address, Flow, Transport
from siprec_src.sip.message import Headers, Request
from siprec_src.sip.uri import parse_uri
from tests.support.phone import edge

EDGES = {"default": edge("10.0.0.9"), "out": edge("192.0.2.9", "out")}


def trunk(name: str, network: str, to: str, uri: str | None = None, edge_name: str = "default") -> Trunk:
    return Trunk(
        name=name,
        sources=(ipaddress.ip_network(network),),
        to=to,
        uri=None if uri is None else parse_uri(uri),
        edge=edge_name,
    )


PBX = trunk("pbx", "10.0.0.0/24", "carrier", "sip:10.0.0.1")
BRANCH = trunk("branch", "10.0.0.64/26", "pbx", "sip:10.0.0.65")
CARRIER = trunk("carrier", "192.0.2.0/28", "pbx", "sip:gw.example:5070;transport=tcp", "out")
TABLE = RoutingTable((PBX, BRANCH, CARRIER), EDGES)


def route(
    uri: str, source: str = "10.0.0.1", table: RoutingTable = TABLE, by: str = "default"
) -> Route | Refusal:
    flow = Flow(Transport.UDP, Address(source, 5060), by)
    return table.route(flow, Request(method="INVITE", uri=uri, headers=Headers()))


@pytest.mark.rfc("3261", "16.6")
@pytest.mark.parametrize(
    ("received", "sent"),
    [
        ("sip:+4930123;phone-context=x@10.0.0.9", "sip:+4930123;phone-context=x@gw.example:5070"),
        ("sip:100@10.0.0.9:5060;user=phone", "sip:100@gw.example:5070;user=phone"),
        ("sip:100@192.0.2.9", "sip:100@gw.example:5070"),
        ("sip:100@10.0.0.9:5080", "sip:100@10.0.0.9:5080"),
        ("sip:100@other.example;x=y", "sip:100@other.example;x=y"),
        ("tel:+4930123", "tel:+4930123"),
    ],
)
def test_the_host_of_the_request_uri_is_replaced_only_where_it_names_us(received: str, sent: str) -> None:
    found = route(received)
    assert isinstance(found, Route)
    assert found.request_uri == sent


def test_a_call_goes_where_its_trunk_says_by_the_edge_of_the_other() -> None:
    found = route("sip:1@10.0.0.9")
    assert isinstance(found, Route)
    assert (found.trunk, found.to, found.caller_edge, found.callee_edge) == (
        "pbx",
        "carrier",
        "default",
        "out",
    )
    assert str(found.next_hop) == "sip:gw.example:5070;transport=tcp"


def test_among_networks_that_hold_a_source_the_longest_wins() -> None:
    found = route("sip:1@10.0.0.9", source="10.0.0.70")
    assert isinstance(found, Route)
    assert found.trunk == "branch"


def test_a_mapped_ipv4_source_is_known_by_its_ipv4_address() -> None:
    found = route("sip:1@10.0.0.9", source="::ffff:10.0.0.1")
    assert isinstance(found, Route)
    assert found.trunk == "pbx"


@pytest.mark.rfc("3261", "21.4.4")
def test_an_unknown_source_is_refused_with_403() -> None:
    found = route("sip:1@10.0.0.9", source="203.0.113.1")
    assert isinstance(found, Refusal)
    assert found.status == 403


@pytest.mark.rfc("3261", "16.3")
@pytest.mark.parametrize("next_hop", ["sip:10.0.0.9", "sip:192.0.2.9:5060;transport=tcp"])
def test_a_next_hop_that_is_ourselves_is_a_loop(next_hop: str) -> None:
    table = RoutingTable((catch_all(parse_uri(next_hop), "default"),), EDGES)
    found = route("sip:1@10.0.0.9", table=table)
    assert isinstance(found, Refusal)
    assert found.status == 482


@pytest.mark.rfc("5630", "4")
@pytest.mark.req("TRN-13")
def test_a_sips_call_goes_on_over_tls_or_not_at_all() -> None:
    with_tls = dataclasses.replace(
        edge("10.0.0.9"), transports=(Transport.UDP, Transport.TLS), tls_bind=Address("10.0.0.9", 5061)
    )
    for next_hop, good in (
        ("sip:10.0.0.5", False),
        ("sip:10.0.0.5;transport=tcp", False),
        ("sip:10.0.0.5;transport=tls", True),
        ("sips:10.0.0.5", True),
    ):
        table = RoutingTable((catch_all(parse_uri(next_hop), "default"),), {"default": with_tls})
        found = route("sips:1@10.0.0.9", table=table)
        if good:
            assert isinstance(found, Route)
            assert found.request_uri == "sips:1@10.0.0.5"
        else:
            assert isinstance(found, Refusal)
            assert found.status == 480


def test_our_place_for_tls_is_ours_too() -> None:
    at = Address("10.0.0.9", 5061)
    with_tls = dataclasses.replace(edge("10.0.0.9"), transports=(Transport.TLS,), tls_bind=at)
    table = RoutingTable((catch_all(parse_uri("sips:10.0.0.9"), "default"),), {"default": with_tls})
    found = route("sip:1@10.0.0.9:5061;transport=tls", table=table)
    assert isinstance(found, Refusal)
    assert found.status == 482


def test_one_catch_all_trunk_takes_every_call_from_anywhere() -> None:
    table = RoutingTable((catch_all(parse_uri("sip:10.0.0.5:5070"), "default"),), EDGES)
    for source in ("10.0.0.1", "203.0.113.1", "2001:db8::1"):
        found = route("sip:service@10.0.0.9", source=source, table=table)
        assert isinstance(found, Route)
        assert found.request_uri == "sip:service@10.0.0.5:5070"


def test_a_trunk_that_cannot_be_reached_is_refused_with_404() -> None:
    table = RoutingTable((PBX, trunk("carrier", "192.0.2.0/28", "pbx")), EDGES)
    found = route("sip:1@10.0.0.9", table=table)
    assert isinstance(found, Refusal)
    assert found.status == 404


@pytest.mark.parametrize(
    "wrong", [trunk("a", "10.0.0.0/8", "nowhere"), trunk("a", "10.0.0.0/8", "a", "sip:x", "none")]
)
def test_a_trunk_or_edge_that_does_not_exist_is_a_configuration_error(wrong: Trunk) -> None:
    with pytest.raises(ConfigurationError, match="'a'"):
        RoutingTable((wrong,), EDGES)


@pytest.mark.req("AUT-01")
def test_each_leg_has_the_credentials_of_its_own_trunk() -> None:
    credentials = Credentials(username="u", password="p")
    carrier = dataclasses.replace(CARRIER, credentials=credentials)
    table = RoutingTable((PBX, carrier), EDGES)
    outward = route("sip:100@10.0.0.9", table=table)
    inward = route("sip:100@192.0.2.9", "192.0.2.1", table, "out")
    assert isinstance(outward, Route)
    assert isinstance(inward, Route)
    assert outward.credentials == {Side.CALLER: None, Side.CALLEE: credentials}
    assert inward.credentials == {Side.CALLER: credentials, Side.CALLEE: None}


def dialled(to: str, table: RoutingTable = TABLE, uri: str = "sip:1@10.0.0.9") -> Route | Refusal:
    """Where a call of the PBX goes when its application dials somebody."""
    found = route(uri, table=table)
    assert isinstance(found, Route)
    request = Request(method="INVITE", uri=uri, headers=Headers())
    where = parse_uri(to) if ":" in to else to
    return table.dialled(found, request, Dialled(to=where))


@pytest.mark.parametrize(
    ("received", "sent"),
    [
        ("sip:100:secret@10.0.0.9;user=phone", "sip:+4930123@gw.example:5070;user=phone"),
        ("sip:100@other.example", "sip:+4930123@other.example"),
        ("tel:+1", "sip:+4930123@gw.example:5070"),
    ],
)
def test_a_dialled_number_takes_the_place_of_the_user_and_the_next_hop_stays(
    received: str, sent: str
) -> None:
    found = dialled("+4930123", uri=received)
    assert isinstance(found, Route)
    assert (found.request_uri, found.to) == (sent, "carrier")
    assert str(found.next_hop) == "sip:gw.example:5070;transport=tcp"


def test_a_dialled_uri_at_a_trunk_goes_as_that_trunk_is_reached() -> None:
    known = Credentials(username="src", password="x")
    carrier = dataclasses.replace(CARRIER, credentials=known)
    found = dialled("sip:desk@GW.example:5070", RoutingTable((PBX, carrier), EDGES))
    assert found == Refusal(480, "edge 'out' has no transport that leads there")
    reached = dataclasses.replace(carrier, uri=parse_uri("sip:gw.example:5070"))
    found = dialled("sip:desk@GW.example:5070", RoutingTable((PBX, reached), EDGES))
    assert isinstance(found, Route)
    assert (found.to, found.callee_edge, found.request_uri) == ("carrier", "out", "sip:desk@GW.example:5070")
    assert found.credentials == {Side.CALLER: None, Side.CALLEE: known}


def test_a_dialled_uri_anywhere_else_leaves_by_the_edge_of_the_calls_own_trunk_without_credentials() -> None:
    known = Credentials(username="src", password="x")
    table = RoutingTable((PBX, dataclasses.replace(CARRIER, credentials=known)), EDGES)
    found = dialled("sip:desk@gw.example;x=y", table)
    assert isinstance(found, Route)
    assert (found.to, str(found.next_hop)) == ("sip:desk@gw.example;x=y", "sip:desk@gw.example;x=y")
    assert found.callee_edge == "default"
    assert found.credentials[Side.CALLEE] is None


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("sip:desk@10.0.0.9", 482),
        ("sip:desk@gw.example;transport=tls", 480),
        ("sip:desk@gw.example;transport=sctp", 480),
        ("sips:desk@gw.example", 480),
        ("tel:+4930123", 416),
    ],
)
def test_a_dialled_uri_that_leads_nowhere_is_refused(to: str, status: int) -> None:
    found = dialled(to)
    assert isinstance(found, Refusal)
    assert found.status == status
