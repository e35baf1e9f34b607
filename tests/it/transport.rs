//! The transport between two endpoints of one process: who is let in, what is malformed, what
//! full windows do.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use kvs_zoo::protocol::{
    Dot, NodeId, Operation, PutWitness, Request, Response, Sibling, VALUE_BYTES_MAX,
};
use kvs_zoo::transport::codec::{append_request, decode_request};
use kvs_zoo::transport::frame::{REQUEST_BYTES_MAX, append_message, decode_message};
use kvs_zoo::transport::pump::{Bounds, FrameHandler, StreamEnd, pump};
use kvs_zoo::transport::quic::{AcceptError, Accepted};
use kvs_zoo::transport::{
    Caller, CertificateAuthority, CloseCode, DialError, Endpoint, Identity, Link, Malformed,
    OwnedResponse, OwnedWitness, Peer, Role,
};

use crate::program::{awaited, on_runtime};

const NODE: NodeId = NodeId(7);

const GET: Request<'static> = Request {
    key: b"k",
    operation: Operation::Get,
    context: &[],
    call: None,
};

/// A node that answers every get with one value of `value_bytes` bytes and every put with its
/// context, and notes how each connection ended.
struct Answerer {
    addr: SocketAddr,
    ends: Rc<RefCell<Vec<StreamEnd>>>,
    refusals: Rc<RefCell<Vec<AcceptError>>>,
    peers: Rc<RefCell<Vec<(Peer, Role)>>>,
    outbox_bytes: Rc<Cell<usize>>,
}

const ANSWERER_OUTBOX_BYTES_MAX: usize = 64 << 10;

impl Answerer {
    fn start(identity: &Identity, value_bytes: usize) -> Self {
        let endpoint = Endpoint::node(identity, ([127, 0, 0, 1], 0).into()).unwrap();
        let answerer = Self {
            addr: endpoint.local_addr().unwrap(),
            ends: Rc::default(),
            refusals: Rc::default(),
            peers: Rc::default(),
            outbox_bytes: Rc::default(),
        };
        let ends = Rc::clone(&answerer.ends);
        let refusals = Rc::clone(&answerer.refusals);
        let peers = Rc::clone(&answerer.peers);
        let outbox_bytes = Rc::clone(&answerer.outbox_bytes);
        tokio::task::spawn_local(async move {
            while let Some(arrival) = endpoint.arrival().await {
                let (ends, refusals) = (Rc::clone(&ends), Rc::clone(&refusals));
                let (peers, outbox_bytes) = (Rc::clone(&peers), Rc::clone(&outbox_bytes));
                tokio::task::spawn_local(async move {
                    match arrival.accept().await {
                        Ok(accepted) => {
                            peers.borrow_mut().push((accepted.peer, accepted.role));
                            let end = answer(accepted, value_bytes, &outbox_bytes).await;
                            ends.borrow_mut().push(end);
                        }
                        Err(error) => refusals.borrow_mut().push(error),
                    }
                });
            }
        });
        answerer
    }
}

