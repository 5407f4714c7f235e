"""All commands, with what `--help` says of them. The work is in the other files of this folder."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Problems whose answers can be checked in, datasets of verified reasoning traces out.

    Start with `tracefactory run quickstart`. A run lives in a folder (runs/NAME); kill it at any
    time and give the same command again: it goes on where it was.

    Exit codes: 0 done; 1 internal; 2 usage or recipe; 3 more quarantined than allowed; 4 disk or
    cluster missing; 5 locked by a live run; 6 integrity failure, or rows judged otherwise;
    7 inconclusive; 130 interrupted and drained.""",
)

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name or a path.")
]
SetOption = Annotated[
    Optional[list[str]],  # noqa: UP045  (typer reads the annotation)
    typer.Option(
        "--set", metavar="PLACE=VALUE", help="Override, e.g. stages.problems.chunk.rows=500."
    ),
]
FolderOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--folder", help="The run folder. [default: runs/<recipe's name>]"),
]
FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="A run folder.")]
OptionOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--option", metavar="NAME=VALUE", help="An option of the checker; repeatable."),
]
WorkersOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--workers", min=1, help="Worker processes. [default: one a core]"),
]
InlineOption = Annotated[
    bool, typer.Option("--inline", help="No Dask, all in this process: for debugging.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]


@app.command()
def run(
    recipe: RecipeArgument,
    set_: SetOption = None,
    folder: FolderOption = None,
    workers: WorkersOption = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Use a running Dask cluster.")
    ] = None,
    inline: InlineOption = False,
    takeover: Annotated[
        bool,
        typer.Option("--takeover", help="Take the folder from a run that is known to be dead."),
    ] = False,
    force: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help="Do this stage again, whatever is there."),
    ] = None,
    retry: Annotated[
        str | None,
        typer.Option(
            metavar="quarantined|unanswered",
            help="Try quarantined problems, or requests that a server refused or failed, again.",
        ),
    ] = None,
    max_failed: Annotated[
        int,
        typer.Option(
            min=0, help="Quarantined problems or chunks with which the run still ends with 0."
        ),
    ] = 0,
    max_tokens: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Stop at so many tokens, in and out, of all runs of the folder."),
    ] = None,
    max_cost: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, help="Stop at so many US dollars, of all runs of the folder."),
    ] = None,
    max_hours: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, help="Stop after so many hours of this run."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a recipe, or go on with it: what is done already is never done again.

    At a limit no request is sent any more, those under way end and are kept, and the exit code is
    130, as after Ctrl-C. The same command with a higher limit goes on.
    """
    from tracefactory.cli.run import run_command
    from tracefactory.ledger import Limits

    raise typer.Exit(
        run_command(
            recipe,
            set_ or [],
            folder,
            workers,
            scheduler,
            inline,
            takeover,
            force or [],
            retry,
            max_failed,
            Limits(max_tokens, max_cost, max_hours),
            json,
        )
    )


@app.command()
def plan(
    recipe: RecipeArgument,
    set_: SetOption = None,
    folder: FolderOption = None,
    pilot: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, metavar="N", help="Run N problems for real; say what all will cost."),
    ] = None,
    workers: WorkersOption = None,
    inline: InlineOption = False,
    json: JsonOption = False,
) -> None:
    """Show what `run` would do, stage by stage: what is reused, what runs, and why.

    With `--pilot N` the teachers answer N problems, drawn from all, in FOLDER/pilot. Tokens, GPU
    hours and money are projected, with a 90 % interval. `run` uses the answers again.
    """
    if pilot is not None:
        from tracefactory.cli.pilot import pilot_command

        raise typer.Exit(pilot_command(recipe, set_ or [], folder, pilot, workers, inline, json))
    from tracefactory.cli.look import plan_command

    plan_command(recipe, set_ or [], folder, json)


@app.command()
def status(folder: FolderArgument, json: JsonOption = False) -> None:
    """Show how far a run is, from its receipts alone: needs no cluster and takes no lock."""
    from tracefactory.cli.look import status_command

    status_command(folder, json)


@app.command()
def inspect(
    folder: FolderArgument,
    row_id: Annotated[str | None, typer.Argument(help="An attempt's id, or a problem's.")] = None,
    malformed: Annotated[
        bool, typer.Option("--malformed", help="List input rows that never became problems.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show the life of one row: problem, attempts, checks, drops, shard. Or the malformed rows."""
    from tracefactory.cli.look import inspect_command

    inspect_command(folder, row_id, malformed, json)


