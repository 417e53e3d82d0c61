//! How a model is solved.

use crate::ageing::AgeingOptions;
use crate::error::CellError;
use crate::mesh::{MeshOptions, ParticleMeshOptions};
use serde::{Deserialize, Serialize};

/// Which model is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Doyle-Fuller-Newman model: porous electrodes resolved through the thickness.
    #[default]
    Dfn,
    /// Single-particle model with electrolyte.
    Spme,
    /// Single-particle model. Where the particle diffusivities are constant, the temperature is, nothing ages and
    /// the steps are constant currents and rests (without limits on dV/dt and conditions), it is evaluated in
    /// closed form, with the equations of [`crate::single_particle_voltage`] and without a mesh; outputs and
    /// limits are then exact to rounding, integrals to `rtol`.
    Spm,
}

/// Treatment of temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Thermal {
    /// The initial temperature throughout.
    #[default]
    Isothermal,
    /// One temperature for the whole cell: rho c V dT/dt = heat - h A (T - ambient).
    Lumped,
}

/// How an open-circuit potential with branches for lithiation and delithiation is modelled:
/// U = ((1 + h) U_delithiation + (1 - h) U_lithiation)/2 with a state h from -1 to 1. Materials without branches
/// ([`crate::Hysteresis`]) keep their one potential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HysteresisLaw {
    /// The branches are not used.
    #[default]
    Off,
    /// h = tanh(100 m2/A i) in the negative and -tanh(100 m2/A i) in the positive electrode, i the current of the
    /// cell per area of an electrode pair: the branch is that of the direction of the current, and the mean of both
    /// at rest (W. Ai et al., J. Power Sources 527 (2022) 231142; constant as in PyBaMM's "current sigmoid").
    CurrentSigmoid,
    /// dh/dt = (gamma/2) (r - |r| h) at every place and for every size of particles, with r = 3 j/(F R c_max), the
    /// rate at which the mean stoichiometry of the particle falls, and the decay constant gamma of the data: h decays
    /// towards 1 on delithiation and -1 on lithiation over a change 2/gamma of the stoichiometry, and rests with the
    /// particle (J. Axen et al., J. Energy Storage 48 (2022) 103985; definition of gamma as in BPX 1.1 and PyBaMM's
    /// "one-state hysteresis"). |r| is not smoothed: the law is continuous at r = 0.
    OneState,
}

/// How to solve the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DfnOptions {
    /// Model.
    pub model: ModelKind,
    /// Ageing of the negative electrode.
    pub ageing: AgeingOptions,
    /// Open-circuit potentials with branches.
    #[serde(default)]
    pub hysteresis: HysteresisLaw,
    /// Mesh.
    pub mesh: MeshOptions,
    /// Relative tolerance of concentrations and temperature; potentials are held to `rtol` volts.
    pub rtol: f64,
    /// Tolerance of concentrations relative to their scale (maximum, or initial salt concentration), where
    /// they are near zero.
    pub atol: f64,
    /// Treatment of temperature.
    pub thermal: Thermal,
    /// Most time steps in one protocol step.
    pub max_steps: usize,
    /// A step ends when a surface stoichiometry comes this close to 0 or 1.
    pub stoichiometry_margin: f64,
    /// Whether voltage and current are also kept at the end of every time step.
    pub record_every_step: bool,
    /// Times at which profiles are kept, s.
    pub profile_times_s: Vec<f64>,
    /// Whether to integrate the dissipation inside the particles and the change of free energy (costs time;
    /// isothermal audit).
    pub audit_heat_of_mixing: bool,
}

impl Default for DfnOptions {
    fn default() -> Self {
        Self {
            model: ModelKind::Dfn,
            ageing: AgeingOptions::default(),
            hysteresis: HysteresisLaw::Off,
            mesh: MeshOptions::default(),
            rtol: 3e-5,
            atol: 1e-6,
            thermal: Thermal::Isothermal,
            max_steps: 100_000,
            stoichiometry_margin: 1e-6,
            record_every_step: false,
            profile_times_s: Vec::new(),
            audit_heat_of_mixing: false,
        }
    }
}

impl DfnOptions {
    /// A coarser mesh and tolerance at less than half the time, for sweeps and fits. Largest error of the voltage from
    /// the first second on in 1C discharges of Chen2020 and Marquis2019 and of cells whose particle radii,
    /// diffusivities and transport efficiencies lie within 10 % of theirs: below 1e-4 V in the single-particle model
    /// with electrolyte, 3e-4 V in the Doyle-Fuller-Newman model.
    pub fn draft() -> Self {
        let mut options = Self { rtol: 1e-4, ..Self::default() };
        for electrode in [&mut options.mesh.negative, &mut options.mesh.positive] {
            electrode.elements = 1;
            electrode.particle = ParticleMeshOptions::graded(3, 4);
        }
        options
    }

    pub(crate) fn validate(&self) -> Result<(), CellError> {
        let inside = |option, value: f64, low: f64, high: f64, requirement| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(CellError::Option { option, value, requirement })
            }
        };
        inside("rtol", self.rtol, 1e-12, 1e-2, "must lie between 1e-12 and 1e-2")?;
        inside("atol", self.atol, 1e-14, 1e-2, "must lie between 1e-14 and 1e-2")?;
        inside("stoichiometry_margin", self.stoichiometry_margin, 0.0, 0.1, "must lie between 0 and 0.1")?;
        check_times("profile times [s]", &self.profile_times_s)
    }
}

pub(crate) fn check_times(option: &'static str, times: &[f64]) -> Result<(), CellError> {
    if let Some(value) = times.iter().find(|t| !(t.is_finite() && **t >= 0.0)) {
        return Err(CellError::Option {
            option,
            value: *value,
            requirement: "must be finite and not negative",
        });
    }
    if let Some(pair) = times.windows(2).find(|w| w[1] < w[0]) {
        return Err(CellError::Option { option, value: pair[1], requirement: "must not decrease" });
    }
    Ok(())
}
