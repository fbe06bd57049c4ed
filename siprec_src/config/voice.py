"""The voice applications of trunks."""

from __future__ import annotations

from siprec_src.api.accounts import Accounts
from siprec_src.api.outside import check_url
from siprec_src.config.lines import KeyPath
from siprec_src.config.settings import TrunkSettings
from siprec_src.config.sources import Problems
from siprec_src.errors import ConfigurationError
from siprec_src.ingest.inline.voice import AfterInstructions, Voice, VoiceDefault, VoiceFormat
from siprec_src.values import SecretText


def voice_of(settings: TrunkSettings, path: KeyPath, problems: Problems) -> Voice | None:
    """The application that a trunk names; None when there is none, or it cannot be asked."""
    for key in ("voice_url", "voice_fallback_url"):
        try:
            if url := getattr(settings, key):
                check_url(url)
        except ValueError as error:
            problems.add((*path, key), str(error))
    if not settings.voice_url:
        if settings.voice_fallback_url:
            problems.add((*path, "voice_fallback_url"), "expected voice_url beside it")
        return None
    if settings.voice_format == "svaml" and settings.voice_method == "GET":
        problems.add((*path, "voice_method"), "svaml is asked for by POST")
    try:
        return Voice(
            url=SecretText(settings.voice_url),
            fallback_url=SecretText(settings.voice_fallback_url) if settings.voice_fallback_url else None,
            method=settings.voice_method,
            format=VoiceFormat(settings.voice_format),
            timeout_s=settings.voice_timeout_s,
            default=VoiceDefault(settings.voice_default),
            after=AfterInstructions(settings.after_instructions),
        )
    except ConfigurationError as error:
        problems.blame(path, error)
        return None


def check_voice(trunks: tuple[TrunkSettings | None, ...], accounts: Accounts, problems: Problems) -> None:
    """Whoever is asked must be able to tell who asks."""
    for number, trunk in enumerate(trunks):
        if trunk is None or not trunk.voice_url:
            continue
        account = accounts.of_trunk_named(trunk.name)
        if account is None:
            what = "expected an [[account]], whose token signs what is asked: siprec-src account new"
            problems.add(("trunk", number, "voice_url"), what)
        elif trunk.voice_format == "svaml" and account.application is None:
            what = "svaml expects application_key and its secret in the [[account]], to sign what is asked"
            problems.add(("trunk", number, "voice_format"), what)
