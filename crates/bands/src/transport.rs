//! Boltzmann transport in the relaxation-time approximation, with the error of the Brillouin-zone integration.
//!
//! With Xi_ij(E) the transport distribution per volume, e > 0 and energies from the chemical potential mu,
//!
//! K_n = int Xi (E - mu)^n (-df/dE) dE, sigma = e^2 K_0, S = -K_0^-1 K_1 / (e T), kappa_e = (K_2 - K_1 K_0^-1 K_1) / T
//!
//! (N. W. Ashcroft, N. D. Mermin, Solid State Physics (1976), chapter 13). S < 0 where electrons carry; kappa_e is the heat conductivity at zero current,
//! S sigma S T taken off. Tensors are Cartesian, in the axes of the lattice vectors. The relaxation-time approximation with given times is all that is
//! here: the times themselves are inputs.
//!
//! Integrals are sums over uniform grids. For smooth periodic integrands these converge faster than any power of the spacing once a grid step changes energies by less
//! than a few kT; how dense that is depends on the bands, not on how they were interpolated. Grids are refined by about 3/2 until two in
//! succession agree to the error asked for, or a bound is met; the result says which, and gives the differences.

use crate::constants::{ANGSTROM, REDUCED_PLANCK};
use crate::distribution::{Distribution, Gap, Mesh, accumulate};
use crate::error::{BandsError, positive, refuse, within};
use crate::field::Bands;
use crate::relaxation::RelaxationTime;
use crate::symmetry::{Grid, MOST_POINTS, cell_volume, even_divisions, full_tensor, lattice_inverse};
use nalgebra::Matrix3 as Tensor;
use scalade_crystal::{Matrix3, norm};
use scalade_units::constants::{BOLTZMANN_EV, ELEMENTARY_CHARGE};

/// States further from the chemical potential, in kT, neither conduct nor are partly filled: e^-40.
const REACH: f64 = 40.0;
/// e^-745 is the smallest number of a double.
const UNDERFLOW: f64 = 745.0;
/// A conductivity below this share of the largest is none.
const CONDUCTS: f64 = 1e-12;

/// What fixes the chemical potential.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// The chemical potential itself, eV, on the scale of the bands.
    Potential(f64),
    /// Electrons per cell in these bands: `neutral` + `added`. Apart, so that a few carriers over a filled band keep their digits.
    /// Rigid-band insertion of x ions of charge +1 adds x electrons.
    Electrons {
        /// Electrons of the neutral or filled cell.
        neutral: f64,
        /// Electrons added (holes: below zero).
        added: f64,
    },
}

/// Where transport is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// Chemical potential or electron count.
    pub level: Level,
    /// Temperature, K.
    pub temperature_k: f64,
}

/// How far to refine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refinement {
    /// Relative error wanted of conductivity and heat conductivity.
    pub relative_error: f64,
    /// Error wanted of the Seebeck coefficient, V/K.
    pub seebeck_error: f64,
    /// Points along the longest reciprocal vector of the first grid.
    pub first_divisions: usize,
    /// Most points of a grid before its reduction by symmetry; two grids are summed in any case.
    pub most_points: usize,
}

impl Default for Refinement {
    fn default() -> Self {
        Self { relative_error: 1e-3, seebeck_error: 1e-7, first_divisions: 16, most_points: 8_000_000 }
    }
}

/// Transport at one condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransportPoint {
    /// Temperature, K.
    pub temperature_k: f64,
    /// Chemical potential, eV.
    pub potential_ev: f64,
    /// Electrons per cell in these bands.
    pub electrons: f64,
    /// Where the potential is in or near a gap: electrons above and holes below its middle, per cell.
    pub carriers: Option<(f64, f64)>,
    /// Conductivity, S/m (sigma/tau in S/(m s) with times of 1 s).
    pub conductivity: Matrix3,
    /// Seebeck tensor, V/K; zero in directions that do not conduct, where it has no value.
    pub seebeck: Matrix3,
    /// Electronic heat conductivity at zero current, W/(m K).
    pub heat_conductivity: Matrix3,
    /// tr kappa_e / (T tr sigma), V^2/K^2.
    pub lorenz: f64,
    /// Independent directions that conduct, 1 to 3.
    pub conducting: usize,
}

