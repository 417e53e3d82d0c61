//! The rested cell in closed form.
//!
//! Small deviations of psi = phi_s - phi_e and of the salt c at rest in a porous electrode obey
//!
//! ```text
//! psi'' = a Y (1/sigma + 1/kappa) psi - g c'',
//! c''   = (eps s/D) c - (a Y1/(F D)) psi,
//! ```
//!
//! with effective sigma, kappa and D, the admittance per surface Y = Y_f + s C of particles and double layer,
//! Y1 = Y_f - t+ Y and g = chi RT/(F c_e). This is X'' = A X for X = (psi, c): with the derivatives at both
//! ends, X(0) = csch X'(L) - coth X'(0) and X(L) = coth X'(L) - csch X'(0), the functions coth(l L)/l and
//! 1/(l sinh(l L)) taken of the matrix l^2 = A.

mod losses;

use super::kernel::{coth_over, csch_over, sphere_impedance};
use crate::error::CellError;
use crate::model::CellModel;
use crate::model::harmonic::{HarmonicResponse, Losses};
use crate::options::ModelKind;
use crate::parameters::{NegativeElectrode, ParameterSet};
use crate::{FARADAY, GAS_CONSTANT};
use losses::Ends;
use num_complex::Complex64;

/// Potentials of a blend that differ by less are one potential, V.
const EQUILIBRIUM: f64 = 1e-4;

/// One family of particles at rest.
#[derive(Debug, Clone, Copy)]
struct RestedFamily {
    /// Surface per volume, 1/m.
    surface: f64,
    /// RT/(F j0), ohm m2.
    charge_transfer: f64,
    /// R (-dU/dc)/(F D), ohm m2.
    diffusion: f64,
    /// R^2/D, s.
    time: f64,
}

/// One porous electrode at rest.
#[derive(Debug, Clone)]
struct RestedElectrode {
    thickness: f64,
    porosity: f64,
    sigma: f64,
    kappa: f64,
    diffusivity: f64,
    /// Capacitance per volume, F/m3.
    capacitance: f64,
    families: Vec<RestedFamily>,
}

/// What stands at the negative side of the separator.
#[derive(Debug, Clone)]
enum Negative {
    Porous(RestedElectrode),
    /// RT/(F j0), ohm m2, and capacitance, F/m2.
    Sheet {
        charge_transfer: f64,
        capacitance: f64,
    },
}

/// A cell at rest.
#[derive(Debug, Clone)]
pub(super) struct RestedCell {
    model: ModelKind,
    negative: Negative,
    positive: RestedElectrode,
    /// Thickness, porosity, conductivity and diffusivity of the separator.
    separator: [f64; 4],
    transference: f64,
    /// chi RT/(F c_e), V m3/mol.
    concentration_voltage: f64,
    contact: f64,
}

/// Admittances per electrode volume: of the particles and with the double layer, S/m3.
#[derive(Debug, Clone, Copy)]
struct Admittance {
    faradaic: Complex64,
    total: Complex64,
}

/// Linear response of one electrode to cell current and to the salt's gradient at the separator.
#[derive(Debug, Clone, Copy)]
struct Response {
    /// Potential of the collector against the electrolyte at the separator.
    potential: [Complex64; 2],
    /// Salt at the separator.
    salt: [Complex64; 2],
}

impl RestedElectrode {
    fn admittance(&self, s: Complex64) -> Admittance {
        let faradaic: Complex64 = self
            .families
            .iter()
            .map(|f| f.surface / (f.charge_transfer + f.diffusion * sphere_impedance(s * f.time)))
            .sum();
        Admittance { faradaic, total: faradaic + s * self.capacitance }
    }

    /// A of the module.
    fn matrix(&self, s: Complex64, transference: f64, g: f64) -> Matrix {
        let y = self.admittance(s);
        let storage = s * self.porosity / self.diffusivity;
        let source = (y.faradaic - transference * y.total) / (FARADAY * self.diffusivity);
        [[y.total * (1.0 / self.sigma + 1.0 / self.kappa) + g * source, -g * storage], [-source, storage]]
    }

