"""Every service has a directory of its own; what a killed one left behind is taken away by the next."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from siprec_src.app.runtime import MEDIA_SOCKET, parent_directory, runtime_directory


def test_it_is_there_for_its_user_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    with runtime_directory(tmp_path) as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        (directory / MEDIA_SOCKET).touch()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_service_left_is_removed_and_a_running_one_is_not(tmp_path: Path) -> None:
    left, other = tmp_path / "siprec-src-left", tmp_path / "siprec-src-other"
    for directory in (left, other):
        directory.mkdir()
        (directory / MEDIA_SOCKET).touch()
    lock = os.open(other, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (tmp_path / "siprec-src-begun").mkdir()
    (tmp_path / "mine").mkdir()
    with runtime_directory(tmp_path) as directory:
        names = {path.name for path in tmp_path.iterdir()}
    os.close(lock)
    assert names == {"siprec-src-other", "siprec-src-begun", "mine", directory.name}


def test_a_directory_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), runtime_directory(tmp_path / "none"):
        pass


def test_the_parent_is_as_configured_else_of_the_service_else_conventional_else_of_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, conventional, session = (tmp_path / name for name in ("service", "conventional", "session"))
    monkeypatch.setattr("siprec_src.app.runtime.CONVENTIONAL", conventional)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(service))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert parent_directory(None) == Path(tempfile.gettempdir())
    for better in (session, conventional, service):
        better.mkdir()
        assert parent_directory(None) == better
    assert parent_directory(Path("/elsewhere")) == Path("/elsewhere")
