//! Makes the record of a run (what was asked and what came of it), and saves it whole.

use std::collections::BTreeMap;

use anyhow::Context;
use jiff::Timestamp;

use kvs_check::history::{End, Header, Limit};
use kvs_core::protocol::NodeId;
use kvs_core::server::ServerPorts;
use kvs_load::workload::UNACKNOWLEDGED_INSERTS_MAX;
use kvs_measure::{
    Configuration, FaultsRecord, HistoryRecord, Machine, Measured, NodeRecord, PhaseRecord,
    PipeRecord, RUN_RECORD_VERSION, RunRecord, Statistics, StoreRecord, VerdictRecord, VerdictWord,
    WorkloadRecord,
};
use kvs_target::{Facts, Quiet};

use super::config::{Config, Foreign, HISTORY_SAMPLE};
use super::directory::Directory;
use super::verdict::{Attachment, Judged};
use crate::targets::adapter::Price;

/// What stands for the adapter of a store that whoever asked for the run has started.
const OWN_ADAPTER: &str = "of its own";
/// What was shown of the result.
const REPORT_FILE: &str = "report.txt";

/// What a run has found out.
pub(super) struct Findings<'a> {
    pub(super) start: Timestamp,
    pub(super) phases: Vec<PhaseRecord>,
    pub(super) measured: Option<&'a Measured>,
    /// Records that could not be loaded.
    pub(super) load_errors: u64,
    /// Whether replicas still disagreed when the workload began.
    pub(super) load_diverged: bool,
    pub(super) quiescence: Option<Quiet>,
    /// What the nemesis did.
    pub(super) faults: FaultsRecord,
    /// Inserts that became updates.
    pub(super) inserts_withheld: u64,
    /// Keys that clients were to read in the end, and that nobody answered for.
    pub(super) unread: u64,
    pub(super) nodes: Vec<(NodeId, Result<NodeRecord, String>)>,
    /// How many operations were recorded, if any were to be.
    pub(super) recorded: Option<End>,
    pub(super) judged: Option<Judged>,
    pub(super) interrupted: bool,
    /// What went wrong on the way to the store.
    pub(super) complaints: Vec<String>,
    /// The store's version, as it says itself.
    pub(super) version: Option<String>,
    /// What the pipe to its adapter costs.
    pub(super) price: Option<Price>,
    /// Keys that were deleted in the end, if that was asked for.
    pub(super) cleaned: Option<u64>,
}

/// The lattice by name, where there is one.
fn lattice(config: &Config) -> Option<String> {
    kvs_recording::lattice_of(&config.architecture, config.lattice)
}

/// What the history says about the run that makes it.
pub(super) fn history_header(config: &Config, facts: &Facts, limit: u64) -> Header {
    let mut header = kvs_recording::header(
        &config.architecture,
        config.lattice,
        &facts.ports,
        config.seed,
    );
    if config.store.is_some() {
        header.architecture = config.store_name();
        header.lattice = String::new();
    }
    Header {
        promise: Some(config.promised()),
        limit: Some(Limit {
            operations: limit,
            one_key_in: HISTORY_SAMPLE,
        }),
        ..header
    }
}

/// Puts the record together.
pub(super) fn assemble(
    config: &Config,
    facts: &Facts,
    directory: &Directory,
    findings: Findings<'_>,
) -> RunRecord {
    let ports = &facts.ports;
    let warnings = warnings(config, &findings);
    let store = store_record(config, facts, &findings);
    let statistics = findings
        .measured
        .map_or_else(Statistics::default, Statistics::from);
    let void = void_reasons(&findings, &statistics);
    let objectives = config.slo.as_ref();
    let objectives =
        objectives.map_or_else(Vec::new, |slo| slo.judge(&statistics, !void.is_empty()));
    let nodes = findings
        .nodes
        .iter()
        .map(|(node, status)| node_record(ports, *node, status));
    let mut faults = findings.faults;
    if let Some(measured) = findings.measured {
        let Measured {
            pulse,
            series,
            end_ns,
            ..
        } = measured;
        pulse.judge(&mut faults.windows, series, *end_ns);
    }
    let recorded = findings.recorded.unwrap_or_default();
    let (verdict, staleness) = match findings.judged {
        Some(Judged {
            verdict, staleness, ..
        }) => (verdict, staleness),
        None => (unjudged(config, findings.interrupted), None),
    };
    let mut record = RunRecord {
        version: RUN_RECORD_VERSION,
        configuration: configuration(config, ports, store),
        machine: Machine::probe(),
        versions: config.versions.clone(),
        command: config.command(),
        started_at: findings.start.to_string(),
        directory: directory.path().display().to_string(),
        phases: findings.phases,
        statistics,
        staleness,
        faults,
        nodes: nodes.collect(),
        objectives,
        void,
        verdict,
        history: HistoryRecord {
            recorded: recorded.operations,
            operations: recorded.operations + recorded.left_out,
            complete: findings.recorded.is_some()
                && recorded.left_out == 0
                && !recorded.interrupted,
            limit: config.history_limit,
            unread: findings.unread,
        },
        warnings,
    };
    account_for(&mut record);
    record
}

