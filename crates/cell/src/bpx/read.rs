//! From the tree of a document to parameters; everything that is wrong is noted on the way.

use super::diagnostic::Findings;
use super::electrode::{Side, Surroundings, electrode};
use super::experiment::{degradation, experiments};
use super::schema;
use super::section::{Range, Section, function};
use super::tree::Node;
use super::{BpxDegradation, BpxHeader, BpxModel, BpxOptions, BpxValidation, RateConvention, plausible};
use crate::parameters::{
    Electrode, Electrolyte, NegativeElectrode, ParameterSet, Separator, ThermalParameters,
};
use crate::property::{Activated, Property};
use crate::spelling::closest;

/// Salt concentration where a file gives none, mol/m3: that at which rate constants are normalised (1 mol/l).
const STANDARD_CONCENTRATION: f64 = 1000.0;
/// Temperature where a file gives none, K, as the package `bpx` takes it for old files.
const STANDARD_TEMPERATURE: f64 = 298.15;

/// What was found in a document.
pub(super) struct Reading {
    pub(super) header: Option<BpxHeader>,
    pub(super) parameters: Option<ParameterSet>,
    pub(super) validation: Vec<BpxValidation>,
    pub(super) degradation: Option<BpxDegradation>,
    pub(super) user_defined: Vec<(String, Node)>,
    pub(super) optional_cell: Vec<(&'static str, f64)>,
    pub(super) ambient: Option<f64>,
    pub(super) state_of_charge: Option<f64>,
    pub(super) findings: Findings,
}

/// The parts of the section State.
#[derive(Default)]
struct State<'a> {
    initial: Option<Section<'a>>,
    thermal: Option<Section<'a>>,
    degradation: Option<Section<'a>>,
}

/// Numbers of the start, and whether the file says them.
struct Start {
    state_of_charge: f64,
    temperature: f64,
    ambient: f64,
    reference: f64,
    salt: f64,
}

pub(super) fn read(root: &Node, options: BpxOptions) -> Reading {
    let mut out = Reading {
        header: None,
        parameters: None,
        validation: Vec::new(),
        degradation: None,
        user_defined: Vec::new(),
        optional_cell: Vec::new(),
        ambient: None,
        state_of_charge: None,
        findings: Findings::default(),
    };
    let findings = &mut out.findings;
    let Some(root) = Section::of(root, String::new(), findings) else { return out };
    root.check_keys(schema::ROOT, &[], findings);
    let header = root.section("Header", findings).and_then(|section| header(&section, findings));
    let state = state(&root, findings);
    if let Some(section) = root.optional("Validation", findings) {
        out.validation = experiments(&section, findings);
    }
    if let Some(section) = &state.degradation {
        out.degradation = degradation(section, findings);
    }
    let parameterisation = root.section("Parameterisation", findings);
    let (Some(header), Some(parameterisation)) = (header, parameterisation) else { return out };
    if header.is_legacy() && root.get("State").is_some() {
        let message = format!("belongs to version 1, the header says {}", header.version);
        findings.warning("version", "/State", message, "correct the version in the header");
    }
    parameterisation.check_keys(schema::PARAMETERISATION, &[], findings);
    if let Some(section) = parameterisation.optional("User-defined", findings) {
        check_user_defined(&section, findings);
        out.user_defined = section.entries.to_vec();
    }
    out.parameters = parameters(&parameterisation, &header, &state, options, findings);
    keep_rest(&parameterisation, &state, &mut out);
    out.header = Some(header);
    out
}

/// What parameter sets do not hold, for writing the file again; what is wrong with it was told before.
fn keep_rest(parameterisation: &Section<'_>, state: &State<'_>, out: &mut Reading) {
    let ignored = &mut Findings::default();
    let Some(cell) = parameterisation.optional("Cell", ignored) else { return };
    for key in schema::HEAT {
        if let Some(value) = cell.number_or_none(key, Range::Positive, ignored) {
            out.optional_cell.push((key, value));
        }
    }
    let key = "Ambient temperature [K]";
    let thermal = state.thermal.as_ref();
    out.ambient = thermal
        .and_then(|section| section.number_or_none(key, Range::Temperature, ignored))
        .or_else(|| cell.number_or_none(key, Range::Temperature, ignored));
    out.state_of_charge = state
        .initial
        .as_ref()
        .and_then(|section| section.number_or_none("Initial state-of-charge", Range::Unit, ignored));
    let key = "Thermal conductivity [W.m-1.K-1]";
    if let Some(node @ Node::Number(_)) = cell.get(key)
        && !out.user_defined.iter().any(|(name, _)| name == key)
    {
        out.user_defined.push((key.to_owned(), node.clone()));
    }
}

