//! Where OpenLineage events go: `--openlineage`, or the environment as OpenLineage's own clients read it.

use std::sync::Arc;

use throughline_engine::{Event, Observer, Observers, Prepared};
use throughline_openlineage::{LineageError, LineageObserver, LineageOptions, LineageTarget};

use crate::exit::Exit;

/// OpenLineage's own defaults.
const ENDPOINT: &str = "api/v1/lineage";
const NAMESPACE: &str = "default";

/// The delivery of a run's events to OpenLineage. Dropped when the run is over or was interrupted; it then warns of
/// events that could not be delivered.
pub(crate) struct LineageDelivery {
    lineage: Arc<LineageObserver>,
    observer: Arc<dyn Observer>,
}

impl Drop for LineageDelivery {
    fn drop(&mut self) {
        let delivered = self.lineage.finish();
        if delivered.lost > 0 {
            let reason = delivered.reason.unwrap_or_default();
            let message =
                format!("{} of {} OpenLineage events were not delivered: {reason}", delivered.lost, delivered.events);
            self.observer.event(&Event::Warning { message: &message });
        }
    }
}

/// `observer`, together with one that reports to OpenLineage where that is asked for.
pub(crate) async fn with_lineage(
    observer: Arc<dyn Observer>,
    argument: Option<&str>,
    prepared: &Arc<Prepared>,
) -> Result<(Arc<dyn Observer>, Option<LineageDelivery>), Exit> {
    let Some(options) = options(argument, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))? else {
        return Ok((observer, None));
    };
    match LineageObserver::new(prepared, options).await {
        Ok(lineage) => {
            let lineage = Arc::new(lineage);
            let both: Vec<Arc<dyn Observer>> = vec![Arc::clone(&observer), Arc::clone(&lineage) as Arc<dyn Observer>];
            Ok((Arc::new(Observers(both)), Some(LineageDelivery { lineage, observer })))
        }
        // What was written wrong is refused; what does not work today keeps no run from running.
        Err(error @ LineageError::NoAddress { .. }) => {
            Err(Exit::refused(error.to_string(), error.help().unwrap_or_default()))
        }
        Err(error) => {
            observer.event(&Event::Warning { message: &format!("no OpenLineage events: {error}") });
            Ok((observer, None))
        }
    }
}

fn options(
    argument: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<LineageOptions>, Exit> {
    let is_disabled = environment("OPENLINEAGE_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_disabled {
        return Ok(None);
    }
    let endpoint = environment("OPENLINEAGE_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
    let joined = |url: &str| format!("{}/{}", url.trim_end_matches('/'), endpoint.trim_start_matches('/'));
    let api_key = environment("OPENLINEAGE_API_KEY");
    let target = match (argument, environment("OPENLINEAGE_URL")) {
        (Some(argument), _) => match argument.strip_prefix("file:") {
            Some("") => return Err(no_target(argument)),
            Some(path) => LineageTarget::File(path.into()),
            None => match argument.split_once("://") {
                // An address without a path is the server's.
                Some(("http" | "https", rest)) if !rest.trim_end_matches('/').contains('/') => {
                    LineageTarget::Http { url: joined(argument), api_key }
                }
                Some(("http" | "https", _)) => LineageTarget::Http { url: argument.to_owned(), api_key },
                _ => return Err(no_target(argument)),
            },
        },
        (None, Some(url)) => LineageTarget::Http { url: joined(&url), api_key },
        (None, None) => return Ok(None),
    };
    Ok(Some(LineageOptions {
        target,
        namespace: environment("OPENLINEAGE_NAMESPACE").unwrap_or_else(|| NAMESPACE.to_owned()),
        parent: environment("OPENLINEAGE_PARENT_ID").as_deref().map(parent).transpose()?,
    }))
}

fn no_target(text: &str) -> Exit {
    Exit::refused(
        format!("`--openlineage {text}` is no place for events"),
        "write `file:PATH` for one event a line, or `http://host:port`",
    )
}

/// `namespace/job/run-id`; the namespace may hold slashes.
fn parent(text: &str) -> Result<(String, String, String), Exit> {
    let mut parts = text.rsplitn(3, '/');
    let (run, job, namespace) = (parts.next(), parts.next(), parts.next());
    let is_uuid = |run: &str| {
        let mut lengths = run.split('-').map(str::len);
        lengths.by_ref().eq([8, 4, 4, 4, 12]) && run.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    match (namespace, job, run) {
        (Some(namespace), Some(job), Some(run)) if !namespace.is_empty() && !job.is_empty() && is_uuid(run) => {
            Ok((namespace.to_owned(), job.to_owned(), run.to_owned()))
        }
        _ => Err(Exit::refused(
            format!("OPENLINEAGE_PARENT_ID `{text}` names no run"),
            "write namespace/job/run-id, the run-id a UUID",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(argument: Option<&str>, environment: &[(&str, &str)]) -> Option<LineageOptions> {
        let find =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        options(argument, find).expect("no refusal")
    }

    fn url(options: Option<LineageOptions>) -> String {
        match options.map(|options| options.target) {
            Some(LineageTarget::Http { url, .. }) => url,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_flag_and_the_environment_name_the_target() {
        assert!(chosen(None, &[]).is_none());
        assert!(chosen(Some("file:/tmp/x"), &[("OPENLINEAGE_DISABLED", "true")]).is_none());
        assert_eq!(url(chosen(Some("http://host:5000"), &[])), "http://host:5000/api/v1/lineage");
        assert_eq!(url(chosen(Some("https://host/own/path"), &[])), "https://host/own/path");
        let marquez =
            [("OPENLINEAGE_URL", "http://host/"), ("OPENLINEAGE_ENDPOINT", "/v2"), ("OPENLINEAGE_API_KEY", "k")];
        assert_eq!(url(chosen(None, &marquez)), "http://host/v2");
        let options = chosen(Some("file:events.jsonl"), &marquez).expect("a target");
        assert_eq!(options.target, LineageTarget::File("events.jsonl".into()));
        assert_eq!(options.namespace, "default");
    }

    #[test]
    fn parents_are_namespace_job_and_run() {
        let run = "01890a5d-ac96-774b-bcce-b302099a8057";
        let parsed = parent(&format!("airflow://host/dag.task/{run}")).ok();
        assert_eq!(parsed, Some(("airflow://host".to_owned(), "dag.task".to_owned(), run.to_owned())));
        assert!(parent("a/b/c").is_err());
        assert!(parent(run).is_err());
    }
}
