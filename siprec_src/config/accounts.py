"""The accounts of the API, whose trunks are whose, and who may reach the API at all."""

from __future__ import annotations

from siprec_src.api.accounts import Account, Accounts, ApiKey, Application
from siprec_src.api.settings import AccountSettings, HttpSettings
from siprec_src.api.tls import RenewedContext
from siprec_src.config.lines import KeyPath
from siprec_src.config.secrets import application_secret_of, auth_token_of
from siprec_src.config.settings import TrunkSettings
from siprec_src.config.sources import Problems, suggestion
from siprec_src.errors import ConfigurationError
from siprec_src.net.sockets import is_loopback
from siprec_src.sip.flow import Address


def build_accounts(
    given: tuple[AccountSettings | None, ...], trunks: tuple[TrunkSettings | None, ...], problems: Problems
) -> Accounts:
    """The accounts; what is broken is left out."""
    known: list[Account] = []
    taken: set[str] = set()
    applications: set[str] = set()
    for number, settings in enumerate(given):
        path: KeyPath = ("account", number)
        if settings is None:
            continue
        for key, name in (("sid", settings.sid), ("name", settings.name)):
            if name and name in taken:
                problems.add((*path, key), f"{name!r} is there already")
            taken.add(name)
        if settings.application_key and settings.application_key in applications:
            problems.add((*path, "application_key"), f"{settings.application_key!r} is there already")
        applications.add(settings.application_key)
        if (account := _account(settings, path, taken, problems)) is not None:
            known.append(account)
    of_trunk = {}
    for number, trunk in enumerate(trunks):
        if trunk is None or not trunk.account:
            continue
        owner = next((a for a in known if trunk.account in (a.sid, a.name)), None)
        if owner is not None:
            of_trunk[trunk.name] = owner.sid
        elif None not in given:
            hint = suggestion(trunk.account, [a.name or a.sid for a in known])
            problems.add(("trunk", number, "account"), f"{trunk.account!r} does not exist{hint}")
    return Accounts(known=tuple(known), of_trunk=of_trunk)


def check_http(listen: Address | None, http: HttpSettings, accounts: Accounts, problems: Problems) -> None:
    """Beyond this machine nobody is served without having to say who he is."""
    if listen is None or is_loopback(listen.host):
        return
    if not (http.token_file or http.token_env or accounts.known):
        what = "beyond loopback only with credentials: token_file, token_env or an [[account]]"
        problems.add(("http", "listen"), what)


def check_http_files(http: HttpSettings, problems: Problems) -> None:
    """The certificate must be there, and fit its key, before the first client."""
    if http.tls_certificate is None:
        return
    try:
        RenewedContext(http.tls_certificate, http.tls_key)
    except ConfigurationError as error:
        problems.blame(("http",), error)


def _account(settings: AccountSettings, path: KeyPath, taken: set[str], problems: Problems) -> Account | None:
    for key in settings.keys:
        if key.sid in taken:
            problems.add((*path, "key"), f"{key.sid!r} is there already")
        taken.add(key.sid)
    token = auth_token_of(settings, path, problems)
    if token is None:
        return None
    application = None
    if settings.application_key:
        secret = application_secret_of(settings, path, problems)
        if secret is None:
            return None
        application = Application(key=settings.application_key, secret=secret)
    keys = tuple(ApiKey(sid=key.sid, secret_hash=key.secret_hash) for key in settings.keys)
    return Account(sid=settings.sid, auth_token=token, name=settings.name, keys=keys, application=application)
