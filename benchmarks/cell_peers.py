#!/usr/bin/env python3
"""Cells beside PyBaMM: the same parameters and protocols in CPU time, in one run.

(a) 1C discharges with the Doyle-Fuller-Newman model. Errors are the largest deviation of the voltage at 60, 300, 600, 1200, 1800, 2400, 3000 and 3300 s from
    reference values by Chebyshev collocation on two meshes that agree to 2e-6 V (Prada2013, whose discharge ends at 3034 s, without the last). The peer has N cells a
    layer and N shells a particle (20 is its default) at its default tolerances (rtol 1e-4, atol 1e-6) and at rtol 1e-6; here the command line with --tolerance. The time of the
    peer is a repeated solve of a model that is built; the time here is what the document tells as cpu_time_s, and with the estimate of the error
    (estimate_cpu_time_s) added. Building the model and its first solve are told apart.
(b) A current profile of 600 s at 1 Hz, I = 2 + 4 sin(2 pi t/37) + 2 sin(2 pi t/11.3) A from 80 %, straight lines between samples: the example `drive` of
    scalade-cell, and an interpolant in the peer, solved once with all samples as times to stop at and once with t_interp (no stops).
(c) 100 cycles of a 1C discharge to 3.0 V, 1C charge to 4.2 V and a hold to C/50 with solvent-diffusion-limited SEI, Mohtat2020; the whole process here, the peer
    without its imports. Peak memory is that of the process.
(d) Impedance at 60 frequencies from 1e-4 to 1e4 Hz. Deviations of the single-particle model are those from its closed form, which is written out below; those of the
    Doyle-Fuller-Newman model of the peer are from the impedance here.
(e) From the shell to the first answer: one 1C discharge of the single-particle model, wall and CPU time of a fresh process, files cached by the system.

Figures are CPU seconds (user and system), the least of the repeats unless said, because other work runs on the machine; the load is printed. The peer's linear algebra is held to one thread.

    python3 -m venv env && env/bin/pip install pybamm==26.10.1.1
    cargo build --release && cargo build --release -p scalade-cell --example drive
    python3 benchmarks/cell_peers.py target/release/scalade target/release/examples/drive --python env/bin/python [--cases discharge,drive,cycle,impedance,start] [--out cell_peers.json]
"""

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import time

TIMES = [60, 300, 600, 1200, 1800, 2400, 3000, 3300]
REFERENCE = {
    "Marquis2019": [3.749774, 3.720785, 3.692949, 3.652118, 3.612744, 3.592739, 3.570201, 3.530599],
    "Chen2020": [3.943921, 3.897456, 3.814638, 3.661639, 3.511836, 3.392967, 3.225358, 3.000476],
    "Prada2013": [3.259410, 3.238872, 3.204757, 3.198269, 3.159114, 3.073034, 2.226920],
}
CYCLES = 100
FREQUENCIES = 60
# The single-particle impedance of Chen2020 in closed form: radius, diffusivity, dU/dc, exchange current, area of the particles.
SPHERES = [(5.22e-6, 4e-15, -4.776949396e-5, 3.029881648277899, 2.967321724137931), (5.86e-6, 3.3e-14, -2.16567e-12, 0.2024128610209539, 3.359656996587031)]
DOUBLE_LAYER_F_PER_M2 = 0.2
GAS_CONSTANT, FARADAY, KELVIN = 8.314462618, 96485.33212, 298.15


def one_thread():
    return dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def largest(found, expected):
    return max(abs(a - b) for a, b in zip(found, expected))


# Cases of the peer, each in a process of its own, which print JSON.


def cpu():
    return time.process_time()


def mesh(n):
    return {name: n for name in ("x_n", "x_s", "x_p", "r_n", "r_p")}


def least(solve, repeats):
    """Least CPU time of repeated solves, and the last result."""
    best = math.inf
    for _ in range(repeats):
        start = cpu()
        result = solve()
        best = min(best, cpu() - start)
    return best, result


