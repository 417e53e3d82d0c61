//! Electrodes of BPX files.

use super::RateConvention;
use super::diagnostic::Findings;
use super::kinetics::exchange_current;
use super::plausible;
use super::schema;
use super::section::{Range, Section, function};
use super::tree::Node;
use crate::expression::Formula;
use crate::parameters::{ActiveMaterial, Electrode, Kinetics, StoichiometryWindow};
use crate::property::{Hysteresis, OpenCircuitPotential, Property};
use crate::table::{Outside, Table};

/// One of the two electrodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Negative,
    Positive,
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Negative => "Negative",
            Self::Positive => "Positive",
        }
    }

    /// Name of the section of the file.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Negative => "Negative electrode",
            Self::Positive => "Positive electrode",
        }
    }
}

/// What the electrodes need to know of the rest of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Whether the data of the porous electrode are due, beside those of the particles.
    pub(super) full: bool,
    /// Salt concentration at the start, mol/m3.
    pub(super) salt: f64,
    /// State of charge at the start.
    pub(super) state_of_charge: f64,
    /// j = 2 j0 sinh or, in files of an old convention, j = j0 sinh.
    pub(super) rates: RateConvention,
    /// Section State/Initial conditions.
    pub(super) initial: Option<&'a Section<'a>>,
    /// Section User-defined.
    pub(super) user_defined: Option<&'a Section<'a>>,
}

/// Reads an electrode; `None` if anything it needs is missing.
pub(super) fn electrode(
    section: &Section<'_>,
    side: Side,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Electrode> {
    let blend = section.optional("Particle", findings);
    let known: Vec<&'static str> = if blend.is_some() {
        schema::ELECTRODE.to_vec()
    } else {
        [schema::ELECTRODE, schema::PARTICLE].concat()
    };
    let inside: Vec<(&str, &str)> = schema::PARTICLE
        .iter()
        .filter(|_| blend.is_some())
        .map(|key| (*key, "each material of the section Particle"))
        .collect();
    section.check_keys(&known, &inside, findings);
    let materials = match &blend {
        None => vec![material(section, side, "", 0, around, findings)],
        Some(blend) => blend_materials(blend, side, around, findings),
    };
    let thickness_m = section.number("Thickness [m]", Range::Positive, findings);
    let active: f64 = materials.iter().flatten().map(|m| m.fraction).sum();
    let porous = porous(section, around.full, active, findings);
    plausible::volume(section, porous.as_ref().map(|p| p.porosity), active, findings);
    let mut materials = materials.into_iter().collect::<Option<Vec<_>>>()?.into_iter();
    let (porous, material) = (porous?, materials.next()?);
    let capacitance = around.user_defined.and_then(|user| {
        user.number_or_none(&schema::double_layer(side.name()), Range::NotNegative, findings)
    });
    Some(Electrode {
        thickness_m: thickness_m?,
        porosity: porous.porosity,
        electrolyte_efficiency: porous.electrolyte_efficiency,
        solid_efficiency: 1.0,
        conductivity_s_per_m: porous.conductivity,
        double_layer_capacitance: capacitance.unwrap_or(0.0),
        material,
        blended: materials.collect(),
    })
}

struct Porous {
    porosity: f64,
    electrolyte_efficiency: f64,
    conductivity: f64,
}

/// Data of the porous electrode. A file of a single-particle model has none; the numbers that stand for them
/// then do not enter any model that can be run ([`crate::ParameterSet::without_electrolyte`]).
fn porous(section: &Section<'_>, full: bool, active: f64, findings: &mut Findings) -> Option<Porous> {
    if !full {
        let porosity = if active < 1.0 { 1.0 - active } else { 1.0 };
        return Some(Porous { porosity, electrolyte_efficiency: 1.0, conductivity: 1.0 });
    }
    let porosity = section.number("Porosity", Range::Fraction, findings);
    let efficiency = section.number("Transport efficiency", Range::Fraction, findings);
    let conductivity = section.number("Conductivity [S.m-1]", Range::Positive, findings);
    if let (Some(porosity), Some(efficiency)) = (porosity, efficiency)
        && efficiency > porosity
    {
        let message = format!("is {efficiency}, more than the porosity {porosity}");
        let advice = "give effective over bulk conductivity, such as porosity**1.5";
        findings.warning("transport-efficiency", &section.at("Transport efficiency"), message, advice);
    }
    Some(Porous { porosity: porosity?, electrolyte_efficiency: efficiency?, conductivity: conductivity? })
}

