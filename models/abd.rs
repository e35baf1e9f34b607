//! An oracle for the replicas of a quorum: the same algorithm once more, as stateright actors that
//! share no code with them (Attiya, Bar-Noy, Dolev, *Sharing memory robustly in message-passing
//! systems*, 1995; for several writers: Lynch, Shvartsman, *Robust emulation of shared memory using
//! dynamic quorum-acknowledged broadcasts*, 1997).
//!
//! It is plainer than the replicas: a server has one register, coordinates one operation at a time,
//! asks all others, and takes two rounds for each operation.

mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use kvs_check::checker::StoreOp;
use stateright::actor::register::RegisterActor;
use stateright::actor::register::RegisterMsg::{self, Get, GetOk, Internal, Put, PutOk};
use stateright::actor::{
    Actor, ActorModel, ActorModelState, Envelope, Id, Network, Out, model_peers, model_timeout,
};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

use crate::client::Step;
use crate::recording::{RegisterReturn, Registers};

/// What clients did, in real time.
type History = LinearizabilityTester<u32, Registers>;
/// A system of servers and clients; it knows how many of the first there are.
type System<A> = ActorModel<A, usize, History>;

/// The key whose register it is.
const KEY: &str = "k";
/// More than there are members.
const REQUESTS_APART: usize = 100;
/// What a register holds that nobody has put.
const NOTHING: char = '\0';

type Message = RegisterMsg<u64, char, Words>;
/// A value with its version before it: a counter, and the server that coordinated the put.
type Stamped = ((u64, Id), char);

/// What servers say to one another, each with the name of the request that it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Words {
    Ask(u64),
    Answer(u64, Stamped),
    Write(u64, Stamped),
    Written(u64),
}

/// Who takes part.
#[derive(Clone, Debug)]
enum Member {
    /// A server, with the others.
    Server(Vec<Id>),
    /// A client that goes through its script, and may begin each step at any time.
    Client(Vec<Step>),
}

/// What a member knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Server(Server),
    /// How many steps are over.
    Client(usize),
}

/// What a server knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    register: Stamped,
    under_way: Option<Operation>,
}

/// The operation that a server coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Operation {
    client: Id,
    request: u64,
    /// None for a get.
    put: Option<char>,
    round: Round,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Round {
    Asks(BTreeMap<Id, Stamped>),
    Writes(char, BTreeSet<Id>),
}

/// What a server sends, and to whom.
type Sent = Vec<(Id, Message)>;

impl Server {
    fn take(&mut self, id: Id, others: &[Id], from: Id, message: Message) -> Sent {
        match message {
            Put(request, value) => self.begin(id, others, from, request, Some(value)),
            Get(request) => self.begin(id, others, from, request, None),
            Internal(Words::Ask(request)) => {
                vec![(from, Internal(Words::Answer(request, self.register)))]
            }
            Internal(Words::Answer(request, stamped)) => {
                if let Some(Round::Asks(answers)) = self.round(request) {
                    answers.insert(from, stamped);
                    if answers.len() > others.len().div_ceil(2) {
                        return self.write(id, others);
                    }
                }
                Sent::new()
            }
            Internal(Words::Write(request, stamped)) => {
                self.register = self.register.max(stamped);
                vec![(from, Internal(Words::Written(request)))]
            }
            Internal(Words::Written(request)) => {
                if let Some(Round::Writes(_, written)) = self.round(request) {
                    written.insert(from);
                    if written.len() > others.len().div_ceil(2) {
                        return self.answer();
                    }
                }
                Sent::new()
            }
            PutOk(_) | GetOk(..) => unreachable!("servers send them"),
        }
    }

