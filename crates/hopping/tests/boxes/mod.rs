//! The slow reference of the Green function: the master equation of a tagged atom and a vacancy in a periodic box, by conjugate gradients.

use scalade_crystal::{LatticeSite, Matrix3, NamedLattice, SiteGrid, norm, row_times};
use scalade_hopping::dilute::{TaggedAtom, VacancyCrystal, VacancyHop};
use scalade_hopping::gas::GasModel;

/// A crystal as users give it.
pub struct Crystal {
    pub lattice: Matrix3,
    pub basis: Vec<[f64; 3]>,
    pub dimensions: usize,
    pub hops: Vec<VacancyHop>,
}

impl Crystal {
    pub fn of(lattice: NamedLattice) -> Self {
        let mut dims = [1; 3];
        dims[..lattice.dimensions()].fill(4);
        let model =
            GasModel::new(lattice.vectors(), lattice.basis(), lattice.dimensions(), dims, &[], 1.0).unwrap();
        let hops = model
            .hops()
            .iter()
            .enumerate()
            .flat_map(|(from, list)| list.iter().map(move |h| VacancyHop { from, to: h.to, rate: 1.0 }));
        Self {
            lattice: lattice.vectors(),
            basis: lattice.basis(),
            dimensions: lattice.dimensions(),
            hops: hops.collect(),
        }
    }

    pub fn compiled(&self) -> VacancyCrystal {
        VacancyCrystal::new(self.lattice, self.basis.clone(), self.dimensions, &self.hops).unwrap()
    }

    fn vector(&self, from: usize, to: LatticeSite) -> [f64; 3] {
        let fractional = |a: usize| f64::from(to.cell[a]) + self.basis[to.basis][a] - self.basis[from][a];
        row_times(std::array::from_fn(fractional), &self.lattice)
    }

    /// Weights of the sublattices with mean 1, by iteration to equilibrium.
    fn weights(&self) -> Vec<f64> {
        let n = self.basis.len();
        let mut weights = vec![1.0; n];
        let fastest: f64 = self.hops.iter().map(|h| h.rate).sum();
        for _ in 0..20_000 {
            let mut next = weights.clone();
            for hop in &self.hops {
                let flow = weights[hop.from] * hop.rate / fastest;
                next[hop.from] -= flow;
                next[hop.to.basis] += flow;
            }
            weights = next;
        }
        weights
    }

    /// Shells about a site by the distance to the nearest image in any direction.
    fn distances(&self, count: usize) -> Vec<f64> {
        let mut all: Vec<f64> = Vec::new();
        let reach: [i32; 3] = std::array::from_fn(|a| if a < self.dimensions { 4 } else { 0 });
        for from in 0..self.basis.len() {
            for to in 0..self.basis.len() {
                for i in -reach[0]..=reach[0] {
                    for j in -reach[1]..=reach[1] {
                        for k in -reach[2]..=reach[2] {
                            all.push(norm(self.vector(from, LatticeSite { cell: [i, j, k], basis: to })));
                        }
                    }
                }
            }
        }
        all.retain(|d| *d > 1e-9);
        all.sort_by(f64::total_cmp);
        all.dedup_by(|a, b| *a - *b < 1e-6);
        all.truncate(count);
        all
    }
}

/// The value at infinite size of v(n) = v + sum_p c_p n^-p, from one size more than powers.
pub fn limit(sizes: &[usize], values: &[f64], powers: &[i32]) -> f64 {
    assert_eq!(sizes.len(), powers.len() + 1);
    let mut rows: Vec<Vec<f64>> = sizes
        .iter()
        .zip(values)
        .map(|(n, v)| {
            let mut row = vec![1.0];
            row.extend(powers.iter().map(|p| (sizes[0] as f64 / *n as f64).powi(*p)));
            row.push(*v);
            row
        })
        .collect();
    let n = rows.len();
    for p in 0..n {
        let pivot = rows[p].clone();
        for (k, row) in rows.iter_mut().enumerate() {
            let factor = row[p] / pivot[p];
            if k != p {
                for (x, above) in row.iter_mut().zip(&pivot) {
                    *x -= factor * above;
                }
            }
        }
    }
    rows[0][n] / rows[0][0]
}

/// A transition of the pair: its ends, the conductance, the displacements of the atom and of the vacancy.
type Transition = (usize, usize, f64, [f64; 3], [f64; 3]);

