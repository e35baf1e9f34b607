//! Endpoints: sockets, transport settings, dialling and accepting.
//!
//! The settings are those that measured best on loopback, with their reasons; both sides use the
//! same ones.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::{
    AckFrequencyConfig, IdleTimeout, MtuDiscoveryConfig, Runtime as _, TransportConfig, VarInt,
};

use super::faults::{FaultCounts, FaultySocket, NetworkFaults};
use super::frame::{CloseCode, Role};
use super::tls::{Identity, Peer, TlsError, node_name};
use super::{frame, link};
use kvs_core::protocol::NodeId;

/// The largest datagram that is sent or accepted, in bytes. Large ones save system calls where
/// the link carries them, as loopback does; elsewhere discovery settles on what fits. Above about
/// 6,550 a batch of segmentation offload can exceed 64 KiB, which loses the whole batch.
pub const DATAGRAM_BYTES_MAX: u16 = 6500;
/// Socket buffers, in bytes: the default is overrun by half a megabyte in flight.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// How many packets may go unacknowledged at once: fewer acknowledgements, fewer system calls.
const ACK_ELICITING_THRESHOLD: u32 = 10;
/// The initial congestion window, in bytes: ten datagrams of the largest size (RFC 9002, section
/// 7.2). The default assumes the smallest size, and one probe of the largest then fills it: a
/// connection that is closed while the probe is out never gets to say why, since quinn holds the
/// close back for a window that, once closed, no acknowledgement opens.
const INITIAL_WINDOW_BYTES: u64 = 10 * DATAGRAM_BYTES_MAX as u64;
/// How long a silent peer is believed alive. A process that is stopped for a few seconds must
/// keep its connections, and so must a link that is cut as briefly. After a longer cut, dialling
/// anew recovers sooner than waiting for the probes, whose intervals double while it lasts.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(6);
/// How often an idle connection shows that it lives: three tries within the idle time-out.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// How long dialling may take. A handshake takes milliseconds; this leaves room for a machine
/// that starts nine nodes at once, and for the loss of the first packets.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Streams a peer may have open at once: one is used. More would only hold memory.
const STREAMS_MAX: u32 = 1;
/// Connections that an endpoint serves at once; what comes beyond is refused.
pub const CONNECTIONS_MAX: usize = 10_000;

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The identity cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The socket cannot be had.
    #[error("cannot open a UDP socket on {addr}: is the address this machine's, and free?")]
    Socket {
        /// Where it was to be.
        addr: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Why there is no connection. Nothing was sent but the handshake.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// One side did not accept who the other one is, or what it wants.
    #[error("node {node} at {addr} and this process refuse each other: {reason}")]
    Refused {
        /// Who was dialled.
        node: NodeId,
        /// Where.
        addr: SocketAddr,
        /// What the refusing side said.
        reason: String,
    },
    /// Nothing answered, or the connection broke.
    #[error("node {node} at {addr} cannot be reached: {reason}")]
    Unreachable {
        /// Who was dialled.
        node: NodeId,
        /// Where.
        addr: SocketAddr,
        /// What happened.
        reason: String,
    },
}

/// Why a connection that came in is not served.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The peer's certificate is missing, of another run, or names neither client nor node; or
    /// the peer did not accept ours.
    #[error("refused {addr}: {reason}")]
    Refused {
        /// Where it came from.
        addr: SocketAddr,
        /// What was wrong.
        reason: String,
    },
    /// The connection broke before it was established.
    #[error("lost {addr} while shaking hands: {reason}")]
    Lost {
        /// Where it came from.
        addr: SocketAddr,
        /// What happened.
        reason: String,
    },
}

/// One UDP socket with an identity, which dials and, at a node, accepts.
#[derive(Clone, Debug)]
pub struct Endpoint {
    quic: quinn::Endpoint,
    socket: Arc<FaultySocket>,
}

/// A connection that came in and was verified, with its one stream.
#[derive(Debug)]
pub struct Accepted {
    /// Who dialled.
    pub peer: Peer,
    /// What it wants of this connection.
    pub role: Role,
    /// The connection itself.
    pub connection: quinn::Connection,
    /// To the peer.
    pub send: quinn::SendStream,
    /// From the peer.
    pub recv: quinn::RecvStream,
}

/// A connection that wants in. [`Arrival::accept`] decides.
#[derive(Debug)]
pub struct Arrival {
    incoming: quinn::Incoming,
}

impl Endpoint {
    /// An endpoint that only dials nodes on this machine, on a port that the system chooses.
    ///
    /// # Errors
    /// When the identity cannot be used or no socket can be had.
    pub fn client(identity: &Identity) -> Result<Self, EndpointError> {
        Self::client_at(identity, Ipv4Addr::LOCALHOST.into())
    }

