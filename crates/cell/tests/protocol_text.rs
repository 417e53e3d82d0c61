//! The protocol language: what sentences mean, what is refused and why, and that protocols survive being written.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use scalade_cell::{
    CellError, Condition, Control, CsvOptions, DriveCycle, DriveQuantity, DriveRequest, Hold, Limit,
    Protocol, ProtocolItem, Step,
};
use std::sync::Arc;

/// Files known to these tests: 2 min of a current, 1 min of a power.
fn files(request: &DriveRequest) -> Result<DriveCycle, CellError> {
    let table = match request.name.as_str() {
        "drive.csv" | "runs/my drive (2).csv" | "for" | "for.csv" | "a;b{#}.csv" => {
            "t/s,I/A\n0,1\n60,2\n120,-1\n"
        }
        "power.csv" => "t/s,P/W\n0,10\n60,20\n",
        _ => return Err(CellError::Document(format!("no file {}", request.name))),
    };
    let options = CsvOptions { quantity: request.quantity, ..CsvOptions::default() };
    DriveCycle::from_csv(table, &request.name, &options)
}

fn parse(text: &str) -> Result<Protocol, CellError> {
    Protocol::parse(text, &mut files)
}

fn trace(name: &str, hold: Hold, factor: f64) -> Control {
    let request = DriveRequest { name: name.to_owned(), quantity: None, hold };
    Control::Profile { cycle: Arc::new(files(&request).unwrap().held(hold)), factor }
}

/// The only step of a sentence.
fn step(text: &str) -> Step {
    let protocol = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    match protocol.items.as_slice() {
        [ProtocolItem::Step(step)] => step.clone(),
        other => panic!("{text}: {other:?}"),
    }
}

fn amperes(amperes: f64) -> Control {
    Control::Current { amperes }
}
fn watts(watts: f64) -> Control {
    Control::Power { watts }
}
fn ohms(ohms: f64) -> Control {
    Control::Resistance { ohms }
}
fn volts(volts: f64) -> Control {
    Control::Voltage { volts }
}
fn below(volts: f64) -> Limit {
    Limit::VoltageBelow { volts }
}
fn above(volts: f64) -> Limit {
    Limit::VoltageAbove { volts }
}
fn current(amperes: f64) -> Limit {
    Limit::CurrentBelow { amperes }
}
fn rate(rate: f64) -> Limit {
    Limit::CRateBelow { rate }
}
fn charge(ampere_hours: f64) -> Limit {
    Limit::ChargeAbove { ampere_hours }
}
fn slope(volts_per_second: f64) -> Limit {
    Limit::VoltageSlopeBelow { volts_per_second }
}
fn formula(text: &str) -> Limit {
    Limit::Custom(Condition::parse(text).unwrap())
}

