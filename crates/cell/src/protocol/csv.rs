//! Traces from tables of text, as cyclers and data loggers write them.

use super::drive::{DriveCycle, DriveQuantity, Hold, check_times};
use crate::error::CellError;

/// Largest text, bytes.
const LARGEST_TEXT: usize = 256_000_000;
/// Longest line, bytes.
const LONGEST_LINE: usize = 100_000;

/// How to read a trace from a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CsvOptions {
    /// Which quantity to take; needed where the table holds several, or has no header.
    pub quantity: Option<DriveQuantity>,
    /// Whether charging is positive in the table: currents, C-rates and powers change sign.
    pub charge_positive: bool,
    /// What the trace does between samples.
    pub hold: Hold,
}

/// Column of a table with the factor that makes its numbers SI.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Column {
    index: usize,
    factor: f64,
}

/// What the header of a table says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Layout {
    time: Column,
    value: Column,
    quantity: DriveQuantity,
}

impl DriveCycle {
    /// Reads a trace from a table: columns separated by tabs, semicolons or commas, a header that names them with
    /// units (`Time [s]`, `Current (A)`, `I/mA`, `Voltage / V`; without a unit SI is meant), lines that begin
    /// with `#`, `%` or `//` left out. A table of two columns without a header holds the time in s and
    /// `options.quantity` in A, C, W or V. The clock is set to 0 at the first sample. Two rows of one
    /// time are a jump.
    ///
    /// ```
    /// use scalade_cell::{CsvOptions, DriveCycle};
    /// let table = "Time [min];Current [mA];Voltage [V]\n0;500;3.9\n1;-250;3.8\n";
    /// let trace = DriveCycle::from_csv(table, "drive.csv", &CsvOptions {
    ///     quantity: Some(scalade_cell::DriveQuantity::Current),
    ///     ..CsvOptions::default()
    /// })?;
    /// assert_eq!((trace.times_s(), trace.values()), (&[0.0, 60.0][..], &[0.5, -0.25][..]));
    /// # Ok::<(), scalade_cell::CellError>(())
    /// ```
    ///
    /// # Errors
    /// [`CellError::Trace`] with the line: columns that are missing or named twice, unknown units, decimal commas,
    /// numbers that are none or not finite, times that do not fit, more than 256 MB or 5 million samples.
    pub fn from_csv(text: &str, name: &str, options: &CsvOptions) -> Result<Self, CellError> {
        let fault = |line: usize, message: String| CellError::Trace {
            name: name.chars().take(120).collect(),
            line,
            message,
        };
        if text.len() > LARGEST_TEXT {
            let message = format!("{} bytes, the limit is {LARGEST_TEXT}; keep fewer samples", text.len());
            return Err(fault(0, message));
        }
        let text = text.trim_start_matches('\u{feff}');
        let mut rows =
            text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).filter(|(_, line)| {
                !line.is_empty() && !["#", "%", "//"].iter().any(|mark| line.starts_with(mark))
            });
        let Some((first_line, first)) = rows.clone().next() else {
            return Err(fault(0, "no rows".to_owned()));
        };
        let separator = separator(first);
        let names = cells(first, separator);
        let has_header = names.iter().any(|cell| number(cell).is_err());
        let layout = if has_header {
            rows.next();
            layout(&names, options.quantity)
        } else {
            layout_without_header(&names, options.quantity)
        }
        .map_err(|message| fault(first_line, message))?;
        let sign =
            if options.charge_positive && layout.quantity != DriveQuantity::Voltage { -1.0 } else { 1.0 };
        let mut samples = Samples { times: Vec::new(), values: Vec::new(), lines: Vec::new() };
        for (line, row) in rows {
            if row.len() > LONGEST_LINE {
                return Err(fault(
                    line,
                    format!("a row of {} bytes, the limit is {LONGEST_LINE}", row.len()),
                ));
            }
            let [time, value] = sample(row, separator, &layout, names.len()).map_err(|m| fault(line, m))?;
            samples.times.push(time);
            samples.values.push(sign * value);
            samples.lines.push(line);
        }
        samples.set_clock_to_zero();
        check_times(&samples.times)
            .map_err(|(index, message)| fault(samples.lines.get(index).copied().unwrap_or(0), message))?;
        Self::new(name, layout.quantity, samples.times, samples.values, options.hold)
    }
}

/// Samples with the lines they stand in.
struct Samples {
    times: Vec<f64>,
    values: Vec<f64>,
    lines: Vec<usize>,
}

impl Samples {
    fn set_clock_to_zero(&mut self) {
        let start = self.times.first().copied().unwrap_or(0.0);
        self.times.iter_mut().for_each(|time| *time -= start);
    }
}

/// Tab, semicolon or comma, whichever comes first in this order.
fn separator(line: &str) -> char {
    ['\t', ';'].into_iter().find(|c| line.contains(*c)).unwrap_or(',')
}

/// The cells of a row, without spaces and quotes around them. A separator within quotes is text.
fn cells(row: &str, separator: char) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    for (at, c) in row.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if c == separator && !quoted {
            out.push(&row[start..at]);
            start = at + c.len_utf8();
        }
    }
    out.push(&row[start..]);
    out.into_iter().map(|cell| cell.trim().trim_matches('"').trim()).collect()
}

