//! Formulas, tables and parameter documents: values, derivatives, hostile input.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use scalade_cell::{CellError, Formula, Outside, ParameterSet, Property, Table};

fn column(text: &str) -> usize {
    match Formula::parse(text) {
        Err(CellError::Formula { column, .. }) => column,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn precedence_is_that_of_python() {
    for (text, value) in [
        ("-2**2", -4.0),
        ("2**-1", 0.5),
        ("2**3**2", 512.0),
        ("1 - 2 - 3", -4.0),
        ("8/4/2", 1.0),
        ("1 + 2*3", 7.0),
        ("(1 + 2)*3", 9.0),
        ("--3", 3.0),
        ("1e-3*.5e3", 0.5),
        ("pow(2, 0.5)**2 - 2", 0.0),
        ("log(exp(3)) + sqrt(16)", 7.0),
        ("R*0 + F*0 + sinh(0) + cosh(0) + tanh(0)", 1.0),
    ] {
        let found = Formula::parse(text).unwrap().value([0.0, 0.0, 0.0, 0.0]);
        assert!((found - value).abs() < 1e-15 * 4.0, "{text}: {found}");
    }
}

#[test]
fn faults_name_their_column() {
    assert_eq!(column("1 + + "), 7);
    assert_eq!(column("2 * (x + 1"), 11);
    assert_eq!(column("2 * sto"), 5);
    assert_eq!(column("x^2"), 2);
    assert_eq!(column("x # y"), 3);
    assert_eq!(column("exp x"), 5);
    assert_eq!(column("1e999"), 1);
    assert_eq!(column("1.2.3"), 1);
    assert_eq!(column(""), 1);
    assert_eq!(column("é"), 1);
    assert_eq!(column("pow(x)"), 6);
    assert_eq!(column("3 4"), 3);
    let message = Formula::parse("2 * sto").unwrap_err().to_string();
    assert!(message.contains("unknown name 'sto'") && message.contains("\n      ^"), "{message}");
}

#[test]
fn hostile_formulas_are_refused_without_overflow() {
    for text in ["(".repeat(19_000), "-".repeat(19_000), "x**".repeat(6_000), "exp(".repeat(4_000)] {
        assert!(Formula::parse(&text).unwrap_err().to_string().contains("deeper"));
    }
    assert!(Formula::parse(&"x+".repeat(9_000)).unwrap_err().to_string().contains("operations"));
    assert!(Formula::parse(&" ".repeat(30_000)).unwrap_err().to_string().contains("bytes"));
}

#[test]
fn bundled_functions_reproduce_their_check_values() {
    let text = include_str!("../../../data/cell/dfn_three_sets.json");
    let document: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut checked = 0;
    for set in ["Marquis2019", "Chen2020", "Prada2013"] {
        for (name, value) in document[set]["check at x=0.4 c_e=900 c_s=12000"].as_object().unwrap() {
            let formula = Formula::parse(document[set]["functions"][name].as_str().unwrap()).unwrap();
            let found = formula.value([0.4, 900.0, 12_000.0, 298.15]);
            let wanted = value.as_f64().unwrap();
            assert!((found / wanted - 1.0).abs() < 1e-13, "{set} {name}: {found} {wanted}");
            checked += 1;
        }
    }
    assert_eq!(checked, 24);
}

#[test]
fn parameter_sets_survive_serialisation_and_refuse_nonsense() {
    let p = ParameterSet::chen2020().unwrap();
    let text = serde_json::to_string(&p).unwrap();
    assert_eq!(serde_json::from_str::<ParameterSet>(&text).unwrap(), p);
    // Effective heat capacity of the stack, J/(m3 K): mean of density times specific heat over the layers.
    let layers: [(f64, f64, f64); 5] = [
        (1.2e-5, 8960.0, 385.0),
        (8.52e-5, 1657.0, 700.0),
        (1.2e-5, 397.0, 700.0),
        (7.56e-5, 3262.0, 700.0),
        (1.6e-5, 2700.0, 897.0),
    ];
    let heat: f64 = layers.iter().map(|l| l.0 * l.1 * l.2).sum();
    let width: f64 = layers.iter().map(|l| l.0).sum();
    assert!((p.thermal.as_ref().unwrap().volumetric_heat_capacity - heat / width).abs() < 1e-6);
    let broken: [fn(&mut ParameterSet); 6] = [
        |p| p.negative.porous_mut().unwrap().thickness_m = f64::NAN,
        |p| p.positive.porosity = 0.0,
        |p| p.positive.material.initial_concentration = 1e9,
        |p| p.electrolyte.transference_number = Property::Constant(3.0),
        |p| p.negative.porous_mut().unwrap().material.diffusivity.at_reference = Property::Constant(-1.0),
        |p| p.initial_temperature_k = f64::INFINITY,
    ];
    for (i, change) in broken.iter().enumerate() {
        let mut p = p.clone();
        change(&mut p);
        assert!(matches!(p.validate(), Err(CellError::Parameter { .. })), "case {i}");
    }
}

#[test]
fn tables_refuse_bad_data_and_follow_their_policy() {
    let build = |x: &[f64], y: &[f64], log10| Table::new(x.to_vec(), y.to_vec(), log10, Outside::Error);
    assert!(build(&[0.0], &[1.0], false).is_err());
    assert!(build(&[0.0, 1.0], &[1.0], false).is_err());
    assert!(build(&[0.0, 0.0], &[1.0, 2.0], false).is_err());
    assert!(build(&[0.0, f64::NAN], &[1.0, 2.0], false).is_err());
    assert!(build(&[0.0, 1.0], &[1.0, 0.0], true).is_err());
    let with = |outside| Table::new(vec![0.0, 0.5, 1.0], vec![4.0, 3.0, 1.0], false, outside).unwrap();
    assert_eq!(with(Outside::Error).value_and_slope(1.1), None);
    assert_eq!(with(Outside::Clamp).value_and_slope(1.1), Some((1.0, 0.0)));
    let (value, slope) = with(Outside::Extend).value_and_slope(1.1).unwrap();
    let end = with(Outside::Extend).value_and_slope(1.0).unwrap();
    assert!((value - (end.0 + 0.1 * end.1)).abs() < 1e-12 && (slope - end.1).abs() < 1e-12);
    assert_eq!(with(Outside::Clamp).value_and_slope(f64::NAN), None);
    let property: Property =
        serde_json::from_str(r#"{"x": [0.0, 1.0], "y": [1e-14, 1e-12], "log10": true, "outside": "clamp"}"#)
            .unwrap();
    assert!((property.value([0.5, 0.0, 0.0, 298.15]).unwrap() / 1e-13 - 1.0).abs() < 1e-12);
    assert!(serde_json::from_str::<Property>(r#"{"x": [0.0], "y": [1.0]}"#).is_err());
}

#[test]
fn a_cell_can_be_started_at_a_voltage() {
    let p = ParameterSet::chen2020().unwrap();
    let lithium = |p: &ParameterSet| {
        p.negative.porous().unwrap().charge_per_area()
            * p.negative.porous().unwrap().material.initial_stoichiometry()
            + p.positive.charge_per_area() * p.positive.material.initial_stoichiometry()
    };
    for volts in [2.6, 3.3, 3.7, 4.15] {
        let started = p.started_at_voltage(volts).unwrap();
        let (x, y) = (
            started.negative.porous().unwrap().material.initial_stoichiometry(),
            started.positive.material.initial_stoichiometry(),
        );
        assert!((started.open_circuit_voltage(x, y).unwrap() - volts).abs() < 1e-10);
        assert!((lithium(&started) / lithium(&p) - 1.0).abs() < 1e-13);
    }
    assert!(matches!(p.started_at_voltage(9.0), Err(CellError::Parameter { .. })));
    assert!(p.started_at_voltage(f64::NAN).is_err());
}

proptest! {
    #[test]
    fn formula_derivatives_agree_with_differences(x in 0.05_f64..0.95, c_e in 200.0_f64..2000.0, c_s in 1000.0_f64..30000.0) {
        for text in [
            "2e-05 * (c_e ** 0.5) * (c_s ** 0.5) * ((50000.0 - c_s) ** 0.5)",
            "0.1 + exp(-3*x) * tanh(4*(x - 0.3)) / (1 + x**3) - cosh(x)/sinh(1 + x) + log(1 + x)*sqrt(x)",
            "(T/300)**2 * exp(-1000/T) + c_e/(1000 + T)",
            "(c_e/1000)**1.5 * (1 + x)**x - pow(2, x) + (x + 1)**2.3 - (x + 2)**(-3)",
        ] {
            let formula = Formula::parse(text).unwrap();
            for (axis, point) in [x, c_e, c_s, 300.0].into_iter().enumerate() {
                let mut direction = [0.0; 4];
                direction[axis] = 1.0;
                let (value, slope) = formula.value_and_derivative([x, c_e, c_s, 300.0], direction);
                prop_assert_eq!(value, formula.value([x, c_e, c_s, 300.0]));
                let h = 1e-5 * point;
                let shifted = |s: f64| {
                    let mut at = [x, c_e, c_s, 300.0];
                    at[axis] += s;
                    formula.value(at)
                };
                let difference = (8.0 * (shifted(h) - shifted(-h)) - (shifted(2.0 * h) - shifted(-2.0 * h))) / (12.0 * h);
                prop_assert!((slope - difference).abs() < 1e-8 * (value.abs() / point + slope.abs()), "{} {}", slope, difference);
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[x0-9ce_s+*/() .,a-z-]{0,60}") {
        let _ = Formula::parse(&text);
    }

    #[test]
    fn tables_are_monotone_and_continuous(values in proptest::collection::vec(0.01_f64..1.0, 3..12), log10 in any::<bool>()) {
        let mut sum = 0.0;
        let y: Vec<f64> = values.iter().map(|v| { sum += v; sum }).collect();
        let x: Vec<f64> = values.iter().enumerate().map(|(i, v)| i as f64 + 0.3 * v).collect();
        let table = Table::new(x.clone(), y.clone(), log10, Outside::Error).unwrap();
        for (a, b) in x.iter().zip(&y) {
            prop_assert!((table.value_and_slope(*a).unwrap().0 - b).abs() < 1e-12 * b);
        }
        let (low, high) = table.range();
        let mut before = f64::MIN;
        for i in 0..=200 {
            let at = low + (high - low) * f64::from(i) / 200.0;
            let (value, slope) = table.value_and_slope(at.min(high)).unwrap();
            prop_assert!(value >= before - 1e-12 && slope >= -1e-12);
            before = value;
        }
        for node in &x[1..x.len() - 1] {
            let (left, right) = (table.value_and_slope(node - 1e-9).unwrap(), table.value_and_slope(node + 1e-9).unwrap());
            prop_assert!((left.1 - right.1).abs() < 1e-5 * (1.0 + left.1.abs()));
        }
    }
}
