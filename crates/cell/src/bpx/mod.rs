//! Parameter files of the Battery Parameter eXchange format (BPX, <https://bpxstandard.com>), versions 0.1 to
//! 1.1: reading, checking, writing.
//!
//! Conventions of the format: transport efficiencies are given directly, solid conductivities are effective
//! values, areas are per electrode pair, the active material's volume fraction is surface area times radius
//! / 3, and j = 2 j0 sinh(F eta/2RT) with j0 = F k sqrt(c_e/c_e0 x (1 - x)), c_e0 the initial salt
//! concentration. Functions of the electrolyte have its concentration, mol/m3, as `x`. The cell starts at the
//! state of charge of the section State, full if there is none.

mod diagnostic;
mod electrode;
mod experiment;
mod kinetics;
mod plausible;
mod read;
mod schema;
mod section;
mod tree;
mod write;

use crate::error::CellError;
use crate::parameters::ParameterSet;
use serde::Serialize;
use tree::Node;

pub(crate) use diagnostic::Findings;
pub use diagnostic::{BpxDiagnostic, Severity};
pub use write::BpxExport;

/// Longest file, bytes.
const MAX_LENGTH: usize = 64 << 20;

/// The model that a BPX file is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum BpxModel {
    /// Doyle-Fuller-Newman model.
    #[serde(rename = "DFN")]
    Dfn,
    /// Single-particle model with electrolyte.
    #[serde(rename = "SPMe")]
    Spme,
    /// Single-particle model: no data of electrolyte and separator.
    #[serde(rename = "SPM")]
    Spm,
    /// Some sections only: can be checked, but not run.
    Partial,
}

impl BpxModel {
    fn named(name: &str) -> Option<Self> {
        [Self::Dfn, Self::Spme, Self::Spm, Self::Partial].into_iter().find(|model| model.name() == name)
    }

    /// Name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dfn => "DFN",
            Self::Spme => "SPMe",
            Self::Spm => "SPM",
            Self::Partial => "Partial",
        }
    }
}

/// Convention of rate constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateConvention {
    /// j = 2 j0 sinh(F eta/2RT): the format since version 0.3.
    #[default]
    TwoSinh,
    /// j = j0 sinh(F eta/2RT): the text of versions 0.1 and 0.2.
    OneSinh,
}

/// How a BPX file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BpxOptions {
    /// Convention of rate constants in files whose version is below 0.3. The default is that of newer files:
    /// the published example files are marked 0.1.0, but their measured curves and their copies marked 0.4.0
    /// have it (1C of the NMC cell: 21 mV root mean square from the file's curve, 64 mV with the old one).
    pub rates: RateConvention,
}

/// Header of a BPX file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BpxHeader {
    /// Version of the format, as it stands in the file.
    #[serde(rename = "bpx")]
    pub version: String,
    #[serde(skip)]
    numbers: [u32; 2],
    /// The model.
    pub model: BpxModel,
    /// Title.
    pub title: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// References.
    pub references: Option<String>,
}

impl BpxHeader {
    /// Whether the file is of version 0, which keeps temperatures and concentration elsewhere.
    pub fn is_legacy(&self) -> bool {
        self.numbers[0] == 0
    }
}

/// A measured curve that comes with a BPX file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BpxValidation {
    /// Name in the file.
    pub name: String,
    /// Times, s, not decreasing.
    pub time_s: Vec<f64>,
    /// Currents, A, discharge positive (the file stores discharge as negative).
    pub current_a: Vec<f64>,
    /// Voltages, V.
    pub voltage_v: Vec<f64>,
    /// Temperatures, K, if given.
    pub temperature_k: Option<Vec<f64>>,
}

/// State of ageing of a BPX file; parameters are those of the fresh cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BpxDegradation {
    /// Share of the cyclable lithium that is lost.
    pub loss_of_lithium_inventory: f64,
    /// Share of active material that is lost in the negative electrode, by material (no name: the only one).
    pub loss_of_negative_material: Vec<(String, f64)>,
    /// The same of the positive electrode.
    pub loss_of_positive_material: Vec<(String, f64)>,
}