type Meaning = (&'static str, Control, Option<f64>, Vec<Limit>);

/// Sentences that PyBaMM's experiments take too.
fn shared_sentences() -> Vec<Meaning> {
    use Control::{CRate as C, Rest};
    vec![
        ("Discharge at 1C for 0.5 hours", C(1.0), Some(1800.0), vec![]),
        ("Discharge at C/20 for 0.5 hours", C(0.05), Some(1800.0), vec![]),
        ("Charge at 0.5 C for 45 minutes", C(-0.5), Some(2700.0), vec![]),
        ("Discharge at 1 A for 0.5 hours", amperes(1.0), Some(1800.0), vec![]),
        ("Charge at 200 mA for 45 minutes", amperes(-0.2), Some(2700.0), vec![]),
        ("Discharge at 1W for 0.5 hours", watts(1.0), Some(1800.0), vec![]),
        ("Charge at 200mW for 45 minutes", watts(-0.2), Some(2700.0), vec![]),
        ("Rest for 10 minutes", Rest, Some(600.0), vec![]),
        ("Hold at 1V for 20 seconds", volts(1.0), Some(20.0), vec![]),
        ("Charge at 1 C until 4.1V", C(-1.0), None, vec![above(4.1)]),
        ("Hold at 4.1 V until 50mA", volts(4.1), None, vec![current(0.05)]),
        ("Hold at 3V until C/50", volts(3.0), None, vec![rate(0.02)]),
        ("Discharge at C/3 for 2 hours or until 2.5 V", C(1.0 / 3.0), Some(7200.0), vec![below(2.5)]),
        ("Discharge at 1C until 2.5 V", C(1.0), None, vec![below(2.5)]),
        ("Discharge at C/20 for 10 hours or until 3.3 V", C(0.05), Some(36_000.0), vec![below(3.3)]),
        ("Charge at 1 A until 4.1V", amperes(-1.0), None, vec![above(4.1)]),
        ("Hold at 4.2 V until C/50", volts(4.2), None, vec![rate(0.02)]),
        ("Hold at 4.1 V until 50 mA", volts(4.1), None, vec![current(0.05)]),
        ("Rest for 1 hour", Rest, Some(3600.0), vec![]),
        ("Discharge at 2 W for 30 minutes", watts(2.0), Some(1800.0), vec![]),
        ("Charge at 5 W until 4 V", watts(-5.0), None, vec![above(4.0)]),
        ("Discharge at 4 Ohm for 10 s", ohms(4.0), Some(10.0), vec![]),
        ("Charge at 4 Ohm for 10 s", ohms(-4.0), Some(10.0), vec![]),
        ("Discharge at 1e-3 A for 3 min", amperes(0.001), Some(180.0), vec![]),
        ("Discharge at 1.5Ohm for 2 h", ohms(1.5), Some(7200.0), vec![]),
        ("Rest for 5 m", Rest, Some(300.0), vec![]),
        ("Rest for 90 sec", Rest, Some(90.0), vec![]),
        ("Rest for 2 hr", Rest, Some(7200.0), vec![]),
        ("Rest for 1 second", Rest, Some(1.0), vec![]),
        ("Rest for 1 minute", Rest, Some(60.0), vec![]),
        ("Discharge at 2C for 10 minutes or until 3000 mV", C(2.0), Some(600.0), vec![below(3.0)]),
        ("Discharge at 0 A for 10 s", amperes(0.0), Some(10.0), vec![]),
        ("Discharge at 2 W until 2.5V", watts(2.0), None, vec![below(2.5)]),
        ("Charge at C/2 for 1 s or until < 4.2 V", C(-0.5), Some(1.0), vec![below(4.2)]),
        ("Rest for 1 h or until >3.5V", Rest, Some(3600.0), vec![above(3.5)]),
        ("Discharge at 1 A for 1 h or until 20 mA", amperes(1.0), Some(3600.0), vec![current(0.02)]),
    ]
}

/// Sentences of this language alone.
fn own_sentences() -> Vec<Meaning> {
    use Control::{CRate as C, Rest};
    let drive = || trace("drive.csv", Hold::Linear, 1.0);
    vec![
        ("DISCHARGE AT 1c UNTIL 2.5 v", C(1.0), None, vec![below(2.5)]),
        ("Charge at C/2 until < 4.2 V for 1 s", C(-0.5), Some(1.0), vec![below(4.2)]),
        ("rest  for\t1h", Rest, Some(3600.0), vec![]),
        ("Charge at C until 4.2 V", C(-1.0), None, vec![above(4.2)]),
        ("Charge at C / 2 until 4.2V", C(-0.5), None, vec![above(4.2)]),
        (
            "Charge at C/2 for 30 minutes or until 4.2 V or until 0.5 A.h",
            C(-0.5),
            Some(1800.0),
            vec![above(4.2), charge(0.5)],
        ),
        ("Discharge at 1C until 2.5 V until 500 mAh", C(1.0), None, vec![below(2.5), charge(0.5)]),
        ("Discharge at 1C until 2.5 A.h", C(1.0), None, vec![charge(2.5)]),
        ("Discharge at 1C until capacity 2.5 Ah", C(1.0), None, vec![charge(2.5)]),
        ("Discharge at 1C until charge above 2.5 A h", C(1.0), None, vec![charge(2.5)]),
        ("Discharge at 1C until voltage < 2.5 V", C(1.0), None, vec![below(2.5)]),
        ("Discharge at 1C until voltage <= 2.5 V", C(1.0), None, vec![below(2.5)]),
        ("Charge at 1C until voltage above 4.2 V", C(-1.0), None, vec![above(4.2)]),
        ("Discharge at 10 W until > 4 A", watts(10.0), None, vec![Limit::CurrentAbove { amperes: 4.0 }]),
        ("Discharge at 10 W until current > 2C", watts(10.0), None, vec![Limit::CRateAbove { rate: 2.0 }]),
        ("Hold at 4.2 V until current below 0.1 A or for 2 h", volts(4.2), Some(7200.0), vec![current(0.1)]),
        (
            "Discharge at 3C until 2.5 V or until temperature 60 degC",
            C(3.0),
            None,
            vec![below(2.5), Limit::TemperatureAbove { kelvin: 333.15 }],
        ),
        (
            "Rest until temperature < 300 K for at most 4 h",
            Rest,
            Some(14_400.0),
            vec![Limit::TemperatureBelow { kelvin: 300.0 }],
        ),
        (
            "Rest until temperature below 26.85 °C",
            Rest,
            None,
            vec![Limit::TemperatureBelow { kelvin: 300.0 }],
        ),
        ("Rest until dV/dt < 1 mV/h for at most 4 h", Rest, Some(14_400.0), vec![slope(1e-3 / 3600.0)]),
        ("Rest until dv/dt below 60 uV/min", Rest, None, vec![slope(1e-6)]),
        ("Rest until dV/dt 2e-6 V/s", Rest, None, vec![slope(2e-6)]),
        (
            "Discharge at 1C until formula (V - 3 + 0.05*(I + 1))",
            C(1.0),
            None,
            vec![formula("V - 3 + 0.05*(I + 1)")],
        ),
        ("Discharge at 1C until formula (V < 3 - t/1e4)", C(1.0), None, vec![formula("V < 3 - t/1e4")]),
        ("Rest for 1 h 30 min 5 s", Rest, Some(5405.0), vec![]),
        ("Rest for 2 days", Rest, Some(172_800.0), vec![]),
        ("Rest for 250 ms", Rest, Some(0.25), vec![]),
        ("Discharge at 1 kW for 10 s", watts(1000.0), Some(10.0), vec![]),
        ("Discharge at 50 mΩ for 10 s", ohms(0.05), Some(10.0), vec![]),
        ("Discharge at .5 A for 1e2 s", amperes(0.5), Some(100.0), vec![]),
        ("Hold at -0.2 V until C/50", volts(-0.2), None, vec![rate(0.02)]),
        ("Run drive.csv (A)", drive(), None, vec![]),
        ("Run drive.csv", drive(), None, vec![]),
        ("drive drive.csv(A) for 10 hours or until < 2.5 V", drive(), Some(36_000.0), vec![below(2.5)]),
        ("Run \"drive.csv\" (a) scaled by -0.5 stepwise", trace("drive.csv", Hold::Step, -0.5), None, vec![]),
        (
            "Run \"runs/my drive (2).csv\" (A)",
            trace("runs/my drive (2).csv", Hold::Linear, 1.0),
            None,
            vec![],
        ),
        ("Run power.csv (W) until > 4.3 V", trace("power.csv", Hold::Linear, 1.0), None, vec![above(4.3)]),
    ]
}

#[test]
fn sentences_mean_what_they_say() {
    let (shared, own) = (shared_sentences(), own_sentences());
    assert!(shared.len() + own.len() >= 70);
    for (text, control, duration_s, limits) in shared.into_iter().chain(own) {
        let found = step(text);
        let wanted = Step { limits, duration_s, ..Step::new(control) };
        match (&found.limits[..], &wanted.limits[..]) {
            // 300 K from degrees Celsius and slopes from mV/h are rounded.
            ([Limit::TemperatureBelow { kelvin: a }], [Limit::TemperatureBelow { kelvin: b }]) => {
                assert!((a - b).abs() < 1e-12 * b, "{text}");
            }
            (
                [Limit::VoltageSlopeBelow { volts_per_second: a }],
                [Limit::VoltageSlopeBelow { volts_per_second: b }],
            ) => {
                assert!((a - b).abs() < 1e-15 * b, "{text}");
            }
            _ => assert_eq!(found, wanted, "{text}"),
        }
        assert_eq!(found.control, wanted.control, "{text}");
        assert_eq!(found.duration_s, wanted.duration_s, "{text}");
        assert_eq!(found.label, text, "labels keep the sentence");
        // What is written is read back.
        assert_eq!(parse(&found.to_string()).unwrap(), Protocol::sequence(vec![found]), "{text}");
    }
}

#[test]
fn periods_and_leaving_are_read() {
    let period = |text: &str| step(text).period_s;
    assert_eq!(period("Discharge at 1C for 1 h (5 minute period)"), Some(300.0));
    assert_eq!(period("Discharge at 1C until 3 V (10 second period)"), Some(10.0));
    assert_eq!(period("Discharge at 1C (every 30 s) until 3 V"), Some(30.0));
    assert_eq!(period("Run drive.csv (1 s period)"), Some(1.0));
    assert_eq!(period("Run drive.csv (every 1 s)"), Some(1.0));
    assert_eq!(period("Run drive.csv (A) (1 s period)"), Some(1.0));
    let text = "repeat 3 times { Discharge at C/10 for 1 h or until 2.5 V then leave repeat }";
    let protocol = parse(text).unwrap();
    assert!(protocol.steps().all(|placed| placed.step.leaves_repeat));
    assert_eq!(parse(&text.replace(" repeat }", " }")).unwrap(), protocol);
}

#[test]
fn repeats_comments_and_separators() {
    let text = "# formation\n  Discharge at C/10 until 2.5 V ; Rest for 1 h # a rest\n\n\
                repeat 100 times {\n  Charge at C/2 until 4.2 V\n  repeat 2 { Rest for 1 min; Rest for 2 min }\n}\n\
                Repeat 2 times\n{ Rest for 3 min };;\r\nRest for 4 min";
    let rest = |minutes: f64| ProtocolItem::Step(Step::lasting(Control::Rest, 60.0 * minutes));
    let first = ProtocolItem::Step(Step::new(Control::CRate(0.1)).until_voltage_below(2.5));
    let charge = ProtocolItem::Step(Step::new(Control::CRate(-0.5)).until_voltage_above(4.2));
    let repeat = |count, items| ProtocolItem::Repeat { count, items };
    let cycles = repeat(100, vec![charge, repeat(2, vec![rest(1.0), rest(2.0)])]);
    let wanted = Protocol { items: vec![first, rest(60.0), cycles, repeat(2, vec![rest(3.0)]), rest(4.0)] };
    let found = parse(text).unwrap();
    assert_eq!(found, wanted);
    assert_eq!(found.step_count(), 2 + 500 + 2 + 1);
    assert_eq!(parse(&found.to_string()).unwrap(), found);
    assert_eq!(found.steps().last().unwrap().cycle, 1 + 100 + 2);
}

#[test]
fn patterns_stand_for_steps() {
    let same = |pattern: &str, steps: &str| {
        assert_eq!(parse(pattern).unwrap(), parse(steps).unwrap(), "{pattern}");
    };
    same(
        "CCCV charge at C/2 to 4.2 V until C/50 or for 3 h (1 min period)",
        "Charge at C/2 until 4.2 V (1 min period); Hold at 4.2 V for 3 h or until C/50 (1 min period)",
    );
    same(
        "cccv discharge at 1 A to 2.5 V until 50 mA",
        "Discharge at 1 A until 2.5 V; Hold at 2.5 V until 50 mA",
    );
    same(
        "GITT 20 pulses C/10 for 30 min rest 2 h until 2.5 V",
        "repeat 20 times { Discharge at C/10 for 30 min or until 2.5 V then leave; Rest for 2 h }",
    );
    same(
        "GITT charge 5 pulses of 100 mA for 10 min rest for 1 h until 4.2 V or until 1 A.h (10 s period)",
        "repeat 5 { Charge at 0.1 A for 10 min or until 4.2 V or until 1 A.h then leave (10 s period); Rest for 1 h (10 s period) }",
    );
    same("GITT 2 pulses 1C for 1 s rest 1 s", "repeat 2 { Discharge at 1C for 1 s; Rest for 1 s }");
    same(
        "HPPC 9 pulses 1C for 30 s rest 40 s charge 0.75C for 10 s rest 40 s then C/3 for 18 min rest 1 h within 2.5 V to 4.2 V",
        "repeat 9 {
            Discharge at 1C for 30 s or until 2.5 V then leave
            Rest for 40 s
            Charge at 0.75C for 10 s or until 4.2 V
            Rest for 40 s
            Discharge at C/3 for 18 min or until 2.5 V then leave
            Rest for 1 h
        }",
    );
    let labels: Vec<String> =
        parse("CCCV charge at 1C to 4 V until C/20").unwrap().steps().map(|p| p.step.label.clone()).collect();
    assert_eq!(labels[1], "CCCV charge at 1C to 4 V until C/20 [constant voltage]");
}