fn header(section: &Section<'_>, findings: &mut Findings) -> Option<BpxHeader> {
    section.check_keys(schema::HEADER, &[], findings);
    let path = section.at("BPX");
    let version = match section.get("BPX") {
        // Old files give a number.
        Some(Node::Number(value)) => format!("{value:?}"),
        Some(Node::Text(text)) => text.clone(),
        Some(other) => {
            let message = format!("is {}, not a version", other.kind());
            findings.error("wrong-type", &path, message, "give a version such as \"1.1.0\"");
            return None;
        }
        None => {
            findings.error(
                "missing-key",
                &section.path,
                "\"BPX\" is missing",
                "add the version of the format",
            );
            return None;
        }
    };
    let parts: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    let Some([major, minor, ..]) =
        parts.as_deref().filter(|p| p.len() <= 3).and_then(|p| p.first_chunk::<2>())
    else {
        let short: String = version.chars().take(40).collect();
        let message = format!("\"{short}\" is not a version");
        findings.error("version", &path, message, "give a version such as \"1.1.0\"");
        return None;
    };
    if *major > 1 {
        let message = format!("is {version}; versions 0 and 1 can be read");
        findings.error("version", &path, message, "convert the file");
        return None;
    }
    if (*major, *minor) > (1, 1) {
        let message = format!("is {version}, newer than 1.1; what that adds is not known here");
        findings.warning("version", &path, message, "look for keys that are refused");
    }
    let model = section.text("Model", findings);
    let Some(model) = model else {
        if matches!(section.get("Model"), None | Some(Node::Null)) {
            findings.error(
                "missing-key",
                &section.path,
                "\"Model\" is missing",
                "add DFN, SPMe, SPM or Partial",
            );
        }
        return None;
    };
    let Some(kind) = BpxModel::named(&model) else {
        let short: String = model.chars().take(40).collect();
        let advice = closest(&short, schema::MODELS.iter().copied())
            .map_or_else(|| schema::MODELS.join(", "), |near| format!("did you mean \"{near}\"?"));
        findings.error("unknown-model", &section.at("Model"), format!("\"{short}\" is not a model"), advice);
        return None;
    };
    Some(BpxHeader {
        version: version.clone(),
        numbers: [*major, *minor],
        model: kind,
        title: section.text("Title", findings),
        description: section.text("Description", findings),
        references: section.text("References", findings),
    })
}

fn state<'a>(root: &Section<'a>, findings: &mut Findings) -> State<'a> {
    let Some(state) = root.optional("State", findings) else { return State::default() };
    state.check_keys(schema::STATE, &[], findings);
    let mut part = |key: &str, known: &[&'static str]| {
        let section = state.optional(key, findings)?;
        section.check_keys(known, &[], findings);
        Some(section)
    };
    State {
        initial: part("Initial conditions", schema::INITIAL_CONDITIONS),
        thermal: part("Thermal environment", schema::THERMAL_ENVIRONMENT),
        degradation: part("Degradation", schema::DEGRADATION),
    }
}

/// Every user-defined parameter is a number, formula or table, a group of such, or the description.
fn check_user_defined(section: &Section<'_>, findings: &mut Findings) {
    for (key, node) in section.entries {
        let path = section.at(key);
        match node {
            Node::Text(_) if key == "description" => {}
            Node::Object(entries) if node.get("x").is_none() && node.get("y").is_none() => {
                check_user_defined(&Section { path, entries }, findings);
            }
            other => {
                function(other, &path, findings);
            }
        }
    }
}