/// A BPX file.
///
/// ```no_run
/// use scalade_cell::BpxDocument;
/// let text = std::fs::read_to_string("cell.json")?;
/// let document = BpxDocument::read(&text)?;
/// let capacity = document.parameters.nominal_capacity_ah;
/// for curve in &document.validation {
///     assert_eq!(curve.time_s.len(), curve.current_a.len());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BpxDocument {
    /// Header.
    pub header: BpxHeader,
    /// Parameters, at the state of charge of the file.
    pub parameters: ParameterSet,
    /// State of charge at the start between the file's stoichiometries, if it gives one.
    pub state_of_charge: Option<f64>,
    /// Measured curves.
    pub validation: Vec<BpxValidation>,
    /// State of ageing.
    pub degradation: Option<BpxDegradation>,
    /// Warnings.
    pub warnings: Vec<BpxDiagnostic>,
    /// Section User-defined as it stands.
    user_defined: Vec<(String, Node)>,
    /// Data of heat in the section Cell as they stand: parameter sets know them only together, and the density
    /// only in its product with the specific heat.
    optional_cell: Vec<(&'static str, f64)>,
    /// Ambient temperature, K, if given.
    ambient: Option<f64>,
}

fn tree(text: &str) -> Result<Node, CellError> {
    if text.len() > MAX_LENGTH {
        return Err(CellError::Document(format!(
            "the file has {} bytes, the limit is {MAX_LENGTH}",
            text.len()
        )));
    }
    // Some editors begin files with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| CellError::Document(format!("not JSON: {error}")))
}

/// Everything that is wrong with the text of a BPX file, errors first; empty if it is fine.
///
/// # Errors
/// [`CellError::Document`] if it is not JSON.
pub fn check_bpx(text: &str, options: BpxOptions) -> Result<Vec<BpxDiagnostic>, CellError> {
    Ok(read::read(&tree(text)?, options).findings.finish())
}

impl BpxDocument {
    /// Reads a BPX file with the default options.
    ///
    /// # Errors
    /// As [`Self::read_with`].
    pub fn read(text: &str) -> Result<Self, CellError> {
        Self::read_with(text, BpxOptions::default())
    }

    /// Reads a BPX file.
    ///
    /// # Errors
    /// [`CellError::Document`] if it is not JSON; [`CellError::Bpx`] with everything that is wrong, as
    /// [`check_bpx`] finds it, if there is an error among it or the file holds only parts of a cell.
    pub fn read_with(text: &str, options: BpxOptions) -> Result<Self, CellError> {
        let mut reading = read::read(&tree(text)?, options);
        if let Some(BpxHeader { model: BpxModel::Partial, .. }) = reading.header {
            let message = "the file describes parts of a cell only";
            reading.findings.error("partial", "/Header/Model", message, "give a file with all sections");
        }
        let errors = reading.findings.errors();
        let warnings = reading.findings.finish();
        match (errors, reading.header, reading.parameters) {
            (0, Some(header), Some(parameters)) => Ok(Self {
                header,
                parameters,
                state_of_charge: reading.state_of_charge,
                validation: reading.validation,
                degradation: reading.degradation,
                warnings,
                user_defined: reading.user_defined,
                optional_cell: reading.optional_cell,
                ambient: reading.ambient,
            }),
            _ => Err(CellError::Bpx { findings: warnings }),
        }
    }
}

impl ParameterSet {
    /// Reads the parameters of a BPX file, version 0.1 to 1.1, for the models DFN, SPMe and SPM.
    ///
    /// # Errors
    /// As [`BpxDocument::read_with`].
    pub fn from_bpx(text: &str) -> Result<Self, CellError> {
        BpxDocument::read(text).map(|document| document.parameters)
    }
}
