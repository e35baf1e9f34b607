//! The requests to the JSON gateway, and its answers (etcd's documentation,
//! dev-guide/api_grpc_gateway): keys and values in base64, numbers as strings.

use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::targets::store::Credentials;

/// The longest answer that is accepted, in bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;

pub(super) const RANGE: &str = "/v3/kv/range";
pub(super) const PUT: &str = "/v3/kv/put";
pub(super) const DELETE: &str = "/v3/kv/deleterange";
pub(super) const TRANSACTION: &str = "/v3/kv/txn";
pub(super) const AUTHENTICATE: &str = "/v3/auth/authenticate";
pub(super) const STATUS: &str = "/v3/maintenance/status";

/// One HTTP connection.
pub(super) struct Http {
    address: SocketAddr,
    /// Who asks, as etcd has said.
    token: Option<HeaderValue>,
    sender: SendRequest<Full<Bytes>>,
}

/// What a request was answered with.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) is_success: bool,
    pub(super) body: Bytes,
}

impl Http {
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(io::Error::other)?;
        // It ends when the sender is dropped, and its errors show there.
        tokio::task::spawn_local(connection);
        Ok(Self {
            address,
            token: None,
            sender,
        })
    }

    /// Asks in the name of whoever has this token.
    pub(super) fn with_token(self, token: Option<HeaderValue>) -> Self {
        Self { token, ..self }
    }

    /// Asks in the name of whom these credentials name, if they do, and says the token that is for
    /// that.
    pub(super) async fn authenticate(
        &mut self,
        credentials: &Credentials,
    ) -> io::Result<Option<HeaderValue>> {
        let (Some(user), Some(password)) = (&credentials.user, &credentials.password) else {
            return Ok(None);
        };
        let body = serde_json::json!({ "name": user, "password": password });
        let body = serde_json::to_vec(&body).expect("plain data");
        let answer = self.post(AUTHENTICATE, body).await?;
        if !answer.is_success {
            let why = credentials.refused(&error(&answer.body));
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let token = token(&answer.body);
        let mut token = token.ok_or_else(|| io::Error::other("it gives no token"))?;
        token.set_sensitive(true);
        self.token = Some(token.clone());
        Ok(Some(token))
    }

    pub(super) async fn post(&mut self, path: &str, body: Vec<u8>) -> io::Result<Answer> {
        let mut request = Request::post(path)
            .header(hyper::header::HOST, self.address.to_string())
            .header(hyper::header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(hyper::header::AUTHORIZATION, token);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(io::Error::other)?;
        self.sender.ready().await.map_err(io::Error::other)?;
        let sent = self.sender.send_request(request).await;
        let response = sent.map_err(io::Error::other)?;
        let is_success = response.status() == StatusCode::OK;
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(io::Error::other)?;
        Ok(Answer {
            is_success,
            body: body.to_bytes(),
        })
    }
}

/// The body of a read.
pub(super) fn range(key: &[u8], serializable: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct Range {
        key: String,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        serializable: bool,
    }
    let key = STANDARD.encode(key);
    serde_json::to_vec(&Range { key, serializable }).expect("plain data")
}

/// The body of a write.
pub(super) fn put(key: &[u8], value: &[u8]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Put {
        key: String,
        value: String,
    }
    let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
    serde_json::to_vec(&Put { key, value }).expect("plain data")
}

/// The body of a deletion of every key that begins so.
pub(super) fn delete_all(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    // Prefixes are ASCII and end with a colon: the next string is the one with the next letter.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    let (key, range_end) = (STANDARD.encode(prefix), STANDARD.encode(end));
    serde_json::to_vec(&serde_json::json!({ "key": key, "range_end": range_end }))
        .expect("plain data")
}

/// How many keys a deletion found.
pub(super) fn deleted(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Deleted<'a> {
        /// Left out where it is 0.
        #[serde(default)]
        deleted: Option<&'a str>,
        #[serde(rename = "header")]
        _header: serde::de::IgnoredAny,
    }
    let deleted: Deleted<'_> = serde_json::from_slice(body).ok()?;
    deleted.deleted.map_or(Some(0), |count| count.parse().ok())
}

