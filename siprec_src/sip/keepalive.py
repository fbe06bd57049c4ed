"""Connections that are kept alive for dialogs (RFC 6223), by pings on the stream itself (RFC 5626 4.4.1).

The sender of a dialog's first INVITE offers ``keep`` in its Via; a peer that gives it a value wants to be
pinged, every so many seconds if it is not 0. That holds for the dialog, and for its connection as long as
one such dialog uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from siprec_src.sip.flow import Flow
from siprec_src.sip.headers import Via

if TYPE_CHECKING:
    from siprec_src.sip.dialog_receiver import DialogReceiver

SHORTEST_S: Final = 10.0  #: between two pings, however often a peer asks for them


def agreed_interval_s(via: Via, default_s: float) -> float | None:
    """How often the peer wants pings, from our Via as it came back; None when it does not say (4.1)."""
    value = via.parameter("keep")
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return max(SHORTEST_S, float(value[:6])) if value.strip("0") else default_s


class KeptFlows:
    """Which flows are kept, each for at least one dialog."""

    __slots__ = ("_dialogs", "_flows", "_intervals_s")

    def __init__(self) -> None:
        self._intervals_s: dict[DialogReceiver, float] = {}  #: of every dialog that agreed
        self._flows: dict[DialogReceiver, Flow] = {}  #: of those whose flow has not failed
        self._dialogs: dict[Flow, dict[DialogReceiver, None]] = {}

    def __len__(self) -> int:
        return len(self._intervals_s)

    def agree(self, dialog: DialogReceiver, interval_s: float) -> None:
        """The peer of a dialog wants pings."""
        self._intervals_s[dialog] = interval_s

    def use(self, dialog: DialogReceiver, flow: Flow) -> float | None:
        """A dialog's request has come through; how often to ping, if its flow is to be kept from now on."""
        interval_s = self._intervals_s.get(dialog)
        if interval_s is None or dialog in self._flows or not flow.transport.reliable:
            return None
        self._flows[dialog] = flow
        self._dialogs.setdefault(flow, {})[dialog] = None
        return interval_s

    def end(self, dialog: DialogReceiver) -> Flow | None:
        """A dialog has ended; the flow that nobody needs any more."""
        self._intervals_s.pop(dialog, None)
        flow = self._flows.pop(dialog, None)
        if flow is None:
            return None
        left = self._dialogs[flow]
        del left[dialog]
        if left:
            return None
        del self._dialogs[flow]
        return flow

    def failed(self, flow: Flow) -> tuple[DialogReceiver, ...]:
        """A flow is gone; the dialogs that used it, which keep the next one that they use."""
        dialogs = tuple(self._dialogs.pop(flow, ()))
        for dialog in dialogs:
            del self._flows[dialog]
        return dialogs
