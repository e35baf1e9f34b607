//! etcd through its JSON gateway: one request at a time on each of some HTTP connections a node.

mod clean;
mod connection;
mod errors;
mod gateway;
mod leadership;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

use kvs_target::{Evidence, Leadership, Operations};

use super::store::{Builtin, PrimaryBuiltin};
use connection::EtcdConnector;
use leadership::EtcdLeadership;

/// The store's option that says how reads are answered.
const CONSISTENCY_OPTION: &str = "consistency";
const SERIALIZABLE: &str = "serializable";

/// How this program speaks to etcd.
pub(super) const BUILTIN: Builtin = Builtin {
    name: "etcd",
    operations: Operations {
        compare_and_set: true,
        delete: true,
    },
    // The revision of each write orders them all.
    evidence: |_| Evidence::Versions,
    connector: |speech| Ok(Rc::new(EtcdConnector::new(speech)?)),
    clean: |speech, _| Box::pin(clean::clean(speech)),
};

/// Asks each node whether it leads.
pub(super) const LEADER: PrimaryBuiltin = PrimaryBuiltin {
    name: "etcd",
    leadership: |speech| Rc::new(EtcdLeadership::new(speech)) as Rc<dyn Leadership>,
};

/// Whether reads are answered from what the node that is asked has.
fn is_serializable(options: &BTreeMap<String, String>) -> bool {
    options.get(CONSISTENCY_OPTION).map(String::as_str) == Some(SERIALIZABLE)
}
