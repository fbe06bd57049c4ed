"""`make demo`: record one call and show what was recorded."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from tests.demo import page, picture
from tests.demo.call import Outcome, place

TRACKS = ("caller · label 1 · inbound", "callee · label 2 · outbound")


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    """The summary, a line each."""
    call, session, tracks = outcome.call, outcome.session, outcome.summary["tracks"]
    people = [who["names"][0] for who in outcome.summary["participants"]]
    return [
        ("caller", f"{people[0]['name']} <{people[0]['aor']}>"),
        ("callee", f"{people[1]['name']} <{people[1]['aor']}>"),
        ("call", f"{call['duration_s']:.1f} s, answered after {1000 * call['setup_s']:.0f} ms"),
        ("recording set up in", f"{1000 * outcome.setup_s:.0f} ms, beside the call"),
        ("streams", ", ".join(f"label {t['label']} {t['codec']}" for t in tracks)),
        (
            "packets received",
            f"{call['caller_received']} from the caller, {call['callee_received']} from the callee",
        ),
        (
            "packets forwarded",
            f"{call['caller_relayed']} to the callee, {call['callee_relayed']} to the caller",
        ),
        ("packets forked", ", ".join(_forked(session, label) for label in (1, 2))),
        (
            "packets lost",
            f"{call['caller_lost'] + call['callee_lost']} before us, "
            f"{call['caller_dropped'] + call['callee_dropped']} in the relay",
        ),
        (
            "at the recorder",
            ", ".join(f"label {t['label']}: {t['received']} received, {t['lost']} lost" for t in tracks),
        ),
    ]


def _forked(session: dict[str, Any], label: int) -> str:
    """What went to the recorder of a track, and what was said before it was there."""
    before = session[f"before_recording_{label}"]
    return f"{session[f'delivered_{label}']} of label {label}" + (
        f" ({before} before the recording began)" if before else ""
    )


def main(arguments: list[str]) -> int:
    """Leave everything in the folder named by the first argument; it is made anew."""
    directory = Path(arguments[0])
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    outcome = place(directory.resolve(), lambda line: print(f"· {line}", flush=True))
    image = directory / "waveform.png"
    picture.draw(outcome.recording, image, TRACKS)
    summary = rows(outcome)
    page.write(directory / "index.html", outcome, summary, image.name)
    width = max(len(name) for name, _ in summary)
    print("\n".join(f"  {name:<{width}}  {value}" for name, value in summary))
    print("\nwhat was recorded:")
    for what in (outcome.recording, outcome.metadata, image, directory / "index.html"):
        print(f"  {directory / what.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
