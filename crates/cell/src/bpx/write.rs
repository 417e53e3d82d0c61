//! Parameter sets as BPX 1.1 files.

use super::diagnostic::Findings;
use super::electrode::Side;
use super::kinetics::{neighbour, rate_constant};
use super::schema;
use super::tree::Node;
use super::{BpxDiagnostic, BpxDocument, BpxHeader, BpxModel, Severity};
use crate::error::CellError;
use crate::expression::{Dialect, Variable};
use crate::parameters::{ActiveMaterial, Electrode, Kinetics, ParameterSet, StoichiometryWindow};
use crate::property::{Activated, Property};
use crate::table::Outside;

/// Version that is written.
const VERSION: &str = "1.1.0";
/// Density that stands where only the heat capacity per volume is known, kg/m3: a power of two, so that the
/// product with the specific heat is the capacity bit for bit.
const NOMINAL_DENSITY: f64 = 2048.0;
/// Names that formulas of BPX files know.
const OWN_NAMES: [&str; 4] = ["x", "exp", "tanh", "cosh"];
/// States of charge of the materials that count as one.
const SAME_STATE: f64 = 1e-6;

/// A file that was written, with what it does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct BpxExport {
    /// The file.
    pub text: String,
    /// What of the parameters is not in it.
    pub warnings: Vec<BpxDiagnostic>,
}

/// What a formula stands for.
#[derive(Clone, Copy)]
enum Argument {
    /// Stoichiometry of particles that hold this concentration, mol/m3, at 1.
    Stoichiometry(f64),
    /// Salt concentration, mol/m3.
    Concentration,
}

/// The language of the format: one variable x, powers, and the functions exp, tanh and cosh.
impl Dialect for Argument {
    fn variable(&self, variable: Variable) -> Option<String> {
        match (self, variable) {
            (_, Variable::X)
            | (Self::Concentration, Variable::ElectrolyteConcentration | Variable::ParticleConcentration) => {
                Some("x".to_owned())
            }
            (Self::Stoichiometry(maximum), Variable::ParticleConcentration) => {
                Some(format!("({maximum:?} * x)"))
            }
            _ => None,
        }
    }

    fn call(&self, function: &str, arguments: &[String]) -> Option<String> {
        match (function, arguments) {
            ("exp" | "tanh" | "cosh", [a]) => Some(format!("{function}({a})")),
            ("sqrt", [a]) => Some(format!("(({a})**0.5)")),
            ("sinh", [a]) => Some(format!("((exp({a}) - exp(-({a})))/2)")),
            ("pow", [a, b]) => Some(format!("(({a})**({b}))")),
            _ => None,
        }
    }

    fn number(&self, text: &str, _value: f64) -> String {
        text.to_owned()
    }
}

struct Writer {
    findings: Findings,
}

type Entries = Vec<(String, Node)>;

fn put(entries: &mut Entries, key: &str, node: Node) {
    entries.push((key.to_owned(), node));
}

fn number(entries: &mut Entries, key: &str, value: f64) {
    put(entries, key, Node::Number(value));
}

impl Writer {
    fn refuse(&mut self, path: &str, message: impl Into<String>, advice: &str) {
        self.findings.error("not-expressible", path, message, advice);
    }

    /// A function as number, formula or table.
    fn function(&mut self, property: &Property, argument: Argument, path: &str) -> Option<Node> {
        match property {
            Property::Constant(value) => Some(Node::Number(*value)),
            Property::Formula(formula) if formula.names().iter().all(|name| OWN_NAMES.contains(name)) => {
                Some(Node::text(formula.text()))
            }
            Property::Formula(formula) => match formula.translate(&argument) {
                Ok(text) => Some(Node::Text(text)),
                Err(name) => {
                    let message = format!("the formula has {name}, which formulas of BPX files cannot");
                    self.refuse(path, message, "give a formula in one variable, or a table");
                    None
                }
            },
            Property::Table(table) => {
                if table.is_logarithmic() {
                    let message = "the table is interpolated in log10, which BPX files cannot say";
                    self.refuse(path, message, "give the values on a finer grid without log10");
                    return None;
                }
                if table.outside() != Outside::Error {
                    let message = "the table says what it is outside its range, which BPX files cannot";
                    self.findings.warning("left-out", path, message, "");
                }
                let list = |values: &[f64]| Node::List(values.iter().map(|v| Node::Number(*v)).collect());
                let (x, y) = table.points();
                Some(Node::Object(vec![("x".to_owned(), list(x)), ("y".to_owned(), list(y))]))
            }
            Property::Msmr(_) => {
                let message =
                    "a function of a multi-species, multi-reaction material, which BPX files do not know";
                self.refuse(path, message, "give a table");
                None
            }
        }
    }