    /// X at both ends for current towards the separator and the salt's gradient there.
    fn ends(&self, functions: &[Matrix; 2], g: f64, current: f64, gradient: Complex64) -> Ends {
        let [coth, csch] = *functions;
        // X' = (-I/sigma, 0) at the collector, (I/kappa - g c', c') at the separator.
        let start = [Complex64::from(-current / self.sigma), Complex64::ZERO];
        let end = [current / self.kappa - g * gradient, gradient];
        let values = [combine(csch, end, coth, start), combine(coth, end, csch, start)];
        Ends { values, slopes: [start, end] }
    }

    /// Response to unit current towards the separator, and to unit gradient of the salt there.
    fn response(&self, functions: &[Matrix; 2], g: f64) -> Response {
        let l = self.thickness;
        let at = |current: f64, gradient: f64| {
            let [at_start, at_end] = self.ends(functions, g, current, Complex64::from(gradient)).values;
            // sigma phi_s + kappa (phi_e - g c) falls by I L over the thickness.
            let level = |x: [Complex64; 2]| x[0] + g * x[1];
            let fall =
                (current * l - self.kappa * (level(at_end) - level(at_start))) / (self.sigma + self.kappa);
            (fall + at_end[0], at_end[1])
        };
        let (by_current, by_gradient) = (at(1.0, 0.0), at(0.0, 1.0));
        Response { potential: [by_current.0, by_gradient.0], salt: [by_current.1, by_gradient.1] }
    }

    /// The same with a uniform interfacial current: the salt at the separator and its mean.
    fn uniform_response(&self, s: Complex64, transference: f64) -> UniformResponse {
        let y = self.admittance(s);
        let square = s * self.porosity / self.diffusivity * self.thickness.powi(2);
        let level =
            (y.faradaic - transference * y.total) / (y.total * FARADAY * s * self.porosity * self.thickness);
        UniformResponse {
            impedance: 1.0 / (y.total * self.thickness),
            salt: [level, self.thickness * coth_over(square)],
            mean: [level, self.thickness / square],
        }
    }
}

/// Response of an electrode with uniform interfacial current.
#[derive(Debug, Clone, Copy)]
struct UniformResponse {
    impedance: Complex64,
    salt: [Complex64; 2],
    mean: [Complex64; 2],
}

type Matrix = [[Complex64; 2]; 2];

/// The larger eigenvalue, without cancellation, and the smaller one, from the determinant.
fn eigenvalues(a: Matrix) -> [Complex64; 2] {
    let half_trace = 0.5 * (a[0][0] + a[1][1]);
    let half_difference = 0.5 * (a[0][0] - a[1][1]);
    let root = (half_difference * half_difference + a[0][1] * a[1][0]).sqrt();
    let determinant = a[0][0] * a[1][1] - a[0][1] * a[1][0];
    let larger = if (half_trace * root.conj()).re >= 0.0 { half_trace + root } else { half_trace - root };
    [larger, determinant / larger]
}

/// coth(l L)/l and 1/(l sinh(l L)) of the matrix l^2, by Sylvester's formula.
fn functions(a: Matrix, length: f64) -> [Matrix; 2] {
    let [larger, smaller] = eigenvalues(a);
    let scale = length * length;
    [coth_over, csch_over].map(|function| {
        let (at_larger, at_smaller) = (length * function(larger * scale), length * function(smaller * scale));
        let slope = (at_larger - at_smaller) / (larger - smaller);
        let mut out = a.map(|row| row.map(|entry| entry * slope));
        for (i, row) in out.iter_mut().enumerate() {
            row[i] += at_smaller - smaller * slope;
        }
        out
    })
}

/// m u - n v.
fn combine(m: Matrix, u: [Complex64; 2], n: Matrix, v: [Complex64; 2]) -> [Complex64; 2] {
    [0, 1].map(|i| m[i][0] * u[0] + m[i][1] * u[1] - n[i][0] * v[0] - n[i][1] * v[1])
}

/// Solves m x = b.
fn solve(m: Matrix, b: [Complex64; 2]) -> [Complex64; 2] {
    let determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    [(b[0] * m[1][1] - b[1] * m[0][1]) / determinant, (b[1] * m[0][0] - b[0] * m[1][0]) / determinant]
}

