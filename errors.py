"""The one family of errors a person meets: what happened, what it means, what to do."""

from __future__ import annotations


class OffhookError(Exception):
    """Base of every error that reaches a person.

    Attributes:
        code: Stable machine-readable name, `snake_case`.
        message: One or two sentences that name the thing at fault and say what to do.
        field: Dotted path of the offending setting (`stt.endpointing_ms`), if there is one.
        status: HTTP status the API answers with.
        headers: Extra HTTP headers of that answer.
    """

    code = "error"
    status = 500

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = field
        self.headers: dict[str, str] = {}

    def as_dict(self) -> dict[str, str]:
        """The error as the API's JSON body carries it."""
        body = {"code": self.code, "message": self.message}
        return body | {"field": self.field} if self.field else body


class BadRequestError(OffhookError):
    """The request itself cannot be read: not JSON, malformed SDP."""

    code = "bad_request"
    status = 400


class ConfigError(OffhookError):
    """A preset, bot, override or argument holds something that cannot be used."""

    code = "config"
    status = 422


class NotFoundError(OffhookError):
    """A name that the caller gave does not exist here."""

    code = "not_found"
    status = 404


class MissingError(OffhookError):
    """Something the configuration needs is absent: a variable, a package, weights."""

    code = "missing"
    status = 424


class FullError(OffhookError):
    """Every slot is taken; try again after `retry_after_secs`."""

    code = "full"
    status = 429

    def __init__(self, message: str, *, retry_after_secs: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(retry_after_secs)}
