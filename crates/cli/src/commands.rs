//! From arguments to the library and back.

use crate::arguments::{
    Command, Computing, ElectronBands, Enumeration, Expansion, HopImages, Orderings, ParentLattice,
    Quasirandom, Running,
};
use crate::output::Output;
use crate::progress::progress;
use scalade::ScaladeError;
use scalade::compute::ComputeRequest;
use scalade::record::value_with_uncertainty;
use scalade::rungs;
use scalade::rungs_enumerate;
use scalade::rungs_hop_dilute::hop_dilute;
use scalade::rungs_hop_model::{Checkpoint, hop_model};
use scalade::rungs_model::{is_model, montecarlo_model};
use scalade::rungs_montecarlo::CurveRequest;
use scalade::rungs_refine::RefineRequest;
use scalade::rungs_tangent::TangentRequest;
use scalade::rungs_thermal::{FiniteTemperature, HostTables};
use scalade::runner::{Failure, Finished, Workspace};
use scalade::study::RunOptions;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

static CANCEL: AtomicBool = AtomicBool::new(false);

/// The first interrupt asks the run to stop at the next checkpoint; a second one ends the process at once.
fn catch_interrupts() {
    let handler = || {
        if CANCEL.swap(true, Ordering::Relaxed) {
            // The user has asked twice: nothing half-written can remain, since results are renamed into place.
            #[expect(clippy::exit, reason = "an interrupt handler has no caller to return to")]
            std::process::exit(130);
        }
    };
    // Without a handler an interrupt ends the process, and the same command still resumes.
    let _ = ctrlc::set_handler(handler);
}

/// Runs one command.
pub fn run(command: Command) -> Result<Output, Failure> {
    match command {
        Command::Demo { out, running, common } => {
            let study = scalade::demo::prepare(&out)?;
            Ok(finished(&run_study(&study, &running, common.quiet)?, &out, "study.toml"))
        }
        Command::New { folder, from, .. } => {
            let study = scalade::demo::new_study(&folder, &from)?;
            let text = format!("wrote {}\nnext: scalade run {}", study.display(), study.display());
            Ok(Output { json: json!({ "study": study }), text })
        }
        Command::Check { study, .. } => check(&study),
        Command::Plan { study, .. } => plan(&study),
        Command::Run { study, running, common } => {
            let done = run_study(&study, &running, common.quiet)?;
            let folder = study.parent().unwrap_or(Path::new("")).to_path_buf();
            let name = study.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            Ok(finished(&done, &folder, &name))
        }
        Command::Why { study, quantity, .. } => {
            let record = Workspace::load(&study)?.finished()?.record;
            let lineage = scalade::study::why(&record, &quantity)?;
            Ok(Output { json: lineage.to_json()?, text: lineage.to_text() })
        }
        Command::Report { study, out, figures, .. } => report(&study, out, figures.as_deref()),
        Command::Schema { .. } => {
            let schema = scalade::study::schema(&scalade::runner::registry()?);
            let text =
                serde_json::to_string_pretty(&schema).map_err(|e| ScaladeError::internal(e.to_string()))?;
            Ok(Output { json: schema, text })
        }
        Command::Convert { input, output, frame, .. } => {
            rungs::convert(&input, &output, frame)?;
            let text = format!("wrote {}", output.display());
            Ok(Output { json: json!({ "input": input, "output": output }), text })
        }
        Command::Selftest { .. } => selftest(),
        Command::Enumerate { enumeration, .. } => enumerate(enumeration),
        Command::Bpx { action } => crate::bpx::run(&action),
        rung => run_rung(rung),
    }
}

fn report(study: &Path, out: Option<PathBuf>, figures: Option<&Path>) -> Result<Output, Failure> {
    let workspace = Workspace::load(study)?;
    let record = workspace.finished()?.record;
    let path = out.unwrap_or_else(|| workspace.folder().join(scalade::runner::REPORT_FILE));
    let html = scalade::report_content::render(&record)?;
    scalade::runner::write_atomic(&path, html.as_bytes())?;
    let mut written = Vec::new();
    if let Some(folder) = figures {
        let cannot =
            |e: std::io::Error| ScaladeError::input(format!("cannot make {}: {e}", folder.display()));
        std::fs::create_dir_all(folder).map_err(cannot)?;
        for (id, svg) in scalade::report_content::figures(&record)? {
            let file = folder.join(format!("{id}.svg"));
            scalade::runner::write_atomic(&file, svg.as_bytes())?;
            written.push(file);
        }
    }
    let mut text = format!("wrote {}", path.display());
    if let Some(folder) = figures {
        let _ = write!(text, "\nwrote {} figures to {}", written.len(), folder.display());
    }
    Ok(Output { json: json!({ "report": path, "figures": written }), text })
}