    fn put_function(
        &mut self,
        entries: &mut Entries,
        key: &str,
        property: &Property,
        argument: Argument,
        path: &str,
    ) {
        if let Some(node) = self.function(property, argument, path) {
            put(entries, key, node);
        }
    }

    /// `what` is "Diffusivity" or "Conductivity".
    fn put_activated(
        &mut self,
        entries: &mut Entries,
        what: (&str, &str),
        property: &Activated,
        argument: Argument,
        path: &str,
    ) {
        let (name, unit) = what;
        self.put_function(entries, &format!("{name} [{unit}]"), &property.at_reference, argument, path);
        if property.activation_energy_j_per_mol != 0.0 {
            let key = format!("{name} activation energy [J.mol-1]");
            number(entries, &key, property.activation_energy_j_per_mol);
        }
    }

    fn material(
        &mut self,
        material: &ActiveMaterial,
        window: &StoichiometryWindow,
        side: Side,
        salt: f64,
        path: &str,
    ) -> Entries {
        let mut out = Vec::new();
        let (low, high) = match side {
            Side::Negative => (window.empty, window.full),
            Side::Positive => (window.full, window.empty),
        };
        let radius = material.particle_radius_m;
        let argument = Argument::Stoichiometry(material.max_concentration);
        number(&mut out, "Minimum stoichiometry", low);
        number(&mut out, "Maximum stoichiometry", high);
        number(&mut out, "Maximum concentration [mol.m-3]", material.max_concentration);
        number(&mut out, "Particle radius [m]", radius);
        let surface = neighbour(3.0 * material.fraction / radius, |a| a * radius / 3.0 == material.fraction);
        number(&mut out, "Surface area per unit volume [m-1]", surface);
        let at = |field: &str| format!("{path}/{field}");
        let diffusivity = ("Diffusivity", "m2.s-1");
        self.put_activated(&mut out, diffusivity, &material.diffusivity, argument, &at("diffusivity"));
        let rest = &material.open_circuit;
        self.put_function(
            &mut out,
            "OCP [V]",
            &rest.at_reference,
            argument,
            &at("open_circuit/at_reference"),
        );
        if let Some(hysteresis) = &material.hysteresis {
            for (key, branch) in [
                ("OCP (delithiation) [V]", &hysteresis.delithiation),
                ("OCP (lithiation) [V]", &hysteresis.lithiation),
            ] {
                self.put_function(&mut out, key, branch, argument, &at("hysteresis"));
            }
            if let Some(decay) = hysteresis.decay_constant {
                number(&mut out, "OCP hysteresis decay constant", decay);
            }
        }
        if rest.entropic_slope != Property::Constant(0.0) {
            let key = "Entropic change coefficient [V.K-1]";
            let place = at("open_circuit/entropic_slope");
            self.put_function(&mut out, key, &rest.entropic_slope, argument, &place);
        }
        match rate_constant(material, salt) {
            Ok(rate) => number(&mut out, "Reaction rate constant [mol.m-2.s-1]", rate),
            Err(message) => {
                let advice = "BPX files know no other exchange-current density";
                self.refuse(&at("exchange_current"), message, advice);
            }
        }
        let energy = material.exchange_current.activation_energy_j_per_mol;
        if energy != 0.0 {
            number(&mut out, "Reaction rate constant activation energy [J.mol-1]", energy);
        }
        self.left_out(material, path);
        out
    }

