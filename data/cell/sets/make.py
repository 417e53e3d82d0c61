"""Writes the parameter sets of this folder, and check values, from PyBaMM's parameter modules.

    pip install pybamm==26.10.1.1
    python make.py            # writes NAME.json of every set below and check_values.json beside this file

Material functions are called with an object that writes down what is done to it (`Trace`), so that the formulas
have the terms and the order of the source; constants of PyBaMM and parameters they use are put in as numbers. A
temperature dependence of the form exp(E/R (1/Tref - 1/T)) becomes an activation energy, any other one stays in
the formula. Check values come from the untouched functions, evaluated by PyBaMM.

The isothermal numbers, heat data and formulas of Marquis2019, Chen2020 and Prada2013 stand in
../dfn_three_sets.json and ../thermal.json and are taken from there.
"""

import importlib
import json
import math
import pathlib
import re

import numpy as np
import pybamm
from scipy.interpolate import PchipInterpolator

HERE = pathlib.Path(__file__).parent
R = pybamm.constants.R.value
F = pybamm.constants.F.value

SETS = {
    "Marquis2019": (
        "graphite / LiCoO2, Kokam SLPB78205130H, 0.68 A h",
        [("S. G. Marquis et al., J. Electrochem. Soc. 166, A3693 (2019)", "10.1149/2.0341915jes")],
    ),
    "Chen2020": (
        "graphite-SiOx / NMC811, LG M50, 5 A h",
        [("C.-H. Chen et al., J. Electrochem. Soc. 167, 080534 (2020)", "10.1149/1945-7111/ab9050")],
    ),
    "Prada2013": (
        "graphite / LiFePO4, A123 26650, 2.3 A h",
        [("E. Prada et al., J. Electrochem. Soc. 160, A616 (2013)", "10.1149/2.053304jes")],
    ),
    "Ai2020": (
        "graphite / LiCoO2, Enertech pouch cell, 2.28 A h",
        [("W. Ai et al., J. Electrochem. Soc. 167, 013512 (2020)", "10.1149/2.0122001JES")],
    ),
    "Mohtat2020": (
        "graphite / NMC532 pouch cell, 5 A h",
        [("P. Mohtat et al., J. Electrochem. Soc. 167, 110561 (2020)", "10.1149/1945-7111/aba5d1")],
    ),
    "OKane2022": (
        "graphite-SiOx / NMC811, LG M50 with ageing, 5 A h",
        [
            ("S. E. J. O'Kane et al., Phys. Chem. Chem. Phys. 24, 7909 (2022)", "10.1039/D2CP00417H"),
            ("C.-H. Chen et al., J. Electrochem. Soc. 167, 080534 (2020)", "10.1149/1945-7111/ab9050"),
        ],
    ),
    "Ecker2015": (
        "graphite / LiNiCoO2, Kokam SLPB75106100, 0.156 A h (one electrode pair)",
        [
            ("M. Ecker et al., J. Electrochem. Soc. 162, A1836 (2015)", "10.1149/2.0551509jes"),
            ("M. Ecker et al., J. Electrochem. Soc. 162, A1849 (2015)", "10.1149/2.0541509jes"),
        ],
    ),
    "Xu2019": (
        "lithium metal / NMC half cell, 2.4 mA h",
        [("S. Xu et al., J. Electrochem. Soc. 166, A3456 (2019)", "10.1149/2.0991914jes")],
    ),
    "Chen2020_composite": (
        "graphite + silicon (two materials) / NMC811, LG M50, 5 A h",
        [
            ("W. Ai et al., J. Power Sources 527, 231142 (2022)", "10.1016/j.jpowsour.2022.231142"),
            ("C.-H. Chen et al., J. Electrochem. Soc. 167, 080534 (2020)", "10.1149/1945-7111/ab9050"),
        ],
    ),
}
THREE = ("Marquis2019", "Chen2020", "Prada2013")
SUM, PRODUCT, SIGN, POWER, ATOM = range(5)


