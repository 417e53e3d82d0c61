//! A run that goes on from a checkpoint is the run that was never interrupted, bit for bit.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{
    AgeingOptions, CellError, Checkpoint, Control, DfnOptions, DfnSolution, DriveCycle, DriveQuantity, Hold,
    ParameterSet, Protocol, Record, SeiLaw, Step, StepSummary, Watch, solve_watched,
};
use std::sync::Arc;

#[derive(Default)]
struct Keeper {
    checkpoints: Vec<String>,
    records: Vec<Record>,
    takes: bool,
}

impl Watch for Keeper {
    fn record(&mut self, record: &Record) -> bool {
        self.records.push(*record);
        self.takes
    }

    fn step_done(
        &mut self,
        _: &StepSummary,
        checkpoint: &mut dyn FnMut() -> Checkpoint,
    ) -> Result<(), CellError> {
        self.checkpoints.push(serde_json::to_string(&checkpoint()).unwrap());
        Ok(())
    }
}

fn protocol() -> Protocol {
    let times = vec![0.0, 20.0, 20.0, 50.0];
    let trace = DriveCycle::new("t", DriveQuantity::CRate, times, vec![0.5, 2.0, -1.0, 0.3], Hold::Linear);
    let control = Control::Profile { cycle: Arc::new(trace.unwrap()), factor: 1.0 };
    let cycle = vec![
        Step::lasting(Control::CRate(1.0), 500.0).until_voltage_below(2.8),
        Step::lasting(control, 120.0),
        Step::lasting(Control::CRate(-1.0), 3600.0).until_voltage_above(4.2),
        Step::lasting(Control::Voltage { volts: 4.2 }, 300.0).until_current_below(0.5),
        Step::lasting(Control::Rest, 60.0),
    ];
    Protocol::cycles(3, cycle)
}

fn run(checkpoint: Option<Checkpoint>, watch: &mut Keeper) -> Result<DfnSolution, CellError> {
    let p = ParameterSet::bundled("Mohtat2020").unwrap().started_at_state_of_charge(0.9).unwrap();
    let ageing = AgeingOptions { sei: SeiLaw::SolventDiffusion, ..AgeingOptions::default() };
    let options = DfnOptions {
        ageing,
        record_every_step: true,
        profile_times_s: vec![10.0, 900.0],
        ..DfnOptions::draft()
    };
    let outcome = solve_watched(&p, &protocol(), &options, &[5.0, 700.0, 2000.0], checkpoint, watch)?;
    assert!(outcome.failure.is_none());
    Ok(outcome.solution)
}

#[test]
fn going_on_from_any_step_gives_the_same_run() {
    let mut keeper = Keeper::default();
    let whole = run(None, &mut keeper).unwrap();
    assert_eq!((keeper.checkpoints.len(), whole.steps.len()), (15, 15));
    assert_eq!(keeper.records.len(), whole.time_s.len());
    for (index, text) in keeper.checkpoints.iter().enumerate() {
        let checkpoint: Checkpoint = serde_json::from_str(text).unwrap();
        assert_eq!(checkpoint.steps_done(), index + 1);
        let resumed = run(Some(checkpoint), &mut Keeper::default()).unwrap();
        assert!(resumed == whole, "from step {index}");
    }
}

/// Records that the watch takes are not kept, and change nothing else.
#[test]
fn streamed_records_are_not_kept() {
    let mut kept = Keeper::default();
    let whole = run(None, &mut kept).unwrap();
    let mut taken = Keeper { takes: true, ..Keeper::default() };
    let streamed = run(None, &mut taken).unwrap();
    assert!(streamed.time_s.is_empty() && taken.records == kept.records);
    assert_eq!((streamed.steps, streamed.end_voltage_v), (whole.steps, whole.end_voltage_v));
    assert!(taken.records.windows(2).all(|w| w[1].time_s >= w[0].time_s));
    assert_eq!(taken.records.last().unwrap().cycle, 2);
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let mut keeper = Keeper::default();
    run(None, &mut keeper).unwrap();
    let text = &keeper.checkpoints[3];
    let refused = |text: &str| {
        let Ok(checkpoint) = serde_json::from_str::<Checkpoint>(text) else { return true };
        run(Some(checkpoint), &mut Keeper::default()).is_err()
    };
    assert!(!refused(text));
    assert!(refused(&text.replacen("\"version\":1", "\"version\":2", 1)));
    assert!(refused(&text.replacen("\"unknowns\":[", "\"unknowns\":[1.0,", 1)));
    assert!(refused(&text.replacen("\"time_s\":[", "\"time_s\":[1.0,", 1)));
    assert!(refused(&text[..text.len() / 2]));
}
