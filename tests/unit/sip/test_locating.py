"""The procedure of RFC 3263 4.1 and 4.2 against tables of records."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siprec_src.sip.flow import Transport
from siprec_src.sip.locating import (
    MAX_SERVERS,
    Ask,
    Kind,
    Naptr,
    Records,
    Srv,
    Target,
    Wanted,
    in_order,
    locate,
    plain,
)

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS
Table = dict[tuple[str, str], Records]


def naptr(order: int, service: str, replacement: str, preference: int = 0, flags: str = "s") -> Naptr:
    return Naptr(order=order, preference=preference, flags=flags, service=service, replacement=replacement)


def srv(target: str, port: int = 5060, priority: int = 0, weight: int = 0) -> Srv:
    return Srv(priority=priority, weight=weight, port=port, target=target)


def found(table: Table, asked: list[Ask] | None = None, **changes: Any) -> tuple[Target, ...]:
    """The targets for example.com by a table of records."""
    usual: dict[str, Any] = {"host": "example.com", "port": None, "transport": None, "secure": False}
    wanted = Wanted(**(usual | {"transports": (UDP, TCP)} | changes))
    steps = locate(wanted, lambda low, high: low)
    answers = None
    try:
        while True:
            asks = next(steps) if answers is None else steps.send(answers)
            if asked is not None:
                asked += asks
            answers = tuple(table.get((ask.name, ask.kind.value), ()) for ask in asks)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return] # what the procedure returns


RFC_3263_EXAMPLE: Table = {  # the one of section 4.1
    ("example.com", "NAPTR"): (
        naptr(50, "SIPS+D2T", "_sips._tcp.example.com", 50),
        naptr(90, "SIP+D2T", "_sip._tcp.example.com", 50),
        naptr(100, "SIP+D2U", "_sip._udp.example.com", 50),
    ),
    ("_sip._tcp.example.com", "SRV"): (srv("server1.example.com", priority=0, weight=1),),
    ("_sips._tcp.example.com", "SRV"): (srv("server2.example.com", 5061),),
    ("server1.example.com", "A"): ("192.0.2.1",),
    ("server1.example.com", "AAAA"): ("2001:db8::1",),
    ("server2.example.com", "A"): ("192.0.2.2",),
    ("example.com", "A"): ("192.0.2.3",),
}


@pytest.mark.rfc("3263", "4.1", "4.2")
@pytest.mark.rfc("7984", "3")
@pytest.mark.req("LOC-02", "LOC-05")
def test_the_example_of_the_rfc_leads_to_tcp_where_tls_is_not_spoken() -> None:
    assert found(RFC_3263_EXAMPLE) == (
        Target(TCP, "192.0.2.1", 5060),
        Target(TCP, "2001:db8::1", 5060),
    )


@pytest.mark.rfc("3263", "4.1")
@pytest.mark.req("LOC-02")
def test_with_tls_the_most_preferred_record_comes_first_and_sips_takes_no_other() -> None:
    everything = (UDP, TCP, TLS)
    assert found(RFC_3263_EXAMPLE, transports=everything)[0] == Target(TLS, "192.0.2.2", 5061)
    assert found(RFC_3263_EXAMPLE, transports=everything, secure=True) == (Target(TLS, "192.0.2.2", 5061),)
    assert found(RFC_3263_EXAMPLE, secure=True) == ()


@pytest.mark.rfc("3263", "4.1", "4.2")
@pytest.mark.req("LOC-01")
def test_a_port_means_no_naptr_and_no_srv() -> None:
    asked: list[Ask] = []
    assert found(RFC_3263_EXAMPLE, asked, port=5080) == (Target(UDP, "192.0.2.3", 5080),)
    assert {ask.kind for ask in asked} == {Kind.A, Kind.AAAA}


@pytest.mark.rfc("3263", "4.1")
@pytest.mark.req("LOC-01")
def test_a_transport_parameter_means_no_naptr_and_that_transport() -> None:
    asked: list[Ask] = []
    assert found(RFC_3263_EXAMPLE, asked, transport=TCP)[0] == Target(TCP, "192.0.2.1", 5060)
    assert Ask("example.com", Kind.NAPTR) not in asked
    assert found(RFC_3263_EXAMPLE, transport=UDP) == (Target(UDP, "192.0.2.3", 5060),)


@pytest.mark.rfc("3263", "4.1")
def test_without_naptr_each_transport_of_ours_is_looked_for_by_srv() -> None:
    table: Table = {
        ("_sip._tcp.example.com", "SRV"): (srv("one.example.com", 5070),),
        ("one.example.com", "A"): ("192.0.2.1",),
        ("example.com", "A"): ("192.0.2.3",),
    }
    assert found(table) == (Target(TCP, "192.0.2.1", 5070),)


@pytest.mark.rfc("3263", "4.1", "4.2")
def test_without_srv_the_name_itself_is_tried_over_udp_or_what_there_is() -> None:
    table: Table = {("example.com", "A"): ("192.0.2.3",), ("example.com", "AAAA"): ("2001:db8::3",)}
    assert found(table) == (Target(UDP, "192.0.2.3", 5060), Target(UDP, "2001:db8::3", 5060))
    assert found(table, transports=(TCP,))[0] == Target(TCP, "192.0.2.3", 5060)
    assert found(table, transports=(TLS,), secure=True)[0] == Target(TLS, "192.0.2.3", 5061)
    assert found({}) == ()


@pytest.mark.rfc("3263", "4.1")
@pytest.mark.parametrize(
    "record",
    [
        naptr(1, "SIP+D2S", "_sip._sctp.example.com"),
        naptr(1, "SIP+D2T", "_sip._tcp.example.com", flags="u"),
        naptr(1, "SIP+D2T", ""),
        naptr(1, "E2U+sip", "_sip._tcp.example.com"),
    ],
    ids=lambda record: f"{record.service} {record.flags} {record.replacement}",
)
def test_naptr_records_for_others_are_discarded(record: Naptr) -> None:
    table: Table = {("example.com", "NAPTR"): (record,), ("example.com", "A"): ("192.0.2.3",)}
    assert found(table) == (Target(UDP, "192.0.2.3", 5060),)


@pytest.mark.rfc("2782")
def test_a_root_target_says_that_there_is_no_such_service() -> None:
    table: Table = {
        ("_sip._tcp.example.com", "SRV"): (srv(""),),
        ("example.com", "A"): ("192.0.2.3",),
    }
    assert found(table, transport=TCP) == ()


@pytest.mark.rfc("2782")
@pytest.mark.req("LOC-03")
def test_priority_goes_before_weight() -> None:
    records = [srv("c", priority=2, weight=100), srv("a", priority=1), srv("b", priority=1, weight=1)]
    for draw in (0.0, 0.5, 1.0):
        order = [record.target for record in in_order(records, lambda low, high, d=draw: high * d)]  # type: ignore[misc] # a default binds
        assert order[2] == "c"


@pytest.mark.rfc("2782")
@pytest.mark.req("LOC-03")
def test_weight_is_the_share_of_being_first() -> None:
    records = [srv("heavy", weight=3), srv("light", weight=1)]
    draws = itertools.cycle(n / 100 for n in range(1, 101))
    first = Counter(in_order(records, lambda _, high: high * next(draws))[0].target for _ in range(1000))
    assert 700 <= first["heavy"] <= 800


def test_a_thousand_servers_are_not_all_followed() -> None:
    records = tuple(srv(f"{n}.example.com", priority=n) for n in range(1000))
    asked: list[Ask] = []
    found({("_sip._tcp.example.com", "SRV"): records}, asked, transport=TCP)
    assert len(asked) == 3 + 2 * MAX_SERVERS


def test_what_is_known_on_this_machine_is_asked_for_by_address_only() -> None:
    wanted = Wanted(host="srs", port=None, transport=None, secure=False, transports=(TCP,))
    steps = plain(wanted)
    assert next(steps) == (Ask("srs", Kind.A), Ask("srs", Kind.AAAA))
    with pytest.raises(StopIteration) as end:
        steps.send((("192.0.2.1",), ()))
    assert end.value.value == (Target(TCP, "192.0.2.1", 5060),)


RECORDS = st.lists(
    st.one_of(
        st.builds(
            Naptr,
            order=st.integers(0, 65535),
            preference=st.integers(0, 65535),
            flags=st.sampled_from(["s", "S", "u", ""]),
            service=st.sampled_from(["SIP+D2U", "sip+d2t", "SIPS+D2T", "x", ""]),
            replacement=st.text(max_size=5),
        ),
        st.builds(
            Srv,
            priority=st.integers(0, 65535),
            weight=st.integers(0, 65535),
            port=st.integers(0, 65535),
            target=st.text(max_size=5),
        ),
        st.just("192.0.2.1"),
    ),
    max_size=20,
).map(tuple)


@given(st.data(), st.booleans())
def test_whatever_dns_says_the_procedure_ends_in_three_steps(data: st.DataObject, secure: bool) -> None:
    wanted = Wanted(host="a", port=None, transport=None, secure=secure, transports=(UDP, TCP, TLS))
    steps = locate(wanted, lambda low, high: (low + high) / 2)
    asks = next(steps)
    for _ in range(4):
        answers = tuple(data.draw(RECORDS) for _ in asks)
        try:
            asks = steps.send(answers)
        except StopIteration as end:
            ended = end.value
            break
    else:
        pytest.fail("it goes on asking")
    assert all(target.transport is TLS or not secure for target in ended)
