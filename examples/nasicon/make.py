#!/usr/bin/env python3
"""Writes arrangements.extxyz and hops.extxyz: sodium ions on the two sites of a NASICON framework, with made-up energies.

The framework holds sites Na1 (between six oxygens) and Na2 (eight) (R-3c: 6b and 18e; H. Y-P. Hong, Mater. Res. Bull. 11, 173 (1976)); a hop leads from one to the
other through a window. Energies are those of a toy: ions repel each other as screened charges up to 5.5 angstrom, the framework holds Na1 0.11 eV below Na2, and the window
costs 0.36 eV. Nothing here was computed from first principles: the files show the way from hops to diffusivities, not a material.
"""
import itertools, math, random

A, C, X, Z = 8.80, 22.75, 0.639, 0.1456      # angstrom, hexagonal axes; positions of Na2 and of zirconium, which tells Na1 from Na2
STRENGTH, SCREENING, RANGE = 0.20, 2.0, 5.5   # eV at 3 angstrom, angstrom, angstrom
DEPTH, WINDOW = 0.11, 0.36        # eV

# Rhombohedral lattice vectors as rows.
VECTORS = [[A / math.sqrt(3) * math.cos(t), A / math.sqrt(3) * math.sin(t), C / 3] for t in (math.pi / 2, math.pi * 7 / 6, -math.pi / 6)]

def wrap(f): return [c % 1.0 for c in f]

def sites():
    """Fractional positions of Na1 and Na2 in the rhombohedral cell: 6b and 18e of R-3c."""
    x = hexagonal_to_rhombohedral([X, 0.0, 0.25])
    na1 = [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    turned = [[x[(k + shift) % 3] for k in range(3)] for shift in range(3)]
    na2 = turned + [[-c for c in p] for p in turned]
    return [wrap(p) for p in na1], [wrap(p) for p in na2]

def framework(n):
    """Zirconium, 12c of R-3c, in a supercell."""
    inside = [hexagonal_to_rhombohedral([0.0, 0.0, z]) for z in (Z, 0.5 - Z, -Z, 0.5 + Z)]
    return [[wrap(p)[k] + cell[k] for k in range(3)] for cell in itertools.product(range(n), repeat=3) for p in inside]

def hexagonal_to_rhombohedral(p):
    """Obverse setting: a_r = (2/3, 1/3, 1/3), (-1/3, 1/3, 1/3), (-1/3, -2/3, 1/3) of the hexagonal axes."""
    x, y, z = p
    return [x + z, -x + y + z, -y + z]

def cartesian(f): return [sum(f[k] * VECTORS[k][i] for k in range(3)) for i in range(3)]

def supercell(n):
    na1, na2 = sites()
    out = []
    for cell in itertools.product(range(n), repeat=3):
        for kind, list_ in ((1, na1), (2, na2)):
            out += [(kind, [p[k] + cell[k] for k in range(3)]) for p in list_]
    return out

def repulsion(a, b, n):
    """Screened repulsion of two ions, images included."""
    energy = 0.0
    d = [a[k] - b[k] for k in range(3)]
    for cell in itertools.product((-2, -1, 0, 1, 2), repeat=3):
        r = math.dist(cartesian([d[k] + n * cell[k] for k in range(3)]), (0, 0, 0))
        if 0.1 < r < RANGE:
            energy += STRENGTH * 3.0 / r * math.exp(-(r - 3.0) / SCREENING)
    return energy

def energy(ions, n, window=None):
    """Energy of ions on sites (kind, fractional), one more in the window."""
    places = [p for _, p in ions] + ([window] if window else [])
    total = sum(-DEPTH for kind, _ in ions if kind == 1) + (WINDOW - 0.5 * DEPTH if window else 0.0)
    return total + sum(repulsion(a, b, n) for a, b in itertools.combinations(places, 2))

def frame(ions, n, comment, extra=None):
    places = [p for _, p in ions] + ([extra] if extra else [])
    lattice = " ".join(f"{n * v:.7f}" for row in VECTORS for v in row)
    host = framework(n)
    lines = [str(len(host) + len(places)), f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 {comment}']
    atoms = [("Zr", p) for p in host] + [("Na", p) for p in places]
    return "\n".join(lines + [symbol + " " + " ".join(f"{c:.5f}" for c in cartesian(p)) for symbol, p in atoms]) + "\n"

def near(a, b, n):
    """The image of b nearest to a, fractional, with its distance."""
    best = None
    for cell in itertools.product((-1, 0, 1), repeat=3):
        q = [b[k] + n * cell[k] for k in range(3)]
        r = math.dist(cartesian(a), cartesian(q))
        if best is None or r < best[1]:
            best = (q, r)
    return best

def main():
    random.seed(1)
    with open("arrangements.extxyz", "w") as out:
        for n in (1, 2):
            places = supercell(n)
            full = len(places)
            counts = [full] if n == 1 else []
            counts += [random.randrange(1, full) for _ in range(40 if n == 1 else 20)]
            for count in counts:
                ions = sorted(random.sample(places, count), key=places.index)
                out.write(frame(ions, n, f"energy={energy(ions, n):.8f}"))
    with open("hops.extxyz", "w") as out:
        n, places = 2, supercell(2)
        for hop in range(45):
            while True:
                ions = random.sample(places, random.randrange(4, len(places) - 4))
                start = random.choice(ions)
                free = [p for p in places if p not in ions and p[0] != start[0]]
                ends = [p for p in free if near(start[1], p[1], n)[1] < 3.6]
                if ends:
                    break
            end = random.choice(ends)
            rest = [p for p in ions if p is not start]
            image, _ = near(start[1], end[1], n)
            window = [0.5 * (start[1][k] + image[k]) for k in range(3)]
            for state, here, extra in (("initial", rest + [start], None), ("saddle", rest, window), ("final", rest + [end], None)):
                comment = f"hop=h{hop:02d} state={state} energy={energy(here, n, extra):.8f}"
                out.write(frame(here, n, comment, extra))

if __name__ == "__main__":
    main()
