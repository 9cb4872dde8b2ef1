#!/bin/sh
# Makes the certificates of src/grant/signatures.rs with openssl. Each file contains the authority, the certificate of
# the server "localhost" and the server's key. Usage: tests/certificates/make.sh (openssl 3)
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

key() {
    case $1 in
        rsa*) openssl genpkey -quiet -algorithm RSA -pkeyopt "rsa_keygen_bits:${1#rsa}" ;;
        ed448) openssl genpkey -algorithm ED448 ;;
        *) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$1" ;;
    esac
}

# make NAME KEY_OF_THE_SERVER KEY_OF_THE_AUTHORITY DIGEST
make() {
    key "$3" >"$scratch/ca.key"
    key "$2" >"$scratch/key"
    digest=-$4
    [ "$4" = none ] && digest=
    openssl req -x509 -new -key "$scratch/ca.key" $digest -subj "/CN=Authority $1" -days 36500 \
        -addext basicConstraints=critical,CA:TRUE -out "$scratch/ca.pem"
    openssl req -new -key "$scratch/key" -subj /CN=localhost -out "$scratch/csr"
    printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >"$scratch/extensions"
    openssl x509 -req -in "$scratch/csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" $digest -days 36400 -set_serial 2 \
        -extfile "$scratch/extensions" -out "$scratch/pem" 2>/dev/null
    cat "$scratch/ca.pem" "$scratch/pem" "$scratch/key" >"$1.pem"
}

make p521 P-521 P-521 sha512
make p521_sha256 P-521 P-521 sha256
make p521_sha384 P-521 P-521 sha384
make p384_sha512 P-384 P-384 sha512
make p256_sha512 P-256 P-256 sha512
make sha1 P-256 P-256 sha1
make ed448 P-256 ed448 none
make rsa1024 P-256 rsa1024 sha256
make rsa_sha1 P-256 rsa2048 sha1
make secp256k1 P-256 secp256k1 sha256