fn blend_materials(
    blend: &Section<'_>,
    side: Side,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<Option<ActiveMaterial>> {
    let mut names: Vec<&str> = blend.entries.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|w| w[0] == w[1]) {
        findings.error("duplicate-key", &blend.at(pair[0]), "is given more than once", "keep one of them");
    }
    if blend.entries.is_empty() {
        findings.error("missing-key", &blend.path, "holds no material", "add at least one");
    }
    let mut out = Vec::new();
    for (index, (name, node)) in blend.entries.iter().enumerate() {
        let read = Section::of(node, blend.at(name), findings).and_then(|particle| {
            particle.check_keys(schema::PARTICLE, &[], findings);
            material(&particle, side, name, index, around, findings)
        });
        out.push(read);
    }
    out
}

fn material(
    section: &Section<'_>,
    side: Side,
    name: &str,
    index: usize,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<ActiveMaterial> {
    let radius = section.number("Particle radius [m]", Range::Positive, findings);
    let surface = section.number("Surface area per unit volume [m-1]", Range::Positive, findings);
    let maximum = section.number("Maximum concentration [mol.m-3]", Range::Positive, findings);
    let rate = section.number("Reaction rate constant [mol.m-2.s-1]", Range::Positive, findings);
    let energy =
        section.number_or_none("Reaction rate constant activation energy [J.mol-1]", Range::Any, findings);
    let diffusivity =
        section.activated("Diffusivity [m2.s-1]", "Diffusivity activation energy [J.mol-1]", findings);
    let entropic = section.function_or_none("Entropic change coefficient [V.K-1]", Range::Any, findings);
    let hysteresis = hysteresis(section, side, name, index, around, findings);
    let ocp = section.function("OCP [V]", Range::Any, findings);
    let ocp = potential(ocp, hysteresis.as_ref(), section, findings);
    let window = window(section, side, findings);
    if let (Some(ocp), Some(window)) = (&ocp, &window) {
        plausible::potential(section, ocp, window, findings);
    }
    if let (Some(hysteresis), Some(window)) = (&hysteresis, &window) {
        plausible::branches(section, hysteresis, window, findings);
    }
    if let (Some(diffusivity), Some(window)) = (&diffusivity, &window) {
        let key = "Diffusivity [m2.s-1]";
        plausible::positive_in_window(&section.at(key), &diffusivity.at_reference, window, findings);
    }
    let (radius, maximum, window) = (radius?, maximum?, window?);
    let start = match around.state_of_charge {
        1.0 => window.full,
        0.0 => window.empty,
        soc => window.empty + soc * (window.full - window.empty),
    };
    Some(ActiveMaterial {
        name: name.to_owned(),
        fraction: surface? * radius / 3.0,
        particle_radius_m: radius,
        radius_distribution: None,
        max_concentration: maximum,
        initial_concentration: maximum * start,
        window: Some(window),
        open_circuit: OpenCircuitPotential {
            at_reference: ocp?,
            entropic_slope: entropic.unwrap_or(Property::Constant(0.0)),
        },
        diffusivity: diffusivity?,
        exchange_current: exchange_current(rate?, energy.unwrap_or(0.0), around.salt, around.rates)?,
        kinetics: Kinetics::ButlerVolmer,
        hysteresis: hysteresis.map(Box::new),
        sei: None,
        plating: None,
        mechanics: None,
    })
}

/// Stoichiometries at the ends of the cell's range: a cell is empty when the negative electrode holds least
/// and the positive one most.
fn window(section: &Section<'_>, side: Side, findings: &mut Findings) -> Option<StoichiometryWindow> {
    let low = section.number("Minimum stoichiometry", Range::Unit, findings);
    let high = section.number("Maximum stoichiometry", Range::Unit, findings);
    let (low, high) = (low?, high?);
    if low >= high {
        let message = format!("the minimum stoichiometry {low} is not below the maximum {high}");
        findings.error("stoichiometry-order", &section.at("Minimum stoichiometry"), message, "exchange them");
        return None;
    }
    Some(match side {
        Side::Negative => StoichiometryWindow { empty: low, full: high },
        Side::Positive => StoichiometryWindow { empty: high, full: low },
    })
}

/// Branches of the potential: keys of the material (version 1.1), or of the section User-defined under the
/// names of `PyBaMM`, where "Primary: " and "Secondary: " tell the materials of a blend apart.
fn hysteresis(
    section: &Section<'_>,
    side: Side,
    name: &str,
    index: usize,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Hysteresis> {
    let prefix = match (name.is_empty(), index) {
        (true, _) => "",
        (false, 0) => "Primary: ",
        (false, _) => "Secondary: ",
    };
    let mut branch = |what: &str| {
        let own = section.function_or_none(&format!("OCP ({what}) [V]"), Range::Any, findings);
        own.or_else(|| {
            let user = around.user_defined?;
            let key = format!("{prefix}{}", schema::user_branch(side.name(), what));
            // What is wrong with it was told when the section was checked.
            function(user.get(&key)?, &user.at(&key), &mut Findings::default())
        })
    };
    let (lithiation, delithiation) = (branch("lithiation"), branch("delithiation"));
    let decay = section.number_or_none("OCP hysteresis decay constant", Range::NotNegative, findings);
    let state = initial_state(side, name, around, findings);
    match (lithiation, delithiation) {
        (Some(lithiation), Some(delithiation)) => {
            Some(Hysteresis { lithiation, delithiation, decay_constant: decay, initial_state: state })
        }
        (None, None) => None,
        (lithiation, _) => {
            let (given, lacking) = if lithiation.is_some() {
                ("lithiation", "delithiation")
            } else {
                ("delithiation", "lithiation")
            };
            let message = format!("the branch of {given} is given, that of {lacking} is not");
            findings.error("half-hysteresis", &section.path, message, "give both branches or none");
            None
        }
    }
}

/// Hysteresis state at the start: one number, or one for each material of a blend.
fn initial_state(side: Side, name: &str, around: &Surroundings<'_>, findings: &mut Findings) -> Option<f64> {
    let initial = around.initial?;
    let key = format!("Initial hysteresis state: {} electrode", side.name());
    let path = initial.at(&key);
    let value = match initial.get(&key)? {
        Node::Null => return None,
        Node::Number(value) if name.is_empty() => *value,
        Node::Object(entries) if !name.is_empty() => {
            let Some((_, Node::Number(value))) = entries.iter().find(|(material, _)| material == name) else {
                let message = format!("has no number for the material \"{name}\"");
                findings.error("missing-key", &path, message, "give one number for each material");
                return None;
            };
            *value
        }
        other => {
            let message = format!("is {}", other.kind());
            let advice = "give a number, or for a blend an object with a number for each material";
            findings.error("wrong-type", &path, message, advice);
            return None;
        }
    };
    if !(-1.0..=1.0).contains(&value) {
        let message = format!("is {value:?}; states lie between -1 and 1");
        findings.error("out-of-range", &path, message, "correct the value");
        return None;
    }
    Some(value)
}

/// The potential at rest. A constant beside two branches only holds the place; the mean of the branches is
/// taken then.
fn potential(
    given: Option<Property>,
    hysteresis: Option<&Hysteresis>,
    section: &Section<'_>,
    findings: &mut Findings,
) -> Option<Property> {
    let given = given?;
    let (Some(value), Some(branches)) = (given.as_constant(), hysteresis) else { return Some(given) };
    let Some(mean) = mean(&branches.lithiation, &branches.delithiation) else {
        let message = "the branches of lithiation and delithiation have no stoichiometries in common";
        findings.error("half-hysteresis", &section.path, message, "give both over the same range");
        return None;
    };
    let message = format!("is {value} V everywhere beside two branches");
    let advice = "the mean of the branches is taken at rest";
    findings.warning("constant-potential", &section.at("OCP [V]"), message, advice);
    Some(mean)
}

/// Half the sum of two functions: a formula of two formulas, else a table on all points of the tables in the
/// range of both.
fn mean(a: &Property, b: &Property) -> Option<Property> {
    let text = |p: &Property| match p {
        Property::Constant(value) => Some(format!("{value:?}")),
        Property::Formula(formula) => Some(formula.text().to_owned()),
        Property::Table(_) | Property::Msmr(_) => None,
    };
    if let (Some(a), Some(b)) = (text(a), text(b)) {
        return Formula::parse(&format!("(({a}) + ({b})) / 2")).ok().map(Property::Formula);
    }
    let tables =
        || [a, b].into_iter().filter_map(|p| if let Property::Table(t) = p { Some(t) } else { None });
    let low = tables().map(|t| t.range().0).fold(f64::NEG_INFINITY, f64::max);
    let high = tables().map(|t| t.range().1).fold(f64::INFINITY, f64::min);
    let mut x: Vec<f64> = tables().flat_map(|t| t.points().0).copied().collect();
    x.retain(|x| (low..=high).contains(x));
    x.sort_by(f64::total_cmp);
    x.dedup();
    let value = |p: &Property, x: f64| p.value([x, 0.0, 0.0, 298.15]).ok();
    let y = x.iter().map(|x| Some(0.5 * (value(a, *x)? + value(b, *x)?))).collect::<Option<Vec<_>>>()?;
    Table::new(x, y, false, Outside::Error).ok().map(Property::Table)
}
