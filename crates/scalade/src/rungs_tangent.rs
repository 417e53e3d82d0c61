//! Phases of a free energy of mixing: `tangent`.

use crate::error::ScaladeError;
use crate::orderings::read_text;
use crate::rungs::{electronvolt, quantity};
use scalade_formats::read_csv;
use scalade_lattice::mean_field::{Approximation, MeanField};
use scalade_lattice::tangent::{MixingCurve, TabledMixing, spinodals, tangents};
use scalade_lattice::{LatticeError, RedlichKister};
use scalade_units::constants::BOLTZMANN_EV;
use scalade_units::dimension;
use serde_json::{Value, json};
use std::path::Path;

/// Columns of a tabled free energy.
const COLUMNS: [&str; 2] = ["x", "free_energy_eV"];

/// What to find the phases of; texts are quantities with units.
#[derive(Clone, Copy, Debug, Default)]
pub struct TangentRequest<'a> {
    /// regular, subregular, bragg-williams or quasi-chemical; none with a file.
    pub kind: Option<&'a str>,
    /// Interaction of the regular solution, per site.
    pub omega: Option<&'a str>,
    /// L0 of the subregular solution.
    pub l0: Option<&'a str>,
    /// L1 of the subregular solution.
    pub l1: Option<&'a str>,
    /// Energy of a pair of neighbouring ions.
    pub pair_energy: Option<&'a str>,
    /// Nearest neighbours of a site.
    pub neighbours: Option<f64>,
    /// CSV table with the columns `x` and `free_energy_eV` (per site, ideal mixing included).
    pub file: Option<&'a Path>,
    /// Temperature.
    pub temperature: &'a str,
}

fn energy_ev(option: &str, text: Option<&str>, kind: &str) -> Result<f64, ScaladeError> {
    let text = text.ok_or_else(|| {
        ScaladeError::input(format!("the kind {kind} needs --{option}, such as --{option} \"0.08 eV\""))
    })?;
    electronvolt(&format!("--{option}"), text)
}

impl TangentRequest<'_> {
    /// Refuses options that the kind would ignore.
    fn only(&self, kind: &str, allowed: &[&str]) -> Result<(), ScaladeError> {
        let given = [
            ("omega", self.omega.is_some()),
            ("l0", self.l0.is_some()),
            ("l1", self.l1.is_some()),
            ("pair-energy", self.pair_energy.is_some()),
            ("neighbours", self.neighbours.is_some()),
        ];
        match given.iter().find(|(name, given)| *given && !allowed.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let known = if allowed.is_empty() {
                    "no such option".into()
                } else {
                    format!("--{}", allowed.join(" and --"))
                };
                Err(ScaladeError::input(format!("--{name} means nothing for {kind}, which takes {known}")))
            }
        }
    }

    fn curve(&self, kt: f64) -> Result<(String, Box<dyn MixingCurve>), ScaladeError> {
        if let Some(path) = self.file {
            if let Some(kind) = self.kind.filter(|k| *k != "table") {
                let message =
                    format!("--file gives the free energy itself; --kind {kind} cannot hold beside it");
                return Err(ScaladeError::input(message));
            }
            self.only("a table", &[])?;
            return Ok(("table".into(), Box::new(table(path, kt)?)));
        }
        let kind = self.kind.ok_or_else(|| {
            ScaladeError::input("give --kind (regular, subregular, bragg-williams, quasi-chemical) or --file")
        })?;
        let solution = |interactions_ev| Box::new(RedlichKister { kt_ev: kt, interactions_ev });
        let curve: Box<dyn MixingCurve> = match kind {
            "regular" => {
                self.only("a regular solution", &["omega"])?;
                solution(vec![energy_ev("omega", self.omega, kind)?])
            }
            "subregular" => {
                self.only("a subregular solution", &["l0", "l1"])?;
                solution(vec![energy_ev("l0", self.l0, kind)?, energy_ev("l1", self.l1, kind)?])
            }
            "bragg-williams" | "quasi-chemical" => {
                self.only("a mean-field lattice gas", &["pair-energy", "neighbours"])?;
                let approximation = if kind == "quasi-chemical" {
                    Approximation::QuasiChemical
                } else {
                    Approximation::BraggWilliams
                };
                let neighbours = self.neighbours.ok_or_else(|| {
                    ScaladeError::input(format!("the kind {kind} needs --neighbours, such as --neighbours 6"))
                })?;
                let w = energy_ev("pair-energy", self.pair_energy, kind)?;
                Box::new(MeanField::new(approximation, neighbours, w, kt).map_err(refused)?)
            }
            "table" => return Err(ScaladeError::input("the kind table needs --file with the table")),
            other => {
                let known = "regular, subregular, bragg-williams, quasi-chemical, table";
                return Err(ScaladeError::input(format!("no kind '{other}' of free energy; known: {known}")));
            }
        };
        Ok((kind.into(), curve))
    }
}

