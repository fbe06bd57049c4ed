"""A SIPp scenario written as a person would tell it: who sends what, who waits for what.

SIPp keeps the order and fails the call on anything else; what the messages hold is read afterwards from
`sipp.Sipp.messages`. Every header field that a reply or a later request needs is kept in a variable of the
call, because SIPp itself remembers only the last message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self

Fields = Sequence[str]

_KEPT: Final = ("Via", "From", "To", "CSeq")


def sdp(
    port: int | str = "[media_port]",
    *lines: str,
    host: str = "[media_ip]",
    profile: str = "RTP/AVP",
    formats: str = "0 101",
    version: int = 1,
) -> str:
    """An audio description with PCMU and telephone-event; ``lines`` are added to its m-line."""
    at = f"IN {_family(host)} {host}"
    head = ("v=0", f"o=- 5 {version} {at}", "s=-", f"c={at}", "t=0 0")
    maps = ("a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=ptime:20")
    return "\r\n".join((*head, f"m=audio {port} {profile} {formats}", *maps, *lines)) + "\r\n"


def _family(host: str) -> str:
    """What SDP calls the family of an address, or of the one that SIPp puts in."""
    if host.startswith("["):
        return "IP[media_ip_type]"
    return "IP6" if ":" in host else "IP4"


class Script:
    """One party's side of a call, built step by step."""

    def __init__(self, name: str, *, user: str, peer: str, calls: bool) -> None:
        self.name = name
        self._user = user
        self._peer = peer
        self._calls = calls
        self._steps: list[str] = []
        self._names: list[str] = []
        self._cseq = 0
        self._invite = 0
        self._received = 0
        self._latest = ""
        self._at: dict[str, tuple[str, str]] = {}  # method: prefix of its variables, tag to add to its To
        self._dialog = False
        self._confirmed = False

    @property
    def xml(self) -> str:
        """The scenario as SIPp reads it."""
        used = f'  <Reference variables="{",".join(self._names)}"/>\n' if self._names else ""
        steps = "".join(f"  {step}\n" for step in self._steps)
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{self.name}">\n'
        return f"{head}{steps}{used}</scenario>\n"

    # What is sent.

    def invite(self, body: str = "", *fields: str, kind: str = "application/sdp") -> Self:
        """The first INVITE, the next try after a challenge, or a re-INVITE inside the dialog."""
        self.request("INVITE", body, *fields, kind=kind)
        self._invite = self._cseq
        return self.expect(100, optional=True)

    def request(self, method: str, body: str = "", *fields: str, kind: str = "application/sdp") -> Self:
        """A request; inside the dialog once there is one."""
        self._cseq += 1
        return self._send(method, self._cseq, method, body, fields, kind)

    def ack(self, body: str = "", *fields: str) -> Self:
        """Of a 2xx: a request of its own (RFC 3261 13.2.2.4)."""
        self._confirmed = True
        return self._send("ACK", self._invite, "ACK", body, fields, "application/sdp", again=False)

    def ack_refusal(self) -> Self:
        """Of a 3xx to 6xx: part of the INVITE's transaction (RFC 3261 17.1.1.3)."""
        self._send("ACK", self._invite, "INVITE", "", (), "", again=False)
        self._dialog = False
        return self

    def cancel(self, *fields: str) -> Self:
        return self._send("CANCEL", self._invite, "INVITE", "", fields, "", tagless=True)

    def respond(
        self,
        status: int,
        body: str = "",
        *fields: str,
        to: str = "",
        reason: str = "Said So",
        kind: str = "application/sdp",
        contact: bool = True,
    ) -> Self:
        """Answer the newest request, or the newest of the method ``to``."""
        kept, tag = self._at[to or self._latest]
        head = [
            f"SIP/2.0 {status} {reason}",
            f"Via:[${kept}Via]",
            f"From:[${kept}From]",
            f"To:[${kept}To]{tag}",
            "Call-ID: [call_id]",
            f"CSeq:[${kept}CSeq]",
        ]
        if contact:
            head.append(f"Contact: <sip:{self._user}@[local_ip]:[local_port]>")
        final = (to or self._latest) == "INVITE" and status >= 200
        return self._put([*head, *fields], body, kind, again=final)

    # What is waited for.

    def expect(self, status: int, *, optional: bool = False) -> Self:
        """A response; the ends of the dialog are those of the newest one until an ACK has confirmed them."""
        if optional:
            self._steps.append(f'<recv response="{status}" optional="true"/>')
            return self
        keep = ""
        if self._calls and not self._confirmed:
            keep = self._ereg("To", "peer")
            self._dialog = True
        rrs = ' rrs="true"' if keep and status < 300 else ""
        self._steps.append(
            f'<recv response="{status}"{rrs}>{f"<action>{keep}</action>" if keep else ""}</recv>'
        )
        return self

    def receive(self, method: str) -> Self:
        """A request, whose fields are kept for the answer."""
        if method == "ACK":
            self._steps.append('<recv request="ACK"/>')
            return self
        self._received += 1
        kept = f"r{self._received}"
        actions = "".join(self._ereg(name, kept + name) for name in _KEPT)
        rrs = ' rrs="true"' if not self._dialog or method in ("INVITE", "UPDATE") else ""
        self._steps.append(f'<recv request="{method}"{rrs}><action>{actions}</action></recv>')
        self._at[method] = (kept, "" if self._dialog else ";tag=[call_number]b[pid]")
        self._latest = method
        self._dialog = True
        return self

    def wait_for_word(self) -> Self:
        """Until the test tells it to go on, with `sipp.Sipp.nudge`."""
        self._steps.append(
            '<nop><action><log message="waits [call_id]"/></action></nop>\n  <recv request="NOTIFY"/>'
        )
        return self

    def pause(self, milliseconds: int) -> Self:
        self._steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    def keeping(self, header: str, variable: str, *, at: int) -> Self:
        """Keep a field of the response ``at``, for steps that say ``[$variable]``."""
        mark = f'<recv response="{at}"'
        (place,) = (n for n, step in enumerate(self._steps) if step.startswith(mark))
        kept = self._ereg(header, variable)
        self._steps[place] = self._steps[place].replace("<action>", f"<action>{kept}")
        return self

    def over_tcp(self) -> Self:
        """Contacts say so: what comes later comes by TCP too."""
        self._steps = [step.replace("[local_port]>", "[local_port];transport=tcp>") for step in self._steps]
        return self

    def without(self, line: str) -> Self:
        """Leave a line out of the first message."""
        self._steps[0] = self._steps[0].replace(f"{line}\n", "")
        return self

    # Private.

    def _send(
        self,
        method: str,
        cseq: int,
        branch: str,
        body: str,
        fields: Fields,
        kind: str,
        *,
        again: bool = True,
        tagless: bool = False,
    ) -> Self:
        inside = self._dialog and not tagless
        uri = "[next_url]" if inside and branch == method else f"sip:{self._peer}@[remote_ip]:[remote_port]"
        transaction = f"z9hG4bKs[pid]x[call_number]x{cseq}{branch}"
        head = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={transaction}",
            *self._ends(inside=inside),
            "Call-ID: [call_id]",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            f"Contact: <sip:{self._user}@[local_ip]:[local_port]>",
        ]
        return self._put([*head, *fields], body, kind, again=again)

    def _ends(self, *, inside: bool) -> tuple[str, str]:
        if self._calls:
            own = f'From: "{self.name}" <sip:{self._user}@pbx.example>;tag=[call_number]a[pid]'
            return own, "To:[$peer]" if inside else f"To: <sip:{self._peer}@pbx.example>"
        return "From:[$r1To];tag=[call_number]b[pid]", "To:[$r1From]"

    def _put(self, head: Sequence[str], body: str, kind: str, *, again: bool) -> Self:
        typed = (f"Content-Type: {kind}",) if body and kind else ()
        text = "\r\n".join((*head, *typed, "Content-Length: [len]", "", body))
        # SIPp takes the blanks before each line away, and ends lines with CR LF itself.
        lines = text.replace("\r\n", "\n")
        retrans = ' retrans="500"' if again else ""
        self._steps.append(f"<send{retrans}><![CDATA[\n\n{lines}\n]]></send>")
        return self

    def _ereg(self, header: str, variable: str) -> str:
        if variable not in self._names:
            self._names.append(variable)
        return (
            f'<ereg regexp=".*" search_in="hdr" header="{header}:" start_line="true" check_it="true" '
            f'assign_to="{variable}"/>'
        )


