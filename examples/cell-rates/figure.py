#!/usr/bin/env python3
"""Table and figure of the documents in out/; needs matplotlib for the figure."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cell_figures import SERIES, document, plt, save

here = Path(__file__).resolve().parent
figure, axis = plt.subplots(figsize=(5.4, 3.5))
print("| rate | A h | W h | mean V | A h, warming up | highest K | A h, single particle |\n|---|---|---|---|---|---|---|")
for colour, rate in zip(SERIES, ["0.1", "0.5", "1", "2"]):
    cold, warm, spm = (document(here / "out" / f"{rate}{kind}.json") for kind in ("", "-warm", "-spm"))
    axis.plot(cold["discharge_capacity_Ah"], cold["voltage_V"], color=colour, label=f"{rate}C")
    axis.plot(warm["discharge_capacity_Ah"], warm["voltage_V"], color=colour, linestyle="--", linewidth=1)
    print(f"| {rate}C | {cold['capacity_Ah']:.3f} | {cold['energy_Wh']:.2f} | {cold['energy_Wh'] / cold['capacity_Ah']:.3f} | {warm['capacity_Ah']:.3f} | "
          f"{max(warm['temperature_K']):.1f} | {spm['capacity_Ah']:.3f} |")
axis.set(xlabel="discharged (A h)", ylabel="voltage (V)", xlim=(0, 5.3), ylim=(2.5, 4.25))
axis.legend(title="25 °C; dashed: warming up")
save(figure, here / "rates.svg")
