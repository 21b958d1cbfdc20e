"""A model's warm-up, in a process of its own: it needs what no HTTP process should load."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from loguru import logger

from bots.bot import bot_names, load_bot
from errors import OffhookError
from hosts.site import FixedSite
from pipelines.config import PipelineConfig
from providers.kinds import LlmConfig, Opening

WARM_SECS = 120.0
"""How long it may take."""


async def warm_model(config: PipelineConfig, snapshot: dict[str, Any], *, bots_dir: Path) -> None:
    """Do before the first call what would make a model's first answer late, if it has such.

    Args:
        config: The pipeline.
        snapshot: Of the site: `hosts.site.LocalSite.snapshot`.
        bots_dir: Where the bots' tools keep what they know, a folder each.
    """
    if type(config.llm).warm is LlmConfig.warm:
        return
    told = {
        "config": config.model_dump(mode="json"),
        "site": snapshot,
        "bots_dir": str(bots_dir),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hosts.warming"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(WARM_SECS):
            await process.communicate(json.dumps(told).encode())
    except TimeoutError:
        logger.warning("the model of the pipeline {} took too long to get ready", config.name)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def openings(bots_dir: Path) -> tuple[Opening, ...]:
    """What each bot's model will have been told when a caller speaks, the default bot first."""
    return tuple(load_bot(name).opening(bots_dir / name) for name in bot_names())


def main() -> int:
    """Warm the model that stdin tells of; the status that the server sees."""
    told = json.load(sys.stdin)
    config = PipelineConfig.model_validate(told["config"])
    site = FixedSite(told["site"])
    try:
        asyncio.run(config.llm.warm(site, openings(Path(told["bots_dir"]))))
    except OffhookError as error:
        print(f"offhook: {error.message}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
