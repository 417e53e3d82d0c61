//! Scripts for `PyBaMM`. That they give its voltages is shown by `examples/bpx-roundtrip`; here the words are
//! looked at.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{
    CellError, Formula, Kinetics, Outside, ParameterSet, Property, RadiusDistribution, Table,
};

fn formula(text: &str) -> Property {
    Property::Formula(Formula::parse(text).unwrap())
}

fn script(set: &ParameterSet) -> String {
    set.to_pybamm().unwrap().text
}

#[test]
fn every_set_becomes_a_script_whose_names_are_defined() {
    for set in ParameterSet::names() {
        let text = script(&ParameterSet::bundled(set.name).unwrap());
        let (functions, entries) = text.split_once("def get_parameter_values():").unwrap();
        let mut count = 0;
        for line in entries.lines().filter(|l| l.trim_start().starts_with('"')) {
            let (name, value) = line.trim().trim_end_matches(',').rsplit_once(": ").unwrap();
            let number: Result<f64, _> = value.parse();
            let known = number.is_ok() || functions.contains(&format!("def {value}("));
            assert!(known && name.ends_with('"'), "{}: {line}", set.name);
            count += 1;
        }
        assert!(count > 40, "{}: {count}", set.name);
        // A name twice would hide a value.
        let mut names: Vec<&str> =
            entries.lines().filter_map(|l| l.trim().strip_prefix('"')?.split('"').next()).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{}", set.name);
    }
    let blend = script(&ParameterSet::bundled("Chen2020_composite").unwrap());
    assert!(blend.contains("MODEL_OPTIONS = {\"particle phases\": (\"2\", \"1\")}"));
    assert!(blend.contains(
        "\"Secondary: Negative electrode lithiation OCP [V]\": negative_secondary_lithiation_ocp,"
    ));
    let half = script(&ParameterSet::bundled("Xu2019").unwrap());
    assert!(half.contains("MODEL_OPTIONS = {\"working electrode\": \"positive\"}"));
    let aged = script(&ParameterSet::bundled("OKane2022").unwrap());
    assert!(aged.contains("return pybamm.constants.F * 1e-9 * c_Li"));
    assert!(aged.contains("interpolator=\"pchip\""));
}

#[test]
fn formulas_are_put_into_python() {
    let mut set = ParameterSet::chen2020().unwrap();
    set.positive.material.diffusivity.at_reference = formula(
        "1e-15*exp(-x**2) + 007e-17 * sqrt(c_s / 50000) + 1e-18*pow(x, 2) + R * 1e-18 + log(1 + x) * .5e-16",
    );
    set.positive.material.diffusivity.activation_energy_j_per_mol = 2e4;
    set.positive.material.exchange_current.at_reference = formula("1.5 * x * (1 - x) * c_e / 0001000");
    set.electrolyte.conductivity.at_reference = formula("0.9 + 1e-4 * (x - 1000) * (T - 298.15)");
    let text = script(&set);
    for line in [
        "def positive_diffusivity(x, T):\n    c_s = 63104.0 * x\n    return (1e-15*pybamm.exp(-x**2) + 7e-17 * pybamm.sqrt(c_s / 50000) + 1e-18*((x)**(2)) + 8.31446261815324 * 1e-18 + pybamm.log(1 + x) * 5e-17) * arrhenius(20000.0, T)",
        "def positive_exchange_current(c_e, c_s, c_s_max, T):\n    x = c_s / 63104.0\n    return (1.5 * x * (1 - x) * c_e / 1000.0) * arrhenius(17800.0, T)",
        "def electrolyte_conductivity(c_e, T):\n    x = c_e\n    return (0.9 + 0.0001 * (x - 1000) * (T - 298.15))",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let table = Table::new(vec![0.2, 0.5, 1.0], vec![1e-15, 2e-14, 1e-14], true, Outside::Clamp).unwrap();
    set.positive.material.diffusivity.at_reference = table.into();
    let text = script(&set);
    assert!(text.contains("POSITIVE_DIFFUSIVITY_X = np.array([0.2, 0.5, 1.0])"));
    assert!(text.contains("x = pybamm.maximum(pybamm.minimum(x, 1.0), 0.2)"));
    assert!(
        text.contains("10 ** pybamm.Interpolant(POSITIVE_DIFFUSIVITY_X, np.log10(POSITIVE_DIFFUSIVITY_Y), x")
    );
}

#[test]
fn a_name_cannot_leave_its_comment() {
    let mut set = ParameterSet::chen2020().unwrap();
    set.name = "\"\"\"\nimport os\\ \u{202e}é".repeat(50);
    let text = script(&set);
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("\"\"\"Parameters of the cell ???") && first.ends_with("written by Scalade."));
    assert_eq!(text.matches("\"\"\"").count(), 2);
    assert!(text.is_ascii() && !text.contains("\nimport os"));
}

#[test]
fn what_pybamm_cannot_say_is_refused() {
    let base = ParameterSet::bundled("Chen2020_composite").unwrap();
    let refused = |change: fn(&mut ParameterSet), words: &str| {
        let mut set = base.clone();
        change(&mut set);
        let error = set.to_pybamm().unwrap_err();
        assert!(matches!(error, CellError::Bpx { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(
        |set| {
            set.positive.material.radius_distribution =
                Some(RadiusDistribution { relative_deviation: 0.3, classes: 3 });
        },
        "distribution of particle radii",
    );
    refused(|set| set.positive.material.kinetics = Kinetics::Linear, "from material to material");
    refused(
        |set| {
            let negative = set.negative.porous_mut().unwrap();
            let mut third = negative.material.clone();
            third.fraction = 1e-3;
            negative.material.fraction -= 1e-3;
            negative.blended.push(third);
        },
        "3 and 1 active materials",
    );
    refused(
        |set| {
            set.separator.porosity = 1.0;
            set.separator.electrolyte_efficiency = 0.5;
        },
        "no power of the porosity",
    );
    refused(
        |set| {
            set.positive.material.open_circuit.at_reference =
                Property::Formula(Formula::parse("4 - c_e").unwrap());
        },
        "depends on c_e",
    );
    let mut set = base.clone();
    set.nominal_capacity_ah = f64::NAN;
    assert!(matches!(set.to_pybamm(), Err(CellError::Parameter { .. })));
}
