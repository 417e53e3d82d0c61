//! Hand-offs to the porous electrode: electronic conductivity, effective transport, insertion kinetics.

use crate::HandoffError;
use crate::domain::{check_finite, check_stoichiometries};
use crate::tensor::SymmetricTensor;
use scalade_numerics::Pchip;
use scalade_units::constants::{BOLTZMANN_EV, GAS_CONSTANT};
use serde::{Deserialize, Serialize};

/// Electronic conductivity tensor sigma(x, T) of the active material, S/m. Admissible only if every tensor is symmetric positive definite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ConductivityTable", into = "ConductivityTable")]
pub struct Conductivity {
    table: ConductivityTable,
}

/// What a conductivity is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConductivityTable {
    /// Working ions per site, strictly increasing within [0, 1].
    pub stoichiometry: Vec<f64>,
    /// Tensor at the reference temperature, S/m.
    pub tensor_s_per_m: Vec<SymmetricTensor>,
    /// Activation energy, eV: sigma T = (sigma T)_ref exp(-E/k (1/T - 1/T_ref)) for hopping carriers; 0 for a metal.
    pub activation_energy_ev: Vec<f64>,
    /// Temperature of the tensors, K.
    pub reference_temperature_k: f64,
    /// How carriers move, such as "band, constant relaxation time" or "polaron hopping".
    pub carrier_model: String,
}

impl TryFrom<ConductivityTable> for Conductivity {
    type Error = HandoffError;

    fn try_from(table: ConductivityTable) -> Result<Self, HandoffError> {
        check_stoichiometries("stoichiometry", &table.stoichiometry)?;
        let n = table.stoichiometry.len();
        check_finite("activation energy", &table.activation_energy_ev, n)?;
        if table.tensor_s_per_m.len() != n {
            let got = table.tensor_s_per_m.len();
            return Err(HandoffError::Length { what: "conductivity tensors", expected: n, got });
        }
        for (i, tensor) in table.tensor_s_per_m.iter().enumerate() {
            check_finite("conductivity tensor", &tensor.0, 6)?;
            let [_, _, smallest] = tensor.eigenvalues();
            if smallest <= 0.0 {
                return Err(HandoffError::Inadmissible {
                    hand_off: "Conductivity",
                    requirement: "positive eigenvalues (in S/m)",
                    place: format!("x = {}", table.stoichiometry[i]),
                    violation: smallest,
                });
            }
        }
        Ok(Self { table })
    }
}

impl From<Conductivity> for ConductivityTable {
    fn from(conductivity: Conductivity) -> Self {
        conductivity.table
    }
}

impl Conductivity {
    /// A constant, isotropic conductivity (S/m).
    pub fn constant(s_per_m: f64, carrier_model: &str) -> Result<Self, HandoffError> {
        ConductivityTable {
            stoichiometry: vec![0.0, 1.0],
            tensor_s_per_m: vec![SymmetricTensor::isotropic(s_per_m); 2],
            activation_energy_ev: vec![0.0; 2],
            reference_temperature_k: 298.15,
            carrier_model: carrier_model.into(),
        }
        .try_into()
    }

    /// The table.
    pub fn table(&self) -> &ConductivityTable {
        &self.table
    }

    /// A third of the trace (S/m) and its derivative in x, in a batch; log-interpolated in x, clamped at the ends.
    pub fn evaluate_isotropic(
        &self,
        x: &[f64],
        temperature_k: f64,
        value: &mut [f64],
        slope: &mut [f64],
    ) -> Result<(), HandoffError> {
        let length = |what, got| HandoffError::Length { what, expected: x.len(), got };
        let nodes = &self.table.stoichiometry;
        let logs: Vec<f64> = self.table.tensor_s_per_m.iter().map(|t| (t.trace() / 3.0).ln()).collect();
        let table = Pchip::new(nodes, &logs).map_err(|_| length("conductivity table", logs.len()))?;
        let energies =
            Pchip::new(nodes, &self.table.activation_energy_ev).map_err(|_| length("activation", 0))?;
        if value.len() != x.len() || slope.len() != x.len() {
            return Err(length("conductivity", value.len().min(slope.len())));
        }
        let t_ref = self.table.reference_temperature_k;
        let inverse = (1.0 / temperature_k - 1.0 / t_ref) / BOLTZMANN_EV;
        for (i, at) in x.iter().enumerate() {
            let clamped = at.clamp(nodes[0], nodes[nodes.len() - 1]);
            let (log, d_log) = table.evaluate(clamped);
            let (energy, d_energy) = energies.evaluate(clamped);
            let hopping = if energy == 0.0 { 1.0 } else { t_ref / temperature_k };
            value[i] = (log - energy * inverse).exp() * hopping;
            slope[i] = if clamped == *at { value[i] * (d_log - d_energy * inverse) } else { 0.0 };
        }
        Ok(())
    }
}