def peer_discharge(name, n, rtol, repeats):
    import pybamm

    parameters = pybamm.ParameterValues(name)
    parameters["Current function [A]"] = parameters["Nominal cell capacity [A.h]"]
    times = TIMES[: len(REFERENCE[name])]
    start = cpu()
    solver = pybamm.IDAKLUSolver(rtol=float(rtol), atol=float(rtol) / 100)
    simulation = pybamm.Simulation(pybamm.lithium_ion.DFN(), parameter_values=parameters, solver=solver, var_pts=mesh(int(n)))
    simulation.build()
    build = cpu() - start
    start = cpu()
    simulation.solve([0, 4200])
    first = cpu() - start
    seconds, solution = least(lambda: simulation.solve([0, 4200]), int(repeats))
    voltage = solution["Terminal voltage [V]"]
    return {"volts": [float(voltage(t)) for t in times], "seconds": seconds, "build": build, "first": first, "states": int(simulation.built_model.len_rhs_and_alg)}


def peer_drive(n, how):
    import numpy as np
    import pybamm

    times = np.arange(0.0, 601.0)
    current = 2.0 + 4.0 * np.sin(2 * np.pi * times / 37.0) + 2.0 * np.sin(2 * np.pi * times / 11.3)
    parameters = pybamm.ParameterValues("Chen2020")
    parameters["Current function [A]"] = pybamm.Interpolant(times, current, pybamm.t)
    parameters.set_initial_state(0.8)
    simulation = pybamm.Simulation(pybamm.lithium_ion.DFN(), parameter_values=parameters, solver=pybamm.IDAKLUSolver(), var_pts=mesh(int(n)))
    solve = (lambda: simulation.solve([0, 600], t_interp=times)) if how == "smooth" else (lambda: simulation.solve(times))
    solve()
    seconds, solution = least(solve, 3)
    voltage = solution["Terminal voltage [V]"]
    return {"seconds": seconds, "volts": [float(voltage(100)), float(voltage(600))]}


def peer_cycle(kind):
    import pybamm

    model = getattr(pybamm.lithium_ion, kind)({"SEI": "solvent-diffusion limited"})
    cycle = ("Discharge at 1C until 3.0 V", "Charge at 1C until 4.2 V", "Hold at 4.2 V until C/50")
    start = cpu()
    experiment = pybamm.Experiment([cycle] * CYCLES)
    simulation = pybamm.Simulation(model, experiment=experiment, parameter_values=pybamm.ParameterValues("Mohtat2020"), solver=pybamm.IDAKLUSolver())
    solution = simulation.solve(initial_soc=1)
    seconds = cpu() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return {"seconds": seconds, "loss_percent": float(solution.summary_variables["Loss of lithium inventory [%]"][-1]), "memory_mb": memory}


def peer_impedance(kind, shells):
    import numpy as np
    import pybamm

    frequencies = np.logspace(-4, 4, FREQUENCIES)
    points = {"x_n": 20, "x_s": 20, "x_p": 20, "r_n": int(shells), "r_p": int(shells)}
    model = getattr(pybamm.lithium_ion, kind)(options={"surface form": "differential"})
    start = cpu()
    simulation = pybamm.EISSimulation(model, parameter_values=pybamm.ParameterValues("Chen2020"), var_pts=points)
    simulation.solve(frequencies)
    first = cpu() - start
    seconds, found = least(lambda: simulation.solve(frequencies), 5)
    values = np.asarray(getattr(found, "impedance", found))
    return {"seconds": seconds, "first": first, "z": [[float(z.real), float(z.imag)] for z in values]}


def peer_start():
    import pybamm

    parameters = pybamm.ParameterValues("Chen2020")
    parameters["Current function [A]"] = 5.0
    solution = pybamm.Simulation(pybamm.lithium_ion.SPM(), parameter_values=parameters).solve([0, 4000])
    return {"end_s": float(solution.t[-1])}


PEER = {"discharge": peer_discharge, "drive": peer_drive, "cycle": peer_cycle, "impedance": peer_impedance, "start": peer_start}


# The side by side.


