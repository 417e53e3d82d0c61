//! What is done to a cell: steps, one after the other or repeated.

mod csv;
mod drive;
mod step;
mod text;

use crate::error::CellError;
use serde::{Deserialize, Serialize};

pub use csv::CsvOptions;
pub use drive::{DriveCycle, DriveQuantity, DriveSegment, Hold};
pub use step::{Control, Limit, Step, StepState};
pub use text::DriveRequest;

/// Most steps of a run, repetitions counted.
const MOST_STEPS: usize = 1_000_000;
/// Deepest nesting of repeats.
const DEEPEST: usize = 16;

/// A part of a protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ProtocolItem {
    /// One step.
    Step(Step),
    /// Parts done several times; kept once.
    Repeat {
        /// How many times.
        count: usize,
        /// What is repeated.
        items: Vec<ProtocolItem>,
    },
}

/// Steps done one after the other, with repeats.
///
/// A run counts cycles: each pass of a repeat at the top level is one, and so is each row of steps between such
/// repeats.
///
/// ```
/// use scalade_cell::{Control, Protocol, ProtocolItem, Step};
/// let rest = Step::lasting(Control::Rest, 600.0);
/// let cycle = vec![Step::lasting(Control::CRate(1.0), 1800.0), Step::lasting(Control::CRate(-1.0), 1800.0)];
/// let mut protocol = Protocol::cycles(1000, cycle);
/// protocol.items.insert(0, ProtocolItem::Step(rest));
/// assert_eq!(protocol.step_count(), 2001);
/// let last = protocol.steps().last().ok_or("no step")?;
/// assert_eq!((last.cycle, last.index, last.index_in_cycle), (1000, 2000, 1));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// The parts.
    pub items: Vec<ProtocolItem>,
}

/// A protocol of one discharge step.
pub type DischargeProtocol = Protocol;

/// A step with its place in a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlacedStep<'a> {
    /// Cycle, from 0.
    pub cycle: usize,
    /// Number of the step in the run, from 0.
    pub index: usize,
    /// Number of the step in its cycle, from 0.
    pub index_in_cycle: usize,
    /// The step.
    pub step: &'a Step,
}

impl Protocol {
    /// A discharge (or, for a negative rate, a charge) at `rate` C until the voltage reaches
    /// `end_voltage_v`, at most three times as long as the nominal capacity lasts.
    pub fn discharge(rate: f64, end_voltage_v: f64) -> Self {
        let duration = if rate == 0.0 { 3600.0 } else { 3.0 * 3600.0 / rate.abs() };
        let step = Step::lasting(Control::CRate(rate), duration);
        let step = if rate < 0.0 {
            step.until_voltage_above(end_voltage_v)
        } else {
            step.until_voltage_below(end_voltage_v)
        };
        Self::sequence(vec![step])
    }

    /// A protocol of several steps.
    pub fn sequence(steps: Vec<Step>) -> Self {
        Self { items: steps.into_iter().map(ProtocolItem::Step).collect() }
    }

    /// A protocol of `count` cycles of the same steps.
    pub fn cycles(count: usize, steps: Vec<Step>) -> Self {
        Self { items: vec![ProtocolItem::Repeat { count, items: Self::sequence(steps).items }] }
    }

    /// Steps of a run in which no repeat is left early; `usize::MAX` if there are more.
    pub fn step_count(&self) -> usize {
        count(&self.items, 0)
    }

    /// The steps of a run in order, unfolded one by one.
    pub fn steps(&self) -> ProtocolSteps<'_> {
        ProtocolSteps {
            frames: vec![Frame { items: &self.items, next: 0, passes_left: 0 }],
            cycles: 0,
            in_row: false,
            index: 0,
            index_in_cycle: 0,
        }
    }

    /// Checks every number, that each step ends, and that the protocol does.
    ///
    /// # Errors
    /// [`CellError::Option`] with the first number that does not fit; [`CellError::Protocol`] for steps that may
    /// never end, repeats without steps or nested deeper than 16 levels, and steps that leave a repeat but
    /// stand in none.
    pub fn validate(&self) -> Result<(), CellError> {
        check(&self.items, 0)?;
        let steps = self.step_count();
        if steps == 0 || steps > MOST_STEPS {
            let value = steps as f64;
            return Err(CellError::Option {
                option: "number of steps",
                value,
                requirement: "must be 1 to 1000000",
            });
        }
        Ok(())
    }
}

