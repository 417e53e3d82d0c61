//! The `scalade` command.

mod arguments;
mod bpx;
mod cell;
mod commands;
mod output;
mod progress;

use arguments::CommandLine;
use clap::Parser;
use output::say;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are no errors; a mistake is bad input.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let common = command_line.command.common().clone();
    let result = commands::run(command_line.command);
    let code = match result {
        Ok(done) => match output::print(&done, common.json) {
            Ok(()) => 0,
            Err(e) => {
                say(&format!("error: cannot write to stdout: {e}"));
                1
            }
        },
        Err(failure) => {
            say(&failure.render(progress::colours()));
            let text = failure.text();
            if common.json || text.is_some() {
                let document = output::Output { json: failure.to_json(), text: text.unwrap_or_default() };
                let _ = output::print(&document, common.json);
            }
            failure.exit_code()
        }
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