class Trace:
    """An expression as text, with the precedence of its outermost operation."""

    __array_ufunc__ = None

    def __init__(self, text, level=ATOM):
        self.text, self.level = text, level

    @staticmethod
    def of(value):
        if isinstance(value, Trace):
            return value
        value = float(value)
        text = repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
        return Trace(text, SIGN if value < 0 else ATOM)

    def at(self, level):
        return self.text if self.level >= level else f"({self.text})"

    @staticmethod
    def binary(a, b, symbol, level, right):
        a, b = Trace.of(a), Trace.of(b)
        return Trace(f"{a.at(level)}{symbol}{b.at(right)}", level)

    def __add__(self, other):
        return Trace.binary(self, other, " + ", SUM, PRODUCT)

    def __radd__(self, other):
        return Trace.binary(other, self, " + ", SUM, PRODUCT)

    def __sub__(self, other):
        return Trace.binary(self, other, " - ", SUM, PRODUCT)

    def __rsub__(self, other):
        return Trace.binary(other, self, " - ", SUM, PRODUCT)

    def __mul__(self, other):
        return Trace.binary(self, other, " * ", PRODUCT, SIGN)

    def __rmul__(self, other):
        return Trace.binary(other, self, " * ", PRODUCT, SIGN)

    def __truediv__(self, other):
        return Trace.binary(self, other, " / ", PRODUCT, SIGN)

    def __rtruediv__(self, other):
        return Trace.binary(other, self, " / ", PRODUCT, SIGN)

    def __pow__(self, other):
        return Trace.binary(self, other, "**", POWER, ATOM)

    def __rpow__(self, other):
        base = Trace.of(other)
        return Trace(f"{base.at(ATOM)}**{self.at(ATOM)}", POWER)

    def __neg__(self):
        return Trace(f"-{self.at(POWER)}", SIGN)

    def exp(self):
        return Trace(f"exp({self.text})")

    def tanh(self):
        return Trace(f"tanh({self.text})")

    def cosh(self):
        return Trace(f"cosh({self.text})")


class Magnitude:
    """A value with the sum of the absolute values of the terms it was added up from: the scale of its rounding error."""

    __array_ufunc__ = None

    def __init__(self, value, size=None):
        self.value, self.size = value, abs(value) if size is None else size

    @staticmethod
    def of(value):
        return value if isinstance(value, Magnitude) else Magnitude(float(value))

    def relative(self):
        return self.size / abs(self.value) if self.value else 0.0

    def __add__(self, other):
        other = Magnitude.of(other)
        return Magnitude(self.value + other.value, self.size + other.size)

    def __mul__(self, other):
        other = Magnitude.of(other)
        value = self.value * other.value
        return Magnitude(value, self.relative() * abs(value) + other.relative() * abs(value))

    def __truediv__(self, other):
        other = Magnitude.of(other)
        value = self.value / other.value
        return Magnitude(value, self.relative() * abs(value) + other.relative() * abs(value))

    def __pow__(self, other):
        if isinstance(other, Magnitude):
            return Magnitude(self.value**other.value)
        return Magnitude(self.value**other, abs(other) * self.relative() * abs(self.value**other))

    def __neg__(self):
        return Magnitude(-self.value, self.size)

    __radd__, __rmul__ = __add__, __mul__
    __sub__ = lambda self, other: self + -Magnitude.of(other)
    __rsub__ = lambda self, other: Magnitude.of(other) + -self
    __rtruediv__ = lambda self, other: Magnitude.of(other) / self
    __rpow__ = lambda self, other: Magnitude(other**self.value)
    exp = lambda self: Magnitude(math.exp(self.value))
    tanh = lambda self: Magnitude(math.tanh(self.value))
    cosh = lambda self: Magnitude(math.cosh(self.value))


def lifted(name):
    """A numpy function that writes down its argument if that is a trace."""
    original = getattr(np, name)
    return lambda value: getattr(value, name)() if isinstance(value, (Trace, Magnitude)) else original(value)


class Table:
    def __init__(self, x, y):
        self.x, self.y = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()


