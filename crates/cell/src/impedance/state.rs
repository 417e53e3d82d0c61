//! The impedance in any state: the equations linearised at the end of a protocol.
//!
//! The state is taken from the mesh of the run to one that resolves the frequency ([`super::mesh`]) by the polynomials
//! of the run's elements; frequencies that need the same mesh share it.

use super::mesh::{Divisions, Resolution};
use super::{Spectrum, spectrum, total};
use crate::error::CellError;
use crate::mesh::LineMesh;
use crate::model::harmonic::{DoubleLayers, Harmonic, HarmonicResponse};
use crate::model::{CellModel, ElectrodeModel};
use crate::options::{DfnOptions, HysteresisLaw};
use crate::parameters::{NegativeElectrode, ParameterSet};
use crate::protocol::Protocol;
use crate::run::{EndState, run_to_end};
use crate::solution::EndReason;
use crate::solver::bdf::Trouble;
use num_complex::Complex64;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// State of a cell in which its impedance is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellState {
    /// Time since the start of the protocol, s.
    pub time_s: f64,
    /// What ended the protocol.
    pub end_reason: EndReason,
    /// Terminal voltage, V.
    pub voltage_v: f64,
    /// Discharge current, A.
    pub current_a: f64,
    /// Temperature, K.
    pub temperature_k: f64,
    /// Mean lithium content of the negative particles over the most they hold (their mean stoichiometry where they
    /// are of one material); none beside a lithium sheet.
    pub negative_stoichiometry: Option<f64>,
    /// The same of the positive particles.
    pub positive_stoichiometry: f64,
    /// The same at the surfaces of the negative particles, by their surfaces.
    pub negative_surface_stoichiometry: Option<f64>,
    /// The same at the surfaces of the positive particles.
    pub positive_surface_stoichiometry: f64,
}

/// Impedance in a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateSpectrum {
    /// The state.
    pub state: CellState,
    /// Impedance in it.
    pub spectrum: Spectrum,
    /// Largest relative difference |Z - Z'|/|Z| from the impedance Z' on a coarser mesh, at up to nine of the
    /// frequencies. It tells how well the response is resolved in the state that the run has found; the error of the
    /// state itself is that of the run.
    pub error_estimate: f64,
}

/// With these the impedance at rest agrees with its closed form to 3e-7 from 1e-4 to 1e4 Hz for all bundled cells.
const FINE: Resolution = Resolution { order: 7, radial_order: 9, widths: [1.0, 4.0, 4.0] };
const COARSE: Resolution = Resolution { order: 6, radial_order: 7, widths: [2.0, 8.0, 8.0] };

/// Impedance of a cell at the end of `protocol`, which starts from the parameters' initial state, at `frequencies` (Hz,
/// in any order): the response of the voltage to a small harmonic current on top of whatever current flows then,
/// Z = -dV/dI with the discharge current I, ohm. Protocols that end in a rest give the cell at rest, others the cell
/// at work. What would have moved on during the measurement stands still.
///
/// With F(y, y') = 0 the equations of `options.model` at its unknowns y, Z follows from
/// (dF/dy + 2 pi i f dF/dy') dy = -dF/dI dI at the end of the run: kinetics at their overpotential, and every property
/// at its local concentration. Particles of constant diffusivity respond exactly, the rest is resolved on meshes that
/// are chosen for each frequency; `options.mesh`, `rtol` and `atol` are those of the run. The temperature is that of
/// the state and does not oscillate, whatever `options.thermal` is: heat moves the voltage below the frequencies at
/// which the cell exchanges it, typically 1e-3 Hz, only. The double layer is that of [`crate::impedance_at_rest`].
///
/// ```
/// use scalade_cell::{Control, DfnOptions, ParameterSet, Protocol, Step, impedance_after};
/// let cell = ParameterSet::chen2020()?;
/// let discharge = Protocol::sequence(vec![Step::lasting(Control::CRate(1.0), 1200.0)]);
/// let found = impedance_after(&cell, &discharge, &DfnOptions::default(), &[1e-2, 1e3])?;
/// assert!((found.state.current_a - 5.0).abs() < 1e-9 && found.error_estimate < 1e-4);
/// assert!(found.spectrum.z_real_ohm[0] > found.spectrum.z_real_ohm[1]);
/// # Ok::<(), scalade_cell::CellError>(())
/// ```
///
/// # Errors
/// [`CellError::Option`] for a frequency that is not positive and finite; [`CellError::Parameter`] for side reactions
/// and hysteresis, which are not linearised; what [`crate::solve`] says of parameters, options, protocol and run;
/// [`CellError::TimeStep`] with the place where a property has no derivative or the response is singular.
pub fn impedance_after(
    parameters: &ParameterSet,
    protocol: &Protocol,
    options: &DfnOptions,
    frequencies: &[f64],
) -> Result<StateSpectrum, CellError> {
    super::check_frequencies(frequencies)?;
    if options.ageing.is_active() {
        return Err(CellError::Parameter {
            name: "impedance with side reactions".to_owned(),
            value: f64::NAN,
            requirement: "is not linearised: switch SEI, plating and cracks off".to_owned(),
        });
    }
    if options.hysteresis != HysteresisLaw::Off {
        return Err(CellError::Parameter {
            name: "impedance with hysteresis".to_owned(),
            value: f64::NAN,
            requirement: "is not linearised: switch hysteresis off".to_owned(),
        });
    }
    let end = run_to_end(parameters, protocol, options)?;
    let at = |trouble: Trouble| of_trouble(&end, &trouble);
    let cell = Linearised::new(parameters, options, &end).map_err(at)?;
    let responses = cell.responses(frequencies, &FINE)?;
    let step = frequencies.len().div_ceil(9).max(1);
    let chosen: Vec<usize> = (0..frequencies.len()).step_by(step).collect();
    let some: Vec<f64> = chosen.iter().map(|i| frequencies[*i]).collect();
    let coarse = cell.responses(&some, &COARSE)?;
    let error_estimate = chosen
        .iter()
        .zip(&coarse)
        .map(|(i, coarse)| (total(&responses[*i]) - total(coarse)).norm() / total(&responses[*i]).norm())
        .fold(0.0, f64::max);
    let spectrum = spectrum(frequencies, &responses, parameters.total_area_m2());
    Ok(StateSpectrum { state: state_of(parameters, &end), spectrum, error_estimate })
}

