//! Voltages of the single-particle model at many times at once.

use super::sphere::Sphere;
use crate::FARADAY;
use crate::expression::FormulaWorkspace;
use crate::model::family::overpotential;
use crate::parameters::{ActiveMaterial, Electrode, Kinetics, LithiumMetal, NegativeElectrode, ParameterSet};
use crate::property::Undefined;
use crate::{GAS_CONSTANT, Property};

/// Most times of one evaluation.
pub(super) const BATCH: usize = 16;

/// What is known at up to [`BATCH`] times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch {
    /// Surface stoichiometries of the negative and the positive electrode; 1/2 for a lithium sheet.
    pub(super) x: [[f64; BATCH]; 2],
    /// Terminal voltage, V.
    pub(super) voltage: [f64; BATCH],
    /// Equilibrium potential of the positive minus that of the negative electrode, V.
    equilibrium: [f64; BATCH],
    /// Overpotential of the negative minus that of the positive electrode, V.
    overpotential: [f64; BATCH],
    /// T dU/dT of the negative minus that of the positive electrode, V.
    pub(super) entropic: [f64; BATCH],
    /// Points outside a table with a policy for them.
    pub(super) outside: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        let zero = [0.0; BATCH];
        Self {
            x: [[0.5; BATCH]; 2],
            voltage: zero,
            equilibrium: zero,
            overpotential: zero,
            entropic: zero,
            outside: 0,
        }
    }

    /// Voltage, equilibrium potentials, overpotentials and T dU/dT.
    pub(super) fn lists(&self) -> [&[f64; BATCH]; 4] {
        [&self.voltage, &self.equilibrium, &self.overpotential, &self.entropic]
    }

    /// Copies place `i` to the first place.
    pub(super) fn move_to_front(&mut self, i: usize) {
        let [negative, positive] = &mut self.x;
        let rest = [&mut self.voltage, &mut self.equilibrium, &mut self.overpotential, &mut self.entropic];
        for list in [negative, positive].into_iter().chain(rest) {
            list[0] = list[i];
        }
    }
}

/// Temperatures and salt, the same all the time.
#[derive(Debug, Clone, Copy)]
struct Surroundings {
    kelvin: f64,
    /// Above the temperature at which properties are given, K.
    excess: f64,
    /// mol/m3
    salt: f64,
}

impl Surroundings {
    fn thermal_voltage(self) -> f64 {
        GAS_CONSTANT * self.kelvin / FARADAY
    }
}

/// A porous electrode of one active material with equal particles.
#[derive(Debug)]
pub(super) struct PorousSide<'a> {
    material: &'a ActiveMaterial,
    pub(super) sphere: Sphere,
    /// 1 for the negative electrode, -1 for the positive one.
    sign: f64,
    /// Particle surface per cell area.
    surface: f64,
    /// Volume of active material per cell area, m.
    volume: f64,
    /// Arrhenius factor of the exchange-current density.
    activation: f64,
}

/// Values of one electrode at up to [`BATCH`] times.
struct SideBatch {
    c: [f64; BATCH],
    potential: [f64; BATCH],
    entropic: [f64; BATCH],
    j0: [f64; BATCH],
}

impl<'a> PorousSide<'a> {
    /// None if the material's diffusivity is not constant.
    fn new(electrode: &'a Electrode, sign: f64, p: &ParameterSet) -> Option<Self> {
        let material = &electrode.material;
        let (kelvin, reference) = (p.initial_temperature_k, p.reference_temperature_k);
        let diffusivity = material.diffusivity.at_reference.as_constant()?
            * material.diffusivity.arrhenius_factor(kelvin, reference);
        let surface = material.specific_surface() * electrode.thickness_m;
        let radius = material.particle_radius_m;
        let gain = sign * radius / (FARADAY * surface * diffusivity * material.max_concentration);
        Some(Self {
            sphere: Sphere::new(material.initial_stoichiometry(), diffusivity / (radius * radius), gain),
            material,
            sign,
            surface,
            volume: material.fraction * electrode.thickness_m,
            activation: material.exchange_current.arrhenius_factor(kelvin, reference),
        })
    }

