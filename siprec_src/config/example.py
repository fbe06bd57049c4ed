"""The file with every key, its default and its doc, made from the settings themselves."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import typing
from typing import Any, Final

from siprec_src.config.settings import ARRAYS, SECTIONS, keys_of

_FIELD: Final = re.compile(r"^    (\w+): ")
_INLINE: Final = re.compile(r"#: (.*)$")
_HEAD: Final = """\
# Every key of siprec-src with its default. Made from the settings by `python -m siprec_src.config`.
# A flag goes before an environment variable (SIPREC_SRC_<SECTION>_<KEY>), that before this file.
# Keys without a default, and tables that may be there several times, stand as examples.
"""

_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "edge": {"name": "dublin", "listen": "192.0.2.10:5060"},
    "trunk": {
        "name": "pbx",
        "from": ("192.0.2.20/32",),
        "to": "sip:carrier.example",
        "uri": "sip:192.0.2.20",
    },
    "account": {"sid": "AC" + 32 * "0", "name": "office", "auth_token_env": "OFFICE_TOKEN"},
    "srs": {"uri": "sip:recorder@192.0.2.30:5060;transport=tcp;edge=dublin"},
    "connector": {"name": "Default", "uri": "sip:recorder@192.0.2.31:5060;transport=tcp;edge=dublin"},
    "rule": {"name": "sales", "trunk": "pbx", "header": {"X-Queue": "sales*"}, "time": "mon-fri 08:00-18:00"},
}
_PROFILE: Final = """\
[profile.archive]  # A profile of your own: any key of [[srs]] but uri; in an [[srs]] profile = "archive"
based_on = "rfc7866"  # the profile whose values stand where it has none
on_end = "bye-body"
"""


def full_file() -> str:
    """The text of ``siprec-src.full.toml``."""
    parts = [_HEAD]
    parts += [f"[{name}]  # {_summary(cls)}\n{_keys(cls, {})}" for name, cls in SECTIONS.items()]
    parts += [f"[[{name}]]  # {_summary(cls)}\n{_keys(cls, _EXAMPLES[name])}" for name, cls in ARRAYS.items()]
    return "\n".join([*parts, _PROFILE])


def field_docs(cls: type[Any]) -> dict[str, str]:
    """The ``#:`` text of each field, behind it or on the first such line below or within it."""
    docs: dict[str, str] = {}
    current = ""
    for line in inspect.getsource(cls).splitlines():
        if field := _FIELD.match(line):
            current = field[1]
        doc = _INLINE.search(line)
        if doc and current and current not in docs:
            docs[current] = doc[1].strip()
        if line.startswith("    def "):
            break
    return docs


def _summary(cls: type[Any]) -> str:
    return inspect.getdoc(cls).partition("\n")[0].replace("``", "")  # type: ignore[union-attr] # all have one


def _keys(cls: type[Any], example: dict[str, Any]) -> str:
    docs = field_docs(cls)
    hints = typing.get_type_hints(cls)
    lines = []
    for key, field in keys_of(cls).items():
        doc = docs.get(field.name, "").replace("``", "") + _choices(hints[field.name])
        value = example.get(key, _default(field))
        line = assignment(key, value)
        lines.append(f"{line}  # {doc}" if doc else line)
    return "\n".join(lines) + "\n"


def _choices(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        hint = typing.get_args(hint)[0]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return ": " + ", ".join(member.value for member in hint)
    return ""


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if field.default_factory is dataclasses.MISSING else field.default_factory()


def assignment(key: str, value: Any) -> str:
    """A line of the file. A key whose default is "chosen for you" is shown, but not set."""
    return f"# {key} =" if value is None else f"{key} = {toml_value(value)}"


def toml_value(value: Any) -> str:
    """A setting as a TOML file has it."""
    match value:
        case bool():
            return "true" if value else "false"
        case enum.Enum():
            return toml_value(value.value)
        case int() | float():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{toml_value(key)} = {toml_value(v)}" for key, v in value.items()) + "}"
        case tuple() | list():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
        case _ if dataclasses.is_dataclass(value):
            pairs = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
            return "{ " + ", ".join(f"{name} = {toml_value(v)}" for name, v in pairs if v) + " }"
        case _:
            return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
