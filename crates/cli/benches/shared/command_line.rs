//! The command line of a benchmark that has several parts, each run by its name.

use std::process::ExitCode;

/// What follows `--`: the name of a part and options with numbers.
pub(crate) struct CommandLine(Vec<String>);

impl CommandLine {
    /// The number after an option, or what it is by default.
    pub(crate) fn number(&self, name: &str, default: u64) -> Result<u64, String> {
        match self.0.iter().position(|word| word == name) {
            Some(at) => {
                self.0.get(at + 1).and_then(|text| text.parse().ok()).ok_or_else(|| format!("{name} needs a number"))
            }
            None => Ok(default),
        }
    }
}

/// Runs the part that was asked for; `part` knows none of another name. Without a name nothing runs: `cargo bench` runs
/// every benchmark, and these have to be asked for.
pub(crate) fn carry_out(usage: &str, part: impl FnOnce(&str, &CommandLine) -> Option<Result<(), String>>) -> ExitCode {
    // `cargo bench` adds `--bench` to what follows `--`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let Some(name) = words.first().cloned() else { return ExitCode::SUCCESS };
    match part(&name, &CommandLine(words)).unwrap_or_else(|| Err(format!("usage: {usage}"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
