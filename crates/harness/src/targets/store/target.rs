//! A store of a file as a target.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;

use kvs_core::protocol::NodeId;
use kvs_load::nemesis::DiskFault;
use kvs_measure::NodeRecord;
use kvs_node::node::Usage;
use kvs_place::network::{LinkFaults, Network, PacketFaults};
use kvs_place::{Place, Prefix, Processes, SignalName};
use kvs_target::{
    Connector, Facts, Leadership, Local, NodeAddress, NodeNetwork, Quiet, Target, packet_faults,
};

use super::config::StoreConfig;
use super::leadership::leadership;
use super::process::NodePrograms;
use super::start::{Starter, addresses, endpoints, network};
use super::template::NodeWords;
use super::{Complaints, Credentials, Speech, builtin};
use crate::targets::adapter;
use crate::wording::one_line;

/// How long a node may take to end in good order; then it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A store that runs: by this program's doing, or already.
pub struct Store {
    config: StoreConfig,
    facts: Facts,
    version: Option<String>,
    /// None where nothing was started.
    place: Option<Place>,
    network: Option<Network>,
    speech: Rc<Speech>,
    connector: Rc<dyn Connector>,
    leadership: Option<Rc<dyn Leadership>>,
    nodes: Vec<NodePrograms>,
    processes: Processes,
    /// This program, which becomes an adapter.
    program: PathBuf,
    logs: PathBuf,
}

impl Store {
    /// Starts the store and waits until it serves, or finds out where it runs already. `program` is
    /// this program, for the agent that keeps the nodes; `run` is a word that no other run has, for
    /// keys; `logs` is where the nodes' logs and directories go; a client gives an answer
    /// `patience`.
    ///
    /// # Errors
    /// When a program is missing, a node does not start or become ready, with the end of its log.
    pub async fn start(
        config: &StoreConfig,
        program: &Path,
        run: &str,
        logs: &Path,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        // Programs start in folders of their own, where a relative path means something else.
        let logs = &std::path::absolute(logs).context("finding out where the logs are to be")?;
        let credentials = Credentials::of(&config.definition)?;
        let network = network(config)?;
        let words = if config.endpoints.is_empty() {
            addresses(config, network.as_ref(), logs)?
        } else {
            endpoints(config, logs)?
        };
        let place = if config.is_started() {
            Some(Place::start(program, &Prefix::none())?)
        } else {
            None
        };
        let mut nodes = Vec::new();
        let mut version = None;
        if let Some(place) = &place {
            let starter = Starter {
                config,
                place,
                network: network.as_ref(),
                nodes: &words,
                logs,
            };
            nodes = starter.all().await?;
            version = starter.version().await;
        }
        let speech = Rc::new(Speech {
            client_port: config.definition.client_port().to_owned(),
            options: config.options.clone(),
            key_prefix: format!("kvs:{run}:"),
            patience,
            credentials,
            logs: logs.to_owned(),
            complaints: Complaints::default(),
            nodes: words,
        });
        let mut facts = config.facts();
        let connector = match &config.definition.adapter.builtin {
            Some(name) => (builtin(name)?.connector)(&speech)?,
            None => adapter::connect(config, program, &speech, &mut facts).await?,
        };
        let mut store = Self {
            leadership: leadership(config, place.as_ref(), &speech)?,
            config: config.clone(),
            facts,
            version,
            place,
            network,
            speech,
            connector,
            nodes,
            processes: Processes::default(),
            program: program.to_owned(),
            logs: logs.to_owned(),
        };
        store.note_processes();
        Ok(store)
    }

    fn note_processes(&mut self) {
        let first = |(node, own): (usize, &NodePrograms)| {
            Some((node as u16, own.programs.first()?.process.pid()))
        };
        let running = self.nodes.iter().enumerate().filter_map(first);
        self.processes.set(running.collect::<Vec<_>>());
    }

    fn node(&self, node: NodeId) -> Option<&NodePrograms> {
        self.nodes.get(usize::from(node.0))
    }

    /// What all programs of a node have used.
    fn record(&self, node: NodeId) -> Result<NodeRecord, String> {
        let Some(own) = self.node(node) else {
            // It runs somewhere else.
            return Ok(NodeRecord::default());
        };
        if let Some((program, status)) = own.ended() {
            return Err(format!("{} exited ({status})", program.name));
        }
        if own.programs.is_empty() {
            return Err("is down, and was not started again".to_owned());
        }
        let usages = { own.programs.iter() }.filter_map(|it| Usage::of(it.process.pid()));
        let (mut cpu_ns, mut resident_bytes) = (0, 0);
        for usage in usages {
            cpu_ns += usage.cpu_ns;
            resident_bytes += usage.resident_bytes_max;
        }
        Ok(NodeRecord {
            cpu_seconds: Some(cpu_ns as f64 / 1e9),
            resident_bytes: Some(resident_bytes),
            ..NodeRecord::default()
        })
    }

    fn link(&self, faults: &NodeNetwork, network: &Network) -> LinkFaults {
        let mut link = LinkFaults {
            sent: packet_faults(&faults.packets),
            ..LinkFaults::default()
        };
        let peers = { faults.deaf_to.iter() }.map(|node| IpAddr::V4(network.addr(node.0)));
        link.deaf_to.extend(peers);
        if faults.cut_from_clients {
            link.deaf_to.push(network.clients_addr().into());
            link.mute_to.push(network.clients_addr().into());
        }
        link
    }
}

impl Target for Store {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn version(&self) -> Option<String> {
        self.version.clone()
    }

    fn complaints(&self) -> Vec<String> {
        self.speech.complaints.all()
    }

    fn connector(&self) -> Rc<dyn Connector> {
        Rc::clone(&self.connector)
    }