fn of_trouble(end: &EndState, trouble: &Trouble) -> CellError {
    let (variable, node) = end.model.describe(trouble.unknown);
    CellError::TimeStep {
        reason: trouble.reason,
        variable,
        node,
        time_s: end.time_s,
        step_s: 0.0,
        value: trouble.value,
    }
}

fn state_of(parameters: &ParameterSet, end: &EndState) -> CellState {
    let l = end.model.layout;
    let content = |e: &ElectrodeModel| (e.lithium(&end.y) / e.capacity(), e.surface_stoichiometry(&end.y));
    let (positive, negative) = match end.model.electrodes.as_slice() {
        [negative, positive] => (content(positive), Some(content(negative))),
        electrodes => (electrodes.first().map_or((f64::NAN, f64::NAN), content), None),
    };
    CellState {
        time_s: end.time_s,
        end_reason: end.end_reason,
        voltage_v: end.y[l.voltage],
        current_a: end.y[l.current] * parameters.total_area_m2(),
        temperature_k: end.y[l.temperature],
        negative_stoichiometry: negative.map(|c| c.0),
        positive_stoichiometry: positive.0,
        negative_surface_stoichiometry: negative.map(|c| c.1),
        positive_surface_stoichiometry: positive.1,
    }
}

/// The cell at the end of its run, ready for any frequency.
struct Linearised<'a> {
    parameters: &'a ParameterSet,
    options: &'a DfnOptions,
    end: &'a EndState,
    double_layers: DoubleLayers,
    /// On the mesh of the run.
    own: Harmonic,
}

impl<'a> Linearised<'a> {
    fn new(
        parameters: &'a ParameterSet,
        options: &'a DfnOptions,
        end: &'a EndState,
    ) -> Result<Self, Trouble> {
        let mut double_layers = DoubleLayers::default();
        match &parameters.negative {
            NegativeElectrode::Porous(electrode) => {
                double_layers.electrodes.push(electrode.double_layer_capacitance);
            }
            NegativeElectrode::LithiumMetal(metal) => double_layers.sheet = metal.double_layer_capacitance,
        }
        double_layers.electrodes.push(parameters.positive.double_layer_capacitance);
        let own = Harmonic::new(end.model.clone(), &end.y, double_layers.clone())?;
        Ok(Self { parameters, options, end, double_layers, own })
    }

    /// Responses at `frequencies`; those that share a mesh are done together.
    fn responses(
        &self,
        frequencies: &[f64],
        resolution: &Resolution,
    ) -> Result<Vec<HarmonicResponse>, CellError> {
        let omega = |i: usize| 2.0 * std::f64::consts::PI * frequencies[i];
        let line = &self.end.model.line;
        let mut places: Vec<(Divisions, usize)> = (0..frequencies.len())
            .map(|i| {
                let lengths = self.own.lengths(omega(i));
                (Divisions::new(line, self.options.model, &lengths, resolution), i)
            })
            .collect();
        places.sort_unstable();
        let mut out = vec![HarmonicResponse::default(); frequencies.len()];
        for group in places.chunk_by(|a, b| a.0 == b.0) {
            let cell = self.on_mesh(group[0].0, resolution)?;
            let found: Vec<Result<HarmonicResponse, Trouble>> =
                group.par_iter().map(|(_, i)| cell.response(Complex64::new(0.0, omega(*i)))).collect();
            for ((_, i), response) in group.iter().zip(found) {
                out[*i] = response.map_err(|trouble| of_trouble(self.end, &trouble))?;
            }
        }
        Ok(out)
    }

    fn on_mesh(&self, divisions: Divisions, resolution: &Resolution) -> Result<Harmonic, CellError> {
        let mut options = self.options.clone();
        for electrode in [&mut options.mesh.negative, &mut options.mesh.positive] {
            electrode.particle = divisions.particles(resolution.radial_order);
        }
        let run = &self.end.model.line;
        let line = if run.nodes.is_empty() {
            LineMesh::empty()
        } else {
            divisions.line(run, resolution.order.max(run.order))
        };
        let model = CellModel::on_line(self.parameters, &options, line)?;
        let y = model.state_from(&self.end.model, &self.end.y);
        Harmonic::new(model, &y, self.double_layers.clone()).map_err(|trouble| of_trouble(self.end, &trouble))
    }
}
