#!/usr/bin/env python3
"""Table and figure of the documents in out/; needs matplotlib for the figure."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cell_figures import SERIES, document, plt, save

here = Path(__file__).resolve().parent
figure, axis = plt.subplots(figsize=(5.4, 3.8))
print("| state of charge | 10 kHz | 1 Hz | 1 mHz | of it at 1 Hz: negative / separator / positive |\n|---|---|---|---|---|")
for colour, soc in zip(SERIES, [5, 20, 50, 80, 100]):
    spectrum = document(here / "out" / f"{soc}.json")
    real, frequency = [1000 * z for z in spectrum["z_real_ohm"]], spectrum["frequency_Hz"]
    axis.plot(real, [-1000 * z for z in spectrum["z_imag_ohm"]], color=colour, label=f"{soc} %")
    at = [min(range(len(frequency)), key=lambda i: abs(frequency[i] / f - 1)) for f in (1e4, 1.0, 1e-3)]
    parts = " / ".join(f"{1000 * part['z_real_ohm'][at[1]]:.2f}" for part in spectrum["contributions"][:3])
    print(f"| {soc} % | " + " | ".join(f"{real[i]:.2f} mΩ" for i in at) + f" | {parts} |")
for model, dash in {"spm": ":", "spme": "--"}.items():
    spectrum = document(here / "out" / f"50-{model}.json")
    axis.plot([1000 * z for z in spectrum["z_real_ohm"]], [-1000 * z for z in spectrum["z_imag_ohm"]], dash, color=SERIES[2], linewidth=1, label=f"50 %, {model}")
axis.set(xlabel="Re Z (mΩ)", ylabel="−Im Z (mΩ)", xlim=(0, 100), ylim=(0, 40), aspect="equal")
axis.legend(ncols=2, fontsize=8)
save(figure, here / "impedance.svg")