/// Estimated errors of a [`TransportPoint`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransportError {
    /// Of the conductivity, over its norm.
    pub conductivity_relative: f64,
    /// Largest of a component of the Seebeck tensor, V/K.
    pub seebeck: f64,
    /// Of the heat conductivity, over its norm.
    pub heat_relative: f64,
    /// Of the chemical potential, eV (0 where it was given).
    pub potential_ev: f64,
    /// Of the electron count.
    pub electrons: f64,
    /// Of each component of the conductivity, S/m.
    pub conductivity: Matrix3,
    /// Of each component of the Seebeck tensor, V/K.
    pub seebeck_tensor: Matrix3,
    /// Of each component of the heat conductivity, W/(m K).
    pub heat: Matrix3,
}

impl TransportError {
    fn every(value: f64) -> Self {
        Self {
            conductivity_relative: value,
            seebeck: value,
            heat_relative: value,
            potential_ev: value,
            electrons: value,
            conductivity: [[value; 3]; 3],
            seebeck_tensor: [[value; 3]; 3],
            heat: [[value; 3]; 3],
        }
    }

    /// Differences of two results.
    pub fn between(a: &TransportPoint, b: &TransportPoint) -> Self {
        let size = |m: &Matrix3| distance(m, &[[0.0; 3]; 3]);
        Self {
            conductivity_relative: distance(&a.conductivity, &b.conductivity) / size(&b.conductivity),
            seebeck: largest(&a.seebeck, &b.seebeck),
            heat_relative: distance(&a.heat_conductivity, &b.heat_conductivity) / size(&b.heat_conductivity),
            potential_ev: (a.potential_ev - b.potential_ev).abs(),
            electrons: (a.electrons - b.electrons).abs(),
            conductivity: each(&a.conductivity, &b.conductivity, |a, b| (a - b).abs()),
            seebeck_tensor: each(&a.seebeck, &b.seebeck, |a, b| (a - b).abs()),
            heat: each(&a.heat_conductivity, &b.heat_conductivity, |a, b| (a - b).abs()),
        }
    }
}

fn each(a: &Matrix3, b: &Matrix3, of: impl Fn(f64, f64) -> f64) -> Matrix3 {
    std::array::from_fn(|i| std::array::from_fn(|j| of(a[i][j], b[i][j])))
}

/// Transport at all conditions, from the densest grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Transport {
    /// One per condition.
    pub points: Vec<TransportPoint>,
    /// One per condition: the difference of the last two grids, at least a tenth of the difference before.
    pub errors: Vec<TransportError>,
    /// Points along each reciprocal vector of the grids, in order.
    pub grids: Vec<[usize; 3]>,
    /// Whether the errors are below those wanted. If not, the bound on the number of points was met.
    pub converged: bool,
    /// Lowest and highest energy of each band on the last grid, eV.
    pub edges_ev: Vec<[f64; 2]>,
}

fn check(conditions: &[Condition], capacity: f64, settings: &Refinement) -> Result<(), BandsError> {
    if conditions.is_empty() || conditions.len() > 100_000 {
        let want = "1 to 100000 conditions are due";
        return Err(BandsError::Count { what: "conditions", got: conditions.len(), expected: 1, want });
    }
    for condition in conditions {
        let t = condition.temperature_k;
        if !(1e-3..=1e5).contains(&t) {
            return refuse("the temperature (K)", t, "0.001 to 100000 K is due");
        }
        match condition.level {
            Level::Potential(mu) if !within(mu, 1e5) => {
                return refuse("the chemical potential (eV)", mu, "a finite energy is due");
            }
            Level::Electrons { neutral, added } => {
                let electrons = neutral + added;
                if !(electrons >= 0.0 && electrons <= capacity) || electrons == 0.0 || electrons == capacity {
                    return Err(BandsError::Electrons { electrons, capacity });
                }
            }
            Level::Potential(_) => {}
        }
    }
    positive("the relative error wanted", settings.relative_error)?;
    positive("the error of the Seebeck coefficient wanted (V/K)", settings.seebeck_error)?;
    if !(2..=4096).contains(&settings.first_divisions) {
        return refuse(
            "the divisions of the first grid",
            settings.first_divisions as f64,
            "2 to 4096 is due",
        );
    }
    if settings.most_points > MOST_POINTS {
        return refuse("the most points of a grid", settings.most_points as f64, "at most 2^30 is due");
    }
    Ok(())
}

