"""The forms in which a secret could leak, and the search for them.

Partial leaks are found too: any WINDOW + STRIDE - 1 consecutive characters of any form.
"""

import base64
import json
import urllib.parse

WINDOW = 16
STRIDE = 4


def forms(text):
    """Returns each form of `text` by its name, as bytes."""
    raw = text.encode()
    shapes = {
        "raw": raw,
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "hex with blanks": raw.hex(" ").encode(),
        "list of numbers": ", ".join(str(byte) for byte in raw).encode(),
        "list of numbers, tight": ",".join(str(byte) for byte in raw).encode(),
        "percent": urllib.parse.quote(text, safe="").encode(),
        "percent, as in a form": urllib.parse.quote_plus(text, safe="").encode(),
        "percent, lower case": urllib.parse.quote(text, safe="").lower().encode(),
        "percent, underscores too": text.replace("_", "%5F").encode(),
        "percent, each byte": "".join(f"%{byte:02X}" for byte in raw).encode(),
        "percent, each byte, lower case": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "JSON": json.dumps(text)[1:-1].encode(),
        "JSON, each character": "".join(f"\\u{ord(character):04x}" for character in text).encode(),
        "C escapes": "".join(f"\\x{byte:02x}" for byte in raw).encode(),
        "UTF-16": text.encode("utf-16-le"),
    }
    # The bytes before the secret shift it within the groups of three bytes. All three shifts are
    # covered, so `id:secret` and any other prefix is found too.
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        shape = encoded[(before * 8 + 5) // 6 : len(encoded) - 1]
        shapes[f"base64 at {before}"] = shape
        shapes[f"base64url at {before}"] = shape.translate(bytes.maketrans(b"+/", b"-_"))
    return shapes


class Net:
    """Finds any form of the added strings, complete or partial."""

    def __init__(self):
        self.windows = {}

    def add(self, name, text):
        if len(text) < WINDOW:
            raise ValueError(f"{name} is too short: it could match by chance")
        for form, shape in forms(text).items():
            last = len(shape) - WINDOW
            for start in [*range(0, last, STRIDE), last]:
                self.windows.setdefault(shape[start : start + WINDOW], (name, form))

    def find(self, content):
        """Returns (name, form, offset) of the first match in `content`, or None."""
        windows = self.windows
        for start in range(len(content) - WINDOW + 1):
            piece = content[start : start + WINDOW]
            if piece in windows:
                return (*windows[piece], start)
        return None
