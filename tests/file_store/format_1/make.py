#!/usr/bin/env python3
"""Makes a sealed record of format 1 with nothing but the standard library: `make.py > NAME.token`.

It shows that the format is what docs/token-cache.md says. With `later`, the record is one that a later version may write: it has members that this
version does not know. The nonce is fixed, which a real writer must never do.
"""

import hashlib
import hmac
import struct
import sys

SECRET = b"mdb_sa_sk_canary-of-the-secret-0123456789"
IDENTITY = [
    ("token_endpoint", "https://cloud.mongodb.com/api/oauth/token"),
    ("client_id", "mdb_sa_id_0123456789abcdef01234567"),
    ("auth_method", "client_secret_basic_raw"),
    ("scope", ""),
    ("audience", ""),
    ("resource", ""),
]
TOKEN = b"a token of format 1"
DESCRIPTION = (
    b'{"token":{"scope":"read write","obtained_at_ms":1800000000000,"expires_at_ms":1800003600000,"refresh_at_ms":1800003000000},'
    b'"cooldown":{"refusal":{"kind":"rate_limited","server":"https://cloud.mongodb.com","description":"later","http_status":429,'
    b'"retry_after_ms":30000},"since_ms":1800003000000,"until_ms":1800003030000,"failures":1}}'
)
LATER = (
    b'{"token":{"scope":null,"obtained_at_ms":1799999000000,"expires_at_ms":1800000020000,"refresh_at_ms":1799999990000,"issuer":"https://a.example"},'
    b'"cooldown":null,"last_mint_ms":1.50,"auth_method":{"accepted":"client_secret_post","tried_at_ms":1799999000000},"moon":[ "full" ]}'
)
NONCE = bytes(range(12))


def hkdf(length: int, purpose: bytes) -> bytes:
    """RFC 5869 with SHA-256; `length` is at most 32, so one block is enough."""
    secret = hmac.new(b"tokenwell sealed record, format 1", SECRET, hashlib.sha256).digest()
    info = purpose + b"\0\1"
    for field in (text.encode() for pair in IDENTITY for text in pair):
        info += struct.pack(">Q", len(field)) + field
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:length]


def chacha20(key: bytes, counter: int, text: bytes) -> bytes:
    """RFC 8439 section 2.4."""

    def rotate(value: int, by: int) -> int:
        return (value << by | value >> (32 - by)) & 0xFFFFFFFF

    out = bytearray()
    for block in range(0, len(text), 64):
        first = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter + block // 64, *struct.unpack("<3I", NONCE)]
        state = list(first)
        for step in range(80):
            column = step % 4
            if step % 8 < 4:
                a, b, c, d = column, 4 + column, 8 + column, 12 + column
            else:
                a, b, c, d = column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4
            for target, source, mixed, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                state[target] = (state[target] + state[source]) & 0xFFFFFFFF
                state[mixed] = rotate(state[mixed] ^ state[target], by)
        stream = struct.pack("<16I", *((one + other) & 0xFFFFFFFF for one, other in zip(state, first)))
        out += bytes(one ^ other for one, other in zip(text[block : block + 64], stream))
    return bytes(out)


def poly1305(key: bytes, text: bytes) -> bytes:
    """RFC 8439 section 2.5."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for block in range(0, len(text), 16):
        total = (total + int.from_bytes(text[block : block + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def sealed(key: bytes, header: bytes, plain: bytes) -> bytes:
    """RFC 8439 section 2.8."""
    text = chacha20(key, 1, plain)
    padded = b"".join(part + bytes(-len(part) % 16) for part in (header, text))
    return header + text + poly1305(chacha20(key, 0, bytes(32)), padded + struct.pack("<QQ", len(header), len(text)))


print(hkdf(16, b"file name").hex() + ".token", file=sys.stderr)
description = LATER if sys.argv[1:] == ["later"] else DESCRIPTION
plain = struct.pack(">I", len(description)) + description + TOKEN
sys.stdout.buffer.write(sealed(hkdf(32, b"record key"), b"tokenwell\1" + NONCE, plain))
