#!/usr/bin/env python3
"""Numbers and figure of out/drive.json; needs matplotlib for the figure."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cell_figures import SERIES, document, plt, save

here = Path(__file__).resolve().parent
drive = document(here / "out" / "drive.json")
minutes = [t / 60 for t in drive["time_s"]]
figure, axes = plt.subplots(3, 1, figsize=(5.4, 5.4), sharex=True)
for axis, colour, values, label in zip(axes, SERIES, [drive["currents_A"], drive["voltage_V"], drive["temperature_K"]], ["current (A)", "voltage (V)", "temperature (K)"]):
    axis.plot(minutes, values, color=colour, linewidth=1)
    axis.set(ylabel=label)
axes[-1].set(xlabel="time (min)")
save(figure, here / "drive.svg")
steps = drive["protocol_steps"]
print(f"{steps[0]['charge_Ah']:.4f} A h, {steps[0]['energy_Wh']:.4f} W h, {min(drive['voltage_V']):.4f} to {max(drive['voltage_V']):.4f} V, "
      f"{max(drive['temperature_K']):.2f} K, {drive['end_voltage_V']:.4f} V after the rest, error below {drive['voltage_error_estimate_V']:.1e} V, {drive['steps']} steps, {drive['cpu_time_s']:.3f} s")
