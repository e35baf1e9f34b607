//! One run of the zoo, from start to verdict: [`client`] drives the load over connections, and
//! [`run`] starts the nodes, decides which phase is on, breaks what is to be broken, and has the
//! history judged. What it runs is one of [`targets`].

pub mod client;
pub mod run;
pub mod targets;
mod wording;
