//! What contradicts itself in a store's file.

use super::{Adapter, Definition, From, NODES_MAX, On, Process, To};

impl Definition {
    /// What is wrong with it, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        let Adapter {
            builtin, command, ..
        } = &self.adapter;
        if self.name.is_empty() {
            return Some("name is empty: give the store a name".to_owned());
        }
        if builtin.is_some() != command.is_empty() {
            return Some(
                "[adapter] needs either `builtin`, a client of kvs-bench's own, or `command`, a \
                 program that speaks the adapter protocol"
                    .to_owned(),
            );
        }
        if let Some(primary) = &self.primary
            && primary.builtin.is_some() != primary.command.is_empty()
        {
            return Some("[primary] needs either `builtin` or `command`".to_owned());
        }
        if { self.auth.as_ref() }.is_some_and(|auth| auth.password.is_none()) {
            return Some(
                "[auth] needs `password`, the name of the environment variable that holds it"
                    .to_owned(),
            );
        }
        let goes_there = self.write.to == To::Primary || self.read.from == From::Primary;
        if goes_there && self.primary.is_none() {
            return Some(
                "[read] or [write] goes to the primary, and nothing says how to ask which node that \
                 is: add [primary]"
                    .to_owned(),
            );
        }
        self.nodes_problem().or_else(|| self.options_problem())
    }

    fn nodes_problem(&self) -> Option<String> {
        let count = self.count();
        if !(1..=NODES_MAX).contains(&count) {
            return Some(format!(
                "nodes.count is {count}: it must be from 1 to {NODES_MAX}"
            ));
        }
        if self.nodes.is_none() && !self.process.is_empty() {
            return Some("[[process]] needs [nodes]: how many nodes are there?".to_owned());
        }
        let ports = self.nodes.as_ref().map_or(&[][..], |nodes| &nodes.ports);
        let known = |port: &String| ports.contains(port);
        let readies = { &self.nodes }
            .iter()
            .filter_map(|nodes| nodes.ready.as_ref());
        let readies = readies.chain(self.process.iter().filter_map(|it| it.ready.as_ref()));
        for ready in readies {
            let named = ready.tcp.iter().chain(&ready.http);
            if let Some(port) = named.clone().find(|port| !known(port)) {
                return Some(format!(
                    "ready asks the port {port:?}, which nodes.ports has not"
                ));
            }
            if named.count() + usize::from(!ready.command.is_empty()) != 1 {
                return Some("ready needs one of `tcp`, `http` and `command`".to_owned());
            }
        }
        let outside = |process: &&Process| match &process.on {
            On::Each => false,
            On::Node(node) => *node >= count,
            On::Nodes(nodes) => nodes.iter().any(|node| *node >= count),
        };
        let process = self.process.iter().find(outside)?;
        Some(format!(
            "the process {:?} runs on a node that is not there: there are {count}, from 0 on",
            process.name
        ))
    }

    fn options_problem(&self) -> Option<String> {
        let (name, choice) = self.options.iter().find(|(_, choice)| {
            !choice.values.is_empty() && !choice.values.contains(&choice.default)
        })?;
        Some(format!(
            "the default of options.{name}, {:?}, is not among its values",
            choice.default
        ))
    }
}
