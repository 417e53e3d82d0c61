#!/usr/bin/env python3
"""Monte Carlo beside icet and smol on equal physics, in CPU time, in one run.

Model: fcc, atoms A and B, E = sum of J_k s s' over the bonds of three neighbour shells (12, 6 and 24 neighbours), each once, s = +1 (B) or -1 (A);
optionally a term J_3 s s' s'' for every nearest-neighbour triangle (24 a site). Semi-grand-canonical at mu = 0 and canonical at x = 1/2, 600 K.
Every code gets the same energies, ensemble and temperature; their mean energies per site are printed with standard errors, so that the physics can be
seen to be the same. A trial is one attempted flip (or swap) in the peers and one drawn site in Scalade. Because a trial of a heat bath and one of
Metropolis decorrelate differently, the CPU time for a standard error of 1e-5 eV on the energy per site is printed too.

    python3 -m venv env && env/bin/pip install icet smol
    cargo build --release
    env/bin/python benchmarks/lattice_peers.py target/release/scalade [--cells 10x10x10,48x46x46,192x228x228] [--seconds 20] [--codes scalade,icet,smol] [--triplets]
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")

PAIRS_EV = [0.005, 0.00075, 0.0005]
TRIPLET_EV = 0.001
# The spin of icet is -1 for the second species, which matters for odd terms only.
ICET_TRIPLET_EV = -TRIPLET_EV
TEMPERATURE_K = 600.0
WANTED_EV = 1e-5


def blocked(series):
    """Mean and standard error by blocking until the error no longer grows (at least 32 blocks)."""
    n = len(series)
    mean = sum(series) / n
    best, data = 0.0, list(series)
    while len(data) >= 32:
        m = sum(data) / len(data)
        variance = sum((v - m) ** 2 for v in data) / (len(data) - 1)
        best = max(best, math.sqrt(variance / len(data)))
        data = [0.5 * (a + b) for a, b in zip(data[::2], data[1::2])]
    return mean, best


def row(code, ensemble, sites, moves, cpu, mean, error, setup, memory):
    to_wanted = cpu * (error / WANTED_EV) ** 2 if error > 0 else float("nan")
    return {"code": code, "ensemble": ensemble, "sites": sites, "moves": moves, "cpu_s": cpu, "moves_per_cpu_s": moves / cpu,
            "energy_eV": mean, "std_error_eV": error, "cpu_s_to_1e-5_eV": to_wanted, "setup_cpu_s": setup, "peak_MB": memory}


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fcc_sites():
    return [[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]


def expansion(triplets):
    """The model as a cluster expansion file: every cluster once a cell."""
    lattice = [[v * math.sqrt(2.0) for v in r] for r in fcc_sites()]

    def distance(cell):
        p = [sum(cell[i] * lattice[i][k] for i in range(3)) for k in range(3)]
        return math.sqrt(sum(v * v for v in p))

    cells = [(i, j, k) for i in range(-3, 4) for j in range(-3, 4) for k in range(-3, 4)]
    orbits, coefficients = [{"order": 1, "diameter_angstrom": 0.0, "clusters": [[{"cell": [0, 0, 0], "basis": 0}]]}], [0.0, 0.0]
    for shell, energy in zip([1.0, math.sqrt(2.0), math.sqrt(3.0)], PAIRS_EV):
        half = [c for c in cells if abs(distance(c) - shell) < 1e-6 and c > (0, 0, 0)]
        clusters = [[{"cell": [0, 0, 0], "basis": 0}, {"cell": list(c), "basis": 0}] for c in half]
        orbits.append({"order": 2, "diameter_angstrom": shell, "clusters": clusters})
        coefficients.append(energy)
    if triplets:
        near = [c for c in cells if abs(distance(c) - 1.0) < 1e-6]
        seen = set()
        for a in near:
            for b in near:
                if a < b and abs(distance(tuple(x - y for x, y in zip(a, b))) - 1.0) < 1e-6:
                    three = [(0, 0, 0), a, b]
                    images = [sorted(tuple(x - y for x, y in zip(s, anchor)) for s in three) for anchor in three]
                    seen.add(tuple(min(images)))
        clusters = [[{"cell": list(s), "basis": 0} for s in t] for t in sorted(seen)]
        orbits.append({"order": 3, "diameter_angstrom": 1.0, "clusters": clusters})
        coefficients.append(TRIPLET_EV)
    return {"lattice_angstrom": lattice, "basis_fractional": [[0.0, 0.0, 0.0]], "working_ion": "B", "formula_units_per_cell": 1.0,
            "orbits": orbits, "coefficients_ev": coefficients, "samples_ev": []}


def scalade(binary, cells, ensemble, seconds, triplets):
    with tempfile.TemporaryDirectory() as folder:
        if triplets:
            with open(os.path.join(folder, "expansion.json"), "w") as f:
                json.dump(expansion(True), f)
            energy = 'expansion = "expansion.json"\nunit = "eV"'
            lattice = f"size = {cells}"
        else:
            energy = f'basis = "spin"\npairs = {PAIRS_EV}\nunit = "eV"'
            lattice = f'name = "fcc"\nsize = {cells}'
        held = "chemical_potential = [0.0]" if ensemble == "semigrand" else "concentration = [0.5]"
        path = os.path.join(folder, "model.toml")

        def run(moves):
            with open(path, "w") as f:
                f.write(f"[lattice]\n{lattice}\n[energy]\n{energy}\n[run]\nensemble = \"{ensemble}\"\n"
                        f"temperature = [{TEMPERATURE_K}]\n{held}\nprecision = 1e-9\nmax_moves = {moves}\nseed = 1\n")
            before = children_cpu()
            done = subprocess.run([binary, "montecarlo", path, "--json", "-q", "-j", "1"], capture_output=True, text=True)
            used = children_cpu() - before
            if done.returncode not in (0, 3):
                raise SystemExit(done.stderr)
            document = json.loads(done.stdout)
            return document, used

        # max_moves counts in units of the fastest kernel; grow it until the run takes the time asked for.
        budget = 2000 * math.prod(cells)
        document, used = run(budget)
        while used < 0.7 * seconds:
            budget = int(budget * min(max(seconds / max(used, 1e-3), 1.5), 50.0))
            document, used = run(budget)
        point = document["points"][0]["energy_per_site"]
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        # Everything counts: start of the program, reading, equilibration, averages.
        return row("scalade", ensemble, document["sites"], document["moves"], used, point["value"], point["std_error"], used - document["cpu_time_s"], memory)


def icet(cells, ensemble, seconds, triplets):
    import numpy as np
    from ase.build import bulk
    from icet import ClusterExpansion, ClusterSpace
    from mchammer.calculators import ClusterExpansionCalculator
    from mchammer.ensembles import CanonicalEnsemble, SemiGrandCanonicalEnsemble

    start = time.process_time()
    a = 4.0
    prim = bulk("Au", "fcc", a=a)
    space = ClusterSpace(prim, cutoffs=[1.30 * a, 0.75 * a] if triplets else [1.30 * a], chemical_symbols=["Au", "Pd"])
    shells, parameters = iter(PAIRS_EV), []
    for orbit in space.as_list:
        value = {0: 0.0, 1: 0.0, 2: None, 3: ICET_TRIPLET_EV}[orbit["order"]]
        # icet's parameters are those of one cluster times the multiplicity.
        parameters.append((next(shells) if value is None else value) * orbit["multiplicity"])
    structure = prim.repeat(cells)
    rng = np.random.default_rng(1)
    symbols = np.array(["Au"] * len(structure), dtype=object)
    symbols[rng.permutation(len(structure))[: len(structure) // 2]] = "Pd"
    structure.set_chemical_symbols(list(symbols))
    calculator = ClusterExpansionCalculator(structure, ClusterExpansion(space, parameters))
    common = dict(structure=structure, calculator=calculator, temperature=TEMPERATURE_K, random_seed=7,
                  ensemble_data_write_interval=len(structure), trajectory_write_interval=10**12, dc_filename=None)
    if ensemble == "semigrand":
        chain = SemiGrandCanonicalEnsemble(chemical_potentials={"Au": 0.0, "Pd": 0.0}, **common)
    else:
        chain = CanonicalEnsemble(**common)
    setup = time.process_time() - start
    return drive("icet", ensemble, len(structure), seconds, setup, chain.run,
                 lambda: chain.data_container.get("potential"), len(structure))


def smol(cells, ensemble, seconds, triplets):
    import numpy as np
    from pymatgen.core import Lattice, Structure
    from smol.cofe import ClusterExpansion, ClusterSubspace
    from smol.moca import Ensemble, Sampler

    start = time.process_time()
    a = 4.0
    lattice = Lattice([[a * v for v in r] for r in fcc_sites()])
    prim = Structure(lattice, [{"Au": 0.5, "Pd": 0.5}], [[0, 0, 0]])
    cutoffs = {2: 1.30 * a, 3: 0.75 * a} if triplets else {2: 1.30 * a}
    space = ClusterSubspace.from_cutoffs(prim, cutoffs=cutoffs, basis="sinusoid")
    shells, coefficients = iter(PAIRS_EV), [0.0]
    for orbit in space.orbits:
        order = len(orbit.base_cluster.sites)
        value = {1: 0.0, 2: None, 3: -TRIPLET_EV}[order]
        coefficients.append((next(shells) if value is None else value) * orbit.multiplicity)
    model = ClusterExpansion(space, np.array(coefficients))
    options = {"chemical_potentials": {"Au": 0.0, "Pd": 0.0}} if ensemble == "semigrand" else {}
    box = Ensemble.from_cluster_expansion(model, np.diag(cells), processor_type="expansion", **options)
    sampler = Sampler.from_ensemble(box, temperature=TEMPERATURE_K, seeds=[7], step_type="flip" if ensemble == "semigrand" else "swap")
    sites = math.prod(cells)
    occupation = np.zeros(sites, dtype=np.int32)
    occupation[np.random.default_rng(1).permutation(sites)[: sites // 2]] = 1
    setup = time.process_time() - start
    first = [True]

    def run(moves):
        count = max(moves // sites, 1) * sites
        if first[0]:
            sampler.run(count, initial_occupancies=occupation[None, :], thin_by=sites)
            first[0] = False
        else:
            sampler.run(count, thin_by=sites)

    return drive("smol", ensemble, sites, seconds, setup, run, lambda: sampler.samples.get_energies(), sites)


def drive(code, ensemble, sites, seconds, setup, run, energies, sweep):
    run(4 * sweep)
    skip = len(energies())
    moves, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        run(sweep)
        moves += sweep
    cpu = time.process_time() - start
    series = [float(e) / sites for e in energies()[skip:]]
    # The first tenth is taken as equilibration, on top of the sweeps before.
    kept = series[len(series) // 10:]
    mean, error = blocked(kept) if len(kept) >= 32 else (sum(kept) / max(len(kept), 1), float("nan"))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return row(code, ensemble, sites, moves, cpu, mean, error, setup, memory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--cells", default="10x10x10,48x46x46,192x228x228")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--limit", type=float, default=300.0, help="wall seconds after which a peer is given up")
    parser.add_argument("--codes", default="scalade,icet,smol")
    parser.add_argument("--ensembles", default="semigrand,canonical")
    parser.add_argument("--triplets", action="store_true")
    parser.add_argument("--one", help="(internal) run one case and print it as JSON")
    options = parser.parse_args()
    if options.one:
        code, cells, ensemble = options.one.split(":")
        result = {"icet": icet, "smol": smol}[code]([int(n) for n in cells.split("x")], ensemble, options.seconds, options.triplets)
        print(json.dumps(result))
        return
    print(f"{'code':8} {'ensemble':10} {'sites':>9} {'moves/CPU-s':>12} {'E/site eV':>22} {'CPU-s to 1e-5 eV':>17} {'set-up CPU-s':>12} {'peak MB':>8} {'ratio':>8}", flush=True)
    for cells in [[int(n) for n in c.split("x")] for c in options.cells.split(",")]:
        for ensemble in options.ensembles.split(","):
            base = None
            for code in options.codes.split(","):
                if code == "scalade":
                    r = scalade(options.binary, cells, ensemble, options.seconds, options.triplets)
                    base = r["moves_per_cpu_s"]
                else:
                    # Each case in a process of its own, so that memory and time can be limited and told.
                    command = [sys.executable, __file__, options.binary, "--one", f"{code}:{'x'.join(map(str, cells))}:{ensemble}", "--seconds", str(options.seconds)]
                    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
                    try:
                        done = subprocess.run(command + ["--triplets"] * options.triplets, capture_output=True, text=True, timeout=options.limit, env=environment)
                    except subprocess.TimeoutExpired:
                        print(f"{code:8} {ensemble:10} {math.prod(cells):>9} given up after {options.limit:.0f} s, still setting up or in its first sweeps", flush=True)
                        continue
                    if done.returncode != 0:
                        lines = (done.stderr.strip() or f"killed by signal {-done.returncode}").splitlines()
                        print(f"{code:8} {ensemble:10} {math.prod(cells):>9} failed: {lines[-1][:120]}", flush=True)
                        continue
                    r = json.loads(done.stdout.strip().splitlines()[-1])
                ratio = f"{base / r['moves_per_cpu_s']:.0f}" if base else "-"
                print(f"{r['code']:8} {r['ensemble']:10} {r['sites']:>9} {r['moves_per_cpu_s']:>12.3g} {r['energy_eV']:>11.7f} +- {r['std_error_eV']:<7.1e} {r['cpu_s_to_1e-5_eV']:>17.3g} {r['setup_cpu_s']:>12.2f} {r['peak_MB']:>8.0f} {ratio:>8}", flush=True)


if __name__ == "__main__":
    main()
