//! The Python module: functions, table of names and values, options of the model.

use super::PybammExport;
use crate::bpx::Findings;
use crate::error::CellError;
use crate::expression::{Dialect, Variable};
use crate::parameters::ParameterSet;
use crate::property::{Activated, Property};
use crate::table::{Outside, Table};
use std::fmt::Write;

/// Longest whole number that stays one in Python: larger ones are written as floating-point numbers.
const LONGEST_WHOLE: usize = 15;

/// The words of `PyBaMM` expressions.
struct Python;

impl Dialect for Python {
    fn variable(&self, variable: Variable) -> Option<String> {
        Some(variable.name().to_owned())
    }

    fn call(&self, function: &str, arguments: &[String]) -> Option<String> {
        match (function, arguments) {
            ("exp" | "tanh" | "cosh" | "sinh" | "log" | "sqrt", [a]) => {
                Some(format!("pybamm.{function}({a})"))
            }
            ("pow", [a, b]) => Some(format!("(({a})**({b}))")),
            _ => None,
        }
    }

    fn number(&self, text: &str, value: f64) -> String {
        let whole = text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= LONGEST_WHOLE;
        // Python refuses whole numbers with leading zeros.
        if whole && (text == "0" || !text.starts_with('0')) { text.to_owned() } else { python(value) }
    }
}

/// A number as Python reads it back bit for bit.
pub(super) fn python(value: f64) -> String {
    format!("{value:?}")
}

/// Which variables a function of the model is called with, and how the others follow from them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Call {
    /// f(x): stoichiometry of particles that hold this concentration, mol/m3, at 1.
    Stoichiometry(f64),
    /// f(x, T).
    StoichiometryAndTemperature(f64),
    /// `f(c_e, c_s, c_s_max, T)`.
    Surface(f64),
    /// `f(c_e, T)`.
    Salt,
    /// `f(c_e, c_Li, T)`: reactions of lithium metal.
    Metal,
    /// f(T).
    Temperature,
}

impl Call {
    fn arguments(self) -> &'static str {
        match self {
            Self::Stoichiometry(_) => "x",
            Self::StoichiometryAndTemperature(_) => "x, T",
            Self::Surface(_) => "c_e, c_s, c_s_max, T",
            Self::Salt => "c_e, T",
            Self::Metal => "c_e, c_Li, T",
            Self::Temperature => "T",
        }
    }

    /// How a variable that is no argument follows from those that are.
    fn derived(self, variable: Variable, reference: f64) -> Option<String> {
        match (self, variable) {
            (
                Self::Stoichiometry(maximum) | Self::StoichiometryAndTemperature(maximum),
                Variable::ParticleConcentration,
            ) => Some(format!("c_s = {} * x", python(maximum))),
            (Self::Surface(maximum), Variable::X) => Some(format!("x = c_s / {}", python(maximum))),
            (Self::Salt, Variable::X) => Some("x = c_e".to_owned()),
            (Self::Salt, Variable::ParticleConcentration) => Some("c_s = c_e".to_owned()),
            (Self::Stoichiometry(_), Variable::Temperature) => Some(format!("T = {}", python(reference))),
            _ => None,
        }
    }

    fn knows(self, variable: Variable) -> bool {
        self.arguments().split(", ").any(|name| name == variable.name())
    }
}

/// The module as it grows.
pub(super) struct Script {
    functions: String,
    entries: String,
    reference: f64,
    pub(super) findings: Findings,
}

impl Script {
    pub(super) fn number(&mut self, name: &str, value: f64) {
        self.value(name, &python(value));
    }

    /// An entry whose value is Python source.
    fn value(&mut self, name: &str, source: &str) {
        let _ = writeln!(self.entries, "            \"{name}\": {source},");
    }

    /// An entry that is a function of the module with this source.
    pub(super) fn source(&mut self, name: &str, identifier: &str, arguments: &str, source: &str) {
        let _ = write!(self.functions, "def {identifier}({arguments}):\n    return {source}\n\n\n");
        self.value(name, identifier);
    }

    pub(super) fn refuse(&mut self, path: &str, message: impl Into<String>, advice: &str) {
        self.findings.error("not-expressible", path, message, advice);
    }

    /// An entry that is a function `identifier` of the module, or a number where the property is one.
    pub(super) fn property(&mut self, name: &str, identifier: &str, property: &Property, call: Call) {
        self.activated(name, identifier, &Activated::isothermal(property.clone()), call);
    }

    /// As [`Self::property`], with an activation energy.
    pub(super) fn activated(&mut self, name: &str, identifier: &str, property: &Activated, call: Call) {
        let energy = property.activation_energy_j_per_mol;
        if let (Property::Constant(value), true) = (&property.at_reference, energy == 0.0) {
            return self.number(name, *value);
        }
        let Some(body) = self.body(identifier, &property.at_reference, call) else { return };
        let factor =
            if energy == 0.0 { String::new() } else { format!(" * arrhenius({}, T)", python(energy)) };
        let _ = write!(self.functions, "def {identifier}({}):\n{}", call.arguments(), body.before);
        let _ = write!(self.functions, "    return ({}){factor}\n\n\n", body.value);
        self.value(name, identifier);
    }

