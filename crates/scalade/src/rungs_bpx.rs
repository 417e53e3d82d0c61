//! Parameter files of cells: BPX files checked and converted, bundled sets listed.

use crate::error::ScaladeError;
use crate::orderings::read_text;
use crate::runner::{Failure, write_atomic};
use scalade_cell::{
    BpxDiagnostic, BpxDocument, BpxOptions, CellDocument, CellError, CellSource, Electrode, ParameterSet,
    RateConvention, check_bpx,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// A form in which parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// BPX 1.1 (JSON).
    Bpx,
    /// Python script for `PyBaMM`.
    Pybamm,
    /// This project's parameter file (JSON).
    Scalade,
}

impl Target {
    /// Names of the forms.
    pub const NAMES: [&'static str; 3] = ["bpx", "pybamm", "scalade"];

    fn name(self) -> &'static str {
        match self {
            Self::Bpx => Self::NAMES[0],
            Self::Pybamm => Self::NAMES[1],
            Self::Scalade => Self::NAMES[2],
        }
    }

    /// The form that is named, else the one that the file's name tells.
    fn of(named: Option<&str>, file: &Path) -> Result<Self, ScaladeError> {
        let all = [Self::Bpx, Self::Pybamm, Self::Scalade];
        if let Some(name) = named {
            let found = all.into_iter().find(|target| target.name() == name);
            return found.ok_or_else(|| {
                ScaladeError::input(format!("--to: forms are {}, not \"{name}\"", Self::NAMES.join(", ")))
            });
        }
        let name = file.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let ends = |ending: &str| name.ends_with(ending);
        match (ends(".scalade.json"), ends(".json"), ends(".py")) {
            (true, ..) => Ok(Self::Scalade),
            (_, true, _) => Ok(Self::Bpx),
            (.., true) => Ok(Self::Pybamm),
            _ => Err(ScaladeError::input(format!(
                "the name {} tells no form; use .json (BPX), .py (PyBaMM), .scalade.json, or --to",
                file.display()
            ))),
        }
    }
}

fn options(old_rates: bool) -> BpxOptions {
    BpxOptions { rates: if old_rates { RateConvention::OneSinh } else { RateConvention::TwoSinh } }
}

/// The error with the file it belongs to.
fn of_file(path: &Path) -> impl Fn(CellError) -> ScaladeError + '_ {
    move |error| ScaladeError::input(format!("{}: {error}", path.display()))
}

/// `bpx check`: the document and its text; a file with errors is [`Failure::Refused`] with both.
pub fn check(path: &Path, old_rates: bool) -> Result<(Value, String), Failure> {
    let source = read_text(path)?;
    let findings = check_bpx(&source, options(old_rates)).map_err(of_file(path))?;
    let errors = findings.iter().filter(|d| d.is_error()).count();
    let warnings = findings.len() - errors;
    let mut document = json!({
        "file": path, "errors": errors, "warnings": warnings, "findings": findings,
        "header": Value::Null, "cell": Value::Null,
    });
    let mut text = String::new();
    if let Ok(read) = BpxDocument::read_with(&source, options(old_rates)) {
        document["header"] = json!(read.header);
        document["cell"] = summary(&read);
        let _ = writeln!(
            text,
            "BPX {} for {}: {}",
            read.header.version,
            read.header.model.name(),
            read.header.title.as_deref().unwrap_or("no title")
        );
    }
    for finding in &findings {
        text.push_str(&lines(finding));
    }
    let verdict =
        format!("{} {}, {} {}", errors, plural("error", errors), warnings, plural("warning", warnings));
    let _ = writeln!(text, "{}: {verdict}", path.display());
    if errors > 0 {
        let message = format!("{} cannot be used: {verdict}", path.display());
        return Err(Failure::Refused { document: Box::new(document), text, message });
    }
    Ok((document, text))
}

fn plural(word: &str, count: usize) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// A finding on two lines: what is wrong, and what to do.
fn lines(finding: &BpxDiagnostic) -> String {
    let severity = if finding.is_error() { "error" } else { "warning" };
    let place = if finding.path.is_empty() { "/" } else { &finding.path };
    format!("{severity}[{}] {place}\n    {}; {}\n", finding.name, finding.message, finding.advice)
}

/// A few numbers by which one knows the cell.
fn summary(document: &BpxDocument) -> Value {
    let set = &document.parameters;
    let side = |electrode: &Electrode| -> Value {
        electrode
            .materials()
            .map(|m| {
                json!({
                    "material": m.name, "active_fraction": m.fraction, "particle_radius_m": m.particle_radius_m,
                    "initial_stoichiometry": m.initial_stoichiometry(),
                    "stoichiometry_empty": m.window.map(|w| w.empty), "stoichiometry_full": m.window.map(|w| w.full),
                })
            })
            .collect()
    };
    json!({
        "nominal_capacity_Ah": set.nominal_capacity_ah,
        "area_m2": set.total_area_m2(),
        "voltage_V": [set.lower_voltage_v, set.upper_voltage_v],
        "negative": set.negative.porous().map(side),
        "positive": side(&set.positive),
        "electrolyte": !set.without_electrolyte,
        "thermal": set.thermal.is_some(),
        "validation": document.validation.iter().map(|curve| json!({
            "name": curve.name, "points": curve.time_s.len(), "end_time_s": curve.time_s.last(),
        })).collect::<Vec<_>>(),
    })
}

