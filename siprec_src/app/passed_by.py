"""What of this host's would not see packets that pass by its sockets, on their way out or on both.

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
_RTM_GETQDISC: Final = 38
_RTM_GETTFILTER: Final = 46
_QUEUE: Final = struct.Struct("=B3xiIII")  #: struct tcmsg: family, interface, handle, parent, info
_INGRESS: Final = {b"clsact": 0xFFFFFFF2, b"ingress": 0xFFFF0000}  #: where filters of arriving packets are
_TCA_KIND, _TCA_OPTIONS, _TCA_BPF_NAME = 1, 2, 7
_OUR_PROGRAM: Final = b"siprec_relay"
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


def passed_by_relay() -> str:
    """What of the host's would not see packets that are relayed at the ingress, beyond `passed_by`."""
    try:
        for interface in _others_filters():
            return f"at the ingress of {interface} are filters (tc) that may not see what is relayed"
    except OSError as error:
        return f"whether there are filters at an ingress (tc) cannot be asked: {error.strerror or error}"
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
    # Those that the kernel calls by itself (linux/netfilter/nf_tables.h).
    return any(_NFTA_CHAIN_HOOK in _attributes(chain[_NFT_HEADER_BYTES:]) for chain in chains)


def _others_filters() -> Iterator[str]:
    """Interfaces with filters at their ingress that are no relay's of ours."""
    for queue in _dump(socket.NETLINK_ROUTE, _RTM_GETQDISC, _QUEUE.pack(0, 0, 0, 0, 0)):
        _, interface, *_ = _QUEUE.unpack_from(queue)
        parent = _INGRESS.get(_kind(queue))
        if parent is None:
            continue
        asked = _QUEUE.pack(0, interface, 0, parent, 0)
        if any(not _is_ours(told) for told in _dump(socket.NETLINK_ROUTE, _RTM_GETTFILTER, asked)):
            yield socket.if_indextoname(interface)


def _kind(told: bytes) -> bytes:
    return _attributes(told[_QUEUE.size :]).get(_TCA_KIND, b"").rstrip(b"\0")


def _is_ours(told: bytes) -> bool:
    """Of a filter, or of what the kernel says of all that have its priority, which has no options."""
    options = _attributes(told[_QUEUE.size :]).get(_TCA_OPTIONS)
    if _kind(told) != b"bpf":
        return False
    return options is None or _attributes(options).get(_TCA_BPF_NAME, b"").startswith(_OUR_PROGRAM)


def _attributes(octets: bytes) -> dict[int, bytes]:
    """By their types (netlink(7))."""
    found = {}
    while len(octets) >= 4:
        size, kind = struct.unpack_from("=HH", octets)
        found[kind & _ATTRIBUTE_TYPE] = octets[4:size]
        octets = octets[max(4, (size + 3) & ~3) :]
    return found


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
