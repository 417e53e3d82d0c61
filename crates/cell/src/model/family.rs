//! A family of equal particles: one active material, one class of radii, at every node of an electrode
//! through the thickness (or once, in the single-particle models).

use super::hysteresis::HysteresisBlock;
use super::particle::ParticleBatch;
use super::reactions::{Interface, Reactions};
use super::side::{Gains, SideBlock};
use super::trouble;
use crate::ageing::SideReactions;
use crate::expression::FormulaWorkspace;
use crate::mesh::{ParticleMesh, ParticleMeshOptions};
use crate::parameters::{ActiveMaterial, Kinetics};
use crate::property::{Activated, Property, Undefined};
use crate::solver::bdf::Trouble;
use crate::{FARADAY, GAS_CONSTANT};

pub(super) const NO_VALUE: &str = "a material function has no finite value";
const EMPTY_OR_FULL: &str = "the surface stoichiometry left the open interval (0, 1)";

/// Temperature of an evaluation and that at which the properties are given, K.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Temperatures {
    pub(super) kelvin: f64,
    pub(super) reference: f64,
}

impl Temperatures {
    pub(super) fn thermal_voltage(self) -> f64 {
        GAS_CONSTANT * self.kelvin / FARADAY
    }
}

/// Constants of a family and the values of its material functions at the last evaluation.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    /// Position of its particle concentrations among the unknowns (by radial node, then by node through
    /// the thickness).
    pub(crate) base: usize,
    /// Position of its interfacial current densities.
    pub(crate) flux: usize,
    pub(crate) particles: ParticleBatch,
    pub(crate) max_concentration: f64,
    pub(crate) initial_concentration: f64,
    /// 1/(F R), mol/(C m): surface flux per interfacial current.
    pub(crate) flux_scale: f64,
    /// Particle surface per cell area that belongs to each node.
    pub(crate) surface: Vec<f64>,
    pub(super) kinetics: Kinetics,
    /// Reactions, where one exchange-current density is not all there is.
    reactions: Option<Box<Reactions>>,
    /// Whether the entropic slope is part of the potential.
    entropic_shift: bool,
    pub(super) potential: Property,
    pub(super) entropic: Property,
    /// Whether the entropic slope enters the equations at every evaluation (thermal model) and not only
    /// the audit.
    pub(super) entropic_always: bool,
    pub(super) diffusivity: Activated,
    pub(super) exchange: Activated,
    pub(super) x: Vec<f64>,
    pub(crate) voltage: Vec<f64>,
    pub(super) voltage_slope: Vec<f64>,
    pub(super) entropic_value: Vec<f64>,
    pub(super) entropic_derivative: Vec<f64>,
    /// Exchange-current density and its derivatives at the places where it is evaluated: the nodes, or in
    /// the single-particle model with electrolyte the electrolyte's nodes in the electrode.
    pub(super) j0: Vec<f64>,
    pub(super) j0_salt: Vec<f64>,
    pub(super) j0_solid: Vec<f64>,
    /// The surface state repeated at all places, if they are not the nodes.
    spread: [Vec<f64>; 2],
    /// Stoichiometry, diffusivity and its derivative at every particle node (only if it depends on
    /// concentration).
    x_inside: Vec<f64>,
    no_salt: Vec<f64>,
    pub(super) diffusivity_value: Vec<f64>,
    pub(super) diffusivity_slope: Vec<f64>,
    /// Derivatives of the kinetic row with respect to j, c_e (at all places) and surface concentration.
    pub(super) row_flux: Vec<f64>,
    pub(super) row_salt: Vec<f64>,
    pub(super) row_surface: Vec<f64>,
    /// Particle response to unit interfacial current, and the reciprocal of the eliminated diagonal.
    pub(super) response: Vec<f64>,
    pub(super) eliminated: Vec<f64>,
    /// Response of each node's charge per particle surface to the potential difference, the salt and the
    /// kinetic row.
    pub(super) gains: Vec<Gains>,
    /// Side reactions, if there are any.
    pub(crate) side: Option<Box<SideBlock>>,
    /// Branches of the open-circuit potential, if they are used.
    pub(crate) hysteresis: Option<Box<HysteresisBlock>>,
    /// Points outside a table at the last evaluation.
    pub(super) outside: usize,
}

