//! Network namespaces: each node of a deployment with an address, a link and a firewall of its own.
//!
//! The nodes' links meet at a bridge in the harness's namespace, over which its clients reach them.
//! Everything is named after the bridge: `kvs7`, the namespaces `kvs7-n0`, `kvs7-n1`, …. A harness
//! takes the first name that no bridge has, and the bridge's alias says who owns it. Needs root,
//! iproute2 and, for faults, nftables.

mod faults;
mod kernel;

use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, geteuid, test_kill_process};

pub use faults::{LinkFaults, PacketFaults};

/// Networks on one machine at a time, each a /24 of 198.18.0.0/15, which is set apart for
/// benchmarks (RFC 2544, appendix C.2.2).
const NETWORKS_MAX: u16 = 512;
/// Nodes of one network: what its addresses hold beside the bridge's own and the broadcast.
const NODES_MAX: u16 = 253;
/// Where the system lists network interfaces, and iproute2 namespaces.
const INTERFACES: &str = "/sys/class/net";
const NAMESPACES: &str = "/run/netns";
/// The file that launchers lock while they name their bridge.
const LOCK: &str = "/run/kvs-bench.lock";
/// What the alias of a bridge begins with; the launcher's process id follows.
const OWNER: &str = "kvs-bench of process ";

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// Only root may make namespaces.
    #[error("network namespaces need root: run as root, or without --host netns")]
    NotRoot,
    /// More nodes than addresses.
    #[error("{nodes} nodes are too many for one network of namespaces, which holds {NODES_MAX}")]
    TooManyNodes {
        /// How many there are.
        nodes: usize,
    },
    /// Every bridge's name is taken.
    #[error(
        "{NETWORKS_MAX} networks of namespaces are in use: remove those that are left over \
         (ip link delete kvs0, ip netns delete kvs0-n0, …)"
    )]
    Full,
    /// A program is missing.
    #[error("--host netns cannot run {program}: install the package {package}")]
    Missing {
        /// What was run.
        program: &'static str,
        /// What has it.
        package: &'static str,
    },
    /// The system refused.
    #[error("`{command}` failed: {reason}")]
    Refused {
        /// What was run.
        command: String,
        /// What it said.
        reason: String,
    },
}

/// Whether this process can make namespaces, and faults in them if the run needs some. Call it
/// before anything starts, so that a run does not end in the middle.
///
/// # Errors
/// When this process is not root, or a program is missing.
pub fn can_be_had(with_faults: bool) -> Result<(), NetworkError> {
    if !geteuid().is_root() {
        return Err(NetworkError::NotRoot);
    }
    run("ip", &["-V"], "")?;
    if with_faults {
        run("nft", &["--version"], "")?;
        run("tc", &["-V"], "")?;
    }
    Ok(())
}

/// Whether this machine's kernel can delay, repeat, reorder and corrupt packets, as far as this
/// process may find out. It tries once, in a namespace that it removes again.
#[must_use]
pub fn kernel_has_netem() -> bool {
    static HAS_NETEM: OnceLock<bool> = OnceLock::new();
    *HAS_NETEM.get_or_init(|| {
        let probe = format!("kvs-probe-{}", std::process::id());
        if run("ip", &["netns", "add", &probe], "").is_err() {
            return false;
        }
        let has_netem = kernel::has_netem(&probe);
        // It is in nobody's way.
        let _ = run("ip", &["netns", "delete", &probe], "");
        has_netem
    })
}

/// A bridge and a namespace for each node. Dropped, it removes them.
#[derive(Debug)]
pub struct Network {
    index: u16,
    nodes: Vec<u16>,
    /// Whether the kernel can delay, repeat, reorder and corrupt packets.
    has_netem: bool,
}

impl Network {
    /// A network with a namespace for each of `nodes`. Removes first what launchers left that
    /// were killed.
    ///
    /// # Errors
    /// When this process is not root, a program is missing, or the kernel refuses. Nothing is
    /// left then.
    pub fn create(nodes: impl Iterator<Item = u16>) -> Result<Self, NetworkError> {
        if !geteuid().is_root() {
            return Err(NetworkError::NotRoot);
        }
        let nodes: Vec<u16> = nodes.collect();
        if nodes.iter().any(|node| *node >= NODES_MAX) {
            let nodes = nodes.len();
            return Err(NetworkError::TooManyNodes { nodes });
        }
        let index = {
            let _alone = alone()?;
            remove_orphans()?;
            claim()?
        };
        // From here on, whatever fails, dropping removes what there is.
        let mut network = Self {
            index,
            nodes,
            has_netem: false,
        };
        network.set_up()?;
        if let Some(node) = network.nodes.first() {
            network.has_netem = kernel::has_netem(&network.namespace(*node));
        }
        Ok(network)
    }

    /// The address of a node.
    #[must_use]
    pub fn addr(&self, node: u16) -> Ipv4Addr {
        let host = u8::try_from(node + 2).expect("a network bounds its nodes");
        self.host(host)
    }

    /// The address of the bridge, which is where the clients are.
    #[must_use]
    pub fn clients_addr(&self) -> Ipv4Addr {
        self.host(1)
    }

    /// The namespace of a node.
    #[must_use]
    pub fn namespace(&self, node: u16) -> String {
        format!("{}-n{node}", bridge(self.index))
    }