    /// What of a material a BPX file cannot hold.
    fn left_out(&mut self, material: &ActiveMaterial, path: &str) {
        if material.kinetics != Kinetics::ButlerVolmer {
            let message = "other kinetics; BPX files mean j = 2 j0 sinh(F eta/2RT)";
            self.refuse(&format!("{path}/kinetics"), message, "set ButlerVolmer");
        }
        if material.radius_distribution.is_some() {
            let message = "a distribution of particle radii";
            let advice = "give several materials instead, one for each class of radii";
            self.refuse(&format!("{path}/radius_distribution"), message, advice);
        }
        let ageing = [
            ("sei", material.sei.is_some()),
            ("plating", material.plating.is_some()),
            ("mechanics", material.mechanics.is_some()),
        ];
        for (field, _) in ageing.into_iter().filter(|(_, given)| *given) {
            let message = "data of ageing are not part of BPX files";
            self.findings.warning("left-out", &format!("{path}/{field}"), message, "");
        }
    }

    fn electrode(
        &mut self,
        electrode: &Electrode,
        windows: &[StoichiometryWindow],
        side: Side,
        set: &ParameterSet,
        path: &str,
    ) -> Node {
        let mut out = Vec::new();
        number(&mut out, "Thickness [m]", electrode.thickness_m);
        if !set.without_electrolyte {
            number(&mut out, "Porosity", electrode.porosity);
            number(&mut out, "Transport efficiency", electrode.electrolyte_efficiency);
            let effective = electrode.conductivity_s_per_m * electrode.solid_efficiency;
            number(&mut out, "Conductivity [S.m-1]", effective);
        }
        let salt = set.electrolyte.initial_concentration;
        let blend = !electrode.blended.is_empty() || !electrode.material.name.is_empty();
        let mut particles = Vec::new();
        for (i, (material, window)) in electrode.materials().zip(windows).enumerate() {
            let place = if i == 0 { format!("{path}/material") } else { format!("{path}/blended/{}", i - 1) };
            let keys = self.material(material, window, side, salt, &place);
            if blend {
                put(&mut particles, &material_name(material, i), Node::Object(keys));
            } else {
                out.extend(keys);
            }
        }
        if blend {
            put(&mut out, "Particle", Node::Object(particles));
        }
        Node::Object(out)
    }

    fn electrolyte(&mut self, set: &ParameterSet) -> Node {
        let (mut out, salt) = (Vec::new(), &set.electrolyte);
        if let Some(value) = salt.transference_number.as_constant() {
            number(&mut out, "Cation transference number", value);
        } else {
            let message = "a transference number that is not constant";
            self.refuse("/electrolyte/transference_number", message, "give its mean");
        }
        let argument = Argument::Concentration;
        let diffusivity = ("Diffusivity", "m2.s-1");
        self.put_activated(&mut out, diffusivity, &salt.diffusivity, argument, "/electrolyte/diffusivity");
        let conductivity = ("Conductivity", "S.m-1");
        self.put_activated(&mut out, conductivity, &salt.conductivity, argument, "/electrolyte/conductivity");
        Node::Object(out)
    }

    /// Windows of all materials and the state of charge at the start.
    fn state_of_charge(&mut self, set: &ParameterSet) -> Option<(Vec<StoichiometryWindow>, f64)> {
        let materials = materials(set);
        let windows = match materials.iter().map(|m| m.window).collect::<Option<Vec<_>>>() {
            Some(windows) => windows,
            None => match (
                set.started_at_voltage(set.lower_voltage_v),
                set.started_at_voltage(set.upper_voltage_v),
            ) {
                (Ok(empty), Ok(full)) => self::materials(&empty)
                    .iter()
                    .zip(self::materials(&full))
                    .map(|(a, b)| StoichiometryWindow {
                        empty: a.initial_stoichiometry(),
                        full: b.initial_stoichiometry(),
                    })
                    .collect(),
                (Err(error), _) | (_, Err(error)) => {
                    let message = format!("stoichiometries at the cut-off voltages are not found: {error}");
                    self.refuse("/lower_voltage_v", message, "give the windows of the materials");
                    return None;
                }
            },
        };
        let states: Vec<f64> = materials
            .iter()
            .zip(&windows)
            .map(|(m, w)| (m.initial_stoichiometry() - w.empty) / (w.full - w.empty))
            .collect();
        let (low, high) =
            states.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(*s), h.max(*s)));
        if high - low > SAME_STATE || low < -SAME_STATE || high > 1.0 + SAME_STATE {
            let message = format!(
                "the materials start at states of charge from {low:.6} to {high:.6}; a BPX file has one for all, from 0 to 1"
            );
            self.refuse("/initial_concentration", message, "start the cell at a state of charge first");
            return None;
        }
        let fits = |soc: f64| {
            materials.iter().zip(&windows).all(|(m, w)| {
                let x = w.empty + soc * (w.full - w.empty);
                m.max_concentration * x == m.initial_concentration
            })
        };
        let ends = |soc: f64| {
            materials.iter().zip(&windows).all(|(m, w)| {
                let x = if soc == 1.0 { w.full } else { w.empty };
                m.max_concentration * x == m.initial_concentration
            })
        };
        let guess = states.first().copied()?.clamp(0.0, 1.0);
        let state = [1.0, 0.0].into_iter().find(|soc| ends(*soc)).unwrap_or_else(|| neighbour(guess, fits));
        Some((windows, state))
    }
}

