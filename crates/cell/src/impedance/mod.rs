//! Impedance: the exact response of a model to a small sinusoidal current.
//!
//! At rest all coefficients are uniform in each layer, and the response is known in closed form at every
//! frequency ([`rest`]): particles by their analytic admittance, the porous electrodes by the exponentials
//! of two coupled modes, so that no mesh enters.
//!
//! The double layer of capacitance C per particle surface adds s C (phi_s - phi_e) to the interfacial current
//! (s = 2 pi i f); its ions are taken from the salt by the flux t+ i_e alone, as in the time-dependent models
//! of other programs (M. Doyle, J. P. Meyers, J. Newman, J. Electrochem. Soc. 147 (2000) 99 treat the same
//! system numerically).

mod kernel;
mod mesh;
mod rest;
mod state;

use crate::error::CellError;
use crate::model::CellModel;
use crate::model::harmonic::HarmonicResponse;
use crate::options::{DfnOptions, ModelKind};
use crate::parameters::ParameterSet;
use num_complex::Complex64;
use serde::{Deserialize, Serialize};

pub use kernel::sphere_impedance;
pub use state::{CellState, StateSpectrum, impedance_after};

/// The part of an impedance that belongs to one layer or contact, ohm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Name.
    pub name: String,
    /// Real part at each frequency, ohm.
    pub z_real_ohm: Vec<f64>,
    /// Imaginary part at each frequency, ohm.
    pub z_imag_ohm: Vec<f64>,
}

/// Impedance over frequency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// Frequencies, Hz.
    pub frequency_hz: Vec<f64>,
    /// Real part, ohm.
    pub z_real_ohm: Vec<f64>,
    /// Imaginary part, ohm.
    pub z_imag_ohm: Vec<f64>,
    /// What it is made of; the parts add up to the whole.
    pub contributions: Vec<Contribution>,
    /// The same by processes.
    #[serde(default)]
    pub processes: Vec<Contribution>,
}

fn check_frequencies(frequencies: &[f64]) -> Result<(), CellError> {
    match frequencies.iter().find(|f| !(f.is_finite() && **f > 0.0)) {
        None => Ok(()),
        Some(value) => Err(CellError::Option {
            option: "frequency [Hz]",
            value: *value,
            requirement: "must be positive and finite",
        }),
    }
}

/// Impedance of the rested cell in its initial state at `frequencies` (Hz, in any order), ohm, for an inward
/// positive voltage: Z = -dV/dI with the discharge current I.
///
/// # Errors
/// [`CellError::Option`] for a frequency that is not positive and finite; what is wrong with the parameters;
/// [`CellError::Parameter`] if the active materials of a blend are not in equilibrium, so that the cell does
/// not rest.
pub fn impedance_at_rest(
    parameters: &ParameterSet,
    model: ModelKind,
    frequencies: &[f64],
) -> Result<Spectrum, CellError> {
    check_frequencies(frequencies)?;
    let options = DfnOptions { model, ..DfnOptions::default() };
    let cell = rest::RestedCell::new(parameters, &mut CellModel::new(parameters, &options)?, model)?;
    let responses: Vec<HarmonicResponse> = frequencies.iter().map(|f| cell.impedance(*f)).collect();
    Ok(spectrum(frequencies, &responses, parameters.total_area_m2()))
}

/// All of an impedance, ohm m2.
fn total(response: &HarmonicResponse) -> Complex64 {
    response.layers.iter().sum::<Complex64>() + response.contact
}

fn spectrum(frequencies: &[f64], responses: &[HarmonicResponse], area: f64) -> Spectrum {
    let column = |get: &dyn Fn(&HarmonicResponse) -> Complex64| -> (Vec<f64>, Vec<f64>) {
        responses.iter().map(|r| get(r) / area).map(|z| (z.re, z.im)).unzip()
    };
    let part = |name: &str, get: &dyn Fn(&HarmonicResponse) -> Complex64| {
        let (z_real_ohm, z_imag_ohm) = column(get);
        Contribution { name: name.to_owned(), z_real_ohm, z_imag_ohm }
    };
    let (z_real_ohm, z_imag_ohm) = column(&total);
    let contact = |r: &HarmonicResponse| Complex64::from(r.contact);
    Spectrum {
        frequency_hz: frequencies.to_vec(),
        z_real_ohm,
        z_imag_ohm,
        contributions: vec![
            part("negative electrode", &|r| r.layers[0]),
            part("separator", &|r| r.layers[1]),
            part("positive electrode", &|r| r.layers[2]),
            part("contact resistance", &contact),
        ],
        processes: vec![
            part("charge transfer", &|r| r.losses.transfer),
            part("solid diffusion", &|r| r.losses.diffusion),
            part("double layer", &|r| r.losses.double_layer),
            part("electrolyte conduction", &|r| r.losses.ionic),
            part("salt concentration", &|r| r.losses.concentration),
            part("solid conduction", &|r| r.losses.solid),
            part("contact resistance", &contact),
        ],
    }
}