class Sides:
    def __init__(self, arguments):
        self.scalade, self.drive, self.python = arguments.scalade, arguments.drive, arguments.python
        self.rows = []

    def peer(self, case, *options):
        command = [self.python, os.path.abspath(__file__), "--peer", case, *map(str, options)]
        done = subprocess.run(command, capture_output=True, text=True, env=one_thread(), check=False)
        if done.returncode != 0:
            print(f"  the peer failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            return None
        return json.loads(done.stdout.strip().splitlines()[-1])

    def own(self, *options):
        done = subprocess.run([self.scalade, *options, "--json"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def measured(self, command):
        """Wall and CPU seconds, peak memory (MB, as /usr/bin/time tells it) and output of a command."""
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=one_thread(), check=True)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        again = subprocess.run(["/usr/bin/time", "-f", "%M", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=one_thread(), check=True)
        return wall, seconds, float(again.stderr.split()[-1]) / 1024.0, done.stdout

    def tell(self, case, who, **figures):
        self.rows.append({"case": case, "who": who, **figures})
        shown = "  ".join(f"{key} {value:.6g}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items())
        print(f"  {who:34} {shown}", flush=True)


def discharge(sides):
    for name, expected in REFERENCE.items():
        print(f"1C discharge, {name}")
        times = ",".join(f"{t} s" for t in TIMES[: len(expected)])
        for tolerance in ("1e-3", "1e-4", "1e-5", "1e-6"):
            runs = [sides.own("cell", "--parameters", name, "--tolerance", tolerance, "--times", times) for _ in range(15)]
            solve = min(run["cpu_time_s"] for run in runs)
            whole = min(run["cpu_time_s"] + run["estimate_cpu_time_s"] for run in runs)
            sides.tell(name, f"Scalade, --tolerance {tolerance}", error_V=largest(runs[0]["voltage_V"], expected), estimate_V=runs[0]["voltage_error_estimate_V"],
                       solve_ms=1e3 * solve, with_estimate_ms=1e3 * whole, states=runs[0]["states"])
        for n, rtol, repeats in ((20, 1e-4, 9), (20, 1e-6, 5), (40, 1e-4, 7), (40, 1e-6, 5), (80, 1e-4, 5), (80, 1e-6, 3), (160, 1e-4, 2), (160, 1e-6, 2)):
            found = sides.peer("discharge", name, n, rtol, repeats)
            if found:
                sides.tell(name, f"PyBaMM, N = {n}, rtol {rtol:g}", error_V=largest(found["volts"], expected), solve_ms=1e3 * found["seconds"],
                           first_ms=1e3 * found["first"], build_ms=1e3 * found["build"], states=found["states"])


def drive(sides):
    print("profile of 600 s at 1 Hz, Chen2020 from 80 %, deviations from the run at rtol 1e-7 here")
    finest = None
    for rtol, repeats in (("1e-7", 1), ("3e-5", 9), ("1e-4", 9)):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = subprocess.run([sides.drive, "600", rtol, str(repeats)], capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # A mean over all solves of the process, not the least: the example itself tells wall time.
        seconds = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / (repeats + 1)
        found = [float(re.search(rf"V\({label}\) = ([0-9.]+)", text).group(1)) for label in ("100 s", "end")]
        finest = finest or found
        sides.tell("drive", f"Scalade, rtol {rtol}", cpu_s=seconds, off_V=largest(found, finest))
    for n, how in ((20, "stops"), (20, "smooth"), (40, "stops"), (40, "smooth"), (80, "smooth")):
        found = sides.peer("drive", n, how)
        if found:
            sides.tell("drive", f"PyBaMM, N = {n}, {how}", cpu_s=found["seconds"], off_V=largest(found["volts"], finest))


def cycle(sides):
    print(f"{CYCLES} cycles with SEI, Mohtat2020")
    protocol = f"repeat {CYCLES} times {{ Discharge at 1C until 3.0 V; Charge at 1C until 4.2 V; Hold at 4.2 V until C/50 }}"
    for kind in ("DFN", "SPM"):
        command = [sides.scalade, "cell", "--parameters", "mohtat2020", "--soc", "1", "--model", kind.lower(), "--sei", "solvent-diffusion", "--protocol", protocol, "--json"]
        for label, more in (("", []), (", summaries only", ["--times", "0 s"])):
            _, seconds, memory, text = min((sides.measured(command + more) for _ in range(3)), key=lambda run: run[1])
            run = json.loads(text)
            steps = run["protocol_steps"]
            lost = 100 * steps[-1]["sei_lithium_mol"] / (steps[0]["particle_lithium_mol"] + steps[0]["sei_lithium_mol"])
            sides.tell("cycle", f"Scalade, {kind}{label}", cpu_s=seconds, memory_MB=memory, loss_percent=lost, estimate_V=run["voltage_error_estimate_V"])
        found = sides.peer("cycle", kind)
        if found:
            sides.tell("cycle", f"PyBaMM, {kind}", cpu_s=found["seconds"], memory_MB=found["memory_mb"], loss_percent=found["loss_percent"])


def spheres(frequency):
    """The closed form of the single-particle impedance, ohm: charge transfer and diffusion in a sphere, beside the double layer, of both electrodes."""
    import cmath

    total = 0
    for radius, diffusivity, slope, exchange, area in SPHERES:
        root = cmath.sqrt(2j * math.pi * frequency * radius**2 / diffusivity)
        # tanh r / (r - tanh r); for large r the hyperbolic tangent is one.
        tangent = cmath.tanh(root) if root.real < 300 else 1.0
        faradaic = GAS_CONSTANT * KELVIN / (FARADAY * exchange) + radius / diffusivity * -slope / FARADAY * tangent / (root - tangent)
        total += 1 / (1 / faradaic + 2j * math.pi * frequency * DOUBLE_LAYER_F_PER_M2) / area
    return total


def impedance(sides):
    print(f"impedance at {FREQUENCIES} frequencies, Chen2020")
    for kind in ("SPM", "DFN"):
        runs = [sides.own("eis", "cell", "--parameters", "chen2020", "--model", kind.lower(), "--frequencies", f"1e-4:1e4:{FREQUENCIES}") for _ in range(15)]
        own = [complex(a, b) for a, b in zip(runs[0]["z_real_ohm"], runs[0]["z_imag_ohm"])]
        exact = [spheres(f) for f in runs[0]["frequency_Hz"]] if kind == "SPM" else own
        off = lambda found: max(abs(a / b - 1) for a, b in zip(found, exact))
        sides.tell("impedance", f"Scalade, {kind}", cpu_ms=1e3 * min(run["cpu_time_s"] for run in runs), **({"off": off(own)} if kind == "SPM" else {}))
        for shells in (20, 200):
            found = sides.peer("impedance", kind, shells)
            if found:
                sides.tell("impedance", f"PyBaMM, {kind}, {shells} shells", cpu_ms=1e3 * found["seconds"], first_ms=1e3 * found["first"], off=off([complex(*z) for z in found["z"]]))


def start(sides):
    print("from the shell to the first answer: 1C, Chen2020")
    for label, model, repeats in (("Scalade, SPM", "spm", 9), ("Scalade, DFN", "dfn", 9), ("PyBaMM, SPM", None, 3)):
        command = [sides.scalade, "cell", "--parameters", "chen2020", "--model", model, "--rate", "1C"] if model else [sides.python, os.path.abspath(__file__), "--peer", "start"]
        runs = [sides.measured(command) for _ in range(repeats)]
        sides.tell("start", label, wall_s=min(run[0] for run in runs), cpu_s=min(run[1] for run in runs), memory_MB=runs[0][2])


CASES = {"discharge": discharge, "drive": drive, "cycle": cycle, "impedance": impedance, "start": start}


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--peer":
        import warnings

        warnings.filterwarnings("ignore")
        import pybamm

        pybamm.set_logging_level("ERROR")
        print(json.dumps(PEER[sys.argv[2]](*sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scalade")
    parser.add_argument("drive")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--out")
    arguments = parser.parse_args()
    sides = Sides(arguments)
    for name in arguments.cases.split(","):
        print(f"-- {name} (load {load()})")
        CASES[name](sides)
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(sides.rows, file, indent=1)


if __name__ == "__main__":
    main()