fn run_rung(command: Command) -> Result<Output, Failure> {
    if let Command::Bands { electrons, running, .. } = command {
        let document = electron_bands(&electrons, running.jobs)?;
        let text = scalade::document_text::as_text(&scalade::rungs_bands::for_text(&document));
        return Ok(Output { text, json: document });
    }
    let document = match command {
        Command::Voltage {
            orderings,
            reference_energy,
            phonon_dos,
            reference_phonon_dos,
            electronic_dos,
            reference_electronic_dos,
            temperatures,
            valence,
            ..
        } => {
            let phonons = HostTables { of_frames: phonon_dos, of_reference: reference_phonon_dos };
            let electrons = HostTables { of_frames: electronic_dos, of_reference: reference_electronic_dos };
            let finite = FiniteTemperature { phonons, electrons, temperatures };
            let reference = reference_energy.as_deref();
            rungs::voltage(read(&orderings)?, reference, valence.map(u32::from), &finite)?
        }
        Command::Phonon { file, atoms, formula_units, temperatures, .. } => {
            scalade::rungs_thermal::phonon(&file, atoms, formula_units, &temperatures)?
        }
        Command::Electronic { file, formula_units, temperatures, .. } => {
            scalade::rungs_thermal::electronic(&file, formula_units, &temperatures)?
        }
        Command::Groundstates { expansion, max_size, bound, out, running, .. } => {
            let fitted = fit(&expansion)?;
            rungs::with_threads(running.jobs, || {
                scalade::rungs_groundstates::groundstates(&fitted, max_size, bound, out.as_deref())
            })??
        }
        Command::Expand { expansion, prim, write, .. } => {
            expand(&expansion, prim.as_deref(), write.as_deref())?
        }
        Command::Barriers { barriers, write, .. } => barriers_of_hops(&barriers, write.as_deref())?,
        command @ Command::Montecarlo { .. } => montecarlo(command)?,
        Command::Sqs { quasirandom: given, .. } => quasirandom(given)?,
        command @ Command::Compute { .. } => compute(command)?,
        command @ Command::Refine { .. } => refine(command)?,
        command @ Command::Phasediagram { .. } => phase_diagram(command)?,
        command @ Command::Hop { .. } => hop(command)?,
        Command::Tangent { kind, omega, l0, l1, pair_energy, neighbours, file, temperature, .. } => {
            let request = TangentRequest {
                kind: kind.as_deref(),
                omega: omega.as_deref(),
                l0: l0.as_deref(),
                l1: l1.as_deref(),
                pair_energy: pair_energy.as_deref(),
                neighbours,
                file: file.as_deref(),
                temperature: &temperature,
            };
            scalade::rungs_tangent::tangent(&request)?
        }
        Command::Cell(run) => {
            if run.checkpoint.is_some() || run.stream.is_some() {
                catch_interrupts();
            }
            scalade::rungs_cell::cell(&run.request(), &CANCEL)?
        }
        Command::Eis { of } => scalade::rungs_cell_impedance::impedance(&of.request())?,
        _ => return Err(ScaladeError::internal("a command without an implementation").into()),
    };
    Ok(Output { text: scalade::document_text::as_text(&document), json: document })
}

fn compute_request(calculator: &Computing) -> ComputeRequest<'_> {
    ComputeRequest {
        python: &calculator.python,
        calculator: &calculator.calculator,
        options: &calculator.options,
        relax: &calculator.relax,
        fmax: &calculator.fmax,
        steps: calculator.steps,
        timeout: &calculator.timeout,
        out: &calculator.out,
    }
}

fn tell_structures(quiet: bool) -> impl Fn(usize, usize) {
    move |done, total| {
        if !quiet {
            crate::output::say(&format!("{done} of {total} structures"));
        }
    }
}

fn compute(command: Command) -> Result<serde_json::Value, Failure> {
    let Command::Compute { orderings, calculator, common } = command else {
        return Err(ScaladeError::internal("a command without an implementation").into());
    };
    catch_interrupts();
    let told = tell_structures(common.quiet);
    scalade::compute::compute(&read(&orderings)?, &compute_request(&calculator), &CANCEL, &told)
}

