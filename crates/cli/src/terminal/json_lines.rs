//! `--log-format json`: one JSON object a line on standard error.

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use throughline_engine::{Event, Observer};

use crate::terminal::say;

/// Tells every event except progress.
pub(crate) struct JsonLines;

impl Observer for JsonLines {
    fn event(&self, event: &Event<'_>) {
        let (name, fields) = match event {
            Event::RunStarted { run_id, steps } => ("run_started", json!({ "run_id": run_id, "steps": steps })),
            Event::StepStarted { step } => ("step_started", json!({ "step": step })),
            Event::StepProgress { .. } => return,
            Event::StepFinished { record } => ("step_finished", json!({ "record": record })),
            Event::Warning { message } => ("warning", json!({ "message": message })),
            Event::Note { message } => ("note", json!({ "message": message })),
            Event::RunFinished { record } => {
                ("run_finished", json!({ "run_id": record.run_id, "status": record.status, "seconds": record.seconds }))
            }
        };
        let mut line = json!({ "time": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true), "event": name });
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        say(&line.to_string());
    }
}
