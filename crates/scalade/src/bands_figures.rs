//! Figures of `bands`: sigma/tau and S against the chemical potential, or against the content of a series, one curve a temperature (and set of bands).

use crate::error::ScaladeError;
use crate::figure_files;
use scalade_report::{Axis, Figure, Series};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One curve: its name and its points in the order of the document.
type Curves = BTreeMap<String, Vec<(f64, f64)>>;

/// A component of a tensor in `row`, where it has a value.
fn component(row: &Value, key: &str, axis: usize) -> Option<f64> {
    row[key]["value"].get(axis)?.get(axis)?.as_f64()
}

/// Curves of both quantities along the first axis, and along the last where it differs.
fn curves(
    rows: &[Value],
    key: &str,
    at: impl Fn(&Value) -> Option<f64>,
    name: impl Fn(&Value) -> String,
) -> Curves {
    let mut out = Curves::new();
    for row in rows {
        let last = row[key]["value"].as_array().map_or(0, |rows| rows.len().saturating_sub(1));
        let (Some(x), Some(along)) = (at(row), component(row, key, 0)) else { continue };
        let across = component(row, key, last).unwrap_or(along);
        let same = (along - across).abs() <= 1e-6 * along.abs().max(across.abs());
        let mut put = |name: String, value: f64| out.entry(name).or_default().push((x, value));
        if same {
            put(name(row), along);
        } else {
            put(format!("{}, along x", name(row)), along);
            put(format!("{}, along z", name(row)), across);
        }
    }
    out
}

fn figure(id: &str, title: &str, x: Axis, y: Axis, curves: Curves) -> Option<Figure> {
    let mut out = Figure::new(id, title, x, y);
    let mut any = false;
    for (name, points) in curves {
        if points.len() < 2 {
            continue;
        }
        let (x, y) = points.into_iter().unzip();
        out = out.series(Series::line_markers(name, x, y));
        any = true;
    }
    any.then_some(out)
}

/// Writes the figures of a document into a folder; returns the files.
///
/// Errors: a document with too few points for a curve, a folder that cannot be made, files that cannot be written.
pub fn write(document: &Value, folder: &Path) -> Result<Vec<PathBuf>, ScaladeError> {
    let temperature = |row: &Value| format!("{} K", row["temperature_K"].as_f64().unwrap_or(f64::NAN));
    let conductivity = || Axis::new("conductivity over relaxation time", "S/(m s)");
    let seebeck = || Axis::new("Seebeck coefficient", "uV/K");
    let [sigma_key, seebeck_key] = ["conductivity_over_tau", "seebeck"];
    let figures: Vec<Option<Figure>> = if let Some(rows) = document["series"].as_array() {
        let at = |row: &Value| row["x"].as_f64();
        let name = |row: &Value| format!("bands of x = {}, {}", row["bands_of_x"], temperature(row));
        let x = || Axis::new("x", "");
        vec![
            figure(
                "conductivity-content",
                "Conductivity against content",
                x(),
                conductivity(),
                curves(rows, sigma_key, at, name),
            ),
            figure(
                "seebeck-content",
                "Seebeck coefficient against content",
                x(),
                seebeck(),
                curves(rows, seebeck_key, at, name),
            ),
        ]
    } else {
        let rows = document["points"].as_array().map_or(&[][..], Vec::as_slice);
        let at = |row: &Value| row["fermi_level_eV"]["value"].as_f64();
        let x = || Axis::new("chemical potential", "eV");
        vec![
            figure(
                "conductivity-potential",
                "Conductivity against chemical potential",
                x(),
                conductivity(),
                curves(rows, sigma_key, at, temperature),
            ),
            figure(
                "seebeck-potential",
                "Seebeck coefficient against chemical potential",
                x(),
                seebeck(),
                curves(rows, seebeck_key, at, temperature),
            ),
        ]
    };
    let figures: Vec<Figure> = figures.into_iter().flatten().collect();
    if figures.is_empty() {
        return Err(ScaladeError::input(
            "--figures needs two points or more of a curve: give lists or ranges",
        ));
    }
    figure_files::save(&figures, folder)
}
