"""`python -m workers.carrier_sandbox --port N --db FILE`: the sandbox carriers."""

import argparse
import asyncio
import contextlib
import json
import logging
import time
from asyncio import wrap_future
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.carriers import LabelInstructions
from infra.demo_carriers import carriers
from infra.logs import begin
from workers.carrier_sandbox.book import Book
from workers.carrier_sandbox.journeys import Rates
from workers.carrier_sandbox.telling import Teller

DAY_S = 86_400.0


def application(book: Book, thread: ThreadPoolExecutor, teller: Teller | None) -> Starlette:
    """Without a teller nobody hears of scans; they wait."""

    async def labels(request: Request) -> Response:
        asked = LabelInstructions.model_validate_json(await request.body()).instructions
        outcomes = await wrap_future(thread.submit(book.answer_all, asked))
        return JSONResponse({"outcomes": [outcome.model_dump() for outcome in outcomes]})

    async def label(request: Request) -> Response:
        found = await wrap_future(thread.submit(book.label, request.path_params["number"]))
        if found is None:
            return JSONResponse({"detail": "There is no such label."}, HTTPStatus.NOT_FOUND)
        return JSONResponse(found)

    async def totals(_: Request) -> Response:
        return JSONResponse(await wrap_future(thread.submit(book.totals)))

    async def health(_: Request) -> Response:
        await wrap_future(thread.submit(book.due, 1))
        return JSONResponse({"status": "ok"})

    async def refuse(_: Request, error: Exception) -> Response:
        return JSONResponse({"code": "invalid-request", "detail": str(error)[:500]}, HTTPStatus.UNPROCESSABLE_ENTITY)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        telling = asyncio.create_task(teller.run()) if teller else None
        yield
        if telling:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    routes = [
        Route("/v1/labels", labels, methods=["POST"]),
        Route("/v1/labels/{number}", label),
        Route("/v1/totals", totals),
        Route("/healthz", health),
    ]
    return Starlette(routes=routes, exception_handlers={ValidationError: refuse}, lifespan=lifespan)


def _share(text: str) -> float:
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return float(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Carriers for the demo and for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--db", type=Path, required=True, help="SQLite file, made when missing")
    parser.add_argument("--gateway", help="where scans are told; without it they wait")
    parser.add_argument("--keys", type=Path, help="JSON file with the API key of each carrier")
    parser.add_argument("--day-s", type=float, default=DAY_S, help="seconds that make a day of the parcels")
    for fate in ("late", "lost", "refused", "declined"):
        parser.add_argument(f"--{fate}-rate", type=_share, default=0.0, help=f"share of parcels that are {fate}")
    parser.add_argument("--seed", type=int, default=0, help="same seed and keys: same fates")
    return parser.parse_args()


def main() -> None:
    o = _options()
    begin(logging.WARNING)
    rates = Rates(o.late_rate, o.lost_rate, o.refused_rate, o.declined_rate, o.seed)
    book = Book(o.db, carriers(), day_s=o.day_s, rates=rates, url=f"http://{o.host}:{o.port}", clock=time.time)
    thread = ThreadPoolExecutor(max_workers=1)
    keys: dict[str, str] = json.loads(o.keys.read_text()) if o.keys else {}
    teller = Teller(book, thread, o.gateway, keys) if o.gateway else None
    app = application(book, thread, teller)
    # Longer than clients keep an idle connection, so that none is closed while a request is on its way.
    uvicorn.run(app, host=o.host, port=o.port, log_level="warning", access_log=False, timeout_keep_alive=60)


if __name__ == "__main__":
    main()