    /// Lithium per cell area, mol/m2, and how much there can be.
    pub(super) fn lithium(&self) -> (f64, f64) {
        let capacity = self.volume * self.material.max_concentration;
        (capacity * self.sphere.mean(), capacity)
    }

    /// 1 for the negative electrode, -1 for the positive one.
    pub(super) fn sign(&self) -> f64 {
        self.sign
    }

    /// Interfacial current density at the cell current density `current`, A/m2.
    pub(super) fn interfacial_current(&self, current: f64) -> f64 {
        self.sign * current / self.surface
    }

    /// Interfacial current per cell area, A/m2.
    pub(super) fn charge(&self, current: f64) -> f64 {
        self.interfacial_current(current) * self.surface
    }

    /// Adds what the electrode has at its stoichiometries to the lists of `out`.
    fn add(
        &self,
        surroundings: Surroundings,
        current: f64,
        range: std::ops::Range<usize>,
        workspace: &mut FormulaWorkspace,
        out: &mut Batch,
    ) -> Result<(), Undefined> {
        let Surroundings { kelvin, excess, salt } = surroundings;
        let x = &out.x[usize::from(self.sign < 0.0)][range.clone()];
        let n = x.len();
        let mut own =
            SideBatch { c: [0.0; BATCH], potential: [0.0; BATCH], entropic: [0.0; BATCH], j0: [0.0; BATCH] };
        for (index, (c, x)) in own.c.iter_mut().zip(x).enumerate() {
            if !(*x > 0.0 && *x < 1.0) {
                return Err(Undefined { index, value: *x });
            }
            *c = x * self.material.max_concentration;
        }
        let c = &own.c[..n];
        let at = |salt| [x, salt, c, std::slice::from_ref(&surroundings.kelvin)];
        let open_circuit = &self.material.open_circuit;
        let outside = open_circuit.at_reference.evaluate(at(&[0.0]), workspace, &mut own.potential[..n])?;
        if current != 0.0 || excess != 0.0 {
            let slope = &open_circuit.entropic_slope;
            let values = &mut own.entropic[..n];
            if let Err(undefined) = slope.evaluate(at(&[0.0]), workspace, values) {
                if excess != 0.0 {
                    return Err(undefined);
                }
                // Only the audit of heats asks for it: it counts as 0 where it has no value.
                one_by_one(slope, at(&[0.0]), workspace, values);
            }
        }
        let exchange = &self.material.exchange_current.at_reference;
        let salt = [salt];
        let outside = outside + exchange.evaluate(at(&salt), workspace, &mut own.j0[..n])?;
        let (kinetics, thermal_voltage) = (self.material.kinetics, surroundings.thermal_voltage());
        let j = self.interfacial_current(current);
        for i in 0..n {
            let j0 = own.j0[i] * self.activation;
            if j0.is_nan() || j0 <= 0.0 {
                return Err(Undefined { index: i, value: j0 });
            }
            let (eta, _, _) = overpotential(kinetics, j, j0, thermal_voltage);
            let potential = own.potential[i] + excess * own.entropic[i];
            let at = range.start + i;
            out.voltage[at] -= self.sign * (potential + eta);
            out.equilibrium[at] -= self.sign * potential;
            out.overpotential[at] += self.sign * eta;
            out.entropic[at] += self.sign * kelvin * own.entropic[i];
        }
        out.outside += outside;
        Ok(())
    }
}

/// Values of `property`, 0 where it has none.
fn one_by_one(
    property: &Property,
    variables: [&[f64]; 4],
    workspace: &mut FormulaWorkspace,
    out: &mut [f64],
) {
    for (i, value) in out.iter_mut().enumerate() {
        let at = variables.map(|v| if v.len() == 1 { v } else { &v[i..=i] });
        if property.evaluate(at, workspace, std::slice::from_mut(value)).is_err() {
            *value = 0.0;
        }
    }
}

/// The cell and the state of its particles.
#[derive(Debug)]
pub(super) struct ClosedCell<'a> {
    negative: Option<PorousSide<'a>>,
    positive: PorousSide<'a>,
    sheet: Option<&'a LithiumMetal>,
    surroundings: Surroundings,
    reference_kelvin: f64,
    /// Resistance in series, ohm m2.
    contact_resistance: f64,
    /// A/m2
    current: f64,
    /// Potential of the lithium sheet at this current, V.
    sheet_potential: f64,
    workspace: FormulaWorkspace,
    /// Times at which voltages were evaluated.
    pub(super) evaluations: usize,
}