/// What tells families of one electrode apart.
pub(super) struct FamilyParts {
    /// Particle radius, m.
    pub(super) radius: f64,
    /// Particle surface per cell area at each node.
    pub(super) surface: Vec<f64>,
    /// Places at which the exchange current is evaluated.
    pub(super) places: usize,
    pub(super) mesh: ParticleMeshOptions,
    pub(super) side: Option<SideReactions>,
    pub(super) hysteresis: Option<HysteresisBlock>,
    /// Shares of the places in the mean over the electrode, if they are not the nodes.
    pub(super) weights: Vec<f64>,
}

impl Family {
    pub(super) fn new(p: &ActiveMaterial, parts: FamilyParts) -> Self {
        let FamilyParts { radius, surface, places, mesh, side, hysteresis, weights } = parts;
        let count = surface.len();
        let constant = p.diffusivity.at_reference.as_constant();
        let particles = ParticleBatch::new(ParticleMesh::shared(mesh), count, radius, constant.is_none());
        let inside = if constant.is_none() { particles.len() } else { 0 };
        let zero = || vec![0.0; count];
        let spread = if places == count { 0 } else { places };
        Self {
            base: 0,
            flux: 0,
            max_concentration: p.max_concentration,
            initial_concentration: p.initial_concentration,
            flux_scale: 1.0 / (FARADAY * radius),
            surface,
            kinetics: p.kinetics,
            reactions: Reactions::new(p, places).map(Box::new),
            entropic_shift: p.open_circuit.at_reference.msmr().is_none(),
            potential: p.open_circuit.at_reference.clone(),
            entropic: p.open_circuit.entropic_slope.clone(),
            entropic_always: false,
            diffusivity: p.diffusivity.clone(),
            exchange: p.exchange_current.clone(),
            x: zero(),
            voltage: zero(),
            voltage_slope: zero(),
            entropic_value: vec![p.open_circuit.entropic_slope.as_constant().unwrap_or(0.0); count],
            entropic_derivative: zero(),
            j0: vec![0.0; places],
            j0_salt: vec![0.0; places],
            j0_solid: vec![0.0; places],
            spread: [vec![0.0; spread], vec![0.0; spread]],
            x_inside: vec![0.0; inside],
            no_salt: vec![0.0],
            diffusivity_value: vec![constant.unwrap_or(0.0); inside.max(1)],
            diffusivity_slope: vec![0.0; inside.max(1)],
            row_flux: zero(),
            row_salt: vec![0.0; places],
            row_surface: zero(),
            response: vec![0.0; particles.len()],
            eliminated: zero(),
            particles,
            gains: vec![Gains::default(); count],
            side: side.map(|reactions| Box::new(SideBlock::new(reactions, count, weights))),
            hysteresis: hysteresis.map(Box::new),
            outside: 0,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.surface.len()
    }

    /// Range of its particle concentrations among the unknowns.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.base..self.base + self.particles.len()
    }

    /// Position of the surface concentrations among the unknowns.
    pub(crate) fn surface_start(&self) -> usize {
        self.base + self.surface_offset()
    }

    /// Position of the surface concentrations inside the block of particle unknowns.
    pub(super) fn surface_offset(&self) -> usize {
        (self.particles.mesh.len() - 1) * self.count()
    }

    /// Particle volume per cell area of node `k`, divided by the volume integral 1/3 of the unit sphere:
    /// surface times radius, m.
    pub(super) fn volume(&self, k: usize) -> f64 {
        self.surface[k] / (self.flux_scale * FARADAY)
    }

