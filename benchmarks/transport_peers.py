#!/usr/bin/env python3
"""Kinetic Monte Carlo and electron bands beside their peers on the same models, in CPU time of one thread, in one run.

(a) SPPARKS, app_style diffusion, solver tree: simple cubic lattice gas, nearest-neighbour attraction J = -0.5 kT (its linear energy at temperature 4), half
    filled. Both codes have the same equilibrium but not the same rates: min(1, exp(-dE/kT)) there and exp(-dE/2kT) in Scalade. Hops per particle and time are
    therefore compared each with the average of its own rate over independent heat-bath states of the model (`reference`, numpy), not with each other. The
    peer runs twice with one seed, to time 2 and beyond; the difference leaves start and relaxation out. Scalade tells hops per particle and time with its
    rejection engine alone: 6 exp(5|J|/2kT) over the trials of a hop.
(b) kMCpy: the same lattice without interactions, whose exact answer is 6 (1 - c) hops per particle at unit rate.
(c) BoltzTraP2: the four bands of the example bands_speed on 24^3 k points of the whole zone, 5 stars or more for every irreducible point (2712 in both).
    Its whole-grid transform also forms the products of slopes, which Scalade leaves to the integrals.
(d) Onsager: the tracer correlation factor of one vacancy, set up once and evaluated for each temperature; nothing in Scalade is timed against it.

Figures are CPU seconds, so that neighbours on the machine disturb them little; the load is printed all the same, because caches and memory are shared.

    python3 -m venv env && env/bin/pip install kmcpy==0.3.0 onsager==1.4 boltztrap2==26.3.1 pyfftw
    cargo build --release -p scalade-hopping --example gas_speed && cargo build --release -p scalade-bands --example bands_speed
    python3 benchmarks/transport_peers.py target/release/examples/gas_speed target/release/examples/bands_speed --python env/bin/python
        --spparks spk_serial [--edges 22,46,100] [--cases spparks,kmcpy,boltztrap2,onsager] [--seconds 20]

If the build of boltztrap2 wants to download files: unpack its source, pass -DSPGLIB_WITH_TESTS=OFF to cmake in setup.py, install the folder. A peer that is
missing is left out, with a line that says so.
"""

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")

COUPLING_KT = -0.5
SPPARKS_TEMPERATURE = 4.0
FILLING = 0.5
# SPPARKS: time left for the short-range order to settle (some two hops a particle), and what is measured after it.
SETTLED = 2.0
LEAST_HOPS = 5e5
MESH = 24
# Points with slopes at arbitrary k that are timed, as in the example.
ARBITRARY = 500
LATTICE_ANGSTROM = 3.175
HARTREE_EV = 27.211386245988
EXACT_CORRELATION = {"sc": 0.6531088, "fcc": 0.7814514, "diamond": 0.5}


class Missing(Exception):
    """A peer that is not installed."""


def threads_of_one():
    return dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", NUMBA_NUM_THREADS="1")


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


# Cases that run in the environment of the peers, each in a process of its own.


