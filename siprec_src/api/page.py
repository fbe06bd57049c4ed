"""``/docs``: the OpenAPI document as one page of plain HTML, with no script and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2328}
h2{border-bottom:1px solid #d1d9e0;margin-top:2.5rem}
details{border:1px solid #d1d9e0;border-radius:6px;margin:.5rem 0;padding:.3rem .8rem}
summary{cursor:pointer}code{background:#f0f2f4;padding:.1em .3em;border-radius:4px}
table{border-collapse:collapse;margin:.5rem 0}
td,th{border:1px solid #d1d9e0;padding:.2rem .6rem;text-align:left}
.m{display:inline-block;width:4.2rem;font-weight:600}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}code{background:#21262d}}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_HASH}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of the page."""


def page_of(document: dict[str, Any]) -> str:
    """The page."""
    info = document["info"]
    body = "".join((*_operations(document), *_schemas(document)))
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>{escape(info['description'])}</p>"
        f'<p>For programs: <a href="openapi.json">openapi.json</a></p>{body}</body></html>'
    )


def _operations(document: dict[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["others"])[0]
            by_tag.setdefault(tag, []).append(_operation(method, path, operation))
    for tag, shown in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(shown)}"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [
        f'<details><summary><span class="m">{escape(method.upper())}</span><code>{escape(path)}</code> '
        f"{escape(operation.get('summary', ''))}</summary>",
    ]
    if (description := operation.get("description", "")) != operation.get("summary"):
        parts.append(f"<p>{escape(description)}</p>")
    given = [
        (p["name"], p["in"], _type(p.get("schema", {})), _about(p)) for p in operation.get("parameters", ())
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        given += [(name, kind, _type(s), _about(s)) for name, s in schema.get("properties", {}).items()]
    if given:
        parts.append(_table(("parameter", "in", "type", ""), given))
    answers = []
    for status, response in operation["responses"].items():
        for kind, content in (response.get("content") or {"": {}}).items():
            answers.append((status, response["description"], kind, _type(content.get("schema", {}))))
    parts += [_table(("status", "", "content", "schema"), answers), "</details>"]
    return "".join(parts)


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    yield "<h2>schemas</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        rows = [(key, _type(value), _about(value)) for key, value in schema.get("properties", {}).items()]
        yield _table(("key", "type", ""), rows) + "</details>"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f"<table><tr>{heads}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a word."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    return str(schema.get("const", schema.get("type", "")))


def _about(schema: dict[str, Any]) -> str:
    return str(schema.get("description", ""))
