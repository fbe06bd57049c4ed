"""What both parties took of one m-line (RFC 3264 6, 7)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from siprec_src.communication import Direction, Format, Side
from siprec_src.ingest.inline.crossing import Treatment
from siprec_src.ingest.inline.keys import KeyPair, other
from siprec_src.media.model import Endpoint
from siprec_src.sdp import codecs
from siprec_src.values import immutable


@immutable
class Party:
    """What one party agreed to in one m-line."""

    remote: Endpoint | None  #: where it takes RTP; None: nothing is sent to it
    remote_rtcp: Endpoint | None
    direction: Direction  #: as it said, both spellings of hold understood
    formats: tuple[Format, ...]  #: what it takes, under the numbers it wants
    packet_time_ms: int | None
    content: str = ""  #: what is in the stream that it sends (RFC 4796)
    keys: KeyPair | None = None  #: of the port that faces it

    @property
    def listens(self) -> bool:
        """Whether anything may be sent to it now."""
        return self.remote is not None and self.direction.receives


@immutable
class AgreedLine:
    """One m-line that both parties took."""

    index: int
    medium: str
    treatment: Treatment
    encrypted: bool
    rtcp_mux: bool
    parties: Mapping[Side, Party]

    def protects(self, side: Side) -> bool:
        """Whether what is sent to this party is under a key of ours."""
        return self.parties[side].keys is not None

    def rekeyed(self, renewed: Callable[[bytes], bytes]) -> AgreedLine:
        """The same with other keys of ours."""
        parties = dict(self.parties)
        for side, party in parties.items():
            if party.keys is not None:
                pair = party.keys.renewed(renewed(party.keys.send.material))
                parties[side] = dataclasses.replace(party, keys=pair)
        return dataclasses.replace(self, parties=parties)


def sent_formats(line: AgreedLine, side: Side) -> tuple[Format, ...]:
    """What ``side`` may send: what the other takes, under its numbers, as far as ``side`` knows it too.

    An answer that names no codec of the offer (RFC 3264 6.1 forbids it) does not tell what will be sent.
    Either party may then use what it offered itself, so both lists count.
    """
    own = line.parties[side].formats
    theirs = line.parties[other(side)].formats
    common = tuple(form for form in theirs if any(codecs.same_codec(form, known) for known in own))
    if any(codecs.is_primary(form) for form in common):
        return common
    taken = {form.payload_type for form in theirs}
    return theirs + tuple(form for form in own if form.payload_type not in taken)


def sent_direction(line: AgreedLine, side: Side) -> Direction:
    """What ``side`` really does: it sends only what the other takes, and receives what the other sends."""
    own, theirs = line.parties[side].direction, line.parties[other(side)].direction
    sends, receives = own.sends and theirs.receives, own.receives and theirs.sends
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE
