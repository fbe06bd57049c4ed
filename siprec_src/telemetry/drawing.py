"""The object of `telemetry.explain` for eyes: a ladder of text for a terminal, a page for a browser."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

LANE: Final = 32  #: columns from one lane to the next
TIME: Final = 12  #: columns before the first
WIDTH: Final = 110  #: of the verdict and of events
_QUIET: Final = (
    "call",
    "session",
    "rs",
    "edge",
    "secure",
    "sip_call_id",
)  #: said above, or of little use here

Call = Mapping[str, Any]


def as_text(call: Call, *, full: bool = False) -> str:
    """The verdict, then the ladder; ``full``: with every message whole, where the object has them."""
    lanes: Sequence[str] = call["lanes"]
    number = "refused" if call["call"] is None else f"call {call['call']}"
    lines = [f"{number}   began {call['began']}   recorded: {call['recorded']}"]
    lines += [f"session {call['session']}"] if call["session"] else []
    lines += ["", *textwrap.wrap(_clean(call["verdict"]), WIDTH), ""]
    lines.append(" " * TIME + "".join(_clean(name)[: LANE - 2].ljust(LANE) for name in lanes).rstrip())
    for entry in call["entries"]:
        lines.append(_row(entry, len(lanes)))
        if full and entry.get("text"):
            lines += ["", *(f"{'':{TIME}}{_clean(line)}" for line in entry["text"].splitlines()), ""]
    if call["left_out"]:
        lines.append(f"... and {call['left_out']} more for which there was no room")
    return "\n".join(lines)


def listed(calls: Sequence[Call]) -> str:
    """The newest calls, each in two lines."""
    if not calls:
        return "no call is kept"
    lines = []
    for call in calls:
        name = call["call"] if call["call"] is not None else call["call_id"]
        lines.append(f"{_clean(str(name)):>8}  {call['began']}  recorded: {call['recorded']}")
        lines += textwrap.wrap(
            _clean(call["verdict"]), WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 10
        )
    return "\n".join(lines)


def as_html(call: Call) -> str:
    """A page that needs nothing else; messages open when they are clicked."""
    lanes: Sequence[str] = call["lanes"]
    heads = "".join(f"<b>{_escaped(name)}</b>" for name in lanes)
    rows = "".join(_html_row(entry, len(lanes)) for entry in call["entries"])
    title = f"call {call['call']}" if call["call"] is not None else "refused call"
    more = f"<p>{call['left_out']} more were not kept.</p>" if call["left_out"] else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_escaped(title)}</title>'
        f"<style>{_STYLE}:root{{--lanes:{len(lanes)}}}</style>"
        f"<h1>{_escaped(title)} <small>{_escaped(call['began'])}</small></h1>"
        f'<p class="verdict {_escaped(call["recorded"])}">{_escaped(call["verdict"])}</p>'
        f'<div class="row head"><i>ms</i>{heads}</div>{rows}{more}</html>\n'
    )


def _row(entry: Call, lanes: int) -> str:
    time = f"{entry['at_ms']:>{TIME - 3}.1f}   "
    if entry["kind"] == "event":
        mark = {"error": "!!", "warning": "! "}.get(entry["level"], "* ")
        return (time + mark + _event(entry))[: TIME + LANE * lanes]
    row = list(" " * (LANE * (lanes - 1) + 1))
    for lane in range(lanes):
        row[LANE * lane] = "|"
    low, high = sorted((LANE * entry["from"], LANE * entry["to"]))
    if low == high:
        return time + _clean(entry["line"])
    row[low + 1 : high] = "-" * (high - low - 1)
    label = f" {_label(entry)} "[: high - low - 5]
    start = low + 3
    row[start : start + len(label)] = label
    if entry["from"] < entry["to"]:
        row[high - 1] = ">"
    else:
        row[low + 1] = "<"
    return (time + "".join(row)).rstrip()


def _label(entry: Call) -> str:
    body = f" [{entry['body']}]" if entry.get("body") else ""
    again = " again" if entry.get("again") else ""
    first = entry["line"].partition(" ")[0]
    line = entry["line"] if first.isdigit() else first
    return _clean(f"{line}{body}{again}")


def _event(entry: Call) -> str:
    fields = {
        name: value for name, value in entry["fields"].items() if name not in _QUIET and value not in ("", 0)
    }
    return _clean(" ".join((entry["event"], *(f"{name}={value}" for name, value in fields.items()))))


def _html_row(entry: Call, lanes: int) -> str:
    time = f"<i>{entry['at_ms']:.1f}</i>"
    if entry["kind"] == "event":
        level = _escaped(entry["level"])
        shown = _escaped(_event(entry))
        whole = _escaped(json.dumps(entry["fields"], indent=1, ensure_ascii=False))
        return _details(f'{time}<span class="event {level}" style="grid-column:2/-1">{shown}</span>', whole)
    low, high = sorted((entry["from"], entry["to"]))
    arrow = "right" if entry["from"] < entry["to"] else "left"
    # Lanes stand in the middle of their columns: an arrow begins and ends half a column further in.
    inset = f"margin:0 calc(50% / {high - low + 1})"
    place = f"grid-column:{low + 2}/{high + 3};{inset}"
    shown = f'{time}<span class="{arrow}" style="{place}">{_escaped(_label(entry))}</span>'
    return _details(shown, _escaped(entry.get("text") or entry["line"]))


def _details(summary: str, inside: str) -> str:
    return f'<details><summary class="row">{summary}</summary><pre>{inside}</pre></details>'


def _escaped(text: object) -> str:
    return html.escape(_clean(str(text)))


def _clean(text: str) -> str:
    """Without anything that a terminal would obey; the text may be a peer's."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


_STYLE: Final = """
body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:80em;padding:0 1em}
body{color:#222;background:#fff}
small{color:#777;font-weight:normal;font-size:60%}
.verdict{border-left:6px solid #888;background:#f4f4f4;padding:.8em 1em}
.verdict.yes{border-color:#2a8a3e}.verdict.no{border-color:#c0392b}.verdict.partly{border-color:#d68910}
.row{display:grid;grid-template-columns:6em repeat(var(--lanes),1fr);align-items:center;cursor:pointer}
.row i{color:#999;font-size:85%;text-align:right;padding-right:1em}
.head{position:sticky;top:0;background:#fff;text-align:center;border-bottom:1px solid #ccc;cursor:auto}
summary{list-style:none}summary:hover{background:#eef5fb}
.right,.left{border-bottom:1.5px solid #357;text-align:center;position:relative;white-space:nowrap}
.right::after{content:"\\25B6";position:absolute;right:0;bottom:-.75em;color:#357}
.left::before{content:"\\25C0";position:absolute;left:0;bottom:-.75em;color:#357}
.event{font-size:90%;color:#555}.event.warning{color:#b9770e}.event.error{color:#c0392b}
pre{background:#f8f8f8;border:1px solid #ddd;padding:.6em;overflow:auto;white-space:pre-wrap}
pre{margin:.3em 0 .6em 6em}
"""
