//! The states near the tagged atom, the linear system on them, and the transport coefficients.

use super::crystal::VacancyCrystal;
use super::kernel::{Wanted, kernel};
use crate::HoppingError;
use crate::error::positive;
use crate::gas::MOST_SHELLS;
use scalade_crystal::{LatticeSite, Matrix3, inverse, norm, row_times};
use std::collections::BTreeMap;

/// Distances closer than this, relative, are one shell.
const SHELL_TOLERANCE: f64 = 1e-5;
/// Largest binding energy, kT.
const LARGEST_BINDING: f64 = 30.0;
/// Most states near the atom.
const MOST_STATES: usize = 1500;
/// Points along every coordinate of the first quadrature; each next one has a quarter more.
const FIRST_ORDER: usize = 12;
/// Most evaluations of the kernel (points times elements) of a quadrature.
const MOST_EVALUATIONS: f64 = 4e9;
/// Change of the coefficients, relative to the largest uncorrelated one, at which the quadrature ends, and the largest that is let through.
const TOLERANCES: [f64; 2] = [1e-12, 1e-8];
/// Factor of a conductance from which its current is an unknown of its own.
const FAST: f64 = 10.0;
/// Rounding of the linear system, relative.
const ROUNDING: f64 = 1e-13;

/// A factor of the rates of hops of the vacancy from one shell about the tagged atom to another, both ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShellHop {
    /// Numbers of the shells, from 1 for the nearest; 0 stands for all sites farther than the named shells.
    pub shells: [usize; 2],
    /// The factor.
    pub factor: f64,
}

/// What the vacancy does near the tagged atom. It hops from x to y at the rate factor w0 e^(-(E_y - E_x)/2kT), with w0 that of the perfect crystal and E the
/// binding energies; it exchanges with the tagged atom at `exchange` times w0. The atom itself has the same energy on all sublattices.
///
/// The five frequencies of fcc (A. B. Lidiard, Phil. Mag. 46, 1218 (1955)) are w2 = exchange w0, w1 = factor w0 of the hops within shell 1, and for the hops
/// between shell 1 and farther sites (0) w3 = factor w0 e^(E_1/2kT) away from the atom and w4 = factor w0 e^(-E_1/2kT) towards it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaggedAtom {
    /// Rate of its exchange with a neighbouring vacancy over that of the atoms of the crystal.
    pub exchange: f64,
    /// Energy of the vacancy in the nearest shells about it, kT; negative binds.
    pub binding_kt: Vec<f64>,
    /// Factors of the vacancy's hops about it.
    pub hops: Vec<ShellHop>,
}

impl TaggedAtom {
    /// An atom of the crystal, told apart by nothing but its tag.
    pub fn alike() -> Self {
        Self { exchange: 1.0, binding_kt: Vec::new(), hops: Vec::new() }
    }

    fn shells(&self) -> usize {
        self.hops.iter().flat_map(|h| h.shells).max().unwrap_or(0).max(self.binding_kt.len())
    }

    fn check(&self) -> Result<(), HoppingError> {
        let parameter = |what, value, want| Err(HoppingError::Parameter { what, value, want });
        positive("exchange rate over that of the crystal", self.exchange)?;
        if self.shells() > MOST_SHELLS {
            return parameter("shells about the tagged atom", self.shells() as f64, "at most 8 are possible");
        }
        let bound = |e: &&f64| !e.is_finite() || e.abs() > LARGEST_BINDING;
        if let Some(value) = self.binding_kt.iter().find(bound) {
            return parameter("binding energy (kT)", *value, "a finite number within +-30 kT is due");
        }
        for (k, hop) in self.hops.iter().enumerate() {
            positive("factor of a hop between shells", hop.factor)?;
            if hop.shells == [0, 0] {
                return parameter(
                    "index of a hop beyond all shells",
                    k as f64,
                    "its rate is that of the crystal",
                );
            }
            let same = |o: &ShellHop| {
                o.shells == hop.shells || (o.shells[0] == hop.shells[1] && o.shells[1] == hop.shells[0])
            };
            if self.hops[..k].iter().any(same) {
                return parameter("index of a hop between shells given before", k as f64, "give each once");
            }
        }
        Ok(())
    }