async fn answer(accepted: Accepted, value_bytes: usize, outbox_bytes: &Cell<usize>) -> StreamEnd {
    struct Handler<'a> {
        outbox: &'a kvs_zoo::transport::Outbox,
        value: Vec<u8>,
        dots: Vec<Dot>,
        outbox_bytes: &'a Cell<usize>,
    }
    impl FrameHandler for Handler<'_> {
        fn frame(&mut self, payload: &[u8]) -> Result<(), Malformed> {
            let (id, request) = decode_request(payload, &mut self.dots)?;
            let response = match request.operation {
                Operation::Get => Response::Get {
                    vector: &[],
                    siblings: &[Sibling {
                        value: &self.value,
                        witness: PutWitness::None,
                    }],
                },
                Operation::Put { .. } | Operation::Cas { .. } => {
                    Response::Put(PutWitness::Causal {
                        dot: Dot(1),
                        vector: request.context,
                    })
                }
            };
            self.outbox.response(id, &response).unwrap();
            let largest = self.outbox_bytes.get().max(self.outbox.len());
            self.outbox_bytes.set(largest);
            Ok(())
        }
    }
    let outbox = kvs_zoo::transport::Outbox::default();
    let mut handler = Handler {
        outbox: &outbox,
        value: vec![7; value_bytes],
        dots: Vec::new(),
        outbox_bytes,
    };
    let bounds = Bounds {
        frame_bytes_max: REQUEST_BYTES_MAX,
        outbox_bytes_max: ANSWERER_OUTBOX_BYTES_MAX,
    };
    let end = pump(accepted.send, accepted.recv, &outbox, &mut handler, bounds).await;
    if let StreamEnd::Malformed(_) = end {
        accepted.connection.close(CloseCode::Malformed.into(), b"");
    }
    end
}

#[test]
fn a_client_asks_and_is_answered_on_one_connection() {
    on_runtime(async {
        let authority = CertificateAuthority::new().unwrap();
        let node = Answerer::start(&authority.node(NODE).unwrap(), 3);
        let endpoint = Endpoint::client(&authority.client().unwrap()).unwrap();
        let caller = Caller::dial(&endpoint, node.addr, NODE).await.unwrap();
        let context = [Dot(3), Dot(1 << 40)];
        let put = Request {
            key: b"k",
            operation: Operation::Put { value: b"v" },
            context: &context,
            call: None,
        };
        let (got, put) = tokio::join!(caller.call(&GET), caller.call(&put));
        let OwnedResponse::Get { siblings, .. } = got.unwrap() else {
            panic!("a get is answered as a get");
        };
        assert_eq!(siblings[0].value, [7; 3]);
        let expected = OwnedResponse::Put(OwnedWitness::Causal {
            dot: Dot(1),
            vector: context.into_iter().collect(),
        });
        assert_eq!(put.unwrap(), expected);
        assert_eq!(*node.peers.borrow(), [(Peer::Client, Role::Requests)]);
    });
}

#[test]
fn a_node_dials_as_itself_and_only_to_send_messages() {
    on_runtime(async {
        let authority = CertificateAuthority::new().unwrap();
        let node = Answerer::start(&authority.node(NODE).unwrap(), 3);
        let other = authority.node(NodeId(2)).unwrap();
        let endpoint = Endpoint::node(&other, ([127, 0, 0, 1], 0).into()).unwrap();
        let messages = endpoint.dial(node.addr, NODE, Role::Messages).await;
        let asking = endpoint.dial(node.addr, NODE, Role::Requests).await;
        assert!(messages.is_ok());
        assert!(matches!(asking, Err(DialError::Refused { .. })));
        let expected = [(Peer::Node(NodeId(2)), Role::Messages)];
        assert_eq!(*node.peers.borrow(), expected);
        awaited(|| node.refusals.borrow().len() == 1).await;
    });
}

#[test]
fn a_client_may_send_no_messages() {
    on_runtime(async {
        let authority = CertificateAuthority::new().unwrap();
        let node = Answerer::start(&authority.node(NODE).unwrap(), 3);
        let endpoint = Endpoint::client(&authority.client().unwrap()).unwrap();
        let messages = endpoint.dial(node.addr, NODE, Role::Messages).await;
        assert!(matches!(messages, Err(DialError::Refused { .. })));
        assert!(node.peers.borrow().is_empty());
    });
}

/// Both sides see a refusal, and the node serves nobody.
#[track_caller]
fn check_refused(endpoint: impl Fn(&CertificateAuthority) -> Endpoint + 'static, node: NodeId) {
    on_runtime(async move {
        let authority = CertificateAuthority::new().unwrap();
        let answerer = Answerer::start(&authority.node(NODE).unwrap(), 3);
        let dialled = Link::dial(&endpoint(&authority), answerer.addr, node).await;
        assert!(matches!(dialled, Err(DialError::Refused { .. })));
        awaited(|| !answerer.refusals.borrow().is_empty()).await;
        assert!(matches!(
            answerer.refusals.borrow()[..],
            [AcceptError::Refused { .. }]
        ));
        assert!(answerer.peers.borrow().is_empty());
    });
}

