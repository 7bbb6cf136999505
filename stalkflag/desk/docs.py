"""A page about the API, made from its OpenAPI description, without a foreign script."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from stalkflag.desk.state import Desk

EXAMPLE = {"text": "My ex has been outside my work every day since I told him to stop.", "id": "r1"}

router = APIRouter(include_in_schema=False)


@router.get("/api")
async def about_the_api(request: Request) -> Response:
    """What the API takes and gives, with an example to copy."""
    desk: Desk = request.app.state.desk
    description: dict[str, Any] = request.app.openapi()
    schemas: dict[str, Any] = description["components"]["schemas"]
    calls = [
        {
            "path": path,
            "method": method.upper(),
            "summary": call["summary"],
            "description": call.get("description", ""),
            "takes": _schema_name(call.get("requestBody", {})),
            "gives": _schema_name(call["responses"]["200"]),
            "errors": {
                code: answer["description"]
                for code, answer in sorted(call["responses"].items())
                if code != "200"
            },
        }
        for path, methods in description["paths"].items()
        for method, call in methods.items()
    ]
    return desk.render(
        "api.html",
        calls=calls,
        schemas={name: _fields(schema) for name, schema in sorted(schemas.items())},
        descriptions={name: schema.get("description", "") for name, schema in schemas.items()},
        origin=sorted(desk.settings.origins)[0],
        needs_token=desk.settings.tokens is not None,
        needs_reason=desk.audit is not None,
        example=json.dumps(EXAMPLE | ({"reason": "test"} if desk.audit is not None else {})),
        user=request.state.user,
        signed_in=False,
    )


def _schema_name(part: dict[str, Any]) -> str:
    schema = part.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _fields(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, kind and description of each field of an object."""
    return [
        (name, _kind(inner), inner.get("description", ""))
        for name, inner in schema.get("properties", {}).items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    """A type in few words, such as ``list of Evidence``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return " or ".join(_kind(inner) for inner in schema[union])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))
