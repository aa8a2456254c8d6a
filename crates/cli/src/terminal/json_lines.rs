//! `--log-format json`: one JSON object a line on standard error.

use std::sync::OnceLock;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use throughline_engine::{Event, Observer, StepStatus};

use crate::terminal::say;

/// Prints every event except progress, each with its time, level and run.
pub(crate) struct JsonLines {
    run_id: OnceLock<String>,
}

impl JsonLines {
    pub(crate) fn new() -> Self {
        Self { run_id: OnceLock::new() }
    }
}

impl Observer for JsonLines {
    fn event(&self, event: &Event<'_>) {
        let (level, name, fields) = match event {
            Event::RunStarted { run_id, steps } => {
                let _ = self.run_id.set((*run_id).to_owned());
                ("info", "run_started", json!({ "steps": steps }))
            }
            Event::StepStarted { step } => ("info", "step_started", json!({ "step": step })),
            Event::StepProgress { .. } => return,
            Event::StepFinished { record } => {
                let level = if record.status == StepStatus::Done { "info" } else { "error" };
                let fields = json!({
                    "step": record.step, "status": record.status, "seconds": record.seconds, "record": record,
                });
                (level, "step_finished", fields)
            }
            Event::Warning { message } => ("warning", "warning", json!({ "message": message })),
            Event::Note { message } => ("info", "note", json!({ "message": message })),
            Event::RunFinished { record } => {
                let level = if record.status == throughline_engine::RunStatus::Done { "info" } else { "error" };
                (level, "run_finished", json!({ "status": record.status, "seconds": record.seconds }))
            }
        };
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut line = json!({ "time": time, "level": level, "event": name, "run_id": self.run_id.get() });
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        say(&line.to_string());
    }
}
