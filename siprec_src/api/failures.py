"""Failed tries to log in, counted by address: who guesses has to wait, and nobody else."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

MAX_FAILURES: Final = 10  #: of one address within `WINDOW_S`
WINDOW_S: Final = 60.0
MAX_ADDRESSES: Final = 4096  #: that are remembered; the one that failed longest ago makes room
_NETWORK_BITS: Final = 64  # of IPv6, what one client has at least


class Failures:
    """How often each address has failed of late."""

    def __init__(self) -> None:
        self._since: OrderedDict[str, tuple[float, int]] = OrderedDict()  #: first failure, and how many

    def wait_s(self, address: str, now: float) -> float:
        """How long this address has to wait for its next try; 0 when it may try now."""
        since, count = self._since.get(_network(address), (now, 0))
        return max(0.0, since + WINDOW_S - now) if count >= MAX_FAILURES else 0.0

    def failed(self, address: str, now: float) -> None:
        """One more try has failed."""
        network = _network(address)
        since, count = self._since.pop(network, (now, 0))
        self._since[network] = (now, 1) if now - since >= WINDOW_S else (since, count + 1)
        if len(self._since) > MAX_ADDRESSES:
            self._since.popitem(last=False)


def _network(address: str) -> str:
    """Of IPv6 a network: one client has as many addresses there as it likes."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