    fn factor(&self, from: usize, to: usize) -> f64 {
        let found = self.hops.iter().find(|h| h.shells == [from, to] || h.shells == [to, from]);
        found.map_or(1.0, |h| h.factor)
    }

    fn energy(&self, shell: usize) -> f64 {
        shell.checked_sub(1).and_then(|k| self.binding_kt.get(k)).copied().unwrap_or(0.0)
    }
}

/// Transport coefficients in the limit of few vacancies and few tagged atoms, in squared lengths of the lattice times the unit of the rates. Concentrations are site fractions: c_v of
/// the vacancies far from tagged atoms, c_t of the tagged atoms; fluxes are J = -L grad(mu/kT).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiluteTransport {
    /// Diffusivity of a vacancy in the perfect crystal, D_v: L_vv = c_v D_v.
    pub vacancy: Matrix3,
    /// Its uncorrelated part.
    pub vacancy_uncorrelated: Matrix3,
    /// Diffusivity of a tagged atom over c_v: L_tt = c_t c_v times it.
    pub tagged: Matrix3,
    /// Its uncorrelated part.
    pub tagged_uncorrelated: Matrix3,
    /// L_tv over c_t c_v: row of the tagged atom, column of the vacancy.
    pub tagged_vacancy: Matrix3,
    /// What the tagged atoms add to L_vv, over c_t c_v.
    pub vacancy_correction: Matrix3,
    /// Largest error of an element of `tagged`: the change at the last refinement of the quadrature, and rounding.
    pub tagged_error: f64,
    /// The same of the two tensors of the vacancy about tagged atoms.
    pub vacancy_error: f64,
    /// Points of the quadrature along each coordinate.
    pub order: usize,
}

impl DiluteTransport {
    /// Tracer correlation factor f = tr D / tr D_uncorrelated.
    pub fn correlation_factor(&self) -> f64 {
        trace(&self.tagged) / trace(&self.tagged_uncorrelated)
    }

    /// Correlation factor along an axis, D_aa over its uncorrelated part; none where the atom does not move along it.
    pub fn correlation_factor_along(&self, axis: usize) -> Option<f64> {
        let uncorrelated = self.tagged_uncorrelated[axis][axis];
        let moves = uncorrelated > 1e-12 * trace(&self.tagged_uncorrelated);
        moves.then(|| self.tagged[axis][axis] / uncorrelated)
    }

    /// Correlation tensor f with D = f D_uncorrelated, on the first `dimensions` axes; none where there is an axis without motion.
    pub fn correlation_tensor(&self, dimensions: usize) -> Option<Matrix3> {
        let mut uncorrelated = self.tagged_uncorrelated;
        let scale = trace(&uncorrelated);
        for (axis, row) in uncorrelated.iter_mut().enumerate() {
            row[axis] = if axis < dimensions { row[axis] } else { scale };
        }
        let inverse = inverse(&uncorrelated)?;
        // The condition of a tensor with an axis along which nothing moves.
        if largest(&[&inverse]) * scale > 1e12 {
            return None;
        }
        Some(self.tagged.map(|row| row_times(row, &inverse)))
    }

    /// Error of the correlation factors.
    pub fn correlation_error(&self) -> f64 {
        3.0 * self.tagged_error / trace(&self.tagged_uncorrelated)
    }
}

fn trace(m: &Matrix3) -> f64 {
    m[0][0] + m[1][1] + m[2][2]
}

