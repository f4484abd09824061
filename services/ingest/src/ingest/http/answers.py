"""Answers: success as the Segment family expects it, and one shape for every error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"


def success(**more: object) -> Response:
    """200: every valid item is acknowledged. Never 202 or 204, which some clients treat as a failure."""
    return Response(orjson.dumps({"success": True, **more}), media_type=JSON)


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer other than success: a status, a code for programs, and a sentence for people.

    Sentence and errors say where and what was expected, never what was sent.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.headers = headers

    def response(self) -> Response:
        """The members of RFC 9457 with `code` and `message`; without these some clients resend what is refused."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
            "message": self.message,
            "errors": list(self.errors),
        }
        return Response(orjson.dumps(body), self.status, self.headers, PROBLEM_JSON)


def unavailable(code: str, message: str, retry_after: int) -> Problem:
    """503 with the seconds after which to retry."""
    return Problem(503, code, message, headers={"Retry-After": str(retry_after)})
