//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Climbs the scales of a battery material, from first-principles energies to a cell.
#[derive(Debug, Parser)]
#[command(
    name = "scalade",
    version,
    about,
    after_help = "Data go to stdout, talk to stderr. Exit codes: 0 done, 1 internal error, 2 bad input, 3 not converged, 130 interrupted.\nStart with:  scalade demo"
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Print one JSON document to stdout instead of text.
    #[arg(long)]
    pub json: bool,
    /// No progress on stderr.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Options of commands that run steps.
#[derive(Clone, Debug, Args)]
pub struct Running {
    /// Threads to use (default: one per core). Results are the same bits for any number.
    #[arg(long, short = 'j')]
    pub jobs: Option<usize>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Climb the whole ladder on bundled LiCoO2 data: atoms -> lattice -> cell.
    Demo {
        /// Folder for the study, its results and the report.
        #[arg(long, default_value = "demo-run")]
        out: PathBuf,
        #[command(flatten)]
        running: Running,
        #[command(flatten)]
        common: Common,
    },
    /// Write a study to edit.
    New {
        /// Folder to create.
        folder: PathBuf,
        /// Template: licoo2 (the whole ladder) or cell (a cell alone).
        #[arg(long, default_value = "licoo2")]
        from: String,
        #[command(flatten)]
        common: Common,
    },
    /// Check a study: units, references, seals, files. Runs nothing.
    Check {
        /// The study file.
        study: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Say which steps would run, which are cached, and why.
    Plan {
        /// The study file.
        study: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Run what changed; resume what was interrupted; write result.json and report.html beside the study.
    Run {
        /// The study file.
        study: PathBuf,
        #[command(flatten)]
        running: Running,
        #[command(flatten)]
        common: Common,
    },
    /// Show the lineage of one number of a finished study.
    Why {
        /// The study file.
        study: PathBuf,
        /// The quantity, as step.output, such as cell.capacity.
        quantity: String,
        #[command(flatten)]
        common: Common,
    },
    /// Write the report of a finished study again.
    Report {
        /// The study file.
        study: PathBuf,
        /// Where to write it (default: report.html beside the study).
        #[arg(long)]
        out: Option<PathBuf>,
        /// Write every figure as an SVG file into this folder too.
        #[arg(long)]
        figures: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Print the JSON schema of study files.
    Schema {
        #[command(flatten)]
        common: Common,
    },
    /// Convert between file formats, chosen by the file names (extxyz, poscar or vasp, json, csv; only read: cif, vasprun.xml, pwo, JSON of ASE or pymatgen).
    Convert {
        /// File to read.
        input: PathBuf,
        /// File to write.
        output: PathBuf,
        /// Which structure, counted from 1, where the target holds only one.
        #[arg(long)]
        frame: Option<usize>,
        #[command(flatten)]
        common: Common,
    },
    /// Analytic checks on this machine, in a few seconds.
    Selftest {
        #[command(flatten)]
        common: Common,
    },
    /// Voltages and convex hull from energies of orderings.
    Voltage {
        #[command(flatten)]
        orderings: Orderings,
        /// Energy of the working ion's reference, per ion, such as "-1.88 eV" (default: from the frames that hold nothing but the working ion).
        #[arg(long, allow_hyphen_values = true)]
        reference_energy: Option<String>,
        /// Phonon density of states of a frame, ID=FILE; given twice, for the empty and the full host, it gives their voltage at finite temperature.
        #[arg(long)]
        phonon_dos: Vec<String>,
        /// Phonon density of states of the working ion's reference.
        #[arg(long)]
        reference_phonon_dos: Option<PathBuf>,
        /// Electronic density of states of a frame (states per eV and cell of the frame, both spins), ID=FILE; given twice, as for phonons.
        #[arg(long)]
        electronic_dos: Vec<String>,
        /// Electronic density of states of the working ion's reference, per atom.
        #[arg(long)]
        reference_electronic_dos: Option<PathBuf>,
        /// Temperatures for them.
        #[arg(long, default_value = "0 K,300 K", allow_hyphen_values = true)]
        temperatures: String,
        /// Charge number of the working ion (default: from its element).
        #[arg(long)]
        valence: Option<u8>,
        #[command(flatten)]
        common: Common,
    },
    /// Cluster expansion of the energies of orderings: of one ion and its vacancies, or with --prim of any species on any sites.
    Expand {
        #[command(flatten)]
        expansion: Expansion,
        /// TOML file of a primitive cell: what may stand on each site.
        #[arg(long)]
        prim: Option<PathBuf>,
        /// Write the expansion to this JSON file, which a model file names as its energy.
        #[arg(long)]
        write: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Barriers of computed hops (NEB images) and their local cluster expansion: kinetically resolved activation as a function of the surroundings.
    Barriers {
        #[command(flatten)]
        barriers: HopImages,
        /// Write the local expansion to this JSON file.
        #[arg(long)]
        write: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Ground states of a cluster expansion by exhaustive search, and which of them the data do not hold.
    Groundstates {
        #[command(flatten)]
        expansion: Expansion,
        /// Largest cell, in primitive cells.
        #[arg(long, default_value_t = 6)]
        max_size: usize,
        /// Bound the energy of the arrangements of every cell, however large, by a motif of at most so many sites.
        #[arg(long)]
        bound: Option<usize>,
        /// Extended XYZ file for the orderings predicted below the hull of the data.
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        running: Running,
        #[command(flatten)]
        common: Common,
    },
    /// Monte Carlo on a cluster expansion (V(x,T), thermodynamic factor, two-phase intervals), or on a lattice model in a TOML file.
    Montecarlo {
        #[command(flatten)]
        expansion: Expansion,
        /// Energy of the working ion's reference, per ion, such as "-1.88 eV" (required unless the file is a .toml model).
        #[arg(long, allow_hyphen_values = true)]
        reference_energy: Option<String>,
        /// Temperature, or several separated by commas: "270 K, 300 K" (default: 300 K; a .toml model holds its own).
        #[arg(long)]
        temperature: Option<String>,
        /// Members of the posterior of the fit that are sampled too: the band then holds what the fit does not know.
        #[arg(long)]
        members: Option<u16>,
        /// Charge number of the working ion (default: 1).
        #[arg(long)]
        valence: Option<u8>,
        /// Monte Carlo sweeps per chemical potential.
        #[arg(long)]
        sweeps: Option<u32>,
        /// Exact sum over all states of a .toml model instead of sampling.
        #[arg(long)]
        exact: bool,
        #[command(flatten)]
        running: Running,
        #[command(flatten)]
        common: Common,
    },
    /// Energies of structures from any calculator of a Python environment (ASE, or an object of your own); goes on where it was interrupted.
    Compute {
        #[command(flatten)]
        orderings: Orderings,
        #[command(flatten)]
        calculator: Computing,
        #[command(flatten)]
        common: Common,
    },
    /// Close the loop: compute the structures, fit, search ground states, compute those that the data do not hold, until there are none. Goes on where it was interrupted.
    Refine {
        #[command(flatten)]
        expansion: Expansion,
        #[command(flatten)]
        calculator: Computing,
        /// Largest cell of the search, in primitive cells.
        #[arg(long, default_value_t = 6)]
        max_size: usize,
        /// Most rounds.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        #[command(flatten)]
        common: Common,
    },
    /// Phase diagram of a cluster expansion: ordered and disordered phases, each integrated from its own low-temperature expansion.
    Phasediagram {
        #[command(flatten)]
        expansion: Expansion,
        /// Temperatures, separated by commas.
        #[arg(long, default_value = "200 K,300 K,400 K,600 K,900 K", allow_hyphen_values = true)]
        temperature: String,
        /// Put more temperatures where boundaries begin or end, until they are this close, such as "10 K".
        #[arg(long)]
        resolution: Option<String>,
        /// Largest period of an ordered phase, in primitive cells.
        #[arg(long, default_value_t = 6)]
        max_size: usize,
        /// Primitive cells of the box along each lattice vector, such as 12,12,12 (default: the smallest cube from 10 on that holds every phase).
        #[arg(long, value_delimiter = ',', num_args = 1)]
        cells: Option<Vec<usize>>,
        /// Sweeps per chemical potential (default: 350000 trials).
        #[arg(long)]
        sweeps: Option<u32>,
        /// Energy of the working ion's reference, per ion, for the voltages of the plateaus.
        #[arg(long, allow_hyphen_values = true)]
        reference_energy: Option<String>,
        #[command(flatten)]
        running: Running,
        #[command(flatten)]
        common: Common,
    },
    /// Free energy, entropy and heat capacity of electrons from an electronic density of states.
    Electronic {
        /// Density of states: DOSCAR, CSV with the columns energy_eV and dos..., or two columns; energies from the Fermi level, states per eV and cell, both spins.
        file: PathBuf,
        /// Formula units of its cell, per which the results are counted.
        #[arg(long, default_value_t = 1)]
        formula_units: usize,
        /// Temperatures, comma-separated.
        #[arg(long, default_value = "0 K,100 K,200 K,300 K,400 K", allow_hyphen_values = true)]
        temperatures: String,
        #[command(flatten)]
        common: Common,
    },
    /// Free energy, entropy and heat capacity of harmonic vibrations from a phonon density of states.
    Phonon {
        /// Density of states: CSV with the columns frequency_THz and dos..., or two columns as phonopy writes them.
        file: PathBuf,
        /// Atoms of its cell (default: a third of its modes).
        #[arg(long)]
        atoms: Option<usize>,
        /// Formula units of its cell, per which the results are counted.
        #[arg(long, default_value_t = 1)]
        formula_units: usize,
        /// Temperatures, comma-separated.
        #[arg(long, default_value = "0 K,100 K,200 K,300 K,400 K", allow_hyphen_values = true)]
        temperatures: String,
        #[command(flatten)]
        common: Common,
    },
    /// Coexisting phases of a free energy of mixing: common tangents, chemical potential, spinodals.
    Tangent {
        /// regular (--omega), subregular (--l0, --l1), bragg-williams or quasi-chemical (--pair-energy, --neighbours).
        #[arg(long)]
        kind: Option<String>,
        /// Interaction of a regular solution, f = kT [x ln x + (1-x) ln(1-x)] + omega x (1-x), per site, such as "0.08 eV".
        #[arg(long, allow_hyphen_values = true)]
        omega: Option<String>,
        /// Of a subregular solution, f = kT [...] + x (1-x) [l0 + l1 (1-2x)].
        #[arg(long, allow_hyphen_values = true)]
        l0: Option<String>,
        /// Of a subregular solution.
        #[arg(long, allow_hyphen_values = true)]
        l1: Option<String>,
        /// Energy of two neighbouring ions of a lattice gas; negative attracts.
        #[arg(long, allow_hyphen_values = true)]
        pair_energy: Option<String>,
        /// Nearest neighbours of a site.
        #[arg(long)]
        neighbours: Option<f64>,
        /// CSV table with columns x and free_energy_eV (per site, ideal mixing at the temperature included).
        #[arg(long)]
        file: Option<PathBuf>,
        /// Temperature.
        #[arg(long, allow_hyphen_values = true)]
        temperature: String,
        #[command(flatten)]
        common: Common,
    },
    /// Kinetic Monte Carlo: tracer and collective diffusivities from hop barriers and a cluster expansion.
    Hop {
        #[command(flatten)]
        expansion: Expansion,
        /// CSV table of hop barriers (required unless the file is a .toml model).
        #[arg(long)]
        barriers: Option<PathBuf>,
        /// The master equation of a small box of a .toml model instead of a run.
        #[arg(long)]
        exact: bool,
        /// One vacancy in the infinite crystal of a .toml model, exact by the lattice Green function, instead of a run.
        #[arg(long, conflicts_with = "exact")]
        dilute: bool,
        /// Working ions per site [default: 0.5].
        #[arg(long)]
        composition: Option<f64>,
        /// Temperature [default: 300 K].
        #[arg(long)]
        temperature: Option<String>,
        /// Attempt frequency [default: 1e13 Hz].
        #[arg(long)]
        attempt_frequency: Option<String>,
        /// Write figures of the mean squared displacement and the running diffusivity of a .toml model as SVG files into this folder.
        #[arg(long, conflicts_with_all = ["exact", "dilute"])]
        figures: Option<PathBuf>,
        /// Keep the state of the run of a .toml model (a lattice gas, an expansion with one ion, or several species) in this file; where the file is there, go on from it, to the same result bit for bit.
        #[arg(long, conflicts_with_all = ["exact", "dilute"])]
        checkpoint: Option<PathBuf>,
        #[command(flatten)]
        running: Running,
        #[command(flatten)]
        common: Common,
    },
    /// Electron bands: Fermi level, conductivity over relaxation time, Seebeck coefficient, heat conductivity, Hall coefficient and effective masses, from computed bands or a model.
    #[command(after_help = BANDS_HELP)]
    Bands {
        #[command(flatten)]
        electrons: ElectronBands,
        #[command(flatten)]
        running: Running,
        #[command(flatten)]
        common: Common,
    },
    /// List or count the derivative structures of a lattice: inequivalent colourings of its supercells.
    Enumerate {
        #[command(flatten)]
        enumeration: Enumeration,
        #[command(flatten)]
        common: Common,
    },
    /// Special quasi-random structure: the colouring of a small supercell whose correlations are nearest to those of the random alloy.
    Sqs {
        #[command(flatten)]
        quasirandom: Quasirandom,
        #[command(flatten)]
        common: Common,
    },
    /// Parameter files of cells: check and convert BPX files, list bundled sets.
    Bpx {
        /// What to do.
        #[command(subcommand)]
        action: crate::bpx::Action,
    },
    /// Charge, discharge, cycle and age a cell: Doyle-Fuller-Newman and single-particle models.
    Cell(Box<crate::cell::Run>),
    /// Impedance spectra.
    Eis {
        /// Of what.
        #[command(subcommand)]
        of: crate::cell::Impedance,
    },
}

/// Input of the commands that read orderings.
#[derive(Clone, Debug, Args)]
pub struct Orderings {
    /// Structures with energies: extended XYZ, vasprun.xml, output of pw.x, databases and JSON of ASE, JSON of pymatgen; a folder stands for such files in it and in its folders
    /// (montecarlo: or a lattice model, .toml).
    #[arg(required = true, num_args = 1..)]
    pub frames: Vec<PathBuf>,
    /// The working ion.
    #[arg(long, default_value = "Li")]
    pub working_ion: String,
    /// Key of the total energy (eV per frame); corrected_energy takes the corrections of pymatgen in.
    #[arg(long, default_value = "energy")]
    pub energy_key: String,
    /// Keep only frames whose comment line holds KEY=VALUE, such as model=PBE; may be repeated.
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub conditions: Vec<String>,
}

/// Examples and what is counted, below the options of `bands`.
const BANDS_HELP: &str = "Carriers are electrons ADDED to the neutral crystal: per primitive cell as a number (0.1; holes: -0.1), or per volume (\"-1e20 cm^-3\").
The neutral crystal has the electrons that the file states (or --electrons); a model counts from empty bands unless it says electrons = N,
so that --carriers 1.0 puts one electron per cell into a band that holds two. Lists: \"0, 0.1\"; ranges: 0..0.5/6 (from, to, number of values).
Every number has value, error and unit; with one point its numbers stand at the top of the document, else each point has its own.

  scalade bands model.toml --carriers 1.0 --temperature \"300 K\" --json
  scalade bands vasprun.xml --carriers \"1e20 cm^-3\" --tau \"10 fs\" --hall
  scalade bands EIGENVAL --structure POSCAR --chemical-potential \"4.1..5.1 eV/11\"
  scalade bands co.json lico.json --x 0,1 --rigid-x 0..1/11";

/// Input of the command of electron bands.
#[derive(Clone, Debug, Args)]
pub struct ElectronBands {
    /// Bands on a uniform mesh of k points, told by their content: JSON of this project, EIGENVAL (with its POSCAR), _hr.dat of Wannier90 (with a structure);
    /// or a model (.toml): tight binding, parabolic bands, small polarons. Several files: a series, with --x.
    #[arg(required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Temperature, or several: "300 K", "200 K, 300 K", "100 K..500 K/5".
    #[arg(long, default_value = "300 K", allow_hyphen_values = true)]
    pub temperature: String,
    /// Electrons added to the neutral crystal (holes: below 0), per primitive cell or as a density (see below) [default: 0]; polarons: share of the sites.
    #[arg(long, allow_hyphen_values = true)]
    pub carriers: Option<String>,
    /// Chemical potential on the scale of the bands instead, such as "-0.088 Ha" or 4.1 (eV).
    #[arg(long, allow_hyphen_values = true)]
    pub chemical_potential: Option<String>,
    /// Relaxation time tau (with an exponent: tau0), such as "10 fs": gives conductivities too.
    #[arg(long, allow_hyphen_values = true)]
    pub tau: Option<String>,
    /// r of tau = tau0 (|E - E_edge|/kT)^r, E_edge the band edge nearest to the carriers: -0.5 acoustic phonons, 1.5 ionised impurities [default: 0].
    #[arg(long, allow_hyphen_values = true)]
    pub scattering_exponent: Option<f64>,
    /// Conductivity to first order in a magnetic field, and the Hall coefficient.
    #[arg(long)]
    pub hall: bool,
    /// Mass tensor at a k point (fractional), with a band from 1 where there are several: 0,0,0 or 0.5,0,0:3; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    pub mass_at: Vec<String>,
    /// Structure of a file that does not hold one (default: the POSCAR or CONTCAR beside it).
    #[arg(long)]
    pub structure: Option<PathBuf>,
    /// Electrons per cell of the neutral crystal in the bands of the file, where it does not say.
    #[arg(long, allow_hyphen_values = true)]
    pub electrons: Option<f64>,
    /// Electrons that a band holds at a k: 2, or 1 with spin-orbit coupling, where the file does not say.
    #[arg(long)]
    pub spin_degeneracy: Option<f64>,
    /// Use no symmetry of the structure but k -> -k.
    #[arg(long)]
    pub no_symmetry: bool,
    /// Gap to put in place of the computed one, by raising the empty bands, such as "2.7 eV".
    #[arg(long, allow_hyphen_values = true)]
    pub gap: Option<String>,
    /// Relative error wanted of the Brillouin-zone integrals [default: 1e-4 of models, 1e-3 of computed bands].
    #[arg(long, allow_hyphen_values = true)]
    pub relative_error: Option<f64>,
    /// Most k points of a grid [default: 8000000].
    #[arg(long)]
    pub max_points: Option<usize>,
    /// Lithium content of each file, from 0 to 1: makes a series, neutral at its own content.
    #[arg(long, allow_hyphen_values = true)]
    pub x: Option<String>,
    /// Contents at which the bands of every file are filled rigidly, one electron an ion.
    #[arg(long, allow_hyphen_values = true)]
    pub rigid_x: Option<String>,
    /// Write figures of the conductivity and the Seebeck coefficient as SVG files into this folder.
    #[arg(long)]
    pub figures: Option<PathBuf>,
    /// Ions per cell of the files at a content of 1.
    #[arg(long, default_value_t = 1.0, allow_hyphen_values = true)]
    pub ions_per_cell: f64,
}

/// How far structures may be from the ideal lattice.
#[derive(Clone, Debug, Args)]
pub struct Limits {
    /// Largest strain of a structure against the ideal lattice [default: 0.12].
    #[arg(long)]
    pub max_strain: Option<f64>,
    /// Largest distance of an atom from its site [default: "0.8 angstrom"].
    #[arg(long)]
    pub max_drift: Option<String>,
}

/// Options of the search for coefficients.
#[derive(Clone, Debug, Args)]
pub struct Solving {
    /// Penalty of ridge (in units of the largest diagonal element of the normal matrix) or lasso (as a share of that at which all clusters are off)
    /// [default: chosen by the error of prediction].
    #[arg(long)]
    pub penalty: Option<f64>,
    /// Tell the error in this many folds too; equivalent entries share a fold.
    #[arg(long)]
    pub folds: Option<u16>,
    /// Seed of the random streams.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Computed hops and the expansion of their barriers.
#[derive(Clone, Debug, Args)]
pub struct HopImages {
    /// Images of the hops with energies. Frames with one value of the key hop (or path, id) are the images of one hop, in order; state=initial, saddle and
    /// final name its ends and its saddle, else they are the first, the last and the highest image. attempt_frequency_THz on an image of every hop is expanded too.
    #[arg(required = true, num_args = 1..)]
    pub images: Vec<PathBuf>,
    /// TOML file of the primitive cell: what may stand on each site.
    #[arg(long)]
    pub prim: PathBuf,
    /// How far clusters of 1, 2 ... sites reach from the hop: lengths, comma-separated.
    #[arg(long, default_value = "5 angstrom,3 angstrom")]
    pub radius: String,
    /// Largest distance within clusters of 2, 3 ... sites, comma-separated (default: what the radius lets them).
    #[arg(long, default_value = "")]
    pub diameter: String,
    /// Expand the barriers of both directions apart, instead of the part that they share.
    #[arg(long)]
    pub directed: bool,
    /// Which kind of hop is expanded, from 1 (kinds differ where no symmetry joins them; the most frequent one comes first).
    #[arg(long, default_value_t = 1)]
    pub kind: usize,
    /// Hops that may be left out because their ends are not on the lattice (they are then listed).
    #[arg(long, default_value_t = 0)]
    pub max_excluded: usize,
    /// TOML file of the normal modes of the ends and the saddle of hops: attempt frequencies after Vineyard.
    #[arg(long)]
    pub frequencies: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    /// How the coefficients are found: ard (automatic relevance: switches clusters off), bayes, least-squares, ridge or lasso.
    #[arg(long, default_value = "ard")]
    pub method: String,
    #[command(flatten)]
    pub solving: Solving,
    /// Members of the posterior in the file written.
    #[arg(long, default_value_t = 8)]
    pub samples: u16,
    /// Key of the total energy (eV per frame).
    #[arg(long, default_value = "energy")]
    pub energy_key: String,
    /// Keep only frames whose comment line holds KEY=VALUE; may be repeated.
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub conditions: Vec<String>,
}

/// A calculator of a Python environment.
#[derive(Clone, Debug, Args)]
pub struct Computing {
    /// The Python that has the calculator.
    #[arg(long, default_value = "python3")]
    pub python: PathBuf,
    /// Calculator: emt, lj, chgnet, gpaw, mace, sevennet, mattersim, or module:factory.
    #[arg(long)]
    pub calculator: String,
    /// Keyword option of the calculator, such as --option xc=PBE (values are JSON, or text; may be repeated).
    #[arg(long = "option", value_name = "KEY=VALUE")]
    pub options: Vec<String>,
    /// What is relaxed: none, positions, or cell (with positions).
    #[arg(long, default_value = "none")]
    pub relax: String,
    /// Largest force at which a relaxation ends.
    #[arg(long, default_value = "0.05 eV/angstrom")]
    pub fmax: String,
    /// Most steps of a relaxation.
    #[arg(long, default_value_t = 500)]
    pub steps: u32,
    /// Longest time for one structure.
    #[arg(long, default_value = "3600 s")]
    pub timeout: String,
    /// Folder of the results.
    #[arg(long)]
    pub out: PathBuf,
}

/// Input of the commands that fit a cluster expansion.
#[derive(Clone, Debug, Args)]
pub struct Expansion {
    #[command(flatten)]
    pub orderings: Orderings,
    /// Largest pair distance, or "auto": pairs and triplets by leave-one-out error, the simplest within one standard error of the least.
    #[arg(long, default_value = PAIR_CUTOFF)]
    pub pair_cutoff: String,
    /// Largest distance within a triplet.
    #[arg(long, default_value = TRIPLET_CUTOFF)]
    pub triplet_cutoff: String,
    /// Largest distance within a quadruplet.
    #[arg(long, default_value = QUADRUPLET_CUTOFF)]
    pub quadruplet_cutoff: String,
    /// Structures that may be left out of the fit because they are not on the lattice (they are then listed).
    #[arg(long, default_value_t = 0)]
    pub max_excluded: usize,
    /// File of the ideal structure, all sites of the working ion occupied (default: the fullest frame).
    #[arg(long)]
    pub parent: Option<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    /// How the coefficients are found: bayes (a prior that narrows with size and diameter), least-squares, ridge, lasso or ard (automatic relevance).
    #[arg(long, default_value = METHOD)]
    pub method: String,
    #[command(flatten)]
    pub solving: Solving,
    /// Keep the hull of the data: vertices stay vertices, nothing else of the data falls below it.
    #[arg(long)]
    pub keep_hull: bool,
}

/// The parent of derivative structures.
#[derive(Clone, Debug, Args)]
pub struct ParentLattice {
    /// Named lattice: chain, square, triangular, honeycomb, sc, bcc, fcc, diamond or hcp.
    #[arg(long)]
    pub lattice: Option<String>,
    /// File with the parent structure (extended XYZ, POSCAR, CIF, JSON, a database of ASE ...; the first structure counts).
    #[arg(long)]
    pub structure: Option<PathBuf>,
    /// Which species may replace one of the structure, such as "Li=Li,Vac" (repeatable); the others stay.
    #[arg(long)]
    pub sites: Vec<String>,
    /// Species of a named lattice, 2 to 8 of them (default: A,B).
    #[arg(long)]
    pub species: Option<String>,
    /// Take the primitive cell of a structure that is not primitive.
    #[arg(long)]
    pub primitive: bool,
    /// Tolerance on positions in the symmetry search of a structure.
    #[arg(long, default_value = "0.01 angstrom", allow_hyphen_values = true)]
    pub tolerance: String,
}

/// Input of the search for special quasi-random structures.
#[derive(Clone, Debug, Args)]
pub struct Quasirandom {
    #[command(flatten)]
    pub parent: ParentLattice,
    /// Fraction of the sites that take a species, such as "A=1/4" (for every species that has a choice).
    #[arg(long)]
    pub composition: Vec<String>,
    /// Primitive cells: all inequivalent supercells of this many are searched.
    #[arg(long)]
    pub size: Option<usize>,
    /// One supercell instead: repetitions along each lattice vector, such as 2,2,2.
    #[arg(long, value_delimiter = ',', num_args = 1)]
    pub supercell: Option<Vec<i64>>,
    /// Weight of the pairs of each shell of distances, nearest first.
    #[arg(long, default_value = "1,0.5,0.333333", value_delimiter = ',', num_args = 1)]
    pub pair_weights: Vec<f64>,
    /// Triplets with all distances within the first so many shells take part.
    #[arg(long, default_value_t = 0)]
    pub triplet_shells: usize,
    /// Weight of each triplet correlation.
    #[arg(long, default_value_t = 0.1)]
    pub triplet_weight: f64,
    /// Exchanges tried in each supercell, where there are too many colourings to look at all.
    #[arg(long, default_value_t = 20_000)]
    pub steps: u64,
    /// Seed of the random streams.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Write the structure to this extended XYZ file.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// Input of the enumeration of derivative structures.
#[derive(Clone, Debug, Args)]
pub struct Enumeration {
    #[command(flatten)]
    pub parent: ParentLattice,
    /// Smallest supercell, in primitive cells.
    #[arg(long, default_value_t = 1)]
    pub min_size: usize,
    /// Largest supercell, in primitive cells.
    #[arg(long)]
    pub max_size: usize,
    /// Fraction of the sites that allow a species, such as "A=0.25..0.5" or "A=1/3" (repeatable).
    #[arg(long)]
    pub concentration: Vec<String>,
    /// Number of sites of a species in each supercell, such as "Vac=1..2" or "Vac=1" (repeatable).
    #[arg(long)]
    pub count: Vec<String>,
    /// Write the structures to this extended XYZ file.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Go on with a file whose writing was interrupted.
    #[arg(long)]
    pub resume: bool,
    /// Most structures to write.
    #[arg(long, default_value_t = 1_000_000)]
    pub limit: u64,
}

/// Defaults of [`Expansion`].
const METHOD: &str = "bayes";
const PAIR_CUTOFF: &str = "6 angstrom";
const TRIPLET_CUTOFF: &str = "3 angstrom";
const QUADRUPLET_CUTOFF: &str = "0 angstrom";

impl Expansion {
    /// An option of a fit that is not at its default, if there is one.
    pub fn changed(&self) -> Option<&'static str> {
        [
            ("--pair-cutoff", self.pair_cutoff != PAIR_CUTOFF),
            ("--triplet-cutoff", self.triplet_cutoff != TRIPLET_CUTOFF),
            ("--quadruplet-cutoff", self.quadruplet_cutoff != QUADRUPLET_CUTOFF),
            ("--max-excluded", self.max_excluded != 0),
            ("--parent", self.parent.is_some()),
            ("--max-strain", self.limits.max_strain.is_some()),
            ("--max-drift", self.limits.max_drift.is_some()),
            ("--seed", self.solving.seed != 0),
            ("--method", self.method != METHOD),
            ("--penalty", self.solving.penalty.is_some()),
            ("--folds", self.solving.folds.is_some()),
            ("--keep-hull", self.keep_hull),
            ("--where", !self.orderings.conditions.is_empty()),
        ]
        .into_iter()
        .find_map(|(name, changed)| changed.then_some(name))
    }
}

impl Command {
    /// The options that every command takes.
    pub fn common(&self) -> &Common {
        match self {
            Self::Demo { common, .. }
            | Self::New { common, .. }
            | Self::Check { common, .. }
            | Self::Plan { common, .. }
            | Self::Run { common, .. }
            | Self::Why { common, .. }
            | Self::Report { common, .. }
            | Self::Schema { common }
            | Self::Convert { common, .. }
            | Self::Selftest { common }
            | Self::Voltage { common, .. }
            | Self::Expand { common, .. }
            | Self::Montecarlo { common, .. }
            | Self::Tangent { common, .. }
            | Self::Groundstates { common, .. }
            | Self::Compute { common, .. }
            | Self::Refine { common, .. }
            | Self::Phasediagram { common, .. }
            | Self::Phonon { common, .. }
            | Self::Electronic { common, .. }
            | Self::Barriers { common, .. }
            | Self::Hop { common, .. }
            | Self::Bands { common, .. }
            | Self::Enumerate { common, .. }
            | Self::Sqs { common, .. } => common,
            Self::Cell(run) => &run.common,
            Self::Eis { of } => of.common(),
            Self::Bpx { action } => action.common(),
        }
    }
}