/// Effective transport of a porous layer from its microstructure, for one phase that conducts.
///
/// `relative` is the effective conductivity (or diffusivity) over that of the pure phase. Admissible only between zero and the
/// Wiener upper bound (the phase's volume fraction), and below the Hashin-Shtrikman upper bound 2 f/(3 - f) if declared isotropic
/// (Z. Hashin, S. Shtrikman, J. Appl. Phys. 33, 3125 (1962)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "EffectiveTransportParts", into = "EffectiveTransportParts")]
pub struct EffectiveTransport {
    parts: EffectiveTransportParts,
}

/// What an effective transport is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectiveTransportParts {
    /// Volume fraction of the conducting phase (the porosity for the electrolyte).
    pub volume_fraction: f64,
    /// Interfacial area per volume of layer, 1/m; 0 if not stated.
    pub specific_area_per_m: f64,
    /// Effective over pure-phase property.
    pub relative: SymmetricTensor,
    /// Relative standard uncertainty of `relative` (sample size, discretisation).
    pub relative_standard_error: f64,
    /// Whether the structure is statistically isotropic.
    pub isotropic: bool,
    /// Convention, such as "D_eff/D = porosity / tortuosity factor" or "Bruggeman, exponent 1.5".
    pub convention: String,
}

impl TryFrom<EffectiveTransportParts> for EffectiveTransport {
    type Error = HandoffError;

    fn try_from(parts: EffectiveTransportParts) -> Result<Self, HandoffError> {
        let f = parts.volume_fraction;
        if !(f > 0.0 && f <= 1.0) {
            return Err(HandoffError::Value {
                what: "volume fraction",
                index: 0,
                value: f,
                want: "in (0, 1]",
            });
        }
        check_finite("relative transport", &parts.relative.0, 6)?;
        check_finite(
            "specific area and error",
            &[parts.specific_area_per_m, parts.relative_standard_error],
            2,
        )?;
        let [largest, _, smallest] = parts.relative.eigenvalues();
        let bound = if parts.isotropic { 2.0 * f / (3.0 - f) } else { f };
        let error = |requirement, violation| HandoffError::Inadmissible {
            hand_off: "EffectiveTransport",
            requirement,
            place: format!("volume fraction {f}"),
            violation,
        };
        if smallest < 0.0 {
            return Err(error("eigenvalues >= 0", smallest));
        }
        if largest > bound * (1.0 + 1e-12) {
            let requirement = if parts.isotropic {
                "the Hashin-Shtrikman upper bound 2 f/(3 - f)"
            } else {
                "the Wiener upper bound f"
            };
            return Err(error(requirement, largest - bound));
        }
        Ok(Self { parts })
    }
}

impl From<EffectiveTransport> for EffectiveTransportParts {
    fn from(transport: EffectiveTransport) -> Self {
        transport.parts
    }
}

impl EffectiveTransport {
    /// The power law of Bruggeman: relative = volume fraction ^ exponent, isotropic.
    pub fn bruggeman(
        volume_fraction: f64,
        exponent: f64,
        specific_area_per_m: f64,
    ) -> Result<Self, HandoffError> {
        EffectiveTransportParts {
            volume_fraction,
            specific_area_per_m,
            relative: SymmetricTensor::isotropic(volume_fraction.powf(exponent)),
            relative_standard_error: 0.0,
            isotropic: true,
            convention: format!("Bruggeman, exponent {exponent}"),
        }
        .try_into()
    }

    /// The parts.
    pub fn parts(&self) -> &EffectiveTransportParts {
        &self.parts
    }

    /// Tortuosity factor volume fraction / relative, along the mean direction.
    pub fn tortuosity_factor(&self) -> f64 {
        self.parts.volume_fraction / (self.parts.relative.trace() / 3.0)
    }
}

/// Exchange-current density of insertion i0(x, c_e, T) = k (c_e c_max x c_max (1 - x))^alpha exp(-E/R (1/T - 1/T_ref)), with the
/// symmetric Butler-Volmer law j = 2 i0 sinh(F eta/(2 R T)) for alpha = 1/2.
///
/// Detailed balance: both reaction directions share i0, so that the current vanishes at zero overpotential by construction; i0 >= 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "InsertionKineticsParts", into = "InsertionKineticsParts")]
pub struct InsertionKinetics {
    parts: InsertionKineticsParts,
}

/// What insertion kinetics are made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InsertionKineticsParts {
    /// Rate constant k, A m-2 (m3/mol)^(3 alpha).
    pub rate_constant: f64,
    /// Transfer coefficient.
    pub alpha: f64,
    /// Largest concentration of the working ion in the host, mol/m3.
    pub maximum_concentration_mol_per_m3: f64,
    /// Activation energy, J/mol.
    pub activation_energy_j_per_mol: f64,
    /// Reference temperature, K.
    pub reference_temperature_k: f64,
}

impl TryFrom<InsertionKineticsParts> for InsertionKinetics {
    type Error = HandoffError;

