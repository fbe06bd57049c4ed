"""``siprec-src edges``: where recordings leave, and what the firewall of an SRS must admit of them."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from siprec_src.sip.flow import Edge


@click.command()
@click.option("--config", "flag", type=click.Path(path_type=Path), help="Configuration file (TOML).")
@click.option("--allow-list", is_flag=True, help="What the firewall of an SRS must admit.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
def edges(flag: Path | None, *, allow_list: bool, as_json: bool) -> None:
    """Show the edges, each with its addresses.

    With --allow-list, the networks and ports from which recordings reach an SRS: those that an edge names in
    signalling_networks and media_networks, else its addresses themselves.
    """
    from siprec_src.commands.configured import configuration, file_of
    from siprec_src.commands.tables import table

    known = configuration(file_of(flag)).edges.values()
    shown = [_admitted(edge) if allow_list else _placed(edge) for edge in known]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
    elif allow_list:
        click.echo(table(("EDGE", "", "NETWORKS", "PORTS"), [row for one in shown for row in _rows(one)]))
        click.echo("What comes over TCP and TLS comes from any port of these networks.")
    else:
        head = ("EDGE", "SIP", "ADVERTISED", "TRANSPORTS", "MEDIA", "ADVERTISED")
        click.echo(table(head, [tuple(one.values()) for one in shown]))


def _placed(edge: Edge) -> dict[str, str]:
    return {
        "edge": edge.name,
        "sip": str(edge.sip_bind),
        "sip_advertised": str(edge.sip_advertised),
        "transports": ",".join(transport.value for transport in edge.transports),
        "media": f"{edge.rtp_bind} {edge.rtp_low}-{edge.rtp_high}",
        "media_advertised": edge.rtp_advertised,
    }


def _admitted(edge: Edge) -> dict[str, Any]:
    ports = {transport.value: edge.advertised(transport).port for transport in edge.transports}
    return {
        "edge": edge.name,
        "signalling": {
            "networks": list(edge.signalling_networks) or [_network(edge.sip_advertised.host)],
            "ports": [{"transport": name, "low": port, "high": port} for name, port in ports.items()],
        },
        "media": {
            "networks": list(edge.media_networks) or [_network(edge.rtp_advertised)],
            "ports": [{"transport": "UDP", "low": edge.rtp_low, "high": edge.rtp_high}],
        },
    }


def _network(host: str) -> str:
    """An address as a network; a name stays one."""
    try:
        return str(ipaddress.ip_network(host))
    except ValueError:
        return host


def _rows(one: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (one["edge"], use, ", ".join(one[use]["networks"]), ", ".join(map(_port, one[use]["ports"])))
        for use in ("signalling", "media")
    ]


def _port(said: dict[str, Any]) -> str:
    ports = said["low"] if said["low"] == said["high"] else f"{said['low']}-{said['high']}"
    return f"{said['transport']} {ports or 'any'}"
