"""What can be configured of callbacks."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from siprec_src.errors import ConfigurationError
from siprec_src.values import immutable


@immutable
class CallbackSettings:
    """Status callbacks, and what else is asked of customers' servers."""

    allow_private: tuple[str, ...] = ()  #: networks that are asked although they are private, as 10.1.0.0/16
    trusted_ca: Path | None = None  #: PEM file of authorities beside the system's, for https
    connect_timeout_s: float = 5.0  #: for the connection, TLS included
    timeout_s: float = 15.0  #: for all of one try
    max_response_bytes: int = 65536  #: of an answer; it is read so far, and thrown away
    max_concurrent: int = 32  #: requests at a time
    max_concurrent_per_host: int = 4  #: of those to one host
    first_retry_s: float = 1.0  #: after the first try that failed
    retry_factor: float = 2.0  #: each further pause is so many times the last; all are varied by chance
    max_retry_s: float = 600.0  #: longest pause, a Retry-After of the server included
    max_age_s: float = 86400.0  #: then a callback is dead: tried no more, and listed
    max_pending: int = 10_000  #: callbacks on their way; above it a new one is lost, with a log line
    max_dead: int = 1000  #: dead ones that are kept to be looked at; above it the oldest is forgotten
    max_dead_age_s: float = 604_800.0  #: then a dead one is forgotten

    def __post_init__(self) -> None:
        for text in self.allow_private:
            _network(text)
        for key, low, high in (
            ("connect_timeout_s", 0.1, 60),
            ("timeout_s", 0.1, 300),
            ("max_response_bytes", 0, 2**24),
            ("max_concurrent", 1, 1024),
            ("max_concurrent_per_host", 1, 1024),
            ("first_retry_s", 0.05, 3600),
            ("retry_factor", 1, 10),
            ("max_retry_s", 1, 86400),
            ("max_age_s", 1, 30 * 86400),
            ("max_pending", 1, 1_000_000),
            ("max_dead", 0, 100_000),
            ("max_dead_age_s", 60, 365 * 86400),
        ):
            if not low <= getattr(self, key) <= high:
                raise ConfigurationError(f"{key}: expected {low} to {high}")

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Of ``allow_private``."""
        return tuple(_network(text) for text in self.allow_private)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ConfigurationError(f"allow_private: {text!r} is no network such as 10.1.0.0/16") from None