impl RestedCell {
    pub(super) fn new(p: &ParameterSet, model: &mut CellModel, kind: ModelKind) -> Result<Self, CellError> {
        let mut y = model.rested_state(p);
        model.guess_potentials(&mut y, 0.0)?;
        model.evaluate_rest(&y)?;
        let kelvin = p.initial_temperature_k;
        let thermal_voltage = GAS_CONSTANT * kelvin / FARADAY;
        let reference = p.reference_temperature_k;
        let salt = p.electrolyte.initial_concentration;
        let point = [salt, salt, 0.0, kelvin];
        let property = |a: &crate::Activated| -> Result<f64, CellError> {
            Ok(a.at_reference.value(point)? * a.arrhenius_factor(kelvin, reference))
        };
        // The single-particle model takes nothing from the electrolyte.
        let electrolyte = match kind {
            ModelKind::Spm => [1.0, 1.0, 0.0, 0.0],
            ModelKind::Dfn | ModelKind::Spme => {
                let t = p.electrolyte.transference_number.value(point)?;
                let factor = p.electrolyte.thermodynamic_factor.value(point)?;
                let g = 2.0 * (1.0 - t) * factor * thermal_voltage / salt;
                [property(&p.electrolyte.conductivity)?, property(&p.electrolyte.diffusivity)?, t, g]
            }
        };
        let [conductivity, diffusivity, transference, concentration_voltage] = electrolyte;
        let rested = |electrode: &crate::Electrode, index: usize| -> Result<RestedElectrode, CellError> {
            let families = model.rested_families(index, electrode.thickness_m, thermal_voltage)?;
            let surface: f64 = families.iter().map(|f| f[0]).sum();
            Ok(RestedElectrode {
                thickness: electrode.thickness_m,
                porosity: electrode.porosity,
                sigma: electrode.conductivity_s_per_m * electrode.solid_efficiency,
                kappa: conductivity * electrode.electrolyte_efficiency,
                diffusivity: diffusivity * electrode.electrolyte_efficiency,
                capacitance: surface * electrode.double_layer_capacitance,
                families: families
                    .into_iter()
                    .map(|[surface, charge_transfer, diffusion, time]| RestedFamily {
                        surface,
                        charge_transfer,
                        diffusion,
                        time,
                    })
                    .collect(),
            })
        };
        let (negative, index) = match &p.negative {
            NegativeElectrode::Porous(electrode) => (Negative::Porous(rested(electrode, 0)?), 1),
            NegativeElectrode::LithiumMetal(metal) => {
                let j0 = property(&metal.exchange_current)?;
                let capacitance = metal.double_layer_capacitance;
                (Negative::Sheet { charge_transfer: thermal_voltage / j0, capacitance }, 0)
            }
        };
        let efficiency = p.separator.electrolyte_efficiency;
        Ok(Self {
            model: kind,
            negative,
            positive: rested(&p.positive, index)?,
            separator: [
                p.separator.thickness_m,
                p.separator.porosity,
                conductivity * efficiency,
                diffusivity * efficiency,
            ],
            transference,
            concentration_voltage,
            contact: p.contact_resistance_ohm * p.total_area_m2(),
        })
    }

    /// Impedance at `frequency` Hz.
    pub(super) fn impedance(&self, frequency: f64) -> HarmonicResponse {
        let s = Complex64::new(0.0, 2.0 * std::f64::consts::PI * frequency);
        let mut losses = Losses::default();
        self.add_sheet_losses(s, &mut losses);
        let layers = match self.model {
            ModelKind::Dfn => self.porous(s, &mut losses),
            ModelKind::Spme => self.averaged(s, &mut losses),
            ModelKind::Spm => {
                for electrode in self.electrodes() {
                    electrode.add_uniform_losses(s, false, &mut losses);
                }
                [
                    self.sheet_or(s, |e| 1.0 / (e.admittance(s).total * e.thickness)),
                    Complex64::ZERO,
                    1.0 / (self.positive.admittance(s).total * self.positive.thickness),
                ]
            }
        };
        HarmonicResponse { layers, losses, contact: self.contact }
    }

