//! Pipelines against a server that the test plays.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use kvs_core::drive::{Ask, NewValue};
use kvs_core::protocol::Refusal;

use super::connection::RedisConnector;
use super::resp::{Reply, parse};
use crate::targets::scripted::{Driven, PATIENCE, PREFIX, Told, listen, on_runtime, put, speech};

/// The server's side of a connection.
struct Server {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Server {
    /// Takes a client in, which looks whether it is wanted.
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut server = Self {
            stream,
            bytes: Vec::new(),
        };
        assert_eq!(server.command().await, ["PING"]);
        server.say("+PONG\r\n").await;
        server
    }

    /// The next command, in its words.
    async fn command(&mut self) -> Vec<String> {
        loop {
            if let Some((reply, read)) = parse(&self.bytes).expect("RESP2") {
                let Reply::Array(Some(words)) = reply else {
                    panic!("a command is an array: {reply:?}")
                };
                let word = |word: &Reply<'_>| {
                    let Reply::Bulk(Some(bytes)) = word else {
                        panic!("a word is a bulk string: {word:?}")
                    };
                    String::from_utf8_lossy(bytes).into_owned()
                };
                let words = words.iter().map(word).collect();
                self.bytes.drain(..read);
                return words;
            }
            let read = self.stream.read_buf(&mut self.bytes).await.expect("bytes");
            assert!(read > 0, "the client has gone");
        }
    }

    /// The names of the next commands.
    async fn commands(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.command().await.swap_remove(0));
        }
        names
    }

    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("sent");
    }
}

/// A client and its server.
async fn pair(options: &[(&str, &str)]) -> (Driven, Server) {
    let (listener, address) = listen().await;
    let speech = speech(address, options, PATIENCE);
    let connector = RedisConnector::new(&speech).expect("its options");
    let connect = Driven::connect(&connector, address);
    tokio::join!(connect, Server::accept(&listener))
}

#[test]
fn what_is_asked_is_sent_before_anything_is_answered_and_replies_go_to_it_in_its_order() {
    on_runtime(async {
        let (driven, mut server) = pair(&[]).await;
        let new = NewValue { id: 4, bytes: 16 };
        let cas = Ask::Cas {
            expected: None,
            new,
        };
        for (id, ask) in [(1, Ask::Get), (2, put(2)), (3, Ask::Get), (4, cas)] {
            driven.ask(id, ask);
        }
        let key = server.command().await.swap_remove(1);
        assert!(key.starts_with(PREFIX), "{key}");
        assert_eq!(server.commands(3).await, ["SET", "GET", "EVAL"]);
        // However it is cut into pieces.
        for byte in "$1\r\na\r\n+OK\r\n$-1\r\n$1\r\nb\r\n".chars() {
            server.say(&byte.to_string()).await;
        }
        let told = [
            (1, Told::Found(Some("a".to_owned()))),
            (2, Told::Written),
            (3, Told::Found(None)),
            (4, Told::Mismatch(Some("b".to_owned()))),
        ];
        assert_eq!(driven.told_of(4).await, told);
    });
}

#[test]
fn an_error_is_of_its_own_command_and_means_what_the_table_says() {
    on_runtime(async {
        let (driven, mut server) = pair(&[]).await;
        for id in 1..=4 {
            driven.ask(id, put(u64::from(id)));
        }
        server.commands(4).await;
        let replies = "+OK\r\n-READONLY You can't write\r\n-WHATEVER this is\r\n+OK\r\n";
        server.say(replies).await;
        let told = [
            (1, Told::Written),
            (2, Told::Refused(Refusal::NotPrimary)),
            (3, Told::Indefinite),
            (4, Told::Written),
        ];
        assert_eq!(driven.told_of(4).await, told);
    });
}

#[test]
fn one_wait_is_for_all_writes_before_it_and_fewer_replicas_leave_them_open() {
    on_runtime(async {
        let (driven, mut server) = pair(&[("wait", "2")]).await;
        driven.ask(1, put(1));
        driven.ask(2, Ask::Get);
        driven.ask(3, put(3));
        driven.ask(4, put(4));
        assert_eq!(server.commands(4).await, ["SET", "GET", "SET", "SET"]);
        let wait = server.command().await;
        assert_eq!(wait[..2], ["WAIT", "2"]);
        server
            .say("+OK\r\n$-1\r\n+OK\r\n-NOREPLICAS none\r\n")
            .await;
        // A read waits for nobody, nor does what was refused.
        let refused = (4, Told::Refused(Refusal::TooFewReplicas));
        let at_once = [(2, Told::Found(None)), refused];
        assert_eq!(driven.told_of(2).await, at_once);
        server.say(":1\r\n").await;
        let open = [(1, Told::Indefinite), (3, Told::Indefinite)];
        assert_eq!(driven.told_of(4).await[2..], open);
        driven.ask(5, put(5));
        assert_eq!(server.commands(2).await, ["SET", "WAIT"]);
        server.say("+OK\r\n:2\r\n").await;
        assert_eq!(driven.told_of(5).await[4..], [(5, Told::Written)]);
        driven.ask(6, Ask::Get);
        assert_eq!(server.commands(1).await, ["GET"], "nothing is waited for");
    });
}

#[test]
fn a_wait_that_a_change_of_role_has_ended_leaves_its_writes_open() {
    on_runtime(async {
        let (driven, mut server) = pair(&[("wait", "1")]).await;
        driven.ask(1, put(1));
        assert_eq!(server.commands(2).await, ["SET", "WAIT"]);
        server.say("+OK\r\n-UNBLOCKED force unblock\r\n").await;
        assert_eq!(driven.told_of(1).await, [(1, Told::Indefinite)]);
    });
}

#[test]
fn a_connection_that_is_cut_amid_replies_ends_and_says_nothing_of_the_rest() {
    on_runtime(async {
        let (driven, mut server) = pair(&[("wait", "1")]).await;
        driven.ask(1, Ask::Get);
        driven.ask(2, put(2));
        driven.ask(3, Ask::Get);
        assert_eq!(server.commands(4).await, ["GET", "SET", "GET", "WAIT"]);
        // The write was done, but nobody knows how many replicas have it.
        server.say("$-1\r\n+OK\r\n$5\r\nab").await;
        assert_eq!(driven.told_of(1).await, [(1, Told::Found(None))]);
        assert!(!driven.is_closed(), "the control");
        drop(server);
        assert_eq!(driven.ended().await, [(1, Told::Found(None))]);
    });
}

#[test]
fn a_server_that_answers_what_nobody_asked_or_another_question_is_left() {
    for said in ["+OK\r\n+OK\r\n", ":7\r\n", "*0\r\n", "HTTP/1.1 400\r\n"] {
        on_runtime(async {
            let (driven, mut server) = pair(&[]).await;
            driven.ask(1, put(1));
            server.commands(1).await;
            server.say(said).await;
            let told = driven.ended().await;
            assert!(told.len() <= 1, "{said:?}: {told:?}");
        });
    }
}
