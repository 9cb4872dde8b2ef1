//! The secret on standard output, in the form of its reader.

use super::Target;
use crate::failure::Failure;
use crate::output;
use crate::wiped::Wiped;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Prints the secret as the target says, and returns where it is.
pub(super) fn print(target: &Target, organization: &str, client_id: &str, secret: &str) -> Result<String, Failure> {
    let content = match target {
        Target::Terraform => object(&[("client_id", client_id), ("client_secret", secret)]),
        Target::AwsManaged => object(&[("clientId", client_id), ("clientSecret", secret), ("orgId", organization)]),
        Target::Kubernetes(name) => manifest(name, organization, client_id, secret),
        _ => Wiped::of(&["MONGODB_ATLAS_CLIENT_ID=", client_id, "\nMONGODB_ATLAS_CLIENT_SECRET=", secret, "\n"]),
    };
    output::secret(&content).map(|()| "on standard output".to_owned())
}

/// A manifest for the Atlas operator, which reads only Secrets with this label.
fn manifest(name: &str, organization: &str, client_id: &str, secret: &str) -> Wiped {
    let mut manifest = Wiped::of(&[
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: ",
        name,
        "\n  labels:\n    atlas.mongodb.com/type: credentials\ntype: Opaque\ndata:\n",
    ]);
    for (key, value) in [("orgId", organization), ("clientId", client_id), ("clientSecret", secret)] {
        let encoded = encoded(value);
        manifest.push("  ");
        manifest.push(key);
        manifest.push(": ");
        manifest.push(&encoded);
        manifest.push("\n");
    }
    manifest
}

/// Base64 without a newline, which would become part of the value.
fn encoded(value: &str) -> Zeroizing<String> {
    // Allocated with the final size: a string that grows leaves copies.
    let mut encoded = Zeroizing::new(String::with_capacity(value.len().div_ceil(3) * 4));
    STANDARD.encode_string(value, &mut encoded);
    encoded
}

fn object(members: &[(&str, &str)]) -> Wiped {
    let mut object = Wiped::of(&["{"]);
    for (index, (key, value)) in members.iter().enumerate() {
        object.push(if index == 0 { "" } else { "," });
        // Neither the buffer nor a string can fail.
        let _ = serde_json::to_writer(&mut object, key);
        object.push(":");
        let _ = serde_json::to_writer(&mut object, value);
    }
    object.push("}\n");
    object
}
