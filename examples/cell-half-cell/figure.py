#!/usr/bin/env python3
"""Numbers and figure of the documents in out/; needs matplotlib for the figure."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cell_figures import document, plt, save

here = Path(__file__).resolve().parent
figure, axis = plt.subplots(figsize=(5.4, 3.5))
for name, label in {"gitt": "1C for 90 s, rest for 30 min, ...", "slow": "C/50", "fast": "1C"}.items():
    run = document(here / "out" / f"{name}.json")
    axis.plot([1000 * q for q in run["discharge_capacity_Ah"]], run["voltage_V"], label=label, linewidth=0.8 if name == "gitt" else 1.6)
    print(f"{name}: {1000 * run['capacity_Ah']:.4f} mA h, {run['end_reason']}, error below {run['voltage_error_estimate_V']:.1e} V")
axis.set(xlabel="discharged (mA h)", ylabel="voltage against Li (V)")
axis.legend()
save(figure, here / "half-cell.svg")
