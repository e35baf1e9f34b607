//! Who is who: a certificate authority made for one run, and the identities it issues.
//!
//! Every connection is mutual TLS 1.3. A node's certificate names its node id, which the dialler
//! verifies as the server name; the acceptor reads the dialler's name from its certificate. Keys
//! live in memory and cross only the control channel's pipe: they are never written to a disk.

use std::sync::Arc;

use quinn::rustls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde::{Deserialize, Serialize};

use kvs_core::protocol::NodeId;

/// Negotiated by every connection, so that nothing else that speaks QUIC gets further.
const ALPN: &[u8] = b"kvs-zoo/1";
/// The domain under which names are issued. It exists nowhere but in certificates.
const DOMAIN: &str = "kvs-zoo";
/// The name of every client.
const CLIENT_NAME: &str = "client.kvs-zoo";

/// Why an identity could not be made or used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Keys or certificates could not be generated.
    #[error("cannot issue a certificate")]
    Issue(#[from] rcgen::Error),
    /// An identity's text is not what this program writes.
    #[error("cannot read the identity's {0}: pass it on as it was issued")]
    Pem(&'static str),
    /// The parts of an identity do not fit together.
    #[error("cannot use the identity")]
    Rustls(#[from] rustls::Error),
    /// The authority's certificate cannot verify others.
    #[error("cannot verify with the authority's certificate")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// The cipher suites cannot carry QUIC.
    #[error("the cipher suites lack the one that QUIC begins with")]
    Suite(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
}

/// The root of trust of one run. Dropped with the run; its key never leaves the process.
pub struct CertificateAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a node or a client needs to prove who it is and to verify others: PEM text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The authority's certificate.
    authority: String,
    /// The certificate issued to the bearer.
    certificate: String,
    /// Its private key.
    key: String,
}

/// Who is at the other end of a connection, as its certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A client.
    Client,
    /// The node of this id.
    Node(NodeId),
}

impl CertificateAuthority {
    /// A new authority with a new key.
    ///
    /// # Errors
    /// When the random source or the signature fails.
    pub fn new() -> Result<Self, TlsError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "kvs-zoo run authority");
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
        })
    }

    /// The identity of `node`: it may serve and dial.
    ///
    /// # Errors
    /// When the random source or the signature fails.
    pub fn node(&self, node: NodeId) -> Result<Identity, TlsError> {
        let usages = [
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        self.issue(node_name(node), &usages)
    }

    /// An identity that may only dial, as a client.
    ///
    /// # Errors
    /// When the random source or the signature fails.
    pub fn client(&self) -> Result<Identity, TlsError> {
        self.issue(
            CLIENT_NAME.to_owned(),
            &[ExtendedKeyUsagePurpose::ClientAuth],
        )
    }

    /// A client's identity whose time is over: every node refuses it, which is what it is for.
    ///
    /// # Errors
    /// When the random source or the signature fails.
    pub fn expired_client(&self) -> Result<Identity, TlsError> {
        let mut params = Self::parameters(
            CLIENT_NAME.to_owned(),
            &[ExtendedKeyUsagePurpose::ClientAuth],
        )?;
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        self.sign(&params)
    }

    fn issue(
        &self,
        name: String,
        usages: &[ExtendedKeyUsagePurpose],
    ) -> Result<Identity, TlsError> {
        self.sign(&Self::parameters(name, usages)?)
    }

    fn parameters(
        name: String,
        usages: &[ExtendedKeyUsagePurpose],
    ) -> Result<CertificateParams, TlsError> {
        let mut params = CertificateParams::new(vec![name.clone()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages.to_vec();
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Identity, TlsError> {
        let key = KeyPair::generate()?;
        Ok(Identity {
            authority: self.issuer.pem(),
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateAuthority")
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The same identity under another authority's certificate: it trusts others, and is
    /// trusted by its own. For tests of what a node refuses.
    #[must_use]
    pub fn trusting(mut self, other: &Self) -> Self {
        self.authority.clone_from(&other.authority);
        self
    }

    /// What an endpoint that dials presents and demands.
    pub(super) fn client_config(
        &self,
    ) -> Result<quinn::crypto::rustls::QuicClientConfig, TlsError> {
        let (chain, key) = self.chain_and_key()?;
        let mut config = self.dialling()?.with_client_auth_cert(chain, key)?;
        finish_dialling(&mut config);
        Ok(config.try_into()?)
    }

    /// The identity of an endpoint that trusts the authority and proves nothing about itself. For
    /// tests of what a node refuses.
    pub(super) fn anonymous_config(
        &self,
    ) -> Result<quinn::crypto::rustls::QuicClientConfig, TlsError> {
        let mut config = self.dialling()?.with_no_client_auth();
        finish_dialling(&mut config);
        Ok(config.try_into()?)
    }

    /// What an endpoint that accepts presents and demands.
    pub(super) fn server_config(
        &self,
    ) -> Result<quinn::crypto::rustls::QuicServerConfig, TlsError> {
        let (chain, key) = self.chain_and_key()?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider())
                .build()?;
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Each connection proves both identities anew: a resumed one would save a millisecond.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config.try_into()?)
    }

    fn dialling(
        &self,
    ) -> Result<
        rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert>,
        TlsError,
    > {
        Ok(rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.roots()?))
    }

    fn roots(&self) -> Result<rustls::RootCertStore, TlsError> {
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.authority.as_bytes())
            .map_err(|_| TlsError::Pem("authority"))?;
        roots.add(authority)?;
        Ok(roots)
    }

    fn chain_and_key(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())
            .map_err(|_| TlsError::Pem("certificate"))?;
        let key =
            PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|_| TlsError::Pem("key"))?;
        Ok((vec![certificate], key))
    }
}

