"""SDES keys of our own in place of the parties' keys (RFC 4568 5.1, 7.1.4).

The engine opens SRTP on one leg and protects it anew on the other, so each leg has keys that the other
never sees. Tags, suites and their order pass through. A key of ours lives exactly as long as the key of
the party that it stands for: unchanged in a re-offer it keeps its roll-over counter, changed it changes,
and one that was left is never used again (RFC 3711 9.1). With the media process the counters of all that
was sent are gone, and the RTCP of a new one would begin at the first index again, so every key of ours is
renewed then. What the parties send goes on under keys of which the new process knows no counter: it joins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from siprec_src.communication import Side
from siprec_src.errors import RemoteProtocolError
from siprec_src.identity import Identity
from siprec_src.media.model import SrtpKey
from siprec_src.sdp.crypto import SUITES, Crypto
from siprec_src.sdp.model import Media
from siprec_src.values import immutable

MAX_LINES: Final = 16  #: ``a=crypto`` lines of one m-line that are read; no more suites exist
MAX_OWN_KEYS: Final = 256  #: remembered for one m-line; the one not seen for longest is forgotten first


class OwnKeys:
    """The keys that stand for the parties' keys in one m-line of one call."""

    __slots__ = ("_identity", "_joined", "_keys")

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._keys: dict[tuple[Side, str, bytes], bytes] = {}
        self._joined: frozenset[bytes] = frozenset()  # of the parties, from before this media process

    def __len__(self) -> int:
        return len(self._keys)

    def standing_for(self, crypto: Crypto, of: Side) -> Crypto:
        """The line that the other side of ``of`` gets instead of ``crypto``: same tag and suite, our key."""
        place = (of, crypto.suite, crypto.material)
        material = self._keys.pop(place, None) or self._identity.secret(SUITES[crypto.suite])
        self._keys[place] = material  # behind all others: the newest
        if len(self._keys) > MAX_OWN_KEYS:
            del self._keys[next(iter(self._keys))]
        return Crypto(crypto.tag, crypto.suite, material)

    def receiving(self, crypto: Crypto) -> SrtpKey:
        """The key of a party, to open what it sends."""
        return SrtpKey(crypto.suite, crypto.material, joined=crypto.material in self._joined)

    def keep_only(self, agreed: Mapping[Side, Media]) -> None:
        """Forget what stands for keys that the parties have left: should one come back, ours will be new."""
        known = {(side, line.material) for side, media in agreed.items() for line in usable_lines(media)}
        self._keys = {place: ours for place, ours in self._keys.items() if (place[0], place[2]) in known}

    def renew(self) -> dict[bytes, bytes]:
        """Let others stand for the parties' keys from now on; which one is in the place of which."""
        before, self._keys = self._keys, {}
        self._joined = frozenset(material for _, _, material in before)
        for place in before:
            self._keys[place] = self._identity.secret(SUITES[place[1]])
        return {ours: self._keys[place] for place, ours in before.items()}


@immutable
class KeyPair:
    """The keys of the port that faces one party."""

    receive: SrtpKey
    send: SrtpKey

    def renewed(self, material: bytes) -> KeyPair:
        """The same for another media process, which sends with other material."""
        receive = dataclasses.replace(self.receive, joined=True)
        return KeyPair(receive=receive, send=SrtpKey(self.send.suite, material))


def usable_lines(media: Media) -> tuple[Crypto, ...]:
    """The first ``a=crypto`` lines that the engine can serve, in order."""
    return tuple(line for line in media.crypto if line.usable)[:MAX_LINES]


def agree(offered: Media, answered: Media, own: OwnKeys, offerer: Side) -> dict[Side, KeyPair]:
    """Keys of both ports after an answer; ``offered`` and ``answered`` as their parties wrote them.

    Empty when neither side protects the stream.

    Raises:
        RemoteProtocolError: 488; the answer chose nothing that was offered (RFC 4568 5.1.3).
    """
    if not answered.attributes("crypto") and not answered.is_sdes:
        return {}
    chosen = usable_lines(answered)
    if len(chosen) != 1:
        raise RemoteProtocolError("not exactly one usable a=crypto", status=488, section="RFC 4568 5.1.3")
    theirs = chosen[0]
    line = next((line for line in usable_lines(offered) if line.tag == theirs.tag), None)
    if line is None or line.suite != theirs.suite:
        raise RemoteProtocolError("a=crypto was not offered", status=488, section="RFC 4568 5.1.3")
    answerer = other(offerer)
    to_answerer = own.standing_for(line, offerer)
    to_offerer = own.standing_for(theirs, answerer)
    return {
        offerer: KeyPair(receive=own.receiving(line), send=_key(to_offerer)),
        answerer: KeyPair(receive=own.receiving(theirs), send=_key(to_answerer)),
    }


def other(side: Side) -> Side:
    """The other party of the call."""
    return Side.CALLEE if side is Side.CALLER else Side.CALLER


def _key(crypto: Crypto) -> SrtpKey:
    return SrtpKey(crypto.suite, crypto.material)
