"""A picture of a stereo recording: one lane a track, named, on one time axis."""

from __future__ import annotations

import itertools
import wave
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, LANE, MARGIN, AXIS = 1200, 170, 14, 30
GROUND, GRID, INK = "#fbfaf7", "#dedbd2", "#33312c"
LANES = ("#1f6f8b", "#b5541c")


def draw(recording: Path, picture: Path, names: tuple[str, str]) -> None:
    """Write a PNG of the two channels of ``recording`` (16-bit WAV), left channel on top."""
    with wave.open(str(recording)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    height = 2 * LANE + 3 * MARGIN + AXIS
    image = Image.new("RGB", (WIDTH, height), GROUND)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(15)
    seconds = max(len(samples) / rate, 0.001)
    for second in range(int(seconds - 0.3) + 1):
        x = MARGIN + (WIDTH - 2 * MARGIN) * second / seconds
        pen.line([(x, MARGIN), (x, height - AXIS)], fill=GRID)
        pen.text((x + 3, height - AXIS + 6), f"{second} s", fill=INK, font=font)
    for channel, (name, colour) in enumerate(zip(names, LANES, strict=True)):
        top = MARGIN + channel * (LANE + MARGIN)
        _lane(pen, samples[:, channel], top, colour)
        pen.text((MARGIN + 6, top + 4), name, fill=INK, font=font)
    image.save(picture)


def _lane(pen: ImageDraw.ImageDraw, samples: np.ndarray, top: int, colour: str) -> None:
    middle, half = top + LANE / 2, LANE / 2 - 12
    columns = WIDTH - 2 * MARGIN
    edges = np.linspace(0, len(samples), columns + 1).astype(int)
    for x, (start, end) in enumerate(itertools.pairwise(edges)):
        piece = samples[start : max(end, start + 1)]
        if not len(piece):
            continue
        low, high = int(piece.min()) / 32768, int(piece.max()) / 32768
        pen.line([(MARGIN + x, middle - high * half), (MARGIN + x, middle - low * half + 1)], fill=colour)
