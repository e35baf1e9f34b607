use proptest::prelude::*;

use super::*;
use crate::transport::frame::PREFIX_BYTES;
use kvs_core::protocol::{
    Body, GossipBody, Message, NodeId, Origin, Record, Update, message_bytes, request_bytes,
    response_bytes,
};

fn dots() -> impl Strategy<Value = Vec<Dot>> {
    prop::collection::vec(any::<u64>().prop_map(Dot), 0..6)
}

fn bytes(min: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), min..200)
}

fn payload_of_request(id: u32, request: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    append_request(&mut out, id, request).unwrap();
    assert_eq!(
        out.len(),
        request_bytes(request),
        "counted as it is encoded"
    );
    out.split_off(PREFIX_BYTES)
}

fn payload_of_response(id: u32, response: &Response<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    append_response(&mut out, id, response).unwrap();
    assert_eq!(
        out.len(),
        response_bytes(response),
        "counted as it is encoded"
    );
    out.split_off(PREFIX_BYTES)
}

#[track_caller]
fn check_response(response: &Response<'_>) {
    let payload = payload_of_response(77, response);
    let mut scratch = vec![Dot(1)];
    decode_response(&payload, &mut scratch, |id, decoded| {
        assert_eq!(id, 77);
        assert_eq!(decoded, response);
    })
    .unwrap();
    for cut in 0..payload.len() {
        assert!(
            decode_response(&payload[..cut], &mut scratch, |_, _| ()).is_err(),
            "a response cut at {cut} of {} bytes decodes",
            payload.len()
        );
    }
    let mut longer = payload;
    longer.push(0);
    assert!(decode_response(&longer, &mut scratch, |_, _| ()).is_err());
}

#[test]
fn a_message_is_counted_as_it_is_encoded() {
    let origin = Origin::new(NodeId(3), 1);
    let dot = Dot::new(origin, 300);
    let update = Update {
        dot,
        time: 1 << 40,
        record: Record::new(b"key", origin, &[Dot(5), dot], &[7; 200]),
    };
    let body = Body::Gossip(GossipBody::Updates {
        vector: [Dot(5), dot].into_iter().collect(),
        fresh: true,
        updates: vec![update; 3],
    });
    let message = Message {
        incarnation: 1,
        body,
    };
    let mut out = Vec::new();
    frame::append_message(&mut out, &message).unwrap();
    assert_eq!(out.len(), message_bytes(&message));
}

#[test]
fn every_response_survives_the_wire_and_no_prefix_of_it_does() {
    let version = Version {
        time: u64::MAX,
        origin: 3,
    };
    let vector = [Dot(5), Dot(1 << 40)];
    let causal = PutWitness::Causal {
        dot: Dot(9),
        vector: &vector[..1],
    };
    check_response(&Response::Put(PutWitness::None));
    check_response(&Response::Put(causal));
    check_response(&Response::Put(PutWitness::Lww { version }));
    for refusal in [
        Refusal::Unavailable,
        Refusal::WrongShard,
        Refusal::ContextLost,
        Refusal::Overloaded,
        Refusal::NotPrimary,
        Refusal::NotReady,
        Refusal::TooFewReplicas,
        Refusal::Rejected,
    ] {
        check_response(&Response::Refused(refusal));
    }
    check_response(&Response::Indefinite);
    let siblings = [
        Sibling {
            value: b"",
            witness: PutWitness::None,
        },
        Sibling {
            value: b"one",
            witness: causal,
        },
        Sibling {
            value: b"two",
            witness: PutWitness::Causal {
                dot: Dot(11),
                vector: &vector,
            },
        },
        Sibling {
            value: b"three",
            witness: PutWitness::Lww { version },
        },
    ];
    for number in 0..=siblings.len() {
        check_response(&Response::Get {
            vector: &vector[..number.min(2)],
            siblings: &siblings[..number],
        });
        check_response(&Response::Mismatch {
            found: Some(&siblings[..number]),
        });
    }
    check_response(&Response::Mismatch { found: None });
}

