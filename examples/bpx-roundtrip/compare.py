"""Voltages of PyBaMM on its own parameters and on those that `scalade bpx convert` wrote.

    python compare.py BPX_FILE FOLDER

FOLDER holds nmc.json and nmc.py, both converted from BPX_FILE, and NAME.py of bundled sets. Everything is run by
PyBaMM on one mesh at tight tolerances, so that what differs is what the parameters say. Ends with 1 if a difference
is larger than it should be.
"""

import importlib.util
import pathlib
import sys
import warnings

import numpy as np
import pybamm

warnings.filterwarnings("ignore")
pybamm.set_logging_level("ERROR")

# Largest difference of the voltage, V: rounding and solver tolerance; where tables are interpolated by a monotone
# cubic instead of PyBaMM's cubic spline, the difference of the two curves.
SMOOTH, TABLES = 1e-6, 3e-4
SETS = {
    "Chen2020": SMOOTH, "Marquis2019": SMOOTH, "Mohtat2020": SMOOTH, "Ecker2015": SMOOTH, "Xu2019": SMOOTH,
    "Ai2020": TABLES, "OKane2022": TABLES, "Chen2020_composite": TABLES,
}


def load(path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def discharge(parameters, options):
    """Voltages of 50 minutes at 1C (or to the end)."""
    model = pybamm.lithium_ion.DFN(options)
    solver = pybamm.IDAKLUSolver(rtol=1e-8, atol=1e-8)
    simulation = pybamm.Simulation(model, parameter_values=parameters, solver=solver)
    times = np.linspace(0, 3000, 61)
    solution = simulation.solve(times)
    return times, solution["Voltage [V]"](times[times <= solution.t[-1]])


def same_start(parameters, like):
    """PyBaMM starts a BPX cell where its open-circuit voltage is the cut-off, Scalade at the file's stoichiometry."""
    for key in like.keys():
        if "Initial concentration in" in key and "electrolyte" not in key:
            parameters[key] = like[key]
    return parameters


def compare(name, own, written, options, allowed):
    times, a = discharge(own, options)
    _, b = discharge(written, options)
    count = min(len(a), len(b))
    difference = np.abs(a[:count] - b[:count]).max() if count else np.inf
    verdict = "ok" if difference <= allowed else "TOO LARGE"
    print(f"{name:36} V({times[count // 2]:.0f} s) = {b[count // 2]:.6f} V, largest difference {difference:.1e} V  {verdict}")
    return difference <= allowed


def main(file, folder):
    folder = pathlib.Path(folder)
    module = load(folder / "nmc.py")
    written, options = module.get_parameter_values(), module.MODEL_OPTIONS
    good = []
    for name, path in (("NMC, PyBaMM on the BPX file", file), ("NMC, PyBaMM on the BPX 1.1 written", folder / "nmc.json")):
        own = same_start(pybamm.ParameterValues.create_from_bpx(path), written)
        good.append(compare(name, own, written, options, SMOOTH))
    for name, allowed in SETS.items():
        module = load(folder / f"{name}.py")
        own, written = pybamm.ParameterValues(name), module.get_parameter_values()
        if name == "Mohtat2020":
            # This set starts empty.
            own.set_initial_state(1.0)
            written.set_initial_state(1.0)
        # Ecker2015 has another current than its nominal capacity.
        own["Current function [A]"] = written["Current function [A]"]
        good.append(compare(name, own, written, module.MODEL_OPTIONS, allowed))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
