"""The command line `offhook`, and the web application that `offhook serve` runs."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ConfigError, MissingError, OffhookError
from records.redact import hide, redact

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from hosts.house import House
    from hosts.transports import TransportSettings
    from providers.models import ModelStore

CLIENT = Path(__file__).parent / "client" / "dist"
DEFAULT_PORT = 7860


@dataclass(frozen=True)
class ServerSettings:
    """What `offhook serve` was told."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    offline: bool = False
    data_dir: Path = Path("data")
    slots: int | None = None
    api_keys: str = ""
    pipeline: str = "local"
    """The pipeline of calls that name none: a preset's name, or a TOML file."""
    transports: TransportSettings | None = None
    """How callers come in: STUN and TURN, Daily, LiveKit, Twilio."""

    @property
    def address(self) -> str:
        """Host and port as a browser wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check(self) -> None:
        """Refuse what would open the server to everybody.

        Raises:
            ConfigError: Others can reach the server and no key is set.
        """
        phone = self.transports.twilio if self.transports else None
        reached = phone.public_url if phone and phone.is_public else ""
        if self.api_keys.strip(" ,") or (self.is_loopback and not reached):
            return
        raise ConfigError(
            f"{reached or self.host} can be reached from other machines, and everybody there could "
            "make calls at your cost. Set OFFHOOK_API_KEYS (one or more keys, separated by "
            "commas), or serve on 127.0.0.1 without OFFHOOK_PUBLIC_URL.",
            code="keys_needed",
            field="OFFHOOK_PUBLIC_URL" if reached else "host",
        )


def create_app(settings: ServerSettings) -> FastAPI:
    """The web application: page, API, calls.

    Raises:
        ConfigError: The settings would open the server to everybody.
    """
    settings.check()
    for key in settings.api_keys.split(","):
        hide(key.strip())
    from contextlib import asynccontextmanager

    from fastapi import FastAPI

    import api.calls
    import api.catalog
    import api.errors
    import api.health
    import api.page
    import api.transports
    import api.twilio
    from api.auth import Keys
    from api.limits import BodyLimit, SameOrigin

    keys = Keys(settings.api_keys)
    house = _house(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with house:
            _say(f"Offhook is ready: open http://{settings.address} and talk.")
            yield

    app = FastAPI(title="Offhook", lifespan=lifespan, docs_url=None, redoc_url=None)
    api.errors.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SameOrigin, loopback_only=settings.is_loopback and not keys)
    app.include_router(api.calls.router(house, keys))
    app.include_router(api.calls.socket_router(house))
    app.include_router(api.twilio.router(house))
    app.include_router(api.transports.router(house.transports))
    app.include_router(api.catalog.router(house))
    app.include_router(api.health.router(house.host))
    daily = not house.transports.lacks("daily")
    api.page.mount(app, CLIENT, daily=daily, livekit_url=house.transports.livekit_url())
    return app


def _house(settings: ServerSettings) -> House:
    """Everything behind the web."""
    from hosts.house import House

    return House(
        models=_known_models(settings.offline),
        data_dir=settings.data_dir,
        pipeline=_preset(settings.pipeline),
        slots=settings.slots,
        transports=settings.transports,
    )


def _preset(name: str) -> str | Path:
    """What the command line calls a pipeline: a preset's name, or a TOML file."""
    return Path(name) if name.endswith(".toml") else name


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the status that the shell sees."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except OffhookError as error:
        print(f"offhook: {redact(error.message)}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="offhook", description="A self-hosted voice agent: talk with it in a minute."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _serve_options(commands.add_parser("serve", help="serve the page and take calls"))
    check = commands.add_parser("check", help="say what a pipeline needs and lacks")
    check.add_argument("preset", nargs="?", help="name of a preset, or a TOML file (all presets)")
    check.add_argument(
        "--live", action="store_true", help="connect to each provider once, time its first byte"
    )
    check.set_defaults(run=_check)
    models = commands.add_parser("models", help="weights: list, pull, verify")
    models.add_argument("action", choices=["list", "pull", "verify"])
    models.add_argument("names", nargs="*", help="which ones (those of the default pipeline)")
    models.set_defaults(run=_models)
    _call_options(commands.add_parser("call", help="play recordings to a bot, time its answers"))
    _simulate_options(commands.add_parser("simulate", help="play all cloud vendors on loopback"))
    _bench_options(commands.add_parser("bench", help="measure: call, page, latency, turns"))
    return parser


def _serve_options(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--host", default="127.0.0.1", help="address to serve on (127.0.0.1)")
    serve.add_argument("--port", type=_port, default=DEFAULT_PORT, help="port to serve on (7860)")
    serve.add_argument(
        "--offline", action="store_true", help="for a machine without a network: fetch nothing"
    )
    serve.add_argument(
        "--pipeline", default="local", help="of calls that name none: a preset or a TOML file"
    )
    serve.add_argument("--data", type=Path, default=Path("data"), help="folder of records (data)")
    serve.add_argument("--slots", type=int, help="slots of this machine (4 a core)")
    serve.set_defaults(run=_serve)


def _call_options(call: argparse.ArgumentParser) -> None:
    call.add_argument("--bot", default="receptionist", help="who answers (receptionist)")
    call.add_argument("--preset", default="local", help="a preset's name or a TOML file (local)")
    call.add_argument(
        "--wav", type=Path, action="append", required=True, help="what is said; again for more"
    )
    call.add_argument("--out", type=Path, help="two-track recording to write: caller left")
    call.add_argument("--data", type=Path, default=Path("data"), help="folder of records (data)")
    call.add_argument(
        "--answer-secs", type=float, default=20.0, help="longest wait for an answer (20)"
    )
    call.set_defaults(run=_call)


def _bench_options(bench: argparse.ArgumentParser) -> None:
    bench.add_argument("what", choices=["call", "page", "latency", "turns"])
    bench.add_argument("--bot", default="receptionist", help="who answers (receptionist)")
    bench.add_argument("--preset", default="local", help="the pipeline (local)")
    bench.add_argument("--rounds", type=int, default=1, help="how often the clips are said (1)")
    bench.add_argument("--url", default="http://127.0.0.1:7860", help="a running server, for page")
    bench.add_argument("--turns", type=int, default=50, help="of each call, for latency (50)")
    bench.add_argument("--cells", help="only these calls, separated by commas, for latency")
    bench.add_argument("--jobs", type=int, default=2, help="calls at a time, for latency (2)")
    bench.add_argument("--trace", action="store_true", help="each turn's timeline, for latency")
    bench.add_argument("--json", type=Path, help="write the figures here too")
    bench.set_defaults(run=_bench)


def _simulate_options(simulate: argparse.ArgumentParser) -> None:
    simulate.add_argument("--port", type=_port, default=7870, help="port to listen on (7870)")
    simulate.add_argument("--behaviour", type=Path, help="TOML file: latencies, script, faults")
    simulate.add_argument(
        "command", nargs="*", help="after --: a command to run on them, such as offhook serve"
    )
    simulate.set_defaults(run=_simulate)


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError(f"{port} is no port: 1 to 65535")
    return port


def _serve(arguments: argparse.Namespace) -> int:
    from hosts.transports import TransportSettings

    settings = ServerSettings(
        host=arguments.host,
        port=arguments.port,
        offline=arguments.offline,
        data_dir=arguments.data,
        slots=arguments.slots,
        api_keys=os.environ.get("OFFHOOK_API_KEYS", ""),
        pipeline=arguments.pipeline,
        transports=TransportSettings.read(os.environ),
    )
    settings.check()
    listener = _listen(settings)
    import uvicorn

    from api.limits import MAX_MESSAGE_BYTES
    from records.logs import configure

    configure(os.environ.get("OFFHOOK_LOG_LEVEL", "INFO"))
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=10,
        ws_max_size=MAX_MESSAGE_BYTES,
        # A caller who vanished is noticed within their sum.
        ws_ping_interval=5.0,
        ws_ping_timeout=5.0,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _listen(settings: ServerSettings) -> socket.socket:
    """Bind before anything is loaded, so that a taken port is said at once."""
    import socket

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"Cannot serve on {settings.address}: {error.strerror}. Is another "
            "server running? Choose another port with --port.",
            code="port_taken",
            field="port",
        ) from error
    return listener


def _check(arguments: argparse.Namespace) -> int:
    from evals.check import run_check
    from pipelines.config import preset_names

    if arguments.live:
        from records.logs import configure

        configure(os.environ.get("OFFHOOK_LOG_LEVEL", "ERROR"))
    names = [arguments.preset] if arguments.preset else preset_names()
    return run_check(names, _known_models(), live=arguments.live)


def _models(arguments: argparse.Namespace) -> int:
    from providers import models

    store = _known_models()
    names: list[str] = arguments.names
    if arguments.action == "list":
        return models.list_models(store)
    if arguments.action == "pull":
        return models.pull(store, names or _default_weights())
    return models.verify(store, names)


def _call(arguments: argparse.Namespace) -> int:
    import asyncio

    from evals.call import CallOptions, run_call
    from records.logs import configure

    configure(os.environ.get("OFFHOOK_LOG_LEVEL", "INFO"))
    options = CallOptions(
        bot=arguments.bot,
        preset=_preset(arguments.preset),
        wavs=tuple(arguments.wav),
        out=arguments.out,
        data_dir=arguments.data,
        answer_secs=arguments.answer_secs,
    )
    asyncio.run(run_call(options, _known_models()))
    return 0


def _simulate(arguments: argparse.Namespace) -> int:
    import asyncio

    from evals.simulate import read_behaviour, simulate

    behaviour = read_behaviour(arguments.behaviour)
    return asyncio.run(simulate(behaviour, port=arguments.port, command=arguments.command))


def _bench(arguments: argparse.Namespace) -> int:
    import importlib.util

    for package in ("jiwer", "playwright"):
        if importlib.util.find_spec(package) is None:
            raise MissingError(
                f"The benches need the package {package}, which is not installed; "
                "`make test` installs it."
            )

    from records.logs import configure

    configure(os.environ.get("OFFHOOK_LOG_LEVEL", "INFO"))
    from evals.bench import BenchOptions, run_bench

    options = BenchOptions(
        bot=arguments.bot,
        preset=arguments.preset,
        rounds=arguments.rounds,
        url=arguments.url,
        turns=arguments.turns,
        cells=tuple(arguments.cells.split(",")) if arguments.cells else (),
        jobs=arguments.jobs,
        trace=arguments.trace,
    )
    report = run_bench(arguments.what, options, _known_models())
    _say(report.table())
    if arguments.json:
        report.write(arguments.json)
    return 0


def _default_weights() -> list[str]:
    from pipelines.config import DEFAULT_PRESET, resolve

    return [name for stage in resolve(DEFAULT_PRESET).stages for name in stage.weights()]


def _known_models(offline: bool = False) -> ModelStore:
    from providers.models import ModelStore

    return ModelStore(offline=offline, env=os.environ)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