fn refine(command: Command) -> Result<serde_json::Value, Failure> {
    let Command::Refine { expansion, calculator, max_size, rounds, common } = command else {
        return Err(ScaladeError::internal("a command without an implementation").into());
    };
    catch_interrupts();
    let request = RefineRequest {
        compute: compute_request(&calculator),
        fit: fit_request(&expansion, None)?,
        max_size,
        rounds,
    };
    let told = tell_structures(common.quiet);
    scalade::rungs_refine::refine(read(&expansion.orderings)?, &request, &CANCEL, &told)
}

fn phase_diagram(command: Command) -> Result<serde_json::Value, Failure> {
    let Command::Phasediagram {
        expansion,
        temperature,
        resolution,
        max_size,
        cells,
        sweeps,
        reference_energy,
        running,
        ..
    } = command
    else {
        return Err(ScaladeError::internal("a command without an implementation").into());
    };
    let three = |list: Vec<usize>| {
        <[usize; 3]>::try_from(list)
            .map_err(|_| ScaladeError::input("--cells: three numbers are due, such as 12,12,12"))
    };
    let request = scalade::rungs_phases::PhaseRequest {
        temperatures: &temperature,
        resolution: resolution.as_deref(),
        max_size,
        cells: cells.map(three).transpose()?,
        sweeps,
        reference_energy: reference_energy.as_deref(),
        jobs: running.jobs,
    };
    let document = scalade::rungs_phases::phase_diagram(&fit(&expansion)?, &request)?;
    warn(Some(&document));
    Ok(document)
}

/// The one .toml model of a command, whose other flags are not given beside it.
fn lone_model<'a>(
    expansion: &'a Expansion,
    flags: &[Option<&'static str>],
) -> Result<&'a Path, ScaladeError> {
    if let Some(flag) = flags.iter().copied().chain([expansion.changed()]).flatten().next() {
        return Err(ScaladeError::input(format!(
            "{flag} does not belong to a .toml model, whose settings stand in the file"
        )));
    }
    let [model] = &expansion.orderings.frames[..] else {
        return Err(ScaladeError::input("a .toml model stands alone: give one file"));
    };
    Ok(model)
}

fn hop(command: Command) -> Result<serde_json::Value, Failure> {
    let Command::Hop {
        expansion,
        barriers,
        exact,
        dilute,
        composition,
        temperature,
        attempt_frequency,
        figures,
        checkpoint,
        running,
        ..
    } = command
    else {
        return Err(ScaladeError::internal("a command without an implementation").into());
    };
    if expansion.orderings.frames.iter().any(|f| is_model(f)) {
        let flags = [
            barriers.map(|_| "--barriers"),
            composition.map(|_| "--composition"),
            temperature.map(|_| "--temperature"),
            attempt_frequency.map(|_| "--attempt-frequency"),
        ];
        let model = lone_model(&expansion, &flags)?;
        if dilute {
            return Ok(hop_dilute(model, running.jobs)?);
        }
        let tell = |hops: u64| crate::output::say(&format!("goes on from a checkpoint of {hops} hops"));
        let kept = checkpoint.as_deref().map(|file| Checkpoint { file, tell: &tell });
        let mut done = hop_model(model, exact, running.jobs, kept);
        warn(done.as_ref().ok().or_else(|| done.as_ref().err().and_then(Failure::partial)));
        if let Some(folder) = &figures {
            scalade::hop_figures::add(&mut done, folder)?;
        }
        return done;
    }
    if exact {
        return Err(ScaladeError::input("--exact needs a .toml model").into());
    }
    if dilute {
        return Err(ScaladeError::input("--dilute needs a .toml model").into());
    }
    if figures.is_some() {
        return Err(ScaladeError::input("--figures needs a .toml model").into());
    }
    if checkpoint.is_some() {
        return Err(ScaladeError::input("--checkpoint needs a .toml model").into());
    }
    let Some(barriers) = barriers else {
        return Err(ScaladeError::input(
            "--barriers is missing: a CSV table of hop barriers (only .toml models go without)",
        )
        .into());
    };
    let request = rungs::HopRequest {
        barriers: &barriers,
        composition: composition.unwrap_or(0.5),
        temperature: temperature.as_deref().unwrap_or("300 K"),
        attempt_frequency: attempt_frequency.as_deref().unwrap_or("1e13 Hz"),
        jobs: running.jobs,
    };
    Ok(rungs::hop(&fit(&expansion)?, &request)?)
}