def reference(_seconds):
    """Means of both rates over states of the gas by heat bath on two sublattices at the chemical potential of half filling, 3J.

    An ion hops to each of its vacant neighbours; dE = J (occupied neighbours of the end, the ion left out, less those of the start). Means are
    taken per site and divided by the filling: they are stationary there by the symmetry of ions and vacancies.
    """
    import numpy as np

    edge, sweeps = 32, 500
    rng = np.random.default_rng(1)
    occupied = rng.random((edge, edge, edge)) < FILLING
    even = np.indices(occupied.shape).sum(axis=0) % 2
    around = [(axis, step) for axis in range(3) for step in (1, -1)]

    def neighbours():
        return sum(np.roll(occupied, step, axis).astype(int) for axis, step in around)

    found = []
    for sweep in range(sweeps):
        for side in (0, 1):
            bath = 1.0 / (1.0 + np.exp(COUPLING_KT * (neighbours() - 3.0)))
            occupied = np.where(even == side, rng.random(occupied.shape) < bath, occupied)
        if sweep < 50:
            continue
        counts, metropolis, symmetric = neighbours(), 0.0, 0.0
        for axis, step in around:
            free = occupied & ~np.roll(occupied, step, axis)
            change = COUPLING_KT * (np.roll(counts, step, axis) - 1 - counts)[free]
            metropolis += np.minimum(1.0, np.exp(-change)).sum()
            symmetric += np.exp(-0.5 * change).sum()
        found.append((metropolis, symmetric))
    per_ion = np.array(found) / (FILLING * edge**3)
    blocks = per_ion[: len(per_ion) // 15 * 15].reshape(15, -1, 2).mean(axis=1)
    error = blocks.std(axis=0, ddof=1) / math.sqrt(len(blocks))
    return {"metropolis": [per_ion[:, 0].mean(), error[0]], "symmetric": [per_ion[:, 1].mean(), error[1]]}


def kmcpy(seconds, edge=22):
    import logging

    import numpy as np
    from numba.typed import List
    from pymatgen.core import Lattice, Structure

    logging.disable(logging.CRITICAL)
    from kmcpy.event import Event, EventLib
    from kmcpy.models import LocalBarrierModel
    from kmcpy.simulator.config import Configuration
    from kmcpy.simulator.kmc import KMC
    from kmcpy.simulator.state import State
    from kmcpy.simulator.tracker import Tracker

    begun = time.process_time()
    sites = edge**3
    hop, frequency, temperature, barrier = 3.0, 1e13, 300.0, 300.0
    rate = frequency * math.exp(-barrier / (0.08617333262 * temperature))
    index = np.arange(sites).reshape(edge, edge, edge)
    bonds = [(int(i), int(j)) for axis in range(3) for i, j in zip(index.ravel(), np.roll(index, -1, axis).ravel())]
    touching = [[] for _ in range(sites)]
    for number, bond in enumerate(bonds):
        for site in bond:
            touching[site].append(number)
    events = EventLib()
    for bond in bonds:
        events.add_event(Event(bond, ()))
    # Its own search compares every event with every other; this is the same list without the square.
    dependent = List()
    for i, j in bonds:
        one = List()
        for number in sorted({*touching[i], *touching[j]}):
            one.append(number)
        dependent.append(one)
    events.event_dependencies = dependent
    places = np.indices((edge, edge, edge)).reshape(3, -1).T / edge
    structure = Structure(Lattice.cubic(hop * edge), ["Li"] * sites, places)
    ions = round(FILLING * sites)
    # 0 is an ion and 1 a vacancy.
    start = np.ones(sites, dtype=int)
    start[np.random.default_rng(1).permutation(sites)[:ions]] = 0
    settings = Configuration(
        structure_file="none.cif", model_file="none.json", event_file="none.json", initial_occupations=start.tolist(),
        supercell_shape=(1, 1, 1), dimension=3, mobile_ion_specie="Li", mobile_ion_charge=1.0, elementary_hop_distance=hop,
        site_mapping={"Li": ["Li", "X"]}, temperature=temperature, attempt_frequency=frequency, equilibration_passes=0, kmc_passes=1,
        random_seed=1, name="peer")
    chain = KMC(structure, LocalBarrierModel.constant_barrier(barrier), events, settings, simulation_state=State(start.tolist()))
    chain.rng = np.random.default_rng(1)
    tracker = Tracker(config=settings, structure=structure, initial_state=chain.simulation_state, property_plan=chain.property_plan,
                      default_property_interval=10**9)

    def step():
        event, waited = chain.propose(events.events)
        tracker.update(event, waited)
        chain.update(event, dt=waited)

    for _ in range(20):
        step()
    setup = time.process_time() - begun
    hops, clock, begun = 0, chain.simulation_state.time, time.process_time()
    while time.process_time() - begun < seconds:
        for _ in range(100):
            step()
        hops += 100
    cpu = time.process_time() - begun
    per_particle = hops / ((chain.simulation_state.time - clock) * rate * ions)
    return {"sites": sites, "hops": hops, "cpu_s": cpu, "setup_s": setup, "per_particle": per_particle}


def boltztrap2(_seconds):
    import ase
    import numpy as np
    import spglib
    from BoltzTraP2 import fite, sphere

    lattice = np.eye(3) * LATTICE_ANGSTROM
    atoms = ase.Atoms("Po", positions=[[0, 0, 0]], cell=lattice, pbc=True)
    table, grid = spglib.get_ir_reciprocal_mesh([MESH] * 3, (lattice, [[0, 0, 0]], [84]), is_shift=[0, 0, 0])
    k_points = grid[np.unique(table)] / MESH

    def exact(k):
        """The bands of bands_speed, Ha."""
        c = np.cos(2 * np.pi * k)
        near = 2 * c.sum(axis=1)
        second = 4 * (c[:, 0] * c[:, 1] + c[:, 0] * c[:, 2] + c[:, 1] * c[:, 2])
        return np.array([2.0 * b + (-0.3 - 0.1 * b) * near + 0.05 * b * second for b in range(4)]) / HARTREE_EV

    class Bands:
        pass

    data = Bands()
    data.atoms, data.kpoints, data.ebands, data.magmom, data.mommat = atoms, k_points, exact(k_points), None, None
    vectors = lattice.T / 0.529177210903
    data.get_lattvec = lambda: vectors
    clock = [time.process_time()]
    stars = sphere.get_equivalences(atoms, None, len(k_points) * 5)
    clock.append(time.process_time())
    coefficients = fite.fitde3D(data, stars)
    clock.append(time.process_time())
    wanted = np.random.default_rng(0).random((ARBITRARY, 3))
    found = fite.getBands(wanted, stars, vectors, coefficients)[0]
    clock.append(time.process_time())
    # The transform is repeated until it takes long enough to be timed.
    repeats = 0
    while repeats < 3 or time.process_time() - clock[-1] < 1.0:
        bands = fite.getBTPbands(stars, coefficients, vectors, nworkers=1)[0]
        repeats += 1
    whole = (time.process_time() - clock[-1]) / repeats
    error = float(np.abs(found - exact(wanted)).max()) * HARTREE_EV
    return {"k_points": len(k_points), "stars": len(stars), "search_s": clock[1] - clock[0], "fit_s": clock[2] - clock[1],
            "arbitrary_s": clock[3] - clock[2], "grid_points": int(bands.shape[1]), "grid_s": whole,
            "values_per_s": bands.shape[0] * bands.shape[1] / whole, "error_ev": error}


def onsager(_seconds):
    import numpy as np
    from onsager import OnsagerCalc, crystal

    face = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
    cases = {"sc": (np.eye(3), 1, 1.01), "fcc": (face, 1, 0.71), "diamond": (face, 2, 0.44)}
    out = []
    for name, (lattice, count, longest) in cases.items():
        solid = crystal.Crystal(lattice, [[np.full(3, 0.25 * i) for i in range(count)]], ["A"])
        sites, jumps = solid.sitelist(0), solid.jumpnetwork(0, longest)
        begun = time.process_time()
        calculator = OnsagerCalc.VacancyMediated(solid, 0, sites, jumps, 1)
        setup = time.process_time() - begun
        energies = {"preV": np.ones(len(sites)), "eneV": np.zeros(len(sites)), "preT0": np.ones(len(jumps)), "eneT0": np.zeros(len(jumps))}
        energies.update(calculator.maketracerpreene(**energies))
        spent = []
        # The first temperature also sums the lattice Green function, which later ones with other rates do anew.
        for kt in (1.0, 0.9, 0.8):
            shifted = dict(energies, preT0=np.ones(len(jumps)) * kt)
            shifted.update(calculator.maketracerpreene(**shifted))
            begun = time.process_time()
            _, solute, mixed, _ = calculator.Lij(*calculator.preene2betafree(kt, **shifted))
            spent.append(time.process_time() - begun)
        out.append({"lattice": name, "setup_s": setup, "first_s": spent[0], "each_s": sum(spent[1:]) / 2, "f": float(-solute[0, 0] / mixed[0, 0])})
    return out


CASES = {"reference": reference, "kmcpy": kmcpy, "boltztrap2": boltztrap2, "onsager": onsager}


def apart(options, case):
    """A case in the environment of the peers, in a process of its own."""
    command = [options.python, os.path.abspath(__file__), "-", "-", "--one", case, "--seconds", str(options.seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=options.limit, env=threads_of_one())
    except OSError as error:
        raise Missing(f"{options.python}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Missing(f"given up after {options.limit:.0f} s") from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or f"killed by signal {-done.returncode}").splitlines()
        raise Missing(lines[-1][:160])
    return json.loads(done.stdout.strip().splitlines()[-1])


def spparks_run(binary, edge, times, limit):
    """Clock, hops and CPU seconds at the end of runs to the times given, one program each."""
    out = []
    for end in times:
        deck = (f"seed 56789\napp_style diffusion linear hop\ndimension 3\nboundary p p p\nlattice sc/6n 1.0\n"
                f"region whole block 0 {edge} 0 {edge} 0 {edge}\ncreate_box whole\ncreate_sites box value site 1\nset site value 2 fraction {FILLING}\n"
                f"temperature {SPPARKS_TEMPERATURE}\nsolve_style tree\nstats {end}\nrun {end}\n")
        before = children_cpu()
        with tempfile.TemporaryDirectory() as folder:
            try:
                done = subprocess.run([os.path.abspath(binary)], input=deck, capture_output=True, text=True, timeout=limit, cwd=folder)
            except OSError as error:
                raise Missing(f"{binary}: {error.strerror}") from error
            except subprocess.TimeoutExpired as error:
                raise Missing(f"{edge}^3 sites given up after {limit:.0f} s") from error
        used = children_cpu() - before
        rows = re.findall(r"^\s+([0-9.eE+-]+)\s+(\d+)\s+\d+", done.stdout, flags=re.M)
        if done.returncode != 0 or len(rows) < 2:
            raise Missing(f"{edge}^3 sites: no result, {(done.stdout + done.stderr).strip().splitlines()[-1][:120]}")
        out.append((float(rows[-1][0]), int(rows[-1][1]), used))
    return out


def spparks(options, edge):
    sites = edge**3
    # About 1.85 hops a particle and unit of time; the count is measured, this sets the length only.
    more = max(SETTLED, LEAST_HOPS / (1.85 * FILLING * sites))
    (t1, n1, c1), (t2, n2, c2) = spparks_run(options.spparks, edge, (SETTLED, SETTLED + more), options.limit)
    return {"per_cpu_s": (n2 - n1) / (c2 - c1), "per_particle": (n2 - n1) / ((t2 - t1) * FILLING * sites), "hops": n2 - n1}


def gas(options, edges):
    """Rows of gas_speed by sites, coupling, concentration and engine."""
    done = subprocess.run([options.gas, *map(str, edges)], capture_output=True, text=True, check=True, env=threads_of_one())
    rows = {}
    for line in done.stdout.splitlines()[1:]:
        engine, sites, coupling, filling, trials, hops, _ = line.split(",")
        rows[int(sites), float(coupling), float(filling), engine] = {"trials": float(trials), "per_cpu_s": float(hops) * 1e6}
    return rows


def engines(rows, sites, coupling):
    return [(engine, row) for (s, j, c, engine), row in rows.items() if (s, j, c) == (sites, coupling, FILLING)]


def section_gas(options, edges, rows):
    print(f"### Attracting lattice gas (J = {COUPLING_KT} kT, half filled) beside SPPARKS\n", flush=True)
    try:
        means = apart(options, "reference")
    except Missing as reason:
        print(f"reference skipped: {reason}\n")
        means = None

    def expected(kind):
        return f"{means[kind][0]:.4f} +- {means[kind][1]:.4f}" if means else "-"

    print("| sites | code | hops per CPU second | Scalade / peer | hops per particle and time | mean of its own rate, heat bath |\n|---|---|---|---|---|---|")
    for edge in edges:
        base = None
        try:
            if not options.spparks:
                raise Missing("no --spparks given")
            found = spparks(options, edge)
            base = found["per_cpu_s"]
            print(f"| {edge**3} | SPPARKS, tree | {base:.3g} | - | {found['per_particle']:.4f} ({found['hops']} hops) | {expected('metropolis')} |", flush=True)
        except Missing as reason:
            print(f"| {edge**3} | SPPARKS skipped: {reason} | | | | |", flush=True)
        for engine, row in engines(rows, edge**3, COUPLING_KT):
            rejection = engine == "rejection"
            told = f"{6.0 * math.exp(2.5 * abs(COUPLING_KT)) / row['trials']:.3f}" if rejection else "-"
            ratio = f"{row['per_cpu_s'] / base:.1f}" if base else "-"
            print(f"| {edge**3} | Scalade, {engine} | {row['per_cpu_s']:.3g} | {ratio} | {told} | {expected('symmetric') if rejection else '-'} |", flush=True)
    print("\nRates are min(1, exp(-dE/kT)) in SPPARKS and exp(-dE/2kT) in Scalade: one equilibrium, two clocks, each beside its own mean.\n", flush=True)


def section_kmcpy(options, rows):
    print("### Lattice gas without interactions beside kMCpy\n\n| sites | code | hops per CPU second | Scalade / peer | hops per particle at unit rate (exact 3) | set-up CPU-s |\n|---|---|---|---|---|---|")
    base, sites = None, 22**3
    try:
        found = apart(options, "kmcpy")
        base = found["hops"] / found["cpu_s"]
        error = found["per_particle"] / math.sqrt(found["hops"])
        print(f"| {sites} | kMCpy | {base:.3g} | - | {found['per_particle']:.3f} +- {error:.3f} | {found['setup_s']:.1f} |", flush=True)
    except Missing as reason:
        print(f"| {sites} | kMCpy skipped: {reason} | | | | |", flush=True)
    for engine, row in engines(rows, sites, 0.0):
        told = f"{6.0 / row['trials']:.2f}" if engine == "rejection" else "-"
        ratio = f"{row['per_cpu_s'] / base:.0f}" if base else "-"
        print(f"| {sites} | Scalade, {engine} | {row['per_cpu_s']:.3g} | {ratio} | {told} | - |", flush=True)
    print(flush=True)


def own_bands(options):
    done = subprocess.run([options.bands], capture_output=True, text=True, check=True, env=threads_of_one()).stdout
    number = r"([0-9.eE+-]+)"
    fit = re.search(rf"fit: (\d+) k points, (\d+) stars, \d+ bands: {number} CPU s", done)
    anywhere = re.search(rf"arbitrary k with slopes: {number} CPU s", done)
    grids = re.findall(rf"(\d+)\^3, (whole grid|irreducible): {number} CPU s, {number} points with slopes/s, {number} of the whole", done)
    if not (fit and anywhere and grids):
        raise SystemExit(f"{options.bands}: its output is not the one expected:\n{done}")
    return fit, float(anywhere[1]), grids


def section_bands(options):
    print(f"### Four bands from {MESH}^3 k points beside BoltzTraP2\n")
    fit, anywhere, grids = own_bands(options)
    peer = None
    try:
        peer = apart(options, "boltztrap2")
    except Missing as reason:
        print(f"BoltzTraP2 skipped: {reason}\n")

    def row(what, own, other, ratio):
        print(f"| {what} | {own} | {other} | {ratio} |")

    fit_s = float(fit[3])
    print("| what | Scalade | BoltzTraP2 | ratio |\n|---|---|---|---|")
    row("irreducible k points / stars", f"{fit[1]} / {fit[2]}", f"{peer['k_points']} / {peer['stars']}" if peer else "-", "-")
    spent = peer and peer["search_s"] + peer["fit_s"]
    row("stars and fit, CPU-s", fit[3], f"{spent:.2f}" if peer else "-", f"{spent / fit_s:.0f}" if peer and fit_s else "-")
    row(f"{ARBITRARY} arbitrary k with slopes, CPU-s", anywhere, f"{peer['arbitrary_s']:.2f}" if peer else "-", f"{peer['arbitrary_s'] / anywhere:.0f}" if peer else "-")
    for edge, name, cpu, _, per_s in grids:
        told = f"{peer['values_per_s']:.2g} ({peer['grid_points']} points)" if peer else "-"
        row(f"band energies with slopes per CPU second, {edge}^3, {name}", f"{float(per_s):.2g} ({cpu} CPU-s)", told,
            f"{float(per_s) / peer['values_per_s']:.1f}" if peer else "-")
    if peer:
        print(f"\nLargest error of the peer's bands at the {ARBITRARY} points: {peer['error_ev'] * 1e3:.1e} meV. On irreducible grids points are counted as whole ones: each stands for its star.")
    print(flush=True)


def section_onsager(options):
    print("### Onsager: tracer correlation factor of one vacancy\n")
    try:
        found = apart(options, "onsager")
    except Missing as reason:
        print(f"Onsager skipped: {reason}\n", flush=True)
        return
    print("| lattice | f | literature | set-up CPU-s | first temperature CPU-s | each further CPU-s |\n|---|---|---|---|---|---|")
    for r in found:
        print(f"| {r['lattice']} | {r['f']:.7f} | {EXACT_CORRELATION[r['lattice']]} | {r['setup_s']:.2f} | {r['first_s']:.3f} | {r['each_s']:.3f} |")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gas", help="the example gas_speed of scalade-hopping")
    parser.add_argument("bands", help="the example bands_speed of scalade-bands")
    parser.add_argument("--python", default=sys.executable, help="Python that has the peers (default: this one)")
    parser.add_argument("--spparks", help="serial executable of SPPARKS")
    parser.add_argument("--edges", default="22,46,100", help="boxes beside SPPARKS, cells along an edge")
    parser.add_argument("--cases", default="spparks,kmcpy,boltztrap2,onsager")
    parser.add_argument("--seconds", type=float, default=20.0, help="CPU seconds of the measurement of kMCpy")
    parser.add_argument("--limit", type=float, default=600.0, help="wall seconds after which a peer is given up")
    parser.add_argument("--one", help="(internal) run one case and print it as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(CASES[options.one](options.seconds)))
        return
    cases = options.cases.split(",")
    edges = [int(e) for e in options.edges.split(",")]
    print(f"Load when begun: {load()} on {os.cpu_count()} cores.\n", flush=True)
    boxes = sorted(set((edges if "spparks" in cases else []) + ([22] if "kmcpy" in cases else [])))
    rows = gas(options, boxes) if boxes else {}
    if "spparks" in cases:
        section_gas(options, edges, rows)
    if "kmcpy" in cases:
        section_kmcpy(options, rows)
    if "boltztrap2" in cases:
        section_bands(options)
    if "onsager" in cases:
        section_onsager(options)
    print(f"Load when done: {load()}.")


if __name__ == "__main__":
    main()
