//! What can go wrong between barriers and diffusivities.

use scalade_crystal::CrystalError;
use scalade_handoff::HandoffError;
use scalade_numerics::DenseError;
use thiserror::Error;

/// Why a hop model was refused or a transport calculation stopped.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum HoppingError {
    /// A checkpoint that cannot be used.
    #[error("the checkpoint {file} {reason}")]
    Checkpoint {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A barrier row that cannot be used.
    #[error("barrier {id}: {what} is {value}; {want}")]
    Barrier {
        /// Identifier of the row.
        id: String,
        /// Which number.
        what: &'static str,
        /// The number.
        value: f64,
        /// What is admissible.
        want: &'static str,
    },
    /// Too few rows of a mechanism for its regression.
    #[error(
        "mechanism {mechanism} has {rows} barriers, its law needs at least {needed}: add rows or take a simpler law"
    )]
    TooFewBarriers {
        /// The mechanism.
        mechanism: &'static str,
        /// Rows given.
        rows: usize,
        /// Rows needed.
        needed: usize,
    },
    /// A parameter outside its range.
    #[error("{what} is {value}; {want}")]
    Parameter {
        /// Which parameter.
        what: &'static str,
        /// The value.
        value: f64,
        /// What is admissible.
        want: &'static str,
    },
    /// A grid too small for the hops: periodic images of a site's neighbours coincide.
    #[error(
        "a grid of {dims:?} cells is too small: hop bond {bond} meets another one or its own start; take more cells"
    )]
    GridTooSmall {
        /// Cells along each lattice vector.
        dims: [usize; 3],
        /// Index of the hop bond.
        bond: usize,
    },
    /// Hops of a local expansion that the model cannot have.
    #[error("kind {kind} of hops: {reason}")]
    Event {
        /// Index of the kind.
        kind: usize,
        /// What is wrong.
        reason: String,
    },
    /// No hop bond was found.
    #[error("no hop bond within {cutoff_angstrom} angstrom; widen the cutoff")]
    NoBonds {
        /// The cutoff.
        cutoff_angstrom: f64,
    },
    /// A composition that leaves no ion or no vacancy.
    #[error(
        "{ions} ions on {sites} sites leave nothing to move; change the composition or take a larger grid"
    )]
    Composition {
        /// Number of ions.
        ions: usize,
        /// Number of sites.
        sites: usize,
    },
    /// Forward and backward rate do not obey detailed balance.
    #[error(
        "hop on bond {bond}: ln(forward/backward) = {got}, -dE/kT = {expected}: the barrier model breaks detailed balance"
    )]
    DetailedBalance {
        /// Index of the bond on the grid.
        bond: usize,
        /// Measured ln(k_f/k_b).
        got: f64,
        /// -dE/kT.
        expected: f64,
    },
    /// A rate above its stated upper bound: the selection would be biased.
    #[error(
        "rate {rate:e} of bond {bond} is above its upper bound {bound:e} at time {time_s:e} s; this is a defect of the engine"
    )]
    Bound {
        /// Index of the bond on the grid.
        bond: usize,
        /// Rate, in units of the prefactor.
        rate: f64,
        /// Bound, in units of the prefactor.
        bound: f64,
        /// Simulated time.
        time_s: f64,
    },
    /// Rates kept by increments left the rates computed anew.
    #[error("site weights drifted by {drift:e} relative after {events} hops (limit {limit:e})")]
    Drift {
        /// Relative drift.
        drift: f64,
        /// Hops since the last comparison.
        events: u64,
        /// Limit.
        limit: f64,
    },
    /// No hop is possible or the rates underflow.
    #[error("no hop is possible: the total rate is {total_hz:e} Hz after {events} hops")]
    Stuck {
        /// Total rate.
        total_hz: f64,
        /// Hops so far.
        events: u64,
    },
    /// Rates that do not balance.
    #[error(
        "rates there and back break detailed balance by {deviation:e} (ln of their ratio against the energy difference)"
    )]
    Imbalance {
        /// Largest deviation.
        deviation: f64,
    },
    /// Trials at random that hardly ever come to a hop.
    #[error(
        "{hops} hops in {trials} trials: hops are too rare for trials at random; raise the temperature, weaken the energies, or allow more events"
    )]
    RareHops {
        /// Hops made.
        hops: u64,
        /// Trials made, or due.
        trials: u64,
    },
    /// More states than the exact solver takes.
    #[error("{states} states are more than the {limit} the exact solver takes; shrink the cell")]
    TooManyStates {
        /// Number of states (saturated).
        states: u64,
        /// Limit.
        limit: u64,
    },
    /// An iterative solver that did not converge.
    #[error("{what} did not converge: residual {residual:e} after {iterations} iterations")]
    NotConverged {
        /// Which solver.
        what: &'static str,
        /// Iterations made.
        iterations: usize,
        /// Last relative residual.
        residual: f64,
    },
    /// An event that makes or destroys atoms.
    #[error(
        "event {kind}: {before} sites hold {species} before it and {after} after it; an event must keep the number of each species"
    )]
    NotConserved {
        /// The event.
        kind: String,
        /// The species.
        species: String,
        /// Sites of the event with it before.
        before: usize,
        /// And after.
        after: usize,
    },
    /// A list of events or a Hamiltonian that belongs to other sublattices.
    #[error("{what}, sublattice {sublattice}: {reason}")]
    Sublattices {
        /// What does not fit the sublattices of the model.
        what: String,
        /// Which sublattice.
        sublattice: usize,
        /// How it differs.
        reason: String,
    },
    /// An event that cannot be used.
    #[error("event {kind}: {reason}")]
    EventKind {
        /// The event.
        kind: String,
        /// Why, with numbers.
        reason: String,
    },
    /// A box so small that an event meets its own periodic image.
    #[error("event {kind} in a box of {cells:?} cells: {reason}; take more cells")]
    EventBox {
        /// The event.
        kind: String,
        /// Cells along each lattice vector.
        cells: [usize; 3],
        /// What meets what.
        reason: String,
    },
    /// An arrangement that does not fit the model.
    #[error("arrangement: {what} is {value} at site {site}; {want}")]
    Arrangement {
        /// What is wrong.
        what: &'static str,
        /// The number.
        value: usize,
        /// At which site.
        site: usize,
        /// What is due.
        want: &'static str,
    },
    /// The caller asked to stop.
    #[error("cancelled by the caller")]
    Cancelled,
    /// Dense algebra.
    #[error(transparent)]
    Dense(#[from] DenseError),
    /// The lattice Hamiltonian.
    #[error(transparent)]
    Handoff(#[from] HandoffError),
    /// The site grid.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
}

/// Refuses a number that is not finite and positive.
pub(crate) fn positive(what: &'static str, value: f64) -> Result<f64, HoppingError> {
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(HoppingError::Parameter { what, value, want: "a finite number above 0 is due" })
    }
}

/// Whether a number is above a limit or not a number: what must be refused.
#[inline]
pub(crate) fn exceeds(value: f64, limit: f64) -> bool {
    value > limit || value.is_nan()
}
