//! Requests shared out over HTTP connections, against a server that the test plays.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use kvs_core::drive::Ask;
use kvs_core::protocol::Refusal;

use super::connection::{CONNECTIONS_MAX, EtcdConnector};
use crate::targets::scripted::{Driven, PATIENCE, Told, listen, on_runtime, put, speech};

/// What a read of a key that is not there is answered with.
const NOTHING: &str = r#"{"header":{"revision":"1"}}"#;
/// Requests that may wait for the test.
const ASKED_MAX: usize = 1024;

/// A request that was made, over one connection of several.
struct Asked {
    /// Which connection it came over.
    connection: usize,
    path: String,
    /// Takes the answer: a status and a body. Dropped, the connection is closed.
    answer: oneshot::Sender<(u16, String)>,
}

impl Asked {
    fn answer(self, status: u16, body: &str) {
        let sent = self.answer.send((status, body.to_owned()));
        assert!(sent.is_ok(), "the connection waits for it");
    }
}

/// Serves a connection: hands each request to the test, and has it answered.
async fn serve(mut stream: TcpStream, connection: usize, asked: mpsc::Sender<Asked>) {
    while let Some(path) = read_request(&mut stream).await {
        let (answer, answered) = oneshot::channel::<(u16, String)>();
        let request = Asked {
            connection,
            path,
            answer,
        };
        if asked.send(request).await.is_err() {
            return;
        }
        let mut more = [0];
        let answered = tokio::select! {
            answered = answered => answered,
            // A client that asks one thing at a time can only have gone.
            _ = stream.read(&mut more) => return,
        };
        let Ok((status, body)) = answered else {
            return;
        };
        let length = body.len();
        let text = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n\r\n{body}");
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads a request with its body, and says its path; none at the end.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.split_once("content-length: ")?.1;
        let length: usize = length.lines().next()?.parse().ok()?;
        if body.len() >= length {
            return head.split(' ').nth(1).map(str::to_owned);
        }
    }
}

/// A client, and the requests that it makes once it has been let in.
async fn pair(patience: Duration) -> (Driven, mpsc::Receiver<Asked>) {
    let (listener, address) = listen().await;
    let (tell, mut asked) = mpsc::channel(ASKED_MAX);
    tokio::task::spawn_local(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.expect("a client");
            tokio::task::spawn_local(serve(stream, connection, tell.clone()));
        }
    });
    let connector = EtcdConnector::new(&speech(address, &[], patience)).expect("a connector");
    let let_in = async {
        let first = next(&mut asked).await;
        assert_eq!(first.path, "/v3/kv/range");
        first.answer(200, NOTHING);
    };
    let (driven, ()) = tokio::join!(Driven::connect(&connector, address), let_in);
    (driven, asked)
}

async fn next(asked: &mut mpsc::Receiver<Asked>) -> Asked {
    let request = tokio::time::timeout(PATIENCE, asked.recv()).await;
    request.expect("in time").expect("a request")
}

#[test]
fn many_requests_share_the_connections_and_a_slow_one_holds_up_no_other() {
    const COUNT: u32 = 3 * CONNECTIONS_MAX as u32;
    on_runtime(async {
        let (driven, mut asked) = pair(PATIENCE).await;
        for id in 0..COUNT {
            driven.ask(id, Ask::Get);
        }
        let slow = next(&mut asked).await;
        let mut most = slow.connection;
        for _ in 1..COUNT {
            let request = next(&mut asked).await;
            assert_ne!(request.connection, slow.connection);
            most = most.max(request.connection);
            request.answer(200, NOTHING);
        }
        let others = driven.told_of(COUNT as usize - 1).await;
        assert_eq!(others.len(), COUNT as usize - 1, "the slow one is open");
        assert_eq!(most, CONNECTIONS_MAX - 1, "as many as there may be");
        slow.answer(200, NOTHING);
        let all = driven.told_of(COUNT as usize).await;
        assert!(all.iter().all(|(_, told)| *told == Told::Found(None)));
    });
}

#[test]
fn each_answer_means_what_the_table_says_and_the_connection_stays() {
    let error = |text: &str| format!(r#"{{"error":"{text}","message":"{text}","code":14}}"#);
    let cases = [
        (
            503,
            error("etcdserver: request timed out"),
            Told::Indefinite,
        ),
        (503, error("etcdserver: leader changed"), Told::Indefinite),
        (500, "<html>oops</html>".to_owned(), Told::Indefinite),
        (200, "<html>fine</html>".to_owned(), Told::Indefinite),
        (
            429,
            error("etcdserver: too many requests"),
            Told::Refused(Refusal::Overloaded),
        ),
        (
            400,
            error("etcdserver: request is too large"),
            Told::Refused(Refusal::Rejected),
        ),
        (
            200,
            r#"{"header":{"revision":"9"}}"#.to_owned(),
            Told::Written,
        ),
    ];
    on_runtime(async {
        let (driven, mut asked) = pair(PATIENCE).await;
        let mut expected = Vec::new();
        for (id, (status, body, told)) in (1..).zip(cases) {
            driven.ask(id, put(u64::from(id)));
            let request = next(&mut asked).await;
            assert_eq!(request.path, "/v3/kv/put");
            request.answer(status, &body);
            expected.push((id, told));
            assert_eq!(driven.told_of(expected.len()).await, expected);
        }
        assert!(!driven.is_closed());
    });
}

#[test]
fn a_request_that_takes_too_long_is_left_to_its_lane_and_others_go_on() {
    on_runtime(async {
        let (driven, mut asked) = pair(Duration::from_millis(50)).await;
        driven.ask(1, put(1));
        let mut silent = next(&mut asked).await;
        // The client gives the connection up.
        silent.answer.closed().await;
        driven.ask(2, Ask::Get);
        let request = next(&mut asked).await;
        assert_ne!(request.connection, silent.connection);
        request.answer(200, NOTHING);
        assert_eq!(driven.told_of(1).await, [(2, Told::Found(None))]);
        assert!(!driven.is_closed());
    });
}

#[test]
fn a_connection_that_breaks_amid_a_request_ends_all_and_says_nothing_of_it() {
    on_runtime(async {
        let (driven, mut asked) = pair(PATIENCE).await;
        driven.ask(1, put(1));
        drop(next(&mut asked).await);
        assert_eq!(driven.ended().await, []);
    });
}

#[test]
fn a_token_that_the_node_has_forgotten_refuses_and_has_the_client_come_again() {
    on_runtime(async {
        let (driven, mut asked) = pair(PATIENCE).await;
        driven.ask(1, put(1));
        let forgotten = r#"{"error":"etcdserver: invalid auth token","code":16}"#;
        next(&mut asked).await.answer(401, forgotten);
        let refused = Told::Refused(Refusal::Rejected);
        assert_eq!(driven.ended().await, [(1, refused)]);
    });
}