/// What `bpx convert` is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Conversion<'a> {
    /// A file, or the name of a bundled set.
    pub input: &'a Path,
    /// The file to write.
    pub output: &'a Path,
    /// Form to write, if the name of the file does not tell it.
    pub to: Option<&'a str>,
    /// State of charge at the start instead of that of the input.
    pub state_of_charge: Option<f64>,
    /// Rate constants of files before version 0.3 as their text has it.
    pub old_rates: bool,
}

/// Parameters with what is known about them, in both forms.
struct Source {
    form: &'static str,
    bpx: BpxDocument,
    chemistry: Option<String>,
    sources: Vec<CellSource>,
}

/// `bpx convert`: reads, converts and writes; the document tells what was left out.
pub fn convert(request: &Conversion<'_>) -> Result<Value, ScaladeError> {
    let target = Target::of(request.to, request.output)?;
    let mut source = read(request)?;
    if let Some(state) = request.state_of_charge {
        let set = &mut source.bpx.parameters;
        *set = set.started_at_state_of_charge(state)?;
    }
    let mut warnings = std::mem::take(&mut source.bpx.warnings);
    let text = match target {
        Target::Bpx => {
            let export = source.bpx.to_bpx()?;
            warnings.extend(export.warnings);
            export.text
        }
        Target::Pybamm => {
            let export = source.bpx.parameters.to_pybamm()?;
            warnings.extend(export.warnings);
            export.text
        }
        Target::Scalade => {
            let mut document = CellDocument::new(source.bpx.parameters);
            document.chemistry = source.chemistry;
            document.sources = source.sources;
            document.to_json()?
        }
    };
    write_atomic(request.output, text.as_bytes())?;
    Ok(json!({
        "input": request.input, "from": source.form, "output": request.output, "format": target.name(),
        "warnings": warnings,
    }))
}

fn read(request: &Conversion<'_>) -> Result<Source, ScaladeError> {
    let path = request.input;
    let name = path.to_string_lossy();
    let bundled = ParameterSet::names().iter().find(|set| set.name.eq_ignore_ascii_case(&name));
    if let (Some(set), false) = (bundled, path.exists()) {
        return Ok(native(set.document()?, "bundled"));
    }
    if !path.exists() {
        let names: Vec<&str> = ParameterSet::names().iter().map(|set| set.name).collect();
        let message = format!("there is no file {name}, and the bundled sets are {}", names.join(", "));
        return Err(ScaladeError::input(message));
    }
    let text = read_text(path)?;
    // Only parameter files of this project have this key at the top.
    let is_native = serde_json::from_str::<Value>(&text).is_ok_and(|v| v.get("scalade_cell").is_some());
    if is_native {
        return Ok(native(CellDocument::read(&text).map_err(of_file(path))?, "scalade"));
    }
    let bpx = BpxDocument::read_with(&text, options(request.old_rates)).map_err(of_file(path))?;
    let header = &bpx.header;
    let said = [&header.title, &header.description, &header.references];
    let sources =
        said.into_iter().flatten().map(|text| CellSource { text: text.clone(), doi: None }).collect();
    Ok(Source { form: "bpx", bpx, chemistry: None, sources })
}

fn native(document: CellDocument, form: &'static str) -> Source {
    let mut bpx = BpxDocument::new(document.parameters);
    bpx.header.description.clone_from(&document.chemistry);
    let cited: Vec<String> = document
        .sources
        .iter()
        .map(|source| match &source.doi {
            Some(doi) => format!("{}, doi {doi}", source.text),
            None => source.text.clone(),
        })
        .collect();
    if !cited.is_empty() {
        bpx.header.references = Some(cited.join("; "));
    }
    Source { form, bpx, chemistry: document.chemistry, sources: document.sources }
}

/// `bpx sets`: the bundled parameter sets.
pub fn sets() -> Result<Value, ScaladeError> {
    let mut list = Vec::new();
    for set in ParameterSet::names() {
        let parameters = ParameterSet::bundled(set.name)?;
        list.push(json!({
            "name": set.name, "chemistry": set.chemistry, "capacity_Ah": parameters.nominal_capacity_ah,
            "thermal": parameters.thermal.is_some(),
            "ageing": parameters.negative.porous().is_some_and(|e| e.material.sei.is_some()),
            "paper": set.citation, "doi": set.doi,
        }));
    }
    Ok(json!({ "sets": list }))
}
