#!/usr/bin/env python3
"""Writes trace.csv: ten minutes of a made-up drive, 1 Hz, power per cell; negative where the brakes give energy back. Made up, so that no licence binds it."""

import math
from pathlib import Path

rows = ["Time [s],Power [W]"]
for second in range(601):
    phase = second % 120
    speed = 1.0 if 20 <= phase < 80 else 0.0
    power = 2.0 + 14.0 * speed * (0.6 + 0.4 * math.sin(2 * math.pi * second / 37.0))
    if 15 <= phase < 20:
        power = 26.0
    elif 80 <= phase < 90:
        power = -12.0
    elif phase >= 90 or phase < 15:
        power = 0.5
    rows.append(f"{second},{power:.3f}")
Path(__file__).with_name("trace.csv").write_text("\n".join(rows) + "\n")
