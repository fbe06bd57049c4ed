"""Configuration: where values come from, what is refused, and how that is said."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from siprec_src.config import InvalidConfiguration, from_values, load
from siprec_src.config.example import field_docs, full_file
from siprec_src.config.lines import key_lines
from siprec_src.config.settings import ARRAYS, SECTIONS
from siprec_src.media.model import SourcePolicy
from siprec_src.recording.settings import Distribution, RecordingSettings
from siprec_src.sip.flow import Address, Transport
from tests.support.certificates import Authority

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
Write = Callable[[str], Path]
FLAGS: dict[str, object] = {
    "--srs": ["sip:127.0.0.1:5090"],
    "--route": "sip:127.0.0.1:5070",
    "--listen": "127.0.0.1:5060",
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str) -> Path:
        file = tmp_path / "siprec-src.toml"
        file.write_text(text)
        return file

    return make


def refused(
    file: Path | None = None,
    environment: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
) -> list[str]:
    named = {f"--{name}": value for name, value in (flags or {}).items()}
    with pytest.raises(InvalidConfiguration) as caught:
        load(file, environment or {}, {**FLAGS, **named} if file is None else named)
    return list(caught.value.problems)


def test_a_broken_section_is_not_also_told_as_missing(write: Write) -> None:
    file = write('[sip]\nroute = "sip:127.0.0.1:5070"\nt1_s = "x"\n[[srs]]\nuri = "sip:127.0.0.1:5090"\n')
    (problem,) = refused(file)
    assert problem.startswith(f"{file}:3: sip.t1_s: ")


def test_three_flags_are_a_whole_configuration() -> None:
    config = load(None, {}, FLAGS)
    (edge,) = config.edges.values()
    assert (edge.name, edge.sip_bind, edge.sip_advertised) == (
        "default",
        Address("127.0.0.1", 5060),
        Address("127.0.0.1", 5060),
    )
    assert edge.transports == (Transport.UDP, Transport.TCP)
    assert (edge.rtp_bind, edge.rtp_advertised, edge.rtp_low, edge.rtp_high) == (
        "127.0.0.1",
        "127.0.0.1",
        10000,
        20000,
    )
    assert [trunk.name for trunk in config.trunks] == ["default"]
    assert config.http_listen == Address("127.0.0.1", 8080)


def test_a_flag_goes_before_the_environment_that_before_the_file_that_before_the_default(
    write: Write,
) -> None:
    file = write(
        '[sip]\nlisten = "127.0.0.1:1"\nroute = "sip:127.0.0.9"\nt1_s = 0.1\n[http]\nlisten = ""\n'
        '[[srs]]\nuri = "sip:127.0.0.3"\n'
    )
    environment = {"SIPREC_SRC_LISTEN": "127.0.0.1:2", "SIPREC_SRC_SIP_T1_S": "0.2", "OTHER": "x"}
    config = load(file, environment, {"--listen": "127.0.0.1:3", "--route": None})
    assert config.edges["default"].sip_bind.port == 3
    assert config.sip.t1_s == 0.2
    assert config.http_listen is None
    assert config.sip.t2_s == 4.0


def test_srs_uris_come_from_the_environment_too() -> None:
    environment = {"SIPREC_SRC_SRS": "sip:127.0.0.1:1 sip:127.0.0.1:2", "SIPREC_SRC_SIP_TRANSPORTS": "udp"}
    config = load(None, environment, {**FLAGS, "--srs": None})
    assert [srs.uri for srs in config.srs] == ["sip:127.0.0.1:1", "sip:127.0.0.1:2"]
    assert config.edges["default"].transports == (Transport.UDP,)


@pytest.mark.req("TRN-14")
def test_an_edge_with_tls_has_a_place_for_it_beside_the_other() -> None:
    flags = {**FLAGS, "--srs": ["sip:srs.example;secure=true"], "--route": "sips:gw.example"}
    config = load(None, {"SIPREC_SRC_SIP_TRANSPORTS": "udp,tcp,tls"}, flags)
    edge = config.edges["default"]
    assert (edge.tls_bind, edge.advertised(Transport.TLS)) == (Address("127.0.0.1", 5061),) * 2
    assert edge.advertised(Transport.TCP) == Address("127.0.0.1", 5060)
    assert any("without tls.certificate" in note for note in config.notes)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[tls]\ntrusted_ca = "/nowhere/ca.pem"', "tls.trusted_ca: /nowhere/ca.pem: No such file"),
        ('[tls]\ncertificate = "/nowhere/c.pem"', "tls.certificate: /nowhere/c.pem: No such file"),
        ("[tls]\nrequire_client_certificate = true", "tls.require_client_certificate: needs"),
        ('[tls]\nminimum_version = "1.1"', "tls.minimum_version: expected '1.2' or '1.3'"),
    ],
)
def test_files_of_tls_are_looked_at_when_an_edge_speaks_it(write: Write, text: str, problem: str) -> None:
    file = write(f'{text}\n[sip]\ntransports = ["udp", "tls"]\n')
    named = {name.removeprefix("--"): value for name, value in FLAGS.items()}
    (told,) = refused(file, flags=named)
    assert problem in told


OVER_TLS = '[sip]\ntransports = ["udp", "tls"]\n'


def test_an_srs_and_a_trunk_may_have_tls_of_their_own_towards_their_host(
    write: Write, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    general, own = authority.issue("general"), authority.issue("own")
    file = write(
        f'[tls]\ncertificate = "{general.certificate}"\nkey = "{general.key}"\n{OVER_TLS}'
        f'[[srs]]\nuri = "sips:SRS.example"\ntls_certificate = "{own.certificate}"\n'
        f'tls_key = "{own.key}"\n[[srs]]\nuri = "sips:plain.example"\n'
        '[[trunk]]\nname = "c"\nfrom = ["192.0.2.1"]\nto = "c"\nuri = "sips:cloud.example"\n'
        f'tls_wildcards = true\ntls_trusted_ca = "{authority.file}"\n'
    )
    peers = load(file, {}, {}).tls_peers
    assert set(peers) == {"srs.example", "cloud.example"}
    srs, cloud = peers["srs.example"].settings, peers["cloud.example"].settings
    assert (srs.certificate, srs.key, srs.wildcards) == (own.certificate, own.key, False)
    assert (cloud.certificate, cloud.trusted_ca, cloud.wildcards) == (
        general.certificate,
        authority.file,
        True,
    )


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ('tls_certificate = "/nowhere/c.pem"', "srs.1.tls_certificate: /nowhere/c.pem: No such file"),
        ('tls_key = "/nowhere/k.pem"', "srs.1.tls_key: there is no certificate to it"),
        (
            'tls_wildcards = true\n[[srs]]\nuri = "sips:srs.example:5071"\ntls_wildcards = false',
            "srs.2: another entry has other tls_ keys for srs.example",
        ),
    ],
)
def test_tls_of_an_entry_that_cannot_be_used_is_refused(write: Write, entries: str, problem: str) -> None:
    file = write(f'{OVER_TLS}[[srs]]\nuri = "sips:srs.example"\n{entries}\n')
    (told,) = refused(file, flags={"route": "sip:127.0.0.1:5070", "listen": "127.0.0.1:5060"})
    assert problem in told


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"SIPREC_SRC_SIP_TLS_LISTEN": "127.0.0.1:5060"}, "is where the edge listens for TCP"),
        ({"SIPREC_SRC_SIP_TLS_LISTEN": "[::1]:5061"}, "expected an address of the family of 127.0.0.1"),
        ({"SIPREC_SRC_SIP_TLS_LISTEN": "host:5061"}, "expected a numeric address"),
        ({"SIPREC_SRC_SIP_TRANSPORTS": "udp,tcp", "SIPREC_SRC_ROUTE": "sips:gw.example"}, "has no TLS"),
    ],
)
def test_a_place_for_tls_that_cannot_be_used_is_refused(keys: dict[str, str], problem: str) -> None:
    environment = {"SIPREC_SRC_SIP_TRANSPORTS": "udp,tcp,tls", **keys}
    named: dict[str, object] = {"route": None} if "SIPREC_SRC_ROUTE" in keys else {}
    (told,) = refused(environment=environment, flags=named)
    assert problem in told


def test_every_error_is_told_at_once_with_file_line_and_key(write: Write) -> None:
    file = write(
        "\n".join(
            (
                "[sip]",
                'listn = "127.0.0.1:5060"',
                't1_s = "soon"',
                "",
                "[[trunk]]",
                'name = "pbx"',
                "from = [",
                '  "10.0.0.1/24",',
                "]",
                'to = "carier"',
                "[[trunk]]",
                'name = "carrier"',
                'from = ["10.1.0.0/16"]',
                'to = "sip:10.0.0.1"',
                'edge = "nowhere"',
                "[[srs]]",
                'uri = "sip:127.0.0.1;secure=maybe"',
                "[daemn]",
            )
        )
    )
    problems = refused(file)
    told = [problem.removeprefix(f"{file}:") for problem in problems]
    assert told == [
        "18: daemn: unknown section (did you mean 'daemon'?)",
        "2: sip.listn: unknown key (did you mean 'listen'?)",
        "3: sip.t1_s: expected a valid number, unable to parse string as a number",
        "7: trunk.1.from: 10.0.0.1/24 has host bits set",
        "10: trunk.1.to: 'carier' is neither a trunk nor a SIP URI (did you mean 'carrier'?)",
        "15: trunk.2.edge: edge 'nowhere' does not exist",
        "17: srs.1.uri: SRS 'sip:127.0.0.1;secure=maybe': secure=maybe: expected true or false",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [('a = 1\nb = "x\n', 2), ("[sip]\n[sip]\n", 2), ("a = \n", 1)],
)
def test_broken_toml_is_told_with_its_line(write: Write, text: str, line: int) -> None:
    file = write(text)
    assert refused(file)[0].startswith(f"{file}:{line}: ")


def test_a_file_that_is_not_there_is_told() -> None:
    # And nothing else, since what seems to be missing may be in it.
    assert refused(Path("/nowhere/x.toml")) == ["/nowhere/x.toml: cannot be read: No such file or directory"]


def test_a_name_to_listen_on_is_refused_with_what_to_write_instead(write: Write) -> None:
    (problem,) = refused(flags={"listen": "pbx.example:5060"})
    assert problem == (
        "--listen: sip.listen: 'pbx.example:5060': expected a numeric address before the port, "
        "such as 127.0.0.1:5060; a name that peers shall use goes into 'advertised'"
    )
    (problem,) = refused(flags={"http": "localhost:80"})
    assert problem.endswith("such as 127.0.0.1:80")
    file = write(
        '[[edge]]\nname = "a"\nlisten = "a.example:5060"\n[[srs]]\nuri = "sip:a"\n[sip]\nroute = "sip:b"\n'
    )
    (problem,) = refused(file)
    assert problem.startswith(f"{file}:3: edge.1.listen: 'a.example:5060': expected a numeric address")


@pytest.mark.parametrize(
    "flags",
    [
        {"srs": ["sip:user:hunter2@host:99999"]},
        {"srs": ["sip:user:hunter2@host;edge=none"]},
        {"srs": ["sip:user:hunter2@host;secure=maybe"]},
        {"srs": ["http:user:hunter2@host"]},
        {"route": "sips:user:hunter2@host"},
        {"route": "sip:user:hunter2@[zz"},
    ],
)
def test_a_password_is_in_no_complaint(flags: dict[str, object]) -> None:
    problems = refused(flags=flags)
    assert problems
    assert "hunter2" not in str(problems)


def test_an_unknown_variable_is_refused_with_a_suggestion() -> None:
    problems = refused(environment={"SIPREC_SRC_SIP_LISTN": "x"})
    assert problems == [
        "SIPREC_SRC_SIP_LISTN: unknown environment variable (did you mean 'SIPREC_SRC_SIP_LISTEN'?)"
    ]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"listen": "localhost:5060"}, "--listen: sip.listen: 'localhost:5060': expected a numeric address"),
        ({"listen": "127.0.0.1"}, "--listen: sip.listen: '127.0.0.1': expected ADDRESS:PORT"),
        ({"listen": "127.0.0.1:70000"}, "--listen: sip.listen: '127.0.0.1:70000': expected ADDRESS:PORT"),
        ({"route": "tel:+1"}, "--route: sip.route: 'tel:+1': expected a sip: URI"),
        ({"srs": ["sip:h;edge=x"]}, "--srs: srs.1.uri: SRS 'sip:h;edge=x': unknown edge"),
        ({"route": None}, "no calls could be taken: give --route, or a [[trunk]]"),
        ({"srs": None}, "nothing would be recorded: give --srs, or an [[srs]]"),
    ],
)
def test_what_cannot_be_used_is_refused(flags: dict[str, object], problem: str) -> None:
    (told,) = refused(flags=flags)
    assert told.startswith(problem)


EDGES = """
[[edge]]
name = "a"
listen = "127.0.0.1:5060"
rtp_low = 10000
rtp_high = 11000
[[edge]]
name = "b"
listen = "{listen}"
rtp_low = {low}
rtp_high = 12000
[[srs]]
uri = "sip:127.0.0.1;edge=b"
"""


@pytest.mark.parametrize(
    ("listen", "low", "problem"),
    [
        ("127.0.0.1:5062", 11000, "edge.2.rtp_low: its RTP ports overlap those of edge 'a'"),
        ("0.0.0.0:5062", 11000, "edge.2.rtp_low: its RTP ports overlap those of edge 'a'"),
        ("127.0.0.1:5060", 11001, "edge.2.listen: 127.0.0.1:5060 is that of edge 'a'"),
        ("127.0.0.1:5062", 13000, "edge.2.rtp_high: expected more than rtp_low (13000) and at most 65535"),
    ],
)
def test_edges_may_not_get_into_each_others_way(write: Write, listen: str, low: int, problem: str) -> None:
    problems = refused(write(EDGES.format(listen=listen, low=low)), flags={"route": "sip:127.0.0.1:9"})
    assert problem in problems[0]


@pytest.mark.parametrize("value", ["-1", "59.9", "86401", "nan"])
def test_a_short_silence_is_no_reason_to_end_a_call(write: Write, value: str) -> None:
    file = write(f'[media]\nmedia_timeout_s = {value}\n[[srs]]\nuri = "sip:127.0.0.1"\n')
    (told,) = refused(file, flags={"route": "sip:127.0.0.9"})
    assert told.endswith("media.media_timeout_s: expected 0, or 60 to 86400")


@pytest.mark.parametrize("value", ["[-1]", "[1024]", "[2, 2]", str(list(range(65)))])
def test_cpus_are_different_and_not_more_than_there_may_be_threads(write: Write, value: str) -> None:
    file = write(f'[media]\ncpus = {value}\n[[srs]]\nuri = "sip:127.0.0.1"\n')
    (told,) = refused(file, flags={"route": "sip:127.0.0.9"})
    assert told.endswith("media.cpus: expected at most 64 different numbers of CPUs")


def test_edges_on_different_addresses_share_ports(write: Write) -> None:
    file = write(EDGES.format(listen="127.0.0.2:5060", low=10000))
    config = load(file, {}, {"--route": "sip:127.0.0.1:9"})
    assert list(config.edges) == ["a", "b"]
    assert config.targets[0].edge == "b"


def test_srss_that_only_their_parameters_tell_apart_have_these_in_their_names(write: Write) -> None:
    uris = (
        "sip:rec:pw@192.0.2.9;transport=tcp",
        "sip:rec@192.0.2.9;transport=udp",
        "sip:192.0.2.9;transport=tcp",
    )
    file = write("".join(f'[[srs]]\nuri = "{uri}"\n' for uri in uris))
    config = load(file, {}, {"--route": "sip:127.0.0.1:9"})
    assert [target.name for target in config.targets] == [
        "sip:rec@192.0.2.9;transport=tcp",
        "sip:rec@192.0.2.9;transport=udp",
        "sip:192.0.2.9",
    ]


def test_an_edge_on_every_interface_tells_the_address_of_the_default_route() -> None:
    config = load(None, {}, {**FLAGS, "--listen": "0.0.0.0:5060"})
    edge = config.edges["default"]
    assert edge.sip_bind.host == "0.0.0.0"
    assert edge.sip_advertised.host == edge.rtp_advertised != "0.0.0.0"
    assert edge.sip_advertised.host in config.notes[0]


def test_an_advertised_name_is_for_sip_and_media_needs_an_address(write: Write) -> None:
    file = write(
        '[sip]\nlisten = "127.0.0.1:5060"\nadvertised = "sip.example"\n[[srs]]\nuri = "sip:1.2.3.4"\n'
    )
    edge = load(file, {}, {"--route": "sip:127.0.0.1:9"}).edges["default"]
    assert (edge.sip_advertised, edge.rtp_advertised) == (Address("sip.example", 5060), "127.0.0.1")


def test_trunks_of_both_directions(write: Write) -> None:
    file = write(
        """
        [sip]
        listen = "127.0.0.1:5060"
        [[trunk]]
        name = "pbx"
        from = ["10.0.0.5/32"]
        to = "carrier"
        uri = "sip:10.0.0.5"
        [[trunk]]
        name = "carrier"
        from = ["192.0.2.0/24", "2001:db8::/32"]
        to = "pbx"
        uri = "sip:192.0.2.1:5080"
        media_source = "learn"
        [[srs]]
        uri = "sip:127.0.0.1:5090"
        """
    )
    pbx, carrier = load(file, {}, {}).trunks
    assert (pbx.to, carrier.to) == ("carrier", "pbx")
    assert str(carrier.uri) == "sip:192.0.2.1:5080"
    assert (pbx.source_policy, carrier.source_policy) == (SourcePolicy.STRICT, SourcePolicy.LEARN)


def test_a_configuration_survives_the_way_to_the_control_process() -> None:
    config = load(None, {"SIPREC_SRC_DAEMON_MAX_CALLS": "7"}, FLAGS)
    again = from_values(json.loads(json.dumps(config.values)))
    assert again == dataclasses.replace(config)
    assert again.daemon.max_calls == 7


def test_a_key_is_found_on_its_line_whatever_stands_around_it() -> None:
    text = "\n".join(
        (
            "# [sip]",
            "[ sip ]  # here",
            'a = """',
            "b = 1",
            '"""',
            "c = [",
            '  "[x]", # ]',
            "  { d = 1 },",
            "]",
            '"e f".g = 2',
            "[[srs]]",
            "uri = 1",
            "[[srs]]",
            "uri = 2",
            "[srs.more]",
            "x = 1",
        )
    )
    assert key_lines(text) == {
        ("sip",): 2,
        ("sip", "a"): 3,
        ("sip", "c"): 6,
        ("sip", "e f", "g"): 10,
        ("srs", 0): 11,
        ("srs", 0, "uri"): 12,
        ("srs", 1): 13,
        ("srs", 1, "uri"): 14,
        ("srs", 1, "more"): 15,
        ("srs", 1, "more", "x"): 16,
    }


