//! A model on both sides of the parameters, by which residuals are differentiated with respect to one of them.

use super::Parameter;
use crate::error::CellError;
use crate::model::{CellModel, Difference};
use crate::options::DfnOptions;
use crate::parameters::ParameterSet;
use crate::run::Held;
use crate::solver::bdf::{DaeSystem, Trouble};

/// Half the distance of the two models in theta. Differences of this size err by 1e-8 of the third derivative, and
/// by the rounding of the residuals (1e-15 of volts) over it.
const HALF: f64 = 1e-4;

/// The models at theta = +-[`HALF`].
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) models: [CellModel; 2],
    pub(super) sets: [ParameterSet; 2],
    difference: Difference,
    scratch: [Vec<f64>; 3],
}

impl Pair {
    pub(super) fn new(
        parameter: &Parameter,
        set: &ParameterSet,
        options: &DfnOptions,
        base: &CellModel,
    ) -> Result<Self, CellError> {
        let plus = parameter.changed(set, HALF)?;
        let minus = parameter.changed(set, -HALF)?;
        let models = [CellModel::unchecked(&plus, options)?, CellModel::unchecked(&minus, options)?];
        if models.iter().any(|model| model.layout.dimension != base.layout.dimension) {
            return Err(CellError::Parameter {
                name: parameter.name().to_owned(),
                value: f64::NAN,
                requirement: "changes the number of unknowns: a run has no derivative with respect to it"
                    .to_owned(),
            });
        }
        let zero = || vec![0.0; base.layout.dimension];
        let difference = models[0].differences(&models[1], base);
        Ok(Self { models, sets: [plus, minus], difference, scratch: [zero(), zero(), zero()] })
    }

    /// Theta on side 0 or 1.
    pub(super) fn theta(side: usize) -> f64 {
        if side == 0 { HALF } else { -HALF }
    }

    /// Difference quotient of what the two sides give.
    pub(super) fn difference(sides: [f64; 2]) -> f64 {
        (sides[0] - sides[1]) / (2.0 * HALF)
    }

    /// Derivative of something of the sets.
    pub(super) fn of_sets(&self, value: impl Fn(&ParameterSet) -> f64) -> f64 {
        Self::difference([value(&self.sets[0]), value(&self.sets[1])])
    }

    /// Derivative of the state at rest.
    pub(super) fn rested(&self) -> Vec<f64> {
        let [plus, minus] = [0, 1].map(|i| self.models[i].rested_state(&self.sets[i]));
        plus.iter().zip(&minus).map(|(a, b)| Self::difference([*a, *b])).collect()
    }

    pub(super) fn hold(&mut self, held: Held, slope: Held, start: f64) {
        for (model, set) in self.models.iter_mut().zip(&self.sets) {
            model.control = held.row(set);
            (model.control_slope, model.control_start) = (slope.row(set).value(), start);
        }
    }

    pub(super) fn set_time(&mut self, time: f64) {
        for model in &mut self.models {
            model.set_time(time);
        }
    }

    /// dF/dtheta at (y, y') into `out`, where the material functions of `base` were evaluated at y; the integrals
    /// are left alone.
    pub(super) fn residual_by_parameter(
        &mut self,
        base: &CellModel,
        (y, slope): (&[f64], &[f64]),
        out: &mut [f64],
    ) -> Result<(), Trouble> {
        let [minus, ..] = &mut self.scratch;
        self.models[0].residual_beside(base, &self.difference, (y, slope), out)?;
        self.models[1].residual_beside(base, &self.difference, (y, slope), minus)?;
        for (plus, minus) in out.iter_mut().zip(minus.iter()) {
            *plus = Self::difference([*plus, *minus]);
        }
        Ok(())
    }

    /// dF/dtheta along tangents of y and y' too, the total derivative, into `out`.
    pub(super) fn residual_along(
        &mut self,
        (y, slope): (&[f64], &[f64]),
        (tangent, slope_tangent): (&[f64], &[f64]),
        out: &mut [f64],
    ) -> Result<(), Trouble> {
        let [minus, at, at_slope] = &mut self.scratch;
        let n = y.len();
        let mut side = |model: &mut CellModel, theta: f64, residual: &mut [f64]| {
            for i in 0..n {
                at[i] = y[i] + theta * tangent[i];
                at_slope[i] = slope[i] + theta * slope_tangent[i];
            }
            model.residual(at, at_slope, residual)
        };
        let [first, second] = &mut self.models;
        side(first, HALF, out)?;
        side(second, -HALF, minus)?;
        for (plus, minus) in out.iter_mut().zip(minus.iter()) {
            *plus = Self::difference([*plus, *minus]);
        }
        Ok(())
    }
}
