//! Frames as JSON.

use crate::error::{FormatError, Place};
use crate::frame::Frame;
use crate::text::recognise;
use scalade_crystal::{CrystalError, determinant};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const FORMAT: &str = "scalade-frames";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FramesDocument<T> {
    format: String,
    version: u32,
    frames: T,
}

/// A document, with line and column in the error.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, FormatError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(FormatError::Empty { place: Box::new(Place::file(name)), wanted: "JSON" });
    }
    serde_json::from_str(text).map_err(|error| {
        if let Some((looks_like, way_out)) = recognise(text).filter(|(format, _)| *format != "JSON") {
            return FormatError::WrongFormat {
                place: Box::new(Place::file(name)),
                looks_like,
                wanted: "JSON",
                way_out,
            };
        }
        let message = error.to_string();
        let problem = message.split(" at line ").next().unwrap_or(&message).to_string();
        let problem = crate::error::shown(&problem);
        FormatError::syntax(Place::line(name, error.line()).column(error.column()), problem)
    })
}

/// Frames as a JSON document `{"format": "scalade-frames", "version": 1, "frames": [...]}`; it reads back to
/// the bit.
///
/// Errors: [`FormatError::Unwritable`] as for extended XYZ.
pub fn write_frames_json(frames: &[Frame]) -> Result<String, FormatError> {
    if let Some((frame, defect)) = frames.iter().find_map(|frame| Some((frame, frame.defect()?))) {
        return Err(FormatError::unwritable(frame.id(), "JSON", defect));
    }
    let document = FramesDocument { format: FORMAT.into(), version: VERSION, frames };
    serde_json::to_string(&document)
        .map_err(|error| FormatError::unwritable("frames", "JSON", error.to_string()))
}

/// Frames from the JSON that [`write_frames_json`] writes.
///
/// Errors: [`FormatError::Syntax`] with line and column for JSON that is none or not of this format, and
/// with the frame for lists that
/// do not fit its atoms; [`FormatError::Structure`] for a periodic lattice without volume.
pub fn read_frames_json(text: &str, name: &str) -> Result<Vec<Frame>, FormatError> {
    let document: FramesDocument<Vec<Frame>> = parse(text, name)?;
    if document.format != FORMAT || document.version != VERSION {
        let problem = format!(
            "expected format \"{FORMAT}\", version {VERSION}; found \"{}\", version {}",
            crate::error::shown(&document.format),
            document.version
        );
        return Err(FormatError::syntax(Place::file(name), problem));
    }
    let mut frames = document.frames;
    for (index, frame) in frames.iter_mut().enumerate() {
        frame.file = name.to_string();
        frame.index = index + 1;
        let place = Place::file(name).frame(index + 1);
        if let Some(defect) = frame.defect() {
            return Err(FormatError::syntax(place, defect));
        }
        let determinant = frame.lattice_angstrom.as_ref().map_or(1.0, determinant);
        if frame.periodic != [false; 3] && !(determinant.is_finite() && determinant.abs() > 1e-9) {
            let source = CrystalError::Degenerate { determinant };
            return Err(FormatError::Structure { place: Box::new(place), source });
        }
    }
    Ok(frames)
}
