"""The server's figures, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from api.auth import Keys
from records.metrics import CONTENT_TYPE, Metrics


def router(metrics: Metrics, keys: Keys) -> APIRouter:
    """The route.

    Args:
        metrics: What was counted.
        keys: The server's and the scraper's own; none only where the server is on loopback.
    """
    routes = APIRouter(tags=["metrics"], dependencies=[Depends(keys.check)])

    # On the event loop, where the calls are counted.
    @routes.get("/metrics", response_class=Response)
    async def figures() -> Response:
        """Tell all of them in Prometheus' text format."""
        return Response(
            metrics.text(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        )

    return routes
