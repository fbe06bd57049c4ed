"""The other end of the API: one request to a daemon that runs, from a command line."""

from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from typing import Any, Final

API: Final = "/v1/"
_HTTPS: Final = "https://"
TIMEOUT_S: Final = 5.0


class Unanswered(Exception):
    """The daemon did not do what it was asked for; the text says why."""


def ask(at: str, method: str, path: str, token_file: Path | None = None) -> dict[str, Any]:
    """What the daemon, whose HTTP is ``at`` ADDRESS:PORT or https://HOST:PORT, answers to ``path``.

    Raises:
        Unanswered: it cannot be reached, or refuses.
    """
    fields = {}
    if token_file is not None:
        try:
            fields["Authorization"] = f"Bearer {token_file.read_text().strip()}"
        except (OSError, ValueError) as error:
            raise Unanswered(f"{token_file}: {getattr(error, 'strerror', '') or 'is not text'}") from error
    try:
        with contextlib.closing(_connection(at)) as connection:
            connection.request(method, API + path, headers=fields)
            response = connection.getresponse()
            answer = json.loads(response.read())
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        hint = "see that it runs, and give as --http what its [http] listen says"
        raise Unanswered(f"no daemon answers at {at}: {why}; {hint}") from error
    except http.client.HTTPException as error:
        raise Unanswered(f"{at}: {error or type(error).__name__}") from error
    except ValueError as error:
        raise Unanswered(f"what answers at {at} is no siprec-src") from error
    if response.status >= 400:
        raise Unanswered(str(answer.get("error", response.status)))
    return dict(answer)


def _connection(at: str) -> http.client.HTTPConnection:
    """Its certificate must be one that this machine trusts, and for that host."""
    if at.startswith(_HTTPS):
        return http.client.HTTPSConnection(at.removeprefix(_HTTPS).rstrip("/"), timeout=TIMEOUT_S)
    return http.client.HTTPConnection(at.removeprefix("http://").rstrip("/"), timeout=TIMEOUT_S)


def as_lines(calls: list[dict[str, Any]]) -> list[str]:
    """A table of calls, one line each."""
    lines = []
    for call in calls:
        states = ", ".join(_state(call, recording) for recording in call["recordings"])
        parties = f"{call['caller']} -> {call['callee']}"
        rule = f"  by rule {call['rule']}" if call["rule"] else ""
        lines.append(f"{call['call']}  {call['started']}  {parties}  {states or 'not recorded'}{rule}")
    return lines


def _state(call: dict[str, Any], recording: dict[str, Any]) -> str:
    state = "paused" if call["paused"] and recording["state"] == "recording" else recording["state"]
    named = f"{recording['copy']}: " if recording["copy"] else ""
    return f"{named}{state}{' at ' + recording['srs'] if recording['srs'] else ''}"