    /// The porous electrodes.
    fn electrodes(&self) -> impl Iterator<Item = &RestedElectrode> {
        let negative = match &self.negative {
            Negative::Porous(electrode) => Some(electrode),
            Negative::Sheet { .. } => None,
        };
        negative.into_iter().chain([&self.positive])
    }

    fn add_sheet_losses(&self, s: Complex64, losses: &mut Losses) {
        if let Negative::Sheet { charge_transfer, capacitance } = &self.negative {
            let potential = 1.0 / (1.0 / charge_transfer + s * capacitance);
            losses.transfer += potential * potential / charge_transfer;
            losses.double_layer += potential * potential * s * capacitance;
        }
    }

    /// The sheet's impedance, or that of the porous electrode by `of`.
    fn sheet_or(&self, s: Complex64, of: impl Fn(&RestedElectrode) -> Complex64) -> Complex64 {
        match &self.negative {
            Negative::Porous(electrode) => of(electrode),
            Negative::Sheet { charge_transfer, capacitance } => {
                1.0 / (1.0 / charge_transfer + s * capacitance)
            }
        }
    }

    /// Flux D c' of salt beside the sheet at unit current: (t+ I - I_f)/F.
    fn sheet_flux(&self, s: Complex64, charge_transfer: f64, capacitance: f64) -> Complex64 {
        let faradaic = 1.0 / (1.0 + s * capacitance * charge_transfer);
        (self.transference - faradaic) / FARADAY
    }

    /// Salt fluxes D c' at both faces of the separator at unit current, and the salt there; `negative` and
    /// `positive` are the salt at the electrodes' separator side by current and by gradient.
    fn match_salt(
        &self,
        s: Complex64,
        negative: Option<[Complex64; 2]>,
        positive: [Complex64; 2],
    ) -> ([Complex64; 2], [Complex64; 2]) {
        let [thickness, porosity, _, d] = self.separator;
        let square = s * porosity / d * thickness * thickness;
        let (coth, csch) = (thickness / d * coth_over(square), thickness / d * csch_over(square));
        // c1 = csch J2 - coth J1, c2 = coth J2 - csch J1; the positive electrode's coordinate runs the other
        // way, so that its current and its gradient change sign.
        let last = [csch, -coth - positive[1] / self.positive.diffusivity];
        let fluxes = match (&self.negative, negative) {
            (Negative::Porous(electrode), Some(salt)) => {
                let first = [salt[1] / electrode.diffusivity + coth, -csch];
                solve([first, last], [-salt[0], positive[0]])
            }
            (Negative::Sheet { charge_transfer, capacitance }, _) => {
                let known = self.sheet_flux(s, *charge_transfer, *capacitance);
                [known, (positive[0] - csch * known) / last[1]]
            }
            (Negative::Porous(_), None) => [Complex64::ZERO; 2],
        };
        let salt = [csch * fluxes[1] - coth * fluxes[0], coth * fluxes[1] - csch * fluxes[0]];
        (fluxes, salt)
    }

    fn separator_impedance(&self, salt: [Complex64; 2]) -> Complex64 {
        let [thickness, _, kappa, _] = self.separator;
        thickness / kappa - self.concentration_voltage * (salt[1] - salt[0])
    }

    /// Negative electrode, separator and positive electrode.
    fn porous(&self, s: Complex64, losses: &mut Losses) -> [Complex64; 3] {
        let g = self.concentration_voltage;
        let prepare = |e: &RestedElectrode| {
            let matrix = e.matrix(s, self.transference, g);
            let functions = functions(matrix, e.thickness);
            (matrix, functions, e.response(&functions, g))
        };
        let positive = prepare(&self.positive);
        let negative = match &self.negative {
            Negative::Porous(electrode) => Some((electrode, prepare(electrode))),
            Negative::Sheet { .. } => None,
        };
        let (fluxes, salt) = self.match_salt(s, negative.map(|(_, (_, _, r))| r.salt), positive.2.salt);
        let gradient = -fluxes[1] / self.positive.diffusivity;
        let ends = self.positive.ends(&positive.1, g, -1.0, gradient);
        self.positive.add_losses(s, (positive.0, g), -1.0, &ends, losses);
        if let Some((electrode, (matrix, functions, _))) = &negative {
            let ends = electrode.ends(functions, g, 1.0, fluxes[0] / electrode.diffusivity);
            electrode.add_losses(s, (*matrix, g), 1.0, &ends, losses);
        }
        self.add_separator_losses(salt, losses);
        [
            self.sheet_or(s, |electrode| {
                negative.map_or(Complex64::ZERO, |(_, (_, _, r))| {
                    r.potential[0] + r.potential[1] * fluxes[0] / electrode.diffusivity
                })
            }),
            self.separator_impedance(salt),
            positive.2.potential[0] - positive.2.potential[1] * gradient,
        ]
    }