/// Never prints the key.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Peer {
    /// Who dialled, by the certificate that the handshake verified. `None` for a certificate of
    /// this run that names neither a client nor a node.
    pub(super) fn of(connection: &quinn::Connection) -> Option<Self> {
        let identity = connection.peer_identity()?;
        let chain = identity.downcast_ref::<Vec<CertificateDer<'static>>>()?;
        let certificate = webpki::EndEntityCert::try_from(chain.first()?).ok()?;
        certificate.valid_dns_names().find_map(Self::named)
    }

    fn named(name: &str) -> Option<Self> {
        if name == CLIENT_NAME {
            return Some(Self::Client);
        }
        let id = name
            .strip_prefix("node-")?
            .strip_suffix(DOMAIN)?
            .strip_suffix('.')?;
        id.parse().ok().map(|id| Self::Node(NodeId(id)))
    }
}

/// The name that a node's certificate carries and that its diallers demand.
#[must_use]
pub fn node_name(node: NodeId) -> String {
    format!("node-{}.{DOMAIN}", node.0)
}

/// AES-GCM by ring: ChaCha20 costs a fifth of the throughput, larger keys nothing, and one suite
/// makes runs comparable.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..ring::default_provider()
    })
}

fn finish_dialling(config: &mut rustls::ClientConfig) {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_client_or_node_and_nothing_else() {
        let cases = [
            (node_name(NodeId(0)), Some(Peer::Node(NodeId(0)))),
            (node_name(NodeId(4095)), Some(Peer::Node(NodeId(4095)))),
            (CLIENT_NAME.to_owned(), Some(Peer::Client)),
            ("node-1.elsewhere".to_owned(), None),
            ("node-.kvs-zoo".to_owned(), None),
            ("node-1kvs-zoo".to_owned(), None),
            ("node-65536.kvs-zoo".to_owned(), None),
            ("client.kvs-zoo.example".to_owned(), None),
        ];
        for (name, expected) in cases {
            assert_eq!(Peer::named(&name), expected, "{name}");
        }
    }

    #[test]
    fn debug_output_of_an_identity_has_no_key() {
        let identity = CertificateAuthority::new().unwrap().client().unwrap();
        assert!(identity.key.contains("PRIVATE KEY"), "the control");
        assert!(!format!("{identity:?}").contains("PRIVATE KEY"));
    }
}
