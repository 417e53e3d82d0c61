//! Live progress: bars with the time that is left on a terminal, plain lines elsewhere.

use crate::output::say;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use scalade::study::{Event, Progress};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Whether stderr is a terminal that takes bars and colours.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Whether colours are welcome on stderr (NO_COLOR is honoured).
pub fn colours() -> bool {
    stderr_is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// A receiver of events that shows them; silent with `--quiet`.
pub fn progress(quiet: bool) -> Box<dyn Progress> {
    if quiet {
        Box::new(scalade::study::Silent)
    } else if stderr_is_terminal() {
        Box::new(Bars::default())
    } else {
        Box::new(Lines::default())
    }
}

/// One line per event, and one per ten per cent of a long step.
#[derive(Default)]
struct Lines {
    shown: Mutex<BTreeMap<String, u32>>,
}

impl Progress for Lines {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { study, steps } => say(&format!("{study}: {steps} steps")),
            Event::StepStarted { step, resumed } => {
                say(&format!("{step}: {}", if *resumed { "resumed" } else { "started" }));
            }
            Event::StepProgress { step, fraction, message, eta_seconds } => {
                let tenth = (fraction * 10.0) as u32;
                let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
                let last = shown.entry((*step).to_string()).or_insert(0);
                if tenth > *last {
                    *last = tenth;
                    let left = eta_seconds.map_or_else(String::new, |s| format!(", {s:.0} s left"));
                    say(&format!("{step}: {:.0} %, {message}{left}", fraction * 100.0));
                }
            }
            Event::StepCached { step } => say(&format!("{step}: cached")),
            Event::StepFinished { step, seconds } => say(&format!("{step}: done in {seconds:.1} s")),
            Event::StepFailed { step, message, .. } => say(&format!("{step}: failed: {message}")),
            Event::StepSkipped { step, because } => say(&format!("{step}: left out, it needs {because}")),
            Event::RunFinished { finished, cached, failed } => {
                say(&format!("{finished} steps have results ({cached} cached), {failed} failed"));
            }
            _ => {}
        }
    }
}

/// A bar per running step.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Bars {
    fn line(&self, text: &str) {
        // A terminal that has gone away takes no more lines.
        let _ = self.all.println(text);
    }

    fn finish(&self, step: &str, text: &str) {
        let bar = self.bars.lock().unwrap_or_else(PoisonError::into_inner).remove(step);
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        self.line(text);
    }
}

impl Progress for Bars {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { study, steps } => self.line(&format!("{study}: {steps} steps")),
            Event::StepStarted { step, .. } => {
                let bar = self.all.add(ProgressBar::new(1000));
                let style = ProgressStyle::with_template("  {prefix:<12} {bar:24} {percent:>3} %  {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_prefix((*step).to_string());
                bar.enable_steady_tick(Duration::from_millis(200));
                self.bars.lock().unwrap_or_else(PoisonError::into_inner).insert((*step).to_string(), bar);
            }
            Event::StepProgress { step, fraction, message, eta_seconds } => {
                let bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(bar) = bars.get(*step) {
                    bar.set_position((fraction * 1000.0) as u64);
                    let left = eta_seconds.map_or_else(String::new, |s| format!("  {s:.0} s left"));
                    bar.set_message(format!("{message}{left}"));
                }
            }
            Event::StepCached { step } => self.line(&format!("  {step:<12} cached")),
            Event::StepFinished { step, seconds } => {
                self.finish(step, &format!("  {step:<12} done in {seconds:.1} s"));
            }
            Event::StepFailed { step, message, .. } => {
                self.finish(step, &format!("  {step:<12} failed: {message}"));
            }
            Event::StepSkipped { step, because } => {
                self.line(&format!("  {step:<12} left out, it needs {because}"));
            }
            _ => {}
        }
    }
}
