//! Exit codes, and how a failure is shown.

use std::io::IsTerminal;
use std::process::ExitCode;

use throughline_config::{Diagnostics, Severity};
use throughline_engine::{EngineError, FailureKind, RunRecord, RunStatus, StepRecord};

/// Why the program ends with another code than 0.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    message: Message,
}

#[derive(Debug)]
enum Message {
    /// Already said, or nothing to say.
    None,
    Words {
        message: String,
        help: String,
    },
    Findings(Diagnostics),
}

impl Exit {
    /// 1: a step failed; a rerun may help.
    pub(crate) fn failed(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code: 1, message: Message::Words { message: message.into(), help: help.into() } }
    }

    /// 2: usage or configuration.
    pub(crate) fn refused(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code: 2, message: Message::Words { message: message.into(), help: help.into() } }
    }

    /// 1 without a word, because the summary said it.
    pub(crate) fn step_failed() -> Self {
        Self { code: 1, message: Message::None }
    }

    /// The worst that made steps of a run fail: 70 for a bug, 4 where another run holds the pipeline or a table, 2 for
    /// what is written in the pipeline and no rerun mends, else 1. Without a word, because the summary said it.
    pub(crate) fn of_failed_steps(record: &RunRecord) -> Self {
        let any = |is: fn(&StepRecord) -> bool| record.steps.iter().any(is);
        let code = if any(|step| step.internal) {
            70
        } else if record.status == RunStatus::Held {
            4
        } else if any(|step| step.refused) {
            2
        } else {
            1
        };
        Self { code, message: Message::None }
    }

    /// 3: a data test failed; nothing of that model was published. The summary said which.
    pub(crate) fn tests_failed() -> Self {
        Self { code: 3, message: Message::None }
    }

    /// 70: a bug of this program. The summary said which step met it.
    pub(crate) fn internal() -> Self {
        Self { code: 70, message: Message::None }
    }

    /// 70: a result of ours that cannot be written as JSON.
    pub(crate) fn not_writable(error: serde_json::Error) -> Self {
        EngineError::unexpected("the result cannot be written as JSON", error).into()
    }

    /// 130: interrupted.
    pub(crate) fn interrupted() -> Self {
        Self::interrupted_before(
            "published tables are as they were, or new as a whole",
            "run again to finish; `run --retry` goes on after the last good step",
        )
    }

    /// 130: interrupted before something was done.
    pub(crate) fn interrupted_before(state: &str, help: &str) -> Self {
        Self { code: 130, message: Message::Words { message: format!("interrupted; {state}"), help: help.into() } }
    }

    /// 130 without a word: what runs until it is interrupted was interrupted.
    pub(crate) fn stopped() -> Self {
        Self { code: 130, message: Message::None }
    }

    /// Shows the failure on standard error and returns the exit code.
    #[allow(clippy::print_stderr, reason = "the one place where failures are shown")]
    pub(crate) fn report(self) -> ExitCode {
        match &self.message {
            Message::None => {}
            Message::Words { message, help } => {
                let colour = stderr_has_colour();
                let (red, bold, end) = if colour { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
                eprintln!("{red}error{end}{bold}: {message}{end}");
                for line in help.lines() {
                    eprintln!("  = help: {line}");
                }
            }
            Message::Findings(findings) => print_findings(findings),
        }
        ExitCode::from(self.code)
    }
}

impl From<EngineError> for Exit {
    fn from(error: EngineError) -> Self {
        let code = match error.kind() {
            FailureKind::Rerun => 1,
            FailureKind::Request => 2,
            FailureKind::Held => 4,
            FailureKind::Internal => 70,
            FailureKind::Interrupted => return Self::interrupted(),
        };
        match error {
            EngineError::Configuration(findings) => Self::from(findings),
            error => {
                let (message, help) = (error.to_string(), error.help().unwrap_or_default());
                Self { code, message: Message::Words { message, help } }
            }
        }
    }
}

impl From<Diagnostics> for Exit {
    fn from(findings: Diagnostics) -> Self {
        Self { code: 2, message: Message::Findings(findings) }
    }
}

/// Prints findings with their places and, when there are several, how many.
#[allow(clippy::print_stderr, reason = "the one place where findings are shown")]
pub(crate) fn print_findings(findings: &Diagnostics) {
    if findings.0.is_empty() {
        return;
    }
    eprintln!("{}", findings.render(stderr_has_colour()).trim_end());
    let errors = findings.0.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 1 {
        eprintln!("\n{errors} errors; nothing ran");
    }
}

/// Colour only on a terminal, and never against `NO_COLOR` (<https://no-color.org>).
pub(crate) fn stderr_has_colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_can_mend_a_failure_decides_the_exit_code() {
        let held = EngineError::Held { message: "held".to_owned(), help: String::new(), source: None };
        let stale = EngineError::Stale { message: "the source `calls` is stale".to_owned() };
        let errors = [
            (stale, 1),
            (EngineError::refused("no model `a`", ""), 2),
            (held, 4),
            (EngineError::internal("`a` is no step of the plan"), 70),
            (EngineError::Interrupted, 130),
        ];
        for (error, code) in errors {
            let shown = error.to_string();
            assert_eq!(Exit::from(error).code, code, "{shown}");
        }
    }
    #[test]
    fn the_worst_failure_of_a_run_decides_its_exit_code() {
        let of = |status: &str, marks: &[&str]| {
            let step = |mark: &&str| {
                let mut step =
                    json!({ "step": "a", "kind": "source", "status": "failed", "fingerprint": "", "seconds": 0.0 });
                step[*mark] = json!(true);
                step
            };
            let record = json!({
                "run_id": "20261124T065003Z-1a2b3c4d", "pipeline": "main", "as_of": "2026-10-01T00:00:00Z",
                "started_at": "2026-11-24T06:50:03Z", "finished_at": "2026-11-24T06:50:04Z", "seconds": 1.0,
                "status": status, "program": "0.1.0", "tables": {}, "steps": marks.iter().map(step).collect::<Vec<_>>(),
            });
            Exit::of_failed_steps(&serde_json::from_value(record).expect("a record")).code
        };
        assert_eq!(of("failed", &["of_no_kind"]), 1);
        assert_eq!(of("failed", &["of_no_kind", "refused"]), 2, "no rerun mends all of it");
        assert_eq!(of("held", &["refused", "held"]), 4);
        assert_eq!(of("held", &["refused", "held", "internal"]), 70);
    }
}
