"""All Siprecs: begun and ended on request, by REST and by instructions of a call alike.

A Siprec is one more copy of its call. It counts as stopped from the moment at which somebody stops it, its
call ends, or its copy ends by itself, whichever is first, and says so once: ``siprec-error`` where the copy
failed, ``siprec-stopped`` otherwise, also if no SRS had agreed yet. What the copy does afterwards, while it
takes leave of its SRS, is nobody's news.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Final, Protocol

from siprec_src.api.accounts import Account
from siprec_src.api.callbacks import Callback
from siprec_src.api.calls.book import CallBook
from siprec_src.api.calls.parameters import standard_parameters
from siprec_src.api.dates import iso8601
from siprec_src.api.errors import ApiError, not_found
from siprec_src.api.sids import call_sid, sid
from siprec_src.api.siprec.resource import Siprec, Status
from siprec_src.communication import CommunicationSession
from siprec_src.errors import ConfigurationError
from siprec_src.instructions.model import StartSiprec, StatusCallback, Track
from siprec_src.instructions.rules import INVALID
from siprec_src.recording.commands import CopyCommand, End
from siprec_src.recording.commands import Record as BeginCopy
from siprec_src.recording.connector import Connector
from siprec_src.recording.copies import TRACKS, Copy, tailored
from siprec_src.recording.news import CopyChanged, CopyState
from siprec_src.recording.rule import Record
from siprec_src.recording.view import CallView

MAX_OF_CALL: Final = 256  #: Siprecs of one call that are kept; the ones stopped first are forgotten first

NOT_IN_PROGRESS: Final = 21220
NAME_IN_USE: Final = 20409
NO_CONNECTOR: Final = 31940
NO_ROOM: Final = 31945
NEVER: Final = 31946


class Doors(Protocol):
    """What the book needs of the rest of the daemon."""

    def connector(self, name: str) -> Connector | None:
        """The connector of this name, if calls may use it."""

    def room(self, call: int) -> int:
        """How many more streams of a call may be forked."""

    def command(self, command: CopyCommand) -> None:
        """Begin or end a copy; what comes of it is told later, or at once."""

    def send(self, callback: Callback) -> None:
        """Send a status callback when its turn comes."""

    def failed(self, siprec: Siprec, news: CopyChanged) -> tuple[str, int]:
        """Report that a copy has failed; what is said of it in the callback, and its code."""

    def new_id(self) -> bytes:
        """16 octets that nothing else has."""

    def today(self) -> dt.datetime:
        """Now, in UTC."""


@dataclasses.dataclass(slots=True, eq=False, kw_only=True)
class _Kept:
    """One Siprec with what is needed to go on with it."""

    siprec: Siprec
    account: Account
    call: int
    callback: StatusCallback | None


class SiprecBook:
    """Every Siprec of the calls that are known."""

    def __init__(self, calls: CallBook, doors: Doors) -> None:
        self._calls = calls
        calls.when_forgotten(self._forget)
        self._doors = doors
        self._of_call: dict[str, list[_Kept]] = {}  #: by the call's SID, the newest last
        self._running: dict[str, _Kept] = {}  #: those in progress, by SID, which names the copy too

    def start(self, view: CallView, account: Account, request: StartSiprec) -> Siprec:
        """Begin one more recording of a call, all of it or nothing.

        Raises:
            ApiError: the call has ended or may not be recorded, its name is in use, there is no such
                connector, or no room for its streams.
        """
        session, name = view.call, call_sid(view.call.session_id)
        connector = self._permitted(view, request)
        copy = sid("SR", self._doors.new_id())
        record = BeginCopy(session.call, _copy(copy, connector, request), _streams(request))
        begun = _Kept(
            siprec=Siprec(
                sid=copy,
                account_sid=account.sid,
                call_sid=name,
                name=request.name,
                status=Status.IN_PROGRESS,
                date_updated=self._doors.today(),
            ),
            account=account,
            call=session.call,
            callback=request.callback,
        )
        self._keep(name, begun)
        answer = begun.siprec  # in progress, even if all its SRSs are found to be down within this command
        self._doors.command(record)
        return answer

    def stop(self, call: str, sid_or_name: str) -> Siprec:
        """End one by its SID or name; of a name the one in progress, else the newest. Twice is as once.

        Raises:
            ApiError: 404, the call has none like that.
        """
        kept = self._find(call, sid_or_name)
        if kept.siprec.status is Status.IN_PROGRESS:
            self._stopped(kept, "siprec-stopped")
            self._doors.command(End(kept.call, kept.siprec.sid))
        return kept.siprec

    def notice(self, news: CommunicationSession | CopyChanged) -> None:
        """A call is as it says now, or something has become of a copy; the call book knows it already."""
        if isinstance(news, CopyChanged):
            if (kept := self._running.get(news.copy)) is not None:
                self._changed(kept, news)
        elif news.ended is not None:
            for kept in tuple(self._of_call.get(call_sid(news.session_id), ())):
                if kept.siprec.status is Status.IN_PROGRESS:
                    self._stopped(kept, "siprec-stopped")

    def _permitted(self, view: CallView, request: StartSiprec) -> Connector:
        """The connector that is asked for, if this may begin at all."""
        session = view.call
        if session.ended is not None:
            raise ApiError(
                400, NOT_IN_PROGRESS, "Requested resource is not eligible for recording: the call has ended"
            )
        if view.bound is Record.NEVER:
            raise ApiError(400, NEVER, f"Rule {view.decision.rule!r} says that this call is never recorded")
        connector = self._doors.connector(request.connector)
        if connector is None:
            raise ApiError(
                400, NO_CONNECTOR, f"ConnectorName {request.connector!r} matches no installed connector"
            )
        kept = self._of_call.get(call_sid(session.session_id), ())
        running = [k.siprec.name for k in kept if k.siprec.status is Status.IN_PROGRESS]
        if request.name is not None and request.name in running:
            raise ApiError(
                400, NAME_IN_USE, f"A Siprec named {request.name!r} is in progress on this call already"
            )
        free = self._doors.room(session.call)
        if (streams := _streams(request)) > free:
            what = f"{streams} more streams of this call were to be forked, {free} more can be"
            raise ApiError(400, NO_ROOM, f"{what} ([recording] max_forked_streams)")
        return connector

    def _keep(self, call: str, begun: _Kept) -> None:
        kept = self._of_call.setdefault(call, [])
        if len(kept) >= MAX_OF_CALL:
            kept.remove(next(k for k in kept if k.siprec.status is Status.STOPPED))
        kept.append(begun)
        self._running[begun.siprec.sid] = begun

    def _forget(self, call: str) -> None:
        """The call with this SID is not known any more."""
        for kept in self._of_call.pop(call, ()):
            self._running.pop(kept.siprec.sid, None)

    def _find(self, call: str, sid_or_name: str) -> _Kept:
        kept = self._of_call.get(call, [])
        found = [k for k in kept if sid_or_name in (k.siprec.sid, k.siprec.name)]
        running = [k for k in found if k.siprec.status is Status.IN_PROGRESS]
        if not found:
            raise not_found(f"Siprec/{sid_or_name}.json of {call}")
        return (running or found)[-1]

    def _changed(self, kept: _Kept, news: CopyChanged) -> None:
        match news.state:
            case CopyState.STARTED:
                self._tell(kept, "siprec-started")
            case CopyState.STOPPED:
                self._stopped(kept, "siprec-stopped")
            case CopyState.FAILED:
                text, code = self._doors.failed(kept.siprec, news)
                self._stopped(kept, "siprec-error", ("SiprecError", text), ("SiprecErrorCode", str(code)))

    def _stopped(self, kept: _Kept, event: str, *said: tuple[str, str]) -> None:
        kept.siprec = dataclasses.replace(
            kept.siprec, status=Status.STOPPED, date_updated=self._doors.today()
        )
        del self._running[kept.siprec.sid]
        self._tell(kept, event, *said)

    def _tell(self, kept: _Kept, event: str, *said: tuple[str, str]) -> None:
        """Send the status callback, if one is wanted."""
        siprec, callback = kept.siprec, kept.callback
        call = self._calls.find(siprec.call_sid)
        if callback is None or call is None:
            return
        self._doors.send(
            Callback(
                account=kept.account,
                resource=siprec.sid,
                call_sid=siprec.call_sid,
                url=callback.url,
                method=callback.method,
                fields=(
                    *standard_parameters(call),
                    ("SiprecSid", siprec.sid),
                    ("SiprecName", siprec.name or ""),
                    ("SiprecEvent", event),
                    ("Timestamp", iso8601(self._doors.today())),
                    *said,
                ),
            )
        )


def _streams(request: StartSiprec) -> int:
    """How many streams of the call are forked for it."""
    return 2 if request.track is Track.BOTH else 1


def _copy(name: str, connector: Connector, request: StartSiprec) -> Copy:
    """What is kept of the call for it."""
    try:
        targets = tailored(
            connector.targets, name, track=TRACKS[request.track], parameters=request.parameters
        )
    except ConfigurationError as error:  # this connector sends parameters as header fields
        raise ApiError(400, INVALID, f"Parameter: {error}") from None
    return Copy(name=name, targets=targets, persistent=False)
