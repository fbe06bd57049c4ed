"""Who uses the API: accounts, each with calls of its own, and the operator, who sees them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from siprec_src.communication import CommunicationSession
from siprec_src.values import SecretText, immutable


@immutable
class ApiKey:
    """A second user name for an account."""

    sid: str  #: SK…
    secret_hash: str = dataclasses.field(repr=False)


@immutable
class Application:
    """Who signs what an account tells and is told in JSON: Manage Call requests, and what a call is to do."""

    key: str
    secret: SecretText  #: base64 of what signs


@immutable
class Account:
    """A client with calls of its own."""

    sid: str  #: AC…
    auth_token: SecretText  #: shown as password, and the key of signatures
    name: str = ""
    keys: tuple[ApiKey, ...] = ()
    application: Application | None = None


@immutable
class Operator:
    """Whoever runs the daemon; of /v1 alone."""


Principal = Account | Operator


@immutable
class Accounts:
    """All of them."""

    known: tuple[Account, ...] = ()
    of_trunk: Mapping[str, str] = dataclasses.field(default_factory=dict)  #: SID by name of a trunk

    def find(self, sid: str) -> Account | None:
        return next((account for account in self.known if account.sid == sid), None)

    def of_key(self, sid: str) -> tuple[Account, ApiKey] | None:
        """The API key with this SID, and whose it is."""
        pairs = ((account, key) for account in self.known for key in account.keys)
        return next((pair for pair in pairs if pair[1].sid == sid), None)

    def of_call(self, call: CommunicationSession) -> Account | None:
        """Whose call this is; None when there is no account at all."""
        return self.of_trunk_named(call.trunk)

    def of_trunk_named(self, name: str) -> Account | None:
        """Whose the calls of a trunk are: the account's that it names, else the first one's."""
        sid = self.of_trunk.get(name)
        if sid is not None:
            return self.find(sid)
        return self.known[0] if self.known else None

    def may_see(self, principal: Principal, call: CommunicationSession) -> bool:
        """Whether this call is one of the principal's."""
        if isinstance(principal, Operator):
            return True
        owner = self.of_call(call)
        return owner is not None and owner.sid == principal.sid