    fn addresses(&self) -> Vec<NodeAddress> {
        let port = &self.speech.client_port;
        let address = |(node, words): (usize, &NodeWords)| NodeAddress {
            node: NodeId(node as u16),
            // An adapter that knows its store needs none.
            address: SocketAddr::new(words.host, words.ports.get(port).copied().unwrap_or(0)),
            incarnation: 0,
        };
        self.speech.nodes.iter().enumerate().map(address).collect()
    }

    fn processes(&self) -> Processes {
        self.processes.clone()
    }

    fn leadership(&self) -> Option<Rc<dyn Leadership>> {
        self.leadership.clone()
    }

    fn quiet(&mut self) -> Local<'_, Quiet> {
        // Nobody can ask a store in general; the final reads compare what replicas show.
        Box::pin(std::future::ready(Quiet::default()))
    }

    fn observe(&mut self) -> Local<'_, Vec<(NodeId, Result<NodeRecord, String>)>> {
        let nodes = self.facts.ports.nodes();
        let records = nodes.map(|node| (node, self.record(node))).collect();
        Box::pin(std::future::ready(records))
    }

    fn is_running(&self, node: NodeId) -> bool {
        self.node(node).is_some_and(NodePrograms::is_running)
    }

    fn exits(&mut self) -> BTreeMap<NodeId, String> {
        let mut exits = BTreeMap::new();
        for (node, own) in self.nodes.iter_mut().enumerate() {
            if own.end_wanted || own.end_told {
                continue;
            }
            if let Some((program, status)) = own.ended() {
                let told = format!("{}: {status}", program.name);
                own.end_told = true;
                exits.insert(NodeId(node as u16), told);
            }
        }
        exits
    }

    fn kill(&mut self, node: NodeId) -> Local<'_, ()> {
        Box::pin(async move {
            if let Some(own) = self.nodes.get_mut(usize::from(node.0)) {
                own.kill().await;
            }
            self.note_processes();
        })
    }

    fn revive(&mut self, node: NodeId) -> Local<'_, Result<(), String>> {
        Box::pin(async move {
            let Some(place) = &self.place else {
                return Err("it runs somewhere else".to_owned());
            };
            let starter = Starter {
                config: &self.config,
                place,
                network: self.network.as_ref(),
                nodes: &self.speech.nodes,
                logs: &self.logs,
            };
            let at = usize::from(node.0);
            let again = starter.again(at).await;
            self.nodes[at] = again.map_err(|error| one_line(&error))?;
            self.note_processes();
            Ok(())
        })
    }

    fn pause(&mut self, node: NodeId) -> Local<'_, Result<bool, String>> {
        self.signal(node, SignalName::Stop)
    }

    fn resume(&mut self, node: NodeId) -> Local<'_, Result<bool, String>> {
        self.signal(node, SignalName::Continue)
    }

    fn set_network<'a>(
        &'a mut self,
        node: NodeId,
        faults: &'a NodeNetwork,
        _paused: bool,
    ) -> Local<'a, Result<(), String>> {
        Box::pin(async move {
            let Some(network) = &self.network else {
                return Err("its nodes share a network (--host netns)".to_owned());
            };
            let link = self.link(faults, network);
            let left = network.set(node.0, link).await;
            match left {
                Ok(left) if left == PacketFaults::default() => Ok(()),
                Ok(_) => Err("this kernel has no netem".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn set_clock(&mut self, _: NodeId, offset_ns: i64) -> Local<'_, Result<(), String>> {
        // The store reads the clock of the machine, which kvs-bench does not set.
        let set = match offset_ns {
            0 => Ok(()),
            _ => Err("kvs-bench cannot set this store's clock".to_owned()),
        };
        Box::pin(std::future::ready(set))
    }

    fn set_disk(
        &mut self,
        _: NodeId,
        _: Option<DiskFault>,
        _: bool,
    ) -> Local<'_, Result<bool, String>> {
        Box::pin(std::future::ready(Err(
            "kvs-bench cannot reach below this store's files".to_owned(),
        )))
    }

    fn clean(&mut self, keys_end: u64) -> Local<'_, Result<u64, String>> {
        match &self.config.definition.adapter.builtin {
            Some(name) => match builtin(name) {
                Ok(builtin) => (builtin.clean)(&self.speech, keys_end),
                Err(wrong) => Box::pin(std::future::ready(Err(wrong.0))),
            },
            None => {
                let (config, program) = (&self.config, &self.program);
                Box::pin(adapter::clean(config, program, &self.speech, keys_end))
            }
        }
    }

    fn stop(self: Box<Self>) -> Local<'static, Vec<NodeId>> {
        Box::pin(async move {
            let mut nodes = self.nodes;
            for own in &mut nodes {
                own.end_wanted = true;
                // A node that is paused ends when it goes on; one whose place is gone has ended.
                let _ = own.signal(SignalName::Continue).await;
                let _ = own.signal(SignalName::Terminate).await;
            }
            let deadline = tokio::time::Instant::now() + STOP_TIMEOUT;
            let mut killed = Vec::new();
            for (node, own) in nodes.iter_mut().enumerate() {
                let ended = async {
                    for program in &own.programs {
                        program.process.wait().await;
                    }
                };
                if tokio::time::timeout_at(deadline, ended).await.is_err() {
                    own.kill().await;
                    killed.push(NodeId(node as u16));
                }
            }
            killed
        })
    }
}

impl Store {
    fn signal(&self, node: NodeId, signal: SignalName) -> Local<'_, Result<bool, String>> {
        Box::pin(async move {
            match self.node(node) {
                Some(own) => own.signal(signal).await.map_err(|error| error.to_string()),
                None => Ok(false),
            }
        })
    }
}