def caller(name: str = "Alice Caller", *, user: str = "1000", peer: str = "2000") -> Script:
    """The party that calls."""
    return Script(name, user=user, peer=peer, calls=True)


def callee(name: str = "Bob Callee", *, user: str = "2000", peer: str = "1000") -> Script:
    """The party that is called."""
    return Script(name, user=user, peer=peer, calls=False)


def srs(ports: Sequence[int | str], answer: str = "") -> Script:
    """A Session Recording Server: takes the tracks at ``ports``, then metadata updates, then the BYE."""
    return (
        callee("Recorder", user="srs", peer="src")
        .receive("INVITE")
        .respond(
            200,
            answer or srs_answer(ports),
            "Contact: <sip:srs@[local_ip]:[local_port];transport=[transport]>;+sip.srs",
            "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE",
            contact=False,
        )
        .receive("ACK")
        .receive("UPDATE")
        .respond(200)
        .receive("BYE")
        .respond(200)
    )


def srs_answer(ports: Sequence[int | str], *lines: str, host: str = "[media_ip]") -> str:
    """Accepts one PCMU track at each port; 0 refuses it. ``lines`` are added to each m-line."""
    head = ("v=0", f"o=srs 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0")
    body = [*head]
    for label, port in enumerate(ports, 1):
        body += [f"m=audio {port} RTP/AVP 0", f"a=label:{label}", *(lines or ("a=recvonly",))]
    return "\r\n".join(body) + "\r\n"
