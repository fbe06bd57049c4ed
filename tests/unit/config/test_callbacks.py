"""``[callbacks]`` and the state directory: what is taken, and what is refused."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from siprec_src.config import Config, InvalidConfiguration, load
from tests.support.certificates import Authority

FLAGS = {"--srs": ["sip:127.0.0.1:5090"], "--route": "sip:127.0.0.1:5070"}


def loaded(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "siprec-src.toml"
    file.write_text(text)
    return load(file, {}, FLAGS)


def test_networks_authorities_and_the_state_directory_are_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    config = loaded(
        tmp_path,
        f'[daemon]\nstate_directory = "{tmp_path}"\n'
        f'[callbacks]\nallow_private = ["10.1.0.0/16", "fd00::/8"]\ntrusted_ca = "{authority.file}"\n',
    )
    assert config.daemon.state_directory == tmp_path
    assert config.callbacks.networks == (
        ipaddress.ip_network("10.1.0.0/16"),
        ipaddress.ip_network("fd00::/8"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('allow_private = ["10.1.2.3/16"]', "callbacks.allow_private: '10.1.2.3/16' is no network"),
        ('allow_private = ["localhost"]', "callbacks.allow_private: 'localhost' is no network"),
        ("retry_factor = 0.5", "callbacks.retry_factor: expected 1 to 10"),
        ("max_pending = 0", "callbacks.max_pending: expected 1 to"),
        ('trusted_ca = "/nowhere"', "callbacks.trusted_ca: /nowhere: No such file"),
        ('trusted_ca = "/etc/hostname"', "callbacks.trusted_ca: /etc/hostname: no certificates"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_key(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        loaded(tmp_path, f"[callbacks]\n{text}\n")
    assert problem in str(refused.value)
