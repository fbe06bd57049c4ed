"""What a call that has just arrived asks of a voice application, and what that may answer.

A trunk may name a voice URL. A call that comes by it waits for the answer before it is sent on; without
one in time it goes on as the trunk says. Nothing here knows in which language the application speaks.
"""

from __future__ import annotations

import enum
from typing import Final, Literal

from siprec_src.communication import CommunicationSession
from siprec_src.errors import ConfigurationError
from siprec_src.instructions.model import StartSiprec, StopSiprec
from siprec_src.sip.uri import Uri
from siprec_src.values import SecretText, immutable

MAX_PAUSE_S: Final = 60.0  #: that an application may let a caller wait before he is sent on
SLACK_S: Final = 0.5  #: that whoever asks for us gets beyond its own time

Method = Literal["GET", "POST"]
Begun = StartSiprec | StopSiprec


class VoiceFormat(enum.Enum):
    """The language of an application."""

    TWIML = "twiml"
    SVAML = "svaml"


class AfterInstructions(enum.Enum):
    """What becomes of a call that no instruction has sent on or refused."""

    HANG_UP = "hang-up"  #: as on the platform (F056)
    ROUTE = "route"  #: as the trunk says


class VoiceDefault(enum.Enum):
    """What becomes of a call whose application does not answer, or answers what cannot be done."""

    ROUTE = "route"  #: as the trunk says
    REFUSE = "refuse"


@immutable
class Voice:
    """The application of one trunk's calls."""

    url: SecretText  #: absolute, http or https; it may hold a password
    fallback_url: SecretText | None = None  #: asked when the first fails
    method: Method = "POST"
    format: VoiceFormat = VoiceFormat.TWIML
    timeout_s: float = 2.0  #: of each of the two URLs
    default: VoiceDefault = VoiceDefault.ROUTE
    after: AfterInstructions = AfterInstructions.HANG_UP

    def __post_init__(self) -> None:
        if not 0.1 <= self.timeout_s <= 10:
            raise ConfigurationError("voice_timeout_s: expected 0.1 to 10")

    @property
    def patience_s(self) -> float:
        """How long a call waits at most; whoever asks for it knows sooner."""
        return self.timeout_s * (1 if self.fallback_url is None else 2) + SLACK_S


@immutable
class Dialled:
    """Who is called, how long and in whose name."""

    to: (
        str | Uri | None
    )  #: user part of the Request-URI, by the trunk's next hop; the URI itself; or as it is
    timeout_s: float | None = None  #: then he is rung no longer; None: as for every call
    caller_id: str = ""  #: user part of From; "": the caller's own


@immutable
class Answer:
    """What an application wants of the call."""

    pause_s: float = 0.0  #: first the caller waits so long
    dialled: Dialled | None = None  #: None: the call goes where the trunk says
    refused: int | None = None  #: final status instead of all that
    begun: tuple[Begun, ...] = ()  #: what is to be done as soon as the call is answered


@immutable(kw_only=False)
class AskVoice:
    """An effect of a call: its application is to be asked. `VoiceAnswered` is its answer."""

    session: CommunicationSession  #: as it would be published now: nobody has answered, nothing flows
    voice: Voice


@immutable(kw_only=False)
class VoiceAnswered:
    """An event to the call; None: no answer that can be used."""

    answer: Answer | None


@immutable(kw_only=False)
class VoiceUnfit:
    """An effect of a call: what the application wants cannot be done, and the default was."""

    session: CommunicationSession
    why: str


@immutable(kw_only=False)
class Instructed:
    """An effect of a call that was published for the first time: what its application wants done now."""

    session: CommunicationSession
    instructions: tuple[Begun, ...]


VoiceEffect = AskVoice | VoiceUnfit | Instructed
