"""A connector from the command line to the wire, in a daemon that runs."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from twilio.base.exceptions import TwilioRestException

from siprec_src.cli import main
from tests.support.api import Api
from tests.support.bare_srs import bare_srs
from tests.support.daemon import until

CANARY = "canary-7d40"


def connector(service: Api, *arguments: str, typed: str = "") -> str:
    """Change the connectors by the command; what the daemon was told by flags is in the environment."""
    file = service.daemon.log_file.with_name("siprec-src.toml")
    environment = {"SIPREC_SRC_ROUTE": "sip:127.0.0.1", "SIPREC_SRC_HTTP": ""}
    command = ["connector", *arguments, "--config", str(file)]
    done = CliRunner().invoke(main, command, input=typed, env=environment)
    assert done.exit_code == 0, done.output
    return done.output


def sessions(service: Api, event: str) -> list[str]:
    return [line["session"] for line in service.daemon.events(event)]


@pytest.mark.feature("F015", "F017", "F018", "F020", "F021", "F022", "F025")
def test_a_connector_is_added_used_and_removed_and_its_secret_is_for_the_srs_alone(service: Api) -> None:
    with bare_srs() as srs:
        uri = f"sip:name@{srs.place};transport=tcp;secure=false&edge=default"
        header = ("--credentials-header", "X-Auth-Token")
        shown = [connector(service, "add", "Added", "--srs", uri, *header, typed=f"{CANARY}\n")]
        service.reload()
        with service.call() as call:
            siprec = service.client.calls(call.sid).siprec
            siprec.create(
                connector_name="Added",
                track="inbound_track",
                parameter1_name="Custom1",
                parameter1_value="Bob",
            )
            shown.append(json.dumps(service.answer))
            known = sessions(service, "call.begin")[-1]
            until(lambda: known in sessions(service, "recording.begin"), 5, "the recording")
            call.hang_up()
            until(lambda: known in sessions(service, "recording.end"), 5, "its end")
        shown += [
            service.daemon.get(path)[1]
            for path in ("/metrics", "/v1/explained", f"/v1/explained/{quote(known, safe='')}/full")
        ]
        _, head, _ = srs.invites[0]
        assert head.startswith(f"INVITE sip:name@{srs.place};transport=tcp SIP/2.0\r\n")
        assert [line for line in head.split("\r\n") if line.startswith("X-")] == [f"X-Auth-Token: {CANARY}"]
        assert "X-Auth-Token" in shown[-1]
        assert not [text for text in (*shown, service.daemon.log) if CANARY in text]
    connector(service, "remove", "Added")
    service.reload()
    with service.call() as call, pytest.raises(TwilioRestException) as caught:
        service.client.calls(call.sid).siprec.create(connector_name="Added")
    assert (caught.value.status, caught.value.code) == (400, 31940)
