//! Nodes as real processes: they start, serve, are controlled, and leave nothing behind.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use kvs_zoo::client::{Client, ClientError, NodeAddress};
use kvs_zoo::node::{Launcher, NodeError, Start};
use kvs_zoo::protocol::{Dot, GroupId, Lattice, NodeId, Operation, Origin, Request, Response};
use kvs_zoo::replica::{ReplicaKind, ReplicaSpec, Settings};
use kvs_zoo::server::Architecture;
use kvs_zoo::session::{Policy, Trouble};
use kvs_zoo::transport::{
    Caller, CertificateAuthority, DialError, Endpoint, Link, OwnedResponse, Role,
};
use rustix::process::Signal;

use crate::program::{PROGRAM, awaited, is_alive, launch, on_runtime, parent_of, signal};

async fn caller(launcher: &Launcher, node: NodeId) -> Caller {
    let endpoint = launcher.client_endpoint().unwrap();
    let addr = launcher.node(node).unwrap().addr();
    Caller::dial(&endpoint, addr, node).await.unwrap()
}

const fn get(key: &[u8]) -> Request<'_> {
    Request {
        key,
        operation: Operation::Get,
        context: &[],
        call: None,
    }
}

const fn put<'a>(key: &'a [u8], value: &'a [u8]) -> Request<'a> {
    Request {
        key,
        operation: Operation::Put { value },
        context: &[],
        call: None,
    }
}

fn values(response: &OwnedResponse) -> Vec<&[u8]> {
    let OwnedResponse::Get { siblings, .. } = response else {
        panic!("a get is answered as a get: {response:?}");
    };
    siblings.iter().map(|one| one.value.as_slice()).collect()
}

/// Whether a process is stopped, all of it.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().starts_with('T')
}

#[test]
fn a_node_starts_serves_and_shuts_down_in_good_order() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("local", logs.path()).await;
        let node = NodeId(0);
        let caller = caller(&launcher, node).await;
        caller.call(&put(b"key", b"value")).await.unwrap();
        let response = caller.call(&get(b"key")).await.unwrap();
        assert_eq!(values(&response), [b"value"]);

        let handle = launcher.node(node).unwrap();
        let status = handle.status().await.unwrap();
        assert_eq!(status.replica.keys, 1);
        assert_eq!(status.counters.requests, 2);
        assert_eq!(status.counters.responses, 2);
        assert_eq!(status.counters.clients_accepted, 1);
        let pid = handle.pid();
        assert!(is_alive(pid), "the control");
        assert_eq!(launcher.shutdown_all().await, []);
        assert!(!is_alive(pid));
        let log = std::fs::read_to_string(logs.path().join("n0.log")).unwrap();
        assert!(log.contains("shuts down as told"), "{log}");
    });
}

#[test]
fn a_put_on_a_connection_that_had_ended_certainly_had_no_effect() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (mut launcher, ports) = launch("replicated", logs.path()).await;
        let endpoint = launcher.client_endpoint().unwrap();
        let nodes: Vec<NodeAddress> = launcher
            .nodes()
            .map(|node| NodeAddress {
                node: node.id(),
                address: node.addr(),
                incarnation: 0,
            })
            .collect();
        let client = Client::connect(&endpoint, &nodes, ports, Policy::default());
        let client = client.await.unwrap();
        let mut pinned = client.session_at(NodeId(0));
        pinned.put("key", "value").await.unwrap();
        assert!(launcher.take(NodeId(0)).unwrap().shutdown().await);
        // What was sent before the client knew of the end is unknown; after that nothing is.
        let failed = ClientError::Failed(Trouble::NoConnection);
        while pinned.put("key", "value").await != Err(failed) {
            tokio::task::yield_now().await;
        }
        client.session().put("key", "value").await.unwrap();
        launcher.shutdown_all().await;
    });
}

