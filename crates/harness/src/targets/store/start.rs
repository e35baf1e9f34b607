//! Brings a store up: addresses, files, programs in their order, readiness, and the commands that
//! run once.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

use kvs_load::workload::humane::format_duration;
use kvs_node::node::HostKind;
use kvs_place::network::Network;
use kvs_place::{LOG_TAIL_BYTES, Place, PlaceError, Spawn, log_tail};

use super::config::{StoreConfig, beside};
use super::definition::{Definition, On, Ready};
use super::process::{NodePrograms, Program};
use super::ready::is_ready;
use super::template::{NodeWords, Template, Words, fill_all};

/// How long a program may take until it serves, where its file does not say.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is asked.
const READY_POLL: Duration = Duration::from_millis(20);
/// How long a command that is run once may take.
const INIT_TIMEOUT: Duration = Duration::from_secs(60);
/// The name of a node's program in its log's name, where it is not the main one.
const MAIN: &str = "";

/// One program of the file, whichever table it stands in.
pub(super) struct Row<'a> {
    name: &'a str,
    start: &'a [Template],
    on: &'a On,
    ready: Option<&'a Ready>,
    files: &'a BTreeMap<String, Template>,
}

/// The programs of the file in their order.
pub(super) fn rows(definition: &Definition) -> Vec<Row<'_>> {
    let nodes = { definition.nodes.iter() }.filter(|nodes| !nodes.start.is_empty());
    let main = nodes.map(|nodes| Row {
        name: MAIN,
        start: &nodes.start,
        on: &On::Each,
        ready: nodes.ready.as_ref(),
        files: &definition.files,
    });
    let others = definition.process.iter().map(|process| Row {
        name: &process.name,
        start: &process.start,
        on: &process.on,
        ready: process.ready.as_ref(),
        files: &process.files,
    });
    main.chain(others).collect()
}

/// Where the nodes of a store that is started here will be: addresses that are free now.
pub(super) fn addresses(
    config: &StoreConfig,
    network: Option<&Network>,
    directory: &Path,
) -> anyhow::Result<Vec<NodeWords>> {
    let ports = config
        .definition
        .nodes
        .as_ref()
        .map_or(&[][..], |it| &it.ports);
    // Held until all are drawn, so that no two are the same.
    let mut held = Vec::new();
    (0..config.count())
        .map(|node| {
            let host = network.map_or(Ipv4Addr::LOCALHOST, |network| network.addr(node));
            let mut own = BTreeMap::new();
            for port in ports {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                    .context("looking for a free port")?;
                own.insert(port.clone(), listener.local_addr()?.port());
                held.push(listener);
            }
            let name = format!("n{node}");
            Ok(NodeWords {
                directory: directory.join(&name),
                name,
                host: IpAddr::V4(host),
                ports: own,
            })
        })
        .collect()
}

/// The addresses of a store that runs already.
pub(super) fn endpoints(config: &StoreConfig, directory: &Path) -> anyhow::Result<Vec<NodeWords>> {
    use std::net::ToSocketAddrs;
    let port = config.definition.client_port();
    let known = |(node, endpoint): (usize, &String)| {
        let mut found = endpoint
            .to_socket_addrs()
            .with_context(|| format!("{endpoint:?} is no address such as 127.0.0.1:6379"))?;
        let address: SocketAddr =
            { found.next() }.with_context(|| format!("nobody knows the host of {endpoint:?}"))?;
        let name = format!("n{node}");
        Ok(NodeWords {
            directory: directory.join(&name),
            name,
            host: address.ip(),
            ports: BTreeMap::from([(port.to_owned(), address.port())]),
        })
    };
    config.endpoints.iter().enumerate().map(known).collect()
}

/// What starts programs.
pub(super) struct Starter<'a> {
    pub(super) config: &'a StoreConfig,
    pub(super) place: &'a Place,
    pub(super) network: Option<&'a Network>,
    pub(super) nodes: &'a [NodeWords],
    /// Where logs go.
    pub(super) logs: &'a Path,
}

