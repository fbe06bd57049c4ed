"""Whose certificate it is, and which files make a context."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from siprec_src.errors import ConfigurationError
from siprec_src.net.tls import TlsContexts, TlsSettings, expiry_note
from siprec_src.net.tls_identity import mismatch
from tests.support.certificates import NOW, Authority

SIP_DOMAIN, SERVER, CLIENT, ANY = (
    "1.3.6.1.5.5.7.3.20",
    "1.3.6.1.5.5.7.3.1",
    "1.3.6.1.5.5.7.3.2",
    "2.5.29.37.0",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def problem(authority: Authority, domain: str, *sans: str, wildcards: bool = False) -> str:
    der = authority.sign(sans).public_bytes(serialization.Encoding.DER)
    return mismatch(der, domain, wildcards=wildcards)


@pytest.mark.rfc("5922", "7.1", "7.2", "7.3")
@pytest.mark.req("TRN-10")
@pytest.mark.parametrize(
    ("domain", "sans", "good"),
    [
        ("srs.example", ["URI:sip:srs.example"], True),
        ("SRS.example.", ["URI:SIP:Srs.Example"], True),
        ("srs.example", ["DNS:srs.example"], True),
        ("srs.example", ["DNS:other.example", "DNS:SRS.EXAMPLE"], True),
        ("srs.example", ["URI:sip:other.example", "DNS:srs.example"], False),
        ("srs.example", ["URI:https://other.example", "DNS:srs.example"], True),
        ("srs.example", ["URI:sip:alice@srs.example"], False),
        ("srs.example", ["URI:sips:srs.example"], False),
        ("srs.example", ["DNS:example"], False),
        ("srs.example", ["DNS:a.srs.example"], False),
        ("a.srs.example", ["DNS:*.srs.example"], False),
        ("192.0.2.9", ["IP:192.0.2.9"], True),
        ("192.0.2.9", ["IP:192.0.2.8", "DNS:srs.example"], False),
        ("192.0.2.9", ["URI:sip:192.0.2.9"], True),
        ("2001:db8::9", ["IP:2001:db8:0::9"], True),
    ],
)
def test_a_peer_is_who_its_certificate_says(
    authority: Authority, domain: str, sans: list[str], good: bool
) -> None:
    assert (problem(authority, domain, *sans) == "") is good


@pytest.mark.rfc("5922", "7.1")
def test_the_common_name_counts_only_without_subject_alt_name(authority: Authority) -> None:
    for sans, good in ((None, True), (["DNS:other.example"], False)):
        made = authority.sign(sans, common_name="srs.example")
        der = made.public_bytes(serialization.Encoding.DER)
        assert (mismatch(der, "srs.example") == "") is good


@pytest.mark.rfc("5922", "7.2")
@pytest.mark.parametrize(
    ("domain", "name", "good"),
    [
        ("a.cloud.example", "*.cloud.example", True),
        ("A.Cloud.Example", "*.cloud.example", True),
        ("a.b.cloud.example", "*.cloud.example", False),
        ("cloud.example", "*.cloud.example", False),
        ("srs.example", "*.example", False),
        ("a1.cloud.example", "a*.cloud.example", False),
    ],
)
def test_an_allowed_wildcard_stands_for_one_whole_label(
    authority: Authority, domain: str, name: str, good: bool
) -> None:
    assert (problem(authority, domain, f"DNS:{name}", wildcards=True) == "") is good


@pytest.mark.rfc("5924", "5")
@pytest.mark.req("TRN-11")
@pytest.mark.parametrize(
    ("usages", "good"),
    [((), True), ((SIP_DOMAIN,), True), ((CLIENT, SERVER), True), ((ANY,), True), ((CLIENT,), False)],
)
def test_an_extended_key_usage_must_be_that_of_a_server(
    authority: Authority, usages: tuple[str, ...], good: bool
) -> None:
    made = authority.sign(["DNS:srs.example"], usages=usages)
    assert (mismatch(made.public_bytes(serialization.Encoding.DER), "srs.example") == "") is good


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_octets_that_are_no_certificate_are_nobody_s(der: bytes) -> None:
    assert mismatch(der, "srs.example") == "it cannot be read"


@pytest.mark.parametrize("name", ["a300", "a500", "8602ff41"], ids=["x400", "edi", "no ia5"])
def test_a_certificate_with_a_name_that_cannot_be_read_is_nobody_s(authority: Authority, name: str) -> None:
    made = authority.sign([f"RAW:{name}"])
    assert mismatch(made.public_bytes(serialization.Encoding.DER), "srs.example") == "it cannot be read"


@pytest.mark.rfc("7866", "12")
@pytest.mark.req("TRN-08")
def test_nothing_older_than_tls_1_2_is_spoken(authority: Authority) -> None:
    files = authority.issue("ours", "DNS:src.example")
    contexts = TlsContexts.load(TlsSettings(certificate=files.certificate, key=files.key))
    assert contexts.server is not None
    for context in (contexts.client, contexts.server):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert contexts.client.verify_mode is ssl.CERT_REQUIRED
    newest = TlsContexts.load(TlsSettings(minimum_version="1.3"))
    assert newest.client.minimum_version is ssl.TLSVersion.TLSv1_3
    assert newest.server is None


def test_a_file_that_cannot_be_used_is_named_by_its_key(authority: Authority, tmp_path: Path) -> None:
    ours, other = authority.issue("ours", "DNS:src.example"), authority.issue("other", "DNS:src.example")
    text, gone = tmp_path / "text", tmp_path / "gone"
    text.write_text("no certificate")
    certificate = ours.certificate
    for made, named in (
        (TlsSettings(trusted_ca=gone), "trusted_ca: .*No such file"),
        (TlsSettings(trusted_ca=text), "trusted_ca: "),
        (TlsSettings(certificate=gone), "certificate: .*No such file"),
        (TlsSettings(certificate=text), "certificate: "),
        (TlsSettings(certificate=certificate, key=gone), "key: .*No such file"),
        (TlsSettings(certificate=certificate, key=other.key), "certificate: .*key values mismatch"),
    ):
        with pytest.raises(ConfigurationError, match=named):
            TlsContexts.load(made)


def test_settings_that_contradict_each_other_are_refused() -> None:
    for keys, named in (
        ({"key": Path("k")}, "key"),
        ({"require_client_certificate": True}, "trusted_ca"),
        ({"handshake_timeout_s": 0}, "handshake_timeout_s"),
    ):
        with pytest.raises(ConfigurationError, match=named):
            TlsSettings(**keys)


def test_a_certificate_near_its_end_deserves_a_note(authority: Authority) -> None:
    file = authority.issue("ours", "DNS:src.example", days=60).certificate
    made = TlsSettings(certificate=file)
    assert expiry_note(made, NOW) == ""
    assert "expires on" in expiry_note(made, NOW + datetime.timedelta(days=31))
    assert "has expired" in expiry_note(made, NOW + datetime.timedelta(days=61))
