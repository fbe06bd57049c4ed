"""What a media process leaves to the one that follows when it is killed: its sockets and its memory.

Words between the engine, its process and the supervisor; control sees none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from siprec_src.media.model import PortId, ReaderId
from siprec_src.values import immutable


@immutable
class PortSockets:
    """The descriptors of one port."""

    port: PortId
    rtp: int
    rtcp: int


@immutable
class SocketsOpened:
    """New ports, before they are told to anybody; the descriptors are the engine's until they are closed."""

    sockets: tuple[PortSockets, ...]


@immutable
class Resumed:
    """What of a process before goes on."""

    resumed: bool  #: its memory was taken up, with whatever ports it had
    refused: bool  #: it was not sound, or of another build
    ports: Mapping[PortId, PortId | None]  #: with what they are bridged
    readers: Mapping[
        ReaderId, tuple[PortId, PortId]
    ]  #: between the port they read and the one they send from