#[test]
fn replicas_reach_one_another() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("replicated", logs.path()).await;
        caller(&launcher, NodeId(0))
            .await
            .call(&put(b"key", b"value"))
            .await
            .unwrap();
        for node in launcher.nodes() {
            while node.status().await.unwrap().replica.keys == 0 {
                tokio::task::yield_now().await;
            }
            let found = caller(&launcher, node.id()).await.call(&get(b"key")).await;
            assert_eq!(values(&found.unwrap()), [b"value"]);
        }
        let status = launcher.node(NodeId(1)).unwrap().status().await.unwrap();
        assert_eq!(status.counters.connections_refused, 0);
        assert!(status.counters.messages_in > 0);
        launcher.shutdown_all().await;
    });
}

#[test]
fn a_paused_node_answers_nothing_until_it_is_resumed() {
    /// Of another node: the event that shows that there was time for an answer.
    const ROUND_TRIPS: usize = 20;
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("sharded", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        let asking = caller(&launcher, NodeId(0)).await;
        let bystander = caller(&launcher, NodeId(1)).await;
        asking.call(&get(b"key")).await.unwrap();
        assert!(!is_stopped(node.pid()), "the control");
        node.pause().await.unwrap();
        awaited(|| is_stopped(node.pid())).await;
        let resumed = Cell::new(false);
        let ask = async {
            asking.call(&get(b"key")).await.unwrap();
            assert!(resumed.get(), "a paused node has answered");
        };
        let resume = async {
            for _ in 0..ROUND_TRIPS {
                bystander.call(&get(b"key")).await.unwrap();
            }
            assert!(is_stopped(node.pid()));
            resumed.set(true);
            node.resume().await.unwrap();
        };
        tokio::join!(ask, resume);
        node.status().await.unwrap();
        launcher.shutdown_all().await;
    });
}

/// More than a pipe holds: whoever waited for room in it could not resume the node.
#[test]
fn a_paused_node_that_was_told_much_can_be_resumed_and_has_heard_all_of_it() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("local", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        node.pause().await.unwrap();
        awaited(|| is_stopped(node.pid())).await;
        let addresses: Vec<_> = (0..=NodeId::MAX.0)
            .map(|other| (NodeId(other), node.addr()))
            .collect();
        let (first, second, resumed) = tokio::join!(
            node.peers(addresses.clone()),
            node.peers(addresses.clone()),
            node.resume(),
        );
        resumed.unwrap();
        first.unwrap();
        second.unwrap();
        node.status().await.unwrap();
        launcher.shutdown_all().await;
    });
}

#[test]
fn a_paused_node_is_killed_by_a_shutdown() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("local", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        let pid = node.pid();
        node.pause().await.unwrap();
        assert_eq!(launcher.shutdown_all().await, [NodeId(0)]);
        assert!(!is_alive(pid));
    });
}

#[test]
fn an_unexpected_exit_is_told_with_the_end_of_the_log_and_an_expected_one_is_not() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (mut launcher, _) = launch("sharded", logs.path()).await;
        launcher.take(NodeId(0)).unwrap().kill().await;
        let pid = launcher.node(NodeId(2)).unwrap().pid();
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
        let exit = launcher.unexpected_exit().await;
        assert_eq!(exit.node, NodeId(2));
        assert!(exit.status.contains("signal: 9"), "{}", exit.status);
        assert!(exit.log.contains("serves at"), "{}", exit.log);
        let status = launcher.node(NodeId(2)).unwrap().status().await;
        assert!(matches!(status, Err(NodeError::Exited { .. })));
        assert!(launcher.try_unexpected_exit().is_none());
        launcher.shutdown_all().await;
    });
}

#[test]
fn a_restarted_node_is_found_by_its_peers() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (mut launcher, _) = launch("replicated", logs.path()).await;
        let node = NodeId(1);
        caller(&launcher, NodeId(0))
            .await
            .call(&put(b"key", b"value"))
            .await
            .unwrap();
        launcher.restart(node, 1).await.unwrap();
        assert_eq!(launcher.node(node).unwrap().incarnation(), 1);
        while launcher
            .node(node)
            .unwrap()
            .status()
            .await
            .unwrap()
            .replica
            .keys
            == 0
        {
            tokio::task::yield_now().await;
        }
        assert!(launcher.try_unexpected_exit().is_none());
        launcher.shutdown_all().await;
    });
}