    fn body(&mut self, identifier: &str, property: &Property, call: Call) -> Option<Body> {
        match property {
            Property::Constant(value) => Some(Body { before: String::new(), value: python(*value) }),
            Property::Formula(formula) => {
                let mut before = String::new();
                let variables = [
                    Variable::X,
                    Variable::ElectrolyteConcentration,
                    Variable::ParticleConcentration,
                    Variable::Temperature,
                ];
                for variable in variables.into_iter().filter(|v| formula.depends_on(*v) && !call.knows(*v)) {
                    let Some(line) = call.derived(variable, self.reference) else {
                        let message = format!("the formula of {identifier} depends on {}", variable.name());
                        self.refuse("", message, "write it without");
                        return None;
                    };
                    let _ = writeln!(before, "    {line}");
                }
                match formula.translate(&Python) {
                    Ok(value) => {
                        Some(Body { before, value: value.split_whitespace().collect::<Vec<_>>().join(" ") })
                    }
                    Err(name) => {
                        self.refuse(
                            "",
                            format!("the formula of {identifier} has {name}"),
                            "write it without",
                        );
                        None
                    }
                }
            }
            Property::Table(table) => Some(self.table(identifier, table, call)),
            Property::Msmr(_) => {
                let message =
                    format!("{identifier} is a function of a multi-species, multi-reaction material");
                self.refuse("", message, "give a table");
                None
            }
        }
    }

    fn table(&mut self, identifier: &str, table: &Table, call: Call) -> Body {
        let list = |values: &[f64]| values.iter().map(|v| python(*v)).collect::<Vec<_>>().join(", ");
        let constant = identifier.to_uppercase();
        let (x, y) = table.points();
        let _ = write!(
            self.functions,
            "{constant}_X = np.array([{}])\n{constant}_Y = np.array([{}])\n\n\n",
            list(x),
            list(y)
        );
        let argument = if call.knows(Variable::X) { None } else { call.derived(Variable::X, self.reference) };
        let mut before = argument.map(|line| format!("    {line}\n")).unwrap_or_default();
        if table.outside() == Outside::Clamp {
            let (low, high) = table.range();
            let _ = writeln!(
                before,
                "    x = pybamm.maximum(pybamm.minimum(x, {}), {})",
                python(high),
                python(low)
            );
        }
        let value = if table.is_logarithmic() {
            format!(
                "10 ** pybamm.Interpolant({constant}_X, np.log10({constant}_Y), x, name=\"{identifier}\", interpolator=\"pchip\")"
            )
        } else {
            format!(
                "pybamm.Interpolant({constant}_X, {constant}_Y, x, name=\"{identifier}\", interpolator=\"pchip\")"
            )
        };
        Body { before, value }
    }
}

struct Body {
    /// Lines before the value, each indented and ended.
    before: String,
    value: String,
}

/// A text as it may stand in a Python comment: printable ASCII on one line, without quotes and backslashes.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if (c.is_ascii_graphic() && c != '"' && c != '\\') || c == ' ' { c } else { '?' })
        .take(200)
        .collect()
}

pub(super) fn write(set: &ParameterSet) -> Result<PybammExport, CellError> {
    let mut script = Script {
        functions: String::new(),
        entries: String::new(),
        reference: set.reference_temperature_k,
        findings: Findings::default(),
    };
    let options = super::names::fill(set, &mut script);
    let errors = script.findings.errors();
    let findings = script.findings.finish();
    if errors > 0 {
        return Err(CellError::Bpx { findings });
    }
    let options: Vec<String> = options.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    let model = if set.without_electrolyte { "SPM" } else { "DFN" };
    let text = format!(
        "\"\"\"Parameters of the cell {name} for PyBaMM, written by Scalade.

Lengths in m, concentrations in mol/m3, temperatures in K, energies in J/mol.

    model = pybamm.lithium_ion.{model}(MODEL_OPTIONS)
    simulation = pybamm.Simulation(model, parameter_values=get_parameter_values())
    solution = simulation.solve([0, 3600])
\"\"\"

import numpy as np
import pybamm

MODEL_OPTIONS = {{{options}}}


def arrhenius(energy, T):
    return pybamm.exp(energy / pybamm.constants.R * (1 / {reference} - 1 / T))


{functions}def get_parameter_values():
    return pybamm.ParameterValues(
        {{
{entries}        }}
    )
",
        name = harmless(&set.name),
        options = options.join(", "),
        reference = python(set.reference_temperature_k),
        functions = script.functions,
        entries = script.entries,
    );
    Ok(PybammExport { text, warnings: findings })
}
