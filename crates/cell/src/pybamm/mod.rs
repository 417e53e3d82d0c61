//! Parameter sets as scripts for `PyBaMM` (<https://www.pybamm.org>, names of version 26).

mod names;
mod script;

use crate::bpx::BpxDiagnostic;
use crate::error::CellError;
use crate::parameters::ParameterSet;

/// A script that was written, with what it does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct PybammExport {
    /// Python source with `get_parameter_values()` and `MODEL_OPTIONS`.
    pub text: String,
    /// What of the parameters is not in it.
    pub warnings: Vec<BpxDiagnostic>,
}

impl ParameterSet {
    /// The parameters as a Python module whose `get_parameter_values()` gives `pybamm.ParameterValues` for
    /// `pybamm.lithium_ion.DFN(MODEL_OPTIONS)` (or SPM, SPMe) with `PyBaMM`'s names. Formulas become Python
    /// functions; tables become monotone cubic interpolants ("pchip"), the same curves as here.
    ///
    /// # Errors
    /// [`CellError::Bpx`] with what `PyBaMM` cannot say: a distribution of radii, more than two materials in
    /// an electrode, kinetics that differ from material to material, a transport efficiency in a medium of
    /// porosity 1.
    ///
    /// ```
    /// use scalade_cell::ParameterSet;
    /// let script = ParameterSet::chen2020()?.to_pybamm()?.text;
    /// assert!(script.contains("\"Negative electrode thickness [m]\": 8.52e-5,"));
    /// # Ok::<(), scalade_cell::CellError>(())
    /// ```
    pub fn to_pybamm(&self) -> Result<PybammExport, CellError> {
        self.validate()?;
        script::write(self)
    }
}
