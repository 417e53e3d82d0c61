//! The residual of a model that differs from another one in few things: only what differs is evaluated.

use super::CellModel;
use super::family::{Family, Temperatures};
use crate::expression::FormulaWorkspace;
use crate::solver::bdf::Trouble;

/// Which parts of the residual are evaluated; the others are left at 0. The mass, the control and the rows of
/// voltage and temperature always are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    /// Particles of each family, in the order of [`CellModel::families`]; all if absent.
    pub(super) families: Option<&'a [FamilyDifference]>,
    /// Interfacial currents and their laws.
    pub(super) kinetics: bool,
    /// Transport through the thickness.
    pub(super) transport: bool,
}

impl Parts<'_> {
    pub(super) const ALL: Self = Parts { families: None, kinetics: true, transport: true };

    /// Whether the particles of family `index` take part.
    pub(super) fn has_particles(&self, index: usize) -> bool {
        self.families.is_none_or(|families| families.get(index).is_none_or(|f| f.particles))
    }
}

/// In what a family differs.
#[derive(Debug, Clone, Copy)]
pub(super) struct FamilyDifference {
    potential: bool,
    exchange: bool,
    diffusivity: bool,
    particles: bool,
}

/// In what two models differ.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    families: Vec<FamilyDifference>,
    electrolyte: bool,
    kinetics: bool,
    transport: bool,
    /// The models have parts that are always evaluated as a whole.
    whole: bool,
}

impl Family {
    fn difference(&self, other: &Self) -> FamilyDifference {
        let capacity = self.max_concentration != other.max_concentration;
        let diffusivity = capacity || self.diffusivity != other.diffusivity;
        FamilyDifference {
            potential: capacity || self.potential != other.potential || self.entropic != other.entropic,
            exchange: capacity || self.exchange != other.exchange,
            diffusivity,
            particles: diffusivity
                || self.flux_scale != other.flux_scale
                || self.particles.inverse_square() != other.particles.inverse_square(),
        }
    }

    /// Evaluates at unknowns `y` what differs from `base`, which has been evaluated there, and copies the rest.
    fn evaluate_beside(
        &mut self,
        base: &Self,
        difference: FamilyDifference,
        (y, salt): (&[f64], &[f64]),
        temperatures: Temperatures,
        workspace: &mut FormulaWorkspace,
    ) -> Result<(), Trouble> {
        let FamilyDifference { potential, exchange, diffusivity, .. } = difference;
        self.set_stoichiometries(y)?;
        if potential {
            self.evaluate_potential_at(y, temperatures, false, workspace)?;
        } else {
            self.voltage.copy_from_slice(&base.voltage);
            self.entropic_value.copy_from_slice(&base.entropic_value);
        }
        if exchange {
            self.evaluate_exchange_at(y, salt, temperatures, false, workspace)?;
        } else {
            self.j0.copy_from_slice(&base.j0);
        }
        if diffusivity {
            self.evaluate_diffusivity(y, temperatures, false, workspace)?;
        } else {
            self.diffusivity_value.copy_from_slice(&base.diffusivity_value);
        }
        Ok(())
    }
}

impl CellModel {
    /// In what this model differs from `base`, which has the same layout.
    fn difference(&self, base: &Self) -> Difference {
        let families: Vec<FamilyDifference> =
            self.families().zip(base.families()).map(|(own, other)| own.difference(other)).collect();
        let electrolyte = self.electrolyte.differs(&base.electrolyte);
        let laws = families.iter().any(|f| f.potential || f.exchange);
        let surfaces = self
            .families()
            .zip(base.families())
            .any(|(a, b)| a.surface != b.surface || a.kinetics != b.kinetics);
        let solids = self.electrodes.iter().zip(&base.electrodes);
        let transport = electrolyte
            || self.electrolyte.geometry_differs(&base.electrolyte)
            || self.line.nodes != base.line.nodes
            || solids.into_iter().any(|(a, b)| a.solid_conductivity != b.solid_conductivity);
        Difference {
            families,
            electrolyte,
            kinetics: laws || surfaces,
            transport,
            whole: self.averaged.is_some()
                || self.sheet.is_some()
                || self.thermal.is_some()
                || self.reference_temperature != base.reference_temperature
                || self.families().any(|f| f.side.is_some() || f.hysteresis.is_some() || f.has_reactions()),
        }
    }

    /// In what this model differs from `base` or `other` does.
    pub(crate) fn differences(&self, other: &Self, base: &Self) -> Difference {
        let (own, also) = (self.difference(base), other.difference(base));
        let families = own.families.iter().zip(&also.families).map(|(a, b)| FamilyDifference {
            potential: a.potential || b.potential,
            exchange: a.exchange || b.exchange,
            diffusivity: a.diffusivity || b.diffusivity,
            particles: a.particles || b.particles,
        });
        Difference {
            families: families.collect(),
            electrolyte: own.electrolyte || also.electrolyte,
            kinetics: own.kinetics || also.kinetics,
            transport: own.transport || also.transport,
            whole: own.whole || also.whole,
        }
    }

    /// F(y, y') of this model up to what it has in common with `base`, whose material functions were evaluated at y:
    /// rows in which the two do not differ are 0.
    pub(crate) fn residual_beside(
        &mut self,
        base: &Self,
        difference: &Difference,
        (y, slope): (&[f64], &[f64]),
        out: &mut [f64],
    ) -> Result<(), Trouble> {
        if difference.whole {
            return self.full_residual(y, slope, out);
        }
        let l = self.layout;
        let temperatures = self.temperatures(y);
        self.salt.copy_from_slice(&base.salt);
        if difference.electrolyte {
            let salt = self.salt.as_slice();
            self.electrolyte.evaluate(salt, temperatures, false, &mut self.workspace, l.salt)?;
        } else {
            self.electrolyte.copy_values(&base.electrolyte);
        }
        let mut differences = difference.families.iter();
        for (electrode, other) in self.electrodes.iter_mut().zip(&base.electrodes) {
            let nodes = electrode.electrolyte_nodes();
            for (family, other) in electrode.families.iter_mut().zip(&other.families) {
                if let Some(own) = differences.next() {
                    let at = (y, &self.salt[nodes.clone()]);
                    family.evaluate_beside(other, *own, at, temperatures, &mut self.workspace)?;
                }
            }
        }
        let Difference { kinetics, transport, .. } = *difference;
        out[..l.integrals].fill(0.0);
        let parts = Parts { families: Some(&difference.families), kinetics, transport };
        self.residual_parts(y, slope, parts, out);
        Ok(())
    }
}
