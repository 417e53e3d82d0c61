//! Every code block of the guide of protocols is read.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{CellError, CsvOptions, DriveCycle, DriveQuantity, DriveRequest, Hold, Protocol};

const GUIDE: &str = include_str!("../../../docs/guide/protocols.md");

/// Any file, holding what is asked for.
fn any_file(request: &DriveRequest) -> Result<DriveCycle, CellError> {
    let quantity = request.quantity.unwrap_or(DriveQuantity::Current);
    DriveCycle::new(&request.name, quantity, vec![0.0, 1.0], vec![1.0, 2.0], Hold::Linear)
}

fn parse(text: &str) -> Result<Protocol, CellError> {
    Protocol::parse(text, &mut any_file)
}

/// The language and text of every fenced block.
fn blocks() -> Vec<(&'static str, String)> {
    let mut out: Vec<(&str, String)> = Vec::new();
    let mut open = false;
    for line in GUIDE.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(language), false) => {
                out.push((language, String::new()));
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let text = &mut out.last_mut().unwrap().1;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open);
    out
}

#[test]
fn every_block_of_the_guide_is_as_it_says() {
    let mut counts = [0; 3];
    for (language, text) in blocks() {
        match language {
            "protocol" => {
                counts[0] += 1;
                let protocol = parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
                assert_eq!(parse(&protocol.to_string()).unwrap(), protocol);
                // A pattern and, behind "# is", the steps it stands for.
                if let Some((pattern, steps)) = text.split_once("# is\n") {
                    assert_eq!(parse(pattern).unwrap(), parse(steps).unwrap(), "{text}");
                }
            }
            "csv" => {
                counts[1] += 1;
                let options = CsvOptions { quantity: Some(DriveQuantity::Current), ..CsvOptions::default() };
                let trace = DriveCycle::from_csv(&text, "guide", &options).unwrap();
                assert_eq!(trace.times_s(), [0.0, 30.0, 30.0, 120.0]);
                assert_eq!(trace.values(), [0.5, 0.25, -0.25, 0.0]);
            }
            "refused" => {
                counts[2] += 1;
                for line in text.lines() {
                    let words = line.split_once('#').unwrap().1.trim();
                    let message = parse(line).unwrap_err().to_string();
                    assert!(message.contains(words), "{line}\n{message}");
                }
            }
            other => panic!("a block of unknown kind '{other}'"),
        }
    }
    assert!(counts[0] >= 7 && counts[1] >= 1 && counts[2] >= 1, "{counts:?}");
}

/// Sentences within the text and its tables.
#[test]
fn sentences_quoted_in_the_guide_are_read() {
    let mut read = 0;
    for quoted in GUIDE.lines().filter(|line| line.starts_with("| `")).flat_map(|line| {
        let cell = line.split(" | ").next().unwrap();
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    }) {
        let sentence = match quoted.split(' ').next().unwrap() {
            "Discharge" | "Charge" | "Hold" | "Rest" => format!("{quoted} for 1 h"),
            "Run" => quoted.clone(),
            "formula" => continue,
            _ => format!("Discharge at 1C for 1 h or until {quoted}"),
        };
        parse(&sentence).unwrap_or_else(|error| panic!("{error}"));
        read += 1;
    }
    assert!(read >= 20, "{read}");
    let top = blocks().swap_remove(0).1;
    assert_eq!(parse(&top).unwrap().steps().last().unwrap().cycle + 1, 2 + 100 + 1);
}
