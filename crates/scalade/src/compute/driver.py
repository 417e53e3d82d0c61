"""Runs structures through a calculator: one JSON job a line on stdin, one JSON result a line on stdout. What the calculator prints goes to stderr.

A calculator is one of ASE, or any object with scalade_calculate(numbers, positions, cell) -> (energy, forces), which needs no ASE.
"""

import importlib
import json
import os
import sys

results = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

KNOWN = {
    "emt": ("ase.calculators.emt", "EMT"),
    "lj": ("ase.calculators.lj", "LennardJones"),
    "gpaw": ("gpaw", "GPAW"),
    "chgnet": ("chgnet.model.dynamics", "CHGNetCalculator"),
    "mace": ("mace.calculators", "mace_mp"),
    "sevennet": ("sevenn.calculator", "SevenNetCalculator"),
    "mattersim": ("mattersim.forcefield", "MatterSimCalculator"),
}


def say(result):
    try:
        line = json.dumps(result, allow_nan=False)
    except ValueError:
        line = json.dumps({"error": "a number of its result is not finite"})
    results.write(line + "\n")
    results.flush()


def make(name, options):
    if name in KNOWN:
        module, factory = KNOWN[name]
    else:
        module, _, factory = name.partition(":")
    sys.path.insert(0, os.getcwd())
    loaded = importlib.import_module(module)
    version = getattr(importlib.import_module(module.split(".")[0]), "__version__", "")
    return getattr(loaded, factory)(**options), str(version)


def plain(calculator, job):
    energy, forces = calculator.scalade_calculate(job["numbers"], job["positions"], job["cell"])
    largest = max((sum(float(c) ** 2 for c in f) ** 0.5 for f in forces), default=0.0)
    return {"energy": float(energy), "positions": job["positions"], "cell": job["cell"], "largest_force": largest, "steps": 0, "converged": True}


def relaxed(calculator, job, settings):
    import numpy
    from ase import Atoms
    from ase.optimize import FIRE

    atoms = Atoms(numbers=job["numbers"], positions=job["positions"], cell=job["cell"], pbc=True)
    atoms.calc = calculator
    steps, converged = 0, True
    if settings["relax"] != "none":
        moved = atoms
        if settings["relax"] == "cell":
            try:
                from ase.filters import FrechetCellFilter as Filter
            except ImportError:
                from ase.constraints import ExpCellFilter as Filter
            moved = Filter(atoms)
        optimizer = FIRE(moved, logfile=None)
        converged = bool(optimizer.run(fmax=settings["fmax"], steps=settings["steps"]))
        steps = int(optimizer.get_number_of_steps())
    energy = float(atoms.get_potential_energy())
    forces = numpy.asarray(atoms.get_forces())
    largest = float(numpy.sqrt((forces**2).sum(axis=1)).max()) if len(forces) else 0.0
    return {"energy": energy, "positions": atoms.get_positions().tolist(), "cell": numpy.asarray(atoms.get_cell()).tolist(),
            "largest_force": largest, "steps": steps, "converged": converged}


def main():
    settings = json.loads(sys.argv[1])
    try:
        calculator, version = make(settings["calculator"], settings["options"])
    except BaseException as error:
        say({"error": f"{type(error).__name__}: {error}"})
        raise
    direct = hasattr(calculator, "scalade_calculate")
    if direct and settings["relax"] != "none":
        say({"error": "this calculator cannot relax; use --relax none"})
        return
    say({"ready": True, "version": version})
    for line in sys.stdin:
        job = json.loads(line)
        try:
            result = plain(calculator, job) if direct else relaxed(calculator, job, settings)
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        say(result)


main()