/// Steps in `items`; nothing below the deepest level that is allowed.
fn count(items: &[ProtocolItem], depth: usize) -> usize {
    if depth > DEEPEST {
        return 0;
    }
    items.iter().fold(0_usize, |sum, item| {
        sum.saturating_add(match item {
            ProtocolItem::Step(_) => 1,
            ProtocolItem::Repeat { count: times, items } => times.saturating_mul(count(items, depth + 1)),
        })
    })
}

/// Whether a pass through `items` does a step.
fn has_step(items: &[ProtocolItem], depth: usize) -> bool {
    depth <= DEEPEST
        && items.iter().any(|item| match item {
            ProtocolItem::Step(_) => true,
            ProtocolItem::Repeat { count, items } => *count > 0 && has_step(items, depth + 1),
        })
}

fn check(items: &[ProtocolItem], depth: usize) -> Result<(), CellError> {
    let fault = |message: String, source_text: &str| CellError::Protocol {
        line: 0,
        column: 0,
        message,
        source_text: source_text.chars().take(160).collect(),
    };
    if depth > DEEPEST {
        return Err(fault(format!("repeats nested deeper than {DEEPEST} levels"), ""));
    }
    for item in items {
        match item {
            ProtocolItem::Step(step) => {
                step.validate()?;
                if step.leaves_repeat && depth == 0 {
                    let message = "'then leave' ends a repeat, but this step stands in none".to_owned();
                    return Err(fault(message, &step.label));
                }
            }
            ProtocolItem::Repeat { count, items } => {
                if *count == 0 || items.is_empty() {
                    let message = format!("a repeat of {} parts {count} times does nothing", items.len());
                    return Err(fault(message, ""));
                }
                check(items, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// A list of items that is being done.
#[derive(Debug, Clone)]
struct Frame<'a> {
    items: &'a [ProtocolItem],
    next: usize,
    passes_left: usize,
}

/// Unfolds a protocol step by step; see [`Protocol::steps`].
#[derive(Debug, Clone)]
pub struct ProtocolSteps<'a> {
    frames: Vec<Frame<'a>>,
    /// Cycles begun.
    cycles: usize,
    /// Whether the last step stood outside any repeat.
    in_row: bool,
    index: usize,
    index_in_cycle: usize,
}

impl ProtocolSteps<'_> {
    /// Leaves the innermost repeat around the last step: what is left of this pass and its further passes are
    /// left out. Does nothing outside repeats.
    pub fn leave_repeat(&mut self) {
        if self.frames.len() > 1 {
            self.frames.pop();
        }
    }

    fn begin_cycle(&mut self) {
        self.cycles += 1;
        self.index_in_cycle = 0;
    }
}

impl<'a> Iterator for ProtocolSteps<'a> {
    type Item = PlacedStep<'a>;

    fn next(&mut self) -> Option<PlacedStep<'a>> {
        loop {
            let depth = self.frames.len();
            let frame = self.frames.last_mut()?;
            let Some(item) = frame.items.get(frame.next) else {
                if frame.passes_left == 0 {
                    self.frames.pop();
                    continue;
                }
                frame.passes_left -= 1;
                frame.next = 0;
                if depth == 2 {
                    self.begin_cycle();
                }
                continue;
            };
            frame.next += 1;
            match item {
                ProtocolItem::Step(step) => {
                    if depth == 1 && !self.in_row {
                        self.in_row = true;
                        self.begin_cycle();
                    }
                    let (index, index_in_cycle) = (self.index, self.index_in_cycle);
                    self.index += 1;
                    self.index_in_cycle += 1;
                    return Some(PlacedStep { cycle: self.cycles - 1, index, index_in_cycle, step });
                }
                ProtocolItem::Repeat { count, items } => {
                    if *count > 0 && has_step(items, depth) {
                        if depth == 1 {
                            self.in_row = false;
                            self.begin_cycle();
                        }
                        self.frames.push(Frame { items, next: 0, passes_left: count - 1 });
                    }
                }
            }
        }
    }
}