#[test]
fn a_dropped_launcher_kills_its_nodes() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("sharded", logs.path()).await;
        let pids: Vec<u32> = launcher.nodes().map(|node| node.pid()).collect();
        assert!(pids.iter().all(|pid| is_alive(*pid)), "the control");
        drop(launcher);
        awaited(|| !pids.iter().any(|pid| is_alive(*pid))).await;
    });
}

#[test]
fn a_program_that_is_no_agent_is_an_error_that_names_it_and_how_it_ended() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        for (program, expected) in [
            (
                "/bin/false",
                "(`/bin/false place`) is gone, and all that it had started: exit status: 1",
            ),
            ("/no/such/program", "`/no/such/program place`"),
        ] {
            let mut launcher = Launcher::new(logs.path(), 1).unwrap().with_program(program);
            Architecture::local().deploy(&mut launcher, Lattice::Causal);
            let error = launcher.launch().await.unwrap_err();
            let told = format!("{:#}", anyhow::Error::from(error));
            assert!(told.contains(expected), "{told}");
        }
    });
}

#[test]
fn a_directory_for_logs_that_cannot_be_is_an_error_that_names_it() {
    let logs = Path::new("/proc/no-logs-here");
    let error = Launcher::new(logs, 1).unwrap_err();
    assert!(error.to_string().contains("/proc/no-logs-here"), "{error}");
}

/// The line with which a launcher starts a node, for tests that are the launcher themselves.
fn start_line() -> String {
    let authority = CertificateAuthority::new().unwrap();
    let node = NodeId(0);
    let start = Start {
        spec: ReplicaSpec {
            node,
            incarnation: 0,
            group: GroupId(0),
            peers: Vec::new(),
            spares: Vec::new(),
            kind: ReplicaKind::Local,
            shards: Vec::new(),
            settings: Settings::default(),
            bug: None,
        },
        identity: authority.node(node).unwrap(),
        bind: ([127, 0, 0, 1], 0).into(),
        seed: 1,
        trace: None,
        disk: None,
    };
    serde_json::to_string(&start).unwrap()
}

#[test]
fn a_node_exits_when_its_stdin_closes() {
    let mut child = Command::new(PROGRAM)
        .arg("node")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", start_line()).unwrap();
    let mut ready = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut ready).unwrap();
    assert!(ready.contains("ready"), "{ready}");
    assert!(child.try_wait().unwrap().is_none(), "the control");
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_node_refuses_nonsense() {
    let mut child = Command::new(PROGRAM)
        .arg("node")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "nonsense").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("giving up"), "{log}");
}

/// Stopped, a node sees no closed channel: only the kernel can end it.
#[test]
fn no_node_survives_the_agent_of_its_place_not_even_a_stopped_one() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (mut launcher, _) = launch("local", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        let pid = node.pid();
        node.pause().await.unwrap();
        awaited(|| is_stopped(pid)).await;
        let agent = parent_of(pid);
        assert_ne!(agent, std::process::id(), "the control");
        signal(agent, Signal::KILL);
        let exit = launcher.unexpected_exit().await;
        assert_eq!(exit.status, "gone with its place");
        awaited(|| !is_alive(pid)).await;
        let node = launcher.node(NodeId(0)).unwrap();
        assert!(node.has_exited());
        assert!(matches!(node.pause().await, Err(NodeError::Exited { .. })));
        let error = launcher.revive(NodeId(0)).await.unwrap_err();
        assert!(
            error.to_string().contains("cannot start node n0"),
            "{error}"
        );
    });
}

#[test]
fn a_command_that_is_none_is_answered_as_failed_and_the_node_goes_on() {
    let mut child = Command::new(PROGRAM)
        .arg("node")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(stdin, "{}", start_line()).unwrap();
    assert!(lines.next().unwrap().unwrap().contains("ready"));
    for (line, answer) in [
        ("{\"command\":\"dance\"}", "failed"),
        ("{\"command\":\"status\"}", "status"),
        ("{\"command\":\"shutdown\"}", "done"),
    ] {
        writeln!(stdin, "{line}").unwrap();
        let answered = lines.next().unwrap().unwrap();
        assert!(answered.contains(answer), "{answered}");
    }
    assert!(child.wait().unwrap().success());
}