/// Name of a material of a blend in the file.
fn material_name(material: &ActiveMaterial, index: usize) -> String {
    match (material.name.as_str(), index) {
        ("", 0) => "Primary".to_owned(),
        ("", 1) => "Secondary".to_owned(),
        ("", i) => format!("Material {}", i + 1),
        (name, _) => name.to_owned(),
    }
}

fn materials(set: &ParameterSet) -> Vec<&ActiveMaterial> {
    let negative = set.negative.porous().into_iter().flat_map(Electrode::materials);
    negative.chain(set.positive.materials()).collect()
}

impl BpxDocument {
    /// A document of parameters that do not come from a BPX file.
    pub fn new(parameters: ParameterSet) -> Self {
        let model = if parameters.without_electrolyte { BpxModel::Spm } else { BpxModel::Dfn };
        Self {
            header: BpxHeader {
                version: VERSION.to_owned(),
                numbers: [1, 1],
                model,
                title: Some(parameters.name.clone()),
                description: None,
                references: None,
            },
            parameters,
            state_of_charge: None,
            validation: Vec::new(),
            degradation: None,
            warnings: Vec::new(),
            user_defined: Vec::new(),
            optional_cell: Vec::new(),
            ambient: None,
        }
    }

    /// The document as a file of BPX 1.1. Contact resistance, double-layer capacitance and a constant
    /// thermodynamic factor go to the section User-defined under `PyBaMM`'s names.
    ///
    /// # Errors
    /// [`CellError::Bpx`] with everything that such a file cannot say (formulas of temperature, other
    /// exchange-current densities than F k sqrt(c_e/c_e0 x (1 - x)), lithium metal, a start off equilibrium),
    /// or that would be refused when it is read.
    pub fn to_bpx(&self) -> Result<BpxExport, CellError> {
        let mut writer = Writer { findings: Findings::default() };
        let tree = self.tree(&mut writer);
        let (errors, findings) = (writer.findings.errors(), writer.findings.finish());
        let Some(tree) = tree.filter(|_| errors == 0) else { return Err(CellError::Bpx { findings }) };
        let text =
            serde_json::to_string_pretty(&tree).map_err(|e| CellError::Document(e.to_string()))? + "\n";
        // What is written must be readable, here and elsewhere.
        Self::read(&text)?;
        Ok(BpxExport { text, warnings: findings })
    }

    fn tree(&self, writer: &mut Writer) -> Option<Node> {
        let set = &self.parameters;
        let Some(negative) = set.negative.porous() else {
            writer.refuse(
                "/negative",
                "an electrode of lithium metal",
                "BPX files have two porous electrodes",
            );
            return None;
        };
        if set.parallel_pairs.fract() != 0.0 {
            let message = format!("{} electrode pairs are no whole number", set.parallel_pairs);
            writer.refuse("/parallel_pairs", message, "put the rest into the area");
        }
        let (windows, state_of_charge) = writer.state_of_charge(set)?;
        let (of_negative, of_positive) = windows.split_at_checked(negative.materials().count())?;
        let mut parts = vec![("Cell".to_owned(), self.cell())];
        if !set.without_electrolyte {
            put(&mut parts, "Electrolyte", writer.electrolyte(set));
        }
        let node = writer.electrode(negative, of_negative, Side::Negative, set, "/negative/porous");
        put(&mut parts, "Negative electrode", node);
        let node = writer.electrode(&set.positive, of_positive, Side::Positive, set, "/positive");
        put(&mut parts, "Positive electrode", node);
        if !set.without_electrolyte {
            let mut separator = Vec::new();
            number(&mut separator, "Thickness [m]", set.separator.thickness_m);
            number(&mut separator, "Porosity", set.separator.porosity);
            number(&mut separator, "Transport efficiency", set.separator.electrolyte_efficiency);
            put(&mut parts, "Separator", Node::Object(separator));
        }
        let user_defined = self.user_defined(negative, writer);
        if !user_defined.is_empty() {
            put(&mut parts, "User-defined", Node::Object(user_defined));
        }
        let mut root = vec![("Header".to_owned(), self.header_node())];
        put(&mut root, "Parameterisation", Node::Object(parts));
        put(&mut root, "State", self.state(negative, state_of_charge));
        if !self.validation.is_empty() {
            put(&mut root, "Validation", self.validation_node());
        }
        Some(Node::Object(root))
    }

