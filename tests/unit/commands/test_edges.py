"""`siprec-src edges`, and the example configuration with the edges of a platform."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from siprec_src.app import exits
from siprec_src.cli import main
from siprec_src.config import load
from siprec_src.sip.flow import Transport
from tests.support.reference import reference_path

EXAMPLE = Path(__file__).resolve().parents[3] / "configs" / "edges.toml"
NETWORK = r"[0-9.]+/[0-9]+"
PLATFORM = ("ashburn", "umatilla", "dublin", "frankfurt", "tokyo", "singapore", "sydney", "sao-paulo")


def edges(*arguments: str, config: Path = EXAMPLE) -> str:
    result = CliRunner().invoke(main, ["edges", "--config", str(config), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.feature("F067", "F068", "F069", "F070", "F071", "F072", "F073", "F074", "F075")
def test_the_example_has_every_edge_of_the_platform_with_its_networks_and_ports() -> None:
    rows = reference_path("api", "platform-features.md").read_text()
    known = load(EXAMPLE, {}, {}).edges
    assert tuple(known)[1:] == PLATFORM
    for name in PLATFORM:
        (row,) = re.findall(rf"Edge `{name}`: .*? \| (signalling .*?) \|", rows)
        said, media = row.split("; media ")
        edge = known[name]
        assert edge.signalling_networks == tuple(re.findall(NETWORK, said))
        assert edge.media_networks == tuple(re.findall(NETWORK, media))
        assert (edge.rtp_low, edge.rtp_high) == (10_000, 20_000)
        assert {t: edge.advertised(t).port for t in edge.transports} == {
            Transport.UDP: 5060,
            Transport.TCP: 5060,
            Transport.TLS: 5061,
        }


@pytest.mark.feature("F066")
def test_the_allow_list_has_networks_transports_and_ports_of_each_edge() -> None:
    listed = json.loads(edges("--allow-list", "--json"))
    (dublin,) = (one for one in listed if one["edge"] == "dublin")
    assert dublin == {
        "edge": "dublin",
        "signalling": {
            "networks": ["54.171.127.192/30"],
            "ports": [
                {"transport": "UDP", "low": 5060, "high": 5060},
                {"transport": "TCP", "low": 5060, "high": 5060},
                {"transport": "TLS", "low": 5061, "high": 5061},
            ],
        },
        "media": {
            "networks": ["54.171.127.192/26", "52.215.127.0/24"],
            "ports": [{"transport": "UDP", "low": 10000, "high": 20000}],
        },
    }
    shown = [line.split("  ") for line in edges("--allow-list").splitlines()]
    (signalling,) = (
        [cell.strip() for cell in row if cell] for row in shown if row[0] == "tokyo" and "TLS" in row[-1]
    )
    assert signalling == ["tokyo", "signalling", "54.65.63.192/30", "UDP 5060, TCP 5060, TLS 5061"]


@pytest.mark.feature("F066")
def test_an_edge_without_networks_is_admitted_by_its_addresses(tmp_path: Path) -> None:
    file = tmp_path / "siprec-src.toml"
    file.write_text("""
[sip]
route = "sip:127.0.0.1"
[[edge]]
name = "six"
listen = "[::1]:5070"
[[edge]]
name = "nat"
listen = "127.0.0.1:0"
advertised = "src.example"
rtp_advertised = "192.0.2.7"
[[srs]]
uri = "sip:127.0.0.1"
""")
    six, nat = json.loads(edges("--allow-list", "--json", config=file))
    assert [six[use]["networks"] for use in ("signalling", "media")] == [["::1/128"], ["::1/128"]]
    assert [nat[use]["networks"] for use in ("signalling", "media")] == [["src.example"], ["192.0.2.7/32"]]
    assert "UDP any, TCP any" in edges("--allow-list", config=file)
    assert edges(config=file).splitlines()[1].split() == [
        *("six", "[::1]:5070", "[::1]:5070", "UDP,TCP", "::1", "10000-20000", "::1")
    ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            '"54.171.127.192/30"',
            "signalling_networks: 54.171.127.193, which peers are told, is in none of them",
        ),
        (
            '"54.171.127.192/26", "52.215.127.0/24"',
            "media_networks: 54.171.127.193, which peers are told, is in",
        ),
    ],
)
@pytest.mark.feature("F066")
def test_an_edge_that_its_networks_do_not_hold_is_refused(tmp_path: Path, change: str, what: str) -> None:
    file = tmp_path / "siprec-src.toml"
    for wrong, said in (
        ('"198.51.100.0/24"', what),
        ('"198.51.100.1/24"', "has host bits set"),
        ('"x"', "'x' does not"),
    ):
        file.write_text(EXAMPLE.read_text().replace(f"networks = [{change}]", f"networks = [{wrong}]"))
        result = CliRunner().invoke(main, ["check", "--config", str(file)])
        assert result.exit_code == exits.CONFIG
        assert said in result.output
        assert ": edge.4." in result.output
