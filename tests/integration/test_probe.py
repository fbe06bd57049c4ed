"""`siprec-src probe` against good, bad and absent SRSs: what it finds, what it says, and that it ends.

Every SRS runs beside the others in one loop, and so do the probes: all together they take as long as one.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from siprec_src.net.tls import TlsContexts, TlsSettings
from siprec_src.probe.command import settings, target_of
from siprec_src.probe.report import Mark, Report, Step, Verdict, as_json
from siprec_src.probe.run import run
from siprec_src.recorder.g711 import decode
from siprec_src.srs.server import SrsServer
from siprec_src.srs.settings import SrsSettings, parse_behaviour
from tests.support.bad_srs import LOOPBACK, answered, bad_srs, description
from tests.support.certificates import Authority
from tests.support.daemon import REPOSITORY, free_port
from tests.support.names import NameServer, name_server

PASSWORD = "correct horse battery"
ENVIRONMENT = {"PROBE_PASSWORD": PASSWORD}
LIMIT_S = 90.0  #: of a probe, whatever it meets; only the one that is meant to reaches its limit


@dataclasses.dataclass
class Probed:
    """One finished probe."""

    report: Report
    directory: Path

    def step(self, name: str) -> Step:
        """The worst step of that name."""
        order = [Mark.NOT_ASKED, Mark.OK, Mark.WARNING, Mark.FAILED]
        found = [step for step in self.report.steps if step.name == name]
        return max(found, key=lambda step: order.index(step.mark))

    @property
    def marks(self) -> dict[str, Mark]:
        return {step.name: self.step(step.name).mark for step in self.report.steps}

    @property
    def text(self) -> str:
        return "\n".join(step.text() for step in self.report.steps)


class Cases:
    """Probes that run side by side."""

    def __init__(self, directory: Path, names: NameServer) -> None:
        self._directory = directory
        self._names = names
        self._authority = Authority(directory / "ca")
        self.results: dict[str, Probed] = {}

    async def all(self) -> None:
        good = {
            "good": "answer",
            "snapshot": "snapshot-after=1",
            "busy": "refuse=486",
            "inactive": "inactive",
            "one track": "port-zero=2",
            "fewer": "fewer",
            "odd": "no-label,no-direction,no-feature",
            "hangs up": "bye-after=1",
            "digest": f"digest=probe:{PASSWORD}",
        }
        probes = [self._bundled(name, behave) for name, behave in good.items()]
        probes += [
            self._bundled("silent", "silent", file='[[srs]]\nuri = "{uri}"\nanswer_timeout_s = 1.0'),
            self._bundled("authenticated", f"digest=probe:{PASSWORD}", file=_WITH_PASSWORD),
            self._bundled("other codec", "answer", file='[[srs]]\nuri = "{uri}"\ncodecs = ["opus"]'),
            self._over_tls("secure", "localhost", self._authority.file),
            self._over_tls("other name", "other.example", self._authority.file),
            self._over_tls("unknown signer", "localhost", None),
            self._over_tls("wants certificate", "localhost", self._authority.file, client=True),
            self._over_tls("expired", "localhost", self._authority.file, days=-1),
            self._bundled("no tls", "answer", parameters=";secure=true"),
            self._bundled("no srtp", "plain", parameters=";secure=true;transport=tcp"),
            self._probe("refused", f"sip:srs@{LOOPBACK}:{free_port()}"),
            self._no_such_name(),
            self._scripted("no sdp", lambda method, head: answered(head, "200 OK", _CONTACT)),
            self._scripted("garbage", lambda method, head: "SIP/2.0 200 OK\r\nVia: \r\n\r\n"),
            self._scripted("deaf", lambda method, head: "", timeout_s=3.0),
            self._closed_media(),
        ]
        await asyncio.gather(*probes)

    async def _probe(self, name: str, uri: str, file: str = "", timeout_s: float = LIMIT_S) -> None:
        path = None
        if file:
            path = self._directory / f"{name}.toml"
            head = f'[sip]\nlisten = "{LOOPBACK}:0"\nroute = "sip:nobody.invalid"\n'
            path.write_text(head + file.replace("{uri}", uri))
        with _environment(ENVIRONMENT):
            config = settings(uri, path, {})
        report = Report(lambda _: None)
        await run(config, target_of(uri, config), report, timeout_s)
        self.results[name] = Probed(report, self._directory / name)

    async def _bundled(self, name: str, behave: str, *, file: str = "", parameters: str = "") -> None:
        async with self._server(name, behave) as server:
            await self._probe(name, f"sip:srs@{server.address}{parameters}", file)

    async def _over_tls(
        self, name: str, host: str, ca: Path | None, *, client: bool = False, days: int = 90
    ) -> None:
        files = self._authority.issue(name, f"DNS:{host}", days=days)
        tls = TlsSettings(
            certificate=files.certificate,
            key=files.key,
            trusted_ca=self._authority.file,
            require_client_certificate=client,
        )
        port = free_port()
        trusted = f'trusted_ca = "{ca}"' if ca is not None else ""
        file = f'transports = ["tcp", "tls"]\n[tls]\n{trusted}\n[[srs]]\nuri = "{{uri}}"\n'
        async with self._server(name, "answer", TlsContexts.load(tls), port):
            await self._probe(name, f"sip:srs@localhost:{port};secure=true", file)

    @contextlib.asynccontextmanager
    async def _server(
        self, name: str, behave: str, tls: TlsContexts | None = None, tls_port: int = 0
    ) -> AsyncIterator[SrsServer]:
        behaviour = parse_behaviour(behave)
        directory = self._directory / name
        directory.mkdir()
        server = SrsServer(
            SrsSettings(directory=directory, port=0, tls_port=tls_port, behaviour=behaviour), tls=tls
        )
        await server.start()
        try:
            yield server
        finally:
            await server.close()

    async def _no_such_name(self) -> None:
        file = f'dns_servers = ["{LOOPBACK}:{self._names.port}"]\n[[srs]]\nuri = "{{uri}}"\n'
        await self._probe("no such name", "sip:srs@recorder.invalid", file)

    async def _scripted(self, name: str, answer: Any, timeout_s: float = LIMIT_S) -> None:
        async with bad_srs(answer) as port:
            await self._probe(name, f"sip:srs@{LOOPBACK}:{port};transport=tcp", timeout_s=timeout_s)

    async def _closed_media(self) -> None:
        """It answers, with ports at which nobody is, and never again."""
        sdp = description(free_port(), free_port())
        typed = (_CONTACT, "Content-Type: application/sdp")

        def answer(method: str, head: str) -> str:
            first = method == "INVITE" and "To: <sip:srs" in head and ";tag=" not in _to(head)
            return answered(head, "200 OK", *typed, body=sdp) if first else ""

        await self._scripted("closed media", answer)


_CONTACT = f"Contact: <sip:bad@{LOOPBACK}>;+sip.srs"
_WITH_PASSWORD = '[[srs]]\nuri = "{uri}"\nusername = "probe"\npassword_env = "PROBE_PASSWORD"\n'


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Probed]:
    with name_server() as names:
        cases = Cases(tmp_path_factory.mktemp("probe"), names)
        asyncio.run(cases.all())
    return cases.results


def test_a_good_srs_is_good_in_every_step(probed: Mapping[str, Probed]) -> None:
    good = probed["good"]
    assert good.report.verdict is Verdict.GOOD, good.text
    asked = {name for name, mark in good.marks.items() if mark is Mark.OK}
    assert asked >= {"dns", "reach", "options", "invite", "answer", "timer", "media", "pause", "resume"}
    assert asked >= {"metadata", "bye", "books"}
    assert good.marks["snapshot"] is good.marks["srtp"] is Mark.NOT_ASKED
    media = [step.facts for step in good.report.steps if step.name == "media"]
    assert [facts["label"] for facts in media] == ["1", "2"]
    for facts in media:
        assert facts["rtp_sent"] > 100  # type: ignore[operator] # numbers
        assert facts["lost"] == 0
        assert facts["rtcp_received"] > 0  # type: ignore[operator]


def test_the_srs_hears_another_voice_on_each_track(probed: Mapping[str, Probed]) -> None:
    directory = probed["good"].directory
    voices = []
    for label in ("1", "2"):
        (file,) = directory.glob(f"*.{label}.ulaw")
        voices.append(decode("PCMU", file.read_bytes()).astype(float))
    pitches = [_pitch_hz(voice) for voice in voices]
    assert 85 < pitches[0] < 140 < pitches[1] < 260
    for voice in voices:
        assert np.max(np.abs(voice)) > 5000


def test_srtp_over_tls_is_told_with_whom_the_certificate_proves(probed: Mapping[str, Probed]) -> None:
    secure = probed["secure"]
    assert secure.report.verdict is Verdict.GOOD, secure.text
    assert secure.marks["reach"] is Mark.OK
    tls = secure.step("tls").facts
    assert tls["version"] in ("TLSv1.2", "TLSv1.3")
    assert tls["names"] == ("localhost",)
    assert 85 < tls["days_left"] < 91  # type: ignore[operator]
    assert "AES_CM_128_HMAC_SHA1_80" in secure.step("srtp").says


@pytest.mark.parametrize(
    ("name", "words", "advice"),
    [
        ("other name", "not of localhost but of other.example", "the name in the URI"),
        ("unknown signer", "certificate refused", "tls.trusted_ca"),
        ("wants certificate", "closes the connection", "tls.certificate"),
        ("expired", "certificate has expired", "a new certificate"),
        ("no tls", "closes the connection", "port for TLS"),
    ],
)
def test_a_handshake_that_fails_is_told_with_what_to_do(
    probed: Mapping[str, Probed], name: str, words: str, advice: str
) -> None:
    failed = probed[name]
    assert failed.report.verdict is Verdict.UNUSABLE, failed.text
    assert words in failed.step("tls").says
    assert advice in failed.step("tls").advice
    assert failed.marks["reach"] is Mark.OK
    assert failed.marks["invite"] is Mark.NOT_ASKED


def test_a_snapshot_that_the_srs_asks_for_is_seen_to_be_taken(probed: Mapping[str, Probed]) -> None:
    assert probed["snapshot"].marks["snapshot"] is Mark.OK, probed["snapshot"].text
    assert probed["snapshot"].report.verdict is Verdict.GOOD


def test_credentials_of_the_configuration_are_used_and_never_shown(probed: Mapping[str, Probed]) -> None:
    assert probed["authenticated"].report.verdict is Verdict.GOOD, probed["authenticated"].text
    without = probed["digest"]
    assert without.report.verdict is Verdict.UNUSABLE
    assert "password_file" in without.step("invite").advice
    for one in probed.values():
        shown = json.dumps(as_json(one.report, srs="sip:srs@x", duration_s=1))
        assert PASSWORD not in shown
        assert "inline:" not in shown


@pytest.mark.parametrize(
    ("name", "step", "words"),
    [
        ("busy", "invite", "busy (486)"),
        ("silent", "invite", "did not answer the INVITE"),
        ("inactive", "answer", "answered inactive"),
        ("one track", "answer", "label 2: port 0"),
        ("fewer", "invite", "1 m-lines, the offer 2"),
        ("hangs up", "session", "ended the session itself"),
        ("no srtp", "invite", "RTP/AVP"),
        ("refused", "invite", "could not be reached"),
        ("no such name", "dns", "no address"),
        ("no sdp", "invite", "no SDP answer"),
        ("garbage", "invite", ""),
        ("closed media", "media", "nobody listens at"),
        ("other codec", "invite", "codecs has opus"),
    ],
)
def test_an_srs_that_cannot_be_used_is_said_to_be_so_and_why(
    probed: Mapping[str, Probed], name: str, step: str, words: str
) -> None:
    found = probed[name]
    assert found.report.verdict is Verdict.UNUSABLE, found.text
    assert found.step(step).mark is Mark.FAILED, found.text
    assert words in found.step(step).says
    assert found.step(step).advice


def test_an_srs_without_srtp_is_told_to_have_it_switched_on(probed: Mapping[str, Probed]) -> None:
    assert "switch SRTP on" in probed["no srtp"].step("invite").advice


def test_oddities_that_can_be_lived_with_are_warnings(probed: Mapping[str, Probed]) -> None:
    odd = probed["odd"]
    assert odd.report.verdict is Verdict.USABLE, odd.text
    said = {step.says for step in odd.report.steps if step.mark is Mark.WARNING}
    assert any("+sip.srs" in text for text in said)
    assert any("sendrecv" in text for text in said)


def test_it_ends_in_time_whatever_it_meets(probed: Mapping[str, Probed]) -> None:
    assert [name for name, one in probed.items() if "time" in one.marks] == ["deaf"]
    assert probed["deaf"].step("time").mark is Mark.FAILED


def test_the_command_prints_json_and_exits_by_its_verdict() -> None:
    port = free_port()
    done = _command("--srs", f"sip:srs:hidden-word@{LOOPBACK}:{port};transport=tcp", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["verdict"], found["exit_code"]) == (2, "unusable", 2)
    assert [step["step"] for step in found["steps"] if step["mark"] == "failed"] == ["reach"]
    assert "failed    reach" in done.stderr
    assert "hidden-word" not in done.stdout + done.stderr


def test_a_wrong_command_line_and_a_wrong_uri_have_codes_of_their_own() -> None:
    assert _command().returncode == 64
    assert _command("--srs", "sip:srs@127.0.0.1;secure=perhaps").returncode == 78


def test_a_connector_is_tried_at_each_of_its_srss(tmp_path: Path) -> None:
    uris = [f"sip:srs@{LOOPBACK}:{free_port()};transport=tcp" for _ in range(2)]
    file = tmp_path / "siprec-src.toml"
    file.write_text(f'''
[sip]
listen = "{LOOPBACK}:0"
route = "sip:nobody.invalid"
[[connector]]
name = "partner"
uri = "{uris[0]}"
failover = ["{uris[1]}"]
''')
    done = _command("test", "partner", "--config", str(file), "--json", command="connector")
    reports = json.loads(done.stdout)
    assert [report["srs"] for report in reports] == uris
    assert (done.returncode, {report["verdict"] for report in reports}) == (2, {"unusable"})
    unknown = _command("test", "Partner", "--config", str(file), command="connector")
    assert (unknown.returncode, "no connector 'Partner'" in unknown.stderr) == (78, True)


def _command(*arguments: str, command: str = "probe") -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIPREC_SRC_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "siprec_src", command, *arguments],
        cwd=REPOSITORY,
        env=clean,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def _to(head: str) -> str:
    return next(line for line in head.split("\r\n") if line.startswith("To:"))


def _pitch_hz(voice: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """The strongest period between 70 and 300 Hz, over the loud parts."""
    part = voice[: 8000 * 3]
    lags = np.arange(8000 // 300, 8000 // 70)
    strength = [float(np.dot(part[:-lag], part[lag:])) for lag in lags]
    return 8000 / float(lags[int(np.argmax(strength))])
