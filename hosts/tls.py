"""TLS contexts that share what they trust: the certificates are read once, before the first fork.

Reading them takes tens of milliseconds of each new context, on a call's event loop. A context can
be changed by whoever has it, down to trusting everybody; so nobody is given a shared one itself.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import ssl
import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, cast

Make = Callable[..., ssl.SSLContext]

_READS = frozenset(
    {"cert_store_stats", "get_ca_certs", "get_ciphers", "session_stats"}
    | {"sslobject_class", "sslsocket_class"}
)
"""What can be called on a context without changing it."""
_OWN = frozenset({"set_alpn_protocols", "wrap_bio", "wrap_socket"})
_ONE_AT_A_TIME = threading.Lock()
"""A protocol list is set on the shared context for one connection."""


class BorrowedContext(ssl.SSLContext):
    """A client's context that uses another's certificates until it is changed; then its own.

    The one change that everybody makes, the protocols to offer (ALPN), is kept apart. Whoever
    reaches around it into C finds no certificate, and so trusts nobody.
    """

    @classmethod
    def of(cls, shared: ssl.SSLContext, make: Callable[[], ssl.SSLContext]) -> BorrowedContext:
        """A context like `shared`; `make` makes another like it, for who wants to change it."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        vars(context).update(_shared=shared, _make=make, _changed=None, _protocols=[])
        return context

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Offer these protocols in what is wrapped from now on."""
        vars(self)["_protocols"] = list(alpn_protocols)

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """As `ssl.SSLContext.wrap_bio`."""
        return cast(ssl.SSLObject, self._wrap("wrap_bio", args, more))

    def wrap_socket(self, *args: Any, **more: Any) -> ssl.SSLSocket:
        """As `ssl.SSLContext.wrap_socket`."""
        return cast(ssl.SSLSocket, self._wrap("wrap_socket", args, more))

    def _wrap(self, how: str, args: tuple[Any, ...], more: dict[str, Any]) -> object:
        context = self._held()
        with _ONE_AT_A_TIME:
            context.set_alpn_protocols(vars(self)["_protocols"])
            # The handshake waits for the peer; the protocols are settled before it begins.
            wait = how == "wrap_socket" and more.pop("do_handshake_on_connect", True)
            quick = {"do_handshake_on_connect": False} if how == "wrap_socket" else {}
            wrapped: Any = getattr(context, how)(*args, **more, **quick)
        if wait and wrapped._connected:  # As the constructor of SSLSocket asks itself.
            wrapped.do_handshake()
        return wrapped

    def _held(self) -> ssl.SSLContext:
        """What is used now."""
        return vars(self)["_changed"] or vars(self)["_shared"]

    def _parted(self) -> ssl.SSLContext:
        """A context of this one's own."""
        if vars(self)["_changed"] is None:
            vars(self)["_changed"] = vars(self)["_make"]()
        return vars(self)["_changed"]

    def __getattribute__(self, name: str) -> Any:
        if name[0] == "_" or name in _OWN:
            return super().__getattribute__(name)
        changes = callable(getattr(ssl.SSLContext, name, None)) and name not in _READS
        return getattr(self._parted() if changes else self._held(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._parted(), name, value)


def share_contexts() -> None:
    """From here on the default contexts of this process and its children share what they trust."""
    ssl.create_default_context = sharing(ssl.create_default_context)
    if importlib.util.find_spec("httpcore2"):
        # Without SSL_CERT_FILE it makes its context itself.
        http: Any = importlib.import_module("httpcore2")
        http.default_ssl_context = sharing(http.default_ssl_context)


def sharing(make: Make) -> Make:
    """`make`, whose contexts share what they trust where they are asked for in the same words.

    Only without arguments, or with one file of certificates; a file that changes is not read again.
    """
    if getattr(make, "shares", False):
        return make
    made: dict[Hashable, ssl.SSLContext] = {}

    @functools.wraps(make)
    def shared(*args: Any, **more: Any) -> ssl.SSLContext:
        if args or set(more) - {"cafile", "_trust_env"}:
            return make(*args, **more)
        key = tuple(sorted((name, str(value)) for name, value in more.items()))
        if key not in made:
            made[key] = make(**more)
        return BorrowedContext.of(made[key], functools.partial(make, **more))

    vars(shared)["shares"] = True
    return shared