/// Transport at the conditions, grids refined as `settings` say.
///
/// Errors: conditions out of range, more electrons than the bands hold, [`BandsError::NoCarriers`] where nothing conducts, and those of the bands.
pub fn transport(
    bands: &dyn Bands,
    conditions: &[Condition],
    tau: &RelaxationTime,
    settings: &Refinement,
) -> Result<Transport, BandsError> {
    let capacity = bands.spin_degeneracy() * bands.bands() as f64;
    check(conditions, capacity, settings)?;
    let mut longest = settings.first_divisions;
    let mut run = Run { bands, conditions, tau, last: None };
    let mut grids: Vec<[usize; 3]> = Vec::new();
    let mut previous: Option<Vec<Result<TransportPoint, BandsError>>> = None;
    let (mut errors, mut differences) = (Vec::new(), Vec::new());
    loop {
        let divisions = even_divisions(bands.lattice_angstrom(), bands.group(), longest)?;
        let total = divisions.iter().try_fold(1usize, |a, n| a.checked_mul(*n)).unwrap_or(usize::MAX);
        if total > settings.most_points && grids.len() >= 2 {
            break;
        }
        let now = run.grid(divisions)?;
        grids.push(divisions);
        if let Some(hopeless) = now.iter().zip(conditions).find_map(|(p, c)| run.hopeless(p, c)) {
            return Err(hopeless);
        }
        if let Some(before) = &previous {
            let found = compare(before, &now);
            errors = cautious(&found, &differences);
            differences = found;
        }
        let resolved = now.iter().all(Result::is_ok);
        previous = Some(now);
        let good = |e: &TransportError| {
            e.conductivity_relative <= settings.relative_error
                && e.heat_relative <= settings.relative_error
                && e.seebeck <= settings.seebeck_error
        };
        if resolved && grids.len() >= 3 && errors.iter().all(good) {
            return run.finish(previous, errors, grids, true);
        }
        longest = (longest * 3).div_ceil(2).max(longest + 2);
    }
    run.finish(previous, errors, grids, false)
}

/// Transport from one grid given by its divisions, without an estimate of the error (all errors are NaN, `converged` is false).
///
/// Errors: as [`transport`].
pub fn transport_on_grid(
    bands: &dyn Bands,
    conditions: &[Condition],
    tau: &RelaxationTime,
    divisions: [usize; 3],
) -> Result<Transport, BandsError> {
    let capacity = bands.spin_degeneracy() * bands.bands() as f64;
    check(conditions, capacity, &Refinement::default())?;
    let mut run = Run { bands, conditions, tau, last: None };
    let now = run.grid(divisions)?;
    let unknown = TransportError::every(f64::NAN);
    run.finish(Some(now), vec![unknown; conditions.len()], vec![divisions], false)
}

struct Run<'a> {
    bands: &'a dyn Bands,
    conditions: &'a [Condition],
    tau: &'a RelaxationTime,
    last: Option<Distribution>,
}