    /// An endpoint that only dials, at that address of this machine, on a port that the system
    /// chooses.
    ///
    /// # Errors
    /// When the identity cannot be used or no socket can be had.
    pub fn client_at(identity: &Identity, addr: IpAddr) -> Result<Self, EndpointError> {
        Self::bind(SocketAddr::new(addr, 0), None, identity.client_config()?)
    }

    /// An endpoint that dials without proving who it is: every node refuses it, which is what
    /// it is for.
    ///
    /// # Errors
    /// When the identity cannot be used or no socket can be had.
    pub fn anonymous(identity: &Identity) -> Result<Self, EndpointError> {
        Self::bind(
            (Ipv4Addr::LOCALHOST, 0).into(),
            None,
            identity.anonymous_config()?,
        )
    }

    /// A node's endpoint, which dials and accepts at `addr`; port 0 lets the system choose.
    ///
    /// # Errors
    /// When the identity cannot be used or the socket cannot be had.
    pub fn node(identity: &Identity, addr: SocketAddr) -> Result<Self, EndpointError> {
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(identity.server_config()?));
        server.transport_config(Arc::new(transport_config()));
        // Nodes and clients keep their addresses; a datagram from elsewhere is not theirs.
        server.migration(false);
        Self::bind(addr, Some(server), identity.client_config()?)
    }

    fn bind(
        addr: SocketAddr,
        server: Option<quinn::ServerConfig>,
        client: quinn::crypto::rustls::QuicClientConfig,
    ) -> Result<Self, EndpointError> {
        let mut config = quinn::EndpointConfig::default();
        config
            .max_udp_payload_size(DATAGRAM_BYTES_MAX)
            .expect("a legal datagram size");
        let no_socket = |source| EndpointError::Socket { addr, source };
        let socket = socket(addr)
            .and_then(|socket| quinn::TokioRuntime.wrap_udp_socket(socket))
            .map_err(no_socket)?;
        let socket = Arc::new(FaultySocket::new(socket, u64::from(addr.port())));
        let mut quic = quinn::Endpoint::new_with_abstract_socket(
            config,
            server,
            Arc::clone(&socket) as Arc<dyn quinn::AsyncUdpSocket>,
            Arc::new(quinn::TokioRuntime),
        )
        .map_err(no_socket)?;
        let mut client = quinn::ClientConfig::new(Arc::new(client));
        client.transport_config(Arc::new(transport_config()));
        quic.set_default_client_config(client);
        Ok(Self { quic, socket })
    }

    /// Where the socket is.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.quic.local_addr()
    }

    /// From now on these faults meet its datagrams, and no others.
    pub fn set_faults(&self, faults: NetworkFaults) {
        self.socket.set(faults);
    }

    /// How many datagrams met a fault.
    #[must_use]
    pub fn fault_counts(&self) -> FaultCounts {
        self.socket.counts()
    }

    /// Connects to `node`, verifies that it is that node, and says what for. Returns once the
    /// node has accepted, within [`DIAL_TIMEOUT`].
    ///
    /// # Errors
    /// When either side refuses the other, or nothing answers in time.
    pub async fn dial(
        &self,
        addr: SocketAddr,
        node: NodeId,
        role: Role,
    ) -> Result<link::Streams, DialError> {
        let attempt = async {
            let connection = self
                .quic
                .connect(addr, &node_name(node))
                .map_err(|error| DialError::unreachable(node, addr, &error))?
                .await
                .map_err(|error| DialError::of(node, addr, &error))?;
            frame::offer(&connection, role)
                .await
                .map(|(send, recv)| link::Streams {
                    connection: connection.clone(),
                    send,
                    recv,
                })
                .map_err(|error| match connection.close_reason() {
                    Some(reason) => DialError::of(node, addr, &reason),
                    None => DialError::unreachable(node, addr, &error),
                })
        };
        match tokio::time::timeout(DIAL_TIMEOUT, attempt).await {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(DialError::unreachable(node, addr, &elapsed)),
        }
    }

    /// The next connection that wants in; `None` once the endpoint is closed. It refuses
    /// connections beyond [`CONNECTIONS_MAX`] without an answer.
    pub async fn arrival(&self) -> Option<Arrival> {
        loop {
            let incoming = self.quic.accept().await?;
            if self.quic.open_connections() < CONNECTIONS_MAX {
                return Some(Arrival { incoming });
            }
            incoming.refuse();
        }
    }

    /// Closes every connection, telling the peers that this was on purpose.
    pub async fn close(&self) {
        self.quic.close(CloseCode::Done.into(), b"shutting down");
        self.quic.wait_idle().await;
    }
}

