"""Accounts and the HTTP server in the configuration: whose trunks are whose, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from siprec_src.api.hashes import fits, hash_of
from siprec_src.cli import main
from siprec_src.config import Config, InvalidConfiguration, load
from siprec_src.sip.flow import Address

SID = "AC" + "a" * 32
ACCOUNT = f'[[account]]\nsid = "{SID}"\nname = "alice"\nauth_token_env = "ALICES_TOKEN"\n'
APPLICATION = 'application_key = "app"\napplication_secret_env = "SECRET"\n'
TRUNK = '[[trunk]]\nname = "pbx"\nfrom = ["192.0.2.1"]\nto = "sip:192.0.2.2"\naccount = "alice"\n'
FLAGS = {"--srs": ["sip:127.0.0.1:5090"], "--route": "sip:127.0.0.1:5070"}


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALICES_TOKEN", "secret")


def loaded(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "siprec-src.toml"
    file.write_text('[sip]\nlisten = "127.0.0.1:5060"\n' + text)
    return load(file, {}, FLAGS)


def test_a_trunk_is_of_the_account_it_names(tmp_path: Path) -> None:
    config = loaded(tmp_path, ACCOUNT + TRUNK)
    assert [account.sid for account in config.accounts.known] == [SID]
    assert config.accounts.of_trunk == {"pbx": SID}
    assert "secret" not in repr(config)


def test_an_account_has_keys_of_which_there_is_only_a_hash(tmp_path: Path) -> None:
    hashed = hash_of("shown once")
    key = f'[[account.key]]\nsid = "SK{"1" * 32}"\nsecret_hash = "{hashed}"\n'
    (account,) = loaded(tmp_path, ACCOUNT + key).accounts.known
    assert [(key.sid, key.secret_hash) for key in account.keys] == [("SK" + "1" * 32, hashed)]


def test_an_application_signs_for_its_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "AAEC")
    config = loaded(tmp_path, ACCOUNT + APPLICATION)
    (account,) = config.accounts.known
    assert account.application is not None
    assert (account.application.key, str(account.application.secret)) == ("app", "AAEC")
    assert "AAEC" not in repr(config)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ACCOUNT + 'application_key = "a b"\n', "account.1.application_key: expected letters, digits"),
        (ACCOUNT + 'application_key = "a"\n', "application_key: expected beside it application_secret_file"),
        (ACCOUNT + 'application_secret_env = "A"\n', "application_key: expected beside it"),
        (ACCOUNT + APPLICATION, "account.1.application_secret_env: 'SECRET' is not there, or empty"),
        (
            ACCOUNT + APPLICATION.replace("SECRET", "ALICES_TOKEN"),
            "account.1.application_secret_env: expected base64",
        ),
        (ACCOUNT.replace("AC", "CA"), "account.1.sid: expected AC and 32 hexadecimal digits"),
        (ACCOUNT.replace("ALICES", "NO"), "account.1.auth_token_env: 'NO_TOKEN' is not there, or empty"),
        (ACCOUNT + ACCOUNT, "account.2.name: 'alice' is there already"),
        (ACCOUNT + '[[account.key]]\nsid = "SK1"\nsecret_hash = ""\n', "expected SK and 32 hexadecimal"),
        (
            ACCOUNT + f'[[account.key]]\nsid = "SK{"1" * 32}"\nsecret_hash = "scrypt:3:8:1:00:00"\n',
            "expected what `siprec-src account key` prints",
        ),
        (ACCOUNT + "[[account.key]]\nsecret = 1\n", "account.1.key"),
        (
            ACCOUNT + TRUNK.replace("alice", "alise"),
            "trunk.1.account: 'alise' does not exist (did you mean 'alice'?)",
        ),
        ('[http]\nlisten = "0.0.0.0:8080"\n', "http.listen: beyond loopback only with credentials"),
        ('[http]\ntls_key = "/x"\n', "http.tls_key: expected tls_certificate beside it"),
        ('[http]\ntls_certificate = "/none"\n', "http.tls_certificate: /none: No such file or directory"),
        ("[http]\nmax_connections = 0\n", "http.max_connections: expected 1 to 65536"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        loaded(tmp_path, text)
    assert expected in str(caught.value)


@pytest.mark.parametrize("credentials", ['token_env = "ALICES_TOKEN"\n', ACCOUNT])
def test_beyond_loopback_http_is_served_with_credentials(credentials: str, tmp_path: Path) -> None:
    config = loaded(tmp_path, '[http]\nlisten = "0.0.0.0:8080"\n' + credentials)
    assert config.http_listen == Address("0.0.0.0", 8080)


def test_a_new_account_and_a_key_of_it_can_be_used_as_they_are_printed(tmp_path: Path) -> None:
    run = CliRunner().invoke
    made = run(main, ["account", "new", "office", "--dir", str(tmp_path)])
    key = run(main, ["account", "key"])
    assert (made.exit_code, key.exit_code) == (0, 0)
    token = tmp_path / "office.token"
    assert token.stat().st_mode & 0o777 == 0o600
    (account,) = loaded(tmp_path, made.stdout + key.stdout).accounts.known
    assert (account.name, f"{account.auth_token}\n") == ("office", token.read_text())
    secret = key.stderr.rpartition(" ")[2].strip()
    assert secret not in key.stdout
    assert [fits(secret, made.secret_hash) for made in account.keys] == [True]


def test_a_token_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "office.token").write_text("old")
    made = CliRunner().invoke(main, ["account", "new", "office", "--dir", str(tmp_path)])
    assert (made.exit_code, (tmp_path / "office.token").read_text()) == (1, "old")