impl Run<'_> {
    fn finish(
        self,
        points: Option<Vec<Result<TransportPoint, BandsError>>>,
        errors: Vec<TransportError>,
        grids: Vec<[usize; 3]>,
        converged: bool,
    ) -> Result<Transport, BandsError> {
        let points: Result<Vec<TransportPoint>, BandsError> =
            points.unwrap_or_default().into_iter().collect();
        let edges_ev = self.last.map(|d| d.edges).unwrap_or_default();
        Ok(Transport { points: points?, errors, grids, converged, edges_ev })
    }

    /// One grid. A condition without carriers is an error of its own, since a coarse grid may miss a pocket.
    fn grid(&mut self, divisions: [usize; 3]) -> Result<Vec<Result<TransportPoint, BandsError>>, BandsError> {
        let grid = Grid::new(divisions, self.bands.group())?;
        let coldest = self.conditions.iter().map(|c| c.temperature_k).fold(f64::INFINITY, f64::min);
        let mut window = match &self.last {
            Some(last) => self.window(last),
            None => self.first_window()?,
        };
        // A potential that leaves the mesh asks for a wider one; each turn starts from a better guess.
        for _ in 0..4 {
            let mesh = Mesh::new(window[0], window[1], coldest)?;
            let known = self.last.as_ref().map(|last| widened(last, self.bands.lattice_angstrom()));
            let known = known.transpose()?;
            let found = accumulate(self.bands, &grid, mesh, self.tau, known.as_deref())?;
            let covered = self.conditions.iter().all(|c| {
                let margin = REACH * BOLTZMANN_EV * c.temperature_k;
                self.level(&found, c).is_some_and(|(mu, _)| {
                    let full =
                        |e: f64| (found.edges.iter().all(|b| b[0] > e), found.edges.iter().all(|b| b[1] < e));
                    (mu - margin >= mesh.start_ev || full(mesh.start_ev).0)
                        && (mu + margin <= mesh.end_ev() || full(mesh.end_ev()).1)
                })
            });
            let next = self.window(&found);
            self.last = Some(found);
            if covered {
                break;
            }
            window = [window[0].min(next[0]), window[1].max(next[1])];
        }
        let Some(found) = &self.last else { return Ok(Vec::new()) };
        Ok(self.conditions.iter().map(|c| self.point(found, c)).collect())
    }

    /// The error of a condition without carriers that no denser grid can have: the bands would have to be steeper than they are.
    fn hopeless(
        &self,
        point: &Result<TransportPoint, BandsError>,
        condition: &Condition,
    ) -> Option<BandsError> {
        let Err(error @ BandsError::NoCarriers { mu_ev, .. }) = point else { return None };
        let edges = widened(self.last.as_ref()?, self.bands.lattice_angstrom()).ok()?;
        let kt = BOLTZMANN_EV * condition.temperature_k;
        let away = |e: &[f64; 2]| e[0] - mu_ev > UNDERFLOW * kt || mu_ev - e[1] > UNDERFLOW * kt;
        edges.iter().all(away).then(|| error.clone())
    }

    /// Energies from a few grid points, to start with.
    fn first_window(&self) -> Result<[f64; 2], BandsError> {
        let grid = Grid::new(
            even_divisions(self.bands.lattice_angstrom(), self.bands.group(), 8)?,
            self.bands.group(),
        )?;
        // A mesh of few points far below everything collects the edges only.
        let mesh = Mesh::new(-1e6, -1e6, 300.0)?;
        let edges = accumulate(self.bands, &grid, mesh, self.tau, None)?.edges;
        let hottest = self.conditions.iter().map(|c| c.temperature_k).fold(0.0, f64::max);
        let margin = REACH * BOLTZMANN_EV * hottest + 0.3;
        let mut out = [f64::INFINITY, f64::NEG_INFINITY];
        let mut include = |low: f64, high: f64| out = [out[0].min(low), out[1].max(high)];
        for condition in self.conditions {
            match condition.level {
                Level::Potential(mu) => {
                    include(mu, mu);
                    for edge in &edges {
                        // The band edges next to the potential, whichever side.
                        if edge[1] < mu && !edges.iter().any(|e| e[1] > edge[1] && e[0] < mu) {
                            include(edge[1], edge[1]);
                        }
                        if edge[0] > mu && !edges.iter().any(|e| e[0] < edge[0] && e[1] > mu) {
                            include(edge[0], edge[0]);
                        }
                    }
                }
                Level::Electrons { neutral, added } => {
                    let filled = (neutral + added) / self.bands.spin_degeneracy();
                    let (low, high) = (filled.floor() as usize, (filled.ceil() as usize).max(1));
                    // With the count within band `high` - 1 the potential is somewhere in its range, or between its neighbours.
                    include(edges[high - 1][0], edges[high - 1][1]);
                    if filled.fract().min(1.0 - filled.fract()) < 1e-3 || low == high {
                        let whole = filled.round() as usize;
                        if whole > 0 {
                            include(edges[whole - 1][1], edges[whole - 1][1]);
                        }
                        if whole < edges.len() {
                            include(edges[whole][0], edges[whole][0]);
                        }
                    }
                }
            }
        }
        Ok([out[0] - margin, out[1] + margin])
    }

    /// Energies needed around the potentials that a distribution gives.
    fn window(&self, from: &Distribution) -> [f64; 2] {
        let mut out = [f64::INFINITY, f64::NEG_INFINITY];
        for condition in self.conditions {
            let kt = BOLTZMANN_EV * condition.temperature_k;
            let mu = match (self.level(from, condition), condition.level) {
                (Some((mu, _)), _) | (None, Level::Potential(mu)) => mu,
                (None, Level::Electrons { .. }) => {
                    out = [out[0].min(from.mesh.start_ev - 1.0), out[1].max(from.mesh.end_ev() + 1.0)];
                    continue;
                }
            };
            let (mut low, mut high) = (mu, mu);
            if let Some(gap) = from.gap_around(mu) {
                (low, high) = (gap.top_ev.min(mu), gap.bottom_ev.max(mu));
            }
            let margin = (REACH + 4.0) * kt + 0.05;
            out = [out[0].min(low - margin), out[1].max(high + margin)];
        }
        out
    }

    /// Chemical potential of a condition and the gap that its carriers are counted from; none where the mesh does not hold it.
    fn level(&self, from: &Distribution, condition: &Condition) -> Option<(f64, Option<Gap>)> {
        let kt = BOLTZMANN_EV * condition.temperature_k;
        match condition.level {
            Level::Potential(mu) => Some((mu, from.gap_around(mu))),
            Level::Electrons { neutral, added } => {
                let spin = self.bands.spin_degeneracy();
                let whole = ((neutral + added) / spin).round() as usize;
                let gap = (whole > 0 && whole < from.edges.len()).then(|| from.gap(whole)).flatten();
                let inside = |e: f64| from.mesh.start_ev < e && e < from.mesh.end_ev();
                let gap = gap.filter(|g| inside(g.top_ev) && inside(g.bottom_ev));
                let excess = (neutral - from.reference(gap, spin)) + added;
                potential(from, kt, gap, excess).map(|mu| (mu, gap))
            }
        }
    }

    fn point(&self, from: &Distribution, condition: &Condition) -> Result<TransportPoint, BandsError> {
        let temperature_k = condition.temperature_k;
        let kt = BOLTZMANN_EV * temperature_k;
        let spin = self.bands.spin_degeneracy();
        let Some((mu, gap)) = self.level(from, condition) else {
            let electrons = match condition.level {
                Level::Electrons { neutral, added } => neutral + added,
                Level::Potential(_) => f64::NAN,
            };
            return Err(BandsError::Electrons { electrons, capacity: spin * self.bands.bands() as f64 });
        };
        let (above, holes) = from.carriers(mu, kt, gap);
        let electrons = from.reference(gap, spin) + (above - holes);
        let per_volume = 1.0 / (cell_volume(self.bands.lattice_angstrom()) * ANGSTROM.powi(3));
        // e^2 Xi / V with slopes turned into velocities and 1/eV into 1/J.
        let velocity = ELEMENTARY_CHARGE * ANGSTROM / REDUCED_PLANCK;
        let unit = ELEMENTARY_CHARGE * velocity * velocity * per_volume * self.tau.thermal_factor(kt);
        let [k0, k1, k2] = from.moments(mu, kt).map(|m| tensor(m) * unit);
        if k0.iter().all(|x| *x == 0.0) {
            let nearest = from
                .edges
                .iter()
                .map(|e| if e[0] > mu { e[0] - mu } else { (mu - e[1]).max(0.0) })
                .fold(f64::INFINITY, f64::min);
            return Err(BandsError::NoCarriers { temperature_k, mu_ev: mu, distance_kt: nearest / kt });
        }
        let (inverse, conducting) = pseudo_inverse(&k0);
        let peltier = inverse * k1;
        let heat = (k2 - k1 * peltier) / temperature_k;
        Ok(TransportPoint {
            temperature_k,
            potential_ev: mu,
            electrons,
            carriers: gap.map(|_| (above, holes)),
            conductivity: rows(&k0),
            seebeck: rows(&(-peltier / temperature_k)),
            heat_conductivity: rows(&(0.5 * (heat + heat.transpose()))),
            lorenz: heat.trace() / (temperature_k * k0.trace()),
            conducting,
        })
    }
}

