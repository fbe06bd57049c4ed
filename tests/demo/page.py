"""The page of the demonstration: hear, see and read one recording."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from tests.demo.call import Outcome

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>siprec-src: one recorded call</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #33312c; background: #fbfaf7;
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem }}
img, audio {{ width: 100% }}
table {{ border-collapse: collapse }}
td {{ padding: .2rem 1.5rem .2rem 0; border-bottom: 1px solid #dedbd2 }}
td:first-child {{ color: #7a766b; white-space: nowrap }}
pre {{ background: #fff; border: 1px solid #dedbd2; padding: 1rem; overflow-x: auto; font-size: 13px }}
</style>
<h1>One recorded call</h1>
<img src="{image}" alt="Waveform of both tracks">
<audio controls src="{recording}"></audio>
<p>Left is the caller, right the callee.</p>
<table>
{rows}
</table>
<h2>The metadata that came with it (RFC 7865)</h2>
<pre>{metadata}</pre>
</html>
"""


def write(path: Path, outcome: Outcome, summary: Sequence[tuple[str, str]], image: str) -> None:
    """Write the page beside the recording; it refers to its neighbours by name."""
    rows = "\n".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in summary
    )
    path.write_text(
        PAGE.format(
            image=html.escape(image),
            recording=html.escape(outcome.recording.name),
            rows=rows,
            metadata=html.escape(outcome.metadata.read_text()),
        )
    )
