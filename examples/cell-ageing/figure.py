#!/usr/bin/env python3
"""Table and figure of the documents in out/; needs matplotlib for the figure."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from cell_figures import SERIES, document, plt, save

here = Path(__file__).resolve().parent
figure, (above, below) = plt.subplots(2, 1, figsize=(5.4, 5), sharex=True)
print("| run | discharged, cycle 1 | cycle 100 | lithium in the SEI after 100 cycles | thickness |\n|---|---|---|---|---|")
for colour, (name, label) in zip(SERIES, {
    "dfn": "solvent diffusion, DFN", "solvent-diffusion": "solvent diffusion", "reaction-limited": "reaction limited", "electron-migration": "electron migration",
}.items()):
    steps = document(here / "out" / f"{name}.json")["protocol_steps"]
    discharges, ends = steps[0::3], steps[2::3]
    start = steps[0]["particle_lithium_mol"] + steps[0]["sei_lithium_mol"]
    lost = [100 * step["sei_lithium_mol"] / start for step in ends]
    cycles = [step["cycle"] for step in ends]
    dash = "--" if name == "dfn" else "-"
    above.plot(cycles, [step["charge_Ah"] for step in discharges], dash, color=colour, label=label)
    below.plot(cycles, lost, dash, color=colour, label=label)
    print(f"| {label} | {discharges[0]['charge_Ah']:.4f} A h | {discharges[-1]['charge_Ah']:.4f} A h | {lost[-1]:.4f} % | {1e9 * ends[-1]['sei_thickness_m']:.2f} nm |")
above.set(ylabel="discharged at 1C (A h)")
below.set(xlabel="cycle", ylabel="lithium in the SEI (%)", ylim=(0, None))
below.legend()
save(figure, here / "ageing.svg")
