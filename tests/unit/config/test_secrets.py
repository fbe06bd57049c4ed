"""Passwords and tokens: where they are read, what is refused, and that they are never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from siprec_src.config import Config, InvalidConfiguration, from_values, load
from siprec_src.config.secrets import MAX_SECRET_BYTES
from siprec_src.recording import request
from siprec_src.sip.credentials import Credentials

CANARY = "canary-8f2d"
TRUNKS = """\
[[trunk]]
name = "pbx"
from = ["127.0.0.1"]
to = "carrier"
[[trunk]]
name = "carrier"
from = ["127.0.0.2"]
uri = "sip:127.0.0.2"
to = "sip:127.0.0.1:5070"
"""
Load = Callable[[str], Config]


@pytest.fixture
def read(tmp_path: Path) -> Load:
    def load_text(srs: str) -> Config:
        file = tmp_path / "siprec-src.toml"
        file.write_text(f"{TRUNKS}{srs if '[[srs]]' in srs else _srs(srs)}")
        return load(file, {}, {})

    return load_text


def _srs(keys: str) -> str:
    return f'[[srs]]\nuri = "sip:127.0.0.1:5090"\n{keys}\n'


def problem(read: Load, keys: str) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        read(keys)
    (only,) = caught.value.problems
    assert CANARY not in only
    return only


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{CANARY}\n")
    return file


@pytest.mark.req("AUT-01")
def test_a_password_comes_from_a_file(read: Load, secret: Path) -> None:
    config = read(f'username = "u"\npassword_file = "{secret}"\nallow_md5 = true')
    expected = Credentials(username="u", password=CANARY, allow_md5=True)
    assert config.targets[0].config.credentials == config.srs[0].credentials == expected
    assert from_values(config.values).srs[0].credentials == expected


def test_a_password_comes_from_the_environment(read: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRS_PASSWORD", CANARY)
    credentials = read('username = "u"\npassword_env = "SRS_PASSWORD"').srs[0].credentials
    assert credentials is not None
    assert credentials.password == CANARY


def test_a_relative_name_is_a_credential_of_systemd(
    read: Load, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = f'username = "u"\npassword_file = "{secret.name}"'
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert "srs.1.password_file: 'password': expected an absolute path" in problem(read, keys)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret.parent))
    assert read(keys).srs[0].credentials is not None


def test_a_trunk_has_credentials_of_its_own(read: Load, secret: Path) -> None:
    given = TRUNKS.replace('uri = "sip', f'username = "u"\npassword_file = "{secret}"\nuri = "sip')
    config = load(_written(secret.parent / "own.toml", given + _srs("")), {}, {})
    assert [trunk.credentials is not None for trunk in config.trunks] == [False, True]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ('password = "canary-8f2d"', "srs.1.password: unknown key (did you mean 'password_"),
        ('username = "u"', "srs.1.password_file: expected either a file or an environment variable"),
        ('password_env = "X"', "srs.1.username: expected one beside the password"),
        ('username = "u"\npassword_file = "/nowhere/x"', "'/nowhere/x' cannot be read: No such file"),
        ('username = "u"\npassword_env = "NOT_SET"', "srs.1.password_env: 'NOT_SET' is not there, or empty"),
        ('username = "u"\npassword_env = "A"\npassword_file = "/b"', "expected either a file or"),
        ('headers = { "X Y" = { file = "/x" } }', "srs.1.headers: 'X Y' is no name of a field"),
        ('headers = { "v" = { file = "/x" } }', "srs.1.headers: 'v' is no name of a field"),
        ('headers = { "X-Y" = { text = "canary-8f2d" } }', "srs.1.headers: X-Y: expected a text, { file ="),
        (
            'headers = { "X-Y" = { env = "NOT_SET" } }',
            "srs.1.headers: the value of 'X-Y', 'NOT_SET' is not there",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_key(read: Load, keys: str, what: str) -> None:
    assert what in problem(read, keys)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (f"{CANARY}\r\nEvil: x".encode(), "holds control characters"),
        (b"\xff" + CANARY.encode(), "is not UTF-8 text"),
        (b"x" * (MAX_SECRET_BYTES + 1), "is longer than"),
        (b"\n", "is not there, or empty"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(read: Load, secret: Path, content: bytes, what: str) -> None:
    secret.write_bytes(content)
    assert what in problem(read, f'headers = {{ "X-Auth-Token" = {{ file = "{secret}" }} }}')
    assert what in problem(read, f'username = "u"\npassword_file = "{secret}"')


def test_a_user_name_that_no_hash_can_hold_is_named_with_its_key(read: Load, secret: Path) -> None:
    assert "srs.1.username: expected 1 to 256" in problem(
        read, f'username = "a:b"\npassword_file = "{secret}"'
    )


def test_secrets_are_in_no_repr(read: Load, secret: Path) -> None:
    keys = f'username = "u"\npassword_file = "{secret}"\nheaders = {{ "X-Tenant" = {{ file = "{secret}" }} }}'
    config = read(keys)
    assert config.srs[0].secret_headers == (("X-Tenant", CANARY),)
    assert CANARY not in repr(config)
    assert CANARY not in repr(request.within(config.srs[0].secret_headers))


def _written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file
