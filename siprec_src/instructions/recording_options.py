"""``recordingOptions`` of a local recording: where its file goes, who may write there, and in which format.

s3://bucket/[[folder/][file]]              access key:secret key:region
azure://account/container/[[folder/][file]]        the account's key, in base64
gs://bucket/[[folder/][file]]              access key:secret, of Cloud Storage's interoperability
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Mapping
from typing import Any, Final

from siprec_src.errors import InstructionError
from siprec_src.instructions.json_values import INVALID_PARAMETER, MISSING_PARAMETER
from siprec_src.values import SecretText, immutable

MAX_PATH_BYTES: Final = 1024
MAX_CREDENTIALS_CHARS: Final = 2048


class Store(enum.Enum):
    """Whose object store."""

    S3 = "s3"
    AZURE = "azure"
    GS = "gs"


class FileFormat(enum.Enum):
    """What the file holds."""

    MP3 = "mp3"
    WAV = "wav"


@immutable
class Destination:
    """Where the file goes."""

    store: Store
    account: str = ""  #: Azure's, case kept
    bucket: str  #: or container
    path: str  #: a file's; empty or with a slash at its end: a folder's, in which the file gets a name


@immutable
class StoreCredentials:
    """Who may write there. Nothing of it is shown."""

    access_key: SecretText  #: "" with Azure
    secret: SecretText
    region: str  #: "" where the store has none


@immutable
class Transcription:
    """What is wanted of a transcription."""

    enabled: bool
    locale: str  #: a language tag, "" when not given


@immutable
class RecordingOptions:
    """All of it, checked."""

    destination: Destination
    credentials: StoreCredentials
    format: FileFormat = FileFormat.MP3
    notification_events: bool = True
    transcription: Transcription | None = None


def read_recording_options(value: object) -> tuple[RecordingOptions, tuple[str, ...]]:
    """Check what stands for ``recordingOptions``; besides them the keys that mean nothing here.

    Raises:
        InstructionError: its text names the key, never the credentials.
    """
    if not isinstance(value, Mapping):
        raise _wrong("", "expected an object")
    destination = _destination(_text(value, "destinationUrl"))
    options = RecordingOptions(
        destination=destination,
        credentials=_credentials(destination.store, _text(value, "credentials")),
        format=_format(value),
        notification_events=_flag(value, "notificationEvents", default=True),
        transcription=_transcription(value.get("transcriptionOptions")),
    )
    return options, tuple(sorted(set(value) - _KEYS))


def _destination(url: str) -> Destination:
    scheme, slashes, rest = url.partition("://")
    store = next((store for store in Store if slashes and store.value == scheme.lower()), None)
    if store is None:
        raise _wrong("destinationUrl", "expected s3://, azure:// or gs://")
    account = ""
    if store is Store.AZURE:
        account, _, rest = rest.partition("/")
        if not _BUCKET.fullmatch(account):
            raise _wrong("destinationUrl", "expected azure://account/container/file")
    bucket, _, path = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise _wrong("destinationUrl", f"expected a bucket or container behind {scheme.lower()}://")
    steps = path.split("/")
    if not _PATH.fullmatch(path) or len(path.encode()) > MAX_PATH_BYTES or "." in steps or ".." in steps:
        raise _wrong("destinationUrl", f"expected a plain path of at most {MAX_PATH_BYTES} bytes")
    return Destination(store=store, account=account, bucket=bucket, path=path)


def _credentials(store: Store, text: str) -> StoreCredentials:
    if len(text) > MAX_CREDENTIALS_CHARS or not _VISIBLE.fullmatch(text):
        raise _wrong("credentials", f"expected at most {MAX_CREDENTIALS_CHARS} visible ASCII characters")
    key, secret, region = "", text, ""
    match store:
        case Store.S3:  # the secret may hold slashes, and colons even
            key, _, rest = text.partition(":")
            secret, _, region = rest.rpartition(":")
            if not (key and secret and _REGION.fullmatch(region)):
                raise _wrong("credentials", "expected AccessKey:SecretKey:Region")
        case Store.GS:
            key, _, secret = text.partition(":")
            if not (key and secret):
                raise _wrong("credentials", "expected AccessKey:Secret")
        case Store.AZURE:
            if not _is_base64(text):
                raise _wrong("credentials", "expected the account's key in base64")
    return StoreCredentials(access_key=SecretText(key), secret=SecretText(secret), region=region)


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def _format(options: Mapping[str, Any]) -> FileFormat:
    text = options.get("format", FileFormat.MP3.value)
    for known in FileFormat:
        if isinstance(text, str) and text.lower() == known.value:
            return known
    raise _wrong("format", "expected mp3 or wav")


def _transcription(value: object) -> Transcription | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _wrong("transcriptionOptions", "expected an object")
    locale = value.get("locale", "")
    if not isinstance(locale, str) or not _LOCALE.fullmatch(locale):
        raise _wrong("transcriptionOptions.locale", "expected a language tag, such as en-US")
    return Transcription(
        enabled=_flag(value, "enabled", default=False, path="transcriptionOptions."), locale=locale
    )


def _text(options: Mapping[str, Any], key: str) -> str:
    value = options.get(key)
    if value is None:
        raise InstructionError(f"recordingOptions.{key}: missing", code=MISSING_PARAMETER)
    if not isinstance(value, str):
        raise _wrong(key, "expected a string")
    return value


def _flag(options: Mapping[str, Any], key: str, *, default: bool, path: str = "") -> bool:
    value = options.get(key, default)
    if not isinstance(value, bool):
        raise _wrong(path + key, "expected true or false")
    return value


def _wrong(key: str, what: str) -> InstructionError:
    where = f"recordingOptions.{key}" if key else "recordingOptions"
    return InstructionError(f"{where}: {what}", code=INVALID_PARAMETER)


_KEYS: Final = frozenset(
    {"destinationUrl", "credentials", "format", "notificationEvents", "transcriptionOptions"}
)
_BUCKET: Final = re.compile(r"[A-Za-z0-9$_][A-Za-z0-9$._-]{0,221}")
_PATH: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f?#\\\ud800-\udfff]*")
_REGION: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_VISIBLE: Final = re.compile(r"[!-~]+")
_LOCALE: Final = re.compile(r"(?:[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4})?")