/// Says in the verdict which faults came, and what of the test did not take place: a run is not valid
/// then, since the store did not pass it.
fn account_for(record: &mut RunRecord) {
    let (gaps, remark) = (record.gaps(), record.faults.remark());
    let verdict = &mut record.verdict;
    if !gaps.is_empty() && verdict.verdict == VerdictWord::Valid {
        verdict.verdict = VerdictWord::Unknown;
    }
    verdict.gaps.extend(gaps);
    verdict.remarks.extend(remark);
}

fn configuration(
    config: &Config,
    ports: &ServerPorts,
    store: Option<StoreRecord>,
) -> Configuration {
    let workload = config.workload();
    Configuration {
        architecture: config.store_name(),
        lattice: { config.store.is_none() }
            .then(|| lattice(config))
            .flatten(),
        nodes: ports.nodes().count() as u32,
        spares: { ports.groups().iter() }
            .flat_map(|group| group.spares.iter().map(|node| u32::from(node.0)))
            .collect(),
        groups: ports.groups().len() as u32,
        routing: config.policy.routing.name().to_owned(),
        context: config.policy.context,
        host: config.host.name().to_owned(),
        durability: config.durability.name().to_owned(),
        workload: WorkloadRecord {
            name: workload.name.clone(),
            summary: workload.to_string(),
            settings: serde_json::to_value(workload).expect("a workload is plain data"),
        },
        sessions: workload.sessions,
        connections: ports.nodes().count() as u32,
        rate: workload.rate,
        seed: config.seed,
        bug: config.bug.map(|bug| bug.name().to_owned()),
        store,
    }
}

/// What is known of a foreign store.
fn store_record(config: &Config, facts: &Facts, findings: &Findings<'_>) -> Option<StoreRecord> {
    let told = StoreRecord {
        version: findings.version.clone(),
        says: facts.says.clone(),
        adapter: OWN_ADAPTER.to_owned(),
        options: BTreeMap::new(),
        endpoints: Vec::new(),
        pipe: None,
        cleaned: None,
    };
    let store = match config.store.as_ref()? {
        Foreign::File(store) => store,
        Foreign::Own(_) => return Some(told),
    };
    let definition = &store.definition;
    Some(StoreRecord {
        adapter: match &definition.adapter.builtin {
            Some(builtin) => builtin.clone(),
            None => definition.adapter.command.join(" "),
        },
        options: store.options.clone(),
        endpoints: store.endpoints.clone(),
        pipe: findings.price.map(|price| PipeRecord {
            operations_per_s: price.operations_per_s,
            p50_ns: price.p50_ns,
        }),
        cleaned: findings.cleaned,
        ..told
    })
}

fn node_record(
    ports: &ServerPorts,
    node: NodeId,
    status: &Result<NodeRecord, String>,
) -> NodeRecord {
    let group = ports
        .groups()
        .iter()
        .find(|group| group.members().any(|member| member == node));
    let group = u32::from(group.expect("every node is in a group").id.0);
    let node = u32::from(node.0);
    match status {
        Ok(told) => NodeRecord {
            node,
            group,
            ..told.clone()
        },
        Err(reason) => NodeRecord {
            node,
            group,
            fate: Some(reason.clone()),
            ..NodeRecord::default()
        },
    }
}