fn parameters(
    parameterisation: &Section<'_>,
    header: &BpxHeader,
    state: &State<'_>,
    options: BpxOptions,
    findings: &mut Findings,
) -> Option<ParameterSet> {
    let partial = header.model == BpxModel::Partial;
    let get = |key: &str, findings: &mut Findings| {
        if partial {
            parameterisation.optional(key, findings)
        } else {
            parameterisation.section(key, findings)
        }
    };
    let cell = get("Cell", findings);
    let given = parameterisation.get("Electrolyte").is_some() || parameterisation.get("Separator").is_some();
    let full = match header.model {
        BpxModel::Dfn | BpxModel::Spme => true,
        BpxModel::Spm | BpxModel::Partial => given,
    };
    if full && header.model == BpxModel::Spm {
        let message = "the model is SPM, but there are data of electrolyte and separator";
        findings.warning(
            "model-mismatch",
            "/Header/Model",
            message,
            "they are read; name the model SPMe or DFN",
        );
    }
    let (electrolyte, separator) =
        if full { (get("Electrolyte", findings), get("Separator", findings)) } else { (None, None) };
    let start = start(cell.as_ref(), electrolyte.as_ref(), full, header, state, findings);
    let user_defined = parameterisation.optional("User-defined", &mut Findings::default());
    let around = Surroundings {
        full,
        salt: start.salt,
        state_of_charge: start.state_of_charge,
        rates: rates(header, options, findings),
        initial: state.initial.as_ref(),
        user_defined: user_defined.as_ref(),
    };
    let mut side = |side: Side| -> Option<Electrode> {
        let section = get(side.section(), findings)?;
        // In a partial file each electrode tells by its keys what it describes.
        let full = if partial { section.get("Conductivity [S.m-1]").is_some() } else { full };
        electrode(&section, side, &Surroundings { full, ..around }, findings)
    };
    let (negative, positive) = (side(Side::Negative), side(Side::Positive));
    let salt =
        electrolyte.and_then(|section| liquid(&section, header, &start, user_defined.as_ref(), findings));
    let separator = separator.and_then(|section| sheet(&section, findings));
    let cell = cell.and_then(|section| cell_data(&section, header, findings));
    let thermal = cell.as_ref().and_then(|cell| thermal(cell, state, &start, findings));
    let contact = user_defined
        .as_ref()
        .and_then(|user| user.number_or_none(schema::CONTACT_RESISTANCE, Range::NotNegative, findings));
    if partial {
        return None;
    }
    let (separator, salt) = if full { (separator?, salt?) } else { placeholders(start.salt) };
    let cell = cell?;
    let set = ParameterSet {
        name: header.title.clone().unwrap_or_else(|| "BPX cell".to_owned()),
        negative: NegativeElectrode::Porous(negative?),
        separator,
        positive: positive?,
        electrolyte: salt,
        electrode_area_m2: cell.area,
        parallel_pairs: cell.pairs,
        contact_resistance_ohm: contact.unwrap_or(0.0),
        without_electrolyte: !full,
        nominal_capacity_ah: cell.capacity,
        lower_voltage_v: cell.voltages[0],
        upper_voltage_v: cell.voltages[1],
        initial_temperature_k: start.temperature,
        reference_temperature_k: start.reference,
        thermal,
    };
    plausible::cell(&set, findings);
    if findings.errors() == 0
        && let Err(error) = set.validate()
    {
        findings.error("out-of-range", "/Parameterisation", error.to_string(), "correct the value");
    }
    Some(set)
}

/// The convention of rate constants that is taken, with a word on old files.
fn rates(header: &BpxHeader, options: BpxOptions, findings: &mut Findings) -> RateConvention {
    if header.numbers < [0, 3] {
        let message = format!(
            "is {}: before 0.3 the format said j = j0 sinh(F eta/2RT), since then j = 2 j0 sinh(F eta/2RT)",
            header.version
        );
        let advice = match options.rates {
            RateConvention::TwoSinh => {
                "2 j0 sinh is taken, as published files with this version need it; choose the old convention if this one does"
            }
            RateConvention::OneSinh => "j0 sinh is taken, as was asked for",
        };
        findings.warning("rate-convention", "/Header/BPX", message, advice);
        return options.rates;
    }
    RateConvention::TwoSinh
}

/// Data of separator and electrolyte that stand where a file has none; they do not enter any model that can
/// be run on such a set ([`ParameterSet::without_electrolyte`]).
fn placeholders(salt: f64) -> (Separator, Electrolyte) {
    let one = || Activated::isothermal(1.0);
    (
        Separator { thickness_m: 1e-5, porosity: 1.0, electrolyte_efficiency: 1.0 },
        Electrolyte {
            initial_concentration: salt,
            transference_number: Property::Constant(0.5),
            thermodynamic_factor: Property::Constant(1.0),
            diffusivity: one(),
            conductivity: one(),
        },
    )
}