/// A bond whose conductance or displacement differs from that of the perfect crystal.
struct Change {
    ends: [usize; 2],
    /// Change of the conductance in A.
    stiffness: f64,
    /// Change of the conductance in sums over displacements.
    amount: f64,
    vacancy: [f64; 3],
    tagged: [f64; 3],
    /// Whether its current is an unknown of its own, so that nothing cancels where it is fast.
    own_current: bool,
}

/// The states at the ends of the changed bonds.
#[derive(Default)]
struct States {
    list: Vec<(usize, LatticeSite)>,
    index: BTreeMap<(usize, LatticeSite), usize>,
    changes: Vec<Change>,
}

impl States {
    fn of(&mut self, tag: usize, site: LatticeSite) -> usize {
        let next = self.list.len();
        let list = &mut self.list;
        *self.index.entry((tag, site)).or_insert_with(|| {
            list.push((tag, site));
            next
        })
    }
}

/// Shells about the sites of every sublattice: number of the shell, from 1, of each site within the outermost one.
fn shells(crystal: &VacancyCrystal, count: usize) -> Result<Vec<BTreeMap<LatticeSite, usize>>, HoppingError> {
    if count == 0 {
        return Ok(vec![BTreeMap::new(); crystal.sublattices()]);
    }
    let extent = crystal.lattice()[..crystal.dimensions()].iter().map(|v| norm(*v));
    let mut cutoff = extent.fold(0.0, f64::max);
    for _ in 0..8 {
        let near = crate::network::sites_within(crystal.lattice(), crystal.basis(), cutoff)?;
        let flat = |s: &LatticeSite| s.cell[crystal.dimensions()..].iter().all(|c| *c == 0);
        let mut lengths: Vec<f64> = near.iter().flatten().filter(|n| flat(&n.0)).map(|n| norm(n.1)).collect();
        lengths.sort_by(f64::total_cmp);
        lengths.dedup_by(|a, b| *a - *b <= SHELL_TOLERANCE * *b);
        if lengths.len() > count {
            let number =
                |length: f64| lengths[..count].iter().position(|l| (length - l).abs() <= SHELL_TOLERANCE * l);
            let of = |list: &Vec<(LatticeSite, [f64; 3])>| -> BTreeMap<LatticeSite, usize> {
                let named = list.iter().filter(|n| flat(&n.0));
                named.filter_map(|n| Some((n.0, number(norm(n.1))? + 1))).collect()
            };
            return Ok(near.iter().map(of).collect());
        }
        cutoff *= 1.5;
    }
    Err(HoppingError::NoBonds { cutoff_angstrom: cutoff })
}

fn states(crystal: &VacancyCrystal, atom: &TaggedAtom) -> Result<States, HoppingError> {
    let shells = shells(crystal, atom.shells())?;
    let mut states = States::default();
    let still = [0.0; 3];
    for (tag, named) in shells.iter().enumerate() {
        let home = LatticeSite { cell: [0; 3], basis: tag };
        let shell = |site: &LatticeSite| named.get(site).copied().unwrap_or(0);
        // Bonds to the site of the atom: cut but for one, which carries no current and keeps the site in the system.
        let at_home = states.of(tag, home);
        for (k, (site, conductance, vector)) in crystal.hops_of(home).enumerate() {
            let end = states.of(tag, site);
            states.changes.push(Change {
                ends: [at_home, end],
                stiffness: if k == 0 { 0.0 } else { -conductance },
                amount: -conductance,
                vacancy: crystal.shifted(tag, site.basis, vector),
                tagged: still,
                own_current: false,
            });
            // The vacancy goes home and the atom the other way.
            let exchanged = (site.basis, LatticeSite { cell: site.cell.map(|c| -c), basis: tag });
            if (tag, site) > exchanged {
                continue;
            }
            let amount = conductance * atom.exchange * (-atom.energy(shell(&site))).exp();
            let other = states.of(exchanged.0, exchanged.1);
            let back = vector.map(|v| -v);
            states.changes.push(Change {
                ends: [end, other],
                stiffness: amount,
                amount,
                vacancy: crystal.shifted(site.basis, tag, back),
                tagged: vector,
                own_current: true,
            });
        }
        for site in named.keys() {
            for (end, conductance, vector) in crystal.hops_of(*site) {
                // A bond between two named sites is met from both.
                if end == home || (shell(&end) > 0 && end < *site) {
                    continue;
                }
                let energies = atom.energy(shell(site)) + atom.energy(shell(&end));
                let factor = atom.factor(shell(site), shell(&end)) * (-0.5 * energies).exp();
                if factor == 1.0 {
                    continue;
                }
                let ends = [states.of(tag, *site), states.of(tag, end)];
                let amount = conductance * (factor - 1.0);
                let vacancy = crystal.shifted(site.basis, end.basis, vector);
                let own_current = factor > FAST;
                states.changes.push(Change {
                    ends,
                    stiffness: amount,
                    amount,
                    vacancy,
                    tagged: still,
                    own_current,
                });
            }
        }
        if states.list.len() > MOST_STATES {
            let want = "at most 1500 are possible; name fewer shells";
            let value = states.list.len() as f64;
            return Err(HoppingError::Parameter { what: "states near the tagged atom", value, want });
        }
    }
    Ok(states)
}