    fn add_separator_losses(&self, salt: [Complex64; 2], losses: &mut Losses) {
        let [thickness, _, kappa, _] = self.separator;
        losses.ionic += thickness / kappa;
        losses.concentration -= self.concentration_voltage * (salt[1] - salt[0]);
    }

    /// The same with uniform interfacial currents.
    fn averaged(&self, s: Complex64, losses: &mut Losses) -> [Complex64; 3] {
        let positive = self.positive.uniform_response(s, self.transference);
        let negative = match &self.negative {
            Negative::Porous(electrode) => Some(electrode.uniform_response(s, self.transference)),
            Negative::Sheet { .. } => None,
        };
        let (fluxes, salt) = self.match_salt(s, negative.map(|r| r.salt), positive.salt);
        let g = self.concentration_voltage;
        let ohmic = |e: &RestedElectrode| e.thickness / 3.0 * (1.0 / e.kappa + 1.0 / e.sigma);
        let mean = |r: &UniformResponse, current: f64, gradient: Complex64| {
            r.mean[0] * current + r.mean[1] * gradient
        };
        let at_positive = mean(&positive, -1.0, -fluxes[1] / self.positive.diffusivity);
        let mut from_salt = -g * (at_positive - salt[1]);
        if let (Some(r), Negative::Porous(electrode)) = (&negative, &self.negative) {
            from_salt += g * (mean(r, 1.0, fluxes[0] / electrode.diffusivity) - salt[0]);
        }
        losses.concentration += from_salt;
        for electrode in self.electrodes() {
            electrode.add_uniform_losses(s, true, losses);
        }
        self.add_separator_losses(salt, losses);
        [
            self.sheet_or(s, |electrode| {
                negative.map_or(Complex64::ZERO, |r| {
                    let at_negative = mean(&r, 1.0, fluxes[0] / electrode.diffusivity);
                    r.impedance + ohmic(electrode) + g * (at_negative - salt[0])
                })
            }),
            self.separator_impedance(salt),
            positive.impedance + ohmic(&self.positive) - g * (at_positive - salt[1]),
        ]
    }
}

impl CellModel {
    fn evaluate_rest(&mut self, y: &[f64]) -> Result<(), CellError> {
        self.evaluate_materials(y, true).map_err(|t| {
            let (variable, node) = self.describe(t.unknown);
            CellError::InitialPotentials { variable, node, time_s: 0.0, residual: t.value, iterations: 0 }
        })
    }

    /// Surface per volume, charge-transfer resistance, diffusion resistance and diffusion time of each family
    /// of electrode `index`, as last evaluated.
    fn rested_families(
        &self,
        index: usize,
        thickness: f64,
        thermal_voltage: f64,
    ) -> Result<Vec<[f64; 4]>, CellError> {
        let families = &self.electrodes[index].families;
        let potential = families[0].voltage[0];
        families
            .iter()
            .map(|family| {
                let difference = family.voltage[0] - potential;
                if difference.abs() > EQUILIBRIUM {
                    return Err(CellError::Parameter {
                        name: "difference of the potentials of two active materials at rest [V]".to_owned(),
                        value: difference,
                        requirement: "must vanish; choose a state of charge, so that they are in equilibrium"
                            .to_owned(),
                    });
                }
                let surface = family.surface.iter().sum::<f64>() / thickness;
                Ok(family.rest_response(surface, thermal_voltage))
            })
            .collect()
    }
}
