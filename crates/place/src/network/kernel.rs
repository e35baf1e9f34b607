//! Faults of the network by the kernel, for nodes with namespaces of their own: nftables cuts and
//! loses packets, tbf throttles, and netem does the rest where the kernel has it.

use super::{LinkFaults, NetworkError, PacketFaults, run};

/// The table of a node's firewall that is ours.
const TABLE: &str = "table inet kvs";
/// How much tbf lets through at once, in bytes: one of the largest packets of the link.
const BURST_BYTES: u64 = 4096;
/// How long packets may wait for their turn under a rate, in ms.
const RATE_QUEUE_MS: u64 = 400;
/// How far apart reordered packets come, in ms: netem reorders only what it delays.
const REORDER_MS: u64 = 10;

/// Whether the kernel has netem.
pub(super) fn has_netem(namespace: &str) -> bool {
    tc(namespace, "qdisc replace dev lo root netem delay 1ms").is_ok()
        && tc(namespace, "qdisc delete dev lo root").is_ok()
}

/// Has the kernel do what it can, and returns what is left.
pub(super) fn set(
    namespace: &str,
    faults: LinkFaults,
    has_netem: bool,
) -> Result<PacketFaults, NetworkError> {
    run(
        "ip",
        &["netns", "exec", namespace, "nft", "-f", "-"],
        &rules(&faults, has_netem),
    )?;
    // There may be none to delete.
    let _ = tc(namespace, "qdisc delete dev eth0 root");
    for discipline in disciplines(&faults.sent, has_netem) {
        tc(namespace, &discipline)?;
    }
    Ok(if has_netem {
        PacketFaults::default()
    } else {
        PacketFaults {
            loss: 0.0,
            bytes_per_s: 0,
            ..faults.sent
        }
    })
}

/// The firewall, as nft reads it. Replaces what was there.
fn rules(faults: &LinkFaults, has_netem: bool) -> String {
    // Added, so that there is one to delete.
    let mut text = format!("{TABLE}\ndelete {TABLE}\n");
    let loss_ppm = (faults.sent.loss * 1e6).round() as u64;
    let loses = loss_ppm > 0 && !has_netem;
    if faults.deaf_to.is_empty() && faults.mute_to.is_empty() && !loses {
        return text;
    }
    text += &format!("{TABLE} {{\n  chain in {{ type filter hook input priority 0;\n");
    for from in &faults.deaf_to {
        text += &format!("    ip saddr {from} drop\n");
    }
    text += "  }\n  chain out { type filter hook output priority 0;\n";
    for to in &faults.mute_to {
        text += &format!("    ip daddr {to} drop\n");
    }
    if loses {
        text += &format!("    numgen random mod 1000000 < {loss_ppm} drop\n");
    }
    text + "  }\n}\n"
}

/// The queueing disciplines of the node's link, as tc takes them.
fn disciplines(sent: &PacketFaults, has_netem: bool) -> Vec<String> {
    let bits_per_s = sent.bytes_per_s * 8;
    if !has_netem {
        return (bits_per_s > 0)
            .then(|| {
                format!(
                    "qdisc replace dev eth0 root tbf rate {bits_per_s}bit burst {BURST_BYTES} \
                     latency {RATE_QUEUE_MS}ms"
                )
            })
            .into_iter()
            .collect();
    }
    let mut netem = String::new();
    let percent = |chance: f64| chance * 100.0;
    if sent.delay_ns > 0 || sent.reorder > 0.0 {
        let delay_ms = (sent.delay_ns / 1_000_000).max(REORDER_MS);
        let jitter_ms = sent.jitter_ns / 1_000_000;
        netem += &format!(" delay {delay_ms}ms {jitter_ms}ms");
    }
    for (name, chance) in [
        ("loss", sent.loss),
        ("duplicate", sent.duplicate),
        ("corrupt", sent.corrupt),
        // Netem sends these at once, and they overtake the others.
        ("reorder", sent.reorder),
    ] {
        if chance > 0.0 {
            netem += &format!(" {name} {}%", percent(chance));
        }
    }
    if bits_per_s > 0 {
        netem += &format!(" rate {bits_per_s}bit");
    }
    (!netem.is_empty())
        .then(|| format!("qdisc replace dev eth0 root netem{netem}"))
        .into_iter()
        .collect()
}

fn tc(namespace: &str, arguments: &str) -> Result<String, NetworkError> {
    let mut words = vec!["netns", "exec", namespace, "tc"];
    words.extend(arguments.split(' '));
    run("ip", &words, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults() -> LinkFaults {
        LinkFaults {
            deaf_to: vec!["198.18.0.3".parse().expect("an address")],
            mute_to: vec!["198.18.0.1".parse().expect("an address")],
            sent: PacketFaults {
                loss: 0.2,
                delay_ns: 50_000_000,
                jitter_ns: 10_000_000,
                bytes_per_s: 125_000,
                ..PacketFaults::default()
            },
        }
    }

    #[test]
    fn cuts_and_losses_are_rules_of_the_firewall() {
        assert_eq!(
            rules(&faults(), false),
            "table inet kvs\ndelete table inet kvs\ntable inet kvs {\n  \
             chain in { type filter hook input priority 0;\n    \
             ip saddr 198.18.0.3 drop\n  }\n  \
             chain out { type filter hook output priority 0;\n    \
             ip daddr 198.18.0.1 drop\n    \
             numgen random mod 1000000 < 200000 drop\n  }\n}\n"
        );
        assert_eq!(
            rules(&LinkFaults::default(), false),
            "table inet kvs\ndelete table inet kvs\n"
        );
    }

    #[test]
    fn a_kernel_without_netem_throttles_and_leaves_delays_to_the_socket() {
        assert_eq!(
            disciplines(&faults().sent, false),
            ["qdisc replace dev eth0 root tbf rate 1000000bit burst 4096 latency 400ms"]
        );
        assert_eq!(disciplines(&PacketFaults::default(), false), [""; 0]);
    }

    #[test]
    fn netem_does_all_of_it_where_there_is_one() {
        assert_eq!(
            disciplines(&faults().sent, true),
            ["qdisc replace dev eth0 root netem delay 50ms 10ms loss 20% rate 1000000bit"]
        );
        assert!(!rules(&faults(), true).contains("numgen"));
        assert_eq!(disciplines(&PacketFaults::default(), true), [""; 0]);
    }
}
