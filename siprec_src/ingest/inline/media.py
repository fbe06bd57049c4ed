"""The media of one call: two ports for each m-line, and who is at the other end of each (RFC 3264).

An offer is shown to the other party with our ports; nothing changes in the relay until its answer comes.
What both sides agreed on is kept as `AgreedLine`s, from which the commands to the media plane follow. A
slot keeps its ports until the call ends, also while its m-line has port 0, so that a stream that is taken
up again (T.38 and back) is found where it was. The numbers outlive a media process that dies: the parties
are told of no change, and what they agree on meanwhile holds for the ports that come back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from siprec_src.communication import Format, Side
from siprec_src.identity import Identity
from siprec_src.ingest.inline import crossing, keys
from siprec_src.ingest.inline.agreed import AgreedLine, Party, sent_formats
from siprec_src.ingest.inline.crossing import OurPlace, Treatment
from siprec_src.ingest.inline.keys import KeyPair, OwnKeys, other
from siprec_src.media.model import PayloadKind, PortId, SourcePolicy, Tone
from siprec_src.media.plane import BridgePorts, ConnectPort, OpenPort, PlayTone
from siprec_src.sdp import codecs
from siprec_src.sdp.crypto import Crypto
from siprec_src.sdp.model import Media, SessionDescription
from siprec_src.sdp.offer_answer import effective_direction, pair_media

MAX_TONE_TYPES: Final = 4  #: of one m-line, that a tone is mixed into
SIDES = (Side.CALLER, Side.CALLEE)


@dataclasses.dataclass(slots=True, kw_only=True)
class Exchange:
    """One offer and, per early dialog, whether it has its answer (RFC 3264 4, RFC 3261 13.2.1)."""

    offerer: Side
    offer: SessionDescription  #: as it came
    settled: set[str] = dataclasses.field(default_factory=set)  #: dialogs that have the binding answer


@dataclasses.dataclass(slots=True)
class Slot:
    """The ports and keys of one m-line."""

    own_keys: OwnKeys
    numbers: dict[Side, int] = dataclasses.field(default_factory=dict)  #: RTP ports as the parties know them
    ports: dict[Side, PortId] = dataclasses.field(default_factory=dict)  #: none while the media plane is gone
    connected: dict[Side, ConnectPort] = dataclasses.field(default_factory=dict)  #: with tag 0
    toned: dict[Side, PlayTone] = dataclasses.field(default_factory=dict)  #: likewise, what that party hears
    bridged: bool = False

    def forget(self) -> None:
        """Its ports are others now, or none."""
        self.connected.clear()
        self.toned.clear()
        self.bridged = False


class CallMedia:
    """Slots, what is agreed, and what must be told to the media plane. No command leaves by itself."""

    def __init__(
        self,
        identity: Identity,
        hosts: Mapping[Side, str],
        versions: Mapping[Side, int],
        policies: Mapping[Side, SourcePolicy],
    ) -> None:
        """For each party: ``hosts``, our advertised address; ``versions``, the IP version of our ports;
        ``policies``, whose packets count.
        """
        self._identity = identity
        self._hosts = hosts
        self._versions = versions
        self._policies = policies
        self.slots: list[Slot] = []
        self.agreed: tuple[AgreedLine, ...] = ()
        self.tones: Mapping[Side, Tone] = {}  #: what the parties hear beside each other

    # ports

    def missing(self, offerer: Side, offer: SessionDescription) -> list[int]:
        """Indices of m-lines that need ports and have none.

        Raises:
            RemoteProtocolError: 488; the offer cannot be relayed.
        """
        crossing.check_offer(offer, self._versions[offerer])
        return [
            index
            for index, media in enumerate(offer.media)
            if not media.rejected
            and crossing.treatment(media) is not Treatment.DIRECT
            and not self._has_place(index)
        ]

    def take_ports(self, index: int, ports: Mapping[Side, OpenPort]) -> None:
        """The slot ``index`` has these ports now."""
        while len(self.slots) <= index:
            self.slots.append(Slot(OwnKeys(self._identity)))
        slot = self.slots[index]
        slot.numbers = {side: opened.rtp_port for side, opened in ports.items()}
        slot.ports = {side: opened.port for side, opened in ports.items()}
        slot.forget()

    def ports(self) -> Iterator[tuple[Side, PortId]]:
        """Every open port, and the party that it faces."""
        for slot in self.slots:
            yield from slot.ports.items()

    def lost_ports(self) -> Iterator[tuple[int, Side, int]]:
        """What is to be opened again: m-line, the party that it faces, the RTP port."""
        for index, slot in enumerate(self.slots):
            if not slot.ports:
                yield from ((index, side, number) for side, number in slot.numbers.items())

    def give_up(self, index: int) -> None:
        """The slot ``index`` cannot have its ports again; the next offer gets others."""
        self.slots[index].numbers.clear()

    def forget_ports(self) -> None:
        """They are closed, or their process is gone; the numbers stay."""
        for slot in self.slots:
            slot.ports.clear()
            slot.forget()

    # offer and answer

    def crossed_offer(self, offerer: Side, offer: SessionDescription) -> SessionDescription:
        """The offer as the other party shall see it."""
        places = [
            self._place(other(offerer), index, media, self._own_lines(index, offerer, media))
            for index, media in enumerate(offer.media)
        ]
        return crossing.rewritten(offer, places, self._hosts[other(offerer)])

    def crossed_answer(self, exchange: Exchange, answer: SessionDescription) -> SessionDescription:
        """The answer as the offerer shall see it.

        Raises:
            RemoteProtocolError: the answer does not fit the offer; nothing was changed.
        """
        pairs = pair_media(exchange.offer, answer)
        answerer = other(exchange.offerer)
        places = []
        for index, (offered, answered) in enumerate(pairs):
            how = _answered_treatment(offered, answered)
            lines: tuple[Crypto, ...] = ()
            if how is Treatment.RTP and not answered.rejected and not offered.rejected:
                lines = self._own_lines(index, answerer, answered)
            places.append(self._place(exchange.offerer, index, answered, lines, how))
        return crossing.rewritten(answer, places, self._hosts[exchange.offerer])

    def agreement(self, exchange: Exchange, answer: SessionDescription) -> tuple[AgreedLine, ...]:
        """What the call's media are once this answer holds.

        Raises:
            RemoteProtocolError: the answer does not fit the offer; nothing was changed.
        """
        agreed = []
        for index, (offered, answered) in enumerate(pair_media(exchange.offer, answer)):
            if offered.rejected or answered.rejected or not self._has_place(index):
                continue
            agreed.append(self._agree(index, exchange, (exchange.offer, offered), (answer, answered)))
        return tuple(agreed)

    def forget_keys(self, exchange: Exchange, answer: SessionDescription) -> None:
        """Only the keys of this exchange are in use from now on."""
        for slot, offered, answered in zip(self.slots, exchange.offer.media, answer.media, strict=False):
            slot.own_keys.keep_only({exchange.offerer: offered, other(exchange.offerer): answered})

    def renew_keys(self, agreements: Iterable[tuple[AgreedLine, ...]]) -> list[tuple[AgreedLine, ...]]:
        """The agreements with keys of ours that were never used; none where there are no keys."""
        agreements = list(agreements)
        if not any(line.protects(side) for lines in agreements for line in lines for side in SIDES):
            return []
        fresh = {old: new for slot in self.slots for old, new in slot.own_keys.renew().items()}

        def standing_for(old: bytes) -> bytes:
            return fresh.get(old) or self._identity.secret(len(old))

        return [tuple(line.rekeyed(standing_for) for line in lines) for lines in agreements]

    # commands

    def commands(self) -> list[ConnectPort | BridgePorts | PlayTone]:
        """What must be told to the media plane so that it does what is agreed; tags are 0.

        What was told already is not told again.
        """
        wanted = {line.index: line for line in self.agreed}
        out: list[ConnectPort | BridgePorts | PlayTone] = []
        for index, slot in enumerate(self.slots):
            if not slot.ports:
                continue
            line = wanted.get(index)
            out += self._connects(slot, line)
            if line is not None and not slot.bridged:
                slot.bridged = True
                a, b = (slot.ports[side] for side in SIDES)
                out.append(BridgePorts(tag=0, a=a, b=b))
            out += self._tone_commands(slot, line)
        return out

    def heard_at(self, side: Side) -> tuple[PortId, Format] | None:
        """Where a party that listens can be spoken to, and the G.711 that it takes first; None: nowhere."""
        for line in self.agreed:
            port = self.port_of(line, side) if line.parties[side].listens else None
            if line.medium == "audio" and port is not None and _takes_tone(line, side):
                return port, next(form for form in sent_formats(line, other(side)) if _is_g711(form))
        return None

    def tone_hindrance(self, side: Side) -> str:
        """Why this party can hear no tone, as a slug; "" when it can."""
        lines = [line for line in self.agreed if line.medium == "audio"]
        if any(_takes_tone(line, side) for line in lines):
            return ""
        return "no-audio" if not lines else "codec" if lines[0].treatment is Treatment.RTP else "encrypted"

    def protects(self, side: Side) -> bool:
        """Whether anything is sent to this party under a key of ours."""
        return any(line.protects(side) for line in self.agreed)

    def port_of(self, line: AgreedLine, side: Side) -> PortId | None:
        """The port at which the track of ``side`` is received; None: not as RTP."""
        return self.slots[line.index].ports.get(side) if line.treatment is Treatment.RTP else None

    # private

    def _has_place(self, index: int) -> bool:
        return index < len(self.slots) and bool(self.slots[index].numbers)

    def _own_lines(self, index: int, of: Side, media: Media) -> tuple[Crypto, ...]:
        if not self._has_place(index):
            return ()
        own = self.slots[index].own_keys
        return tuple(own.standing_for(line, of) for line in keys.usable_lines(media))

    def _place(
        self,
        facing: Side,
        index: int,
        media: Media,
        crypto: tuple[Crypto, ...],
        how: Treatment | None = None,
    ) -> OurPlace:
        port = self.slots[index].numbers[facing] if self._has_place(index) else None
        return OurPlace(port=port, treatment=how or crossing.treatment(media), crypto=crypto)

    def _agree(
        self,
        index: int,
        exchange: Exchange,
        offer: tuple[SessionDescription, Media],
        answer: tuple[SessionDescription, Media],
    ) -> AgreedLine:
        offered, answered = offer[1], answer[1]
        how = _answered_treatment(offered, answered)
        pairs: dict[Side, KeyPair] = {}
        if how is Treatment.RTP:
            pairs = keys.agree(offered, answered, self.slots[index].own_keys, exchange.offerer)
        answerer = other(exchange.offerer)
        return AgreedLine(
            index=index,
            medium=answered.medium,
            treatment=how,
            encrypted=bool(pairs) or offered.is_sdes or offered.protocol.upper().startswith("UDP/TLS"),
            rtcp_mux=offered.rtcp_mux and answered.rtcp_mux,
            parties={
                exchange.offerer: self._party(exchange.offerer, *offer, pairs.get(exchange.offerer)),
                answerer: self._party(answerer, *answer, pairs.get(answerer)),
            },
        )

    def _party(
        self, side: Side, description: SessionDescription, media: Media, pair: KeyPair | None
    ) -> Party:
        version = self._versions[side]
        return Party(
            remote=crossing.place_of_party(description, media, version),
            remote_rtcp=crossing.rtcp_of_party(description, media, version),
            direction=effective_direction(description, media),
            formats=media.rtp_formats if media.is_rtp else (),
            packet_time_ms=media.packet_time_ms,
            content=media.content,
            keys=pair,
        )

    def _tone_commands(self, slot: Slot, line: AgreedLine | None) -> list[PlayTone]:
        out = []
        for side in SIDES:
            tone = self.tones.get(side)
            command = PlayTone(tag=0, port=slot.ports[side], tone=None)
            if line is not None and tone is not None and _takes_tone(line, side):
                heard = [form for form in sent_formats(line, other(side)) if _is_g711(form)]
                types = tuple((form.payload_type, form.encoding.upper()) for form in heard[:MAX_TONE_TYPES])
                command = dataclasses.replace(command, tone=tone, payload_types=types)
            if command != slot.toned.get(side, dataclasses.replace(command, tone=None, payload_types=())):
                slot.toned[side] = command
                out.append(command)
        return out

    def _connects(self, slot: Slot, line: AgreedLine | None) -> list[ConnectPort]:
        out = []
        for side in SIDES:
            port = slot.ports[side]
            if line is None:
                command = dataclasses.replace(slot.connected[side], remote=None) if slot.connected else None
            else:
                command = _connect(port, line, side, self._policies[side])
            if command is not None and slot.connected.get(side) != command:
                slot.connected[side] = command
                out.append(command)
        return out


def _takes_tone(line: AgreedLine, side: Side) -> bool:
    """Whether what this party mostly hears is sound that a tone can be mixed into."""
    sent = sent_formats(line, other(side)) if line.treatment is Treatment.RTP else ()
    first = next((form for form in sent if codecs.is_primary(form)), None)
    return first is not None and _is_g711(first)


def _is_g711(form: Format) -> bool:
    return form.encoding.upper() in ("PCMU", "PCMA") and (form.clock_rate, form.channels) == (8000, 1)


def _answered_treatment(offered: Media, answered: Media) -> Treatment:
    """How the m-line is relayed: an answerer that chose DTLS among both is passed on opaque (RFC 5763)."""
    how = crossing.treatment(offered)
    chose_dtls = answered.attribute("fingerprint") is not None and not answered.attributes("crypto")
    return Treatment.RAW if how is Treatment.RTP and answered.is_sdes and chose_dtls else how


def _connect(port: PortId, line: AgreedLine, side: Side, policy: SourcePolicy) -> ConnectPort:
    party = line.parties[side]
    sent = sent_formats(line, side)
    primary = next((form for form in sent if codecs.is_primary(form)), None)
    return ConnectPort(
        tag=0,
        port=port,
        kind=PayloadKind.RTP if line.treatment is Treatment.RTP else PayloadKind.RAW,
        remote=party.remote,
        remote_rtcp=party.remote_rtcp,
        rtcp_mux=line.rtcp_mux,
        source=policy,
        event_payload_types=tuple(form.payload_type for form in sent if codecs.is_event(form)),
        clock_rate=8000 if primary is None else primary.clock_rate,
        receive_key=None if party.keys is None else party.keys.receive,
        send_key=None if party.keys is None else party.keys.send,
    )
