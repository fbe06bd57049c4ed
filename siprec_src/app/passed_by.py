"""What of this host's would not see packets that are handed to an interface past its sockets.

Asked of the kernel by netlink(7), bpf(2) and /proc. What it does not show to this process counts as there.
Not asked, for nobody is told of them: virtual servers (IPVS) and netfilter programs in BPF.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

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


def passed_by() -> str:
    """In words for the log; empty: nothing."""
    try:
        if _has_firewall():
            return "the host has a firewall, which would not see what is sent so"
        if any(_dump(_NETLINK_XFRM, _XFRM_MSG_GETPOLICY, b"")):
            return "the host has IPsec policies, by which it would pass"
        if _has_routing_rules():
            return "the host has routing rules (ip rule) of its own, of which it would not know all"
        if _has_programs():
            return "the control group has BPF programs, which would not see what is sent so"
    except OSError as error:
        return f"whether the host has a firewall cannot be asked: {error.strerror or error}"
    return ""


def _has_firewall() -> bool:
    """Whether netfilter has a chain that packets go through, of nftables or of the older tables."""
    for names in ("ip_tables_names", "ip6_tables_names"):
        try:
            if Path("/proc/thread-self/net", names).read_text():
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


def _has_programs() -> bool:
    """Whether programs look at what sockets of our control group send (IPAddressDeny= of systemd, say)."""
    from siprec_src.media.engine import cgroup_programs

    groups = Path("/proc/self/cgroup").read_text(errors="surrogateescape").splitlines()
    ours = next((group.removeprefix("0::/") for group in groups if group.startswith("0::/")), None)
    mounts = (
        line.split() for line in Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines()
    )
    roots = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    if ours is None or not roots:
        return False
    directory = os.open(roots[0] / ours, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return cgroup_programs(directory) > 0
    finally:
        os.close(directory)


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