def test_the_file_with_every_key_is_up_to_date_and_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFICE_TOKEN", "secret")
    file = CONFIGS / "siprec-src.full.toml"
    assert file.read_text() == full_file(), "run: python -m siprec_src.config > configs/siprec-src.full.toml"
    assert load(file, {}, {"--route": "sip:192.0.2.1"}).targets


def test_the_smallest_file_is_good() -> None:
    config = load(CONFIGS / "siprec-src.toml", {}, {})
    assert config.edges["default"].sip_bind == Address("127.0.0.1", 5060)


@pytest.mark.parametrize("cls", [*SECTIONS.values(), *ARRAYS.values()], ids=lambda cls: cls.__name__)
def test_every_key_has_its_doc(cls: type) -> None:
    assert field_docs(cls).keys() == set(cls.__dataclass_fields__)  # type: ignore[attr-defined]


def test_name_servers_and_the_use_of_srss_can_be_chosen(write: Write) -> None:
    file = write(
        '[sip]\nroute = "sip:127.0.0.9"\nlisten = "127.0.0.1:5060"\nhold_down_s = 5.0\n'
        'dns_servers = ["127.0.0.53", "::1", "127.0.0.1:5353"]\n'
        '[recording]\ndistribution = "round-robin"\noptions_interval_s = 0\n'
        '[[srs]]\nuri = "sip:srs.example"\n'
    )
    config = load(file, {}, {})
    assert config.dns_servers == (Address("127.0.0.53", 53), Address("::1", 53), Address("127.0.0.1", 5353))
    assert config.sip.hold_down_s == 5.0
    assert config.recording == RecordingSettings(distribution=Distribution.ROUND_ROBIN, options_interval_s=0)
    assert from_values(json.loads(json.dumps(config.values))).recording == config.recording


