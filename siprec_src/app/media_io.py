"""How the media engine moves packets: the best way that the host permits, and what a better one lacks."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from siprec_src.media.model import MediaIo
from siprec_src.values import immutable

_NETLINK_XFRM: Final = 6
_NETLINK_NETFILTER: Final = 12
_XFRM_MSG_GETPOLICY: Final = 0x15
_RTM_GETRULE: Final = 34
_USUAL_RULES: Final = ((socket.AF_INET, 3), (socket.AF_INET6, 2))  #: local, main and default
_NFT_MSG_GETCHAIN: Final = 10 << 8 | 4  #: of the subsystem nftables
_NFT_HEADER_BYTES: Final = 4
_NFTA_CHAIN_HOOK: Final = 4
_ATTRIBUTE_TYPE: Final = 0x3FFF  #: without the flags for nesting and byte order
_NLM_F_REQUEST_DUMP: Final = 0x301
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_ERROR: Final = struct.Struct("=i")
_HEADER: Final = struct.Struct("=IHHII")
_WAIT_S: Final = 2.0


@immutable
class Choice:
    """What is used, and why nothing better."""

    io: MediaIo
    better_lacks: str  #: of the next better one; empty: there is none


def choose(wanted: MediaIo) -> Choice:
    """The way for ``media.io``; one that is wanted by name is not checked, the engine says what it lacks."""
    if wanted is not MediaIo.AUTO:
        return Choice(io=wanted, better_lacks="")
    lacks = _packet_lacks()
    return Choice(io=MediaIo.SOCKETS if lacks else MediaIo.PACKET, better_lacks=lacks)


def _packet_lacks() -> str:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        return f"packet: {error.strerror}: it needs CAP_NET_RAW"
    try:
        if _has_firewall():
            return "packet: the host has a firewall, which would not see what is sent so"
        if any(_dump(_NETLINK_XFRM, _XFRM_MSG_GETPOLICY, b"")):
            return "packet: the host has IPsec policies, by which it would pass"
        if _has_routing_rules():
            return "packet: the host has routing rules (ip rule) of its own, of which it would not know all"
    except OSError as error:
        return f"packet: whether the host has a firewall cannot be asked: {error.strerror or error}"
    return ""


def _has_firewall() -> bool:
    """Whether netfilter has a chain that packets go through, of nftables or of the older tables."""
    for names in ("ip_tables_names", "ip6_tables_names"):
        try:
            if Path("/proc/net", names).read_text():
                return True
        except FileNotFoundError:  # the older tables are not in this kernel
            continue
    chains = _dump(_NETLINK_NETFILTER, _NFT_MSG_GETCHAIN, bytes(_NFT_HEADER_BYTES))
    return any(_has_hook(chain[_NFT_HEADER_BYTES:]) for chain in chains)


def _has_hook(attributes: bytes) -> bool:
    """Of a chain: that it is one that the kernel calls by itself (linux/netfilter/nf_tables.h)."""
    while len(attributes) >= 4:
        size, kind = struct.unpack_from("=HH", attributes)
        if kind & _ATTRIBUTE_TYPE == _NFTA_CHAIN_HOOK:
            return True
        attributes = attributes[max(4, (size + 3) & ~3) :]
    return False


def _has_routing_rules() -> bool:
    """Whether there are more than those that every host has; they may go by ports, users or marks."""
    return any(
        sum(1 for _ in _dump(socket.NETLINK_ROUTE, _RTM_GETRULE, struct.pack("=B11x", family))) > usual
        for family, usual in _USUAL_RULES
    )


def _dump(protocol: int, request: int, body: bytes) -> Iterator[bytes]:
    """What the kernel has of one kind (netlink(7)); nothing where it knows no such protocol or request."""
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    except OSError:
        return
    with netlink:
        netlink.settimeout(_WAIT_S)
        netlink.send(_HEADER.pack(_HEADER.size + len(body), request, _NLM_F_REQUEST_DUMP, 1, 0) + body)
        while True:
            told = netlink.recv(1 << 16)
            while len(told) >= _HEADER.size:
                size, kind, *_ = _HEADER.unpack_from(told)
                if kind == _NLMSG_ERROR:
                    _refused(-_ERROR.unpack_from(told, _HEADER.size)[0])
                if kind in {_NLMSG_DONE, _NLMSG_ERROR}:
                    return
                yield told[_HEADER.size : size]
                told = told[(size + 3) & ~3 :]


def _refused(error: int) -> None:
    """What the kernel shows to others is not to be taken for nothing."""
    if error in {errno.EPERM, errno.EACCES}:
        raise PermissionError(error, f"{os.strerror(error)}: it needs CAP_NET_ADMIN")
