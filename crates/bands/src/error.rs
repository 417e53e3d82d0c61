//! What can be wrong with bands and what is asked of them.

use thiserror::Error;

/// Why a set of bands, an interpolation or an integral cannot be had. Points, bands and lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum BandsError {
    /// A number that cannot be one.
    #[error("{what} is {value}; {want}")]
    Number {
        /// Which number.
        what: &'static str,
        /// The number.
        value: f64,
        /// What is admissible.
        want: &'static str,
    },
    /// Counts that do not fit.
    #[error("{what}: {got} given, {expected} expected; {want}")]
    Count {
        /// Which count.
        what: &'static str,
        /// Given.
        got: usize,
        /// Expected, or the limit.
        expected: usize,
        /// What to do.
        want: &'static str,
    },
    /// k points with different numbers of bands.
    #[error(
        "k point {point} has {got} bands, the first has {expected}; write the same number of bands at every k point"
    )]
    BandMismatch {
        /// The k point.
        point: usize,
        /// Its bands.
        got: usize,
        /// Bands of the first k point.
        expected: usize,
    },
    /// An eigenvalue that is not a number or absurd.
    #[error("band {band} at k point {point} is {value} eV; a finite energy within 1e5 eV is due")]
    Eigenvalue {
        /// The k point.
        point: usize,
        /// The band.
        band: usize,
        /// The value.
        value: f64,
    },
    /// Weights that do not sum to 1.
    #[error("the weights of {points} k points sum to {sum}; they must be >= 0 and sum to 1 within 1e-6")]
    Weights {
        /// The number of k points.
        points: usize,
        /// Their sum.
        sum: f64,
    },
    /// A lattice without volume.
    #[error("the lattice has the volume {volume} cubic angstrom; three independent vectors are due")]
    Lattice {
        /// The volume.
        volume: f64,
    },
    /// A set of rotations that is no group, or no symmetry of what it is given for.
    #[error("the rotations are no symmetry: {reason}")]
    Symmetry {
        /// What is wrong.
        reason: String,
    },
    /// Text that cannot be read.
    #[error("{format}, line {line}: {reason}")]
    Text {
        /// Which format.
        format: &'static str,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what is due.
        reason: String,
    },
    /// A Hamiltonian that is not Hermitian.
    #[error(
        "the hopping from orbital {column} to orbital {row} over cell {cell:?} and its reverse differ by {difference} eV; H_(-R) must be the adjoint of H_R"
    )]
    NotHermitian {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
        /// Cell vector.
        cell: [i32; 3],
        /// Size of the difference, eV.
        difference: f64,
    },
    /// A mass of a band that meets another.
    #[error(
        "bands {first} and {second} are {gap_ev} eV apart at this k point: a degenerate band has no single mass tensor; step away from the point or ask for a band that stands alone"
    )]
    Degenerate {
        /// The band.
        first: usize,
        /// The band it meets.
        second: usize,
        /// Their distance, eV.
        gap_ev: f64,
    },
    /// A band that is flat or singular where a mass is asked for.
    #[error("band {band} has no mass tensor here: its inverse has the determinant {determinant}")]
    NoMass {
        /// The band.
        band: usize,
        /// Determinant of the inverse mass tensor (1/m_e^3).
        determinant: f64,
    },
    /// An interpolation that misses its data.
    #[error(
        "the interpolation misses the data by {residual_ev} eV (band {band}, k point {point}): ask for more stars per k point; if that does not help, two equivalent k points have different energies or the rotations are wrong"
    )]
    Residual {
        /// Largest deviation, eV.
        residual_ev: f64,
        /// Band.
        band: usize,
        /// k point.
        point: usize,
    },
    /// Nothing that conducts.
    #[error(
        "no carriers: at {temperature_k} K the nearest band is {distance_kt} kT from the chemical potential {mu_ev} eV (0: it is flat there), so the conductivity is zero to the last digit and S is 0/0; raise the temperature, dope, or move the potential"
    )]
    NoCarriers {
        /// Temperature.
        temperature_k: f64,
        /// Chemical potential.
        mu_ev: f64,
        /// Distance to the nearest state in kT.
        distance_kt: f64,
    },
    /// An electron count that these bands cannot hold.
    #[error("{electrons} electrons per cell are asked for; these bands hold 0 to {capacity}")]
    Electrons {
        /// Asked.
        electrons: f64,
        /// Capacity of the bands.
        capacity: f64,
    },
}

/// Refuses a number.
pub(crate) fn refuse<T>(what: &'static str, value: f64, want: &'static str) -> Result<T, BandsError> {
    Err(BandsError::Number { what, value, want })
}

/// Lets a positive finite number pass.
pub(crate) fn positive(what: &'static str, value: f64) -> Result<f64, BandsError> {
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        refuse(what, value, "a finite number > 0 is due")
    }
}

/// Whether a number is one and smaller than a limit on either side of 0.
pub(crate) fn within(value: f64, limit: f64) -> bool {
    value.abs() < limit
}