fn table(path: &Path, kt: f64) -> Result<TabledMixing, ScaladeError> {
    let name = path.display().to_string();
    let input = |e: scalade_formats::FormatError| ScaladeError::input(e.to_string());
    let read = read_csv(&read_text(path)?, &name).map_err(input)?;
    for column in COLUMNS {
        if !read.has(column) {
            let have = read.columns().join(", ");
            let message = format!(
                "{name}: the column {column} is missing (there are: {have}); due are x and free_energy_eV, per site with ideal mixing in it"
            );
            return Err(ScaladeError::input(message));
        }
    }
    let (x, g) = (read.numbers(COLUMNS[0]).map_err(input)?, read.numbers(COLUMNS[1]).map_err(input)?);
    TabledMixing::new(&x, &g, kt).map_err(|e| ScaladeError::input(format!("{name}: {e}")))
}

fn refused(error: LatticeError) -> ScaladeError {
    match error {
        LatticeError::NotConverged { .. } => ScaladeError::NotConverged { message: error.to_string() },
        other => ScaladeError::input(other.to_string()),
    }
}

/// `tangent`: coexisting phases, their chemical potential and the spinodals of a free energy of mixing per site.
pub fn tangent(request: &TangentRequest<'_>) -> Result<Value, ScaladeError> {
    let temperature = quantity("--temperature", request.temperature, dimension::TEMPERATURE)?;
    if !(temperature.is_finite() && temperature > 0.0) {
        return Err(ScaladeError::input(format!("--temperature is {temperature} K; above 0 K is due")));
    }
    let (kind, curve) = request.curve(BOLTZMANN_EV * temperature)?;
    let curve = curve.as_ref();
    let all = tangents(curve).map_err(refused)?;
    let bends = spinodals(curve);
    let finite = all.iter().all(|t| t.slope.is_finite() && t.residual.is_finite());
    if !finite {
        return Err(ScaladeError::NotConverged { message: "a tangent is not finite".into() });
    }
    let listed: Vec<Value> = all
        .iter()
        .map(|t| {
            let rest = t.phases.map(|p| p.rest);
            json!({ "x": t.x(), "one_minus_x": rest, "chemical_potential_eV": t.slope, "residual_eV": t.residual })
        })
        .collect();
    let first = all.first();
    let mut warnings = Vec::new();
    if all.len() > 1 {
        warnings.push(format!("{} common tangents; tangent holds the one at the smallest x", all.len()));
    }
    Ok(json!({
        "kind": kind,
        "temperature_K": temperature,
        "miscible": all.is_empty(),
        "tangent": first.map(|t| t.x().to_vec()),
        "chemical_potential_eV": first.map(|t| t.slope),
        "residual_eV": first.map(|t| t.residual),
        "spinodal": if bends.is_empty() { Value::Null } else { json!(bends.iter().map(|f| f.x).collect::<Vec<_>>()) },
        "tangents": listed,
        "warnings": warnings,
    }))
}
