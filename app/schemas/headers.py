"""What every answer tells a browser, whoever gives it: docs/security.md says why each."""

from __future__ import annotations

Header = tuple[bytes, bytes]

#: What no page of ours uses, and so nothing that got into one may. Only names that Chromium has
#: long known: it complains of others on every page.
_DENIED = (
    "accelerometer",
    "autoplay",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)

#: The same on each answer.
ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _DENIED).encode()),
)
#: As they stand in an answer.
ALWAYS_LINES = b"".join(b"%s: %s\r\n" % header for header in ALWAYS)

#: For what is no page: shown as one all the same, it runs, loads and is framed by nothing.
POLICY: Header = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
#: An answer may hold what a key was needed for; a route that knows better says so itself.
NOT_KEPT: Header = (b"cache-control", b"no-store")
#: Files are kept, and asked after by their ETag: those of an older version would not fit the page.
ASKED_AFTER: Header = (b"cache-control", b"no-cache")
#: A year. Not for other hosts of the domain, which may be anybody's, and without a wish to be in
#: lists of browsers, which is for the domain's owner to have.
HTTPS_ONLY: Header = (b"strict-transport-security", b"max-age=31536000")
