"""Writes msmr_example.json beside this file from PyBaMM's parameter module MSMR_example_set and ../sets/Chen2020.json.

    pip install pybamm==26.10.1.1
    python make.py
"""

import json
import math
import pathlib

import pybamm
from pybamm.input.parameters.lithium_ion import MSMR_example_set

HERE = pathlib.Path(__file__).parent
PER_VOLT = pybamm.constants.F.value / (pybamm.constants.R.value * 298.15)


def species(p, side):
    def value(name, i, unit=""):
        return p[f"{side} electrode host site {name} ({i}){unit}"]

    return [
        {
            "standard_potential_v": value("standard potential", i, " [V]"),
            "fraction": value("occupancy fraction", i),
            "ideality": value("ideality factor", i),
            "transfer_coefficient": float(value("charge transfer coefficient", i)),
            "exchange_current_a_per_m2": float(value("reference exchange-current density", i, " [A.m-2]")),
        }
        for i in range(p[f"Number of reactions in {side.lower()} electrode"])
    ]


def material(p, side):
    sites = species(p, side)
    maximum = p[f"Maximum concentration in {side.lower()} electrode [mol.m-3]"]
    volts = p[f"Initial voltage in {side.lower()} electrode [V]"]
    x = sum(
        s["fraction"] / (1 + math.exp(PER_VOLT * (volts - s["standard_potential_v"]) / s["ideality"])) for s in sites
    )
    diffusivity = {"msmr": {"species": sites, "quantity": "diffusivity"}}
    diffusivity["msmr"]["diffusivity_m2_per_s"] = p[f"{side} particle diffusivity [m2.s-1]"]
    return {
        "name": {"Negative": "graphite", "Positive": "NMC622"}[side],
        "fraction": p[f"{side} electrode active material volume fraction"],
        "particle_radius_m": p[f"{side} particle radius [m]"],
        "max_concentration": maximum,
        "initial_concentration": x * maximum,
        "open_circuit": {
            "at_reference": {"msmr": {"species": sites}},
            "entropic_slope": {"msmr": {"species": sites, "quantity": "entropic_slope"}},
        },
        "diffusivity": {"at_reference": diffusivity},
        "exchange_current": {
            "at_reference": {
                "msmr": {"species": sites, "quantity": "exchange_current", "reference_salt_concentration": 1000.0}
            }
        },
        "kinetics": "Msmr",
    }


def main():
    p = MSMR_example_set.get_parameter_values()
    document = json.loads((HERE / "../sets/Chen2020.json").read_text())
    document["chemistry"] = "graphite / NMC622 as multi-species, multi-reaction materials in the geometry of the LG M50"
    document["sources"] = [
        {"text": "M. Verbrugge et al., J. Electrochem. Soc. 164, E3243 (2017), table 1", "doi": "10.1149/2.0341708jes"},
        {"text": "C.-H. Chen et al., J. Electrochem. Soc. 167, 080534 (2020)", "doi": "10.1149/1945-7111/ab9050"},
        {"text": "PyBaMM 26.10.1.1, parameter module MSMR_example_set (BSD-3-Clause)"},
    ]
    cell = document["parameters"]
    cell["name"] = "MSMR_example"
    cell["lower_voltage_v"] = p["Lower voltage cut-off [V]"]
    cell["upper_voltage_v"] = p["Upper voltage cut-off [V]"]
    negative = cell["negative"]["porous"]
    negative["material"] = material(p, "Negative")
    cell["positive"]["material"] = material(p, "Positive")
    (HERE / "msmr_example.json").write_text(json.dumps(document, indent=1) + "\n")


main()
