"""``macsmith mixed``: which design computes which layers of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from macsmith.verbs import (
    BUILD_DIR,
    BuildDirOption,
    JsonOption,
    ScalingOption,
    SeedOption,
    app,
    finish,
    help_text,
)

__all__ = ["app"]


@app.command(
    short_help="Mixed precision: a design for each group of layers.",
    help=help_text(
        "Find which design computes which layers of a network, for little cost and little loss: "
        "the loss of each group of layers alone is measured, integer programming proposes "
        "assignments, NSGA-II goes on from them, and every assignment's loss is measured with all "
        "layers together. Results are kept as they come.",
        "macsmith mixed g2p e2m1:exact e2m3:exact e4m3:exact --groups layer",
        "macsmith mixed smollm2 int4:exact e3m2:exact int8:exact --estimate --trials 24",
    ),
)
def mixed(
    task: Annotated[str, typer.Argument(metavar="TASK", help="g2p or smollm2.")],
    designs: Annotated[
        list[str], typer.Argument(metavar="DESIGN...", help="Design texts, two or more.")
    ],
    tech: Annotated[str, typer.Option("--tech", metavar="NAME", help="What cost is of.")] = "asap7",
    cost: Annotated[
        str | None,
        typer.Option(
            "--cost",
            metavar="FIGURE",
            help="What is paid for each product. [default: energy_pj_per_mac; with --estimate "
            "area_um2_per_mac]",
        ),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Costs from the cost model, without synthesis.")
    ] = False,
    groups: Annotated[
        str,
        typer.Option("--groups", help="Layers with one design: layer, kind or block."),
    ] = "kind",
    trials: Annotated[
        int, typer.Option("--trials", min=0, help="Assignments that NSGA-II proposes.")
    ] = 48,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=1, help="Size of the sample.")
    ] = None,
    scaling: ScalingOption = None,
    seed: SeedOption = 0,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes at once.")] = 2,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder. [default: BUILD/mixed/TASK]"),
    ] = None,
    build_dir: BuildDirOption = BUILD_DIR,
    as_json: JsonOption = False,
) -> None:
    from typing import cast

    from macsmith.console import only_results_on_stdout
    from macsmith.model.accuracy.mixed import Grouping, layer_groups
    from macsmith.model.accuracy.scaling import check_scalings

    with only_results_on_stdout():
        from macsmith.reports.executors import LocalPool
        from macsmith.reports.mixed import explore_mixed
        from macsmith.reports.mixed_report import (
            estimated_costs,
            mixed_text,
            priced_costs,
            write_mixed,
        )

        # what is wrong is told before any work is done
        if len(designs) < 2:
            raise ValueError(
                f"mixed {task}: must have two designs or more to choose from, not {len(designs)}; "
                "`macsmith accuracy` runs a network in one"
            )
        layer_groups(task, groups)
        try:
            check_scalings(scaling or ())
        except ValueError as error:
            raise ValueError(f"scaling: {error}") from None
        folder = output or build_dir / "mixed" / task
        executor = LocalPool(jobs)
        if estimate:
            name = cost or "area_um2_per_mac"
            costs = estimated_costs(designs, tech, name, task)
        else:
            name = cost or "energy_pj_per_mac"
            costs = priced_costs(designs, tech, name, task, build_dir, folder / "prices", executor)
        result = explore_mixed(
            task,
            designs,
            costs,
            executor=executor,
            cost_name=name,
            grouping=cast(Grouping, groups),
            tokens=tokens,
            trials=trials,
            seed=seed,
            scaling=tuple(dict.fromkeys(scaling or ())),
            build_dir=build_dir,
        )
        files = write_mixed(result, folder)
    document = {
        "task": task,
        "technology": tech,
        "groups": dict(zip(result.groups, map(float, result.shares), strict=True)),
        "costs": dict(zip(result.designs, map(float, result.costs), strict=True)),
        "candidates": [
            {key: value for key, value in row.items() if value != float("inf")}
            for row in result.rows()
        ],
        "files": [str(path) for path in files],
    }
    finish(document, as_json, mixed_text(result, files))