    /// Evaluates the material functions at unknowns `y` and electrolyte concentrations `salt` (one for each
    /// place); with `derivatives` also their slopes.
    pub(super) fn evaluate(
        &mut self,
        y: &[f64],
        salt: &[f64],
        temperatures: Temperatures,
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Trouble> {
        self.set_stoichiometries(y)?;
        let start = self.surface_start();
        self.evaluate_potential_at(y, temperatures, derivatives, workspace)?;
        self.evaluate_exchange_at(y, salt, temperatures, derivatives, workspace)?;
        if let Some(side) = &mut self.side {
            side.evaluate(salt, temperatures.kelvin, workspace)
                .map_err(|u| trouble(start, u.value, NO_VALUE))?;
        }
        self.evaluate_diffusivity(y, temperatures, derivatives, workspace)
    }

    /// Takes the stoichiometries of the surfaces from `y`.
    pub(super) fn set_stoichiometries(&mut self, y: &[f64]) -> Result<(), Trouble> {
        let start = self.surface_start();
        let inverse = 1.0 / self.max_concentration;
        for (k, (x, c)) in self.x.iter_mut().zip(&y[start..]).enumerate() {
            *x = c * inverse;
            if !(*x > 0.0 && *x < 1.0) {
                return Err(trouble(start + k, *x, EMPTY_OR_FULL));
            }
        }
        Ok(())
    }

    /// Evaluates the open-circuit potential alone, at stoichiometries that were set.
    pub(super) fn evaluate_potential_at(
        &mut self,
        y: &[f64],
        temperatures: Temperatures,
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Trouble> {
        let start = self.surface_start();
        self.evaluate_potential(y, temperatures, derivatives, workspace)
            .map_err(|u| trouble(start + u.index, u.value, NO_VALUE))
    }

    /// Evaluates the exchange-current density alone, at stoichiometries that were set.
    pub(super) fn evaluate_exchange_at(
        &mut self,
        y: &[f64],
        salt: &[f64],
        temperatures: Temperatures,
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Trouble> {
        let (start, last) = (self.surface_start(), self.count() - 1);
        let surface = &y[start..=start + last];
        self.evaluate_exchange(surface, salt, temperatures, derivatives, workspace)
            .map_err(|u| trouble(start + u.index.min(last), u.value, NO_VALUE))?;
        match self.j0.iter().enumerate().find(|(_, j0)| **j0 <= 0.0) {
            None => Ok(()),
            Some((k, j0)) => {
                Err(trouble(start + k.min(last), *j0, "the exchange-current density is not positive"))
            }
        }
    }

    fn evaluate_potential(
        &mut self,
        y: &[f64],
        temperatures: Temperatures,
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Undefined> {
        let start = self.surface_start();
        let surface = &y[start..start + self.count()];
        let variables = [self.x.as_slice(), &self.no_salt, surface, &[temperatures.kelvin]];
        // U as a function of the surface concentration: dx = dc/cmax.
        let inward = [1.0 / self.max_concentration, 0.0, 1.0, 0.0];
        let (value, slope) = (&mut self.voltage, &mut self.voltage_slope);
        self.outside = if derivatives {
            self.potential.evaluate_dual(variables, inward, workspace, value, slope)?
        } else {
            self.potential.evaluate(variables, workspace, value)?
        };
        if let Some(hysteresis) = &mut self.hysteresis {
            let slope = derivatives.then_some(slope.as_mut_slice());
            self.outside += hysteresis.evaluate(y, variables, inward, workspace, value, slope)?;
        }
        let excess = if self.entropic_shift { temperatures.kelvin - temperatures.reference } else { 0.0 };
        if excess == 0.0 && !self.entropic_always {
            return Ok(());
        }
        if self.entropic.as_constant().is_none() {
            let (value, slope) = (&mut self.entropic_value, &mut self.entropic_derivative);
            if derivatives {
                self.entropic.evaluate_dual(variables, inward, workspace, value, slope)?;
            } else {
                self.entropic.evaluate(variables, workspace, value)?;
            }
        }
        for k in 0..self.voltage.len() {
            self.voltage[k] += excess * self.entropic_value[k];
            self.voltage_slope[k] += if derivatives { excess * self.entropic_derivative[k] } else { 0.0 };
        }
        Ok(())
    }

    fn evaluate_exchange(
        &mut self,
        surface: &[f64],
        salt: &[f64],
        temperatures: Temperatures,
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Undefined> {
        let inward = [1.0 / self.max_concentration, 0.0, 1.0, 0.0];
        let factor = self.exchange.arrhenius_factor(temperatures.kelvin, temperatures.reference);
        let exchange = &self.exchange.at_reference;
        let kelvin = [temperatures.kelvin];
        let [x, c] = &mut self.spread;
        let variables = if x.is_empty() {
            [self.x.as_slice(), salt, surface, kelvin.as_slice()]
        } else {
            x.fill(self.x[0]);
            c.fill(surface[0]);
            [x.as_slice(), salt, c.as_slice(), kelvin.as_slice()]
        };
        if let Some(reactions) = &mut self.reactions {
            reactions.evaluate(variables, inward, factor, derivatives)?;
        }
        let j0 = &mut self.j0;
        if !derivatives {
            self.outside += exchange.evaluate(variables, workspace, j0)?;
            for j0 in j0.iter_mut() {
                *j0 *= factor;
            }
            return Ok(());
        }
        exchange.evaluate_dual(variables, [0.0, 1.0, 0.0, 0.0], workspace, j0, &mut self.j0_salt)?;
        self.outside += exchange.evaluate_dual(variables, inward, workspace, j0, &mut self.j0_solid)?;
        for values in [&mut self.j0, &mut self.j0_salt, &mut self.j0_solid] {
            for value in values.iter_mut() {
                *value *= factor;
            }
        }
        Ok(())
    }

    /// Entropic slopes at the surface concentrations last evaluated; 0 where the property has no value (its
    /// failure is reported when it enters an equation).
    pub(super) fn refresh_entropic(&mut self, y: &[f64], kelvin: f64, workspace: &mut FormulaWorkspace) {
        if self.entropic.as_constant().is_none() && !self.entropic_always {
            let start = self.surface_start();
            let surface = &y[start..start + self.count()];
            let variables = [self.x.as_slice(), &self.no_salt, surface, &[kelvin]];
            if self.entropic.evaluate(variables, workspace, &mut self.entropic_value).is_err() {
                self.entropic_value.fill(0.0);
            }
        }
    }

    pub(super) fn evaluate_diffusivity(
        &mut self,
        y: &[f64],
        temperatures: Temperatures,
        derivatives: bool,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Trouble> {
        let factor = self.diffusivity.arrhenius_factor(temperatures.kelvin, temperatures.reference);
        let property = &self.diffusivity.at_reference;
        if let Some(value) = property.as_constant() {
            self.diffusivity_value[0] = value * factor;
            return Ok(());
        }
        let (base, c) = (self.base, &y[self.base..self.base + self.particles.len()]);
        let inverse = 1.0 / self.max_concentration;
        for (x, c) in self.x_inside.iter_mut().zip(c) {
            *x = c * inverse;
        }
        let variables = [self.x_inside.as_slice(), &self.no_salt, c, &[temperatures.kelvin]];
        let value = &mut self.diffusivity_value;
        self.outside += if derivatives {
            let slope = &mut self.diffusivity_slope;
            property.evaluate_dual(variables, [inverse, 0.0, 1.0, 0.0], workspace, value, slope)
        } else {
            property.evaluate(variables, workspace, value)
        }
        .map_err(|u| trouble(base + u.index, u.value, NO_VALUE))?;
        for (i, v) in value.iter_mut().enumerate() {
            *v *= factor;
            if *v <= 0.0 {
                return Err(trouble(base + i, *v, "the particle diffusivity is not positive"));
            }
        }
        for v in &mut self.diffusivity_slope {
            *v *= factor;
        }
        Ok(())
    }

    /// Whether its kinetics hold values of their own beside the exchange-current density.
    pub(super) fn has_reactions(&self) -> bool {
        self.reactions.is_some()
    }

    /// The interface at `place` at current density j.
    pub(super) fn interface(&self, place: usize, j: f64, thermal_voltage: f64) -> Interface {
        if let Some(reactions) = &self.reactions {
            return reactions.interface(place, j, thermal_voltage);
        }
        let (eta, by_flux, by_exchange) = overpotential(self.kinetics, j, self.j0[place], thermal_voltage);
        Interface {
            eta,
            by_flux,
            by_salt: by_exchange * self.j0_salt[place],
            by_solid: by_exchange * self.j0_solid[place],
        }
    }

    /// Overpotential at node `k`, averaged with `weights` where the exchange current has places of its own.
    pub(super) fn mean_overpotential(&self, k: usize, j: f64, thermal_voltage: f64, weights: &[f64]) -> f64 {
        if self.spread[0].is_empty() {
            return self.interface(k, j, thermal_voltage).eta;
        }
        weights.iter().enumerate().map(|(i, w)| w * self.interface(i, j, thermal_voltage).eta).sum()
    }

    /// Keeps the derivatives of the kinetic rows at `y`; `weights` as in [`Self::mean_overpotential`].
    pub(super) fn keep_derivatives(&mut self, y: &[f64], thermal_voltage: f64, weights: &[f64]) {
        for k in 0..self.count() {
            let j = y[self.flux + k];
            if self.spread[0].is_empty() {
                let found = self.interface(k, j, thermal_voltage);
                self.row_flux[k] = -found.by_flux;
                self.row_salt[k] = -found.by_salt;
                self.row_surface[k] = -self.voltage_slope[k] - found.by_solid;
                continue;
            }
            (self.row_flux[k], self.row_surface[k]) = (0.0, -self.voltage_slope[k]);
            for (i, weight) in weights.iter().enumerate() {
                let found = self.interface(i, j, thermal_voltage);
                self.row_flux[k] -= weight * found.by_flux;
                self.row_salt[i] = -weight * found.by_salt;
                self.row_surface[k] -= weight * found.by_solid;
            }
        }
        if let Some(hysteresis) = &mut self.hysteresis {
            hysteresis.keep(y, self.flux);
        }
        let c = &y[self.base..self.base + self.particles.len()];
        self.particles.linearize(c, &self.diffusivity_value, &self.diffusivity_slope);
    }

    /// Surface `surface` per volume with RT/(F j0), R (-dU/dc)/(F D) and R^2/D at the state last evaluated, in
    /// which the particles are uniform and no current flows.
    pub(crate) fn rest_response(&self, surface: f64, thermal_voltage: f64) -> [f64; 4] {
        let radius = 1.0 / (FARADAY * self.flux_scale);
        let diffusivity = self.diffusivity_value[0];
        [
            surface,
            thermal_voltage / self.j0[0],
            -radius * self.voltage_slope[0] / (FARADAY * diffusivity),
            radius * radius / diffusivity,
        ]
    }

    /// Eliminates the particles and the interfacial current for `leading`; gives the trouble of a singular
    /// node.
    pub(super) fn factor(&mut self, leading: Option<f64>) -> Result<(), Trouble> {
        const SINGULAR: &str = "the Newton matrix is singular";
        self.response.fill(0.0);
        let offset = self.surface_offset();
        if let Some(leading) = leading {
            self.particles.factor(leading).map_err(|k| trouble(self.base + k, 0.0, SINGULAR))?;
            self.particles.respond(self.flux_scale, &mut self.response);
        }
        for k in 0..self.count() {
            let response = self.response[offset + k];
            let state = self.hysteresis.as_mut().map_or(0.0, |h| h.factor(k, leading));
            let diagonal = self.row_flux[k] + state - self.row_surface[k] * response;
            if diagonal == 0.0 || !diagonal.is_finite() {
                return Err(trouble(self.flux + k, diagonal, SINGULAR));
            }
            let by_salt = if self.spread[0].is_empty() { self.row_salt[k] } else { 0.0 };
            if let Some(side) = &mut self.side {
                let gains = side.factor(k, (diagonal, by_salt), response, leading);
                self.gains[k] = gains.ok_or_else(|| trouble(self.flux + k, diagonal, SINGULAR))?;
                continue;
            }
            let eliminated = 1.0 / diagonal;
            self.eliminated[k] = eliminated;
            self.gains[k] = Gains { potential: eliminated, salt: eliminated * by_salt, kinetics: eliminated };
        }
        Ok(())
    }
}

impl Family {
    /// Solves the currents and states of node `k` for fixed potentials and salt, in place; the particles' block
    /// of `b` holds their solution. Gives the charge per particle surface.
    pub(super) fn solve_local(&self, b: &mut [f64], k: usize, states_move: bool) -> f64 {
        let surface = b[self.surface_start() + k];
        let state = self.hysteresis.as_ref().map_or(0.0, |h| h.known(b, k));
        let known = b[self.flux + k] - self.row_surface[k] * surface - state;
        let (change, charge) = match &self.side {
            None => (self.eliminated[k] * known, self.eliminated[k] * known),
            Some(side) => side.solve(k, (known, surface), states_move, b),
        };
        b[self.flux + k] = change;
        charge
    }

    /// Takes changes of the potential difference, the salt and the kinetic row's right-hand side at node `k`
    /// into the solution of [`Self::solve_local`].
    pub(super) fn substitute_local(&self, b: &mut [f64], k: usize, potential: f64, salt: f64, kinetic: f64) {
        let change = match &self.side {
            None => {
                let gains = &self.gains[k];
                gains.kinetics * kinetic - gains.potential * potential - gains.salt * salt
            }
            Some(side) => side.substitute(k, potential, salt, kinetic, b),
        };
        b[self.flux + k] += change;
    }

    /// Derivative of the kinetic row of node `k` with respect to the cell current, V m2/A.
    pub(super) fn row_current(&self, k: usize) -> f64 {
        self.hysteresis.as_ref().map_or(0.0, |h| h.row_current[k])
    }

    /// Open-circuit potential of node `k` above that without hysteresis, V.
    pub(super) fn departure(&self, k: usize) -> f64 {
        self.hysteresis.as_ref().map_or(0.0, |h| h.departure[k])
    }

    /// Intercalation and side currents at node `k`, A per m2 of particle surface.
    pub(crate) fn total_current(&self, y: &[f64], k: usize) -> f64 {
        let side = self.side.as_ref().map_or(0.0, |side| side.side_current(y, k));
        y[self.flux + k] + side
    }

    /// Volume of the products of side reactions at node `k` per cell area, m.
    pub(super) fn product_volume(&self, y: &[f64], k: usize) -> f64 {
        self.side.as_ref().map_or(0.0, |side| self.surface[k] * side.volume(y, k))
    }

    /// Rows of the side reactions at node `k` into `out`, and the voltage dropped over the film.
    pub(super) fn side_rows(
        &self,
        (y, slope): (&[f64], &[f64]),
        k: usize,
        psi: f64,
        kelvin: f64,
        out: &mut [f64],
    ) -> f64 {
        self.side.as_ref().map_or(0.0, |side| side.residual(self, (y, slope), k, psi, kelvin, out))
    }

    /// Keeps the derivatives of the side reactions at node `k`.
    pub(super) fn keep_side(&mut self, y: &[f64], k: usize, psi: f64, kelvin: f64) {
        if let Some(mut side) = self.side.take() {
            side.keep_derivatives(self, y, k, psi, kelvin);
            self.side = Some(side);
        }
    }
}

/// Overpotential of current density j and its derivatives with respect to j and j0.
pub(crate) fn overpotential(kinetics: Kinetics, j: f64, j0: f64, thermal_voltage: f64) -> (f64, f64, f64) {
    match kinetics {
        // Reactions with other transfer coefficients than 1/2 do not come here.
        Kinetics::ButlerVolmer | Kinetics::Msmr => {
            let root = (j * j + 4.0 * j0 * j0).sqrt();
            let scale = 2.0 * thermal_voltage;
            (scale * inverse_hyperbolic_sine(j / (2.0 * j0)), scale / root, -scale * j / (j0 * root))
        }
        Kinetics::Linear => {
            let eta = thermal_voltage * j / j0;
            (eta, thermal_voltage / j0, -eta / j0)
        }
    }
}

/// asinh by one logarithm; the library's needs a hypotenuse besides.
fn inverse_hyperbolic_sine(u: f64) -> f64 {
    let size = u.abs();
    if size > 1e8 {
        return u.asinh();
    }
    let square = size * size;
    (size + square / (1.0 + (1.0 + square).sqrt())).ln_1p().copysign(u)
}

#[cfg(test)]
mod kinetics_tests {
    use super::inverse_hyperbolic_sine;

    #[test]
    fn inverse_hyperbolic_sine_is_accurate_to_rounding() {
        for i in -2000..=2000 {
            let u = (f64::from(i) * 0.01).sinh() * 1e-3;
            let (found, wanted) = (inverse_hyperbolic_sine(u), u.asinh());
            assert!((found - wanted).abs() <= 3.0 * f64::EPSILON * wanted.abs(), "{u}: {found} {wanted}");
        }
        assert_eq!(inverse_hyperbolic_sine(-1e300), (-1e300_f64).asinh());
        assert!(inverse_hyperbolic_sine(f64::NAN).is_nan());
    }
}
