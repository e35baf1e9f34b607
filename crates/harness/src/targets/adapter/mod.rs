//! Adapters: programs in any language that speak to a store, over JSON lines on their standard
//! input and output (docs/reference/adapters.md).

mod check;
mod clean;
mod connection;
mod lines;
mod price;
mod program;
mod retired;

use std::path::Path;
use std::rc::Rc;

use kvs_target::{Connector, Facts};

use super::store::{Speech, StoreConfig};
use connection::AdapterConnector;

pub use check::{Finding, check};
pub(super) use clean::clean;
pub use price::{Price, price};
pub use program::{NULL_ARGUMENT, run_if_null_adapter};

/// Connects by the program that the store's file names, and learns from a first one of them what it
/// can ask.
pub(super) async fn connect(
    config: &StoreConfig,
    program: &Path,
    speech: &Rc<Speech>,
    facts: &mut Facts,
) -> anyhow::Result<Rc<dyn Connector>> {
    let connector = AdapterConnector::new(config, program, speech);
    facts.operations = connector.operations().await?;
    Ok(Rc::new(connector))
}
