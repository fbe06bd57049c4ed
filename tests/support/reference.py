"""Where the reference data of the standards lies, when it is beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference"


def reference_path(*parts: str) -> Path:
    """Path of one file or folder of the reference data; skips the test where it is absent."""
    path = REFERENCE.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"reference data not beside this checkout: {'/'.join(parts)}")
    return path


def reference_files(*folder: str, pattern: str) -> list[Path]:
    """The files of one folder that ``pattern`` names, at least one; skips the test without the folder."""
    files = sorted(reference_path(*folder).glob(pattern))
    assert files, f"no {pattern} in {'/'.join(folder)}"
    return files