/// Time and value of a row, in SI.
fn sample(row: &str, separator: char, layout: &Layout, columns: usize) -> Result<[f64; 2], String> {
    let cells = cells(row, separator);
    if cells.len() > columns && separator == ',' {
        return Err(format!(
            "{} cells in a table of {columns} columns; if these are decimal commas, write points, or separate the columns by semicolons and write points",
            cells.len()
        ));
    }
    let mut out = [0.0; 2];
    for (column, out) in [layout.time, layout.value].into_iter().zip(&mut out) {
        let Some(cell) = cells.get(column.index) else {
            return Err(format!("{} cells, but column {} is needed", cells.len(), column.index + 1));
        };
        *out = column.factor
            * number(cell).map_err(|message| format!("column {}: {message}", column.index + 1))?;
        if !out.is_finite() {
            return Err(format!("column {}: '{cell}' is too large", column.index + 1));
        }
    }
    Ok(out)
}

/// A finite number, or what is wrong with it.
fn number(cell: &str) -> Result<f64, String> {
    let shown: String = cell.chars().take(40).collect();
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("'{shown}' is not a finite number; remove the row or fill it")),
        Err(_) if cell.is_empty() => Err("an empty cell; remove the row or fill it".to_owned()),
        Err(_) if cell.contains(',') && cell.replace(',', ".").parse::<f64>().is_ok() => {
            Err(format!("'{shown}' has a decimal comma; write a point"))
        }
        Err(_) if cell.contains(':') => Err(format!("'{shown}' is a clock or a date; write seconds")),
        Err(_) => Err(format!("'{shown}' is not a number")),
    }
}

fn layout_without_header(first: &[&str], quantity: Option<DriveQuantity>) -> Result<Layout, String> {
    let Some(quantity) = quantity else {
        return Err(
            "no header; name the columns (\"Time [s]\", \"Current [A]\"), or tell the quantity".to_owned()
        );
    };
    if first.len() != 2 {
        return Err(format!("{} columns without a header; two are needed, or a header", first.len()));
    }
    let column = |index| Column { index, factor: 1.0 };
    Ok(Layout { time: column(0), value: column(1), quantity })
}

/// Finds the columns of time and of the quantity by their names.
fn layout(names: &[&str], wanted: Option<DriveQuantity>) -> Result<Layout, String> {
    let mut times = Vec::new();
    let mut values = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let (word, unit) = name_and_unit(name);
        if is_time(&word) {
            times.push((index, unit));
        } else if let Some(quantity) = quantity_named(&word)
            && wanted.is_none_or(|wanted| wanted == quantity)
        {
            values.push((index, unit, quantity));
        }
    }
    let listed = || names.iter().take(20).map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let what = wanted.map_or("current, C-rate, power or voltage", DriveQuantity::name);
    let (time, time_unit) = match times.as_slice() {
        [one] => one.clone(),
        [] => return Err(format!("no column of time such as \"Time [s]\" among {}", listed())),
        _ => return Err(format!("several columns of time among {}; keep one", listed())),
    };
    let (value, unit, quantity) = match values.as_slice() {
        [one] => one.clone(),
        [] => return Err(format!("no column of {what} such as \"Current [A]\" among {}", listed())),
        _ if wanted.is_none() => {
            return Err(format!(
                "several quantities among {}; say which one, as in 'Run drive.csv (A)'",
                listed()
            ));
        }
        _ => return Err(format!("several columns of {what} among {}; keep one", listed())),
    };
    Ok(Layout {
        time: Column { index: time, factor: time_factor(&time_unit)? },
        value: Column { index: value, factor: value_factor(quantity, &unit)? },
        quantity,
    })
}

/// "Current [mA]", "Current (mA)", "I/mA", "Current / mA": the name in lower case and the unit, empty if none.
fn name_and_unit(text: &str) -> (String, String) {
    let split = [('[', ']'), ('(', ')')].into_iter().find_map(|(open, close)| {
        let (name, rest) = text.split_once(open)?;
        Some((name, rest.split_once(close)?.0))
    });
    let (name, unit) = split.or_else(|| text.rsplit_once('/')).unwrap_or((text, ""));
    (name.trim().to_lowercase().replace('_', " "), unit.trim().to_owned())
}

fn is_time(name: &str) -> bool {
    matches!(name, "t" | "time" | "test time" | "elapsed time" | "total time" | "time test")
}

fn quantity_named(name: &str) -> Option<DriveQuantity> {
    match name {
        "i" | "current" => Some(DriveQuantity::Current),
        "c-rate" | "c rate" | "crate" | "rate" => Some(DriveQuantity::CRate),
        "p" | "power" => Some(DriveQuantity::Power),
        "u" | "v" | "voltage" | "terminal voltage" | "cell voltage" => Some(DriveQuantity::Voltage),
        _ => None,
    }
}

fn time_factor(unit: &str) -> Result<f64, String> {
    match unit {
        "" | "s" | "sec" | "second" | "seconds" => Ok(1.0),
        "ms" => Ok(1e-3),
        "min" | "minute" | "minutes" => Ok(60.0),
        "h" | "hr" | "hour" | "hours" => Ok(3600.0),
        _ => Err(format!("unknown unit '{unit}' of time; known are ms, s, min, h")),
    }
}

fn value_factor(quantity: DriveQuantity, unit: &str) -> Result<f64, String> {
    use DriveQuantity as Q;
    match (quantity, unit) {
        (_, "") | (Q::Current, "A") | (Q::CRate, "C" | "1/h" | "-") | (Q::Power, "W") | (Q::Voltage, "V") => {
            Ok(1.0)
        }
        (Q::Current, "mA") | (Q::Power, "mW") | (Q::Voltage, "mV") => Ok(1e-3),
        (Q::Power, "kW") => Ok(1e3),
        (Q::Current, "uA" | "µA" | "μA") => Ok(1e-6),
        _ => {
            Err(format!("unknown unit '{unit}' of a {}; the SI unit is {}", quantity.name(), quantity.unit()))
        }
    }
}
