"""The system's own list of names (hosts(5)), which goes before DNS."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final

HOSTS_FILE: Final = Path("/etc/hosts")


class HostsFile:
    """Addresses by name; the file is read again when it changes."""

    def __init__(self, path: Path, check_s: float) -> None:
        self._path = path
        self._check_s = check_s
        self._next_check = 0.0
        self._stamp: tuple[int, int] | None = None
        self._names: dict[str, tuple[str, ...]] = {}

    def addresses(self, host: str, now: float) -> tuple[str, ...]:
        """The addresses of a name in lower case; none when the file does not have it."""
        if now >= self._next_check:
            self._next_check = now + self._check_s
            self._reload()
        found = self._names.get(host, ())
        # RFC 6761 6.3: localhost is this machine, whatever anybody says.
        return found or (("127.0.0.1", "::1") if host == "localhost" else ())

    def _reload(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            self._names = {}
            self._stamp = None
            return
        self._stamp = stamp
        names: dict[str, tuple[str, ...]] = {}
        for line in text.splitlines():
            address, *aliases = line.partition("#")[0].split() or ("",)
            try:
                numeric = str(ipaddress.ip_address(address.partition("%")[0]))
            except ValueError:
                continue
            for alias in aliases:
                name = alias.lower().rstrip(".")
                names[name] = (*names.get(name, ()), numeric)
        self._names = names