fn electron_bands(given: &ElectronBands, jobs: Option<usize>) -> Result<serde_json::Value, Failure> {
    let gap_ev = given.gap.as_deref().map(scalade::bands_request::gap_ev).transpose()?;
    let request = scalade::bands_request::BandsRequest {
        files: &given.files,
        reading: scalade::band_source::Reading {
            structure: given.structure.as_deref(),
            electrons: given.electrons,
            spin_degeneracy: given.spin_degeneracy,
            no_symmetry: given.no_symmetry,
            gap_ev,
        },
        temperature: &given.temperature,
        carriers: given.carriers.as_deref(),
        chemical_potential: given.chemical_potential.as_deref(),
        tau: given.tau.as_deref(),
        exponent: given.scattering_exponent,
        relative_error: given.relative_error,
        most_points: given.max_points,
        mass_at: &given.mass_at,
        hall: given.hall,
        x: given.x.as_deref(),
        rigid_x: given.rigid_x.as_deref(),
        ions_per_cell: given.ions_per_cell,
        jobs,
    };
    let done = scalade::rungs_bands::bands(&request);
    let document = done.as_ref().ok().or_else(|| done.as_ref().err().and_then(Failure::partial));
    warn(document);
    if let (Some(folder), Some(document)) = (&given.figures, document) {
        for file in scalade::bands_figures::write(document, folder)? {
            crate::output::say(&format!("wrote {}", file.display()));
        }
    }
    done
}

fn montecarlo(command: Command) -> Result<serde_json::Value, Failure> {
    let Command::Montecarlo {
        expansion,
        reference_energy,
        temperature,
        members,
        valence,
        sweeps,
        exact,
        running,
        ..
    } = command
    else {
        return Err(ScaladeError::internal("a command without an implementation").into());
    };
    if expansion.orderings.frames.iter().any(|f| is_model(f)) {
        let flags = [
            reference_energy.map(|_| "--reference-energy"),
            temperature.map(|_| "--temperature"),
            members.map(|_| "--members"),
            valence.map(|_| "--valence"),
            sweeps.map(|_| "--sweeps"),
        ];
        let model = lone_model(&expansion, &flags)?;
        let done = montecarlo_model(model, exact, running.jobs);
        warn(done.as_ref().ok().or_else(|| done.as_ref().err().and_then(Failure::partial)));
        return done;
    }
    let Some(reference) = reference_energy else {
        return Err(ScaladeError::input(
            "--reference-energy is missing: the energy of the working ion's reference, such as --reference-energy \"-1.88 eV\" (only .toml models go without)",
        )
        .into());
    };
    if exact {
        return Err(ScaladeError::input("--exact needs a .toml model").into());
    }
    let members = usize::from(members.unwrap_or(0));
    let request = CurveRequest {
        reference_energy: &reference,
        temperatures: temperature.as_deref().unwrap_or("300 K"),
        sweeps,
        members,
        valence: u32::from(valence.unwrap_or(1)),
        jobs: running.jobs,
    };
    let fitted = fit_with(&expansion, Some(members.max(8)))?;
    Ok(scalade::rungs_montecarlo::montecarlo(&fitted, &request)?)
}

fn enumerate(enumeration: Enumeration) -> Result<Output, Failure> {
    let request = rungs_enumerate::EnumerateRequest {
        parent: parent_request(enumeration.parent),
        min_size: enumeration.min_size,
        max_size: enumeration.max_size,
        concentration: enumeration.concentration,
        count: enumeration.count,
        out: enumeration.out,
        resume: enumeration.resume,
        limit: enumeration.limit,
    };
    let document = rungs_enumerate::enumerate(&request)?;
    Ok(Output { text: rungs_enumerate::as_text(&document), json: document })
}

fn parent_request(parent: ParentLattice) -> rungs_enumerate::ParentRequest {
    rungs_enumerate::ParentRequest {
        lattice: parent.lattice,
        structure: parent.structure,
        sites: parent.sites,
        species: parent.species,
        primitive: parent.primitive,
        tolerance: parent.tolerance,
    }
}

fn quasirandom(given: Quasirandom) -> Result<serde_json::Value, ScaladeError> {
    let request = scalade::rungs_sqs::QuasirandomRequest {
        parent: parent_request(given.parent),
        composition: given.composition,
        size: given.size,
        supercell: given.supercell,
        pair_weights: given.pair_weights,
        triplet_shells: given.triplet_shells,
        triplet_weight: given.triplet_weight,
        steps: given.steps,
        seed: given.seed,
        out: given.out,
    };
    scalade::rungs_sqs::sqs(&request)
}

