//! Doyle-Fuller-Newman (DFN) model of a lithium-ion cell: porous electrodes with spherical particles,
//! concentrated electrolyte, Butler-Volmer kinetics, optional lumped temperature.
//!
//! Equations as in Marquis et al., J. Electrochem. Soc. 166 (2019) A3693. Space is discretised by conservative
//! Gauss-Lobatto elements of any order (order 1 is the vertex-centred finite-volume method), particles by a
//! conservative Gauss-Radau scheme in r^2, time by a variable-order BDF method with error control; each
//! Newton step eliminates the particles and the interfacial current node by node and solves what is left as
//! one banded system with bordered rows.
//!
//! All numbers are SI. Discharge current is positive.
//!
//! ```
//! use scalade_cell::{DfnOptions, ParameterSet, Protocol, solve};
//! let parameters = ParameterSet::marquis2019()?;
//! let protocol = Protocol::discharge(1.0, 3.105);
//! let solution = solve(&parameters, &protocol, &DfnOptions::default(), &[60.0, 1200.0])?;
//! assert!((solution.voltage_v[1] - 3.652118).abs() < 1e-4);
//! # Ok::<(), scalade_cell::CellError>(())
//! ```

mod accuracy;
mod ageing;
mod balance;
mod batch;
mod bpx;
mod closed_form;
mod error;
mod expression;
mod gradient;
mod impedance;
mod mesh;
mod model;
mod msmr;
mod options;
mod parameters;
mod property;
mod protocol;
mod pybamm;
mod run;
mod single_particle;
mod solution;
mod solver;
mod spelling;
mod store;
mod table;

pub use accuracy::{Estimated, solve_to_tolerance, solve_to_tolerance_watched};
pub use ageing::{AgeingOptions, PlatingLaw, SeiLaw};
pub use balance::VoltageWindow;
pub use batch::{solve_batch, solve_variations};
pub use bpx::{
    BpxDegradation, BpxDiagnostic, BpxDocument, BpxExport, BpxHeader, BpxModel, BpxOptions, BpxValidation,
    RateConvention, Severity, check_bpx,
};
pub use error::CellError;
pub use expression::{Condition, Formula, FormulaWorkspace};
pub use gradient::{
    Gradient, LossSlope, Parameter, Sensitivities, StepSensitivity, solve_with_gradient,
    solve_with_sensitivities,
};
pub use impedance::{
    CellState, Contribution, Spectrum, StateSpectrum, impedance_after, impedance_at_rest, sphere_impedance,
};
pub use mesh::{ElectrodeMeshOptions, Grading, MeshOptions, ParticleMeshOptions};
pub use msmr::{Msmr, MsmrQuantity, MsmrSpecies};
pub use options::{DfnOptions, HysteresisLaw, ModelKind, Thermal};
pub use parameters::{
    ActiveMaterial, BundledSet, CellDocument, CellSource, Electrode, Electrolyte, Kinetics, LithiumMetal,
    MechanicsParameters, NegativeElectrode, ParameterSet, PlatingParameters, RadiusDistribution,
    SeiParameters, Separator, StoichiometryWindow, ThermalParameters,
};
pub use property::{Activated, Hysteresis, OpenCircuitPotential, Property, Undefined};
pub use protocol::{
    Control, CsvOptions, DischargeProtocol, DriveCycle, DriveQuantity, DriveRequest, DriveSegment, Hold,
    Limit, PlacedStep, Protocol, ProtocolItem, ProtocolSteps, Step, StepState,
};
pub use pybamm::PybammExport;
pub use run::{
    Checkpoint, Outcome, Record, Unwatched, Watch, solve, solve_counting, solve_or_partial, solve_watched,
};
pub use single_particle::{SphereSeries, single_particle_voltage, sphere_surface_deviation};
pub use solution::{
    AgeingState, DfnSolution, EndReason, EnergyBalance, HysteresisState, Inventory, Profile, StepSummary,
    StoichiometryRange, WorkCounters,
};
pub use table::{Outside, Table};

/// Molar gas constant R, J/(mol K) (CODATA 2018, exact).
pub const GAS_CONSTANT: f64 = 8.314_462_618_153_24;
/// Faraday constant F, C/mol (CODATA 2018, exact).
pub const FARADAY: f64 = 96_485.332_123_310_02;