fn void_reasons(findings: &Findings<'_>, statistics: &Statistics) -> Vec<String> {
    let mut reasons = Vec::new();
    if findings.interrupted {
        reasons.push("the run was interrupted".to_owned());
    } else if findings.measured.is_none() {
        reasons.push("nothing was measured".to_owned());
    } else {
        reasons = statistics.throughput.void_reasons();
    }
    reasons
}

fn warnings(config: &Config, findings: &Findings<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if findings.load_errors > 0 {
        warnings.push(format!(
            "{} of {} records could not be loaded: reads of their keys find nothing",
            findings.load_errors,
            config.workload().records
        ));
    }
    if findings.load_diverged {
        warnings.push("the replicas still disagreed when the workload began".to_owned());
    }
    if let Some(quiescence) = &findings.quiescence {
        if quiescence.moved {
            warnings.push(format!(
                "the replicas still took in updates {} s after the load: nothing was read back",
                super::QUIESCE_MAX.as_secs()
            ));
        } else if quiescence.is_known && !quiescence.converged {
            warnings.push(format!(
                "the replicas did not agree after the load, though nothing changed for {} s",
                super::QUIESCE_TIMEOUT.as_secs()
            ));
        }
        for node in &quiescence.lacking {
            warnings.push(format!(
                "node {node} came back empty and never recovered what it had acknowledged"
            ));
        }
        for (node, reason) in &quiescence.unreachable {
            warnings.push(format!(
                "node {node} could not be asked after the load: {reason}; see nodes/{node}.log"
            ));
        }
    }
    if findings.inserts_withheld > 0 {
        warnings.push(format!(
            "{} inserts became updates, since {UNACKNOWLEDGED_INSERTS_MAX} were without an answer: \
             the mix is not the one that was asked for",
            findings.inserts_withheld
        ));
    }
    if let Some(left_out) = findings.recorded.map(|end| end.left_out)
        && left_out > 0
    {
        warnings.push(format!(
            "the history limit was reached: {left_out} operations on keys outside a sample of one \
             in {HISTORY_SAMPLE} were not recorded; raise --history-limit to judge them too"
        ));
    }
    warnings.extend(findings.complaints.iter().cloned());
    if let Some(bug) = config.bug {
        warnings.push(format!(
            "the store was built with the planted bug {}",
            bug.name()
        ));
    }
    warnings
}

fn unjudged(config: &Config, interrupted: bool) -> VerdictRecord {
    let reason = if interrupted {
        "the run was interrupted before its history was checked"
    } else {
        "no history was recorded (--no-history)"
    };
    VerdictRecord {
        promise: config.promised().name().to_owned(),
        verdict: VerdictWord::Unknown,
        reason: Some(reason.to_owned()),
        gaps: Vec::new(),
        remarks: Vec::new(),
        disagreement: false,
        engines: Vec::new(),
        models: Vec::new(),
        lost_writes: None,
        anomalies: Vec::new(),
    }
}

