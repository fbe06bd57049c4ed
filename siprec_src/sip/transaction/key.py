"""Which transaction a message belongs to (RFC 3261 17.1.3 and 17.2.3).

Call-ID is part of a server's key though 17.2.3 does not ask for it: retransmissions, the ACK of a failure and
the CANCEL all repeat it, so nothing is lost; and neither a guessed branch nor two peers behind NATs with
equal addresses and counting branches touch another's call. A branch without the magic cookie, or with
nothing behind it, identifies nothing: such requests are matched as RFC 2543 did, by what the request
itself says. CSeq's method is left out; the ACK's and the CANCEL's own methods are given by the caller.
"""

from __future__ import annotations

from siprec_src.sip.message import Request, Response

ClientKey = str
ServerKey = tuple[str | int | None, ...]


def client_key(branch: str, method: str) -> ClientKey:
    """Key of the request that we sent with ``branch``."""
    return f"{branch} {method}"


def response_key(response: Response) -> ClientKey:
    """Key of the request that ``response`` answers."""
    return client_key(response.via.branch or "", response.cseq.method)


def server_key(request: Request, method: str = "") -> ServerKey:
    """Key of the received ``request``; ``method``: as if it had that one (ACK and CANCEL mean an INVITE)."""
    via = request.via
    method = method or request.method
    branch = via.branch or ""
    if via.has_unique_branch:
        return (branch, via.host.lower(), via.port, method, request.call_id)
    return (
        "", request.uri, request.from_.tag, request.call_id, request.cseq.number, via.host.lower(), via.port,
        branch, method,
    )  # fmt: skip
