"""A dialog: who speaks to whom, by which way, and with which numbers (RFC 3261 12).

From and To are kept as the texts that first made the dialog, so display names and unknown parameters
come back to the peer as it sent them.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Self

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.headers import NameAddress
from siprec_src.sip.message import Headers, Message, Request, Response, header_key
from siprec_src.sip.target import route
from siprec_src.sip.uri import Uri, parse_uri

DialogKey = tuple[str, str, str]


@dataclasses.dataclass(slots=True, kw_only=True)
class Dialog:
    """State of one dialog (12). It changes in place as requests pass."""

    call_id: str
    local_tag: str
    remote_tag: str  #: "" for a peer of RFC 2543 that set none
    local: str  #: our From, with tag
    remote: str  #: our To, with the peer's tag
    routes: tuple[NameAddress, ...]
    target: Uri  #: the peer's Contact
    local_cseq: int
    remote_cseq: int | None

    @classmethod
    def of_client(cls, invite: Request, response: Response) -> Self:
        """The dialog that a 101-299 to our ``invite`` makes (12.1.2).

        A provisional response without Contact leaves the Request-URI as target until a better one comes.
        """
        return cls(
            call_id=invite.call_id,
            local_tag=invite.from_.tag or "",
            remote_tag=response.to.tag or "",
            local=invite.headers.get("from") or "",
            remote=response.headers.get("to") or "",
            routes=tuple(reversed(response.record_routes)),
            target=_target_in(response) or parse_uri(invite.uri),
            local_cseq=invite.cseq.number,
            remote_cseq=None,
        )

    @classmethod
    def of_server(cls, invite: Request, local_tag: str) -> Self:
        """The dialog that our 101-299 with ``local_tag`` to ``invite`` makes (12.1.1).

        Raises:
            RemoteProtocolError: there is no Contact that a request could be sent to.
        """
        target = _target_in(invite)
        if target is None:
            raise RemoteProtocolError("no Contact in an INVITE", section="RFC 3261 8.1.1.8")
        return cls(
            call_id=invite.call_id,
            local_tag=local_tag,
            remote_tag=invite.from_.tag or "",
            local=f"{invite.headers.get('to')};tag={local_tag}",
            remote=invite.headers.get("from") or "",
            routes=invite.record_routes,
            target=target,
            local_cseq=0,
            remote_cseq=invite.cseq.number,
        )

    @property
    def key(self) -> DialogKey:
        """What a request inside the dialog is found by: Call-ID, our tag, the peer's."""
        return (self.call_id, self.local_tag, self.remote_tag)

    def confirm(self, success: Response) -> None:
        """Take route set and target from the 2xx: it may have come another way than the 1xx (13.2.2.4)."""
        self.routes = tuple(reversed(success.record_routes))
        self.refresh(success)

    def refresh(self, message: Message) -> None:
        """Replace the remote target by the message's Contact, if it has one (12.2.1.2, 12.2.2).

        A request says too who speaks there now: its From is our To from then on (RFC 4916 4.4).
        """
        self.target = _target_in(message) or self.target
        if isinstance(message, Request):
            self.remote = message.headers.get("from") or self.remote

    def accept(self, cseq: int) -> bool:
        """Take the number of a received request; False when it is not above the last one (12.2.2).

        An equal number is refused like a lower one: a true repetition has matched its transaction.
        """
        if self.remote_cseq is not None and cseq <= self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def request(
        self, method: str, headers: Headers, body: bytes = b"", *, cseq: int | None = None, contact: str = ""
    ) -> tuple[Request, Uri]:
        """A request without Via, and its next hop (12.2.1.1).

        ``headers`` are the owner's; what the dialog dictates is left out of them, but for a new From.
        ``cseq`` is that of the INVITE for its ACK (13.2.2.4), else the next number. ``contact`` is added
        where it is given.
        """
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        if (renamed := headers.get("from")) is not None:
            self.local = f"{renamed};tag={self.local_tag}"
        routed = route(self.target, self.routes)
        head = [("Route", value) for value in routed.routes]
        head += [
            ("Max-Forwards", headers.get("max-forwards") or "70"),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        if contact:
            head.append(("Contact", contact))
        head += [field for field in headers if header_key(field[0]) not in _DICTATED]
        return Request(method=method, uri=routed.uri, headers=Headers(head), body=body), routed.hop


def request_key(request: Request) -> DialogKey:
    """Key of the dialog that a received request names (12.2.2)."""
    return (request.call_id, request.to.tag or "", request.from_.tag or "")


def _target_in(message: Message) -> Uri | None:
    """The Contact as a Request-URI: without what may not stand in one (19.1.5)."""
    if not message.contacts:
        return None
    uri = message.contacts[0].uri
    if uri.scheme not in {"sip", "sips"}:
        raise RemoteProtocolError(
            f"a Contact of scheme {uri.scheme!r} cannot be called", section="RFC 3261 8.1.1.8"
        )
    bare = uri.without_parameters("method")
    return dataclasses.replace(bare, headers="") if bare.headers else bare


_DICTATED: Final = frozenset(
    {"via", "route", "max-forwards", "from", "to", "call-id", "cseq", "contact", "content-length"}
)
