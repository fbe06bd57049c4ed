"""What is to be said of a document besides its instructions: so much, and then that there is more."""

from __future__ import annotations

from typing import Final

from siprec_src.instructions.model import Warning as Remark

MAX_REMARKS: Final = 20  #: of one document; each becomes an alert


class Remarks:
    """Those of one document, with one code."""

    def __init__(self, code: int) -> None:
        self._code = code
        self._kept: list[Remark] = []

    def add(self, text: str) -> None:
        if len(self._kept) < MAX_REMARKS - 1:
            self._kept.append(Remark(code=self._code, text=text))
        elif len(self._kept) < MAX_REMARKS:
            self._kept.append(Remark(code=self._code, text="there is more that is not acted on"))

    def all(self) -> tuple[Remark, ...]:
        return tuple(self._kept)
