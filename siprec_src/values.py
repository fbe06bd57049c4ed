"""Values: dataclasses that nobody changes once they are made, and text that must not be shown.

Python guards a frozen dataclass by setting each field through ``object.__setattr__``, which makes it three
times as expensive to make, and a call makes six hundred. Here the type checker alone guards them; the
interpreter sets their fields as those of any object.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar, dataclass_transform, overload

ClassT = TypeVar("ClassT")


@overload
def immutable(cls: type[ClassT]) -> type[ClassT]: ...
@overload
def immutable(
    *, kw_only: bool = True, slots: bool = True, eq: bool = True, repr: bool = True
) -> Callable[[type[ClassT]], type[ClassT]]: ...


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def immutable(
    cls: type[ClassT] | None = None,
    *,
    kw_only: bool = True,
    slots: bool = True,
    eq: bool = True,
    repr: bool = True,
) -> type[ClassT] | Callable[[type[ClassT]], type[ClassT]]:
    """A dataclass whose fields are never set again; compared and hashed by them unless ``eq`` is False."""
    make = dataclasses.dataclass(kw_only=kw_only, slots=slots, eq=eq, repr=repr, unsafe_hash=eq)
    return make if cls is None else make(cls)


class SecretText(str):
    """Text that goes on the wire and nowhere else: its `repr` tells nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"