/// The body of a transaction that sets a key if it holds what is expected, or else reads it.
pub(super) fn compare_and_set(key: &[u8], expected: Option<&[u8]>, value: &[u8]) -> Vec<u8> {
    let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
    let compare = match expected {
        Some(expected) => serde_json::json!({
            "key": key, "target": "VALUE", "result": "EQUAL", "value": STANDARD.encode(expected),
        }),
        // A key that is not there was created at no revision.
        None => serde_json::json!({
            "key": key, "target": "CREATE", "result": "EQUAL", "createRevision": "0",
        }),
    };
    let transaction = serde_json::json!({
        "compare": [compare],
        "success": [{ "requestPut": { "key": key, "value": value } }],
        "failure": [{ "requestRange": { "key": key } }],
    });
    serde_json::to_vec(&transaction).expect("plain data")
}

/// What became of a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// It took effect, under this revision.
    Set(u64),
    /// The key held this instead: a value and the revision of its write.
    Found(Option<(Vec<u8>, u64)>),
}

/// What a compare-and-set was answered with.
pub(super) fn compared(body: &[u8]) -> Option<Compared> {
    #[derive(Deserialize)]
    struct Transacted<'a> {
        #[serde(default)]
        succeeded: bool,
        #[serde(borrow, default)]
        responses: Vec<Part<'a>>,
    }
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow, default)]
        response_range: Option<Found<'a>>,
    }
    let transacted: Transacted<'_> = serde_json::from_slice(body).ok()?;
    if transacted.succeeded {
        return revision(body).map(Compared::Set);
    }
    match &transacted.responses[..] {
        [part] => part.response_range.as_ref()?.only().map(Compared::Found),
        _ => None,
    }
}

/// What a read is answered with.
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow, default)]
    kvs: Vec<Kv<'a>>,
}

#[derive(Deserialize)]
struct Kv<'a> {
    #[serde(default)]
    value: &'a str,
    mod_revision: &'a str,
}

impl Found<'_> {
    /// The one value, with its revision, or that there is none.
    fn only(&self) -> Option<Option<(Vec<u8>, u64)>> {
        match &self.kvs[..] {
            [] => Some(None),
            [kv] => Some(Some((
                STANDARD.decode(kv.value).ok()?,
                kv.mod_revision.parse().ok()?,
            ))),
            _ => None,
        }
    }
}

/// What a read found: a value and the revision of the write that it is from.
pub(super) fn found(body: &[u8]) -> Option<Option<(Vec<u8>, u64)>> {
    let found: Found<'_> = serde_json::from_slice(body).ok()?;
    found.only()
}

/// The revision of a write.
pub(super) fn revision(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Written<'a> {
        #[serde(borrow)]
        header: Header<'a>,
    }
    #[derive(Deserialize)]
    struct Header<'a> {
        revision: &'a str,
    }
    let written: Written<'_> = serde_json::from_slice(body).ok()?;
    written.header.revision.parse().ok()
}

/// The token that stands for whoever has proved themselves.
fn token(body: &[u8]) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Authenticated<'a> {
        token: &'a str,
    }
    let authenticated: Authenticated<'_> = serde_json::from_slice(body).ok()?;
    authenticated.token.parse().ok()
}

/// Whether the node that says this leads.
pub(super) fn leads(body: &[u8]) -> Option<bool> {
    #[derive(Deserialize)]
    struct Status<'a> {
        #[serde(borrow)]
        header: Header<'a>,
        #[serde(default)]
        leader: &'a str,
    }
    #[derive(Deserialize)]
    struct Header<'a> {
        member_id: &'a str,
    }
    let status: Status<'_> = serde_json::from_slice(body).ok()?;
    Some(status.header.member_id == status.leader)
}

