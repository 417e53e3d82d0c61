//! Formulas of material properties: a small, safe language that is read once and evaluated in batches, with
//! derivatives.
//!
//! Grammar (the one of BPX files and Python): numbers, `+ - * /`, `**` (right associative, binds tighter
//! than a sign on its left), parentheses, the functions `exp tanh cosh sinh log sqrt pow(a, b)`, the
//! variables `x` (stoichiometry), `c_e` (electrolyte concentration, mol/m3), `c_s` (particle concentration,
//! mol/m3), `T` (temperature, K), and the constants `R`, `F`, `pi`.

mod parser;
mod tape;
mod translate;

pub(crate) use translate::Dialect;

pub use tape::{Formula, FormulaWorkspace};

/// The variables of a formula, in the order of the arrays that carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// Stoichiometry.
    X,
    /// Electrolyte concentration, mol/m3.
    ElectrolyteConcentration,
    /// Particle concentration, mol/m3.
    ParticleConcentration,
    /// Temperature, K.
    Temperature,
}

impl Variable {
    /// The name in formulas.
    pub fn name(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::ElectrolyteConcentration => "c_e",
            Self::ParticleConcentration => "c_s",
            Self::Temperature => "T",
        }
    }
}
