"""Fuzz one target, or run it on files: ``python -m tests.fuzz TARGET [--seconds N] [FILE…]``.

What is found on the way is kept in build/fuzz/TARGET for the next run. An input that breaks a promise is
written to build/fuzz and named; it is run again by giving its name, and becomes a file of tests/fuzz/corpus
once it has been put right, so that `make test` runs it for ever.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

BUILD = Path("build/fuzz")
MAX_BYTES = 8192
TIMEOUT_S = 5  #: for one input, then it is a finding


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", nargs="?")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--list", action="store_true", help="name the targets")
    arguments = parser.parse_args()
    if arguments.files or arguments.list:
        from tests.fuzz.targets import TARGETS

        for file in arguments.files:
            TARGETS[arguments.target](file.read_bytes())
        if arguments.list:
            sys.stdout.write(" ".join(TARGETS) + "\n")
    elif arguments.target is None:
        parser.error("which target? --list names them")
    else:
        _fuzz(arguments.target, arguments.seconds)


def _fuzz(name: str, seconds: int) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    # The finder of the editable installation has a loader that Atheris cannot instrument; the source is here.
    sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]
    with atheris.instrument_imports(include=["siprec_src"]):
        from tests.fuzz.targets import CORPUS, TARGETS
    kept = BUILD / name
    kept.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-timeout={TIMEOUT_S}",
        f"-artifact_prefix={BUILD}/{name}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(kept), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


main()
