"""Who must wait for whom inside a dialog (RFC 3261 14, RFC 3311 5, RFC 3264 4, RFC 5407 3.3).

Each rule answers with the status that refuses the request, or None. 491: both sides are at it, come
back later. 500 with Retry-After: you are at it yourself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from siprec_src.sip.offer_state import Open

if TYPE_CHECKING:
    from siprec_src.sip.dialog_receiver import DialogReceiver

AT_ONCE = 491
TOO_SOON = 500


def invite_arrives(dialog: DialogReceiver) -> int | None:
    """A received re-INVITE (14.2). A 2xx of ours that offers and has no answer yet counts as ours."""
    if dialog.their_invite_open or (dialog.their_update and dialog.offers.open is Open.THEIRS):
        return TOO_SOON
    if dialog.our_invite_open or dialog.offers.open is Open.OURS:
        return AT_ONCE
    return None


def update_arrives(dialog: DialogReceiver, *, offer: bool) -> int | None:
    """A received UPDATE (RFC 3311 5.2): without an offer it is welcome at any time, one after the other."""
    if dialog.their_update:
        return TOO_SOON
    if not offer:
        return None
    if dialog.offers.open is Open.OURS:
        return AT_ONCE
    return TOO_SOON if dialog.offers.open is Open.THEIRS else None


def invite_leaves(dialog: DialogReceiver) -> int | None:
    """A re-INVITE of the owner (14.1): none while an INVITE transaction is open either way.

    That of the peer is open until its ACK has come, ours until it has a final response.
    """
    busy = (
        dialog.our_invite_open or dialog.their_invite_open or dialog.accepted
        or dialog.offers.open is not Open.NONE
    )  # fmt: skip
    return AT_ONCE if busy or not dialog.confirmed else None


def update_leaves(dialog: DialogReceiver, *, offer: bool) -> int | None:
    """An UPDATE of the owner (RFC 3311 5.1)."""
    return AT_ONCE if offer and dialog.offers.open is not Open.NONE else None