/// A number of the start: from the section State, else from where version 0 keeps it.
fn either(
    new: Option<(&Section<'_>, &str)>,
    old: Option<(&Section<'_>, &str)>,
    range: Range,
    findings: &mut Findings,
) -> Option<f64> {
    let new_value = new.and_then(|(section, key)| section.number_or_none(key, range, findings));
    let old_value = old.and_then(|(section, key)| section.number_or_none(key, range, findings));
    if let (Some(a), Some(b), Some((section, key)), Some((other, other_key))) =
        (new_value, old_value, new, old)
        && a != b
    {
        let message = format!("is {a}, but {} is {b}", other.at(other_key));
        findings.error("contradiction", &section.at(key), message, "keep one of them");
    }
    new_value.or(old_value)
}

fn start(
    cell: Option<&Section<'_>>,
    electrolyte: Option<&Section<'_>>,
    full: bool,
    header: &BpxHeader,
    state: &State<'_>,
    findings: &mut Findings,
) -> Start {
    let legacy = header.is_legacy();
    let (initial, thermal) = (state.initial.as_ref(), state.thermal.as_ref());
    let pair = |section, key| Option::map(section, |section| (section, key));
    let old = |section: Option<_>, key| if legacy { pair(section, key) } else { None };
    let given =
        cell.and_then(|c| c.number_or_none("Reference temperature [K]", Range::Temperature, findings));
    let reference = given.unwrap_or(STANDARD_TEMPERATURE);
    if let (Some(cell), None) = (cell, cell.and_then(|c| c.get("Reference temperature [K]"))) {
        let message = format!("\"Reference temperature [K]\" is missing; {STANDARD_TEMPERATURE} K is taken");
        findings.warning("default", &cell.path, message, "add it");
    }
    let key = "Ambient temperature [K]";
    let ambient = either(pair(thermal, key), old(cell, key), Range::Temperature, findings);
    let key = "Initial temperature [K]";
    let temperature = either(pair(initial, key), old(cell, key), Range::Temperature, findings);
    let new = pair(initial, "Initial electrolyte concentration [mol.m-3]");
    let old_salt = old(electrolyte, "Initial concentration [mol.m-3]");
    let salt = either(new, old_salt, Range::Positive, findings);
    if full && salt.is_none() {
        let message = format!(
            "no initial concentration of the electrolyte is given; {STANDARD_CONCENTRATION} mol/m3 is taken"
        );
        let place = if legacy { electrolyte } else { initial };
        findings.warning("default", place.map_or("", |section| &section.path), message, "add it");
    }
    let soc =
        initial.and_then(|section| section.number_or_none("Initial state-of-charge", Range::Unit, findings));
    Start {
        state_of_charge: soc.unwrap_or(1.0),
        temperature: temperature.or(ambient.filter(|_| legacy)).unwrap_or(reference),
        ambient: ambient.unwrap_or(reference),
        reference,
        salt: salt.unwrap_or(STANDARD_CONCENTRATION),
    }
}

struct CellData {
    area: f64,
    pairs: f64,
    capacity: f64,
    voltages: [f64; 2],
    surface: Option<f64>,
    volume: Option<f64>,
    density: Option<f64>,
    specific_heat: Option<f64>,
}

fn cell_data(section: &Section<'_>, header: &BpxHeader, findings: &mut Findings) -> Option<CellData> {
    if header.is_legacy() {
        let old: Vec<&'static str> = schema::OLD_CELL.iter().map(|(key, _)| *key).collect();
        section.check_keys(&[schema::CELL, &old].concat(), &[], findings);
    } else {
        section.check_keys(schema::CELL, schema::OLD_CELL, findings);
    }
    let key = "Number of electrode pairs connected in parallel to make a cell";
    let pairs = section.number(key, Range::Positive, findings);
    if let Some(pairs) = pairs.filter(|p| p.fract() != 0.0) {
        findings.error("not-whole", &section.at(key), format!("is {pairs}"), "give a whole number");
    }
    let area = section.number("Electrode area [m2]", Range::Positive, findings);
    let capacity = section.number("Nominal cell capacity [A.h]", Range::Positive, findings);
    let lower = section.number("Lower voltage cut-off [V]", Range::Any, findings);
    let upper = section.number("Upper voltage cut-off [V]", Range::Any, findings);
    if let (Some(lower), Some(upper)) = (lower, upper)
        && lower >= upper
    {
        let message = format!("is {lower} V, not below the upper one of {upper} V");
        findings.error("voltage-order", &section.at("Lower voltage cut-off [V]"), message, "exchange them");
    }
    let mut optional = |key: &str| section.number_or_none(key, Range::Positive, findings);
    let surface = optional("External surface area [m2]");
    let volume = optional("Volume [m3]");
    let density = optional("Density [kg.m-3]");
    let specific_heat = optional("Specific heat capacity [J.K-1.kg-1]");
    Some(CellData {
        area: area?,
        pairs: pairs?,
        capacity: capacity?,
        voltages: [lower?, upper?],
        surface,
        volume,
        density,
        specific_heat,
    })
}

/// Data of the lumped thermal model, if the file has all of them; without a heat transfer coefficient the
/// cell is adiabatic, as it is for `PyBaMM`.
fn thermal(
    cell: &CellData,
    state: &State<'_>,
    start: &Start,
    findings: &mut Findings,
) -> Option<ThermalParameters> {
    let key = "Heat transfer coefficient [W.m-2.K-1]";
    let coefficient =
        state.thermal.as_ref().and_then(|s| s.number_or_none(key, Range::NotNegative, findings));
    let complete = (cell.surface, cell.volume, cell.density, cell.specific_heat);
    let (Some(surface), Some(volume), Some(density), Some(specific_heat)) = complete else {
        if coefficient.is_some() {
            let message = "a heat transfer coefficient is given, but not all of surface, volume, density and specific heat";
            findings.warning(
                "no-thermal-data",
                "/Parameterisation/Cell",
                message,
                "add them to run the cell warm",
            );
        }
        return None;
    };
    Some(ThermalParameters {
        volumetric_heat_capacity: density * specific_heat,
        cell_volume_m3: volume,
        cooling_area_m2: surface,
        heat_transfer_coefficient: coefficient.unwrap_or(0.0),
        ambient_temperature_k: start.ambient,
    })
}

fn liquid(
    section: &Section<'_>,
    header: &BpxHeader,
    start: &Start,
    user_defined: Option<&Section<'_>>,
    findings: &mut Findings,
) -> Option<Electrolyte> {
    if header.is_legacy() {
        let old: Vec<&'static str> = schema::OLD_ELECTROLYTE.iter().map(|(key, _)| *key).collect();
        section.check_keys(&[schema::ELECTROLYTE, &old].concat(), &[], findings);
    } else {
        section.check_keys(schema::ELECTROLYTE, schema::OLD_ELECTROLYTE, findings);
    }
    let transference = section.number("Cation transference number", Range::Any, findings);
    if let Some(value) = transference.filter(|t| !(-1.0..1.0).contains(t)) {
        let path = section.at("Cation transference number");
        findings.error("out-of-range", &path, format!("is {value}"), "give a number from -1 to below 1");
    }
    let mut activated = |what: &str| {
        let (key, energy) = match what {
            "Diffusivity" => ("Diffusivity [m2.s-1]", "Diffusivity activation energy [J.mol-1]"),
            _ => ("Conductivity [S.m-1]", "Conductivity activation energy [J.mol-1]"),
        };
        let found = section.activated(key, energy, findings);
        if let Some(found) = &found {
            plausible::positive_in_salt(&section.at(key), &found.at_reference, start.salt, findings);
        }
        found
    };
    let (diffusivity, conductivity) = (activated("Diffusivity"), activated("Conductivity"));
    let factor = user_defined
        .and_then(|user| user.number_or_none(schema::THERMODYNAMIC_FACTOR, Range::Positive, findings));
    Some(Electrolyte {
        initial_concentration: start.salt,
        transference_number: Property::Constant(transference?),
        thermodynamic_factor: Property::Constant(factor.unwrap_or(1.0)),
        diffusivity: diffusivity?,
        conductivity: conductivity?,
    })
}

fn sheet(section: &Section<'_>, findings: &mut Findings) -> Option<Separator> {
    section.check_keys(schema::SEPARATOR, &[], findings);
    let thickness = section.number("Thickness [m]", Range::Positive, findings);
    let porosity = section.number("Porosity", Range::Fraction, findings);
    let efficiency = section.number("Transport efficiency", Range::Fraction, findings);
    Some(Separator { thickness_m: thickness?, porosity: porosity?, electrolyte_efficiency: efficiency? })
}
