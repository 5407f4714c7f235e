"""How far a run is, from its receipts and events: no cluster, no lock, any machine that sees it."""

from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from tracefactory.ledger import spending_of
from tracefactory.store.commit import committed
from tracefactory.store.home import EVENTS, LOCK, RECEIPTS, RECIPE, Receipts
from tracefactory.store.lock import live_holder


def read_status(run: Path) -> dict[str, Any]:
    """Per stage: units done, seconds, figures; and notes in words.

    Receipts of earlier versions of the recipe count as long as their slots were not done anew.
    """
    receipts = Receipts(run / RECEIPTS)
    stages: dict[str, dict[str, Any]] = {name: _empty() for name in stage_names(run)}
    malformed: list[str] = []
    for receipt in receipts:
        stage = stages.get(receipt.slot.partition("/")[0])
        if stage is None:  # of a stage that the recipe no longer has
            continue
        stage["done"] += 1
        stage["seconds"] += receipt.seconds
        stage["counts"].update(receipt.counts)
        stage["counts"]["quarantined"] += len(receipt.quarantined)
        malformed += [output.name for output in receipt.outputs if output.role == "malformed"]
    holder, manifest = live_holder(run / LOCK), committed(run)
    notes = [f"running: {holder}" if holder else "no run is live on this folder"]
    notes += [str(damage) for damage in receipts.damaged]
    if malformed:
        notes.append(
            f"input rows that never became problems: see `tracefactory inspect {run} --malformed`"
        )
    quarantined = sorted(path.name for path in (run / "quarantine").glob("*.json"))
    notes += [f"quarantined: {run / 'quarantine' / name}" for name in quarantined]
    notes.append(f"dataset: {run / 'dataset'} ({manifest[:12]})" if manifest else "no dataset yet")
    plain = {name: {**stage, "counts": dict(stage["counts"])} for name, stage in stages.items()}
    return {
        "folder": str(run),
        "live": holder is not None,
        "manifest_sha256": manifest,
        "stages": plain,
        "spending": spending_of(run, receipts).to_json(),
        "last_event": _last_event(run),
        "notes": notes,
    }


def _empty() -> dict[str, Any]:
    return {"done": 0, "seconds": 0.0, "counts": Counter()}


def stage_names(run: Path) -> list[str]:
    """Stages of the recipe that ran here last, in its order."""
    try:
        return list(orjson.loads((run / RECIPE).read_bytes())["stages"])
    except (OSError, orjson.JSONDecodeError, KeyError):
        return []


def _last_event(run: Path) -> dict[str, Any] | None:
    try:
        lines = (run / EVENTS).read_bytes().splitlines()
        return orjson.loads(lines[-1]) if lines else None
    except (OSError, orjson.JSONDecodeError):
        return None
