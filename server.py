"""The command line `offhook`, and the web application that `offhook serve` runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from api.settings import DEFAULT_PORT, ServerSettings
from errors import MissingError, OffhookError
from records.redact import hide, redact

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from api.auth import Keys
    from hosts.house import House
    from hosts.watch import Watch
    from providers.models import ModelStore

CLIENT = Path(__file__).parent / "client" / "dist"


def create_app(settings: ServerSettings) -> FastAPI:
    """The web application: page, API, calls; its `state.house` is everything behind them.

    Raises:
        ConfigError: The settings would open the server to everybody.
    """
    settings.check()
    for key in f"{settings.api_keys},{settings.metrics_key}".split(","):
        hide(key.strip())
    from contextlib import asynccontextmanager

    from fastapi import FastAPI

    import api.errors
    import api.metrics
    from api.auth import Keys
    from api.limits import BodyLimit, SameOrigin
    from records.metrics import Metrics

    keys = Keys(settings.api_keys)
    metrics = Metrics()
    house = _house(settings, metrics)
    metrics.levels = house.levels

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with house:
            _say(f"Offhook is ready: open http://{settings.address} and talk.")
            yield

    app = FastAPI(title="Offhook", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.house = house
    api.errors.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(SameOrigin, loopback_only=settings.is_loopback and not keys)
    readers = Keys(f"{settings.api_keys},{settings.metrics_key}")
    app.include_router(api.metrics.router(metrics, readers))
    _add_routes(app, house, keys)
    return app


def _add_routes(app: FastAPI, house: House, keys: Keys) -> None:
    """All but the figures."""
    import api.calls
    import api.catalog
    import api.health
    import api.page
    import api.transports
    import api.twilio

    app.include_router(api.calls.router(house, keys))
    app.include_router(api.calls.socket_router(house))
    app.include_router(api.twilio.router(house))
    app.include_router(api.transports.router(house.transports))
    app.include_router(api.catalog.router(house))
    app.include_router(api.health.router(house.host, house.unready))
    daily = not house.transports.lacks("daily")
    api.page.mount(app, CLIENT, daily=daily, livekit_url=house.transports.livekit_url())


def _house(settings: ServerSettings, watch: Watch) -> House:
    """Everything behind the web."""
    from hosts.house import House

    return House(
        models=_known_models(settings.offline),
        data_dir=settings.data_dir,
        pipeline=_preset(settings.pipeline),
        settings=settings.house,
        watch=watch,
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
    drain = commands.add_parser("drain", help="let a server finish its calls and stop")
    drain.add_argument("--data", type=Path, default=Path("data"), help="its folder (data)")
    drain.set_defaults(run=_drain)
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
    _bench_options(commands.add_parser("bench", help="measure: latency, density, ..."))
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
    serve.add_argument(
        "--also", type=_names, help="presets that callers may name beside it, or none (all)"
    )
    serve.add_argument("--data", type=Path, default=Path("data"), help="folder of records (data)")
    serve.add_argument("--slots", type=int, help="slots of this machine (4 a core)")
    serve.add_argument("--warm", type=int, help="processes that wait for a caller (2)")
    serve.add_argument(
        "--drain-secs", type=float, help="how long calls may go on once told to stop (600)"
    )
    serve.add_argument("--queue", type=int, default=0, help="callers who may wait for a slot (0)")
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
    benches = ["call", "page", "latency", "turns", "density", "soak", "relay"]
    bench.add_argument("what", choices=benches)
    bench.add_argument("--bot", default="receptionist", help="who answers (receptionist)")
    bench.add_argument("--preset", default="local", help="the pipeline (local)")
    bench.add_argument("--rounds", type=int, default=1, help="how often the clips are said (1)")
    bench.add_argument("--url", default="http://127.0.0.1:7860", help="a running server, for page")
    bench.add_argument("--turns", type=int, default=50, help="of each call, for latency (50)")
    bench.add_argument("--cells", help="only these calls, separated by commas, for latency")
    bench.add_argument("--jobs", type=int, default=2, help="calls at a time, for latency (2)")
    bench.add_argument("--trace", action="store_true", help="each turn's timeline, for latency")
    bench.add_argument("--calls", type=int, help="at most, for density (40), for soak (1200)")
    bench.add_argument("--mode", default="both", help="websocket or webrtc, for density (both)")
    bench.add_argument(
        "--minutes", type=float, help="a number, density (0.4); all, soak (45); each way, relay (1)"
    )
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


def _names(text: str) -> tuple[str, ...] | None:
    """What is separated by commas; `all` is None."""
    if text == "all":
        return None
    return () if text == "none" else tuple(filter(None, map(str.strip, text.split(","))))


def _serve(arguments: argparse.Namespace) -> int:
    from hosts.renewal import renew_all

    # Before what takes seconds to load.
    renew_all(arguments.data)
    settings = _server_settings(arguments)
    settings.check()
    from api.listening import allow_connections, listen

    allow_connections()
    listener = listen(settings.host, settings.port)
    from api.serving import Serving
    from bots import tracing
    from hosts.urgency import bound_stretches
    from records.logs import configure

    configure(_logged())
    tracing.check()
    bound_stretches(to_the_end=False)
    app = create_app(settings)
    server = Serving(app, app.state.house.host, hurries=True)
    server.run(sockets=[listener])
    if server.interrupted:
        return 130
    return 0 if server.started else 1


def _server_settings(arguments: argparse.Namespace) -> ServerSettings:
    from hosts.admission import AdmissionSettings
    from hosts.house import HouseSettings
    from hosts.transports import TransportSettings

    told = {"slots": arguments.slots, "warm": arguments.warm, "drain_secs": arguments.drain_secs}
    house = HouseSettings(
        pipelines=arguments.also,
        transports=TransportSettings.read(os.environ),
        admission=AdmissionSettings.read(os.environ, queue=arguments.queue),
        log_level=_logged(),
        **{name: value for name, value in told.items() if value is not None},
    )
    return ServerSettings(
        host=arguments.host,
        port=arguments.port,
        offline=arguments.offline,
        data_dir=arguments.data,
        api_keys=os.environ.get("OFFHOOK_API_KEYS", ""),
        metrics_key=os.environ.get("OFFHOOK_METRICS_KEY", ""),
        pipeline=arguments.pipeline,
        house=house,
    )


def _drain(arguments: argparse.Namespace) -> int:
    from hosts.drain_wait import drain

    drain(arguments.data, _say)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from evals.check import run_check
    from pipelines.config import preset_names

    if arguments.live:
        from records.logs import configure

        configure(_logged("ERROR"))
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

    configure(_logged())
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

    configure(_logged())
    from evals.bench import BenchOptions, run_bench

    taken = ("bot", "preset", "rounds", "url", "turns", "jobs", "trace", "calls", "mode", "minutes")
    options = BenchOptions(
        cells=tuple(arguments.cells.split(",")) if arguments.cells else (),
        **{name: getattr(arguments, name) for name in taken},
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


def _logged(usually: str = "INFO") -> str:
    """What is logged, and how, as `records.logs.configure` wants to be told."""
    level = os.environ.get("OFFHOOK_LOG_LEVEL", "") or usually
    return f"{level}/json" if os.environ.get("OFFHOOK_LOG_FORMAT") == "json" else level


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
