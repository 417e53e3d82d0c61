//! Traces over time: what they prescribe between samples, and how they are read from tables.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use scalade_cell::{CellError, CsvOptions, DriveCycle, DriveQuantity, Hold};
use std::f64::consts::TAU;
use std::fmt::Write;

/// A current over `seconds` with two periods that share no multiple: I = 2 + 4 sin(2 pi t/37) + 2 sin(2 pi t/11.3), A,
/// sampled at 1 Hz.
fn synthetic(seconds: usize) -> (Vec<f64>, Vec<f64>) {
    let times: Vec<f64> = (0..=seconds).map(|i| i as f64).collect();
    let current = |t: &f64| 2.0 + 4.0 * (TAU * t / 37.0).sin() + 2.0 * (TAU * t / 11.3).sin();
    let values = times.iter().map(current).collect();
    (times, values)
}

fn trace(times: &[f64], values: &[f64], hold: Hold) -> DriveCycle {
    DriveCycle::new("test", DriveQuantity::Current, times.to_vec(), values.to_vec(), hold).unwrap()
}

fn read(text: &str) -> Result<DriveCycle, CellError> {
    DriveCycle::from_csv(text, "test.csv", &CsvOptions::default())
}

#[test]
fn a_synthetic_profile_is_followed_linearly_and_stepwise() {
    let (times, values) = synthetic(600);
    let linear = trace(&times, &values, Hold::Linear);
    let stepwise = linear.clone().held(Hold::Step);
    assert_eq!((linear.length_s(), linear.values().len()), (600.0, 601));
    for i in 0..600 {
        let t = i as f64;
        assert_eq!((linear.value(t), stepwise.value(t)), (values[i], values[i]));
        assert!((linear.value(t + 0.25) - (0.75 * values[i] + 0.25 * values[i + 1])).abs() < 1e-12);
        assert_eq!(stepwise.value(t + 0.75), values[i]);
        let segment = linear.segment(t + 0.5);
        assert_eq!((segment.start_s, segment.end_s), (t, t + 1.0));
        assert_eq!((segment.start_value, segment.end_value), (values[i], values[i + 1]));
    }
    // Then it begins anew.
    assert_eq!((linear.value(600.0), linear.value(1217.0)), (values[0], values[17]));
    // Mean of the sines over 600 s is near 2 A: the charge of the trace by its segments.
    let (mut time, mut charge) = (0.0, 0.0);
    while time < 600.0 {
        let s = linear.segment(time);
        charge += 0.5 * (s.start_value + s.end_value) * (s.end_s - s.start_s);
        time = s.end_s;
    }
    let integral = |t: f64| {
        2.0 * t - 4.0 * 37.0 / TAU * (TAU * t / 37.0).cos() - 2.0 * 11.3 / TAU * (TAU * t / 11.3).cos()
    };
    assert!((charge - (integral(600.0) - integral(0.0))).abs() < 0.5, "{charge}");
}

#[test]
fn jumps_are_two_samples_at_one_time() {
    let jump = trace(&[0.0, 0.0, 10.0, 10.0, 20.0, 20.0], &[9.0, 1.0, 2.0, 5.0, 6.0, 7.0], Hold::Linear);
    assert_eq!((jump.value(0.0), jump.value(5.0), jump.value(10.0), jump.value(15.0)), (1.0, 1.5, 5.0, 5.5));
    let before = jump.segment(9.999);
    assert_eq!((before.end_s, before.end_value), (10.0, 2.0));
    // The second pass.
    assert_eq!((jump.value(20.0), jump.value(25.0), jump.segment(20.0).end_s), (1.0, 1.5, 30.0));
    let held = jump.held(Hold::Step);
    assert_eq!((held.value(0.0), held.value(9.0), held.value(10.0), held.value(19.0)), (1.0, 1.0, 5.0, 5.0));
}