/// Which elements of the kernel the states need, and where each pair of states finds its own.
fn wanted(states: &States) -> (Wanted, Vec<usize>) {
    let n = states.list.len();
    let mut numbers: BTreeMap<(usize, usize, [i32; 3]), usize> = BTreeMap::new();
    let mut keys = vec![None; n * n];
    for (x, (tag, a)) in states.list.iter().enumerate() {
        for (y, (other, b)) in states.list.iter().enumerate() {
            if tag != other {
                continue;
            }
            // g_ij(R) = g_ji(-R).
            let cell: [i32; 3] = std::array::from_fn(|k| a.cell[k] - b.cell[k]);
            let key = (a.basis, b.basis, cell).min((b.basis, a.basis, cell.map(|c| -c)));
            numbers.insert(key, 0);
            keys[x * n + y] = Some(key);
        }
    }
    let mut out = Wanted::default();
    for ((i, j, cell), number) in &mut numbers {
        *number = out.cells.len();
        out.cells.push(*cell);
        match out.groups.last_mut() {
            Some((a, b, range)) if (*a, *b) == (*i, *j) => range.end += 1,
            _ => out.groups.push((*i, *j, *number..*number + 1)),
        }
    }
    let place = keys.iter().map(|k| k.as_ref().map_or(usize::MAX, |k| numbers[k])).collect();
    (out, place)
}

/// Displacements: the three axes of the tagged atom, then those of the vacancy.
const SIDES: usize = 6;

fn displacement(change: &Change, side: usize) -> f64 {
    if side < 3 { change.tagged[side] } else { change.vacancy[side - 3] }
}

