//! Figures as SVG files in a folder.

use crate::error::ScaladeError;
use crate::runner::write_atomic;
use scalade_report::{Figure, Theme, figure_svg};
use std::path::{Path, PathBuf};

/// Writes each figure as `ID.svg` for a white ground into a folder, which is made where it is missing; returns the files.
pub(crate) fn save(figures: &[Figure], folder: &Path) -> Result<Vec<PathBuf>, ScaladeError> {
    let cannot = |e: std::io::Error| ScaladeError::input(format!("cannot make {}: {e}", folder.display()));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let mut out = Vec::with_capacity(figures.len());
    for figure in figures {
        let svg = figure_svg(figure, Theme::Light)
            .map_err(|e| ScaladeError::internal(format!("figure {}: {e}", figure.id)))?;
        let file = folder.join(format!("{}.svg", figure.id));
        write_atomic(&file, svg.as_bytes())?;
        out.push(file);
    }
    Ok(out)
}
