"""The call as one SRS is told it: parties in its order, and without what it shall not know.

RFC 7866 9.1 and RFC 7865 10 let policy keep parts of the metadata back. What is changed here is changed for
everything that follows: documents, labels and the order of the m-lines.
"""

from __future__ import annotations

import dataclasses

from siprec_src.communication import CommunicationSession, Name, Participant, Side
from siprec_src.metadata.model import ANONYMOUS
from siprec_src.recording.srs import Hidden, Order, SrsConfig


def presented(call: CommunicationSession, config: SrsConfig) -> CommunicationSession:
    """The call in the order and with the contents that this SRS gets."""
    if config.order is Order.CALLER_FIRST and not config.hide:
        return call
    first = first_side(call, config)
    senders = {party.participant_id: party.side for party in call.participants}
    return dataclasses.replace(
        call,
        participants=tuple(
            _presented(party, config)
            for party in sorted(call.participants, key=lambda p: (p.left is not None, p.side is not first))
        ),
        streams=tuple(
            sorted(call.streams, key=lambda stream: senders.get(stream.sender, Side.CALLER) is not first)
            if config.order is Order.AGENT_FIRST
            else call.streams
        ),
        sip_session_ids=() if Hidden.SIP_SESSION_IDS in config.hide else call.sip_session_ids,
        reason="" if Hidden.REASONS in config.hide else call.reason,
        reason_cause=None if Hidden.REASONS in config.hide else call.reason_cause,
    )


def first_side(call: CommunicationSession, config: SrsConfig) -> Side:
    """Whose track has the first label: the caller's, or the agent's.

    The agent is the callee, unless the call came by a trunk behind which agents are.
    """
    if config.order is Order.CALLER_FIRST or call.trunk in config.agents:
        return Side.CALLER
    return Side.CALLEE


def _presented(party: Participant, config: SrsConfig) -> Participant:
    names = party.names
    if Hidden.ADDRESSES in config.hide:
        names = (Name(aor=ANONYMOUS, display=names[0].display if names else ""),)
    if Hidden.NAMES in config.hide:
        names = tuple(dataclasses.replace(name, display="") for name in names)
    return dataclasses.replace(party, names=names)