/// Solves the system of the module's documentation. Gives, for every change and side b, what stands beside d_a in L_ab = sum d_a j_b: the change of the current
/// j_b = c (d_b - phi_b(start) + phi_b(end)).
///
/// Unknowns are u, the constants, and the currents j of fast bonds, for which d - phi(start) + phi(end) - j/c = 0 stays well posed at any c.
fn currents(
    crystal: &VacancyCrystal,
    states: &States,
    place: &[usize],
    g: &[f64],
) -> Result<Vec<[f64; SIDES]>, HoppingError> {
    let (n, blocks) = (states.list.len(), crystal.sublattices());
    let own: Vec<usize> = (0..states.changes.len()).filter(|k| states.changes[*k].own_current).collect();
    let order = n + blocks + own.len();
    let at = |x: usize, y: usize| g.get(place[x * n + y]).copied().unwrap_or(0.0);
    // Rows of the system with their right-hand sides behind.
    let mut rows = vec![vec![0.0; order + SIDES]; order];
    for x in 0..n {
        rows[x][x] = 1.0;
        let tag = states.list[x].0;
        // The sum over all blocks is zero by itself: the first constant is free.
        if tag > 0 {
            rows[n + tag][x] = 1.0;
        }
    }
    rows[n][n] = 1.0;
    // phi(start) - phi(end) of a bond, as a row.
    let drop = |change: &Change| -> Vec<f64> {
        let [a, b] = change.ends;
        let mut row: Vec<f64> = (0..n).map(|y| at(a, y) - at(b, y)).collect();
        row.resize(n + blocks, 0.0);
        row[n + states.list[a].0] += 1.0;
        row[n + states.list[b].0] -= 1.0;
        row
    };
    for change in states.changes.iter().filter(|c| !c.own_current) {
        let [a, b] = change.ends;
        for (y, value) in drop(change).into_iter().enumerate() {
            rows[a][y] += change.stiffness * value;
            rows[b][y] -= change.stiffness * value;
        }
        for side in 0..SIDES {
            let value = change.amount * displacement(change, side);
            rows[a][order + side] += value;
            rows[b][order + side] -= value;
        }
    }
    for (k, change) in own.iter().map(|k| &states.changes[*k]).enumerate() {
        let column = n + blocks + k;
        rows[change.ends[0]][column] -= 1.0;
        rows[change.ends[1]][column] += 1.0;
        rows[column][..n + blocks].copy_from_slice(&drop(change));
        rows[column][column] = 1.0 / change.amount;
        for side in 0..SIDES {
            rows[column][order + side] = displacement(change, side);
        }
    }
    eliminate(&mut rows)?;
    let mut numbers = own.iter().zip(n + blocks..);
    let mut next = numbers.next();
    let of = |(k, change): (usize, &Change)| -> [f64; SIDES] {
        if let Some((_, row)) = next.filter(|o| *o.0 == k) {
            next = numbers.next();
            return std::array::from_fn(|side| rows[row][order + side]);
        }
        let drop = drop(change);
        std::array::from_fn(|side| {
            let fall: f64 = drop.iter().zip(&rows).map(|(d, row)| d * row[order + side]).sum();
            change.amount * (displacement(change, side) - fall)
        })
    };
    Ok(states.changes.iter().enumerate().map(of).collect())
}

/// Gauss-Jordan elimination with partial pivoting of a square matrix with right-hand sides behind; these become the solutions.
fn eliminate(rows: &mut [Vec<f64>]) -> Result<(), HoppingError> {
    let n = rows.len();
    for p in 0..n {
        let best = (p..n).max_by(|a, b| rows[*a][p].abs().total_cmp(&rows[*b][p].abs())).unwrap_or(p);
        rows.swap(p, best);
        let pivot = rows[p][p];
        if !(pivot.abs() > 1e-300 && pivot.is_finite()) {
            return Err(HoppingError::NotConverged {
                what: "the system of the states near the tagged atom",
                iterations: p,
                residual: pivot,
            });
        }
        for value in &mut rows[p][p..] {
            *value /= pivot;
        }
        let row = std::mem::take(&mut rows[p]);
        for other in rows.iter_mut().filter(|r| !r.is_empty() && r[p] != 0.0) {
            let factor = other[p];
            for (value, above) in other[p..].iter_mut().zip(&row[p..]) {
                *value -= factor * above;
            }
        }
        rows[p] = row;
    }
    Ok(())
}

