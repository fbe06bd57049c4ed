"""Where a customer's URL must not lead."""

from __future__ import annotations

import ipaddress

import pytest

from siprec_src.api.addresses import refusal


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.9", "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16",
        "224.0.0.1", "255.255.255.255", "198.18.0.1", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1",
        "2002:a00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fd00:ec2::254", "fc00::1", "fe80::1",
        "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_nothing_is_sent_to_an_address_that_is_inside_or_leads_there(address: str) -> None:
    assert refusal(address, ()) is not None


@pytest.mark.parametrize("address", ["127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "localhost", ""])
def test_what_is_no_address_in_its_usual_form_is_refused(address: str) -> None:
    assert refusal(address, (ipaddress.ip_network("0.0.0.0/0"),)) is not None


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"]
)
def test_public_addresses_are_not_refused(address: str) -> None:
    assert refusal(address, ()) is None


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203"])
def test_a_private_network_that_is_allowed_is_reached_by_whatever_form_of_its_addresses(address: str) -> None:
    assert refusal(address, (ipaddress.ip_network("10.1.0.0/16"),)) is None
    assert refusal(address, (ipaddress.ip_network("10.2.0.0/16"),)) is not None
