"""Calls through the B2BUA that are recorded: phones on one side, an SRS on the other, octets on both."""

from __future__ import annotations

from siprec_src.communication import CommunicationSession
from siprec_src.recording.srs import SrsConfig
from tests.flows.recording.stage import ONE, Stage
from tests.support.world import World


class Recorded:
    """`World` has the call, `Stage` the recording; one media plane and one clock serve both."""

    def __init__(self, srs: SrsConfig | None = None) -> None:
        self.world = World()
        self.stage = Stage(srs or SrsConfig(uri=ONE))
        self.stage.client.media = self.world.src.media
        self.world.src.on_publish = self._published

    @property
    def documents(self) -> list[bytes]:
        """All metadata that the SRS got so far; each was found valid."""
        return self.stage.one.metadata

    def _published(self, session: CommunicationSession) -> None:
        self.stage.wait(self.world.now - self.stage.now)
        self.stage.publish(session)
