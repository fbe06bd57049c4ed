"""The two forms of the Siprec resource (contract 3). Fields of other names are ignored.

What a value may be is in `instructions.rules`, alike for TwiML; what stands here besides is for the OpenAPI
document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, Field, create_model

from siprec_src.api.errors import ApiError
from siprec_src.errors import InstructionError
from siprec_src.instructions import model, rules

ValueT = TypeVar("ValueT")

_TRACKS: Final = [track.value for track in model.Track]


def _described(**schema: Any) -> Any:
    return Field(json_schema_extra=schema)


class _Named(BaseModel):
    Name: Annotated[str, _described(maxLength=rules.MAX_NAME_CHARS)] = ""
    ConnectorName: Annotated[str, _described(maxLength=rules.MAX_NAME_CHARS)] = model.DEFAULT_CONNECTOR
    Track: Annotated[str, _described(enum=_TRACKS)] = model.Track.BOTH.value
    StatusCallback: Annotated[str, _described(format="uri", maxLength=rules.MAX_URL_CHARS)] = ""
    StatusCallbackMethod: Annotated[str, _described(enum=["GET", "POST"])] = "POST"

    def asked(self) -> model.StartSiprec:
        """What is asked for. A name, connector or URL that is empty is as none.

        Raises:
            ApiError: 400, a value cannot be used.
        """
        method = _checked("StatusCallbackMethod", rules.method, self.StatusCallbackMethod)
        url = self.StatusCallback and _checked("StatusCallback", rules.callback_url, self.StatusCallback)
        return model.StartSiprec(
            name=_checked("Name", rules.siprec_name, self.Name) if self.Name else None,
            connector=_checked(
                "ConnectorName", rules.connector_name, self.ConnectorName or model.DEFAULT_CONNECTOR
            ),
            track=_checked("Track", rules.track, self.Track),
            callback=model.StatusCallback(url=url, method=method) if url else None,
            parameters=_checked("Parameter", rules.parameters, self._parameters()),
        )

    def _parameters(self) -> list[tuple[str, str]]:
        """By their numbers, among which there may be gaps. A name alone has an empty value."""
        found = []
        for number in range(1, rules.MAX_PARAMETERS + 1):
            name, value = getattr(self, f"name_{number}"), getattr(self, f"value_{number}")
            if value and not name:
                what = f"Parameter{number}.Value: expected Parameter{number}.Name too"
                raise ApiError(400, rules.INVALID, what)
            if name:
                found.append((name, value))
        return found


def _numbered() -> dict[str, Any]:
    parts = {"Name": rules.MAX_PARAMETER_NAME_CHARS, "Value": rules.MAX_PARAMETER_VALUE_CHARS}
    return {
        f"{part.lower()}_{number}": (
            str,
            Field(default="", alias=f"Parameter{number}.{part}", json_schema_extra={"maxLength": most}),
        )
        for number in range(1, rules.MAX_PARAMETERS + 1)
        for part, most in parts.items()
    }


if TYPE_CHECKING:
    CreateSiprec = _Named
else:
    CreateSiprec = create_model("CreateSiprec", __base__=_Named, **_numbered())


class UpdateSiprec(BaseModel):
    """All that can be asked of one."""

    Status: Literal["stopped"]


def _checked(field: str, rule: Callable[[Any], ValueT], value: object) -> ValueT:
    try:
        return rule(value)
    except InstructionError as error:
        raise ApiError(400, error.code, f"{field}: {error}") from None