def test_a_name_server_by_name_or_an_unknown_distribution_is_refused(write: Write) -> None:
    problems = refused(
        write(
            '[sip]\nroute = "sip:127.0.0.9"\nlisten = "127.0.0.1:5060"\ndns_servers = ["dns.example:53"]\n'
            '[recording]\ndistribution = "any"\n[[srs]]\nuri = "sip:srs.example"\n'
        )
    )
    assert any("dns_servers" in problem for problem in problems)
    assert any("recording.distribution" in problem for problem in problems)


def test_copies_are_read_and_one_without_room_is_noted(write: Write) -> None:
    file = write(
        '[sip]\nroute = "sip:127.0.0.9"\nlisten = "127.0.0.1:5060"\n'
        '[recording]\ndistribution = "parallel"\nmax_forked_streams = 3\nautomatic = false\n'
        '[[srs]]\nuri = "sip:a.example"\ncopy = "live"\n'
        '[[srs]]\nuri = "sip:b.example"\n'
        '[[srs]]\nuri = "sip:c.example"\ntrack = "inbound"\n'
    )
    config = load(file, {}, {})
    assert [srs.copy for srs in config.srs] == ["live", "", ""]
    assert not config.recording.automatic
    (note,) = [note for note in config.notes if "copy" in note]
    assert note.startswith("copy 'sip:b.example': max_forked_streams = 3")