#[test]
fn a_client_of_another_run_is_refused_by_the_node() {
    check_refused(
        |authority| {
            let ours = authority.client().unwrap();
            let foreign = CertificateAuthority::new().unwrap().client().unwrap();
            // It trusts the node, so that only the node's own check can refuse it.
            Endpoint::client(&foreign.trusting(&ours)).unwrap()
        },
        NODE,
    );
}

#[test]
fn a_node_of_another_run_is_refused_by_the_client() {
    check_refused(
        |authority| {
            let foreign = CertificateAuthority::new().unwrap().client().unwrap();
            Endpoint::client(&authority.client().unwrap().trusting(&foreign)).unwrap()
        },
        NODE,
    );
}

#[test]
fn a_client_whose_certificate_has_expired_is_refused_by_the_node() {
    check_refused(
        |authority| Endpoint::client(&authority.expired_client().unwrap()).unwrap(),
        NODE,
    );
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    check_refused(
        |authority| Endpoint::anonymous(&authority.client().unwrap()).unwrap(),
        NODE,
    );
}

#[test]
fn a_node_under_another_name_is_refused_by_the_client() {
    check_refused(
        |authority| Endpoint::client(&authority.client().unwrap()).unwrap(),
        NodeId(8),
    );
}

/// Sends `bytes` instead of requests: that connection ends as `expected`, and one that was
/// there before goes on.
#[track_caller]
fn check_malformed(bytes: Vec<u8>, then_finish: bool, expected: Malformed) {
    on_runtime(async move {
        let authority = CertificateAuthority::new().unwrap();
        let node = Answerer::start(&authority.node(NODE).unwrap(), 3);
        let endpoint = Endpoint::client(&authority.client().unwrap()).unwrap();
        let bystander = Caller::dial(&endpoint, node.addr, NODE).await.unwrap();
        bystander.call(&GET).await.unwrap();

        let mut streams = endpoint
            .dial(node.addr, NODE, Role::Requests)
            .await
            .unwrap();
        streams.send.write_all(&bytes).await.unwrap();
        if then_finish {
            streams.send.finish().unwrap();
        }
        let quinn::ConnectionError::ApplicationClosed(close) = streams.connection.closed().await
        else {
            panic!("the node closes the connection");
        };
        assert_eq!(close.error_code, CloseCode::Malformed.into());
        assert!(
            matches!(node.ends.borrow()[..], [StreamEnd::Malformed(found)] if found == expected)
        );
        bystander.call(&GET).await.unwrap();
    });
}

#[test]
fn an_oversized_frame_closes_only_its_connection() {
    let length = REQUEST_BYTES_MAX + 1;
    let expected = Malformed::TooLong {
        length,
        max: REQUEST_BYTES_MAX,
    };
    let prefix = u32::try_from(length).unwrap().to_le_bytes();
    check_malformed(prefix.to_vec(), false, expected);
}

#[test]
fn a_frame_of_nonsense_closes_only_its_connection() {
    let mut bytes = 20_u32.to_le_bytes().to_vec();
    bytes.extend([0xff; 20]);
    check_malformed(bytes, false, Malformed::Length("vector"));
}

#[test]
fn a_stream_that_ends_in_a_frame_closes_only_its_connection() {
    let mut bytes = Vec::new();
    append_request(&mut bytes, 1, &GET).unwrap();
    bytes.pop();
    check_malformed(bytes, true, Malformed::Truncated("stream"));
}

