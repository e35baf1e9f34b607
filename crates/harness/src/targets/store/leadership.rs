//! Asking which node takes writes, as the store's file says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;

use kvs_core::protocol::NodeId;
use kvs_place::Place;
use kvs_target::{Leadership, Local};

use super::config::StoreConfig;
use super::template::{NodeWords, Template, Words, fill_all};
use super::{Speech, primary_builtin};

/// Whom to ask which node takes writes, where the store's file says so.
pub(super) fn leadership(
    config: &StoreConfig,
    place: Option<&Place>,
    speech: &Rc<Speech>,
) -> anyhow::Result<Option<Rc<dyn Leadership>>> {
    let Some(primary) = &config.definition.primary else {
        return Ok(None);
    };
    if let Some(name) = &primary.builtin {
        return Ok(Some((primary_builtin(name)?.leadership)(speech)));
    }
    let place =
        place.context("[primary] command is run where the nodes are started, and they are not")?;
    Ok(Some(Rc::new(CommandLeadership {
        place: place.clone(),
        speech: Rc::clone(speech),
        command: primary.command.clone(),
    })))
}

/// Asks which node takes writes by a command of the store's file.
struct CommandLeadership {
    place: Place,
    speech: Rc<Speech>,
    command: Vec<Template>,
}

/// How long such a command may take.
const LEADERSHIP_TIMEOUT: Duration = Duration::from_secs(2);

impl Leadership for CommandLeadership {
    fn primary(&self) -> Local<'_, Option<NodeId>> {
        Box::pin(async move {
            let words = Words {
                nodes: &self.speech.nodes,
                options: &self.speech.options,
            };
            for node in 0..self.speech.nodes.len() {
                let command = fill_all(&self.command, words, node).ok()?;
                let none = BTreeMap::new();
                let ran = self
                    .place
                    .run(&command, &none, None, LEADERSHIP_TIMEOUT)
                    .await;
                let named = ran.ok().filter(|ran| ran.succeeded);
                let named = named.and_then(|ran| self.named(ran.output.trim()));
                if named.is_some() {
                    return named;
                }
            }
            None
        })
    }
}

impl CommandLeadership {
    fn named(&self, text: &str) -> Option<NodeId> {
        let port = &self.speech.client_port;
        let is_it = |node: &NodeWords| {
            let address = { node.ports.get(port) }.map(|port| SocketAddr::new(node.host, *port));
            node.name == text || address.is_some_and(|address| address.to_string() == text)
        };
        let at = self.speech.nodes.iter().position(is_it)?;
        Some(NodeId(at as u16))
    }
}
