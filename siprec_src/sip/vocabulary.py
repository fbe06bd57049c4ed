"""The words between the user agent and those who use it (the transaction users of RFC 3261 17).

A *usage* is everything that one INVITE started: its early dialogs, the one that is confirmed, and all
requests inside. A *dialog* inside a usage is named by a text: on the client side the peer's tag, on the
server side a label that the owner chooses (one local tag is made per label, so a B2BUA can keep the
forks of its other leg apart, RFC 3261 12.1). A *token* names one request, sent or received. Owners send
commands, the user agent tells events. Messages are immutable and may be kept.
"""

from __future__ import annotations

from typing import Final

from siprec_src.sip.credentials import Credentials
from siprec_src.sip.flow import Flow, Transport
from siprec_src.sip.message import Headers, Request, Response
from siprec_src.sip.uri import Uri
from siprec_src.values import immutable

NO_HEADERS: Final = Headers()

# commands: owner -> user agent


@immutable
class StartInvite:
    """Send an INVITE outside any dialog; makes usage ``usage`` (from `Identity.number`).

    ``headers`` are everything the owner wants on the wire, in order: From and To without tags (ours is
    added to From), Route when it wants one. The user agent adds Via, Call-ID, CSeq, Contact,
    Content-Length, From's tag, and Max-Forwards where it is absent. The next hop is ``next_hop`` when
    given, else the first Route, else ``request_uri`` (RFC 3261 8.1.2).
    """

    usage: int
    token: int
    edge: str
    request_uri: str
    headers: Headers
    body: bytes = b""
    next_hop: Uri | None = None
    contact_user: str = ""
    contact_parameters: str = ""  #: header parameters behind the ``<uri>``, e.g. ``;+sip.src``
    answer_timeout_s: float | None = None  #: no final response by then: cancelled, told as 408
    credentials: Credentials | None = None  #: answer challenges in this usage; None: they are told
    keep_alive: bool = False  #: offer to keep its connection alive while the dialog lasts (RFC 6223 4.2.1)


@immutable
class SendRequest:
    """Send a request inside a dialog: re-INVITE, UPDATE, PRACK, BYE, INFO, REFER, NOTIFY, MESSAGE ….

    Route, From, To, Call-ID, CSeq, Via are the dialog's; a From among ``headers``, without tag, is the
    dialog's own from now on (RFC 4916 4.3). For PRACK the RAck is that of the oldest
    unacknowledged reliable provisional of that dialog (RFC 3262 4 and 7.2). A BYE ends the dialog at once.
    """

    usage: int
    dialog: str
    token: int
    method: str
    headers: Headers = NO_HEADERS
    body: bytes = b""
    credentials: Credentials | None = None  #: answer challenges in this usage from now on
    spares_dialog: bool = False  #: without an answer to it the dialog goes on all the same


@immutable
class SendAck:
    """Acknowledge the 2xx to the (re-)INVITE ``token``; repeated with each repeated 2xx (13.2.2.4)."""

    usage: int
    dialog: str
    token: int
    headers: Headers = NO_HEADERS
    body: bytes = b""


@immutable
class CancelInvite:
    """Cancel the INVITE or re-INVITE ``token``; waits for its first 1xx (RFC 3261 9.1). A 2xx that crosses
    an initial INVITE's CANCEL is acknowledged and ended with BYE by the user agent and told as 487.
    """

    usage: int
    token: int
    headers: Headers = NO_HEADERS  #: e.g. Reason


@immutable
class Respond:
    """Answer the received request ``token``.

    ``dialog`` names the early dialog on the server side of an initial INVITE ("" otherwise and for
    responses without a To tag of their own); ``tag`` is ours in it, where the owner wants to know it.
    ``reliable``: send this 1xx with RSeq until the PRACK comes (RFC 3262 3). Contact is added where the
    response makes or refreshes a dialog. ``once``: a failure of an initial INVITE that is neither repeated
    nor remembered, for a sender whose address may be forged: it must not be multiplied against somebody
    else (RFC 3261 26.3.2.4).
    """

    usage: int
    token: int
    status: int
    reason: str = ""  #: the standard phrase when empty
    headers: Headers = NO_HEADERS
    body: bytes = b""
    dialog: str = ""
    tag: str = ""
    reliable: bool = False
    once: bool = False
    contact_parameters: str = ""


@immutable
class SendOptions:
    """Ask a peer, outside any dialog, whether it is there (RFC 3261 11.1).

    Answered by one `ResponseArrived` with a final response and the dialog "".
    """

    usage: int
    token: int
    edge: str
    request_uri: str
    headers: Headers  #: From without tag, and whatever else belongs in
    timeout_s: float  #: for each address of the peer; then the answer is 408, made here