def test_a_copy_is_named_by_a_token_and_the_room_is_bounded(write: Write) -> None:
    problems = refused(
        write(
            '[sip]\nroute = "sip:127.0.0.9"\nlisten = "127.0.0.1:5060"\n'
            '[recording]\nmax_forked_streams = 0\n[[srs]]\nuri = "sip:srs.example"\ncopy = "a b"\n'
        )
    )
    assert any("recording.max_forked_streams" in problem for problem in problems)
    assert any("copy" in problem and "token" in problem for problem in problems)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ('tone_file = "beep.wav"', "indication.tone_file: expected an absolute path"),
        (
            'tone_file = "/nowhere/beep.wav"',
            "indication.tone_file: /nowhere/beep.wav: No such file or directory",
        ),
        ("tone_frequency_hz = 8000", "indication.tone_frequency_hz: expected 100 to 3400"),
        ("tone_interval_s = 0.1", "indication.tone_interval_s: expected 0.5 to 3600"),
        ('caller = "beep"', "indication.caller: expected 'none', 'tone' or 'announcement'"),
        ('callee = "announcement"', "indication.announcement_file: missing"),
    ],
)
def test_a_tone_that_cannot_be_heard_is_refused_at_the_start(write: Write, key: str, problem: str) -> None:
    named = {name.removeprefix("--"): value for name, value in FLAGS.items()}
    (found,) = refused(write(f"[indication]\n{key}\n"), flags=named)
    assert problem in found
