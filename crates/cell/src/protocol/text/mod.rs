//! The protocol language: sentences as people write them, repeats, comments.
//!
//! ```text
//! protocol  = { statement ( newline | ";" ) }
//! statement = sentence | "repeat" number [ "times" ] "{" protocol "}"
//! sentence  = control { clause } | pattern
//! control   = ( "Discharge" | "Charge" ) "at" ( current | C-rate | power | resistance ) | "Hold at" voltage
//!           | "Rest" | "Run" file [ "(" ( "A" | "C" | "W" | "V" ) ")" ] [ "scaled by" number ] [ "stepwise" ]
//! clause    = [ "or" ] "for" [ "at most" ] duration | [ "or" ] "until" limit | "then leave" [ "repeat" ]
//!           | "(" duration "period" ")" | "(" "every" duration ")"
//! limit     = [ quantity ] [ "<" | ">" | "below" | "above" ] amount | "dV/dt <" slope | "formula (" condition ")"
//! ```
//!
//! `#` begins a comment, up to the end of the line. Words and units may be written in any case.

mod clauses;
mod cursor;
mod patterns;
mod sentence;
mod units;
mod write;

use super::{DEEPEST, DriveCycle, DriveQuantity, Hold, MOST_STEPS, Protocol, ProtocolItem};
use crate::error::CellError;
use cursor::Cursor;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest text, bytes.
const LONGEST_TEXT: usize = 1_000_000;
/// Longest line, characters.
const LONGEST_LINE: usize = 4000;
/// Most sentences and repeats in a text.
const MOST_STATEMENTS: usize = 50_000;

/// A trace that a protocol asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DriveRequest {
    /// Its name as the protocol spells it, as a rule a file.
    pub name: String,
    /// What the trace prescribes, if the protocol says so.
    pub quantity: Option<DriveQuantity>,
    /// What it does between samples.
    pub hold: Hold,
}

/// Reads sentences; holds the traces read so far.
struct Reader<'r> {
    resolve: &'r mut dyn FnMut(&DriveRequest) -> Result<DriveCycle, CellError>,
    traces: BTreeMap<DriveRequest, Arc<DriveCycle>>,
    statements: usize,
}

/// A list of items that is being read, and where its repeat stands.
struct Block<'a> {
    items: Vec<ProtocolItem>,
    count: usize,
    opened: Cursor<'a>,
}

impl Protocol {
    /// Reads a protocol. `resolve` gives the traces that "Run file" names (from a file, see
    /// [`DriveCycle::from_csv`]), each once.
    ///
    /// ```
    /// use scalade_cell::{CellError, Protocol};
    /// let text = "Discharge at 1C until 2.5 V; repeat 10 times { CCCV charge at C/2 to 4.2 V until C/50; Rest for 1 h }";
    /// let protocol = Protocol::parse(text, &mut |_| Err(CellError::Document("no files here".to_owned())))?;
    /// assert_eq!(protocol.step_count(), 31);
    /// assert_eq!(protocol.to_string().lines().next(), Some("Discharge at 1C until 2.5 V"));
    /// # Ok::<(), CellError>(())
    /// ```
    ///
    /// # Errors
    /// [`CellError::Protocol`] with line, column and what to write instead: unknown words and units, steps that
    /// may never end, blocks that are not closed, and limits against hostile text (1 MB, 4000 characters a
    /// line, 50 000 sentences, 16 levels of repeats, a million steps).
    pub fn parse(
        text: &str,
        resolve: &mut dyn FnMut(&DriveRequest) -> Result<DriveCycle, CellError>,
    ) -> Result<Self, CellError> {
        if text.len() > LONGEST_TEXT {
            let message = format!("the text has {} bytes, the limit is {LONGEST_TEXT}", text.len());
            return Err(CellError::Protocol { line: 0, column: 0, message, source_text: String::new() });
        }
        let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        let mut reader = Reader { resolve, traces: BTreeMap::new(), statements: 0 };
        let items = reader.blocks(&lines)?;
        let protocol = Self { items };
        protocol.validate()?;
        Ok(protocol)
    }
}