impl<'a> ClosedCell<'a> {
    /// None if the diffusivity of a material is not constant.
    pub(super) fn new(p: &'a ParameterSet) -> Option<Self> {
        let (negative, sheet) = match &p.negative {
            NegativeElectrode::Porous(electrode) => (Some(PorousSide::new(electrode, 1.0, p)?), None),
            NegativeElectrode::LithiumMetal(metal) => (None, Some(metal)),
        };
        Some(Self {
            negative,
            positive: PorousSide::new(&p.positive, -1.0, p)?,
            sheet,
            surroundings: Surroundings {
                kelvin: p.initial_temperature_k,
                excess: p.initial_temperature_k - p.reference_temperature_k,
                salt: p.electrolyte.initial_concentration,
            },
            reference_kelvin: p.reference_temperature_k,
            contact_resistance: p.contact_resistance_ohm * p.total_area_m2(),
            current: 0.0,
            sheet_potential: 0.0,
            workspace: FormulaWorkspace::default(),
            evaluations: 0,
        })
    }

    /// The porous electrodes with their places in [`Batch::x`].
    pub(super) fn sides(&self) -> impl Iterator<Item = (usize, &PorousSide<'a>)> {
        self.negative.as_ref().map(|side| (0, side)).into_iter().chain([(1, &self.positive)])
    }

    /// Cell current density, A/m2.
    pub(super) fn current(&self) -> f64 {
        self.current
    }

    /// Resistance in series, ohm m2.
    pub(super) fn contact_resistance(&self) -> f64 {
        self.contact_resistance
    }

    /// From now on the cell current density is `current`, A/m2.
    pub(super) fn set_current(&mut self, current: f64) -> Result<(), Undefined> {
        self.current = current;
        if let Some(side) = &mut self.negative {
            side.sphere.set_current(current);
        }
        self.positive.sphere.set_current(current);
        if let Some(metal) = self.sheet {
            let Surroundings { kelvin, salt, .. } = self.surroundings;
            let mut j0 = [0.0];
            let at: [&[f64]; 4] = [&[salt], &[salt], &[0.0], &[kelvin]];
            metal.exchange_current.at_reference.evaluate(at, &mut self.workspace, &mut j0)?;
            let j0 = j0[0] * metal.exchange_current.arrhenius_factor(kelvin, self.reference_kelvin);
            if j0.is_nan() || j0 <= 0.0 {
                return Err(Undefined { index: 0, value: j0 });
            }
            let thermal_voltage = self.surroundings.thermal_voltage();
            self.sheet_potential = overpotential(Kinetics::ButlerVolmer, current, j0, thermal_voltage).0;
        }
        Ok(())
    }

    /// Lets `seconds` pass.
    pub(super) fn advance(&mut self, seconds: f64) {
        if let Some(side) = &mut self.negative {
            side.sphere.advance(seconds);
        }
        self.positive.sphere.advance(seconds);
    }

    /// Surface stoichiometries at the times `seconds` from now, into places `first` and following.
    pub(super) fn surfaces(&self, seconds: &[f64], first: usize, out: &mut Batch) {
        for (place, side) in self.sides() {
            for (x, t) in out.x[place][first..].iter_mut().zip(seconds) {
                *x = side.sphere.surface(*t);
            }
        }
    }

    /// Voltages and what belongs to them at the surface stoichiometries in places `range` of `out`.
    pub(super) fn voltages(
        &mut self,
        range: std::ops::Range<usize>,
        out: &mut Batch,
    ) -> Result<(), Undefined> {
        self.evaluations += range.len();
        out.outside = 0;
        out.voltage[range.clone()].fill(-self.sheet_potential - self.contact_resistance * self.current);
        out.equilibrium[range.clone()].fill(0.0);
        out.overpotential[range.clone()].fill(self.sheet_potential);
        out.entropic[range.clone()].fill(0.0);
        for side in self.negative.iter().chain([&self.positive]) {
            side.add(self.surroundings, self.current, range.clone(), &mut self.workspace, out)?;
        }
        Ok(())
    }
}
