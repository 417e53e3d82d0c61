//! `scalade cell` and `scalade eis`: cells on protocols, and their impedance.

use crate::arguments::Common;
use clap::{Args, Subcommand};
use scalade::rungs_cell::{AgeingRequest, CellRequest, CellSourceRequest, ProtocolRequest};
use scalade::rungs_cell_impedance::ImpedanceRequest;
use std::path::PathBuf;

/// Which cell, in which state, by which model.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// Parameter set: marquis2019, chen2020, prada2013, ai2020, mohtat2020, okane2022, ecker2015, xu2019 or chen2020_composite; or a native parameter file (.scalade.json).
    #[arg(long)]
    pub parameters: Option<String>,
    /// BPX file of any version.
    #[arg(long)]
    pub bpx: Option<PathBuf>,
    /// Model: dfn (Doyle-Fuller-Newman), spme (single particle with electrolyte), spm (single particle) [default: dfn, or spm where the electrolyte is not known].
    #[arg(long, value_parser = ["dfn", "spme", "spm"])]
    pub model: Option<String>,
    /// State at the start, at rest: a state of charge from 0 to 1 or in percent (0 and 1 are the cut-off voltages), an open-circuit voltage such as "4.1 V", or initial (the parameters' own stoichiometries) [default: initial; cells of BPX files start at the state of charge in the file, or full].
    #[arg(long, allow_hyphen_values = true)]
    pub soc: Option<String>,
}

impl Source {
    fn request(self) -> CellSourceRequest {
        CellSourceRequest { parameters: self.parameters, bpx: self.bpx, start: self.soc, model: self.model }
    }
}

/// Options of `scalade cell`.
#[derive(Clone, Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub source: Source,
    /// Discharge rate, such as 1C or C/2, or a current such as "0.5 A" [default: 1C].
    #[arg(long, allow_hyphen_values = true)]
    pub rate: Option<String>,
    /// Constant current, such as "12.5 A"; negative charges.
    #[arg(long, allow_hyphen_values = true)]
    pub current: Option<String>,
    /// Protocol: sentences such as "Discharge at 1C until 2.5 V; Rest for 1 hour; Hold at 4.2 V until C/50", or a file of them (docs/guide/protocols.md).
    #[arg(long)]
    pub protocol: Option<String>,
    /// Voltage that ends a constant current [default: the cut-off voltage of the parameters].
    #[arg(long, allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Times at which the voltage is given, such as "60 s,300 s" [default: the time steps of the run, or the periods of the protocol].
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    pub times: String,
    /// Wanted accuracy of the voltage, V, from one second after each change of control on; mesh and time steps are refined until it is reached.
    #[arg(long, default_value_t = 1e-4, allow_hyphen_values = true)]
    pub tolerance: f64,
    /// Lumped temperature instead of isothermal.
    #[arg(long)]
    pub thermal: bool,
    /// Growth of the SEI: solvent-diffusion, reaction-limited, reaction-limited-asymmetric, electron-migration, interstitial-diffusion, ec-reaction or ec-reaction-asymmetric.
    #[arg(long)]
    pub sei: Option<String>,
    /// Lithium plating: reversible, partly-reversible or irreversible.
    #[arg(long)]
    pub plating: Option<String>,
    /// Cracks grow in the negative particles.
    #[arg(long)]
    pub cracking: bool,
    /// The SEI also grows on the walls of the cracks.
    #[arg(long)]
    pub sei_on_cracks: bool,
    /// SEI and plated lithium fill the pores.
    #[arg(long)]
    pub pore_clogging: bool,
    /// Open-circuit potentials with branches for lithiation and delithiation: one-state, current-sigmoid or off [default: one-state where the parameters have branches and a decay constant, else off].
    #[arg(long)]
    pub hysteresis: Option<String>,
    /// Drive cycles hold each sample until the next instead of going straight to it.
    #[arg(long)]
    pub hold_samples: bool,
    /// Drive cycles count charging as positive.
    #[arg(long)]
    pub charge_positive: bool,
    /// Keep a checkpoint in this file, from which the same command goes on after an interruption or a crash.
    #[arg(long)]
    pub checkpoint: Option<PathBuf>,
    /// Write voltage and current to this CSV table as they are computed, instead of keeping them for the document.
    #[arg(long)]
    pub stream: Option<PathBuf>,
    /// Also give the derivatives with respect to ln p of these parameters, joined by commas: paths of the native parameter format such as positive.material.diffusivity,electrolyte.conductivity.
    #[arg(long)]
    pub sensitivities: Option<String>,
    /// Also balance the free energy of the particles (heat of mixing); takes time.
    #[arg(long)]
    pub audit: bool,
    /// Finite volumes per layer and particle instead of a mesh that is chosen for the tolerance.
    #[arg(long)]
    pub points: Option<usize>,
    #[command(flatten)]
    pub common: Common,
}

impl Run {
    /// The same for the facade.
    pub fn request(self) -> CellRequest {
        CellRequest {
            source: self.source.request(),
            protocol: ProtocolRequest {
                rate: self.rate,
                current: self.current,
                protocol: self.protocol,
                until: self.until,
                hold_samples: self.hold_samples,
                charge_positive: self.charge_positive,
            },
            times: self.times,
            tolerance: self.tolerance,
            thermal: self.thermal,
            ageing: AgeingRequest {
                sei: self.sei,
                plating: self.plating,
                cracking: self.cracking,
                sei_on_cracks: self.sei_on_cracks,
                pore_clogging: self.pore_clogging,
            },
            hysteresis: self.hysteresis,
            points: self.points,
            audit: self.audit,
            checkpoint: self.checkpoint,
            stream: self.stream,
            sensitivities: self.sensitivities,
        }
    }
}

/// What an impedance is asked of.
#[derive(Debug, Subcommand)]
pub enum Impedance {
    /// Impedance of a cell at rest, exact at every frequency, or in the state at the end of a protocol.
    Cell {
        #[command(flatten)]
        source: Source,
        /// Frequencies, Hz: a logarithmic range from:to:count or a list such as 1,10,100.
        #[arg(long, default_value = "1e-4:1e4:60", allow_hyphen_values = true)]
        frequencies: String,
        /// Protocol that comes first, from the state of --soc on: sentences such as "Discharge at 1C for 20 minutes", or a file of them. The impedance is that at its end, under the current that flows then [default: at rest].
        #[arg(long)]
        after: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

impl Impedance {
    /// Options that every command has.
    pub fn common(&self) -> &Common {
        let Self::Cell { common, .. } = self;
        common
    }

    /// The same for the facade.
    pub fn request(self) -> ImpedanceRequest {
        let Self::Cell { source, frequencies, after, .. } = self;
        ImpedanceRequest { source: source.request(), frequencies, after }
    }
}