    /// The first round: what do the others have? A request waits while another is under way.
    fn begin(
        &mut self,
        id: Id,
        others: &[Id],
        client: Id,
        request: u64,
        put: Option<char>,
    ) -> Sent {
        if self.under_way.is_some() {
            return Sent::new();
        }
        self.under_way = Some(Operation {
            client,
            request,
            put,
            round: Round::Asks(BTreeMap::from([(id, self.register)])),
        });
        to_all(others, &Words::Ask(request))
    }

    /// The second round: a put writes one above the largest version, and a get what it found.
    fn write(&mut self, id: Id, others: &[Id]) -> Sent {
        let operation = self.under_way.as_mut().expect("it has its answers");
        let Round::Asks(answers) = &operation.round else {
            unreachable!("it has its answers");
        };
        let largest = *answers.values().max().expect("its own is among them");
        let ((counter, _), _) = largest;
        let written = operation
            .put
            .map_or(largest, |value| ((counter + 1, id), value));
        operation.round = Round::Writes(written.1, BTreeSet::from([id]));
        self.register = self.register.max(written);
        to_all(others, &Words::Write(operation.request, written))
    }

    fn answer(&mut self) -> Sent {
        let operation = self.under_way.take().expect("it is written");
        let answer = match operation.round {
            Round::Writes(value, _) if operation.put.is_none() => GetOk(operation.request, value),
            Round::Asks(_) | Round::Writes(..) => PutOk(operation.request),
        };
        vec![(operation.client, answer)]
    }

    fn round(&mut self, request: u64) -> Option<&mut Round> {
        let of_request = |operation: &&mut Operation| operation.request == request;
        let operation = self.under_way.as_mut().filter(of_request);
        operation.map(|operation| &mut operation.round)
    }

    /// Whether the request is under way and in its first round.
    fn asks(&self, request: u64) -> bool {
        let mut under_way = self.under_way.iter().filter(|it| it.request == request);
        under_way.any(|it| matches!(it.round, Round::Asks(_)))
    }

    /// Whether the request is under way and in its second round.
    fn writes(&self, request: u64) -> bool {
        let mut under_way = self.under_way.iter().filter(|it| it.request == request);
        under_way.any(|it| matches!(it.round, Round::Writes(..)))
    }
}

/// Without the messages that will change nothing any more, whatever happens: of rounds that are
/// over, but for what a server has yet to write. States that differ in those only are one then.
fn without_the_dead(
    mut state: ActorModelState<Member, History>,
) -> ActorModelState<Member, History> {
    let server = |id: Id| match &*state.actor_states[usize::from(id)] {
        State::Server(server) => server,
        State::Client(_) => unreachable!("these messages are between servers"),
    };
    let is_alive = |sent: &Envelope<&Message>| match sent.msg {
        Internal(Words::Ask(request)) => server(sent.src).asks(*request),
        Internal(Words::Answer(request, _)) => server(sent.dst).asks(*request),
        Internal(Words::Write(request, stamped)) => {
            server(sent.src).writes(*request) || server(sent.dst).register < *stamped
        }
        Internal(Words::Written(request)) => server(sent.dst).writes(*request),
        Put(..) | Get(_) | PutOk(_) | GetOk(..) => true,
    };
    let alive = state.network.iter_deliverable().filter(is_alive);
    let alive: Vec<_> = alive.map(|sent| sent.to_cloned_msg()).collect();
    state.network = Network::new_unordered_nonduplicating(alive);
    state
}

fn to_all(others: &[Id], words: &Words) -> Sent {
    let to = |other: &Id| (*other, Internal(words.clone()));
    others.iter().map(to).collect()
}

impl Actor for Member {
    type Msg = Message;
    type State = State;
    type Timer = ();
    type Random = ();
    type Storage = ();

    fn on_start(&self, _: Id, _: &Option<()>, out: &mut Out<Self>) -> State {
        match self {
            Self::Server(_) => State::Server(Server {
                register: ((0, Id::from(0)), NOTHING),
                under_way: None,
            }),
            Self::Client(_) => {
                out.set_timer((), model_timeout());
                State::Client(0)
            }
        }
    }