fn transitions(crystal: &Crystal, atom: &TaggedAtom, grid: &SiteGrid) -> Vec<Transition> {
    let count = atom.hops.iter().flat_map(|h| h.shells).max().unwrap_or(0).max(atom.binding_kt.len());
    let shells = crystal.distances(count);
    let weights = crystal.weights();
    let dims = grid.dims();
    let sites = grid.sites();
    // Shell of a site about an atom on a sublattice of cell 0, by its nearest image.
    let shell = |tag: usize, site: usize| -> usize {
        let at = grid.site(site);
        let mut nearest = f64::INFINITY;
        for image in 0..27 {
            let shift = [image / 9 - 1, image / 3 % 3 - 1, image % 3 - 1];
            let cell = std::array::from_fn(|a| {
                at.cell[a] + if a < crystal.dimensions { shift[a] * dims[a] as i32 } else { 0 }
            });
            nearest = nearest.min(norm(crystal.vector(tag, LatticeSite { cell, basis: at.basis })));
        }
        shells.iter().position(|s| (nearest - s).abs() < 1e-6).map_or(0, |k| k + 1)
    };
    let energy = |s: usize| if s == 0 { 0.0 } else { atom.binding_kt.get(s - 1).copied().unwrap_or(0.0) };
    let mut out = Vec::new();
    for tag in 0..grid.basis() {
        let number: Vec<usize> = (0..sites).map(|s| shell(tag, s)).collect();
        for site in (0..sites).filter(|s| *s != tag) {
            let basis = site % grid.basis();
            for hop in crystal.hops.iter().filter(|h| h.from == basis) {
                let end = grid.offset(site, hop.to);
                let vector = crystal.vector(basis, hop.to);
                let conductance = weights[basis] * hop.rate;
                let start = tag * sites + site;
                let (from, to) = (number[site], number[end]);
                if end == tag {
                    // The atom goes to the vacancy's site; the frame goes with it.
                    let (home, at) = (grid.site(tag), grid.site(site));
                    let cell = std::array::from_fn(|a| home.cell[a] - at.cell[a]);
                    let seen = grid.index(LatticeSite { cell, basis: tag });
                    let c = conductance * atom.exchange * (-energy(from)).exp();
                    out.push((start, basis * sites + seen, c, vector.map(|v| -v), vector));
                } else {
                    let named = |h: &&scalade_hopping::dilute::ShellHop| {
                        h.shells == [from, to] || h.shells == [to, from]
                    };
                    let factor = atom.hops.iter().find(named).map_or(1.0, |h| h.factor);
                    let c = conductance * factor * (-0.5 * (energy(from) + energy(to))).exp();
                    out.push((start, tag * sites + end, c, [0.0; 3], vector));
                }
            }
        }
    }
    out
}

/// L of atom with atom, of atom with vacancy, and what the atom adds to that of the vacancy, all over c_t c_v, in a box of `size` cells along each dimension.
pub fn periodic_box(crystal: &Crystal, atom: &TaggedAtom, size: usize) -> [Matrix3; 3] {
    let mut dims = [1; 3];
    dims[..crystal.dimensions].fill(size);
    let grid = SiteGrid::new(dims, crystal.basis.len()).unwrap();
    let all = transitions(crystal, atom, &grid);
    let blocks = grid.basis() as f64;
    let states = grid.sites() * grid.basis();
    let of = |t: &Transition, side: usize| if side < 3 { t.3[side] } else { t.4[side - 3] };
    let mut sources = vec![vec![0.0; states]; 6];
    for t in &all {
        for (side, source) in sources.iter_mut().enumerate() {
            source[t.0] += t.2 * of(t, side);
        }
    }
    let potentials: Vec<Vec<f64>> = sources.iter().map(|q| solve(&all, q)).collect();
    let element = |a: usize, b: usize| -> f64 {
        let direct: f64 = all.iter().map(|t| 0.5 * t.2 * of(t, a) * of(t, b)).sum();
        let back: f64 = sources[a].iter().zip(&potentials[b]).map(|(q, p)| q * p).sum();
        (direct - back) / blocks
    };
    let bulk = crystal.compiled();
    let free = scalade_hopping::dilute::dilute_transport(&bulk, &TaggedAtom::alike()).unwrap().vacancy;
    let sites = grid.sites() as f64;
    let tensor = |value: &dyn Fn(usize, usize) -> f64| -> Matrix3 {
        std::array::from_fn(|i| std::array::from_fn(|j| value(i, j)))
    };
    [
        tensor(&|i, j| element(i, j)),
        tensor(&|i, j| element(i, 3 + j)),
        tensor(&|i, j| element(3 + i, 3 + j) - sites * free[i][j]),
    ]
}

/// Conjugate gradients with the diagonal as preconditioner.
fn solve(all: &[Transition], source: &[f64]) -> Vec<f64> {
    let n = source.len();
    let mut diagonal = vec![0.0; n];
    for t in all {
        diagonal[t.0] += t.2;
    }
    let apply = |x: &[f64]| {
        let mut y = vec![0.0; n];
        for t in all {
            y[t.0] += t.2 * (x[t.0] - x[t.1]);
        }
        y
    };
    // States without transitions (the vacancy on the atom) take no part.
    let scaled = |r: &[f64]| -> Vec<f64> {
        r.iter().zip(&diagonal).map(|(r, d)| if *d > 0.0 { r / d } else { 0.0 }).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let (mut x, mut r) = (vec![0.0; n], source.to_vec());
    let mut z = scaled(&r);
    let mut p = z.clone();
    let mut rho = dot(&r, &z);
    let first = rho;
    for _ in 0..20_000 {
        if rho <= 1e-26 * first || rho < 1e-28 {
            break;
        }
        let image = apply(&p);
        let alpha = rho / dot(&p, &image);
        for k in 0..n {
            x[k] += alpha * p[k];
            r[k] -= alpha * image[k];
        }
        z = scaled(&r);
        let next = dot(&r, &z);
        for k in 0..n {
            p[k] = z[k] + next / rho * p[k];
        }
        rho = next;
    }
    x
}
