"""Every error, as the same JSON: `{"error": {"code", "message", "field"?}}`."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from loguru import logger
from starlette.exceptions import HTTPException

from errors import BadRequestError, ConfigError, NotFoundError, OffhookError
from records.redact import redact


def install(app: FastAPI) -> None:
    """Answer our errors, FastAPI's and any other in one shape."""
    app.add_exception_handler(OffhookError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def answer(error: OffhookError) -> JSONResponse:
    """The response that carries `error`, without secrets."""
    body = {name: redact(text) for name, text in error.as_dict().items()}
    return JSONResponse({"error": body}, status_code=error.status, headers=error.headers)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OffhookError)
    return answer(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return answer(BadRequestError("The body is not JSON.", code="not_json"))
    field = ".".join(str(part) for part in first["loc"][1:])
    said = first["msg"][:1].lower() + first["msg"][1:]
    return answer(ConfigError(f"{field or 'body'}: {said}.", code="invalid", field=field or "body"))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return answer(NotFoundError(f"There is nothing at {request.url.path}."))
    refusal = OffhookError(str(error.detail), code=f"http_{error.status_code}")
    refusal.status = error.status_code
    refusal.headers = dict(error.headers or {})
    return answer(refusal)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.opt(exception=error).error("{} {} failed", request.method, request.url.path)
    return answer(OffhookError("Something failed here; the server's log says what."))
