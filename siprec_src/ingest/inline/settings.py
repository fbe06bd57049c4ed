"""Limits and times of the inline ingest, and how the parties of a call learn that it is recorded."""

from __future__ import annotations

import dataclasses
from typing import Literal

from siprec_src.communication import Side
from siprec_src.errors import ConfigurationError
from siprec_src.media.model import Sound, Tone
from siprec_src.values import immutable

Mode = Literal["none", "tone", "announcement"]


@immutable
class IndicationSettings:
    """How the parties are told that they are recorded; those that are record-aware always are by SDP."""

    caller: Mode = "none"  #: how a caller is told who is not record-aware
    callee: Mode = "none"  #: likewise
    tone_file: str = ""  #: absolute path of a WAV, 8000 Hz, one channel, 16 bits; by default a beep
    tone_frequency_hz: int = 1400  #: of the beep
    tone_length_ms: int = 200  #: of the beep
    tone_level_dbfs: float = -20.0  #: of the beep, below the loudest sine there is
    tone_interval_s: float = 15.0  #: from the beginning of one tone to that of the next
    record_tone: bool = False  #: the recording has the tone too
    announcement_file: str = (
        ""  #: absolute path of a WAV of the same kind, heard before the parties are connected
    )
    contact: bool = False  #: say ``+sip.src`` in Contact, so that parties may set ``a=recordpref``

    def __post_init__(self) -> None:
        for key in ("tone_file", "announcement_file"):
            path = getattr(self, key)
            if path and not path.startswith("/"):
                raise ConfigurationError(f"{key}: expected an absolute path")
        if "announcement" in (self.caller, self.callee) and not self.announcement_file:
            raise ConfigurationError("announcement_file: missing")
        _within("tone_frequency_hz", self.tone_frequency_hz, 100, 3400)
        _within("tone_length_ms", self.tone_length_ms, 20, 5000)
        _within("tone_level_dbfs", self.tone_level_dbfs, -60, 0)
        _within("tone_interval_s", self.tone_interval_s, 0.5, 3600)

    def mode(self, side: Side) -> Mode:
        """How this party is told, when it is not record-aware."""
        return self.caller if side is Side.CALLER else self.callee

    def tone(self, side: Side) -> Tone | None:
        """What this party hears while it is recorded."""
        if self.mode(side) != "tone":
            return None
        sound = Sound(
            file=self.tone_file,
            frequency_hz=self.tone_frequency_hz,
            length_ms=self.tone_length_ms,
            level_dbfs=self.tone_level_dbfs,
        )
        return Tone(sound, int(self.tone_interval_s * 1000), recorded=self.record_tone)


@immutable
class InlineSettings:
    """What an operator may set."""

    max_calls: int = 5_000  #: live calls; a newcomer beyond gets 503
    retry_after_s: int = 10  #: told in a 503, seconds
    answer_timeout_s: float | None = None  #: ringing longer is cancelled with 408; None: as long as it likes
    indication: IndicationSettings = dataclasses.field(default_factory=IndicationSettings)
    media_timeout_s: float = 300.0  #: both parties silent for longer, and no session timer: hung up; 0: never


def _within(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigurationError(f"{key}: expected {low:g} to {high:g}")