    fn header_node(&self) -> Node {
        let mut out = Vec::new();
        put(&mut out, "BPX", Node::text(VERSION));
        let title = self.header.title.as_deref().unwrap_or(&self.parameters.name);
        put(&mut out, "Title", Node::text(title));
        for (key, text) in
            [("Description", &self.header.description), ("References", &self.header.references)]
        {
            if let Some(text) = text {
                put(&mut out, key, Node::text(text));
            }
        }
        let model = match (self.parameters.without_electrolyte, self.header.model) {
            (true, _) => BpxModel::Spm,
            (false, BpxModel::Spm | BpxModel::Partial) => BpxModel::Dfn,
            (false, model) => model,
        };
        put(&mut out, "Model", Node::text(model.name()));
        Node::Object(out)
    }

    fn optional(&self, key: &str) -> Option<f64> {
        self.optional_cell.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn cell(&self) -> Node {
        let (set, mut out) = (&self.parameters, Vec::new());
        number(&mut out, "Electrode area [m2]", set.electrode_area_m2);
        let key = "Number of electrode pairs connected in parallel to make a cell";
        number(&mut out, key, set.parallel_pairs);
        number(&mut out, "Nominal cell capacity [A.h]", set.nominal_capacity_ah);
        number(&mut out, "Lower voltage cut-off [V]", set.lower_voltage_v);
        number(&mut out, "Upper voltage cut-off [V]", set.upper_voltage_v);
        number(&mut out, "Reference temperature [K]", set.reference_temperature_k);
        match &set.thermal {
            Some(thermal) => {
                number(&mut out, "External surface area [m2]", thermal.cooling_area_m2);
                number(&mut out, "Volume [m3]", thermal.cell_volume_m3);
                let density = self.optional("Density [kg.m-3]").unwrap_or(NOMINAL_DENSITY);
                let capacity = thermal.volumetric_heat_capacity;
                number(&mut out, "Density [kg.m-3]", density);
                let specific = neighbour(capacity / density, |heat| density * heat == capacity);
                number(&mut out, "Specific heat capacity [J.K-1.kg-1]", specific);
            }
            None => {
                for (key, value) in &self.optional_cell {
                    number(&mut out, key, *value);
                }
            }
        }
        Node::Object(out)
    }

    fn user_defined(&self, negative: &Electrode, writer: &mut Writer) -> Entries {
        let set = &self.parameters;
        let sides = [(Side::Negative, negative), (Side::Positive, &set.positive)];
        // Branches have keys of their own in this version.
        let own = |key: &str| {
            let bare = key.trim_start_matches("Primary: ").trim_start_matches("Secondary: ");
            key == schema::CONTACT_RESISTANCE
                || key == schema::THERMODYNAMIC_FACTOR
                || sides.iter().any(|(side, _)| {
                    key == schema::double_layer(side.name())
                        || ["lithiation", "delithiation"]
                            .iter()
                            .any(|branch| bare == schema::user_branch(side.name(), branch))
                })
        };
        let mut out: Entries = self.user_defined.iter().filter(|(key, _)| !own(key)).cloned().collect();
        if set.contact_resistance_ohm != 0.0 {
            number(&mut out, schema::CONTACT_RESISTANCE, set.contact_resistance_ohm);
        }
        match set.electrolyte.thermodynamic_factor.as_constant() {
            Some(1.0) => {}
            Some(value) => number(&mut out, schema::THERMODYNAMIC_FACTOR, value),
            None => {
                let message = "a thermodynamic factor that is not constant";
                writer.refuse("/electrolyte/thermodynamic_factor", message, "give its mean");
            }
        }
        for (side, electrode) in sides {
            if electrode.double_layer_capacitance != 0.0 {
                number(&mut out, &schema::double_layer(side.name()), electrode.double_layer_capacitance);
            }
        }
        out
    }

    fn state(&self, negative: &Electrode, state_of_charge: f64) -> Node {
        let set = &self.parameters;
        let mut initial = Vec::new();
        number(&mut initial, "Initial state-of-charge", state_of_charge);
        number(&mut initial, "Initial temperature [K]", set.initial_temperature_k);
        let key = "Initial electrolyte concentration [mol.m-3]";
        number(&mut initial, key, set.electrolyte.initial_concentration);
        for (side, electrode) in [(Side::Positive, &set.positive), (Side::Negative, negative)] {
            let key = format!("Initial hysteresis state: {} electrode", side.name());
            let states: Entries = electrode
                .materials()
                .enumerate()
                .filter_map(|(i, m)| {
                    let state = m.hysteresis.as_ref()?.initial_state?;
                    Some((material_name(m, i), Node::Number(state)))
                })
                .collect();
            let blend = !electrode.blended.is_empty() || !electrode.material.name.is_empty();
            match states.first() {
                Some(_) if blend => put(&mut initial, &key, Node::Object(states)),
                Some((_, state)) => put(&mut initial, &key, state.clone()),
                None => {}
            }
        }
        let mut thermal = Vec::new();
        if let Some(ambient) = set.thermal.as_ref().map(|t| t.ambient_temperature_k).or(self.ambient) {
            number(&mut thermal, "Ambient temperature [K]", ambient);
        }
        if let Some(given) = &set.thermal {
            number(&mut thermal, "Heat transfer coefficient [W.m-2.K-1]", given.heat_transfer_coefficient);
        }
        let mut out = vec![("Initial conditions".to_owned(), Node::Object(initial))];
        if !thermal.is_empty() {
            put(&mut out, "Thermal environment", Node::Object(thermal));
        }
        if let Some(ageing) = &self.degradation {
            let lost = |of: &[(String, f64)]| match of {
                [(name, value)] if name.is_empty() => Node::Number(*value),
                list => Node::Object(list.iter().map(|(n, v)| (n.clone(), Node::Number(*v))).collect()),
            };
            let mut entries = Vec::new();
            number(&mut entries, "LLI", ageing.loss_of_lithium_inventory);
            put(&mut entries, "LAM: Positive electrode", lost(&ageing.loss_of_positive_material));
            put(&mut entries, "LAM: Negative electrode", lost(&ageing.loss_of_negative_material));
            put(&mut out, "Degradation", Node::Object(entries));
        }
        Node::Object(out)
    }

    fn validation_node(&self) -> Node {
        let list = |values: &[f64]| Node::List(values.iter().map(|v| Node::Number(*v)).collect());
        let one = |curve: &super::BpxValidation| {
            let mut out = Vec::new();
            put(&mut out, "Time [s]", list(&curve.time_s));
            let file: Vec<f64> = curve.current_a.iter().map(|i| 0.0 - i).collect();
            put(&mut out, "Current [A]", list(&file));
            put(&mut out, "Voltage [V]", list(&curve.voltage_v));
            if let Some(temperature) = &curve.temperature_k {
                put(&mut out, "Temperature [K]", list(temperature));
            }
            (curve.name.clone(), Node::Object(out))
        };
        Node::Object(self.validation.iter().map(one).collect())
    }
}

impl ParameterSet {
    /// The parameters as a file of BPX 1.1.
    ///
    /// # Errors
    /// As [`BpxDocument::to_bpx`].
    ///
    /// ```
    /// use scalade_cell::ParameterSet;
    /// let text = ParameterSet::chen2020()?.to_bpx()?.text;
    /// let again = ParameterSet::from_bpx(&text)?;
    /// assert_eq!(again.nominal_capacity_ah, 5.0);
    /// # Ok::<(), scalade_cell::CellError>(())
    /// ```
    pub fn to_bpx(&self) -> Result<BpxExport, CellError> {
        BpxDocument::new(self.clone()).to_bpx()
    }
}

impl BpxDiagnostic {
    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