/// Tells the warnings of a document.
fn warn(document: Option<&serde_json::Value>) {
    for warning in document
        .map(|d| &d["warnings"])
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|w| w.as_str())
    {
        crate::output::say(&format!("warning: {warning}"));
    }
}

fn read(orderings: &Orderings) -> Result<scalade::orderings::Orderings, ScaladeError> {
    let mut read = scalade::orderings::Orderings::read_files(
        &orderings.frames,
        &orderings.working_ion,
        &orderings.energy_key,
    )?;
    read.retain(&orderings.conditions)?;
    Ok(read)
}

fn fit(expansion: &Expansion) -> Result<rungs::FittedExpansion, ScaladeError> {
    fit_with(expansion, None)
}

fn expand(
    expansion: &Expansion,
    prim: Option<&Path>,
    write: Option<&Path>,
) -> Result<serde_json::Value, ScaladeError> {
    let Some(prim) = prim else {
        let fitted = fit(expansion)?;
        if let Some(out) = write {
            rungs::write_expansion(&fitted.fit.hamiltonian, out)?;
        }
        return rungs::expand(&fitted);
    };
    let request = fit_request(expansion, None)?;
    let fitted = scalade::rungs_species::fit_species(&read(&expansion.orderings)?, prim, &request)?;
    if let Some(out) = write {
        rungs::write_expansion(&fitted.fit.hamiltonian, out)?;
    }
    Ok(scalade::rungs_species::document(&fitted, &request))
}

fn barriers_of_hops(given: &HopImages, write: Option<&Path>) -> Result<serde_json::Value, ScaladeError> {
    // The working ion plays no part: the primitive cell tells what may stand where.
    let mut images = scalade::orderings::Orderings::read_files(&given.images, "Li", &given.energy_key)?;
    images.retain(&given.conditions)?;
    let request = scalade::rungs_barriers::BarrierRequest {
        prim: &given.prim,
        radius: &given.radius,
        diameter: &given.diameter,
        directed: given.directed,
        kind: given.kind,
        max_excluded: given.max_excluded,
        max_strain: given.limits.max_strain,
        max_drift: given.limits.max_drift.as_deref(),
        method: rungs::fit_method(&given.method, given.solving.penalty)?,
        folds: given.solving.folds.map(usize::from),
        samples: usize::from(given.samples),
        seed: given.solving.seed,
    };
    let fitted = scalade::rungs_barriers::fit_barriers(&images, &request)?;
    if let Some(out) = write {
        rungs::write_expansion(&fitted.fit.expansion, out)?;
    }
    let mut document = scalade::rungs_barriers::document(&fitted, &request)?;
    if let Some(path) = &given.frequencies {
        let names = document["barriers"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(|b| b["id"].as_str()).collect();
        let found = scalade::rungs_vineyard::frequencies_document(path, &names)?;
        document["attempt_frequencies"] = found;
    }
    Ok(document)
}

fn fit_with(expansion: &Expansion, samples: Option<usize>) -> Result<rungs::FittedExpansion, ScaladeError> {
    rungs::fit(&read(&expansion.orderings)?, &fit_request(expansion, samples)?)
}

fn fit_request(expansion: &Expansion, samples: Option<usize>) -> Result<rungs::FitRequest<'_>, ScaladeError> {
    let cutoffs = [&expansion.pair_cutoff, &expansion.triplet_cutoff, &expansion.quadruplet_cutoff];
    Ok(rungs::FitRequest {
        cutoffs: cutoffs.map(String::as_str),
        max_excluded: expansion.max_excluded,
        seed: expansion.solving.seed,
        samples,
        parent: expansion.parent.as_deref(),
        max_strain: expansion.limits.max_strain,
        max_drift: expansion.limits.max_drift.as_deref(),
        method: rungs::fit_method(&expansion.method, expansion.solving.penalty)?,
        folds: expansion.solving.folds.map(usize::from),
        keep_hull: expansion.keep_hull,
    })
}

fn run_study(study: &Path, running: &Running, quiet: bool) -> Result<Finished, Failure> {
    let workspace = Workspace::load(study)?;
    for warning in [workspace.study.warnings()] {
        if !warning.items().is_empty() && !quiet {
            crate::output::say(&warning.render(crate::progress::colours()));
        }
    }
    catch_interrupts();
    let receiver = progress(quiet);
    let options = RunOptions {
        jobs: running.jobs.unwrap_or(0),
        progress: &*receiver,
        cancel: &CANCEL,
        ..RunOptions::default()
    };
    workspace.run(&options)
}