    fn on_msg(
        &self,
        id: Id,
        state: &mut Cow<'_, State>,
        from: Id,
        message: Message,
        out: &mut Out<Self>,
    ) {
        match (self, &**state) {
            (Self::Server(others), State::Server(server)) => {
                let mut next = server.clone();
                for (to, message) in next.take(id, others, from, message) {
                    out.send(to, message);
                }
                // Whatever changes nothing stays in flight, such as a request that has to wait.
                if next != *server {
                    *state = Cow::Owned(State::Server(next));
                }
            }
            (Self::Client(script), State::Client(over)) => {
                let over = *over + 1;
                *state = Cow::Owned(State::Client(over));
                if over < script.len() {
                    out.set_timer((), model_timeout());
                }
            }
            (Self::Server(_), State::Client(_)) | (Self::Client(_), State::Server(_)) => {
                unreachable!("its state is its own")
            }
        }
    }

    fn on_timeout(&self, id: Id, state: &mut Cow<'_, State>, (): &(), out: &mut Out<Self>) {
        let (Self::Client(script), State::Client(over)) = (self, &**state) else {
            unreachable!("only clients have timers");
        };
        let step = script[*over];
        let server = usize::try_from(step.node).expect("one of a few");
        let request = (usize::from(id) + over * REQUESTS_APART) as u64;
        let message = match step.value {
            Some(value) => Put(request, value.chars().next().expect("one letter")),
            None => Get(request),
        };
        out.send(Id::from(server), message);
    }
}

/// The servers, as many as there are others to each and one.
fn servers(count: usize) -> impl Iterator<Item = Member> {
    (0..count).map(move |server| Member::Server(model_peers(server, count)))
}

fn system<A: Actor<Msg = Message, Timer = ()>>(
    servers: usize,
    members: impl Iterator<Item = A>,
) -> System<A> {
    ActorModel::new(servers, History::new(Registers::default()))
        .actors(members)
        .init_network(Network::new_unordered_nonduplicating([]))
        .record_msg_out(asked)
        .record_msg_in(answered)
}

/// So many servers, and clients with these scripts.
fn scripted(count: usize, scripts: &[Vec<Step>]) -> System<Member> {
    let clients = scripts.iter().cloned().map(Member::Client);
    system(count, servers(count).chain(clients))
}

/// So many servers, and so many of stateright's own clients: each puts once, then gets once.
fn plain(count: usize, clients: usize) -> System<RegisterActor<Member>> {
    let client = RegisterActor::Client {
        put_count: 1,
        server_count: count,
    };
    let clients = std::iter::repeat_n(client, clients);
    system(
        count,
        servers(count).map(RegisterActor::Server).chain(clients),
    )
}

fn session(servers: usize, client: Id) -> u32 {
    u32::try_from(usize::from(client) - servers).expect("one of a few")
}

fn asked(servers: &usize, history: &History, sent: Envelope<&Message>) -> Option<History> {
    let op = match sent.msg {
        Put(_, value) => StoreOp::Put(KEY, value.to_string()),
        Get(_) => StoreOp::Get(KEY),
        PutOk(_) | GetOk(..) | Internal(_) => return None,
    };
    let mut history = history.clone();
    history
        .on_invoke(session(*servers, sent.src), op)
        .expect("it waits for nothing else");
    Some(history)
}

fn answered(servers: &usize, history: &History, sent: Envelope<&Message>) -> Option<History> {
    let answer = match sent.msg {
        PutOk(_) => RegisterReturn::Put,
        GetOk(_, NOTHING) => RegisterReturn::Get(None),
        GetOk(_, value) => RegisterReturn::Get(Some(value.to_string())),
        Put(..) | Get(_) | Internal(_) => return None,
    };
    let mut history = history.clone();
    history
        .on_return(session(*servers, sent.dst), answer)
        .expect("it waits");
    Some(history)
}