#[test]
fn traces_that_make_no_sense_are_refused() {
    let refused = |name: &str, times: &[f64], values: &[f64], words: &str| {
        let made = DriveCycle::new(name, DriveQuantity::Power, times.to_vec(), values.to_vec(), Hold::Linear);
        let message = made.unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    refused("a", &[0.0, 1.0], &[1.0], "2 times and 1 values");
    refused("a", &[0.0], &[1.0], "1 samples");
    refused("a", &[0.0, 1.0], &[1.0, f64::NAN], "sample 2 is not finite");
    refused("a", &[0.0, f64::NAN], &[1.0, 1.0], "not finite");
    refused("a", &[1.0, 2.0], &[1.0, 1.0], "begins at 0 s");
    refused("a", &[0.0, 2.0, 1.0], &[1.0; 3], "sample 3: time 1 s comes after 2 s");
    refused("a", &[0.0, 1.0, 1.0, 1.0], &[1.0; 4], "three samples at 1 s");
    refused("a", &[0.0, 1e-9], &[1.0; 2], "at least 1e-6 s");
    refused("a", &[0.0, 0.0], &[1.0; 2], "no duration");
    refused("a", &[0.0, 1e9], &[1.0; 2], "exceed");
    refused("", &[0.0, 1.0], &[1.0; 2], "name");
    refused("a\"b", &[0.0, 1.0], &[1.0; 2], "quotes");
    refused("a\nb", &[0.0, 1.0], &[1.0; 2], "control characters");
    let document = r#"{"name":"a","quantity":"Power","times_s":[0.0,2.0,1.0],"values":[1.0,2.0,3.0]}"#;
    assert!(serde_json::from_str::<DriveCycle>(document).unwrap_err().to_string().contains("sort"));
}

#[test]
fn tables_of_cyclers_are_read() {
    let same = |text: &str, quantity: DriveQuantity, times: &[f64], values: &[f64]| {
        let found = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((found.quantity(), found.times_s(), found.values()), (quantity, times, values), "{text}");
    };
    use DriveQuantity as Q;
    let (times, values) = (&[0.0, 1.0, 2.5][..], &[1.0, -2.0, 0.5][..]);
    let rows = "0,1\n1,-2\n2.5,0.5\n";
    for header in [
        "Time [s],Current [A]",
        "t/s,I/A",
        "Test Time / s,Current / A",
        "time (s),current (A)",
        "\"Time [s]\",\"Current [A]\"",
        "TIME,CURRENT",
        "test_time [s] , I [A]",
    ] {
        same(&format!("{header}\n{rows}"), Q::Current, times, values);
    }
    same(
        &format!("\u{feff}# a comment\r\n\r\n% another\n// third\nTime [s],Power [W]\r\n{rows}"),
        Q::Power,
        times,
        values,
    );
    same(&format!("Time [s];Voltage [V]\n{}", rows.replace(',', ";")), Q::Voltage, times, values);
    same(&format!("Time [s]\tC-rate [C]\n{}", rows.replace(',', "\t")), Q::CRate, times, values);
    same(
        "Time [h],Current [mA]\n0,1000\n0.5,-50\n1,0\n",
        Q::Current,
        &[0.0, 1800.0, 3600.0],
        &[1.0, -0.05, 0.0],
    );
    same("Time [ms],Power [kW]\n1000,1\n1500,2\n", Q::Power, &[0.0, 0.5], &[1000.0, 2000.0]);
    // Columns in any order, others left out; the clock starts at the first sample.
    same(
        "Step,I/mA,\"note, long\",t/min\n1,500,\"a,b\",10\n1,250,c,12\n",
        Q::Current,
        &[0.0, 120.0],
        &[0.5, 0.25],
    );
    same(
        "Time [s],Current [A]\n0,1\n5,1\n5,2\n9,2\n",
        Q::Current,
        &[0.0, 5.0, 5.0, 9.0],
        &[1.0, 1.0, 2.0, 2.0],
    );
}

#[test]
fn quantity_sign_and_hold_are_options() {
    let table = "t/s,I/A,U/V,P/W\n0,1,3.5,3.5\n10,-2,3.6,-7.2\n";
    let of = |quantity, charge_positive| {
        let options = CsvOptions { quantity: Some(quantity), charge_positive, hold: Hold::Step };
        let found = DriveCycle::from_csv(table, "x", &options).unwrap();
        assert_eq!((found.hold(), found.quantity(), found.name()), (Hold::Step, quantity, "x"));
        found.values().to_vec()
    };
    assert_eq!(of(DriveQuantity::Current, false), [1.0, -2.0]);
    assert_eq!(of(DriveQuantity::Current, true), [-1.0, 2.0]);
    assert_eq!(of(DriveQuantity::Power, true), [-3.5, 7.2]);
    assert_eq!(of(DriveQuantity::Voltage, true), [3.5, 3.6]);
    let options = CsvOptions { quantity: Some(DriveQuantity::Power), ..CsvOptions::default() };
    let bare = DriveCycle::from_csv("0;1\n2;3\n", "x", &options).unwrap();
    assert_eq!((bare.times_s(), bare.values()), (&[0.0, 2.0][..], &[1.0, 3.0][..]));
}

/// Table, line, words of the message.
const REFUSED: &[(&str, usize, &str)] = &[
    ("", 0, "no rows"),
    ("# only a comment\n", 0, "no rows"),
    ("0,1\n1,2\n", 1, "no header"),
    ("Time [s],Current [A]\n", 0, "0 samples"),
    ("Time [s],Current [A]\n0,1\n", 0, "1 samples"),
    ("Zeit [s],Current [A]\n0,1\n1,2\n", 1, "no column of time such as \"Time [s]\" among \"Zeit [s]\""),
    ("Time [s],Strom [A]\n0,1\n1,2\n", 1, "no column of current, C-rate, power or voltage"),
    ("Time [s],Current [A],Voltage [V]\n0,1,3\n1,2,3\n", 1, "Run drive.csv (A)"),
    ("Time [s],t/s,Current [A]\n0,1,3\n1,2,3\n", 1, "several columns of time"),
    ("Time [fortnight],Current [A]\n0,1\n1,2\n", 1, "unknown unit 'fortnight'"),
    ("Time [s],Current [V]\n0,1\n1,2\n", 1, "unknown unit 'V' of a current"),
    ("Time [s];Current [A]\n0;1\n1;2,5\n", 3, "column 2: '2,5' has a decimal comma; write a point"),
    ("Time [s],Current [A]\n0,1\n0,5,1,5\n", 3, "decimal commas"),
    ("Time [s],Current [A]\n0,1\n# a gap\n2,nan\n", 4, "not a finite number"),
    ("Time [s],Current [A]\n0,1\n2,inf\n", 3, "not a finite number"),
    ("Time [s],Current [A]\n0,1\n2,\n", 3, "empty cell"),
    ("Time [s],Current [A]\n0,1\n2\n", 3, "1 cells, but column 2 is needed"),
    ("Time [s],Current [A]\n0,1\n2,x\n", 3, "'x' is not a number"),
    ("Time [s],Current [A]\n00:00:01,1\n", 2, "a clock or a date"),
    ("Time [s],Current [A]\n0,1\n2,1\n1,1\n", 4, "comes after"),
    ("Time [s],Current [A]\n0,1\n2,1\n\n2,1\n2,1\n", 6, "three samples"),
    ("Time [h],Current [A]\n0,1\n1e306,1\n", 3, "too large"),
    ("Time [s],Current [A]\n0,1\n1e9,1\n", 3, "exceed"),
];

#[test]
fn faults_of_tables_are_told_with_their_line() {
    for (text, line, words) in REFUSED {
        let error = read(text).unwrap_err();
        assert!(error.to_string().contains(words), "{text}: {error}");
        assert!(error.to_string().starts_with("trace test.csv"), "{error}");
        let CellError::Trace { line: found, .. } = error else { panic!("{text}: {error:?}") };
        assert_eq!(found, *line, "{text}");
    }
    let wide = format!("Time [s],Current [A]\n0,1\n1,{}\n", "1".repeat(200_000));
    assert!(read(&wide).unwrap_err().to_string().contains("a row of"));
    let options = CsvOptions { quantity: Some(DriveQuantity::Power), ..CsvOptions::default() };
    let three = DriveCycle::from_csv("0,1,2\n1,2,3\n", "x", &options).unwrap_err();
    assert!(three.to_string().contains("3 columns without a header"), "{three}");
}

proptest! {
    /// Whatever the samples, a walk from segment to segment passes every one of them, always forwards.
    #[test]
    fn segments_follow_one_another(steps in prop::collection::vec((0..4_u32, -5.0..5.0_f64), 2..12), start in 0.0..500.0_f64) {
        let mut times = vec![0.0];
        for (step, _) in &steps[1..] {
            let last = times[times.len() - 1];
            let twice = times.len() >= 2 && times[times.len() - 2] == last;
            times.push(last + if twice { 0.1 } else { 0.3 * f64::from(*step) });
        }
        let values: Vec<f64> = steps.iter().map(|s| s.1).collect();
        prop_assume!(times[times.len() - 1] > 0.0);
        let trace = trace(&times, &values, Hold::Linear);
        let mut time = start;
        for _ in 0..40 {
            let segment = trace.segment(time);
            prop_assert!(segment.start_s <= time + 1e-9 && segment.end_s > time, "{time} {segment:?}");
            prop_assert!(segment.end_s - segment.start_s < 1.0 + 1e-9);
            prop_assert!(trace.value(time).abs() <= trace.largest() + 1e-9);
            time = segment.end_s;
        }
    }

    #[test]
    fn written_tables_are_read_back(values in prop::collection::vec(-1e3..1e3_f64, 2..40)) {
        let mut table = "Time [s]\tCurrent [A]\n".to_owned();
        for (i, value) in values.iter().enumerate() {
            writeln!(table, "{}\t{value}", 0.1 * i as f64).unwrap();
        }
        let found = read(&table).unwrap();
        prop_assert_eq!(found.values(), &values[..]);
    }

    #[test]
    fn any_table_is_read_or_refused(text in "(Time \\[s\\],Current \\[A\\]\n)?([0-9.,;\t\\-eE\"/#a ]{0,12}\n){0,6}") {
        let _ = read(&text).map_err(|error| error.to_string());
    }
}