#[test]
fn requests_before_a_malformed_frame_are_answered() {
    on_runtime(async {
        let authority = CertificateAuthority::new().unwrap();
        let node = Answerer::start(&authority.node(NODE).unwrap(), 3);
        let endpoint = Endpoint::client(&authority.client().unwrap()).unwrap();
        let link = Link::dial(&endpoint, node.addr, NODE).await.unwrap();
        let outbox = link.outbox();
        outbox.request(1, &GET).unwrap();
        let answered = Cell::new(0);
        let end = link
            .run(|id: u32, _: &Response<'_>| {
                answered.set(id);
                // Legal to encode and illegal to receive.
                let empty_key = Request { key: b"", ..GET };
                outbox.request(2, &empty_key).unwrap();
            })
            .await;
        assert_eq!(answered.get(), 1);
        assert!(matches!(end, StreamEnd::Lost(_) | StreamEnd::GivenUp(_)));
        assert!(outbox.is_closed());
    });
}

/// Far more is asked and answered than all windows hold, at once.
#[test]
fn full_windows_in_both_directions_never_deadlock_and_the_outbox_stays_bounded() {
    const REQUESTS: u32 = 600;
    on_runtime(async {
        let authority = CertificateAuthority::new().unwrap();
        let value_bytes = 100_000;
        let node = Answerer::start(&authority.node(NODE).unwrap(), value_bytes);
        let endpoint = Endpoint::client(&authority.client().unwrap()).unwrap();
        let link = Link::dial(&endpoint, node.addr, NODE).await.unwrap();
        let outbox = link.outbox();
        let value = vec![1; value_bytes];
        for id in 0..REQUESTS {
            let operation = if id % 2 == 0 {
                Operation::Get
            } else {
                Operation::Put { value: &value }
            };
            let request = Request { operation, ..GET };
            outbox.request(id, &request).unwrap();
        }
        let mut answered = 0;
        let end = link
            .run(|id: u32, _: &Response<'_>| {
                assert_eq!(id, answered, "one stream keeps the order");
                answered += 1;
                if answered == REQUESTS {
                    outbox.finish();
                }
            })
            .await;
        assert!(matches!(end, StreamEnd::Finished), "{end}");
        assert_eq!(answered, REQUESTS);
        let one_answer = value_bytes + 64;
        assert!(node.outbox_bytes.get() <= ANSWERER_OUTBOX_BYTES_MAX + one_answer);
    });
}

#[test]
fn a_value_of_full_size_goes_through() {
    on_runtime(async {
        let authority = CertificateAuthority::new().unwrap();
        let node = Answerer::start(&authority.node(NODE).unwrap(), VALUE_BYTES_MAX);
        let endpoint = Endpoint::client(&authority.client().unwrap()).unwrap();
        let caller = Caller::dial(&endpoint, node.addr, NODE).await.unwrap();
        let value = vec![1; VALUE_BYTES_MAX];
        let put = Request {
            operation: Operation::Put { value: &value },
            ..GET
        };
        caller.call(&put).await.unwrap();
        let OwnedResponse::Get { siblings, .. } = caller.call(&GET).await.unwrap() else {
            panic!("a get is answered as a get");
        };
        assert_eq!(siblings[0].value.len(), VALUE_BYTES_MAX);
    });
}

#[test]
fn a_message_is_exactly_what_its_frame_holds() {
    let message = (NodeId(3), vec![Dot(1), Dot(2)], "text".to_owned());
    let mut out = b"before".to_vec();
    append_message(&mut out, &message).unwrap();
    let payload = &out[b"before".len() + 4..];
    type Message = (NodeId, Vec<Dot>, String);
    assert_eq!(decode_message::<Message>(payload), Ok(message));
    for cut in 0..payload.len() {
        assert!(decode_message::<Message>(&payload[..cut]).is_err());
    }
    let longer = [payload, &[0]].concat();
    assert_eq!(
        decode_message::<Message>(&longer),
        Err(Malformed::Trailing(1))
    );
}
