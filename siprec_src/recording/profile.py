"""Profiles: what one kind of recorder is used to, as values of keys of ``[[srs]]``.

A profile holds nothing but defaults: whatever is written in the ``[[srs]]`` itself goes before it. Where each
value comes from is said in docs/interop.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DEFAULT_PROFILE: Final = "rfc7866"
G711: Final = ("PCMU", "PCMA")

PROFILES: Final[Mapping[str, Mapping[str, Any]]] = {
    DEFAULT_PROFILE: {},
    "google-ccai": {
        "codecs": G711,
        "media_security": "sdes",
        "srtp_suites": ("AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"),
        "headers": {
            "Call-Info": "<https://dialogflow.googleapis.com/v2beta1/projects/{value:project}"
            "/conversations/{conversation_id}>;purpose=Goog-ContactCenter-Conversation"
        },
    },
    "aws-chime": {"codecs": G711},
    "amazon-connect": {"codecs": G711, "order": "agent-first", "extensions": ("amazon-connect",)},
    "oracle": {"extensions": ("apkt",)},
    "audiocodes": {"metadata_type": "application/rs-metadata", "extensions": ("audiocodes",)},
    "cisco": {"events": True, "on_hold": "pause"},
    "metaswitch": {
        "metadata_type": "application/rs-metadata",
        "events": True,
        "headers": {"P-Asserted-Identity": "<{from.uri}>"},
    },
    "broadworks": {
        "events": True,
        "headers": {"X-BroadWorks-Correlation-Info": "{header:X-BroadWorks-Correlation-Info}"},
    },
    "drachtio": {"track": "both", "order": "caller-first", "labels": ("1", "2"), "late_track": "wait"},
}
"""By name."""


def joined(defaults: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """What is written goes before the defaults, key by key; tables such as ``headers`` name by name."""
    both = {
        key: {**defaults[key], **value}
        for key, value in written.items()
        if isinstance(value, Mapping) and isinstance(defaults.get(key), Mapping)
    }
    return {**defaults, **written, **both}