/// What an error says.
pub(super) fn error(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Failed {
        #[serde(default)]
        message: String,
        #[serde(default)]
        error: serde_json::Value,
    }
    match serde_json::from_slice::<Failed>(body) {
        Ok(failed) if !failed.message.is_empty() => failed.message,
        Ok(failed) => failed.error.to_string(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_said_is_understood() {
        let range = br#"{"header":{"cluster_id":"1","member_id":"2","revision":"7","raft_term":"2"},
            "kvs":[{"key":"azE=","create_revision":"2","mod_revision":"7","version":"3","value":"djE="}],
            "count":"1"}"#;
        assert_eq!(found(range), Some(Some((b"v1".to_vec(), 7))));
        assert_eq!(found(br#"{"header":{"revision":"7"}}"#), Some(None));
        assert_eq!(found(b"<html>"), None);
        assert_eq!(revision(range), Some(7));
        let status = br#"{"header":{"member_id":"2"},"version":"3.4.23","leader":"2"}"#;
        assert_eq!(leads(status), Some(true));
        assert_eq!(leads(br#"{"header":{"member_id":"2"}}"#), Some(false));
        let failed = br#"{"error":"etcdserver: too many requests","message":"etcdserver: too many requests","code":8}"#;
        assert_eq!(error(failed), "etcdserver: too many requests");
    }

    #[test]
    fn a_deletion_is_of_every_key_with_the_prefix_and_says_how_many_there_were() {
        let asked: serde_json::Value =
            serde_json::from_slice(&delete_all(b"kvs:a:")).expect("JSON");
        assert_eq!(asked["key"], STANDARD.encode("kvs:a:"));
        assert_eq!(asked["range_end"], STANDARD.encode("kvs:a;"));
        assert_eq!(
            deleted(br#"{"header":{"revision":"9"},"deleted":"12"}"#),
            Some(12)
        );
        assert_eq!(deleted(br#"{"header":{"revision":"9"}}"#), Some(0));
        assert_eq!(deleted(b"{}"), None);
    }

    #[test]
    fn a_compare_and_set_says_what_it_found_instead() {
        let set = br#"{"header":{"revision":"9"},"succeeded":true,
            "responses":[{"response_put":{"header":{"revision":"9"}}}]}"#;
        assert_eq!(compared(set), Some(Compared::Set(9)));
        let other = br#"{"header":{"revision":"9"},"responses":[{"response_range":{
            "header":{"revision":"9"},"kvs":[{"key":"azE=","mod_revision":"7","value":"djE="}],
            "count":"1"}}]}"#;
        let found = Compared::Found(Some((b"v1".to_vec(), 7)));
        assert_eq!(compared(other), Some(found));
        let nothing = br#"{"header":{"revision":"9"},"responses":[{"response_range":{
            "header":{"revision":"9"}}}]}"#;
        assert_eq!(compared(nothing), Some(Compared::Found(None)));
        for other in [&b"<html>"[..], b"{}", br#"{"responses":[]}"#] {
            assert_eq!(compared(other), None);
        }
    }

    #[test]
    fn a_compare_and_set_expects_a_value_or_that_the_key_was_never_created() {
        let asked = |expected| -> serde_json::Value {
            serde_json::from_slice(&compare_and_set(b"k1", expected, b"v2")).expect("JSON")
        };
        let compare = &asked(Some(&b"v1"[..]))["compare"][0];
        assert_eq!(compare["target"], "VALUE");
        assert_eq!(compare["value"], "djE=");
        let compare = &asked(None)["compare"][0];
        assert_eq!(compare["target"], "CREATE");
        assert_eq!(compare["createRevision"], "0");
    }

    #[test]
    fn a_request_has_its_bytes_in_base64() {
        assert_eq!(range(b"k1", false), br#"{"key":"azE="}"#);
        assert_eq!(range(b"k1", true), br#"{"key":"azE=","serializable":true}"#);
        assert_eq!(put(b"k1", b"v1"), br#"{"key":"azE=","value":"djE="}"#);
    }
}
