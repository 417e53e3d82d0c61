//! Formulas of material properties: a small, safe language that is read once and evaluated in batches, with
//! derivatives.
//!
//! Grammar (the one of BPX files and Python): numbers, `+ - * /`, `**` (right associative, binds tighter
//! than a sign on its left), parentheses, the functions `exp tanh cosh sinh log sqrt pow(a, b)`, the
//! variables `x` (stoichiometry), `c_e` (electrolyte concentration, mol/m3), `c_s` (particle concentration,
//! mol/m3), `T` (temperature, K), and the constants `R`, `F`, `pi`. A [`Condition`] of a protocol has other
//! variables and may compare two formulas.

mod condition;
mod parser;
mod tape;
mod translate;

pub(crate) use translate::Dialect;

pub use condition::Condition;
pub use tape::{Formula, FormulaWorkspace};

/// Names of the variables of a material property, in the order of the arrays that carry them: stoichiometry,
/// electrolyte concentration (mol/m3), particle concentration (mol/m3), temperature (K).
const MATERIAL_VARIABLES: [&str; 4] = ["x", "c_e", "c_s", "T"];

/// The variables of a material property, in the order of [`MATERIAL_VARIABLES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
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
    pub(crate) fn name(self) -> &'static str {
        MATERIAL_VARIABLES[self as usize]
    }
}
