"""What is to be told to a customer's server, and what a try of it came to."""

from __future__ import annotations

import dataclasses
from typing import Protocol

from siprec_src.store.letter import Method
from siprec_src.values import immutable


class Owner(Protocol):
    """The account whose resource it is."""

    @property
    def sid(self) -> str: ...


@immutable
class Callback:
    """One request to a customer's server."""

    account: Owner  #: its token signs the request, at each try the one that it has then
    resource: str  #: SID of what it tells of; the callbacks of one resource keep their order
    call_sid: str
    url: str = dataclasses.field(repr=False)
    method: Method
    fields: tuple[tuple[str, str], ...]  #: in the order in which they are sent; empty values are left out


@immutable
class Delivered:
    """The server has taken it: any 2xx."""

    status: int


@immutable
class Failed:
    """It has not."""

    reason: str  #: for people, without credentials
    again: bool  #: whether another try may go well
    wait_s: float | None = None  #: for which the server asks to be left alone (Retry-After)


Result = Delivered | Failed
