"""Bars of what a packet costs, ours beside rtpengine, as SVG."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.media.compare import Cost

WIDTH, LEFT, RIGHT, ROW, GAP = 940, 440, 90, 22, 14
COLOURS = {"siprec-src": "#1f6feb", "rtpengine": "#8c959f"}  #: by the first word


def draw(costs: Sequence[Cost]) -> str:
    """One group of bars for each mode; the shorter the better."""
    longest = max(cost.median(lambda each: each.us_per_packet) for cost in costs)
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts, y = [_text(10, 24, "CPU µs for each packet received, kernel included", 16)], 44
    for at, cost in enumerate(costs):
        if at and cost.mode is not costs[at - 1].mode:
            y += GAP
        price = cost.median(lambda each: each.us_per_packet)
        parts += [
            _text(10, y + 15, f"{cost.engine}: {cost.mode.value}".replace("of both tracks, ", ""), 12),
            f'<rect x="{LEFT}" y="{y + 2}" width="{price * scale:.1f}" height="{ROW - 5}"'
            f' fill="{COLOURS[cost.engine.partition(",")[0]]}"/>',
            _text(LEFT + price * scale + 6, y + 15, f"{price:.2f}", 12),
        ]
        y += ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 10}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _text(x: float, y: float, text: str, size: int) -> str:
    return f'<text x="{x:.1f}" y="{y}" font-size="{size}">{text}</text>'
