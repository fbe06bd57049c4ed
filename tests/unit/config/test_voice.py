"""Voice applications of trunks in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from siprec_src.config import InvalidConfiguration, load
from siprec_src.ingest.inline.voice import AfterInstructions, Voice, VoiceDefault, VoiceFormat

ACCOUNT = f'[[account]]\nsid = "AC{32 * "a"}"\nauth_token_env = "THE_TOKEN"\n'
APPLICATION = 'application_key = "app"\napplication_secret_env = "THE_SECRET"\n'
URL = 'voice_url = "https://user:pass@app.example/voice"\n'


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_TOKEN", "secret")
    monkeypatch.setenv("THE_SECRET", "c2VjcmV0")


def voice(tmp_path: Path, keys: str, account: str = ACCOUNT) -> Voice | None:
    file = tmp_path / "siprec-src.toml"
    trunk = f'[[trunk]]\nname = "pbx"\nfrom = ["192.0.2.1"]\nto = "sip:192.0.2.2"\n{keys}'
    file.write_text(f'[sip]\nlisten = "127.0.0.1:5060"\n{account}{trunk}')
    (made,) = load(file, {}, {"--srs": ["sip:127.0.0.1:5090"]}).trunks
    return made.voice


def test_a_trunk_has_no_application_unless_it_names_one(tmp_path: Path) -> None:
    assert voice(tmp_path, "") is None


def test_an_application_is_asked_by_post_for_two_seconds_and_its_failure_is_none_of_the_calls(
    tmp_path: Path,
) -> None:
    made = voice(tmp_path, URL)
    assert made is not None
    assert (made.method, made.format, made.timeout_s) == ("POST", VoiceFormat.TWIML, 2.0)
    assert (made.default, made.after) == (VoiceDefault.ROUTE, AfterInstructions.HANG_UP)
    assert "pass" not in repr(made)


def test_an_application_of_the_other_kind_signs_with_that_of_its_account(tmp_path: Path) -> None:
    made = voice(tmp_path, URL + 'voice_format = "svaml"\n', ACCOUNT + APPLICATION)
    assert made is not None
    assert made.format is VoiceFormat.SVAML


@pytest.mark.parametrize(
    ("keys", "account", "expected"),
    [
        (URL, "", "trunk.1.voice_url: expected an [[account]]"),
        (URL + 'voice_format = "svaml"\n', ACCOUNT, "trunk.1.voice_format: svaml expects application_key"),
        (
            URL + 'voice_format = "svaml"\nvoice_method = "GET"\n',
            ACCOUNT + APPLICATION,
            "trunk.1.voice_method: svaml is asked for by POST",
        ),
        ('voice_url = "app.example/voice"\n', ACCOUNT, "trunk.1.voice_url: expected http"),
        (URL + 'voice_fallback_url = "ftp://x"\n', ACCOUNT, "trunk.1.voice_fallback_url: expected http"),
        ('voice_fallback_url = "http://x/"\n', ACCOUNT, "expected voice_url beside it"),
        (URL + "voice_timeout_s = 11\n", ACCOUNT, "trunk.1.voice_timeout_s: expected 0.1 to 10"),
        (URL + 'voice_default = "drop"\n', ACCOUNT, "trunk.1.voice_default: expected"),
    ],
)
def test_what_could_not_be_asked_is_refused(tmp_path: Path, keys: str, account: str, expected: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        voice(tmp_path, keys, account)
    assert expected in str(caught.value)
