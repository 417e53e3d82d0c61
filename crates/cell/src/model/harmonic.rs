//! Linear response of a cell in any state to a small harmonic current.
//!
//! With F(y, y') = 0 the equations of the cell, K = dF/dy and M = dF/dy', a current I + dI exp(s t) changes the
//! unknowns by dy exp(s t), (K + s M) dy = -dF/dI dI. Particles and interfacial currents are eliminated node by node
//! as in a Newton step, by complex gains; the double layer adds s C d(phi_s - phi_e) to the interfacial current per
//! surface. Particles of constant diffusivity, whose equation is linear, respond exactly:
//! dc_s/dj = -(R/(F D)) tanh r/(r - tanh r), r^2 = s R^2/D. The temperature stays as it is.

use super::averaged::harmonic::HarmonicAverage;
use super::family::Family;
use super::particle::harmonic::HarmonicParticles;
use super::porous::harmonic::HarmonicChain;
use super::{CellModel, trouble};
use crate::FARADAY;
use crate::impedance::sphere_impedance;
use crate::solver::bdf::Trouble;
use num_complex::Complex64;

/// Capacitance per particle surface of each electrode, and per area of the lithium sheet, F/m2.
#[derive(Debug, Clone, Default)]
pub(crate) struct DoubleLayers {
    pub(crate) electrodes: Vec<f64>,
    pub(crate) sheet: f64,
}

/// Impedance by processes, ohm m2; see [`crate::Spectrum::processes`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Losses {
    pub(crate) solid: Complex64,
    pub(crate) ionic: Complex64,
    pub(crate) concentration: Complex64,
    pub(crate) transfer: Complex64,
    pub(crate) diffusion: Complex64,
    pub(crate) double_layer: Complex64,
}

/// Response to unit current, ohm m2.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HarmonicResponse {
    /// Negative electrode, separator, positive electrode.
    pub(crate) layers: [Complex64; 3],
    pub(crate) losses: Losses,
    pub(crate) contact: f64,
}

/// Lengths over which unknowns vary, m; those of particles over their radius, infinite if all respond exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    pub(crate) salt: [f64; 3],
    pub(crate) reaction: [f64; 3],
    pub(crate) particles: f64,
}

/// How the particles of a family answer.
#[derive(Debug, Clone)]
enum Diffusion {
    /// Resistance R/(F D) and time R^2/D.
    Exact {
        resistance: f64,
        time: f64,
    },
    Resolved {
        flux_scale: f64,
        particles: HarmonicParticles,
    },
}

/// One family at one frequency: minus the change of surface concentration, and minus the interfacial current, by
/// unit current and by unit overvoltage, at every node.
#[derive(Debug, Clone)]
pub(super) struct FamilyResponse {
    pub(super) surface: Vec<Complex64>,
    pub(super) eliminated: Vec<Complex64>,
}

impl FamilyResponse {
    /// Adds what node `k` loses when the potential difference changes by `psi` and the kinetic row by `salt` with
    /// the salt; `capacity` is s C. Gives the current of particles and double layer.
    pub(super) fn add_losses(
        &self,
        family: &Family,
        k: usize,
        [psi, salt, capacity]: [Complex64; 3],
        losses: &mut Losses,
    ) -> Complex64 {
        let surface = family.surface[k];
        let j = -self.eliminated[k] * (psi + salt);
        let charge = surface * j;
        losses.transfer -= charge * family.row_flux[k] * j;
        losses.diffusion += charge * family.row_surface[k] * self.surface[k] * j;
        losses.concentration -= charge * salt;
        let charging = surface * capacity * psi;
        losses.double_layer += charging * psi;
        charge + charging
    }
}

#[derive(Debug, Clone)]
enum Through {
    Chain(HarmonicChain),
    Average(Box<HarmonicAverage>),
}

/// A cell linearised at a state.
#[derive(Debug, Clone)]
pub(crate) struct Harmonic {
    model: CellModel,
    double_layers: DoubleLayers,
    diffusion: Vec<Vec<Diffusion>>,
    through: Through,
}

impl Harmonic {
    /// Linearises `model` at `y`. Nothing may age.
    pub(crate) fn new(mut model: CellModel, y: &[f64], double_layers: DoubleLayers) -> Result<Self, Trouble> {
        model.keep_derivatives(y)?;
        let diffusion = model
            .electrodes
            .iter()
            .map(|electrode| electrode.families.iter().map(Diffusion::new).collect())
            .collect();
        let through = if model.averaged.is_some() {
            Through::Average(Box::new(HarmonicAverage::new(&mut model, y)))
        } else {
            Through::Chain(HarmonicChain::new(&model))
        };
        Ok(Self { model, double_layers, diffusion, through })
    }