/// Saves everything that is made from the record and the measurements, the record itself last.
pub(super) fn save(
    directory: &Directory,
    record: &RunRecord,
    measured: Option<&Measured>,
    attachments: &[Attachment],
    screen: &str,
) -> anyhow::Result<()> {
    if let Some(measured) = measured {
        measured
            .save(directory.path())
            .context("writing the measurements")?;
    }
    for Attachment { name, contents } in attachments {
        directory
            .write(name, contents)
            .with_context(|| format!("writing {name}"))?;
    }
    directory
        .write(REPORT_FILE, screen.as_bytes())
        .with_context(|| format!("writing {REPORT_FILE}"))?;
    record.save(directory.path()).context("writing run.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvs_measure::{FaultCoverage, Throughput};

    /// What becomes of a verdict on a run, as `change` makes it.
    fn accounted(verdict: VerdictWord, change: impl FnOnce(&mut RunRecord)) -> VerdictRecord {
        let stored = include_str!("../../../../tests/testdata/records/before-faults.json");
        let mut record: RunRecord = serde_json::from_str(stored).expect("a record");
        record.verdict.verdict = verdict;
        change(&mut record);
        account_for(&mut record);
        record.verdict
    }

    fn judged(verdict: VerdictWord, coverage: &[FaultCoverage]) -> VerdictRecord {
        accounted(verdict, |record| record.faults.coverage = coverage.to_vec())
    }

    #[test]
    fn a_run_whose_nemesis_failed_or_whose_last_reads_nobody_answered_is_not_valid() {
        let failed = |record: &mut RunRecord| record.faults.failures = vec!["no".to_owned()];
        let unread = |record: &mut RunRecord| record.history.unread = 3;
        let gaps = |change: fn(&mut RunRecord)| {
            let judged = accounted(VerdictWord::Valid, change);
            assert_eq!(judged.verdict, VerdictWord::Unknown);
            judged.gaps
        };
        assert_eq!(gaps(failed), ["the nemesis failed: no"]);
        assert_eq!(gaps(unread), ["in the end nobody answered for 3 keys"]);
        let invalid = accounted(VerdictWord::Invalid, unread);
        assert_eq!(invalid.verdict, VerdictWord::Invalid);
        let control = accounted(VerdictWord::Valid, |_| ());
        assert_eq!(
            (control.verdict, control.gaps.len()),
            (VerdictWord::Valid, 0)
        );
    }

    #[test]
    fn a_run_in_which_nothing_succeeded_is_not_valid_though_what_was_loaded_is() {
        let judged = |operations, errors| {
            accounted(VerdictWord::Valid, |record| {
                record.statistics.throughput = Throughput {
                    operations,
                    errors,
                    ..Throughput::default()
                };
            })
        };
        let idle = judged(0, 12);
        assert_eq!(idle.verdict, VerdictWord::Unknown);
        let gap = "none of the 12 operations of the measured part succeeded";
        assert_eq!(idle.gaps, [gap]);
        assert_eq!(judged(1, 12).verdict, VerdictWord::Valid, "the control");
    }

    fn kills(installed: u64) -> FaultCoverage {
        FaultCoverage {
            kind: "kill".to_owned(),
            at_random: true,
            installed,
            ..FaultCoverage::default()
        }
    }

    #[test]
    fn a_nemesis_that_installs_nothing_makes_a_valid_run_unknown_and_leaves_a_violation_alone() {
        let idle = judged(VerdictWord::Valid, &[kills(0)]);
        assert_eq!(idle.verdict, VerdictWord::Unknown);
        let gap = "no kill was installed: the run ended before it was due";
        assert_eq!(idle.gaps, [gap]);
        let broken = judged(VerdictWord::Invalid, &[kills(0)]);
        assert_eq!(broken.verdict, VerdictWord::Invalid);
        let busy = judged(VerdictWord::Valid, &[kills(2)]);
        assert_eq!(busy.verdict, VerdictWord::Valid, "the control");
        assert_eq!(busy.remarks, ["faults: 2 kills"]);
        let calm = judged(VerdictWord::Valid, &[]);
        assert_eq!(calm.verdict, VerdictWord::Valid);
        assert!(calm.gaps.is_empty() && calm.remarks.is_empty());
    }

    #[test]
    fn every_given_time_needs_its_fault_and_every_random_kind_one() {
        let pause = |written, written_installed, missed: Option<&str>| FaultCoverage {
            kind: "pause".to_owned(),
            written,
            installed: written_installed,
            written_installed,
            missed: missed.map(str::to_owned),
            ..FaultCoverage::default()
        };
        let half = judged(VerdictWord::Valid, &[kills(1), pause(2, 1, Some("why"))]);
        assert_eq!(half.verdict, VerdictWord::Unknown);
        assert_eq!(
            half.gaps,
            ["1 of 2 given times for a pause passed without one: why"]
        );
        assert_eq!(half.remarks, ["faults: 1 kill, 1 pause"]);
        let none = judged(VerdictWord::Valid, &[kills(0), pause(1, 0, None)]);
        assert_eq!(none.gaps.len(), 2);
        assert_eq!(none.remarks, [""; 0]);
        let whole = judged(VerdictWord::Valid, &[kills(1), pause(2, 2, None)]);
        assert_eq!(whole.verdict, VerdictWord::Valid, "the control");
    }
}
