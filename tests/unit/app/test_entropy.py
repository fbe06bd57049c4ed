"""Ids of the daemon have the form their RFC asks for and do not repeat."""

from __future__ import annotations

import base64
import re
import uuid

import pytest

from siprec_src.app.entropy import SystemIdentity

MANY = 2000


@pytest.fixture
def identity() -> SystemIdentity:
    return SystemIdentity()


@pytest.mark.rfc("3261", "8.1.1.7")
def test_a_branch_has_the_magic_cookie(identity: SystemIdentity) -> None:
    branches = {identity.branch() for _ in range(MANY)}
    assert len(branches) == MANY
    assert all(branch.startswith("z9hG4bK") for branch in branches)


@pytest.mark.rfc("3261", "19.3")
def test_tags_and_call_ids_do_not_repeat(identity: SystemIdentity) -> None:
    assert len({identity.tag() for _ in range(MANY)}) == MANY
    assert len({identity.call_id() for _ in range(MANY)}) == MANY


@pytest.mark.rfc("7865", "6.10")
@pytest.mark.req("MD-17")
def test_a_uuid_is_one_of_version_4(identity: SystemIdentity) -> None:
    made = uuid.UUID(bytes=identity.uuid())
    assert (made.version, made.variant) == (4, uuid.RFC_4122)


@pytest.mark.rfc("3550", "5.1")
@pytest.mark.rfc("4568", "6.4")
@pytest.mark.req("RTP-22", "KEY-19")
def test_first_rtp_numbers_fit_their_fields(identity: SystemIdentity) -> None:
    for _ in range(MANY):
        assert 0 <= identity.ssrc() < 2**32
        assert 0 <= identity.timestamp() < 2**32
        assert 0 <= identity.sequence() < 2**15
    ssrcs = {identity.ssrc() for _ in range(MANY)}
    assert len(ssrcs) > MANY - 10
    assert max(ssrcs) >= 2**31


@pytest.mark.rfc("7022", "5")
@pytest.mark.req("RTP-23")
def test_a_cname_has_96_random_bits(identity: SystemIdentity) -> None:
    names = {identity.cname() for _ in range(MANY)}
    assert len(names) == MANY
    assert {len(base64.b64decode(name)) for name in names} == {12}


@pytest.mark.rfc("2046", "5.1.1")
@pytest.mark.req("BOD-10")
def test_a_boundary_is_another_one_for_each_message(identity: SystemIdentity) -> None:
    boundaries = {identity.boundary() for _ in range(MANY)}
    assert len(boundaries) == MANY
    assert all(re.fullmatch("[0-9a-f]{32}", boundary) for boundary in boundaries)


@pytest.mark.rfc("3264", "5")
@pytest.mark.req("SDP-16")
def test_a_session_number_fits_63_bits(identity: SystemIdentity) -> None:
    assert all(0 <= identity.session_number() < 2**63 for _ in range(MANY))


def test_secrets_have_the_length_asked_for_and_uniform_numbers_their_range(identity: SystemIdentity) -> None:
    assert len(identity.secret(46)) == 46
    assert all(2.1 <= identity.uniform(2.1, 4.0) <= 4.0 for _ in range(MANY))
    assert [identity.number() for _ in range(3)] == [1, 2, 3]