/// Text, line, column, words of the message.
const REFUSED: &[(&str, usize, usize, &str)] = &[
    ("Dischrage at 1C until 2.5 V", 1, 1, "did you mean 'Discharge'"),
    ("Wait for 1 h", 1, 1, "expected 'Discharge' or 'Charge'"),
    ("Rest for 1 h\n  Holt at 4 V for 1 h", 2, 3, "did you mean 'Hold'"),
    ("Discharge 1C until 2.5 V", 1, 11, "expected 'at', found '1C'"),
    ("Discharge at fast", 1, 14, "Discharge at 1 A"),
    ("Discharge at", 1, 13, "found the end"),
    ("Discharge at 1 X for 1 h", 1, 16, "unknown unit 'X'"),
    ("Discharge at 1 for 1 h", 1, 16, "unknown unit 'for'"),
    ("Discharge at 50 MA for 1 h", 1, 17, "did you mean 'mA'"),
    ("Discharge at -1 A for 1 h", 1, 14, "write 'Charge at ...'"),
    ("Discharge at 3 V for 1 h", 1, 14, "write 'Hold at 3 V'"),
    ("Charge at 4.2 V until C/50", 1, 11, "write 'Hold at 4.2 V'"),
    ("Discharge at 3 h for 1 h", 1, 14, "a time cannot be held"),
    ("Discharge at C/0 until 3 V", 1, 16, "positive number after 'C/'"),
    ("Discharge at 2C/3 until 3 V", 1, 16, "as one number"),
    ("Discharge at 0 Ohm for 1 s", 1, 1, "must not be 0"),
    ("Hold at 1 A for 1 h", 1, 9, "a hold is at a voltage"),
    ("Hold at C/2 for 1 h", 1, 9, "a hold is at a voltage"),
    ("Rest", 1, 1, "may never end: add a duration"),
    ("Rest until > 3.5 V", 1, 1, "a rest that may never end"),
    ("Rest until 3.5 V for 1 h", 1, 12, "'until > 3.5 V' or 'until < 3.5 V'"),
    ("Hold at 4 V until 4.2 V for 1 h", 1, 19, "'until > 4.2 V'"),
    ("Hold at 4 V until < 4.2 V", 1, 1, "until C/50"),
    ("Discharge at 1C", 1, 1, "until 2.5 V"),
    ("Discharge at 1C until > 4.2 V", 1, 1, "a discharge that may never end"),
    ("Charge at 1C until C/50", 1, 1, "a charge that may never end"),
    ("Charge at 2 W until < 3 V", 1, 1, "until 4.2 V"),
    ("Discharge at 1C until 2,5 V", 1, 24, "not 2,5"),
    ("Discharge at 1C until 2.5 V, Rest for 1 h", 1, 28, "separated by ';'"),
    ("Discharge at 1C for 600", 1, 24, "a unit is missing"),
    ("Discharge at 1C for 10 V", 1, 21, "expected a duration"),
    ("Discharge at 1C for 0 s", 1, 21, "must be positive"),
    ("Rest for 1e9 s", 1, 10, "at most 3.2e8 s"),
    ("Rest for 1 h for 2 h", 1, 14, "a second duration"),
    ("Discharge at 1C to 2.5 V", 1, 17, "write 'until 4.2 V'"),
    ("Discharge at 1C untill 2.5 V", 1, 17, "did you mean 'until'"),
    ("Discharge at 1C for 1 h and until 3 V", 1, 25, "write 'or until ...'"),
    ("Discharge at 1C until 2.5 V or C/50", 1, 32, "expected 'until' or 'for'"),
    ("Discharge at 1C until 10 min", 1, 23, "write 'for 10 minutes'"),
    ("Discharge at 1C until 2 W", 1, 23, "formula (V*I < 2)"),
    ("Discharge at 1C until", 1, 22, "a limit is a voltage"),
    ("Discharge at 1C until voltge < 3 V", 1, 23, "did you mean 'voltage'"),
    ("Discharge at 1C until voltage < 3 A", 1, 33, "voltage cannot be compared with a current"),
    ("Discharge at 1C until 3 V or until temperature 60 C", 1, 48, "write degrees Celsius as degC"),
    ("Hold at 4 V until > -1 A", 1, 21, "magnitudes"),
    ("Hold at 4 V until 0 A", 1, 19, "never met"),
    ("Discharge at 1C until charge < 1 A.h", 1, 32, "starts at 0 and grows"),
    ("Rest until dV/dt > 1 mV/h", 1, 20, "when the slope is small"),
    ("Rest until dV < 1 mV/h", 1, 15, "dV/dt < 1 mV/h"),
    ("Rest until voltage = 3 V", 1, 20, "write '<', '>'"),
    ("Rest until formula V < 3", 1, 20, "expected '('"),
    ("Rest until formula (V < 3", 1, 20, "has no ')'"),
    ("Rest until formula ( V < x)", 1, 26, "known are V, I, T, t, Q"),
    ("Rest for 1 h (5 minutes)", 1, 24, "expected 'period'"),
    ("Rest for 1 h (5 minute period", 1, 30, "expected ')'"),
    ("Rest for 1 h (5 s period) (6 s period)", 1, 27, "a second period"),
    ("Discharge at 1C until 3 V then leave", 1, 1, "stands in none"),
    ("repeat 2 { Rest for 1 h then leave }", 1, 36, "needs a limit"),
    ("[\"Rest for 1 h\"]", 1, 1, "without quotes and brackets"),
    ("Run", 1, 4, "the name of a file"),
    ("Run for 1 h", 1, 5, "the name of a file"),
    ("Run nothing.csv (A)", 1, 5, "no file nothing.csv"),
    ("Run drive.csv (W)", 1, 5, "no column of power"),
    ("Run drive.csv (mA)", 1, 16, "expected 'A' or 'C' or 'W' or 'V'"),
    ("Run drive.csv (A) until 2.5 V", 1, 25, "'until < 2.5 V'"),
    ("Run drive.csv scaled by much", 1, 25, "as in 'scaled by 0.5'"),
    ("Run \"drive.csv (A)", 1, 5, "this quote has no end"),
    ("CCCV charge at C/2 until C/50", 1, 20, "expected 'to'"),
    ("CCCV charge at C/2 to 4.2 V", 1, 1, "a hold that may never end"),
    ("CCCV at 1C to 4 V until C/20", 1, 6, "expected 'charge' or 'discharge'"),
    ("GITT C/10 for 30 min rest 2 h", 1, 6, "the number of pulses"),
    ("GITT 2.5 pulses C/10 for 30 min rest 2 h", 1, 6, "a whole number"),
    ("GITT 3 pulses C/10 rest 2 h", 1, 20, "expected 'for'"),
    ("GITT 3 pulses C/10 for 10 s rest 2 h for 3 h", 1, 45, "only limits and a period"),
    ("HPPC 9 pulses 1C for 30 s", 1, 26, "expected 'rest'"),
    (
        "HPPC 1 pulse 1C for 1 s rest 1 s charge 1C for 1 s rest 1 s then 1C for 1 s rest 1 s within 4 V to 3 V",
        1,
        93,
        "the lower voltage comes first",
    ),
    ("repeat { Rest for 1 h }", 1, 8, "the number of repetitions"),
    ("repeat 0 times { Rest for 1 h }", 1, 8, "from 1 to 1000000"),
    ("repeat 1e7 times { Rest for 1 h }", 1, 8, "from 1 to 1000000"),
    ("repeat 5 tmes { Rest for 1 h }", 1, 10, "did you mean 'times'"),
    ("repeat 5 times\nRest for 1 h", 1, 15, "expected '{'"),
    ("repeat 5 times", 1, 15, "expected '{'"),
    ("repeat 5 times { }", 1, 18, "holds no sentence"),
    ("Rest for 1 h\nrepeat 5 times {\nRest for 1 h", 2, 16, "has no '}'"),
    ("Rest for 1 h }", 1, 14, "has no '{'"),
    ("Rest for 1 h { Rest for 1 h }", 1, 14, "write 'repeat 10 times {'"),
    ("Rest for 1.2.3 h", 1, 10, "is not a number"),
    ("Rest for 1e999 h", 1, 10, "is not a number"),
];

