//! Which keys somebody has shown, of those that were to be read in the end.

use crate::client::work::Plan;

/// What became of a key's last reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    /// Nobody is to be asked for it.
    #[default]
    NotWanted,
    /// Nobody that was asked has answered.
    Wanted,
    /// Some node has told what it holds, or that it holds nothing.
    Shown,
}

/// An account of the last reads, a byte for each key.
#[derive(Debug, Default)]
pub(super) struct Shown {
    keys: Vec<Key>,
}

impl Shown {
    /// These reads are to come, unless the plan has none. What was shown before stays so.
    pub(super) fn expect(&mut self, plan: &Plan) {
        match plan {
            Plan::Load(_) | Plan::Run { .. } => {}
            Plan::Sweep { keys } => keys.clone().for_each(|key| self.want(key)),
            Plan::Final { reads, .. } => {
                for key in reads.iter().flat_map(|(_, keys)| keys) {
                    self.want(*key);
                }
            }
        }
    }

    fn want(&mut self, key: u64) {
        let key = key as usize;
        if key >= self.keys.len() {
            self.keys.resize(key + 1, Key::NotWanted);
        }
        if self.keys[key] == Key::NotWanted {
            self.keys[key] = Key::Wanted;
        }
    }

    /// A node has answered for a key.
    pub(super) fn show(&mut self, key: u64) {
        if let Some(wanted @ Key::Wanted) = self.keys.get_mut(key as usize) {
            *wanted = Key::Shown;
        }
    }

    /// How many keys nobody has answered for.
    pub(super) fn missing(&self) -> u64 {
        let keys = self.keys.iter();
        keys.filter(|key| **key == Key::Wanted).count() as u64
    }
}