/// Band edges widened by what a band can change between the points of the grid they come from.
fn widened(last: &Distribution, lattice: &Matrix3) -> Result<Vec<[f64; 2]>, BandsError> {
    let back = lattice_inverse(lattice)?;
    // Half the diagonal of a grid cell, by the triangle inequality.
    let half: f64 = (0..3)
        .map(|i| std::f64::consts::PI * norm([back[0][i], back[1][i], back[2][i]]) / last.divisions[i] as f64)
        .sum();
    let margin = 2.0 * last.steepest * half;
    Ok(last.edges.iter().map(|e| [e[0] - margin, e[1] + margin]).collect())
}

/// Bisection of n - p = excess, which rises with mu; none where the mesh does not bracket it.
fn potential(from: &Distribution, kt: f64, gap: Option<Gap>, excess: f64) -> Option<f64> {
    let miss = |mu: f64| {
        let (n, p) = from.carriers(mu, kt, gap);
        if excess >= 0.0 { (n - excess) - p } else { n - (p + excess) }
    };
    let (mut low, mut high) = (from.mesh.start_ev, from.mesh.end_ev());
    if !(miss(low) <= 0.0 && miss(high) >= 0.0) {
        return None;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        let m = miss(middle);
        if m == 0.0 {
            // Carriers below the smallest number: any potential does where both sides vanish, else the root is met.
            return Some(middle);
        }
        if m < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
        if high - low <= 1e-15 * high.abs().max(kt) {
            break;
        }
    }
    Some(0.5 * (low + high))
}

