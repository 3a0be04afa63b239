"""How far a run is, by what its steps have written: while nobody carries it, nobody else can say."""

from typing import Any

from contracts.replenishing import Progress, Run
from infra.mongo import Mongo


async def written_progress(mongo: Mongo, run: Run) -> Progress:
    """Without what was proposed, which is counted when somebody carries it again."""
    counts: dict[str, Any] = {
        "_id": None,
        "forecast": {"$sum": {"$cond": ["$forecast", 1, 0]}},
        "proposed": {"$sum": {"$cond": ["$proposed", 1, 0]}},
        "series": {"$sum": {"$cond": ["$forecast", {"$size": "$series"}, 0]}},
    }
    rows = await mongo.supply_chunks.aggregate([{"$match": {"run": run.id}}, {"$group": counts}]).to_list(1)
    known = rows[0] if rows else {"forecast": 0, "proposed": 0, "series": 0}
    progress = Progress(
        run=run.id,
        region=run.region,
        phase="forecasting",
        series=run.series,
        chunks=run.chunks,
        chunks_forecast=known["forecast"],
        chunks_proposed=known["proposed"],
        forecast=known["series"],
    )
    if progress.chunks_forecast == run.chunks:
        progress.phase = "transfers" if not run.transfer_report else "proposing"
    if progress.chunks_proposed == run.chunks:
        progress.phase = "closing"
    return progress