    /// Whether the kernel can delay, repeat, reorder and corrupt packets.
    #[must_use]
    pub const fn has_netem(&self) -> bool {
        self.has_netem
    }

    /// Has the kernel do what it can of these faults, and returns what is left for the node's own
    /// socket: cuts and losses are nftables', a rate is tbf's, and the rest is netem's where the
    /// kernel has it.
    ///
    /// # Errors
    /// When a program is missing, or the kernel refuses.
    ///
    /// # Panics
    /// Never: what runs on another thread does not panic.
    pub async fn set(&self, node: u16, faults: LinkFaults) -> Result<PacketFaults, NetworkError> {
        let namespace = self.namespace(node);
        let has_netem = self.has_netem;
        let task = tokio::task::spawn_blocking(move || kernel::set(&namespace, faults, has_netem));
        task.await.expect("a task that does not panic")
    }

    fn host(&self, host: u8) -> Ipv4Addr {
        let [high, low] = self.index.to_be_bytes();
        Ipv4Addr::new(198, 18 + high, low, host)
    }

    fn set_up(&self) -> Result<(), NetworkError> {
        let bridge = bridge(self.index);
        let mut outside = format!(
            "address add {}/24 dev {bridge}\nlink set {bridge} up\n",
            self.clients_addr()
        );
        for &node in &self.nodes {
            let (namespace, link) = (self.namespace(node), format!("{bridge}n{node}"));
            outside += &format!(
                "netns add {namespace}\n\
                 link add {link} type veth peer name eth0 netns {namespace}\n\
                 link set {link} master {bridge} up\n"
            );
        }
        run("ip", &["-batch", "-"], &outside)?;
        for &node in &self.nodes {
            let inside = format!(
                "link set lo up\naddress add {}/24 dev eth0\nlink set eth0 up\n",
                self.addr(node)
            );
            run(
                "ip",
                &["-netns", &self.namespace(node), "-batch", "-"],
                &inside,
            )?;
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // What cannot be removed now, the next launcher finds without an owner and removes.
        let _ = remove(self.index);
    }
}

/// The name of a network's bridge.
fn bridge(index: u16) -> String {
    format!("kvs{index}")
}

/// Waits until no other launcher looks for orphans or names a bridge; dropped, lets others do so.
/// Else one would remove as an orphan's what another has just made under the same name.
fn alone() -> Result<File, NetworkError> {
    let lock = File::create(LOCK);
    let locked = lock.and_then(|lock| lock.lock().map(|()| lock));
    locked.map_err(|error| NetworkError::Refused {
        command: format!("lock {LOCK}"),
        reason: error.to_string(),
    })
}

/// Makes a bridge of a name that is free, with this process as its owner.
fn claim() -> Result<u16, NetworkError> {
    for index in 0..NETWORKS_MAX {
        let name = bridge(index);
        if interface(&name).exists() {
            continue;
        }
        run("ip", &["link", "add", &name, "type", "bridge"], "")?;
        let owner = format!("{OWNER}{}", std::process::id());
        run("ip", &["link", "set", &name, "alias", &owner], "")?;
        return Ok(index);
    }
    Err(NetworkError::Full)
}

/// Removes the networks of launchers that are no more.
fn remove_orphans() -> Result<(), NetworkError> {
    for index in 0..NETWORKS_MAX {
        let alias = std::fs::read_to_string(interface(&bridge(index)).join("ifalias"));
        let owner = alias
            .ok()
            .and_then(|alias| alias.trim().strip_prefix(OWNER)?.parse().ok())
            .and_then(Pid::from_raw);
        let Some(owner) = owner else { continue };
        if test_kill_process(owner) == Err(rustix::io::Errno::SRCH) {
            remove(index)?;
        }
    }
    Ok(())
}

/// Removes the links and the namespaces, then the bridge that claims their names. A namespace goes
/// when the kernel finds the time, and would keep its link until then.
fn remove(index: u16) -> Result<(), NetworkError> {
    let bridge = bridge(index);
    let links = names(INTERFACES, format!("{bridge}n")).map(|link| format!("link delete {link}\n"));
    let namespaces = names(NAMESPACES, format!("{bridge}-"))
        .map(|namespace| format!("netns delete {namespace}\n"));
    let mut lines: String = links.chain(namespaces).collect();
    lines += &format!("link delete {bridge}\n");
    run("ip", &["-force", "-batch", "-"], &lines).map(drop)
}

/// The names in a directory that begin so; none when it cannot be read.
fn names(directory: &str, prefix: String) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(move |name| name.starts_with(&prefix))
}

fn interface(name: &str) -> std::path::PathBuf {
    Path::new(INTERFACES).join(name)
}

/// Runs a program to its end with `input`, and returns what it printed.
pub(super) fn run(
    program: &'static str,
    arguments: &[&str],
    input: &str,
) -> Result<String, NetworkError> {
    let refused = |reason: String| NetworkError::Refused {
        command: format!("{program} {}", arguments.join(" ")),
        reason,
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                NetworkError::Missing {
                    program,
                    package: if program == "nft" {
                        "nftables"
                    } else {
                        "iproute2"
                    },
                }
            } else {
                refused(error.to_string())
            }
        })?;
    let mut stdin = child.stdin.take().expect("stdin was asked to be piped");
    // What a program does not read shows in how it ends.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child
        .wait_with_output()
        .map_err(|error| refused(error.to_string()))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(refused(
            told.split_whitespace().collect::<Vec<_>>().join(" "),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
