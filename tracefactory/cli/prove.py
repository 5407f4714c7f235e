"""`tracefactory prove`: the words of the command, its progress, and its table."""

import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tracefactory.cli.look import print_json
from tracefactory.errors import Exit, RecipeError, ResourceError
from tracefactory.publish.proven import FOLDER, store_result
from tracefactory.report.taught import Taught, proven, standing_alone
from tracefactory.schemas.proof import ProofRun
from tracefactory.store.commit import MANIFEST
from tracefactory.store.files import write_atomic
from tracefactory.store.home import LOCK

out = Console(emoji=False)
_err = Console(stderr=True, emoji=False)


def need_torch() -> None:
    """Say what to install where the extra is absent.

    Raises:
        ResourceError: torch is not there.
    """
    try:
        import safetensors
        import tokenizers
        import torch
    except ImportError as error:
        raise ResourceError(
            f"training needs torch, and {error.name} is not installed: "
            "pip install 'tracefactory[prove]'"
        ) from error
    del safetensors, tokenizers, torch


def prove_command(
    dataset: str,
    task_type: str | None,
    tokens: int,
    seeds: int,
    processes: int | None,
    threads: int,
    device: str | None,
    folder: Path | None,
    revision: str | None,
    json: bool,
) -> Exit:
    """Train, measure, store, and publish anew."""
    need_torch()
    from tracefactory.prove.arms import read_material
    from tracefactory.prove.attach import attach
    from tracefactory.prove.experiment import Job, Settings, prove

    place, run = _place(dataset)
    where = folder or (run / FOLDER if run is not None else Path("proofs", Path(dataset).name))
    say(f"reading {place}")
    material = read_material(place, task_type, revision)
    settings = Settings(tokens=tokens, seeds=seeds, threads=threads, device=device or "cpu")
    say(
        f"{material.task_type}: "
        + ", ".join(f"{name} {len(texts):,} texts" for name, texts in material.arms.items())
        + f"; {tokens:,} tokens a model; results in {where}"
    )
    if "unverified" not in material.arms:
        say("without the arm unverified: the dataset has no config `rejected`")

    def told(job: Job, found: ProofRun, ready: int, of: int) -> None:
        (test,) = [score for score in found.scores if score.split == "test"]
        say(
            f"{ready} of {of}: {job.arm}, seed {job.seed}: {100 * test.greedy / test.n:.1f} % of "
            f"test, loss {found.loss:.3f}, {found.cpu_s:.0f} CPU s"
        )

    many = processes or (1 if (device or "cpu") != "cpu" else os.cpu_count() or 1)
    proof = prove(material, settings, where, many, told)
    shown = proven(proof.to_json())
    assert shown is not None  # there is a proof
    path = store_result(run or where, "proof", material.rows_sha256, proof.to_json())
    write_atomic(where / "curves.svg", standing_alone(shown).encode())
    if run is not None:
        attach(run)
    if json:
        print_json({**proof.to_json(), "conclusive": proof.conclusive})
    else:
        show_table(shown, f"What {proof.task_type} taught: % right, one value a seed")
        out.print(f"Stored in {path}, curves beside it.", highlight=False, markup=False)
        if run is not None:
            out.print(
                f"{run / 'dataset'} has it in card and report; `tracefactory publish` sends it.",
                highlight=False, markup=False,
            )  # fmt: skip
    return Exit.DONE if proof.conclusive else Exit.INCONCLUSIVE


def say(text: str) -> None:
    """A line on stderr."""
    _err.print(text, highlight=False, markup=False, soft_wrap=True)


def _place(dataset: str) -> tuple[str, Path | None]:
    """What `datasets` is given, and the run folder that it is the release of."""
    path = Path(dataset)
    if not path.exists():
        if dataset.count("/") != 1 or dataset.startswith((".", "/")):
            raise RecipeError(
                f"{dataset}: no such folder, and no name of a dataset on the Hub (ORG/NAME)"
            )
        return dataset, None
    for folder in (path / "dataset", path):
        if (folder / MANIFEST).is_file():
            folder = folder.resolve()
            run = folder.parent
            return str(folder), run if (run / LOCK).exists() else None
    raise RecipeError(
        f"{dataset} holds no release ({MANIFEST}); name a run folder whose recipe has a publish "
        "stage and has run, or a published dataset"
    )


def show_table(shown: Taught, title: str) -> None:
    """The figures, then what may be said of them."""
    table = Table(title=title, title_justify="left")
    table.add_column("trained on")
    for head in shown.heads:
        table.add_column(head, justify="right")
    for row in shown.rows:
        table.add_row(row.name, *(cell.removesuffix(" %") for cell in row.cells))
    out.print(table)
    for text in (shown.summary, *shown.notes):
        out.print(text, highlight=False, markup=False)