class FakePybamm:
    """What parameter modules use of PyBaMM, with numbers instead of symbols."""

    def __init__(self, values):
        self.values = values
        self.constants = type("constants", (), {
            name: getattr(pybamm.constants, name).value for name in ("R", "F", "k_b", "q_e")
        })

    def Parameter(self, name):
        return self.values[name]

    def FunctionParameter(self, name, inputs):
        return self.values[name](*inputs.values())

    def Interpolant(self, x, y, *_, **__):
        return Table(x[0] if isinstance(x, (list, tuple)) else x, y)


class FakeNumpy:
    exp, tanh, cosh = (staticmethod(lifted(name)) for name in ("exp", "tanh", "cosh"))


class Module:
    """One parameter module: its values, and its functions as texts."""

    def __init__(self, name):
        self.module = importlib.import_module(f"pybamm.input.parameters.lithium_ion.{name}")
        self.values = self.module.get_parameter_values()
        self.name = name

    def traced(self, function, *arguments):
        real = self.module.np, self.module.pybamm
        self.module.np, self.module.pybamm = FakeNumpy, FakePybamm(self.values)
        try:
            return function(*arguments)
        finally:
            self.module.np, self.module.pybamm = real


def finished(value):
    """A traced value as it stands in a document."""
    if isinstance(value, Table):
        return {"x": value.x.tolist(), "y": value.y.tolist(), "outside": "extend"}
    if isinstance(value, Trace):
        return value.text
    return float(value)


def evaluated(value):
    return float(np.ravel(value.evaluate() if isinstance(value, pybamm.Symbol) else value)[0])


def processed(parameters, function, *arguments):
    """The untouched function at numbers, by PyBaMM."""
    symbol = function(*(pybamm.Scalar(a) for a in arguments))
    return evaluated(parameters.process_symbol(symbol) if isinstance(symbol, pybamm.Symbol) else symbol)