fn finished(done: &Finished, folder: &Path, study: &str) -> Output {
    let mut text = String::new();
    let width = done.headline.iter().map(|h| h.label.len()).max().unwrap_or(0);
    for h in &done.headline {
        let number = value_with_uncertainty(h.value, h.std_error);
        let mark = if h.retuned.is_empty() { "" } else { "  (re-tuned upstream)" };
        let _ = writeln!(text, "{:<width$}  {number} {}{mark}", h.label, h.unit);
    }
    let warnings: usize = done.record.steps.values().map(|s| s.warnings.len()).sum();
    if warnings > 0 {
        let _ = writeln!(text, "warnings in the report: {warnings}");
    }
    let report = folder.join(scalade::runner::REPORT_FILE);
    let _ = writeln!(text, "report: {}", report.display());
    if let Some(first) = done.headline.last() {
        let _ = writeln!(text, "next: scalade why {} {}", folder.join(study).display(), first.quantity);
    }
    Output { json: done.document.clone(), text }
}

fn check(study: &Path) -> Result<Output, Failure> {
    let workspace = Workspace::load(study)?;
    let warnings = workspace.study.warnings();
    let overview = workspace.study.overview();
    let mut text = String::new();
    if !warnings.items().is_empty() {
        let _ = writeln!(text, "{}", warnings.render(false));
    }
    for step in &overview {
        let cost = step
            .estimate_seconds
            .filter(|s| *s >= 1.0)
            .map_or_else(String::new, |s| format!(", about {s:.0} s"));
        let _ = writeln!(text, "{:<12} {} at the {} scale{cost}", step.name, step.kind, step.scale);
        for input in step.inputs.iter().filter(|i| !i.origin_stated && is_measurable(&i.written)) {
            let _ = writeln!(text, "             {} = {}: no origin is stated", input.key, input.written);
        }
    }
    let _ = writeln!(text, "{}: {} steps, no errors", workspace.study.name(), overview.len());
    let steps: Vec<_> = overview
        .iter()
        .map(|s| json!({ "name": s.name, "kind": s.kind, "scale": s.scale, "depends_on": s.depends_on, "estimate_seconds": s.estimate_seconds }))
        .collect();
    let json = json!({ "study": workspace.study.name(), "ok": true, "steps": steps, "diagnostics": warnings.to_json() });
    Ok(Output { json, text })
}

/// Whether a literal is a quantity with a unit: those are the numbers that have an origin to state.
fn is_measurable(written: &str) -> bool {
    let quantity: Result<scalade::units::Quantity, _> = written.parse();
    quantity.is_ok_and(|q| q.dimension() != scalade::units::dimension::NONE)
}

fn plan(study: &Path) -> Result<Output, Failure> {
    let plan = Workspace::load(study)?.plan()?;
    let mut text = String::new();
    for step in &plan.steps {
        if step.cached {
            let _ = writeln!(text, "{:<12} cached", step.name);
            continue;
        }
        let reasons: Vec<String> = step.reasons.iter().map(ToString::to_string).collect();
        let resumes = if step.resumes { ", resumes" } else { "" };
        let _ = writeln!(text, "{:<12} would run{resumes}: {}", step.name, reasons.join("; "));
    }
    let _ = writeln!(text, "{} of {} steps would run", plan.would_run(), plan.steps.len());
    let json = serde_json::to_value(&plan).map_err(|e| ScaladeError::internal(e.to_string()))?;
    Ok(Output { json, text })
}

fn selftest() -> Result<Output, Failure> {
    let checks = scalade::selftest::run();
    let mut text = String::new();
    for check in &checks {
        let word = if check.passed { "ok  " } else { "FAIL" };
        let _ = writeln!(
            text,
            "{word} {:<58} deviation {:.2e}, allowed {:.0e}",
            check.name, check.deviation, check.allowed
        );
    }
    let failed = checks.iter().filter(|c| !c.passed).count();
    let _ = writeln!(text, "{} checks, {failed} failed", checks.len());
    if failed > 0 {
        return Err(ScaladeError::internal(text).into());
    }
    let json = serde_json::to_value(&checks).map_err(|e| ScaladeError::internal(e.to_string()))?;
    Ok(Output { json: json!({ "checks": json }), text })
}
