"""General checks on a new request, in the order of RFC 3261 8.2; whether it may reach an owner at all.

Decisions of a B2BUA that relays: bodies and Content-Encoding of unknown kinds are the owners' matter
(no 415 here); Max-Forwards 0 is refused only for an INVITE outside a dialog, since everything else ends
at us (16.3 step 3 is for who forwards); 406 only when an INVITE can take no session description at all.
"""

from __future__ import annotations

from siprec_src.errors import RemoteProtocolError
from siprec_src.sip.headers import MediaType, parse_accept
from siprec_src.sip.message import Request
from siprec_src.sip.settings import AgentSettings
from siprec_src.values import immutable

Fields = tuple[tuple[str, str], ...]


@immutable(kw_only=False)
class Refusal:
    """Answer ``status`` with ``fields``."""

    status: int
    fields: Fields = ()


def examine(request: Request, settings: AgentSettings) -> Refusal | None:
    """Why ``request`` is refused, or None.

    Raises:
        RemoteProtocolError: a field that is needed cannot be read; its status is the answer.
    """
    if request.method not in settings.allow:
        return Refusal(405, (allow(settings),))
    _ = request.target
    unknown = [tag for tag in request.tags("require") if tag.lower() not in settings.understood_requires]
    if unknown:
        return Refusal(420, (("Unsupported", ", ".join(unknown)),))
    if request.method in {"INVITE", "UPDATE"}:
        _check_contact(request)
    if request.method == "INVITE" and request.to.tag is None:
        if request.max_forwards == 0:
            return Refusal(483)
        if not _takes_sdp(request):
            return Refusal(406, (("Accept", ", ".join(settings.accept)),))
    return None


def allow(settings: AgentSettings) -> tuple[str, str]:
    """Our Allow field (20.5)."""
    return ("Allow", ", ".join(settings.allow))


def abilities(settings: AgentSettings) -> Fields:
    """What an answer to OPTIONS tells (11.2)."""
    return (
        allow(settings),
        ("Accept", ", ".join(settings.accept)),
        ("Supported", ", ".join(settings.supported)),
    )


def _check_contact(request: Request) -> None:
    """What makes a dialog has one Contact that requests can be sent to, and a readable Record-Route.

    Inside a dialog a missing one is forgiven: the target that is known stays (8.1.1.8, 12.2.2).
    """
    contacts = request.contacts
    if len(contacts) > 1 or (not contacts and request.to.tag is None):
        raise RemoteProtocolError("there must be one Contact", section="RFC 3261 8.1.1.8")
    if contacts and contacts[0].uri.scheme not in {"sip", "sips"}:
        raise RemoteProtocolError("a Contact that cannot be called", section="RFC 3261 8.1.1.8")
    _ = request.record_routes


def _takes_sdp(request: Request) -> bool:
    """Whether Accept leaves room for SDP, alone or in a multipart (20.1); without the field it does."""
    lines = request.headers.all("accept")
    if not lines:
        return True
    types: list[MediaType] = [kind for line in lines for kind in parse_accept(line)]
    return any(kind.essence in _SESSION or kind.essence.startswith("multipart/") for kind in types)


_SESSION = frozenset({"application/sdp", "application/*", "*/*"})