Command = StartInvite | SendRequest | SendAck | CancelInvite | Respond | SendOptions

# events: user agent -> owner


@immutable
class InviteArrived:
    """A new INVITE that passed all general checks; 100 Trying has been sent. Opens ``usage``."""

    usage: int
    token: int
    request: Request
    flow: Flow


@immutable
class RequestArrived:
    """A request inside a dialog; CSeq, Require and glare are already checked (RFC 3261 12.2.2, 14.2).

    The owner must `Respond` to each, BYE included; a BYE has already ended the dialog.
    """

    usage: int
    dialog: str
    token: int
    request: Request
    flow: Flow


@immutable
class AckArrived:
    """The ACK to our 2xx to the (re-)INVITE ``token``; told once."""

    usage: int
    dialog: str
    token: int
    request: Request


@immutable
class CancelArrived:
    """The peer cancelled the pending INVITE ``token``; the CANCEL is answered.

    An initial INVITE has got its 487 too. A re-INVITE still waits for the owner's answer, as a 2xx that
    crosses the CANCEL holds for both sides (RFC 3261 9.1, 9.2).
    """

    usage: int
    token: int
    request: Request


@immutable
class ResponseArrived:
    """A response (101 to 699) to the request ``token`` that we sent.

    Time-outs and transport failures are told as responses made here, with status 408 and 503 and no
    header fields but `made_here` True (RFC 3261 8.1.3.1). A 1xx or 2xx of a forked INVITE has the
    peer's tag as ``dialog``; a final failure has "". Retransmitted 2xx are not told again; the 2xx of
    a second fork is acknowledged and ended by the user agent itself (RFC 3261 13.2.2.4). A 401 or 407 that
    the usage's credentials answer is not told; one that refuses them is (22.1).
    """

    usage: int
    dialog: str
    token: int
    response: Response
    flow: Flow | None = None
    made_here: bool = False


@immutable
class DialogEnded:
    """A dialog is gone though its owner has not ended it; with ``dialog`` "" it is the received INVITE.

    ``cause``: ``481`` or ``408`` to a request in it, ``no-ack``, ``no-prack``; ``shutdown``: the daemon ends,
    told by the driver. Of a received INVITE: ``408``, the owner has let it lie for too long; ``487``, a BYE
    has ended its last early dialog. Where RFC 3261 asks for a BYE (no ACK, 14.2 and 13.3.1.4) the user
    agent has sent it, and a received INVITE is refused already.
    """

    usage: int
    dialog: str
    cause: str


@immutable
class FlowLost:
    """The connection that was kept alive for a dialog is gone (RFC 5626 4.4.1); the next request opens one
    anew.
    """

    usage: int
    dialog: str


Event = InviteArrived | RequestArrived | AckArrived | CancelArrived | ResponseArrived | DialogEnded | FlowLost

# effects: user agent -> driver


@immutable
class Transmit:
    """Send these octets. When that fails for certain, the driver returns `TransmitFailed` with ``key``."""

    flow: Flow
    data: bytes
    key: str = ""  #: of the transaction that wants to know of a failure; "" for none


@immutable
class Resolve:
    """Find the addresses of a host; answered with `Resolved`, also when there is none (RFC 3263 4)."""

    query: int
    host: str
    port: int | None
    transport: Transport | None  #: None: to be chosen
    secure: bool  #: sips
    edge: str
    domain: str = ""  #: host of the URI, for `Flow.domain`


@immutable
class KeepFlow:
    """Ping the connection of a flow (RFC 5626 4.4.1); when it fails, the driver returns `FlowFailed`."""

    flow: Flow
    interval_s: float  #: 0: no more


@immutable(kw_only=False)
class Tell:
    """Hand an event to the owner of its usage. `InviteArrived` goes to whoever takes new calls."""

    event: Event


Effect = Transmit | Resolve | KeepFlow | Tell

# facts: driver -> user agent


@immutable
class Received:
    """A whole message came by ``flow``."""

    flow: Flow
    message: Request | Response


@immutable
class Resolved:
    """Addresses for a `Resolve`, best first; empty when the name does not exist or DNS is silent."""

    query: int
    flows: tuple[Flow, ...]


@immutable
class TransmitFailed:
    """The octets of transaction ``key`` could not be sent, or its connection broke before an answer."""

    key: str


@immutable
class FlowFailed:
    """The connection of a `KeepFlow` answered no ping, or ended."""

    flow: Flow


Fact = Received | Resolved | TransmitFailed | FlowFailed
