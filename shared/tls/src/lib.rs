//! Whom our connections trust: the root certificates of this machine, read once in a process for all its clients.
//!
//! A client that is left to itself reads them for itself, on some machines from 150 files. See README.md.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};

/// Files that hold every root of the machine: of Amazon Linux, which Lambda's functions run on, and of Debian.
const BUNDLES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// What names other certificates than the machine's: a file, and folders.
const NAMED_BY: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// That of this process.
static CLIENT: LazyLock<ClientConfig> = LazyLock::new(|| client_that_trusts(roots_among(machines_own())));

/// What a client that speaks HTTP/1.1 connects with. Copies share the roots and the sessions that servers let it resume.
pub fn client() -> ClientConfig {
    CLIENT.clone()
}

/// Those that can be read.
fn roots_among(found: CertificateResult) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (_read, odd) = roots.add_parsable_certificates(found.certs);
    if odd > 0 {
        tracing::warn!(certificates = odd, "root certificates that cannot be read are left out");
    }
    if let Some(error) = found.errors.first() {
        tracing::warn!(error = %error, errors = found.errors.len(), "not every root certificate could be read");
    }
    if roots.is_empty() {
        tracing::error!("there is no root certificate: no server can prove who it is, and every call by TLS fails");
    }
    roots
}

fn client_that_trusts(roots: RootCertStore) -> ClientConfig {
    let mut client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has ciphers for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    client
}

#[expect(clippy::disallowed_methods, reason = "these two are read by the library that reads the certificates")]
fn machines_own() -> CertificateResult {
    #[cfg(test)]
    tests::READINGS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let are_named = NAMED_BY.iter().any(|name| std::env::var_os(name).is_some());
    let bundled = || of_first_bundle(BUNDLES.map(Path::new));
    if are_named { load_native_certs() } else { bundled().unwrap_or_else(load_native_certs) }
}

/// What the first bundle that can be read holds.
fn of_first_bundle<'a>(bundles: impl IntoIterator<Item = &'a Path>) -> Option<CertificateResult> {
    let there = bundles.into_iter().filter(|bundle| bundle.exists());
    there.map(|bundle| load_certs_from_paths(Some(bundle), None)).find(|found| !found.certs.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// How often this process has read the machine's certificates.
    pub(super) static READINGS: AtomicUsize = AtomicUsize::new(0);

    /// Signed by a key that nobody has kept.
    const ROOT: &str = "-----BEGIN CERTIFICATE-----
MIIBjTCCATOgAwIBAgIUVMmYkBg1fvg+vdtEvSBmzuqhYXcwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQQSByb290IGZvciB0ZXN0czAgFw0yNjExMzAxOTA4MDVaGA8y
MTI2MTEwNjE5MDgwNVowGzEZMBcGA1UEAwwQQSByb290IGZvciB0ZXN0czBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABGITl+bexAg8/DOP5IKfW17Lg5x0BUzz+gHY
oMFOTWkFFJZOgWZy1HcE0jQhYXxlg6i4jN88ZVu1VLYPOVVxtRWjUzBRMB0GA1Ud
DgQWBBQcgCLmwNqYsIa9k5IwEUNXGk0oaDAfBgNVHSMEGDAWgBQcgCLmwNqYsIa9
k5IwEUNXGk0oaDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCk
rEdl4pcermgMaLEQAvbxvb8ceR7/CBdMCtr19yG6ZwIgXsnTWK/E7amcRzte7mAV
2Vt8UMOyBXZQTtCFRZzX/M0=
-----END CERTIFICATE-----
";
    /// A section as it should be, with a certificate in it that is none.
    const NO_ROOT: &str = "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";

    #[test]
    fn many_clients_come_of_one_reading() {
        for _ in 0..10 {
            assert_eq!(client().alpn_protocols, [b"http/1.1"]);
        }
        assert_eq!(READINGS.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_first_bundle_that_holds_something_is_the_one_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (empty, one) = (file("empty", "# Nothing yet.\n"), file("one", ROOT));
        let (two, missing) = (file("two", &format!("{NO_ROOT}{ROOT}")), folder.path().join("missing"));
        let certificates = |bundles: &[&Path]| of_first_bundle(bundles.iter().copied()).map(|found| found.certs.len());
        assert_eq!(certificates(&[&missing, &empty, &one, &two]), Some(1));
        assert_eq!(certificates(&[&two, &one]), Some(2));
        assert_eq!(certificates(&[&missing, &empty]), None);
    }

    #[test]
    fn what_is_no_certificate_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle");
        std::fs::write(&bundle, format!("{NO_ROOT}{ROOT}")).unwrap();
        assert_eq!(roots_among(load_certs_from_paths(Some(&bundle), None)).len(), 1);
    }
}