#[test]
fn what_is_longer_than_the_protocol_allows_is_not_encoded_and_leaves_the_buffer_alone() {
    let long_key = vec![0; KEY_BYTES_MAX + 1];
    let long_value = vec![0; VALUE_BYTES_MAX + 1];
    let long_vector = vec![Dot(1); VECTOR_DOTS_MAX + 1];
    let get = Request {
        key: b"k",
        operation: Operation::Get,
        context: &[],
        call: None,
    };
    let mut out = b"before".to_vec();
    for request in [
        Request {
            key: &long_key,
            ..get
        },
        Request {
            operation: Operation::Put { value: &long_value },
            ..get
        },
        Request {
            operation: Operation::Cas {
                expected: Some(&long_value),
                value: b"",
            },
            ..get
        },
        Request {
            context: &long_vector,
            ..get
        },
    ] {
        assert_eq!(append_request(&mut out, 1, &request), Err(TooLong));
        assert_eq!(out, b"before");
    }
    let full = vec![0; VALUE_BYTES_MAX];
    let siblings = vec![
        Sibling {
            value: &full,
            witness: PutWitness::None
        };
        16
    ];
    for (number, expected) in [(15, Ok(())), (16, Err(TooLong))] {
        let response = Response::Get {
            vector: &[],
            siblings: &siblings[..number],
        };
        out.truncate(6);
        assert_eq!(append_response(&mut out, 1, &response), expected);
    }
    assert_eq!(out, b"before");
}

#[test]
fn a_request_of_full_size_fits() {
    let request = Request {
        key: &[1; KEY_BYTES_MAX],
        operation: Operation::Put {
            value: &vec![2; VALUE_BYTES_MAX],
        },
        context: &vec![Dot(3); VECTOR_DOTS_MAX],
        call: None,
    };
    let payload = payload_of_request(4, &request);
    let mut scratch = Vec::new();
    assert_eq!(decode_request(&payload, &mut scratch), Ok((4, request)));
}

#[test]
fn illegal_requests_are_named() {
    let mut scratch = Vec::new();
    let get = |key: &[u8]| {
        payload_of_request(
            1,
            &Request {
                key,
                operation: Operation::Get,
                context: &[],
                call: None,
            },
        )
    };
    let mut unknown_kind = get(b"k");
    unknown_kind[4] = 9;
    let mut get_with_value = get(b"k");
    get_with_value.push(0);
    let mut long_context = get(b"k");
    long_context[7..9].copy_from_slice(&u16::MAX.to_le_bytes());
    let cases = [
        (get(b""), Malformed::Length("key")),
        (unknown_kind, Malformed::Unknown("kind of request")),
        (get_with_value, Malformed::Trailing(1)),
        (long_context, Malformed::Length("vector")),
        (vec![], Malformed::Truncated("id")),
    ];
    for (payload, expected) in cases {
        assert_eq!(decode_request(&payload, &mut scratch), Err(expected));
    }
}

proptest! {
    #[test]
    fn every_request_survives_the_wire(
        id in any::<u32>(),
        key in bytes(1),
        value in prop::option::of(bytes(0)),
        context in dots(),
    ) {
        let operation = match &value {
            Some(value) => Operation::Put { value },
            None => Operation::Get,
        };
        let request = Request { key: &key, operation, context: &context, call: None,};
        let payload = payload_of_request(id, &request);
        let mut scratch = vec![Dot(3)];
        prop_assert_eq!(decode_request(&payload, &mut scratch), Ok((id, request)));
        prop_assert_eq!(key_of_request(&payload), Some(&key[..]));
        // All but the value has a length of its own, so that no shorter frame decodes.
        let value_bytes = value.map_or(0, |value| value.len());
        for cut in 0..payload.len() - value_bytes {
            prop_assert!(decode_request(&payload[..cut], &mut scratch).is_err());
        }
    }

    #[test]
    fn every_compare_and_set_survives_the_wire(
        id in any::<u32>(),
        key in bytes(1),
        expected in prop::option::of(bytes(0)),
        value in bytes(0),
        context in dots(),
    ) {
        let expected = expected.as_deref();
        let operation = Operation::Cas { expected, value: &value };
        let request = Request { key: &key, operation, context: &context, call: None,};
        let payload = payload_of_request(id, &request);
        let mut scratch = vec![Dot(3)];
        prop_assert_eq!(decode_request(&payload, &mut scratch), Ok((id, request)));
        for cut in 0..payload.len() - value.len() {
            prop_assert!(decode_request(&payload[..cut], &mut scratch).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut scratch = Vec::new();
        let _ = key_of_request(&payload);
        let _ = decode_request(&payload, &mut scratch);
        let _ = decode_response(&payload, &mut scratch, |_, _| ());
    }

    #[test]
    fn a_response_with_one_byte_changed_never_panics(
        at in 0..60_usize,
        to in any::<u8>(),
        value in bytes(0),
    ) {
        let vector = [Dot(5), Dot(6)];
        let witness = PutWitness::Causal { dot: Dot(6), vector: &vector };
        let siblings = [Sibling { value: &value, witness }; 2];
        let response = Response::Get { vector: &vector, siblings: &siblings };
        let mut payload = payload_of_response(1, &response);
        payload[at] = to;
        let _ = decode_response(&payload, &mut Vec::new(), |_, _| ());
    }
}