    fn try_from(parts: InsertionKineticsParts) -> Result<Self, HandoffError> {
        let what = "insertion kinetics (rate constant, alpha, maximum concentration, reference temperature)";
        let list = [
            parts.rate_constant,
            parts.alpha,
            parts.maximum_concentration_mol_per_m3,
            parts.reference_temperature_k,
        ];
        check_finite(what, &list, 4)?;
        check_finite("activation energy", &[parts.activation_energy_j_per_mol], 1)?;
        if let Some(index) = list.iter().position(|v| *v <= 0.0) {
            return Err(HandoffError::Value { what, index, value: list[index], want: "positive" });
        }
        if parts.alpha >= 1.0 {
            return Err(HandoffError::Value { what, index: 1, value: parts.alpha, want: "alpha in (0, 1)" });
        }
        Ok(Self { parts })
    }
}

impl From<InsertionKinetics> for InsertionKineticsParts {
    fn from(kinetics: InsertionKinetics) -> Self {
        kinetics.parts
    }
}

impl InsertionKinetics {
    /// The parts.
    pub fn parts(&self) -> &InsertionKineticsParts {
        &self.parts
    }

    /// i0 in A/m2 and d i0/dx in a batch of stoichiometries, at one electrolyte concentration (mol/m3) and temperature (K). Stoichiometries
    /// outside (0, 1) are refused: the derivative is infinite at the ends.
    pub fn evaluate(
        &self,
        x: &[f64],
        electrolyte_mol_per_m3: f64,
        temperature_k: f64,
        value: &mut [f64],
        slope: &mut [f64],
    ) -> Result<(), HandoffError> {
        if value.len() != x.len() || slope.len() != x.len() {
            let got = value.len().min(slope.len());
            return Err(HandoffError::Length { what: "exchange current", expected: x.len(), got });
        }
        let p = &self.parts;
        let arrhenius = (-p.activation_energy_j_per_mol / GAS_CONSTANT
            * (1.0 / temperature_k - 1.0 / p.reference_temperature_k))
            .exp();
        let c = p.maximum_concentration_mol_per_m3;
        for (i, at) in x.iter().enumerate() {
            if !(*at > 0.0 && *at < 1.0) {
                return Err(HandoffError::Domain {
                    hand_off: "InsertionKinetics",
                    variable: "stoichiometry",
                    value: *at,
                    low: 0.0,
                    high: 1.0,
                });
            }
            value[i] = p.rate_constant
                * arrhenius
                * (electrolyte_mol_per_m3 * c * at * c * (1.0 - at)).powf(p.alpha);
            slope[i] = value[i] * p.alpha * (1.0 - 2.0 * at) / (at * (1.0 - at));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_effective_transport() {
        let sphere_pack = EffectiveTransport::bruggeman(0.3, 1.5, 1.8e5).unwrap();
        assert!((sphere_pack.tortuosity_factor() - 0.3f64.powf(-0.5)).abs() < 1e-12);
        // Exponent 1 touches Wiener's bound and so lies above Hashin and Shtrikman's.
        assert!(EffectiveTransport::bruggeman(0.3, 1.0, 0.0).is_err());
        let mut parts = sphere_pack.parts().clone();
        parts.relative = SymmetricTensor([0.3, 0.3, 0.0, 0.0, 0.0, 0.0]);
        parts.isotropic = false;
        assert!(EffectiveTransport::try_from(parts.clone()).is_ok());
        parts.relative = SymmetricTensor([0.31, 0.3, 0.0, 0.0, 0.0, 0.0]);
        assert!(EffectiveTransport::try_from(parts).is_err());
    }

    #[test]
    fn kinetics_of_a_published_set() {
        let kinetics = InsertionKinetics::try_from(InsertionKineticsParts {
            rate_constant: 6e-7,
            alpha: 0.5,
            maximum_concentration_mol_per_m3: 51217.9257309275,
            activation_energy_j_per_mol: 0.0,
            reference_temperature_k: 298.15,
        })
        .unwrap();
        let (mut v, mut s) = ([0.0], [0.0]);
        kinetics.evaluate(&[12000.0 / 51217.9257309275], 900.0, 298.15, &mut v, &mut s).unwrap();
        assert!((v[0] - 0.39048597316913464).abs() < 1e-12);
        assert!(kinetics.evaluate(&[1.0], 900.0, 298.15, &mut v, &mut s).is_err());
    }

    #[test]
    fn conductivity_is_positive_and_interpolates() {
        let sigma = Conductivity::constant(10.0, "measured").unwrap();
        let (mut v, mut s) = ([0.0; 2], [1.0; 2]);
        sigma.evaluate_isotropic(&[0.3, 0.9], 350.0, &mut v, &mut s).unwrap();
        assert!(v.iter().all(|v| (v - 10.0).abs() < 1e-12) && s.iter().all(|s| s.abs() < 1e-12));
        assert!(Conductivity::constant(0.0, "none").is_err());
    }
}
