"""`make load`: offer SIPp calls with media to a daemon and print what came of them."""

from __future__ import annotations

import argparse
import sys

from tests.load.run import Load, Report, perform


def table(load: Load, report: Report) -> str:
    """The report as lines of text."""
    rows = [
        ("offered", f"{load.calls} calls, {load.rate}/s, at most {load.at_once} at a time"),
        ("callers: ended well / failed", f"{report.callers.successful} / {report.callers.failed}"),
        ("callers: retransmissions", str(report.callers.retransmissions)),
        ("callees: ended well / failed", f"{report.callees.successful} / {report.callees.failed}"),
        ("SRS: sessions ended well / failed", f"{report.srs.successful} / {report.srs.failed}"),
    ]
    if report.recordings:
        total = report.totals
        rows += [
            ("recordings", ", ".join(f"{n} {result}" for result, n in sorted(report.recordings.items()))),
            ("told that no SRS took them", f"{report.unrecorded} calls"),
            ("packets received", str(total["caller_received"] + total["callee_received"])),
            ("packets relayed", str(total["caller_relayed"] + total["callee_relayed"])),
            ("packets forked", str(total["delivered"])),
            (
                "packets not forked, by name",
                ", ".join(f"{n} {name}" for name, n in _not_forked(total).items()),
            ),
            ("packets dropped in the relay", str(total["caller_dropped"] + total["callee_dropped"])),
            ("control CPU per call", f"{1000 * report.control_cpu_s / load.calls:.2f} ms"),
            ("media CPU in all", f"{report.media_cpu_s:.2f} s of {report.elapsed_s:.0f} s"),
            (
                "resident: control, media",
                f"{report.control_resident_bytes >> 20}, {report.media_resident_bytes >> 20} MiB",
            ),
        ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def _not_forked(total: dict[str, int]) -> dict[str, int]:
    names = [name for name in total if name.startswith(("skipped_", "dropped_")) and not name[-1].isdigit()]
    return {name: total[name] for name in (*names, "before_recording") if total.get(name)}


def main() -> int:
    """0 when no call failed."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--rate", type=int, default=20, help="calls a second")
    parser.add_argument("--duration-s", type=int, default=60)
    parser.add_argument("--concurrency", type=int, help="calls at a time; the next one waits")
    parser.add_argument(
        "--target", type=address, help="a daemon elsewhere, HOST:PORT; needs --callee and --srs"
    )
    parser.add_argument(
        "--callee", type=address, help="where SIPp answers, HOST:PORT (the daemon's next hop)"
    )
    parser.add_argument("--srs", type=address, help="where SIPp records, HOST:PORT, TCP")
    parser.add_argument("--kill-srs", action="store_true", help="kill the SRS in the middle of the run")
    parser.add_argument("--kill-media", action="store_true", help="kill the media process again and again")
    arguments = parser.parse_args()
    if arguments.target and not (arguments.callee and arguments.srs):
        parser.error("--target needs --callee and --srs: the addresses that daemon was configured with")
    load = Load(**vars(arguments))
    report = perform(load, tell=lambda line: print(line, file=sys.stderr, flush=True))
    print(table(load, report))
    return 1 if report.callers.failed or report.callers.successful != load.calls else 0


def address(text: str) -> tuple[str, int]:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    sys.exit(main())
