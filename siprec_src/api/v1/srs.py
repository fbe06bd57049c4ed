"""``/v1/srs``: the Session Recording Servers, and whether they are there; for the operator."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from siprec_src.api.auth import Auth, admit_operator
from siprec_src.api.errors import json_answer
from siprec_src.api.schemas import answers
from siprec_src.api.v1.models import SrsList
from siprec_src.recording.pool import RecordingPool


def router(pool: RecordingPool, auth: Auth) -> APIRouter:
    """The routes."""
    made = APIRouter(
        prefix="/v1/srs", tags=["srs"], dependencies=[Depends(auth.admit), Depends(admit_operator)]
    )

    @made.get("", operation_id="list_srs", responses=answers(SrsList, 200))
    async def list_srs() -> Response:
        """Every SRS that calls are recorded at, with what calls and checks have found of it."""
        found: SrsList = {"srs": [{"name": name, "up": up > 0} for name, up in pool.srs_up]}
        return json_answer(found)

    return made