#[test]
fn faults_are_told_with_place_and_advice() {
    assert!(REFUSED.len() >= 80);
    for (text, line, column, words) in REFUSED {
        let error = match parse(text) {
            Ok(protocol) => panic!("{text}: accepted as\n{protocol}"),
            Err(error) => error,
        };
        let message = error.to_string();
        assert!(message.contains(words), "{text}: {message}");
        let CellError::Protocol { line: found_line, column: found_column, .. } = error else {
            panic!("{text}: {error:?}");
        };
        assert_eq!((found_line, found_column), (*line, *column), "{text}: {message}");
    }
}

#[test]
fn messages_point_at_the_fault() {
    let message = parse("Rest for 1 h\nDischarge at 1 X for 1 h").unwrap_err().to_string();
    let lines: Vec<&str> = message.lines().collect();
    assert!(lines[0].starts_with("protocol, line 2, column 16: unknown unit 'X'"), "{message}");
    assert_eq!(lines[1..], ["  Discharge at 1 X for 1 h", "                 ^"]);
    // In a long line, only what is near the fault.
    let long = format!("{} Rest for 1 X", "Rest for 1 h;".repeat(100));
    let message = parse(&long).unwrap_err().to_string();
    let lines: Vec<&str> = message.lines().collect();
    assert!(lines[1].len() < 120);
    assert_eq!(lines[1].chars().nth(lines[2].find('^').unwrap()), Some('X'), "{message}");
}

