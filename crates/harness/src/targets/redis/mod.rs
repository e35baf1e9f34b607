//! Redis, and other stores with its protocol: RESP2 over one pipelined connection for each node.

mod clean;
mod connection;
mod errors;
mod exchange;
mod leadership;
mod pump;
mod resp;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use kvs_target::{Evidence, Leadership, Operations};

use super::store::{Builtin, PrimaryBuiltin};
use connection::RedisConnector;
use leadership::{Asked, RedisLeadership};

/// The store's option that says how many replicas each write waits for.
const WAIT_OPTION: &str = "wait";

/// How this program speaks to Redis.
pub(super) const BUILTIN: Builtin = Builtin {
    name: "redis",
    operations: Operations {
        compare_and_set: true,
        delete: true,
    },
    // Nothing that a reply says survives a fail-over.
    evidence: |_| Evidence::None,
    connector: |speech| Ok(Rc::new(RedisConnector::new(speech)?)),
    clean: |speech, keys_end| Box::pin(clean::clean(speech, keys_end)),
};

/// Asks each server whether it is the primary.
pub(super) const ROLE: PrimaryBuiltin = PrimaryBuiltin {
    name: "redis",
    leadership: |speech| Rc::new(RedisLeadership::new(speech, Asked::Server)) as Rc<dyn Leadership>,
};

/// Asks the Sentinels.
pub(super) const SENTINEL: PrimaryBuiltin = PrimaryBuiltin {
    name: "sentinel",
    leadership: |speech| {
        Rc::new(RedisLeadership::new(speech, Asked::Sentinel)) as Rc<dyn Leadership>
    },
};
