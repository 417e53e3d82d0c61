"""Writes the files of this folder and expected.json, the numbers that they must give.

Run it in this folder with a Python that has ase and pymatgen; README.md names the versions. The energies are made up
but for those of EMT: the files test readers, not physics.
"""

import json
import os
import sqlite3
import uuid

os.environ["USER"] = "scalade"

import ase.db
import ase.db.core
import ase.db.jsondb
import ase.db.sqlite
import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.spacegroup import crystal
from monty.serialization import dumpfn
from pymatgen.core import Structure
from pymatgen.entries.computed_entries import (
    CompositionEnergyAdjustment,
    ComputedStructureEntry,
    ConstantEnergyAdjustment,
)
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

# Equal files on every run: the names of rows are random, and rows know when they were written.
names = []
uuid.uuid4 = lambda: names.append(0) or uuid.UUID(int=len(names))
for module in (ase.db.core, ase.db.jsondb, ase.db.sqlite):
    module.now = lambda: 26.5

expected = {}


def remember(file, atoms_list, ids, energies):
    expected[file] = [
        {
            "id": name,
            "species": atoms.get_chemical_symbols(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            "pbc": atoms.pbc.tolist(),
            "energy": energy,
            "initial_magmoms": atoms.get_initial_magnetic_moments().tolist() if atoms.has("initial_magmoms") else None,
            "magmoms": (atoms.calc.results.get("magmoms").tolist() if atoms.calc and "magmoms" in atoms.calc.results else None),
        }
        for atoms, name, energy in zip(atoms_list, ids, energies)
    ]


class Remembered(SinglePointCalculator):
    """Results under the name and with the parameters of the calculator that gave them."""

    def __init__(self, atoms, name, parameters, **results):
        super().__init__(atoms, **results)
        self.name = name
        self.parameters = parameters


def vasp(atoms, energy, elements, free_energy=None, **more):
    hubbard = {"Co": {"L": 2, "U": 4.32, "J": 1.0}}
    parameters = {"xc": "pbe", "encut": 520.0}
    if "Co" in elements:
        parameters["ldau_luj"] = {e: hubbard.get(e, {"L": -1, "U": 0.0, "J": 0.0}) for e in elements}
    free_energy = energy if free_energy is None else free_energy
    atoms.calc = Remembered(atoms, "vasp", parameters, energy=energy, free_energy=free_energy, **more)
    return atoms


# Rows of the databases.
layered = crystal(
    ["Li", "Co", "O"],
    [(0, 0, 0), (0, 0, 0.5), (0, 0, 0.23951)],
    spacegroup=166,
    cellpar=[2.8166, 2.8166, 14.052, 90, 90, 120],
    primitive_cell=True,
)
layered = Atoms(layered.symbols, positions=layered.positions, cell=layered.cell, pbc=True)
layered.set_initial_magnetic_moments([0.6 * (s == "Co") for s in layered.symbols])
layered.set_constraint(FixAtoms([0]))
forces = np.array([[0.01 * i, -0.002 * i, 1e-3 / 3] for i in range(len(layered))])
moments = np.array([0.001, 0.1 / 3, -0.02, 0.0125])
layered = vasp(layered, -22.690123456789012, ["Li", "Co", "O"], -22.7, forces=forces, magmoms=moments)

delithiated = Atoms(layered[1:].symbols, positions=layered.positions[1:] * 1.001, cell=layered.cell * 1.001, pbc=True)
delithiated = vasp(delithiated, -17.0 - 1 / 7, ["Co", "O"])
metal = vasp(bulk("Li", "bcc", a=3.44, cubic=True), -3.80, ["Li"])

oxide = bulk("NiO", "rocksalt", a=4.17) * (1, 1, 2)
oxide.set_initial_magnetic_moments([2.0, 0.0, -2.0, 0.0])
oxide.rattle(0.05, seed=3)
oxide.calc = EMT()
oxide.get_potential_energy()
oxide.get_forces()

slab = bulk("NiO", "rocksalt", a=4.2, cubic=True)
slab.pbc = (True, True, False)
gas = molecule("CO")
gas.calc = EMT()
gas.get_potential_energy()

rows = [
    (layered, {"name": "LiCoO2", "x": 1.0, "relaxed": True, "n": 3, "note": "R-3m, \u00e5ngstr\u00f6m"}),
    (None, {}),
    (delithiated, {"name": "CoO2", "x": 0.0}),
    (metal, {"label": "Li metal"}),
    (oxide, {"x": 1 / 3, "big": 1e22}),
    (slab, {}),
    (gas, {}),
]
for file in ("ase.db", "ase.json", "wal.db"):
    if os.path.exists(file):
        os.remove(file)
for file in ("ase.db", "ase.json"):
    if file.endswith(".db"):
        # Small pages keep the file small, and long blobs go over several of them.
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA page_size=512")
        connection.execute("VACUUM")
        connection.close()
    names.clear()
    with ase.db.connect(file) as database:
        for atoms, pairs in rows:
            # The second row is removed again: ids are no places.
            database.write(Atoms("H") if atoms is None else atoms, dict(pairs), data={"spectrum": np.arange(3.0)} if atoms is layered else {})
        database.delete([2])
kept = [atoms for atoms, _ in rows if atoms is not None]
remember(
    "ase.db",
    kept,
    ["LiCoO2", "CoO2", "Li metal", "5", "6", "7"],
    [a.calc.results["energy"] if a.calc else None for a in kept],
)
expected["ase.json"] = expected["ase.db"]

# One database that Python writes in the mode with a journal beside the file.
connection = sqlite3.connect("wal.db")
connection.execute("PRAGMA page_size=512")
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE systems (id INTEGER PRIMARY KEY)")
connection.commit()
connection.close()

# Extended XYZ of ASE: the same frames.
ase.io.write("ase.extxyz", kept)
remember("ase.extxyz", kept, [None] * len(kept), [a.calc.results["energy"] if a.calc else None for a in kept])

# POSCAR and CIF of ASE.
unnamed = Atoms(layered.symbols, positions=layered.positions, cell=layered.cell, pbc=True, constraint=FixAtoms([0]))
ase.io.write("ase.vasp", unnamed, format="vasp", direct=True)
ase.io.write("ase_cartesian.vasp", oxide, format="vasp", direct=False, sort=True)
ase.io.write("ase.cif", layered)
remember("ase.vasp", [unnamed], [None], [None])
order = sorted(range(len(oxide)), key=lambda i: oxide.symbols[i])
remember("ase_cartesian.vasp", [Atoms(oxide[order].symbols, positions=oxide[order].positions, cell=oxide.cell, pbc=True)], [None], [None])
remember("ase.cif", [unnamed], [None], [None])

# pymatgen.
structure = AseAtomsAdaptor.get_structure(unnamed)
structure = Structure(structure.lattice, [s.symbol for s in structure.species], structure.frac_coords, site_properties={"magmom": moments.tolist()})
charged = structure.copy()
charged.add_oxidation_state_by_element({"Li": 1, "Co": 3, "O": -2})
entries = [
    ComputedStructureEntry(
        s,
        energy,
        energy_adjustments=[
            ConstantEnergyAdjustment(-0.5, name="test"),
            CompositionEnergyAdjustment(-0.687, 2, name="oxide"),
        ],
        parameters={
            "run_type": "GGA+U",
            "is_hubbard": True,
            "hubbards": {"Li": 0.0, "Co": 3.32, "O": 0.0},
            "potcar_symbols": ["PBE Li_sv", "PBE Co", "PBE O"],
        },
        data={"oxide_type": "oxide"},
        entry_id=name,
    )
    for s, energy, name in ((structure, -22.690123456789012, "mp-22526"), (charged, -22.0 - 1 / 7, "charged"))
]
dumpfn(entries, "pymatgen_entries.json")
with open("pymatgen_structure.json", "w") as out:
    out.write(structure.to_json())
remember("pymatgen_structure.json", [AseAtomsAdaptor.get_atoms(structure)], [None], [None])
expected["pymatgen_structure.json"][0].update(magmoms=moments.tolist(), initial_magmoms=None)
expected["pymatgen_entries.json"] = [
    dict(expected["pymatgen_structure.json"][0], id=e.entry_id, energy=e.uncorrected_energy, corrected_energy=e.energy, species=[str(s) for s in e.structure.species])
    for e in entries
]

plain = Structure(structure.lattice, structure.species, structure.frac_coords)
refined = SpacegroupAnalyzer(plain, symprec=0.01).get_refined_structure()
CifWriter(plain, symprec=0.01, significant_figures=8).write_file("pymatgen_symmetry.cif")
CifWriter(plain).write_file("pymatgen.cif")
remember("pymatgen_symmetry.cif", [AseAtomsAdaptor.get_atoms(refined)], [None], [None])
remember("pymatgen.cif", [AseAtomsAdaptor.get_atoms(plain)], [None], [None])

moving = [[False] * 3] + [[True, True, False]] * 3
Poscar(plain, comment="layered", selective_dynamics=moving).write_file("pymatgen.vasp", significant_figures=12)
remember("pymatgen.vasp", [AseAtomsAdaptor.get_atoms(plain)], [None], [None])

# One line a frame.
frames = [
    f' "{file}": [\n  ' + ",\n  ".join(json.dumps(frame) for frame in of_file) + "\n ]"
    for file, of_file in expected.items()
]
with open("expected.json", "w") as out:
    out.write("{\n" + ",\n".join(frames) + "\n}\n")
