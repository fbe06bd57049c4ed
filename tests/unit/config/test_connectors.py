"""Connectors in the configuration: what they are made of, what is refused, and that no secret is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from siprec_src.config import Config, InvalidConfiguration, from_values, load
from siprec_src.config.shown import effective
from siprec_src.recording.protection import MediaSecurity
from siprec_src.recording.srs import SrsTarget, Track
from siprec_src.sip.flow import Transport
from tests.support.certificates import Authority

CANARY = "canary-51c7"
DAEMON = """\
[sip]
route = "sip:127.0.0.1:5070"
[[edge]]
name = "ashburn"
listen = "127.0.10.1:5060"
transports = ["udp", "tcp", "tls"]
[[edge]]
name = "dublin"
listen = "127.0.10.2:5060"
[[edge]]
name = "umatilla"
listen = "127.0.10.3:5060"
"""
Read = Callable[[str], Config]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def load_text(text: str) -> Config:
        file = tmp_path / "siprec-src.toml"
        file.write_text(DAEMON + text)
        return load(file, {}, {})

    return load_text


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{CANARY}\n")
    return file


def connector(keys: str = "", name: str = "partner", uri: str = "sip:127.0.0.1:5090") -> str:
    return f'[[connector]]\nname = "{name}"\nuri = "{uri}"\n{keys}\n'


def problem(read: Read, text: str) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        read(text)
    (only,) = caught.value.problems
    assert CANARY not in only
    return only


def target(read: Read, uri: str) -> SrsTarget:
    (only,) = read(connector(uri=uri)).connectors.targets
    return only


@pytest.mark.feature("F015", "F003")
def test_connectors_without_an_srs_for_every_call_are_a_whole_configuration(read: Read) -> None:
    config = read(connector())
    assert config.targets == ()
    assert not config.recording.automatic
    found = config.connectors.find("partner")
    assert found is not None
    assert [str(target.uri) for target in found.targets] == ["sip:127.0.0.1:5090"]
    assert from_values(config.values).connectors == config.connectors


@pytest.mark.feature("F017")
def test_the_id_of_a_connector_is_written_or_always_the_same_for_its_name(read: Read) -> None:
    sid = f"XE{'0a' * 16}"
    text = connector() + connector(f'sid = "{sid}"', name="other")
    first, second = read(text).connectors.every
    assert re.fullmatch("XE[0-9a-f]{32}", first.sid)
    assert second.sid == sid
    moved = read(connector(name="other") + connector(uri="sip:127.0.0.9")).connectors.find("partner")
    assert moved is not None
    assert moved.sid == first.sid


@pytest.mark.feature("F018")
def test_a_connector_is_found_by_exactly_its_name_which_is_there_once(read: Read) -> None:
    connectors = read(connector() + connector(name="Partner")).connectors
    found = connectors.find("Partner")
    assert found is connectors.every[1]
    assert connectors.find("PARTNER") is connectors.find("partner ") is connectors.find("") is None
    assert connectors.find("Default") is None
    said = problem(read, connector() + connector(uri="sip:127.0.0.9"))
    assert said.endswith("siprec-src.toml:18: connector.2.name: connector 'partner' is there already")


@pytest.mark.feature("F019")
def test_a_connector_that_is_not_for_voice_is_like_an_unknown_one(read: Read) -> None:
    config = read(connector("use_in = []"))
    assert config.connectors.find("partner") is None
    assert [connector.name for connector in config.connectors.every] == ["partner"]


@pytest.mark.feature("F020")
@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [
        ("sip:name@example.com:5060", "example.com", 5060),
        ("sip:example.com", "example.com", None),
        ("sip:srs@192.0.2.9:5080", "192.0.2.9", 5080),
        ("sip:srs@[2001:db8::9]:5080", "2001:db8::9", 5080),
        ("sip:+1%20a;x&y=z@example.com", "example.com", None),
    ],
)
def test_the_request_uri_is_the_uri_of_the_srs_as_written(
    read: Read, uri: str, host: str, port: int | None
) -> None:
    found = target(read, uri).uri
    assert (str(found), found.host, found.port) == (uri, host, port)


@pytest.mark.feature("F023", "F024", "F025", "F026", "F027")
@pytest.mark.parametrize(
    ("uri", "wire", "edge", "secure"),
    [
        ("sip:srs@foo.com:5060;edge=dublin", "sip:srs@foo.com:5060", "dublin", False),
        ("sip:srs@foo.com:5060;edge=umatilla", "sip:srs@foo.com:5060", "umatilla", False),
        (
            "sip:your-domain.com;secure=true&edge=ashburn",
            "sip:your-domain.com;transport=tls",
            "ashburn",
            True,
        ),
        ("sip:srs@foo.com;edge=dublin&secure=false", "sip:srs@foo.com", "dublin", False),
        ("sip:srs@foo.com", "sip:srs@foo.com", "ashburn", False),
    ],
)
def test_secure_and_edge_take_effect_and_leave_the_uri(
    read: Read, uri: str, wire: str, edge: str, secure: bool
) -> None:
    found = target(read, uri)
    assert (str(found.uri), found.edge, found.secure) == (wire, edge, secure)
    assert found.transport is (Transport.TLS if secure else None)


def test_those_that_stand_in_have_everything_but_the_uri(read: Read, secret: Path) -> None:
    keys = (
        'profile = "aws-chime"\n'
        'failover = ["sip:127.0.0.2;edge=dublin", "sip:127.0.0.1:5090;transport=tcp"]\n'
        f'credentials_header = "X-Auth-Token"\ncredentials_file = "{secret}"\n'
        '[connector.srs]\ntrack = "inbound"\nanswer_timeout_s = 3\nheaders = { "X-Id" = "{call_id}" }'
    )
    (found,) = read(connector(keys)).connectors.every
    assert [target.edge for target in found.targets] == ["ashburn", "dublin", "ashburn"]
    assert len({target.name for target in found.targets}) == 3
    for target in found.targets:
        assert (target.config.track, target.config.answer_timeout_s) == (Track.INBOUND, 3.0)
        assert target.config.codecs == ("PCMU", "PCMA")
        assert target.config.secret_headers == (("X-Auth-Token", CANARY),)
        assert target.config.text_headers == (("X-Id", "{call_id}"),)


def test_srss_at_one_place_have_names_that_differ_wherever_they_stand(read: Read) -> None:
    uris = [f"sip:127.0.0.1:5090;transport={transport}" for transport in ("tcp", "udp", "tcp")]
    text = f'[[srs]]\nuri = "{uris[0]}"\n' + connector(uri=uris[1]) + connector(name="b", uri=uris[2])
    config = read(text + connector(name="c", uri="sip:127.0.0.9"))
    names = [target.name for target in (*config.targets, *config.connectors.targets)]
    assert names == [*uris, "sip:127.0.0.9"]
    assert [len(one.targets) for one in config.connectors.every] == [1, 1, 1]


@pytest.mark.feature("F022")
def test_the_credentials_of_a_connector_are_shown_nowhere(read: Read, secret: Path) -> None:
    keys = f'credentials_header = "X-Auth-Token"\ncredentials_file = "{secret}"'
    config = read(connector(keys))
    shown = effective(config)
    assert "credentials_header" in shown
    assert str(secret) in shown
    for text in (shown, repr(config), repr(config.connectors), str(config.values)):
        assert CANARY not in text


def test_credentials_come_from_the_environment_too(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTNER_TOKEN", CANARY)
    keys = 'credentials_header = "X-Auth-Token"\ncredentials_env = "PARTNER_TOKEN"'
    (found,) = read(connector(keys)).connectors.targets
    assert found.config.secret_headers == (("X-Auth-Token", CANARY),)


def test_what_is_wrong_with_a_secret_is_said_once_for_all_its_srss(read: Read) -> None:
    keys = 'failover = ["sip:b.example", "sip:c.example"]\n[connector.srs]\n'
    said = problem(read, connector(keys + 'username = "u"\npassword_env = "NOT_SET"'))
    assert "19: connector.1.srs.password_env: 'NOT_SET' is not there" in said


@pytest.mark.feature("F021")
@pytest.mark.parametrize(
    "name", ["Via", "v", "Contact", "Authorization", "X Y", "X:Y", "", "X\\r\\nY", "Ünï"]
)
def test_a_header_that_may_not_be_set_is_refused(read: Read, secret: Path, name: str) -> None:
    said = problem(read, connector(f'credentials_header = "{name}"\ncredentials_file = "{secret}"'))
    assert ": connector.1.credentials_header: " in said


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ('sid = "XE12"', "16: connector.1.sid: expected XE and 32"),
        ('use_in = ["video"]', "16: connector.1.use_in: [0] expected 'voice'"),
        ('failover = ["sip:127.0.0.2", "sip:127.0.0.3;edge=oslo"]', "16: connector.1.failover.2: SRS"),
        ('profile = "cisc"', "16: connector.1.profile: unknown profile 'cisc' (did you mean 'cisco'?)"),
        ('credentials_header = "X-T"', "16: connector.1.credentials_header: needs credentials_file or"),
        ('credentials_env = "X"', "13: connector.1.credentials_header: expected one beside the credentials"),
        (
            'credentials_header = "X-T"\ncredentials_env = "NOT_SET"',
            "17: connector.1.credentials_env: 'NOT_SET' is not there, or empty",
        ),
        (
            'credentials_header = "X-T"\ncredentials_file = "/nowhere/x"',
            "17: connector.1.credentials_file: '/nowhere/x' cannot be read: No such file",
        ),
        ('[connector.srs]\nuri = "sip:x"', "17: connector.1.srs.uri: does not stand here"),
        ('[connector.srs]\ncopy = "x"', "17: connector.1.srs.copy: does not stand here"),
        ('[connector.srs]\ntrak = "both"', "17: connector.1.srs.trak: unknown key (did you mean 'track'?)"),
        ('[connector.srs]\ntrack = "left"', "17: connector.1.srs.track: expected"),
        ('[connector.srs]\nagents = ["x"]', "17: connector.1.srs.agents: no trunk 'x'"),
        ("[connector.srs]\nanswer_timeout_s = 0", "17: connector.1.srs.answer_timeout_s: expected 0 < x"),
        ('[connector.srs]\nmedia_security = "sdes"\n', "15: connector.1.uri: SRS"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line_and_key(read: Read, keys: str, what: str) -> None:
    assert f"siprec-src.toml:{what}" in problem(read, connector(keys, uri="sip:127.0.0.1;edge=dublin"))


@pytest.mark.parametrize("name", ["", " x", "x ", "x\\ny", "x" * 65, "x\\u0000"])
def test_a_name_is_short_and_can_be_printed(read: Read, name: str) -> None:
    assert "14: connector.1.name: expected 1 to 64" in problem(read, connector(name=name))


def test_the_second_of_two_entries_is_named_by_its_own_lines(read: Read) -> None:
    text = connector("[connector.srs]\nevents = true") + connector("[connector.srs]\nevnts = true", "b")
    assert "siprec-src.toml:22: connector.2.srs.evnts: unknown key" in problem(read, text)


def test_the_header_of_credentials_is_set_once(read: Read, secret: Path) -> None:
    keys = f'credentials_header = "x-id"\ncredentials_file = "{secret}"\n[connector.srs]\n'
    said = problem(read, connector(keys + 'headers = { "X-Id" = "1" }'))
    assert "connector.1.credentials_header: is one of headers too" in said


def test_secure_media_of_a_connector_never_becomes_clear(read: Read) -> None:
    found = target(read, "sip:srs@foo.com;secure=true")
    assert found.security is MediaSecurity.SDES
    assert "over TLS" in problem(read, connector(uri="sip:srs@foo.com;secure=true;edge=dublin"))


@pytest.mark.req("TRN-14")
def test_tls_keys_of_a_connector_hold_for_its_host(read: Read, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    keys = f'[connector.srs]\ntls_trusted_ca = "{authority.file}"'
    config = read(connector(keys, uri="sips:srs.example"))
    assert config.tls_peers["srs.example"].settings.trusted_ca == authority.file