#[test]
fn strangers_are_refused_and_counted_by_a_real_node() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("local", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        let ours = launcher.client_identity().unwrap();
        let foreign = CertificateAuthority::new().unwrap().client().unwrap();
        let strangers = [
            Endpoint::client(&foreign.trusting(&ours)).unwrap(),
            Endpoint::anonymous(&ours).unwrap(),
        ];
        for stranger in strangers {
            let dialled = Link::dial(&stranger, node.addr(), NodeId(0)).await;
            assert!(
                matches!(dialled, Err(DialError::Refused { .. })),
                "{dialled:?}"
            );
        }
        let endpoint = Endpoint::client(&ours).unwrap();
        // A client of this run that wants another node, and one that wants to send messages.
        let misled = Link::dial(&endpoint, node.addr(), NodeId(1)).await;
        assert!(
            matches!(misled, Err(DialError::Refused { .. })),
            "{misled:?}"
        );
        let messages = endpoint.dial(node.addr(), NodeId(0), Role::Messages).await;
        assert!(
            matches!(messages, Err(DialError::Refused { .. })),
            "{messages:?}"
        );
        while node.status().await.unwrap().counters.connections_refused < 4 {
            tokio::task::yield_now().await;
        }
        caller(&launcher, NodeId(0))
            .await
            .call(&get(b"key"))
            .await
            .unwrap();
        launcher.shutdown_all().await;
    });
}

#[test]
fn malformed_frames_close_only_their_connection_at_a_real_node() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("local", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        let bystander = caller(&launcher, NodeId(0)).await;
        let endpoint = launcher.client_endpoint().unwrap();
        let oversized = u32::MAX.to_le_bytes().to_vec();
        let nonsense = [&8_u32.to_le_bytes()[..], &[0xff; 8]].concat();
        let truncated = [&8_u32.to_le_bytes()[..], &[0; 3]].concat();
        for bytes in [oversized, nonsense, truncated] {
            let dial = endpoint.dial(node.addr(), NodeId(0), Role::Requests);
            let mut streams = dial.await.unwrap();
            streams.send.write_all(&bytes).await.unwrap();
            streams.send.finish().unwrap();
            // With the code for it, or, when that packet was lost, as one that is unknown there.
            streams.connection.closed().await;
            bystander.call(&get(b"key")).await.unwrap();
        }
        assert_eq!(node.status().await.unwrap().counters.frames_malformed, 3);
        launcher.shutdown_all().await;
    });
}

#[test]
fn a_number_is_free_once_its_request_is_answered_and_taking_an_open_one_ends_the_connection() {
    on_runtime(async {
        let logs = tempfile::tempdir().unwrap();
        let (launcher, _) = launch("replicated", logs.path()).await;
        let node = launcher.node(NodeId(0)).unwrap();
        let endpoint = launcher.client_endpoint().unwrap();
        // What nobody has put: the replica defers the request.
        let unseen = [Dot::new(Origin::new(NodeId(1), 0), 1)];
        let deferred = Request {
            context: &unseen,
            ..get(b"key")
        };
        for (second, answers, malformed) in [(8, 4, 0), (7, 2, 1)] {
            let link = Link::dial(&endpoint, node.addr(), NodeId(0)).await.unwrap();
            let outbox = link.outbox();
            // The control: answered at once, the number may be used again in the same batch.
            outbox.request(7, &get(b"key")).unwrap();
            outbox.request(7, &get(b"key")).unwrap();
            outbox.request(7, &deferred).unwrap();
            outbox.request(second, &deferred).unwrap();
            let mut answered = 0;
            link.run(|_: u32, _: &Response<'_>| {
                answered += 1;
                if answered == 4 {
                    outbox.finish();
                }
            })
            .await;
            let counters = node.status().await.unwrap().counters;
            assert_eq!(counters.frames_malformed, malformed);
            assert!(answered <= answers, "{answered} answers");
        }
        let bystander = caller(&launcher, NodeId(0)).await;
        bystander.call(&get(b"key")).await.unwrap();
        assert_eq!(launcher.shutdown_all().await, []);
    });
}