impl Reader<'_> {
    /// Reads all lines into the items of the top level.
    fn blocks(&mut self, lines: &[Vec<char>]) -> Result<Vec<ProtocolItem>, CellError> {
        let whole = |line: usize| Cursor::new(lines.get(line).map_or(&[][..], Vec::as_slice), 0, 0, line + 1);
        let mut blocks = vec![Block { items: Vec::new(), count: 1, opened: whole(0) }];
        // A "repeat 5 times" whose "{" has not come yet.
        let mut header: Option<(usize, Cursor)> = None;
        for (index, line) in lines.iter().enumerate() {
            if line.len() > LONGEST_LINE {
                let message = format!("a line of {} characters, the limit is {LONGEST_LINE}", line.len());
                return Err(whole(index).fault(0, message));
            }
            let mut start = 0;
            while start <= line.len() {
                let (end, mark) = boundary(line, start);
                let mut cursor = Cursor::new(line, start, end, index + 1);
                let at = Cursor::new(line, end, end, index + 1);
                if !cursor.is_at_end() {
                    if let Some((_, place)) = &header {
                        return Err(expected_brace(place));
                    }
                    self.statement(&mut cursor, &mut blocks, &mut header)?;
                }
                match mark {
                    Mark::Open => {
                        let Some((count, _)) = header.take() else {
                            return Err(at.fault(end, "'{' begins a repeat: write 'repeat 10 times {'"));
                        };
                        if blocks.len() > DEEPEST {
                            return Err(at.fault(end, format!("repeats nested deeper than {DEEPEST} levels")));
                        }
                        blocks.push(Block { items: Vec::new(), count, opened: at });
                    }
                    Mark::Close => close(&mut blocks, header.as_ref().map(|(_, place)| place), &at)?,
                    Mark::Next => {}
                    Mark::LineEnd => break,
                }
                start = end + 1;
            }
        }
        if let Some((_, place)) = &header {
            return Err(expected_brace(place));
        }
        match (blocks.pop(), blocks.is_empty()) {
            (Some(block), true) => Ok(block.items),
            (Some(Block { mut opened, .. }), false) => {
                let at = opened.here();
                Err(opened.fault(at, "this '{' has no '}'"))
            }
            (None, _) => Ok(Vec::new()),
        }
    }

    /// Reads one sentence into the innermost block, or the head of a repeat.
    fn statement<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        blocks: &mut [Block],
        header: &mut Option<(usize, Cursor<'a>)>,
    ) -> Result<(), CellError> {
        self.statements += 1;
        let start = cursor.here();
        if self.statements > MOST_STATEMENTS {
            return Err(cursor.fault(start, format!("more than {MOST_STATEMENTS} sentences; use repeats")));
        }
        if cursor.accept_word(&["repeat"]) {
            let count = cursor.count("repetitions", MOST_STEPS)?;
            cursor.accept_word(&["times"]);
            if !cursor.is_at_end() {
                return Err(cursor.unexpected(&["times", "{"], "as in 'repeat 10 times {'"));
            }
            *header = Some((count, *cursor));
            return Ok(());
        }
        let items = self.sentence(cursor)?;
        let inside = blocks.len() > 1;
        let leaves = |item: &ProtocolItem| matches!(item, ProtocolItem::Step(step) if step.leaves_repeat);
        if !inside && items.iter().any(leaves) {
            return Err(cursor.fault(start, "'then leave' ends a repeat, but this sentence stands in none"));
        }
        if let Some(block) = blocks.last_mut() {
            block.items.extend(items);
        }
        Ok(())
    }
}

/// What ends a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Next,
    Open,
    Close,
    LineEnd,
}

/// Where the statement that starts at `start` ends, and by what. What stands in quotes is no mark.
fn boundary(line: &[char], start: usize) -> (usize, Mark) {
    let mut quoted = false;
    for (index, c) in line.iter().enumerate().skip(start) {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            ';' => return (index, Mark::Next),
            '{' => return (index, Mark::Open),
            '}' => return (index, Mark::Close),
            '#' => return (index, Mark::LineEnd),
            _ => {}
        }
    }
    (line.len(), Mark::LineEnd)
}

fn expected_brace(place: &Cursor) -> CellError {
    let mut place = *place;
    place.unexpected(&["{"], "as in 'repeat 10 times {'")
}

/// Ends the innermost block.
fn close(blocks: &mut Vec<Block>, header: Option<&Cursor>, at: &Cursor) -> Result<(), CellError> {
    if let Some(place) = header {
        return Err(expected_brace(place));
    }
    let mut here = *at;
    let column = here.here();
    if blocks.len() < 2 {
        return Err(at.fault(column, "this '}' has no '{'"));
    }
    if let Some(Block { items, count, .. }) = blocks.pop() {
        if items.is_empty() {
            return Err(at.fault(column, "this repeat holds no sentence"));
        }
        if let Some(outer) = blocks.last_mut() {
            outer.items.push(ProtocolItem::Repeat { count, items });
        }
    }
    Ok(())
}
