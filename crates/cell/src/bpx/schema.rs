//! The keys of BPX files by section, as the package `bpx` 1.1.1 (FaradayInstitution/BPX, MIT) defines them.

pub(super) const ROOT: &[&str] = &["Header", "Parameterisation", "State", "Validation"];
pub(super) const HEADER: &[&str] = &["BPX", "Title", "Description", "References", "Model"];
pub(super) const MODELS: &[&str] = &["DFN", "SPMe", "SPM", "Partial"];
pub(super) const PARAMETERISATION: &[&str] =
    &["Cell", "Electrolyte", "Negative electrode", "Positive electrode", "Separator", "User-defined"];
pub(super) const CELL: &[&str] = &[
    "Electrode area [m2]",
    "External surface area [m2]",
    "Volume [m3]",
    "Number of electrode pairs connected in parallel to make a cell",
    "Lower voltage cut-off [V]",
    "Upper voltage cut-off [V]",
    "Nominal cell capacity [A.h]",
    "Reference temperature [K]",
    "Density [kg.m-3]",
    "Specific heat capacity [J.K-1.kg-1]",
];
/// Keys of the cell that belong to the thermal model.
pub(super) const HEAT: [&str; 4] =
    ["External surface area [m2]", "Volume [m3]", "Density [kg.m-3]", "Specific heat capacity [J.K-1.kg-1]"];
/// Keys of the cell that version 1 has moved to the section State, or dropped.
pub(super) const OLD_CELL: &[(&str, &str)] = &[
    ("Initial temperature [K]", "State/Initial conditions"),
    ("Ambient temperature [K]", "State/Thermal environment"),
    ("Thermal conductivity [W.m-1.K-1]", "Parameterisation/User-defined"),
];
pub(super) const ELECTROLYTE: &[&str] = &[
    "Cation transference number",
    "Diffusivity [m2.s-1]",
    "Diffusivity activation energy [J.mol-1]",
    "Conductivity [S.m-1]",
    "Conductivity activation energy [J.mol-1]",
];
/// Keys of the electrolyte that version 1 has moved.
pub(super) const OLD_ELECTROLYTE: &[(&str, &str)] = &[(
    "Initial concentration [mol.m-3]",
    "State/Initial conditions as \"Initial electrolyte concentration [mol.m-3]\"",
)];
pub(super) const SEPARATOR: &[&str] = &["Thickness [m]", "Porosity", "Transport efficiency"];
/// Keys of an electrode beside those of its particles.
pub(super) const ELECTRODE: &[&str] =
    &["Thickness [m]", "Porosity", "Transport efficiency", "Conductivity [S.m-1]", "Particle"];
pub(super) const PARTICLE: &[&str] = &[
    "Minimum stoichiometry",
    "Maximum stoichiometry",
    "Maximum concentration [mol.m-3]",
    "Particle radius [m]",
    "Surface area per unit volume [m-1]",
    "Diffusivity [m2.s-1]",
    "Diffusivity activation energy [J.mol-1]",
    "OCP [V]",
    "OCP (delithiation) [V]",
    "OCP (lithiation) [V]",
    "OCP hysteresis decay constant",
    "Entropic change coefficient [V.K-1]",
    "Reaction rate constant [mol.m-2.s-1]",
    "Reaction rate constant activation energy [J.mol-1]",
];
pub(super) const STATE: &[&str] = &["Initial conditions", "Thermal environment", "Degradation"];
pub(super) const INITIAL_CONDITIONS: &[&str] = &[
    "Initial state-of-charge",
    "Initial temperature [K]",
    "Initial electrolyte concentration [mol.m-3]",
    "Initial hysteresis state: Positive electrode",
    "Initial hysteresis state: Negative electrode",
];
pub(super) const THERMAL_ENVIRONMENT: &[&str] =
    &["Ambient temperature [K]", "Heat transfer coefficient [W.m-2.K-1]"];
pub(super) const DEGRADATION: &[&str] = &["LLI", "LAM: Positive electrode", "LAM: Negative electrode"];
pub(super) const EXPERIMENT: &[&str] = &["Time [s]", "Current [A]", "Voltage [V]", "Temperature [K]"];

/// Names in the section User-defined that this reader understands; they are those of `PyBaMM`, whose reader
/// takes them over too.
pub(super) const CONTACT_RESISTANCE: &str = "Contact resistance [Ohm]";
pub(super) const THERMODYNAMIC_FACTOR: &str = "Thermodynamic factor";

/// Double-layer capacitance of the electrode of `side` ("Negative" or "Positive") in the section
/// User-defined.
pub(super) fn double_layer(side: &str) -> String {
    format!("{side} electrode double-layer capacity [F.m-2]")
}

/// A branch ("lithiation" or "delithiation") of the open-circuit potential in the section User-defined.
pub(super) fn user_branch(side: &str, branch: &str) -> String {
    format!("{side} electrode {branch} OCP [V]")
}