    /// Response to a current that goes as exp(s t).
    pub(crate) fn response(&self, s: Complex64) -> Result<HarmonicResponse, Trouble> {
        const SINGULAR: &str = "the matrix of the linear response is singular";
        let families = self.families(s);
        let response = match &self.through {
            Through::Chain(chain) => chain
                .response(&self.model, s, &self.double_layers, &families)
                .map_err(|row| trouble(self.model.layout.salt + row / 3, s.im, SINGULAR))?,
            Through::Average(average) => average
                .response(&self.model, s, &self.double_layers, &families)
                .map_err(|row| trouble(self.model.layout.salt + row, s.im, SINGULAR))?,
        };
        let contact = self.model.contact_resistance;
        Ok(HarmonicResponse { contact, ..response })
    }

    /// Lengths over which a harmonic current at angular frequency `omega` makes the unknowns vary.
    pub(crate) fn lengths(&self, omega: f64) -> Lengths {
        let (e, line) = (&self.model.electrolyte, &self.model.line);
        let mut lengths =
            Lengths { salt: [f64::INFINITY; 3], reaction: [f64::INFINITY; 3], particles: f64::INFINITY };
        let families = self.families(Complex64::new(0.0, omega));
        for (index, electrode) in self.model.electrodes.iter().enumerate() {
            let layer = if electrode.sign > 0.0 { 0 } else { 2 };
            let capacity = omega * self.double_layers.electrodes[index];
            for (family, response) in electrode.families.iter().zip(&families[index]) {
                if family.particles.nonlinear {
                    let slowest = family.diffusivity_value.iter().copied().fold(f64::INFINITY, f64::min);
                    let radius = 1.0 / (FARADAY * family.flux_scale);
                    lengths.particles = lengths.particles.min((slowest / omega).sqrt() / radius);
                }
                if self.model.averaged.is_some() {
                    continue;
                }
                for k in 0..electrode.count {
                    let node = electrode.first + k;
                    let volume = line.layer_weights[layer][node];
                    let kappa = e.efficiency(layer, node) * e.kappa[node];
                    let resistivity = 1.0 / electrode.solid_conductivity + 1.0 / kappa;
                    // As if all particles were like these.
                    let surface = electrode.families.iter().map(|f| f.surface[k]).sum::<f64>() / volume;
                    let admittance = response.eliminated[k].norm() + capacity;
                    let length = 1.0 / (surface * admittance * resistivity).sqrt();
                    lengths.reaction[layer] = lengths.reaction[layer].min(length);
                }
            }
        }
        for element in &line.elements {
            for node in element.start..=element.start + line.order {
                let pore: f64 = line.layer_weights.iter().map(|w| w[node]).sum::<f64>() / e.pore[node];
                let diffusivity = e.efficiency(element.layer, node) * e.d[node] * pore;
                let length = &mut lengths.salt[element.layer];
                *length = length.min((diffusivity / omega).sqrt());
            }
        }
        lengths
    }

    fn families(&self, s: Complex64) -> Vec<Vec<FamilyResponse>> {
        let mut work = Vec::new();
        let electrodes = self.model.electrodes.iter().zip(&self.diffusion);
        electrodes
            .map(|(electrode, diffusion)| {
                let families = electrode.families.iter().zip(diffusion);
                families
                    .map(|(family, diffusion)| {
                        let surface = diffusion.surface(s, family.count(), &mut work);
                        let eliminated = surface
                            .iter()
                            .enumerate()
                            .map(|(k, h)| (family.row_flux[k] - family.row_surface[k] * h).inv())
                            .collect();
                        FamilyResponse { surface, eliminated }
                    })
                    .collect()
            })
            .collect()
    }
}

impl Diffusion {
    fn new(family: &Family) -> Self {
        if family.particles.nonlinear {
            let particles = HarmonicParticles::new(&family.particles);
            return Self::Resolved { flux_scale: family.flux_scale, particles };
        }
        let radius = 1.0 / (FARADAY * family.flux_scale);
        let diffusivity = family.diffusivity_value[0];
        Self::Exact { resistance: radius / (FARADAY * diffusivity), time: radius * radius / diffusivity }
    }

    /// Minus the change of surface concentration by unit interfacial current at `count` nodes, mol/(A m).
    fn surface(&self, s: Complex64, count: usize, work: &mut Vec<Complex64>) -> Vec<Complex64> {
        match self {
            Self::Exact { resistance, time } => vec![resistance * sphere_impedance(s * time); count],
            Self::Resolved { flux_scale, particles } => {
                (0..count).map(|k| flux_scale / particles.surface(s, k, work)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