/// Transport of a tagged atom and the vacancies about it, to a relative error of 1e-12 where rounding lets it.
///
/// Errors: parameters out of range, too many states, or an anisotropy that the quadrature does not reach (NotConverged with the change of the last refinement).
pub fn dilute_transport(
    crystal: &VacancyCrystal,
    atom: &TaggedAtom,
) -> Result<DiluteTransport, HoppingError> {
    atom.check()?;
    let states = states(crystal, atom)?;
    let (wanted, place) = wanted(&states);
    let blocks = crystal.sublattices() as f64;
    // Elements (a, b) of the sums of the displacements over the changed bonds.
    let direct = |a: usize, b: usize| {
        let of = |c: &Change| c.amount * displacement(c, a) * displacement(c, b);
        states.changes.iter().map(of).sum::<f64>() / blocks
    };
    let tensor = |value: &dyn Fn(usize, usize) -> f64, row: usize, column: usize| -> Matrix3 {
        std::array::from_fn(|i| std::array::from_fn(|j| value(row + i, column + j)))
    };
    let (vacancy, vacancy_uncorrelated) = crystal.vacancy_diffusivity();
    let tagged_uncorrelated = tensor(&direct, 0, 0);
    let at_order = |order: usize| -> Result<DiluteTransport, HoppingError> {
        let g = kernel(crystal, &wanted, order);
        let currents = currents(crystal, &states, &place, &g)?;
        let value = |a: usize, b: usize| {
            let product = |a: usize, b: usize| -> f64 {
                states.changes.iter().zip(&currents).map(|(c, j)| displacement(c, a) * j[b]).sum()
            };
            0.5 * (product(a, b) + product(b, a)) / blocks
        };
        Ok(DiluteTransport {
            vacancy,
            vacancy_uncorrelated,
            tagged: tensor(&value, 0, 0),
            tagged_uncorrelated,
            tagged_vacancy: tensor(&value, 0, 3),
            vacancy_correction: tensor(&value, 3, 3),
            tagged_error: f64::INFINITY,
            vacancy_error: f64::INFINITY,
            order,
        })
    };
    refine(crystal.dimensions(), wanted.cells.len() + crystal.sublattices().pow(3), &at_order)
}

fn largest(tensors: &[&Matrix3]) -> f64 {
    let values = tensors.iter().flat_map(|t| t.iter().flatten());
    values.fold(0.0, |most: f64, v| if v.is_nan() { f64::INFINITY } else { most.max(v.abs()) })
}

fn less(a: &Matrix3, b: &Matrix3) -> Matrix3 {
    std::array::from_fn(|i| std::array::from_fn(|j| a[i][j] - b[i][j]))
}

/// Raises the order until the coefficients stay.
fn refine(
    dimensions: usize,
    elements: usize,
    at_order: &dyn Fn(usize) -> Result<DiluteTransport, HoppingError>,
) -> Result<DiluteTransport, HoppingError> {
    let mut last = at_order(FIRST_ORDER)?;
    let mut order = FIRST_ORDER;
    let mut refinements = 0;
    loop {
        order += order.div_ceil(4);
        let mut next = at_order(order)?;
        refinements += 1;
        // A fast atom is no faster than the vacancy that it waits for.
        let (slow, fast) = (largest(&[&next.vacancy_uncorrelated]), largest(&[&next.tagged_uncorrelated]));
        let scales = [
            slow * fast / (slow + fast),
            slow.max(largest(&[&next.tagged_vacancy, &next.vacancy_correction])),
        ];
        let changes = [
            largest(&[&less(&next.tagged, &last.tagged)]),
            largest(&[
                &less(&next.tagged_vacancy, &last.tagged_vacancy),
                &less(&next.vacancy_correction, &last.vacancy_correction),
            ]),
        ];
        next.tagged_error = changes[0] + ROUNDING * scales[0];
        next.vacancy_error = changes[1] + ROUNDING * scales[1];
        let change = (changes[0] / scales[0]).max(changes[1] / scales[1]);
        if change <= TOLERANCES[0] {
            return Ok(next);
        }
        let due = order + order.div_ceil(4);
        if (due as f64).powi(dimensions as i32) * (dimensions * elements) as f64 > MOST_EVALUATIONS {
            if change <= TOLERANCES[1] {
                return Ok(next);
            }
            return Err(HoppingError::NotConverged {
                what: "the integral over the Brillouin zone (rates or axes may differ too much)",
                iterations: refinements,
                residual: change,
            });
        }
        last = next;
    }
}
