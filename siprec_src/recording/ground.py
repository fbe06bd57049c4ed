"""What recording stands on: where ids and times come from, and the places that SIP and media leave by."""

from __future__ import annotations

from collections.abc import Mapping

from siprec_src.communication import RecordingChanged, TellCall
from siprec_src.identity import Identity
from siprec_src.machine import Finished, Forward, LogLine, Observe, WallClock
from siprec_src.media import plane
from siprec_src.recording.news import CopyChanged
from siprec_src.sip import vocabulary as sip
from siprec_src.sip.flow import Edge
from siprec_src.values import immutable

Told = RecordingChanged | TellCall | CopyChanged
Effect = sip.Command | plane.Command | LogLine | Observe | Forward | Finished | Told
Effects = list[Effect]


@immutable
class Ground:
    """What every machine of recording is given."""

    identity: Identity
    wall: WallClock
    edges: Mapping[str, Edge]  #: by name, the default one first
