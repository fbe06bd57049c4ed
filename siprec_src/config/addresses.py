"""The texts of values that say where something is: ADDRESS:PORT, name servers, SIP URIs."""

from __future__ import annotations

import ipaddress
from typing import Final

from siprec_src.config.lines import KeyPath
from siprec_src.config.sources import Problems
from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.flow import Address
from siprec_src.sip.uri import Uri, parse_uri

DNS_PORT: Final = 53


def listen_address(text: str, path: KeyPath, problems: Problems, *, numeric: bool = True) -> Address | None:
    """``ADDRESS:PORT`` as an address; None when it is none."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]") if host.startswith("[") else host
    if not colon or not port.isascii() or not port.isdigit() or int(port[:6]) > 65535:
        problems.add(path, f"{text!r}: expected ADDRESS:PORT")
        return None
    if numeric and not is_numeric(host):
        hint = "" if path[0] == "http" else "; a name that peers shall use goes into 'advertised'"
        what = f"expected a numeric address before the port, such as 127.0.0.1:{port}{hint}"
        problems.add(path, f"{text!r}: {what}")
        return None
    return Address(host, int(port))


def name_servers(given: tuple[str, ...], problems: Problems) -> tuple[Address, ...]:
    """Name servers; the port is 53 where none is given."""
    found = []
    for number, text in enumerate(given):
        if is_numeric(text.strip("[]")):
            found.append(Address(text.strip("[]"), DNS_PORT))
        elif (server := listen_address(text, ("sip", "dns_servers", number), problems)) is not None:
            found.append(server)
    return tuple(found)


def sip_uri(text: str, path: KeyPath, problems: Problems) -> Uri | None:
    """A ``sip:`` or ``sips:`` URI; None when it is none."""
    try:
        uri = parse_uri(text)
    except RemoteProtocolError as error:
        problems.add(path, str(error))
        return None
    if uri.scheme not in ("sip", "sips"):
        problems.add(path, f"{text!r}: expected a sip: URI")
        return None
    return uri


def is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