fn tensor(t: [f64; 6]) -> Tensor<f64> {
    let m = full_tensor(t);
    Tensor::from_fn(|i, j| m[i][j])
}

fn rows(t: &Tensor<f64>) -> Matrix3 {
    std::array::from_fn(|i| std::array::from_fn(|j| t[(i, j)]))
}

/// Inverse within the directions that conduct, and their number.
fn pseudo_inverse(t: &Tensor<f64>) -> (Tensor<f64>, usize) {
    let eigen = t.symmetric_eigen();
    let largest = eigen.eigenvalues.iter().fold(0.0f64, |a, b| a.max(b.abs()));
    let mut out = Tensor::zeros();
    let mut conducting = 0;
    for (i, value) in eigen.eigenvalues.iter().enumerate() {
        if *value > CONDUCTS * largest {
            let v = eigen.eigenvectors.column(i);
            out += v * v.transpose() / *value;
            conducting += 1;
        }
    }
    (out, conducting)
}

fn distance(a: &Matrix3, b: &Matrix3) -> f64 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn largest(a: &Matrix3, b: &Matrix3) -> f64 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Differences of two grids.
fn compare(
    before: &[Result<TransportPoint, BandsError>],
    now: &[Result<TransportPoint, BandsError>],
) -> Vec<TransportError> {
    let of = |pair: (&Result<TransportPoint, BandsError>, &Result<TransportPoint, BandsError>)| match pair {
        (Ok(a), Ok(b)) => TransportError::between(a, b),
        _ => TransportError::every(f64::INFINITY),
    };
    before.iter().zip(now).map(of).collect()
}

/// Two grids may agree by chance: an error below a tenth of the difference before is not believed.
fn cautious(now: &[TransportError], before: &[TransportError]) -> Vec<TransportError> {
    let mut out = now.to_vec();
    for (error, b) in out.iter_mut().zip(before).filter(|(_, b)| b.conductivity_relative.is_finite()) {
        error.conductivity_relative = error.conductivity_relative.max(0.1 * b.conductivity_relative);
        error.seebeck = error.seebeck.max(0.1 * b.seebeck);
        error.heat_relative = error.heat_relative.max(0.1 * b.heat_relative);
        error.potential_ev = error.potential_ev.max(0.1 * b.potential_ev);
        error.electrons = error.electrons.max(0.1 * b.electrons);
        let least = |now: f64, before: f64| now.max(0.1 * before);
        error.conductivity = each(&error.conductivity, &b.conductivity, least);
        error.seebeck_tensor = each(&error.seebeck_tensor, &b.seebeck_tensor, least);
        error.heat = each(&error.heat, &b.heat, least);
    }
    out
}
