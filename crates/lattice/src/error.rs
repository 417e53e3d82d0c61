//! What can be wrong on the way from energies to voltages.

use scalade_crystal::CrystalError;
use scalade_handoff::HandoffError;
use scalade_numerics::{DenseError, InterpolationError};
use thiserror::Error;

/// Why a lattice model could not be built, fitted, sampled or integrated.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum LatticeError {
    /// The crystal layer refused a structure or its symmetry.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
    /// The Hamiltonian or its kernel was refused.
    #[error(transparent)]
    Handoff(#[from] HandoffError),
    /// Orderings that cannot be enumerated.
    #[error(transparent)]
    Enumeration(Box<scalade_crystal::enumeration::EnumerationError>),
    /// A linear system that cannot be solved.
    #[error("{what}: {source}; leave out clusters or give more structures")]
    Dense {
        /// Which system.
        what: &'static str,
        /// The failure.
        source: DenseError,
    },
    /// Clusters that the structures do not tell apart.
    #[error(
        "rank-deficient: {rank} of {columns} columns are independent, {rows} structures; not told apart from the others: {orbits}; lower the cutoffs, give more structures, or choose a method with a prior (bayes, ridge)"
    )]
    RankDeficient {
        /// Independent columns.
        rank: usize,
        /// Columns.
        columns: usize,
        /// Structures.
        rows: usize,
        /// The orbits that depend on others.
        orbits: String,
    },
    /// A structure whose energy alone fixes a coefficient, so that no fit without it can predict it.
    #[error(
        "structure {structure} alone fixes a coefficient of least squares (leverage {leverage}): there is no leave-one-out error; lower the cutoffs, give more structures, or choose a method with a prior (bayes, ridge)"
    )]
    AloneDetermines {
        /// The structure.
        structure: String,
        /// Its leverage.
        leverage: f64,
    },
    /// A fit within inequalities by a method that has no Gaussian posterior.
    #[error(
        "a fit that keeps the hull needs a Gaussian posterior; choose bayes, least-squares, ridge or ard"
    )]
    NoPosterior,
    /// Inequalities that no coefficients respect.
    #[error(
        "these clusters cannot keep the hull of the data: of {inequalities} inequalities those about {count} structures contradict one another ({structures}); raise the cutoffs, or leave some of these out"
    )]
    Contradictory {
        /// Inequalities.
        inequalities: usize,
        /// Structures in the contradiction.
        count: usize,
        /// The first of them.
        structures: String,
    },
    /// Points that cannot be reweighted together.
    #[error("reweighting: {0}")]
    Reweighting(Box<scalade_numerics::ReweightingError>),
    /// A table that cannot be interpolated.
    #[error("{what}: {source}")]
    Table {
        /// Which table.
        what: &'static str,
        /// The failure.
        source: InterpolationError,
    },
    /// A setting outside its range.
    #[error("{name} is {value}; {want}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is admissible.
        want: &'static str,
    },
    /// Lists whose lengths do not fit, or that are too short.
    #[error("{what}: expected {expected} entries, got {got}")]
    Length {
        /// Which list.
        what: &'static str,
        /// Entries expected (at least).
        expected: usize,
        /// Entries given.
        got: usize,
    },
    /// A supercell matrix that spans no volume or too much of it.
    #[error(
        "the supercell matrix {matrix:?} has determinant {determinant}; 1 to 2^24 cells with entries up to 2^12 are possible"
    )]
    Supercell {
        /// Rows: supercell vectors in units of the primitive ones.
        matrix: [[i64; 3]; 3],
        /// Its determinant.
        determinant: i64,
    },
    /// The parent structure lacks the working ion or a host.
    #[error(
        "the parent structure holds {working} sites of the working ion {ion:?} and {host} host atoms; both are needed"
    )]
    Parent {
        /// Symbol of the working ion.
        ion: String,
        /// Its sites.
        working: usize,
        /// Host atoms.
        host: usize,
    },
    /// An enumeration beyond the given limit.
    #[error("{what}: {count} exceed the limit of {limit}; reduce the cutoffs or the cell")]
    TooMany {
        /// What was enumerated.
        what: &'static str,
        /// How many there are (at least).
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many states for an exact sum.
    #[error(
        "an exact sum over 2^{sites} states is too large (at most 2^{limit_log2}, or a ring with few shells); use a smaller box or sample it"
    )]
    TooManyStates {
        /// Sites of the box.
        sites: usize,
        /// Binary logarithm of the limit.
        limit_log2: usize,
    },
    /// A number that is not finite where one is due.
    #[error("{what}: entry {index} is {value}")]
    NotFinite {
        /// Which list.
        what: &'static str,
        /// Index of the entry.
        index: usize,
        /// The value.
        value: f64,
    },
    /// An iteration that did not reach its tolerance.
    #[error(
        "{what} did not converge in {iterations} iterations: residual {residual:e} over the tolerance {tolerance:e} at x = {at}"
    )]
    NotConverged {
        /// Which iteration.
        what: &'static str,
        /// Iterations made.
        iterations: usize,
        /// Last residual.
        residual: f64,
        /// The tolerance.
        tolerance: f64,
        /// Where.
        at: f64,
    },
    /// The increments of the Monte Carlo energy drifted away from a full summation.
    #[error(
        "the energy drifted by {drift_ev_per_site:e} eV per site (limit {limit:e}) at mu = {chemical_potential_ev} eV"
    )]
    Drift {
        /// Drift, eV per site.
        drift_ev_per_site: f64,
        /// Limit.
        limit: f64,
        /// Chemical potential of the run, eV.
        chemical_potential_ev: f64,
    },
    /// The scan does not reach the compositions asked for.
    #[error(
        "the scan covers x = {low} to {high}, but x = {wanted} was asked for; widen the range of the chemical potential or use a larger grid"
    )]
    Range {
        /// Lowest composition with statistics.
        low: f64,
        /// Highest composition with statistics.
        high: f64,
        /// Composition asked for.
        wanted: f64,
    },
    /// The two integrations of the chemical potential disagree beyond their errors.
    #[error(
        "integrating x over mu from empty to full misses the exact energy difference by {mismatch_ev} eV per site, {sigmas:.1} standard errors (limit {limit_sigmas}); raise the number of sweeps or of points"
    )]
    Closure {
        /// Mismatch, eV per site.
        mismatch_ev: f64,
        /// In standard errors.
        sigmas: f64,
        /// The limit.
        limit_sigmas: f64,
    },
    /// The caller asked to stop.
    #[error("cancelled after {done} of {total} points")]
    Cancelled {
        /// Points finished.
        done: usize,
        /// Points planned.
        total: usize,
    },
}

impl LatticeError {
    /// Wraps the failure of a dense system.
    pub(crate) fn dense(what: &'static str) -> impl Fn(DenseError) -> Self {
        move |source| Self::Dense { what, source }
    }

    /// Refuses a setting unless it holds.
    pub fn require(holds: bool, name: &'static str, value: f64, want: &'static str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::Setting { name, value, want }) }
    }
}