class Writer:
    def __init__(self, name):
        self.module = Module(name)
        self.values = self.module.values
        self.name = name
        self.reference = self.values["Reference temperature [K]"]
        self.parameters = pybamm.ParameterValues(name)
        self.checks = []

    def number(self, key, default=None):
        value = self.values.get(key, default)
        if value is None:
            raise KeyError(f"{self.name}: {key}")
        return float(value)

    def check(self, path, points, value_at):
        for point in points:
            self.checks.append({"set": self.name, "path": path, **point, "value": value_at(point)})

    def property_of(self, key, path, arguments, grid, shape=lambda p: (p["x"],)):
        """A function of the module as number, formula or table; `arguments` are traces."""
        function = self.values[key]
        if not callable(function):
            return float(function)
        document = finished(self.module.traced(function, *arguments))
        if isinstance(document, dict):
            nodes = document["x"]
            grid = [{"x": nodes[i]} for i in range(0, len(nodes), max(1, len(nodes) // 7))]
        self.check(path, grid, lambda p: processed(self.parameters, function, *shape(p)))
        if isinstance(document, dict):
            # Between its nodes a table is the monotone cubic of SciPy, not the spline of the module.
            cubic = PchipInterpolator(document["x"], document["y"])
            middles = [0.5 * (a + b) for a, b in zip(nodes, nodes[1:])]
            ends = [middles[i] for i in (0, 1, len(middles) // 3, len(middles) // 2, -2, -1)]
            self.check(path, [{"x": x} for x in ends], lambda p: float(cubic(p["x"])))
        if isinstance(document, str):
            for check in self.checks[-len(grid):]:
                given = [Magnitude(v) if isinstance(v, float) else v for v in shape({**check})[:len(arguments)]]
                size = Magnitude.of(self.module.traced(function, *given)).size
                if size > 100 * abs(check["value"]):
                    check["magnitude"] = size
        return document

    def activated(self, key, path, make, grid):
        """make(temperature) gives the arguments of the function at that temperature; a pure Arrhenius factor is split off."""
        function = self.values[key]
        if not callable(function):
            return {"at_reference": float(function)}
        real = lambda p, t: processed(self.parameters, function, *make({**p, "T": t}, False))
        ratios = [
            math.log(real(p, t) / real(p, self.reference)) * R / (1 / self.reference - 1 / t)
            for p in grid for t in (280.0, 310.0, 330.0)
        ]
        energy = float(f"{ratios[0]:.9g}")
        pure = all(abs(r - energy) <= 1e-9 * max(1.0, abs(energy)) * 10 for r in ratios)
        temperature = self.reference if pure else Trace("T")
        trace = self.module.traced(function, *make({"T": temperature}, True))
        document = {"at_reference": finished(trace)}
        if pure and energy != 0.0:
            document["activation_energy_j_per_mol"] = energy
        self.check(path, [{**p, "T": t} for p in grid for t in (self.reference, 310.0)],
                   lambda p: real({k: v for k, v in p.items() if k != "T"}, p["T"]))
        return document

    def material(self, side, prefix="", name="", path=None):
        lower = side.lower()
        number = lambda key, default=None: self.number(f"{prefix}{side} {key}", default)
        maximum = self.number(f"{prefix}Maximum concentration in {lower} electrode [mol.m-3]")
        sto = [{"x": v} for v in (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)]
        bulk = lambda p, t: (Trace("x") if t else p["x"], p["T"])
        surface = lambda p, t: (Trace("c_e") if t else p["c_e"], Trace("c_s") if t else p["c_s"], maximum, p["T"])
        both = [{"c_e": c, "c_s": v * maximum} for c, v in ((900.0, 0.1), (1000.0, 0.5), (1500.0, 0.9))]
        document = {
            "name": name,
            "fraction": number("electrode active material volume fraction"),
            "particle_radius_m": number("particle radius [m]"),
            "max_concentration": maximum,
            "initial_concentration": self.number(f"{prefix}Initial concentration in {lower} electrode [mol.m-3]"),
            "open_circuit": {
                "at_reference": self.property_of(
                    f"{prefix}{side} electrode OCP [V]", f"{path}/open_circuit/at_reference", [Trace("x")], sto),
                "entropic_slope": self.property_of(
                    f"{prefix}{side} electrode OCP entropic change [V.K-1]", f"{path}/open_circuit/entropic_slope",
                    [Trace("x")], sto),
            },
            "diffusivity": self.activated(
                f"{prefix}{side} particle diffusivity [m2.s-1]", f"{path}/diffusivity", bulk, sto),
            "exchange_current": self.activated(
                f"{prefix}{side} electrode exchange-current density [A.m-2]", f"{path}/exchange_current", surface, both),
            "kinetics": "ButlerVolmer",
        }
        lithiation = f"{prefix}{side} electrode lithiation OCP [V]"
        if lithiation in self.values:
            branch = lambda key: self.property_of(
                f"{prefix}{side} electrode {key} OCP [V]", f"{path}/hysteresis/{key}", [Trace("x")], sto)
            document["hysteresis"] = {key: branch(key) for key in ("lithiation", "delithiation")}
        return document

    def sei(self, prefix=""):
        if f"{prefix}SEI partial molar volume [m3.mol-1]" not in self.values:
            return None
        number = lambda key, default=None: self.number(prefix + key, default)
        document = {
            "lithium_per_sei": number("Ratio of lithium moles to SEI moles"),
            "partial_molar_volume_m3_per_mol": number("SEI partial molar volume [m3.mol-1]"),
            "resistivity_ohm_m": number("SEI resistivity [Ohm.m]"),
            "initial_thickness_m": number("Initial SEI thickness [m]"),
            "open_circuit_potential_v": number("SEI open-circuit potential [V]"),
            "exchange_current_a_per_m2": number("SEI reaction exchange current density [A.m-2]"),
            # Where the module has none, the growth laws of PyBaMM take the symmetric one.
            "growth_transfer_coefficient": number("SEI growth transfer coefficient", 0.5),
            "growth_activation_energy_j_per_mol": number("SEI growth activation energy [J.mol-1]"),
            "solvent_diffusivity_m2_per_s": number("SEI solvent diffusivity [m2.s-1]"),
            "bulk_solvent_concentration_mol_per_m3": number("Bulk solvent concentration [mol.m-3]"),
            "electron_conductivity_s_per_m": number("SEI electron conductivity [S.m-1]"),
            "interstitial_diffusivity_m2_per_s": number("SEI lithium interstitial diffusivity [m2.s-1]"),
            "interstitial_reference_concentration_mol_per_m3":
                number("Lithium interstitial reference concentration [mol.m-3]"),
            "ec_concentration_mol_per_m3": number("EC initial concentration in electrolyte [mol.m-3]"),
            "ec_diffusivity_m2_per_s": number("EC diffusivity [m2.s-1]"),
            "ec_rate_constant_m_per_s": number("SEI kinetic rate constant [m.s-1]"),
            "reaction_driven_loss_m3_per_mol": number("Negative electrode reaction-driven LAM factor [m3.mol-1]", 0.0),
        }
        cracks = f"{prefix}Initial SEI on cracks thickness [m]"
        if cracks in self.values:
            document["initial_thickness_on_cracks_m"] = self.number(cracks)
        return document

    def plating(self, path):
        key = "Exchange-current density for plating [A.m-2]"
        if key not in self.values:
            return None
        trace = [Trace("c_e"), None, self.reference]
        points = [{"c_e": v} for v in (500.0, 1000.0, 1700.0)]
        document = {
            "exchange_current": self.property_of(
                key, f"{path}/plating/exchange_current", trace, points, lambda p: (p["c_e"], 0.0, self.reference)),
            "transfer_coefficient": self.number("Lithium plating transfer coefficient"),
            "lithium_metal_partial_molar_volume_m3_per_mol":
                self.number("Lithium metal partial molar volume [m3.mol-1]"),
            "initial_concentration_mol_per_m3": self.number("Initial plated lithium concentration [mol.m-3]"),
            "typical_concentration_mol_per_m3": self.number("Typical plated lithium concentration [mol.m-3]"),
        }
        if "Lithium plating kinetic rate constant [m.s-1]" in self.values:
            document["stripping_rate_constant_m_per_s"] = self.number("Lithium plating kinetic rate constant [m.s-1]")
        if "Dead lithium decay constant [s-1]" in self.values:
            document["dead_lithium_decay_constant_per_s"] = self.number("Dead lithium decay constant [s-1]")
        return document

    def mechanics(self, side, path):
        if f"{side} electrode Young's modulus [Pa]" not in self.values:
            return None
        number = lambda key, default=None: self.number(f"{side} electrode {key}", default)
        rate = self.values[f"{side} electrode cracking rate"]
        document = {
            "youngs_modulus_pa": number("Young's modulus [Pa]"),
            "poisson_ratio": number("Poisson's ratio"),
            "partial_molar_volume_m3_per_mol": number("partial molar volume [m3.mol-1]"),
            "reference_concentration_mol_per_m3": number("reference concentration for free of deformation [mol.m-3]"),
            "volume_change": self.property_of(
                f"{side} electrode volume change", f"{path}/mechanics/volume_change", [Trace("x")],
                [{"x": v} for v in (0.1, 0.5, 0.9)]),
            "critical_stress_pa": number("critical stress [Pa]"),
            "loss_rate_per_s": number("LAM constant proportional term [s-1]"),
            "loss_exponent": number("LAM constant exponential term"),
            # The modules' activation energies of cracking are all 0.
            "cracking_rate": {"at_reference": processed(self.parameters, rate, self.reference)},
            "paris_b": number("Paris' law constant b"),
            "paris_m": number("Paris' law constant m"),
            "initial_crack_length_m": number("initial crack length [m]"),
            "initial_crack_width_m": number("initial crack width [m]"),
            "cracks_per_area_per_m2": number("number of cracks per unit area [m-2]"),
        }
        self.check(f"{path}/mechanics/cracking_rate", [{"T": 298.15}, {"T": 320.0}],
                   lambda p: processed(self.parameters, rate, p["T"]))
        return document

    def aged(self, material, side, path, prefix=""):
        parts = {"mechanics": self.mechanics(side, path)}
        if side == "Negative":
            parts = {"sei": self.sei(prefix), "plating": self.plating(path), **parts}
        return {**material, **{key: part for key, part in parts.items() if part is not None}}

    def electrode(self, side, base):
        porosity = self.number(f"{side} electrode porosity")
        number = lambda key, default=None: self.number(f"{side} electrode {key}", default)
        materials = [("", "", f"{base}/material")]
        if f"Primary: {side} particle radius [m]" in self.values:
            materials = [
                ("Primary: ", "graphite", f"{base}/material"), ("Secondary: ", "silicon", f"{base}/blended/0")]
        documents = [
            self.aged(self.material(side, prefix, name, path), side, path, prefix)
            for prefix, name, path in materials]
        document = {
            "thickness_m": number("thickness [m]"),
            "porosity": porosity,
            "electrolyte_efficiency": porosity ** number("Bruggeman coefficient (electrolyte)"),
            "solid_efficiency": (1.0 - porosity) ** number("Bruggeman coefficient (electrode)"),
            "conductivity_s_per_m": number("conductivity [S.m-1]"),
            "double_layer_capacitance": number("double-layer capacity [F.m-2]", 0.0),
            "material": documents[0],
        }
        if documents[1:]:
            document["blended"] = documents[1:]
        return document

    def thermal(self):
        if "Cell cooling surface area [m2]" not in self.values:
            return None
        heat = width = 0.0
        for layer in ("Negative current collector", "Negative electrode", "Separator", "Positive electrode",
                      "Positive current collector"):
            thickness = self.number(f"{layer} thickness [m]")
            if f"Primary: {layer} density [kg.m-3]" in self.values:
                # A blend: the density of the electrode is not in the module; that of its first material stands for it.
                density = self.number(f"Primary: {layer} density [kg.m-3]")
            else:
                density = self.number(f"{layer} density [kg.m-3]")
            heat += thickness * density * self.number(f"{layer} specific heat capacity [J.kg-1.K-1]")
            width += thickness
        return {
            "volumetric_heat_capacity": heat / width,
            "cell_volume_m3": self.number("Cell volume [m3]"),
            "cooling_area_m2": self.number("Cell cooling surface area [m2]"),
            "heat_transfer_coefficient": self.number("Total heat transfer coefficient [W.m-2.K-1]"),
            "ambient_temperature_k": self.number("Ambient temperature [K]"),
        }

    def negative(self):
        metal = "Exchange-current density for lithium metal electrode [A.m-2]"
        if metal not in self.values:
            return {"porous": self.electrode("Negative", "/negative/porous")}
        lithium = 1 / self.number("Lithium metal partial molar volume [m3.mol-1]")
        salt = lambda p, t: (Trace("c_e") if t else p["c_e"], lithium, p["T"])
        exchange = self.activated(
            metal, "/negative/lithium_metal/exchange_current", salt, [{"c_e": v} for v in (500.0, 1000.0, 1700.0)])
        return {"lithium_metal": {
            "exchange_current": exchange,
            "double_layer_capacitance": self.number("Negative electrode double-layer capacity [F.m-2]", 0.0),
        }}

    def electrolyte(self):
        salt = lambda p, t: (Trace("c_e") if t else p["c_e"], p["T"])
        grid = [{"c_e": v} for v in (200.0, 1000.0, 1800.0)]
        warm = [{**p, "T": t} for p in grid for t in (self.reference, 310.0)]
        plain = lambda key, path: self.property_of(
            key, path, [Trace("c_e"), Trace("T")], warm, lambda p: (p["c_e"], p["T"]))
        return {
            "initial_concentration": self.number("Initial concentration in electrolyte [mol.m-3]"),
            "transference_number": plain("Cation transference number", "/electrolyte/transference_number"),
            "thermodynamic_factor": plain("Thermodynamic factor", "/electrolyte/thermodynamic_factor"),
            "diffusivity": self.activated("Electrolyte diffusivity [m2.s-1]", "/electrolyte/diffusivity", salt, grid),
            "conductivity": self.activated("Electrolyte conductivity [S.m-1]", "/electrolyte/conductivity", salt, grid),
        }

    def document(self):
        porosity = self.number("Separator porosity")
        return {
            "name": self.name,
            "negative": self.negative(),
            "separator": {
                "thickness_m": self.number("Separator thickness [m]"),
                "porosity": porosity,
                "electrolyte_efficiency": porosity ** self.number("Separator Bruggeman coefficient (electrolyte)"),
            },
            "positive": self.electrode("Positive", "/positive"),
            "electrolyte": self.electrolyte(),
            "electrode_area_m2": self.number("Electrode height [m]") * self.number("Electrode width [m]"),
            "parallel_pairs": self.number("Number of electrodes connected in parallel to make a cell"),
            "contact_resistance_ohm": self.number("Contact resistance [Ohm]", 0.0),
            "nominal_capacity_ah": self.number("Nominal cell capacity [A.h]"),
            "lower_voltage_v": self.number("Lower voltage cut-off [V]"),
            "upper_voltage_v": self.number("Upper voltage cut-off [V]"),
            "initial_temperature_k": self.number("Initial temperature [K]"),
            "reference_temperature_k": self.reference,
            "thermal": self.thermal(),
        }


def with_given_texts(document, name):
    """Formulas and activation energies of the three first sets as ../dfn_three_sets.json and ../thermal.json give them."""
    given = json.loads((HERE.parent / "dfn_three_sets.json").read_text())[name]["functions"]
    thermal = json.loads((HERE.parent / "thermal.json").read_text()).get(name)
    def value(text):
        try:
            return float(text)
        except ValueError:
            return text
    def activated(key, energy, found):
        # Without an entry in thermal.json the energy is the one found in the module.
        if thermal:
            found = {"activation_energy_j_per_mol": float(thermal[energy])}
        return {**found, "at_reference": value(given[key])}
    for side, electrode in (("Negative", document["negative"]["porous"]), ("Positive", document["positive"])):
        material = electrode["material"]
        material["open_circuit"]["at_reference"] = value(given[f"{side} OCP [V]"])
        material["open_circuit"]["entropic_slope"] = (
            value(thermal[f"{side} electrode OCP entropic change [V.K-1]"]) if thermal else 0.0)
        material["diffusivity"] = activated(
            f"{side} particle diffusivity [m2.s-1]", f"{side} particle diffusivity activation energy [J.mol-1]",
            material["diffusivity"])
        material["exchange_current"] = activated(
            f"{side} exchange-current density [A.m-2]",
            f"{side} exchange-current density activation energy [J.mol-1]", material["exchange_current"])
        electrode["double_layer_capacitance"] = 0.2
    salt = document["electrolyte"]
    for key in ("diffusivity", "conductivity"):
        unit = {"diffusivity": "[m2.s-1]", "conductivity": "[S.m-1]"}[key]
        salt[key] = activated(f"Electrolyte {key} {unit}", f"Electrolyte {key} activation energy [J.mol-1]", salt[key])
    if thermal is None:
        document["thermal"] = None
    return document


def compact(text):
    """Lists of numbers on one line."""
    return re.sub(r"\[\s+(-?\d[^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m.group(1)) + "]", text)


def main():
    checks = []
    for name, (chemistry, papers) in SETS.items():
        writer = Writer(name)
        document = writer.document()
        if name in THREE:
            document = with_given_texts(document, name)
        sources = [{"text": text, "doi": doi} for text, doi in papers]
        sources.append({"text": "PyBaMM 26.10.1.1, parameter module " + name + " (BSD-3-Clause)"})
        whole = {"scalade_cell": 1, "chemistry": chemistry, "sources": sources, "parameters": document}
        (HERE / f"{name}.json").write_text(compact(json.dumps(whole, indent=1)) + "\n")
        checks += writer.checks
    lines = ",\n".join(" " + json.dumps(check) for check in checks)
    (HERE / "check_values.json").write_text("[\n" + lines + "\n]\n")
    print(f"{len(SETS)} sets, {len(checks)} check values")


if __name__ == "__main__":
    main()