@app.command()
def fsck(
    folder: FolderArgument,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Remove orphans, set damaged files aside.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check that a run folder holds what its receipts say, hash by hash. Exit 6 if it does not."""
    from tracefactory.cli.keep import fsck_command

    raise typer.Exit(fsck_command(folder, sweep, json))


@app.command()
def gc(
    recipe: RecipeArgument,
    set_: SetOption = None,
    folder: FolderOption = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is listed.")] = False,
    json: JsonOption = False,
) -> None:
    """List what no current key of the recipe needs (left by earlier edits); delete it if asked."""
    from tracefactory.cli.keep import gc_command

    gc_command(recipe, set_ or [], folder, delete, json)


@app.command()
def check(
    verifier: Annotated[
        str, typer.Argument(help="numeric, choice, symbolic, steps, program, or module:judge.")
    ],
    reference: Annotated[
        str | None, typer.Option(help="The reference answer (steps: the statement).")
    ] = None,
    response: Annotated[Optional[str], typer.Option(help="The response.")] = None,  # noqa: UP045
    response_file: Annotated[
        Path | None, typer.Option(help="File with the response; - is stdin.")
    ] = None,
    answer_after: Annotated[
        str | None, typer.Option(help="Marker before the answer, such as A:.")
    ] = None,
    program_file: Annotated[
        Path | None, typer.Option(help="program: the Python file to judge; - is stdin.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="program: stdin_stdout, function or asserts.")
    ] = None,
    tests_file: Annotated[
        Path | None,
        typer.Option(help="program: its tests; JSON, or Python code for the kind asserts."),
    ] = None,
    entry_point: Annotated[
        str | None, typer.Option(help="program: the function that the tests call.")
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option(help="program: seconds by the clock. [default: 10]")
    ] = None,
    memory_mb: Annotated[
        int | None, typer.Option(help="program: address space. [default: 1024]")
    ] = None,
    isolation: Annotated[
        str | None,
        typer.Option(help="program: namespaces, bwrap, landlock, remote or none-unsafe."),
    ] = None,
    option: OptionOption = None,
    json: JsonOption = False,
) -> None:
    r"""Judge one response with a checker and show its evidence.

    Example: `tracefactory check symbolic --reference '\frac{\sqrt3}{3}' --response
    '\boxed{1/\sqrt{3}}'`

    With options: `tracefactory check symbolic --reference 3.14159 --response '\boxed{3.1}' --option
    tolerance=2%`

    A **program** is run in a box that it cannot get out of, and never sees what is expected of it:
    `tracefactory check program --program-file square.py --kind function --entry-point square
    --tests-file tests.json`

    tests.json for function: `[{"args": [3], "expected": 9}]`; for stdin_stdout: `[{"input": "3",
    "output": "9"}]`; the tests file for asserts is Python: `assert square(3) == 9`, or a function
    check(candidate). With `--option tolerance=1e-4` floats may differ by so much.
    """
    from tracefactory.cli.check import ProgramOptions, check_command, check_program_command

    given = ProgramOptions(
        program_file, kind, tests_file, entry_point, timeout_s, memory_mb, isolation
    )
    if verifier == "program":
        answer = (reference, response, response_file, answer_after)
        check_program_command(given, answer, option or [], json)
        return
    given.refuse(verifier)
    check_command(verifier, reference, response, response_file, answer_after, option or [], json)


@app.command()
def publish(
    dataset: Annotated[Path, typer.Argument(metavar="FOLDER", help="A run or dataset folder.")],
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="ORG/NAME on the Hub; or s3://, file://, a path."),
    ],
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public", help="Hub: who may see it. [default: as it is; private]"
        ),
    ] = None,
    license: Annotated[
        str | None,
        typer.Option(metavar="SPDX", help="State a licence for the whole dataset."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")
    ] = False,
    tag: Annotated[
        str | None, typer.Option(help="Hub: a name for the release; else r- and its hash.")
    ] = None,
    xet: Annotated[
        bool, typer.Option("--xet/--no-xet", help="Hub: send chunks (Xet), or whole files.")
    ] = True,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY.PEM", help="Sign all files with this Ed25519 key.")
    ] = None,
    message: Annotated[str | None, typer.Option(help="Hub: of the commit.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where another recipe's release stands.")
    ] = False,
    stalled_after: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Give up when no byte moved so long.")
    ] = 120.0,
    json: JsonOption = False,
) -> None:
    """Send a release to the Hub or a store, next to what is there: the old one or the new one.

    `tracefactory publish runs/quickstart org/name --dry-run`

    What is published already is not sent again; new rows go to new shards. Killed? Give the same
    command again. HF_TOKEN, or `hf auth login`, says who you are.
    """
    from tracefactory.cli.publish import publish_command

    raise typer.Exit(
        publish_command(
            dataset,
            target,
            private,
            license,
            dry_run,
            tag,
            xet,
            sign,
            message,
            stalled_after,
            json,
            replace,
        )
    )


@app.command()
def prove(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A run or dataset folder, or ORG/NAME.")
    ],
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK_TYPE", help="Which problems. [default: the commonest]"),
    ] = None,
    tokens: Annotated[int, typer.Option(min=1000, help="Budget of each model.")] = 1_500_000,
    seeds: Annotated[int, typer.Option(min=1, help="Models of each kind.")] = 3,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Models at a time. [default: one a core; GPU: 1]")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each process.")] = 1,
    device: Annotated[str | None, typer.Option(help="cpu, or cuda. [default: cpu]")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where models and results go. [default: RUN/proof; proofs/NAME]"),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Hub: branch, tag or commit.")] = None,
    json: JsonOption = False,
) -> None:
    """Train small models on what was published, and ask them what they never saw.

    `tracefactory prove runs/quickstart`

    One on the verified traces, one on answers alone, one on unverified traces, at one budget and
    several seeds; and does the reasoning decide the answer? The table goes into the card and the
    report. Killed? Give the same command again. Exit code 7: inconclusive.
    """
    from tracefactory.cli.prove import prove_command

    raise typer.Exit(
        prove_command(
            dataset, task, tokens, seeds, processes, threads, device, folder, revision, json
        )
    )


@app.command()
def loop(
    recipe: RecipeArgument = "modular_loop",
    overrides: SetOption = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where rounds and models go. [default: loops/NAME]")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds after the first model.")] = 3,
    seed_traces: Annotated[
        int, typer.Option(min=1, help="Traces that the first model learns from.")
    ] = 300,
    first_tokens: Annotated[
        int, typer.Option(min=1000, help="Budget of the first model.")
    ] = 1_300_000,
    tokens: Annotated[int, typer.Option(min=1000, help="Budget of each round.")] = 400_000,
    temperature: Annotated[float, typer.Option(min=0, help="Of the samples.")] = 0.8,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="YAML",
            help="Have vLLM serve the models: a file with the settings of a teacher `vllm`, "
            "or `{kind: vllm, ...}` itself. [default: they answer within the workers]",
        ),
    ] = None,
    workers: WorkersOption = None,
    inline: InlineOption = False,
    json: JsonOption = False,
) -> None:
    """Let a small model be its own teacher, round after round, against two controls.

    `tracefactory loop modular_loop`

    The first model learns from a few traces of the recipe's teacher. Then: fresh problems, samples,
    checks, training on what passed. Beside it, trained for as long: on the first traces alone, and
    on all samples unchecked. Each round is a run that can be killed, resumed and audited.
    """
    from tracefactory.cli.loop import loop_command

    raise typer.Exit(
        loop_command(
            recipe,
            overrides or [],
            folder,
            rounds,
            seed_traces,
            first_tokens,
            tokens,
            temperature,
            teacher,
            workers,
            inline,
            json,
        )
    )


@app.command()
def audit(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A run or dataset folder, where `publish` put it (path or URL), "
            "hf://datasets/ORG/NAME[@REV], or Parquet.",
        ),
    ],
    sample: Annotated[
        int | None, typer.Option(min=1, help="Judge so many rows again. [default: all]")
    ] = None,
    recheck: Annotated[
        bool, typer.Option("--recheck/--no-recheck", help="Judge rows again.")
    ] = True,
    planted: Annotated[int, typer.Option(min=0, help="Wrong answers to plant, in memory.")] = 200,
    allow_verifier: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="PACKAGE", help="Its checkers may be imported; repeatable."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="PUB.PEM", help="Public key of who must have signed.")
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="The manifest's sha256 or its beginning, if you know."),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(help="Draw the rows that an audit with this seed drew. [default: new]"),
    ] = None,
    max_drift: Annotated[
        float, typer.Option(min=0, max=1, help="Share of rows that may be judged otherwise.")
    ] = 0.0,
    workers: WorkersOption = None,
    inline: InlineOption = False,
    download: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Fetch into this empty folder and keep it."),
    ] = None,
    statement: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Parquet: the statement.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Parquet: the reference.")
    ] = None,
    response: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Parquet: the response.")
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Parquet: a verdict to compare with.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="MARKER", help="The reference is what follows this.")
    ] = None,
    boxed: Annotated[
        bool, typer.Option("--boxed", help="The reference is what the last box holds.")
    ] = False,
    verifier: Annotated[
        str | None, typer.Option(help="Parquet: numeric, symbolic, ... or module:verify.")
    ] = None,
    option: OptionOption = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Findings shown of each kind; --json has all.")
    ] = 3,
    json: JsonOption = False,
) -> None:
    """Check a dataset: every file and figure, and every row judged again. Exit 6 if it is not so.

    `tracefactory audit runs/quickstart`, `tracefactory audit hf://datasets/org/name --sample 1000`

    Of any other dataset, given its columns: `tracefactory audit 'hf://datasets/org/name/*.parquet'
    --statement question --response solution --reference answer --verifier numeric`

    Nothing that a dataset says is trusted: only checkers that ship here are imported by its word,
    and its programs run in a box, or are counted as not checked again.
    """
    from tracefactory.audit.asked import Asked
    from tracefactory.cli.audit_release import Columns, audit_command

    asked = Asked(recheck, sample, planted, tuple(allow_verifier or ()), key, expect, seed)
    columns = Columns(statement, reference, response, verdict, after, boxed, verifier, option or [])
    raise typer.Exit(
        audit_command(target, asked, columns, max_drift, workers, inline, download, examples, json)
    )


@app.command()
def audit_problems(
    place: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|FILE", help="A run folder; or a file, a folder of files, a glob."
        ),
    ],
    statement: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Files: the column with the statement.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Files: the column with the reference.")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="MARKER", help="The reference is what follows this in its column."),
    ] = None,
    boxed: Annotated[
        bool, typer.Option("--boxed", help="The reference is what the last box there holds.")
    ] = False,
    verifier: Annotated[
        str | None,
        typer.Option(help="Files: numeric, choice, symbolic, or module:verify. [default: numeric]"),
    ] = None,
    option: OptionOption = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Show so many findings of each kind; --json has all.")
    ] = 3,
    json: JsonOption = False,
) -> None:
    """Find problems whose references cannot stand: the cheapest way to wrong verdicts.

    Reads a run folder, or files before any run:

    `tracefactory audit-problems runs/quickstart`

    `tracefactory audit-problems test.jsonl --statement question --reference answer --after '####'`

    `tracefactory audit-problems math.jsonl --statement problem --reference solution --boxed
    --verifier symbolic`

    **unreadable**: the checker cannot read the reference. **not_itself**: it does not accept the
    reference as the answer. **crashed**: it failed on it. **contradiction**: equal statements,
    references that differ. For any of these the exit code is 6, otherwise 0.

    **consensus**: two teachers or more (or three attempts of the only one) agree with each other,
    none with the reference. **reprinted**: `symbolic` does not accept its own printing of the
    reference. **duplicate**: equal statements, the same reference.
    """
    from tracefactory.cli.audit import audit_problems_command

    raise typer.Exit(
        audit_problems_command(
            place,
            statement,
            reference,
            after,
            boxed,
            verifier,
            option or [],
            examples,
            json,
        )
    )


@app.command()
def recipes(
    families: Annotated[
        bool, typer.Option("--families", help="List the families of problems instead.")
    ] = False,
    benchmarks: Annotated[
        bool,
        typer.Option("--benchmarks", help="List the benchmarks that decontaminate knows instead."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the recipes that ship, or the families of problems, or the known benchmarks."""
    from tracefactory.cli.look import benchmarks_command, recipes_command

    if benchmarks:
        benchmarks_command(json)
    else:
        recipes_command(families, json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors that complete YAML."""
    from tracefactory.cli.look import schema_command

    schema_command()


@app.command()
def doctor(
    python: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="PATH", help="The Python that has vLLM. [default: this one]"),
    ] = None,
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Serve this model with vLLM and ask it once: a folder, a Hub id, or `tiny`: one "
            "made here."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check this machine: cores, memory, disk, GPUs, vLLM, what the file system can do."""
    from tracefactory.cli.doctor import doctor_command

    raise typer.Exit(doctor_command(python, model, json))
