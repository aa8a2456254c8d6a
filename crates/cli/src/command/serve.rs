//! `throughline serve`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use throughline_engine::Publications;
use throughline_serve::{Limits, Observer, Password, ServeError, ServeOptions, Server, TlsFiles};

use crate::arguments::{LogFormat, ServeArguments, WorkspaceArguments};
use crate::command::options;
use crate::exit::Exit;
use crate::signal::{Asked, Interruptions};
use crate::terminal::{ServingJson, ServingWords};

/// Where the password is, if not in a file.
const PASSWORD: &str = "THROUGHLINE_PASSWORD";
/// Memory of all queries together, unless `--memory-limit` says otherwise: strangers' queries are never without a
/// limit.
const MEMORY: usize = 2 * 1024 * 1024 * 1024;
/// How often to look for a newer run.
const REFRESH: Duration = Duration::from_secs(1);
/// How long queries that run may take to end when the endpoint stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until a signal says to stop.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &ServeArguments) -> Result<(), Exit> {
    let mut interruptions = Interruptions::new();
    let mut prepare = options(workspace)?;
    prepare.session.memory_limit.get_or_insert(MEMORY);
    let serve = ServeOptions {
        host: arguments.host,
        postgres_port: arguments.port.0,
        flight_port: arguments.flight_port.0,
        user: arguments.user.clone(),
        password: password(arguments.password_file.as_deref())?,
        tls: match (&arguments.tls_cert, &arguments.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
            _ => None,
        },
        limits: Limits {
            query_timeout: arguments.query_timeout,
            queue_timeout: arguments.queue_timeout,
            queries: usize::from(arguments.max_queries),
            connections: usize::from(arguments.max_connections),
            planning_timeout: arguments.planning_timeout,
            constants: arguments.max_constants,
            login_timeout: arguments.login_timeout,
            idle_timeout: arguments.idle_timeout,
            prepared: arguments.max_prepared,
            wrong_passwords: arguments.max_wrong_passwords,
            lockout: arguments.lockout,
        },
        refresh: REFRESH,
        grace: GRACE,
    };
    let observer: Arc<dyn Observer> = match arguments.log_format {
        LogFormat::Text => Arc::new(ServingWords),
        LogFormat::Json => Arc::new(ServingJson),
    };
    let publications = Publications::of(prepare)?;
    let server = tokio::select! {
        server = Server::start(publications, serve, observer) => server?,
        asked = interruptions.next() => return ended(asked),
    };
    let asked = interruptions.next().await;
    tokio::select! {
        () = server.stop() => {}
        // Asked twice, it does not wait for anybody.
        _ = interruptions.next() => {}
    }
    ended(asked)
}

fn ended(asked: Asked) -> Result<(), Exit> {
    if asked == Asked::Interrupt { Err(Exit::stopped()) } else { Ok(()) }
}

/// The password from the file, or else from the environment; `None` when there is neither.
fn password(file: Option<&Path>) -> Result<Option<Password>, Exit> {
    let Some(file) = file else {
        return match std::env::var(PASSWORD) {
            Ok(text) => Ok(Password::new(text)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Exit::refused(format!("{PASSWORD} is no text"), "write it in UTF-8"))
            }
        };
    };
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Exit::refused(format!("{shown} cannot be read: {error}"), "correct --password-file"))?;
    match Password::new(text.trim_end_matches(['\n', '\r'])) {
        Some(password) => Ok(Some(password)),
        None => Err(Exit::refused(format!("{shown} is empty"), "write the password into it, on one line")),
    }
}

impl From<ServeError> for Exit {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Refused { message, help } => Self::refused(message, help),
            ServeError::Engine(error) => error.into(),
        }
    }
}
