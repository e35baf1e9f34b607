//! `results/` in a browser: a list of runs to sort and filter, the page of each, and comparisons.
//!
//! The server listens on the loopback interface only, for the user of this machine, and writes
//! nothing. It looks the names in an address up among the files that exist (`files`), so that no
//! address leads out of the results.

mod files;
mod list;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as UrlPath, Query, Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::report::compare::{self, Thresholds};
use crate::report::html::{PageError, run_page};
use kvs_measure::RunRecordError;

/// A server that listens but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: tokio::net::TcpListener,
    results: Arc<PathBuf>,
}

impl Server {
    /// Listens on `port` of the loopback interface, on any free one when that is 0.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn bind(results: PathBuf, port: u16) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self {
            listener: tokio::net::TcpListener::bind(address).await?,
            results: Arc::new(results),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` is ready.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        axum::serve(self.listener, router(self.results))
            .with_graceful_shutdown(stop)
            .await
    }
}

fn router(results: Arc<PathBuf>) -> Router {
    Router::new()
        .route("/", get(list_page))
        .route("/compare", get(compare_page))
        .route("/runs/{run}/", get(page_of_run))
        .route("/runs/{run}/{*file}", get(file_of_run))
        .layer(middleware::from_fn(only_local_names))
        .with_state(results)
}

/// A page on the internet may give this machine's address a name of its own and read what is served
/// here; such requests carry that name.
async fn only_local_names(headers: HeaderMap, request: Request, next: Next) -> Response {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    if matches!(name, Some("localhost" | "127.0.0.1")) {
        next.run(request).await
    } else {
        let text = "this server answers to localhost only\n";
        (StatusCode::FORBIDDEN, text).into_response()
    }
}

type Results = State<Arc<PathBuf>>;

async fn list_page(
    State(results): Results,
    Query(query): Query<list::Wanted>,
) -> Result<Html<String>, Trouble> {
    Ok(Html(list::page(&results, &query)?))
}

async fn page_of_run(
    State(results): Results,
    UrlPath(run): UrlPath<String>,
) -> Result<Html<String>, Trouble> {
    let directory = run_directory(&results, &run)?;
    let record = crate::report::load(&directory)?;
    Ok(Html(run_page(&record, &directory)?))
}

async fn compare_page(
    State(results): Results,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Html<String>, Trouble> {
    let runs: Vec<&String> = { query.iter() }
        .filter(|(name, _)| name == "run")
        .map(|(_, run)| run)
        .collect();
    let [a, b] = &runs[..] else {
        let text = format!("two runs are compared, and {} are ticked", runs.len());
        return Err(Trouble(StatusCode::BAD_REQUEST, text));
    };
    let load = |run: &str| -> Result<_, Trouble> {
        Ok(compare::load_runs(&run_directory(&results, run)?)?)
    };
    let comparison = compare::compare(&load(a)?, &load(b)?, Thresholds::default());
    Ok(Html(compare::page(&comparison)?))
}

async fn file_of_run(
    State(results): Results,
    UrlPath((run, file)): UrlPath<(String, String)>,
    request: Request,
) -> Result<Response, Trouble> {
    let directory = run_directory(&results, &run)?;
    let path = files::within(&directory, &file).ok_or_else(Trouble::not_found)?;
    if path.is_dir() && files::is_run(&path) && file.ends_with('/') {
        // A run of a set.
        let record = crate::report::load(&path)?;
        return Ok(Html(run_page(&record, &path)?).into_response());
    }
    if path.is_dir() {
        return Ok(Html(listing(&path, &file)).into_response());
    }
    let sent = tower_http::services::ServeFile::new(path)
        .try_call(request)
        .await;
    let sent =
        sent.map_err(|error| Trouble(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(sent.into_response())
}

fn run_directory(results: &Path, run: &str) -> Result<PathBuf, Trouble> {
    files::run(results, run).ok_or_else(Trouble::not_found)
}

/// A directory within a run.
fn listing(path: &Path, name: &str) -> String {
    #[derive(Serialize)]
    struct Facts<'a> {
        name: &'a str,
        files: Vec<String>,
    }
    let base = name
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(name);
    let prefix = if name.ends_with('/') {
        String::new()
    } else {
        format!("{base}/")
    };
    let files = files::names(path).into_iter();
    let files = files.map(|file| format!("{prefix}{file}")).collect();
    crate::report::html::plain_page("files.html", name, Facts { name, files })
}

/// Why there is no page.
struct Trouble(StatusCode, String);

impl Trouble {
    fn not_found() -> Self {
        Self(
            StatusCode::NOT_FOUND,
            "there is no such run or file".to_owned(),
        )
    }
}

impl From<RunRecordError> for Trouble {
    fn from(error: RunRecordError) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl From<PageError> for Trouble {
    fn from(error: PageError) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        (self.0, self.1 + "\n").into_response()
    }
}
