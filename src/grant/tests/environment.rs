//! What the environment must not change.

use super::*;

#[test]
fn i8_i9_neither_netrc_nor_proxy_nor_key_log_settings_change_anything_on_loopback() {
    if std::env::var_os(CHILD).is_some() {
        return mint_over_loopback_and_tls_in_this_environment();
    }
    let home = tempfile::tempdir().unwrap();
    let netrc = home.path().join(".netrc");
    let key_log = home.path().join("keys.log");
    std::fs::write(&netrc, "machine 127.0.0.1 login netrc password netrc\ndefault login netrc password netrc\n").unwrap();
    let dead_proxy = "http://127.0.0.1:1";

    let mut child = in_child_process("environment::i8_i9_neither_netrc_nor_proxy_nor_key_log_settings_change_anything_on_loopback");
    child.env("HOME", home.path()).env("NETRC", &netrc).env("SSLKEYLOGFILE", &key_log).env("REQUEST_METHOD", "POST");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, dead_proxy);
    }
    assert_passes(child.env_remove("NO_PROXY").env_remove("no_proxy"));

    assert!(!key_log.exists());
}

fn mint_over_loopback_and_tls_in_this_environment() {
    let server = TestServer::replying(vec![token_reply()]);
    mint(&server.url("/token")).unwrap();
    let authority = authority();
    mint_over_tls(&authority, &authority, "localhost", 2400).unwrap();

    let request = server.finish().requests.remove(0);
    assert!(request.starts_with("POST /token HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(&request, "authorization"), Some(format!("Basic {}", STANDARD.encode(format!("{ID}:{SECRET}"))).as_str()));
}