#[test]
fn hostile_texts_are_refused_quickly() {
    let refused = |text: &str, words: &str| {
        let message = parse(text).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    refused("", "number of steps = 0");
    refused(" # nothing\n;;", "number of steps = 0");
    refused(&"a".repeat(2_000_000), "bytes");
    refused(&"Rest for 1 h;".repeat(1000), "4000");
    refused(&"Rest for 1s\n".repeat(50_001), "more than 50000 sentences");
    refused(&"repeat 2{\n".repeat(50_000), "deeper than 16");
    refused(&format!("{}Rest for 1 h{}", "repeat 100{".repeat(10), "}".repeat(10)), "number of steps");
    refused(&format!("Rest until formula ({}V)", "(".repeat(3000)), "has no ')'");
    refused(&format!("Rest until formula ({}V{})", "(".repeat(1000), ")".repeat(1000)), "deeper");
    refused(&format!("Discharge at 1C{}", " until 3 V".repeat(17)), "more than 16 limits");
    parse(&format!("{}Rest for 1 h{}", "repeat 10{".repeat(6), "}".repeat(6))).unwrap();
}

#[test]
fn protocols_are_written_as_people_write_them() {
    let written = |text: &str| parse(text).unwrap().to_string();
    for text in [
        "Discharge at C/20 until 2.5 V\n",
        "Charge at 0.3C for 2 hours or until 4.2 V or until 0.5 A.h (30 s period)\n",
        "Hold at 4.2 V until C/50 or until 0.05 A\n",
        "Rest for 1 minute or until dV/dt < 1e-6 V/s\n",
        "Discharge at 2 W until voltage > 4 V or until current > 2C or until temperature > 333.15 K or until 2.5 V\n",
        "Run \"a;b{#}.csv\" (A) scaled by -2 stepwise for 90 s or until formula (V < 3 + I)\n",
        "repeat 3 times {\n    repeat 2 times {\n        Charge at 4 Ohm until 4 V then leave repeat\n    }\n    Rest for 1 hour\n}\n",
    ] {
        assert_eq!(written(text), text);
    }
}

#[test]
fn a_file_is_read_once_and_shared() {
    let mut asked = Vec::new();
    let text =
        "repeat 3 times { Run drive.csv (A); Run drive.csv (A) scaled by 2 }; Run drive.csv (A) stepwise";
    let protocol = Protocol::parse(text, &mut |request| {
        asked.push(request.clone());
        files(request)
    })
    .unwrap();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].quantity, asked[0].hold), (Some(DriveQuantity::Current), Hold::Linear));
    let cycles: Vec<&Arc<DriveCycle>> = protocol
        .steps()
        .map(|placed| match &placed.step.control {
            Control::Profile { cycle, .. } => cycle,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(Arc::ptr_eq(cycles[0], cycles[1]) && Arc::ptr_eq(cycles[0], cycles[5]));
    assert_eq!(cycles[6].hold(), Hold::Step);
    // A resolver that gives another quantity than asked for is found out.
    let wrong = Protocol::parse("Run drive.csv (W)", &mut |_| {
        DriveCycle::new("x", DriveQuantity::Voltage, vec![0.0, 1.0], vec![3.0, 3.0], Hold::Linear)
    });
    assert!(wrong.unwrap_err().to_string().contains("holds a voltage"));
}

fn positive() -> impl Strategy<Value = f64> {
    prop_oneof![
        (1..10_000_u32).prop_map(f64::from),
        (1..10_000_u32).prop_map(|n| 1.0 / f64::from(n)),
        (1e-12..1e6_f64),
        (-20.0..7.0_f64).prop_map(|x| 10.0_f64.powf(x)),
    ]
}

fn control() -> impl Strategy<Value = Control> {
    let sign = prop_oneof![Just(1.0), Just(-1.0)];
    let file = prop_oneof![
        Just("drive.csv"),
        Just("runs/my drive (2).csv"),
        Just("power.csv"),
        Just("for"),
        Just("for.csv"),
        Just("a;b{#}.csv"),
    ];
    let hold = prop_oneof![Just(Hold::Linear), Just(Hold::Step)];
    prop_oneof![
        (positive(), sign.clone()).prop_map(|(v, s)| amperes(s * v)),
        (positive(), sign.clone()).prop_map(|(v, s)| Control::CRate(s * v)),
        (positive(), sign.clone()).prop_map(|(v, s)| watts(s * v)),
        (positive(), sign.clone()).prop_map(|(v, s)| ohms(s * v)),
        (positive(), sign.clone()).prop_map(|(v, s)| volts(s * v)),
        Just(Control::Rest),
        Just(amperes(0.0)),
        (file, hold, positive(), sign).prop_map(|(file, hold, f, s)| trace(file, hold, s * f)),
    ]
}

fn any_limit() -> impl Strategy<Value = Limit> {
    (0..11_usize, positive()).prop_map(|(kind, v)| match kind {
        0 => below(v),
        1 => above(-v),
        2 => current(v),
        3 => Limit::CurrentAbove { amperes: v },
        4 => rate(v),
        5 => Limit::CRateAbove { rate: v },
        6 => charge(v),
        7 => Limit::TemperatureAbove { kelvin: v },
        8 => Limit::TemperatureBelow { kelvin: v },
        9 => slope(v),
        _ => formula(&format!("V - I/{v} >\n {v} *(t+Q/T)")),
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let limits = prop::collection::vec(any_limit(), 0..4);
    (control(), limits, positive(), prop::option::of(positive()), any::<bool>()).prop_map(
        |(control, limits, duration, period_s, leaves)| Step {
            leaves_repeat: leaves && !limits.is_empty(),
            limits,
            period_s,
            ..Step::lasting(control, duration)
        },
    )
}

/// Protocols whose steps stand in at least one repeat (so that any may leave it).
fn any_protocol() -> impl Strategy<Value = Protocol> {
    let leaf = any_step().prop_map(ProtocolItem::Step);
    let item = leaf.prop_recursive(4, 24, 4, |inner| {
        (1..9_usize, prop::collection::vec(inner, 1..4))
            .prop_map(|(count, items)| ProtocolItem::Repeat { count, items })
    });
    (1..50_usize, prop::collection::vec(item, 1..4))
        .prop_map(|(count, items)| Protocol { items: vec![ProtocolItem::Repeat { count, items }] })
}

/// Pieces of sentences, so that random texts come far into the grammar.
const PIECES: [&str; 54] = [
    "Discharge",
    "Charge",
    "Hold",
    "Rest",
    "Run",
    "CCCV",
    "GITT",
    "HPPC",
    "repeat",
    " at ",
    " for ",
    " until ",
    " or ",
    " then leave ",
    "1",
    "2.5",
    "C",
    "/",
    "20",
    " V",
    " A",
    "mA",
    "A.h",
    "Ohm",
    " W",
    "h",
    "min",
    "s",
    " <",
    ">",
    "=",
    "dV/dt",
    "mV/h",
    "temperature ",
    "degC",
    "formula ",
    "(",
    ")",
    "{",
    "}",
    ";",
    "\n",
    "#",
    "\"",
    "drive.csv",
    " times ",
    " pulses ",
    " rest ",
    " to ",
    "within ",
    "period",
    "e",
    "-",
    "µ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn written_protocols_are_read_back(protocol in any_protocol()) {
        protocol.validate().unwrap();
        let text = protocol.to_string();
        let found = parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        prop_assert_eq!(&found, &protocol, "{}", text);
        prop_assert_eq!(found.to_string(), text);
    }

    #[test]
    fn unfolding_agrees_with_recursion(protocol in any_protocol()) {
        fn unfold<'a>(items: &'a [ProtocolItem], out: &mut Vec<&'a Step>) {
            for item in items {
                match item {
                    ProtocolItem::Step(step) => out.push(step),
                    ProtocolItem::Repeat { count, items } => (0..*count).for_each(|_| unfold(items, out)),
                }
            }
        }
        let mut wanted = Vec::new();
        unfold(&protocol.items, &mut wanted);
        prop_assert_eq!(protocol.step_count(), wanted.len());
        let found: Vec<&Step> = protocol.steps().map(|placed| placed.step).collect();
        prop_assert!(found.len() == wanted.len() && found.iter().zip(&wanted).all(|(a, b)| std::ptr::eq(*a, *b)));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = parse(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn scrambled_sentences_are_read_or_refused(pieces in prop::collection::vec(0..PIECES.len(), 0..24)) {
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        match parse(&text) {
            // What is accepted is written and read back.
            Ok(protocol) => prop_assert_eq!(parse(&protocol.to_string()).unwrap(), protocol),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    /// A sentence with one character changed, left out or doubled.
    #[test]
    fn mistyped_sentences_are_read_or_refused(which in 0..36_usize, at in 0..60_usize, change in 0..4_usize, c in any::<char>()) {
        let sentences = shared_sentences();
        let mut letters: Vec<char> = sentences[which % sentences.len()].0.chars().collect();
        let at = at % letters.len();
        match change {
            0 => letters[at] = c,
            1 => drop(letters.remove(at)),
            2 => letters.insert(at, c),
            _ => letters.truncate(at),
        }
        let text: String = letters.into_iter().collect();
        if let Ok(protocol) = parse(&text) {
            prop_assert_eq!(parse(&protocol.to_string()).unwrap(), protocol, "{}", text);
        }
    }
}