impl Starter<'_> {
    /// Starts every program on every node, each when those before it serve, and runs the commands
    /// that run once.
    pub(super) async fn all(&self) -> anyhow::Result<Vec<NodePrograms>> {
        let mut programs: Vec<NodePrograms> =
            self.nodes.iter().map(|_| NodePrograms::default()).collect();
        for row in rows(&self.config.definition) {
            for (node, own) in programs.iter_mut().enumerate() {
                if row.on.has(node as u16) {
                    self.write_files(&row, node).await?;
                    own.programs.push(self.spawn(&row, node).await?);
                }
            }
            for (node, own) in programs.iter().enumerate() {
                if row.on.has(node as u16) {
                    self.await_ready(&row, node, own).await?;
                }
            }
        }
        for command in &self.config.definition.init.commands {
            self.init(command).await?;
        }
        Ok(programs)
    }

    /// Starts the programs of one node again, with the files that it has.
    pub(super) async fn again(&self, node: usize) -> anyhow::Result<NodePrograms> {
        let mut own = NodePrograms::default();
        for row in rows(&self.config.definition) {
            if row.on.has(node as u16) {
                own.programs.push(self.spawn(&row, node).await?);
                // A program may need its peers to be fully ready, and they may be gone. So it is
                // enough that it answers at all.
                self.await_answer(&row, node, &own).await?;
            }
        }
        Ok(own)
    }

    fn words(&self) -> Words<'_> {
        Words {
            nodes: self.nodes,
            options: &self.config.options,
        }
    }

    fn namespace(&self, node: usize) -> Option<String> {
        self.network.map(|network| network.namespace(node as u16))
    }

    async fn write_files(&self, row: &Row<'_>, node: usize) -> anyhow::Result<()> {
        for (name, template) in row.files {
            let text = template.fill(self.words(), node)?;
            let path = self.nodes[node].directory.join(name);
            self.place.write(&path, &text).await?;
        }
        Ok(())
    }

    async fn spawn(&self, row: &Row<'_>, node: usize) -> anyhow::Result<Program> {
        let own = &self.nodes[node];
        let command = beside(
            &fill_all(row.start, self.words(), node)?,
            &self.config.directory,
        );
        let log = match row.name {
            MAIN => format!("{}.log", own.name),
            name => format!("{}-{name}.log", own.name),
        };
        let log = self.logs.join(log);
        let mut environment = BTreeMap::new();
        let variables = self.config.definition.nodes.iter();
        for (name, value) in variables.flat_map(|nodes| &nodes.environment) {
            environment.insert(name.clone(), value.fill(self.words(), node)?);
        }
        let program = command.first().cloned().unwrap_or_default();
        let process = self
            .place
            .spawn(Spawn {
                command,
                directory: own.directory.clone(),
                log: log.clone(),
                environment,
                namespace: self.namespace(node),
                attached: false,
            })
            .await
            .map_err(|error| self.missing(error, &program))?;
        Ok(Program {
            name: program,
            log,
            process,
        })
    }

    /// Why a program could not be started, with the package that it is in.
    fn missing(&self, error: PlaceError, program: &str) -> anyhow::Error {
        match &error {
            PlaceError::Missing { program } => {
                let package = self.config.definition.packages.get(program);
                let how = package.map_or_else(String::new, |package| {
                    format!(" (Debian: apt-get install {package})")
                });
                anyhow!("{program} is not installed{how}")
            }
            PlaceError::Start { .. }
            | PlaceError::Gone { .. }
            | PlaceError::Unread
            | PlaceError::Silent(_)
            | PlaceError::Refused(_) => anyhow!("{program} cannot be started: {error}"),
        }
    }

    async fn await_ready(
        &self,
        row: &Row<'_>,
        node: usize,
        programs: &NodePrograms,
    ) -> anyhow::Result<()> {
        let Some(ready) = row.ready else {
            return Ok(());
        };
        self.poll(ready, node, programs).await
    }

    async fn await_answer(
        &self,
        row: &Row<'_>,
        node: usize,
        programs: &NodePrograms,
    ) -> anyhow::Result<()> {
        let Some(port) = row
            .ready
            .and_then(|it| it.tcp.as_ref().or(it.http.as_ref()))
        else {
            return self.await_ready(row, node, programs).await;
        };
        let answers = Ready {
            tcp: Some(port.clone()),
            within: row.ready.and_then(|it| it.within),
            ..Ready::default()
        };
        self.poll(&answers, node, programs).await
    }

    async fn poll(
        &self,
        ready: &Ready,
        node: usize,
        programs: &NodePrograms,
    ) -> anyhow::Result<()> {
        let within = ready.within.unwrap_or(READY_TIMEOUT);
        let deadline = Instant::now() + within;
        let namespace = self.namespace(node);
        let name = &self.nodes[node].name;
        loop {
            let words = self.words();
            if is_ready(ready, self.place, namespace.as_deref(), words, node).await? {
                return Ok(());
            }
            if let Some((program, status)) = programs.ended() {
                let log = self.log_of(program).await;
                bail!(
                    "{} of node {name} ended before it served ({status}); {log}",
                    program.name
                );
            }
            if Instant::now() >= deadline {
                let (program, log) = match programs.programs.last() {
                    Some(program) => (program.name.as_str(), self.log_of(program).await),
                    None => ("it", String::new()),
                };
                bail!(
                    "{program} of node {name} did not serve within {}: give it longer, if that is all \
                     it needs, with `within` in its `ready`; {log}",
                    format_duration(within)
                );
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// The end of a program's log.
    pub(super) async fn log_of(&self, program: &Program) -> String {
        let fetched = self.place.fetch(&program.log, LOG_TAIL_BYTES).await;
        let lines = log_tail(&fetched.unwrap_or_default());
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
        let log = program.log.display();
        if lines.is_empty() {
            return format!("its log, {log}, is empty");
        }
        format!("its log, {log}, ends with: {}", lines.join(" | "))
    }

    async fn init(&self, command: &[Template]) -> anyhow::Result<()> {
        let command = beside(&fill_all(command, self.words(), 0)?, &self.config.directory);
        let namespace = self.namespace(0);
        let none = BTreeMap::new();
        let program = command.first().cloned().unwrap_or_default();
        let ran = { self.place }
            .run(&command, &none, namespace.as_deref(), INIT_TIMEOUT)
            .await
            .map_err(|error| self.missing(error, &program))?;
        if !ran.succeeded {
            let told = if ran.errors.trim().is_empty() {
                &ran.output
            } else {
                &ran.errors
            };
            bail!(
                "`{}` of [init] ended with {}: {}",
                command.join(" "),
                ran.status,
                told.trim()
            );
        }
        Ok(())
    }

    /// What the store says of its version, if its file says how to ask.
    pub(super) async fn version(&self) -> Option<String> {
        let words = self
            .config
            .definition
            .nodes
            .as_ref()
            .map(|nodes| &nodes.version)?;
        if words.is_empty() {
            return None;
        }
        let command = beside(words, &self.config.directory);
        let none = BTreeMap::new();
        // It only says what was run.
        let ran = self
            .place
            .run(&command, &none, None, INIT_TIMEOUT)
            .await
            .ok()?;
        ran.output.lines().next().map(|line| line.trim().to_owned())
    }
}

/// Whether the nodes run in namespaces.
pub(super) fn network(config: &StoreConfig) -> anyhow::Result<Option<Network>> {
    match config.host {
        HostKind::Netns if config.is_started() => Ok(Some(Network::create(0..config.count())?)),
        HostKind::Netns | HostKind::Process => Ok(None),
    }
}
