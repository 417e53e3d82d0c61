//! What the tests of derivatives share.

use scalade_cell::{CellError, Control, DriveCycle, DriveQuantity, Hold, Protocol, ProtocolItem, Step};
use std::sync::Arc;

/// A protocol without traces.
pub fn protocol(text: &str) -> Protocol {
    Protocol::parse(text, &mut |_| Err(CellError::Document("no files here".to_owned()))).unwrap()
}

/// Forty seconds of powers (W) at `times_s`, in straight lines.
pub fn trace(times_s: &[f64], values: &[f64]) -> Protocol {
    let (times, values) = (times_s.to_vec(), values.to_vec());
    let trace =
        DriveCycle::new("steps and ramps", DriveQuantity::Power, times, values, Hold::Linear).unwrap();
    let follow = Step::lasting(Control::Profile { cycle: Arc::new(trace), factor: 1.0 }, 40.0);
    Protocol { items: vec![ProtocolItem::Step(follow)] }
}
