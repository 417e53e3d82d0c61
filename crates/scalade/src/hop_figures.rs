//! Figures of `hop MODEL.toml`: mean squared displacements and running diffusivities against the window, of single ions and of all ions together, with the
//! windows at which the diffusivities were read.

use crate::error::ScaladeError;
use crate::figure_files;
use crate::runner::Failure;
use scalade_report::{Axis, Figure, Orientation, Series};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The rows of a table of a document that have a window and this quantity: windows, values and standard errors.
fn curve(rows: &[Value], key: &str) -> [Vec<f64>; 3] {
    let error = format!("{key}_std_error");
    let mut out = [Vec::new(), Vec::new(), Vec::new()];
    for row in rows {
        let numbers = ["window", key, &error].map(|k| row[k].as_f64());
        // Both axes may be logarithmic: a value that its noise takes below 0 has no place there.
        if let [Some(window), Some(value), Some(error)] = numbers
            && window > 0.0
            && value > 0.0
        {
            for (list, number) in out.iter_mut().zip([window, value, error]) {
                list.push(number);
            }
        }
    }
    out
}

/// Lines at the windows where the diffusivities were read, one for both where they are the same.
fn with_windows(mut figure: Figure, document: &Value) -> Figure {
    let [tracer, jump] = ["tracer", "jump"].map(|key| document[key]["window"].as_f64());
    let marks = match (tracer, jump) {
        (Some(a), Some(b)) if a == b => vec![(a, "both read")],
        _ => [(tracer, "tracer read"), (jump, "collective read")]
            .into_iter()
            .filter_map(|(at, name)| Some((at?, name)))
            .collect(),
    };
    for (at, name) in marks {
        figure = figure.reference(Orientation::Vertical, at, name);
    }
    figure
}

fn figure(document: &Value, table: &str, empty: Figure, keys: [(&str, &str); 2]) -> Option<Figure> {
    let rows = document[table].as_array()?;
    let mut out = empty;
    for (key, name) in keys {
        let [x, y, error] = curve(rows, key);
        if x.len() > 1 {
            out = out.series(Series::line_markers(name, x, y).errors(error));
        }
    }
    (!out.series.is_empty()).then(|| with_windows(out, document))
}

/// Writes the figures of a document into a folder; returns the files.
///
/// Errors: a document without windows (of a master equation, of the dilute limit, of a run too short), a folder that cannot be made, files that cannot be
/// written.
pub fn write(document: &Value, folder: &Path) -> Result<Vec<PathBuf>, ScaladeError> {
    let window = || Axis::new("window", "1/rate").log();
    let displacement = Figure::new(
        "mean-squared-displacement",
        "Mean squared displacement",
        window(),
        Axis::new("mean square", "neighbour distances2").log(),
    );
    let running = Figure::new(
        "running-diffusivity",
        "Running diffusivity",
        window(),
        Axis::new("diffusivity", "neighbour distances2 · rate"),
    );
    let figures: Vec<Figure> = [
        figure(
            document,
            "mean_squared_displacement",
            displacement,
            [("tracer", "an ion"), ("collective", "all ions together, per ion")],
        ),
        figure(document, "running", running, [("tracer", "tracer"), ("jump", "collective")]),
    ]
    .into_iter()
    .flatten()
    .collect();
    if figures.is_empty() {
        return Err(ScaladeError::input(
            "--figures needs two windows or more: this result has none, give the run more hops (max_events)",
        ));
    }
    figure_files::save(&figures, folder)
}

/// Writes the figures of a result, a partial one too, and names them in its document under `figures`.
pub fn add(done: &mut Result<Value, Failure>, folder: &Path) -> Result<(), ScaladeError> {
    let document = match done {
        Ok(document) => document,
        Err(Failure::Partial { document, .. }) => document.as_mut(),
        Err(_) => return Ok(()),
    };
    let files = write(document, folder)?;
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    document["figures"] = json!(names);
    Ok(())
}
