"""A process of its own that forks, and lets the fork ask a model once with Pipecat's tracing on.

Run as `python -m tests.support.traced_call`, with the environment that says where traces and calls
go; says on standard output whether the parent had a thread when it forked.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from pipecat.frames.frames import EndFrame, LLMContextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.workers.runner import WorkerRunner

from bots.plan import CallPlan, plan_call
from bots.tracing import flush, worker_options
from tests.support.llms import Site


async def _ask(plan: CallPlan, said: str) -> None:
    llm = plan.config.llm.build(Site())
    measured = PipelineParams(enable_metrics=True, enable_usage_metrics=True)
    worker = PipelineWorker(Pipeline([llm]), params=measured, **worker_options(plan))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    context = LLMContext([{"role": "user", "content": said}])
    await worker.queue_frames([LLMContextFrame(context), EndFrame()])
    await runner.run()
    await flush()


def main(said: str) -> None:
    """Fork, ask in the fork, wait for it."""
    plan = plan_call(pipeline="cloud", transport="headless")
    threads = threading.active_count()
    child = os.fork()
    if child == 0:
        asyncio.run(_ask(plan, said))
        # As a call's process ends: nothing that waits for its exit is run.
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    sys.stdout.write(f"{plan.id} {threads} {os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