impl Arrival {
    /// Shakes hands, verifies the peer and hears what it wants, within [`DIAL_TIMEOUT`].
    ///
    /// # Errors
    /// When the peer is refused, or lost on the way.
    pub async fn accept(self) -> Result<Accepted, AcceptError> {
        let addr = self.incoming.remote_address();
        match tokio::time::timeout(DIAL_TIMEOUT, self.shake_hands(addr)).await {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(AcceptError::Lost {
                addr,
                reason: elapsed.to_string(),
            }),
        }
    }

    async fn shake_hands(self, addr: SocketAddr) -> Result<Accepted, AcceptError> {
        let connection = self
            .incoming
            .await
            .map_err(|error| AcceptError::of(addr, &error))?;
        let Some(peer) = Peer::of(&connection) else {
            connection.close(CloseCode::NotAllowed.into(), b"unknown certificate name");
            return Err(AcceptError::Refused {
                addr,
                reason: "its certificate names neither a client nor a node".to_owned(),
            });
        };
        let heard = frame::accept(&connection, peer).await;
        let (role, send, recv) = heard.map_err(|error| {
            if let Some(reason) = connection.close_reason() {
                return AcceptError::of(addr, &reason);
            }
            let reason = error.to_string();
            connection.close(CloseCode::BadHello.into(), reason.as_bytes());
            AcceptError::Refused { addr, reason }
        })?;
        Ok(Accepted {
            peer,
            role,
            connection,
            send,
            recv,
        })
    }
}

impl DialError {
    fn of(node: NodeId, addr: SocketAddr, error: &quinn::ConnectionError) -> Self {
        if is_refusal(error) {
            let reason = error.to_string();
            Self::Refused { node, addr, reason }
        } else {
            Self::unreachable(node, addr, error)
        }
    }

    fn unreachable(node: NodeId, addr: SocketAddr, error: &dyn std::error::Error) -> Self {
        let reason = error.to_string();
        Self::Unreachable { node, addr, reason }
    }
}

impl AcceptError {
    fn of(addr: SocketAddr, error: &quinn::ConnectionError) -> Self {
        let reason = error.to_string();
        if is_refusal(error) {
            Self::Refused { addr, reason }
        } else {
            Self::Lost { addr, reason }
        }
    }
}

/// Whether a connection ended because TLS on one side said no (RFC 9001, section 4.8: the alert
/// is in the low byte), or because a node did after TLS had said yes.
fn is_refusal(error: &quinn::ConnectionError) -> bool {
    let by_tls = |code: quinn::TransportErrorCode| (0x100..0x200).contains(&u64::from(code));
    let by_node = |code: VarInt| {
        [CloseCode::BadHello, CloseCode::NotAllowed]
            .iter()
            .any(|refusal| VarInt::from(*refusal) == code)
    };
    match error {
        quinn::ConnectionError::TransportError(error) => by_tls(error.code),
        quinn::ConnectionError::ConnectionClosed(close) => by_tls(close.error_code),
        quinn::ConnectionError::ApplicationClosed(close) => by_node(close.error_code),
        quinn::ConnectionError::VersionMismatch => true,
        quinn::ConnectionError::Reset
        | quinn::ConnectionError::TimedOut
        | quinn::ConnectionError::LocallyClosed
        | quinn::ConnectionError::CidsExhausted => false,
    }
}

fn transport_config() -> TransportConfig {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(DATAGRAM_BYTES_MAX);
    let mut acknowledgements = AckFrequencyConfig::default();
    acknowledgements.ack_eliciting_threshold(ACK_ELICITING_THRESHOLD.into());
    let mut congestion = CubicConfig::default();
    congestion.initial_window(INITIAL_WINDOW_BYTES);
    let mut config = TransportConfig::default();
    config
        .congestion_controller_factory(Arc::new(congestion))
        .mtu_discovery_config(Some(discovery))
        .ack_frequency_config(Some(acknowledgements))
        .enable_segmentation_offload(true)
        .max_concurrent_bidi_streams(STREAMS_MAX.into())
        .max_concurrent_uni_streams(0_u32.into())
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(
            IdleTimeout::try_from(IDLE_TIMEOUT).expect("seconds fit a variable-length integer"),
        ))
        .keep_alive_interval(Some(KEEP_ALIVE_INTERVAL));
    config
}

fn socket(addr: SocketAddr) -> std::io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(addr)?;
    let options = socket2::SockRef::from(&socket);
    // The system may grant less, which costs throughput under deep queues and nothing else.
    options.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    options.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    Ok(socket)
}
