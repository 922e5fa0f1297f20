"""`python -m twd_local.demo`: from nothing to three searchable and trained databases."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from twd_local.application.outcomes import SourceUnreachable
from twd_local.dagster_api import DagsterApi
from twd_local.demo.analytics import measure_last_days
from twd_local.demo.progress import ASSETS, AssetState, Known, asset_states, failed_run
from twd_local.demo.progress import known_connections as read_known
from twd_local.demo.samples import load_sources, register_sources, seed_application
from twd_local.demo.screen import ProgressScreen
from twd_local.demo.summary import print_built, print_questions
from twd_local.sources.load import SourceLoadError
from twd_local.stack.entry import run_command
from twd_local.stack.environment import External
from twd_local.stack.errors import FORESEEN, StackError, explained
from twd_local.stack.lifecycle import up
from twd_local.stack.plan import Stack, chosen_home, given_environment
from twd_shared import settings
from twd_shared.store.database import MetadataDatabase

# Shorter than in production: nobody wants to watch a sensor wait.
DEMO_SETTINGS = {
    settings.NEW_CONNECTION_SECONDS.name: "5",
    settings.SCHEMA_CHANGE_SECONDS.name: "15",
    settings.AUTOMATION_SECONDS.name: "5",
}
STARTED = "TWD_DEMO_STARTED"

_DEADLINE_SECONDS = 300.0


def main() -> int:
    """Run the demo; 0 = everything is there, 1 = it is not, and the last line says what to do."""
    console = Console(highlight=False)
    try:
        run(console, os.environ)
    except (*FORESEEN, SourceLoadError, SourceUnreachable) as error:
        console.print(f"[bold red]error:[/] {escape(explained(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted. make demo goes on from here; make down stops what runs.")
        return 130
    return 0


def run(console: Console, environment: Mapping[str, str]) -> None:
    """The demo, phase by phase; raises StackError with what to do."""
    begun = time.time()
    phases: list[tuple[str, float]] = []
    if environment.get(STARTED, "").isdecimal():
        begun = float(environment[STARTED])
        phases.append(("environment", time.time() - begun))

    def phase(title: str) -> None:
        phases.append((title, time.time() - begun - sum(seconds for _, seconds in phases)))

    external = External.from_environment(given_environment(environment))
    if external.api or external.application:
        raise StackError(
            "The demo fills the sample application with data, but an application of yours is "
            f"configured. Unset {settings.API_URL.name} and {settings.APPLICATION_DSN.name}, "
            "or start the stack without samples: make up"
        )

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False)

    say("Starting the stack")
    stack = up(chosen_home(environment), environment, DEMO_SETTINGS, say)
    phase("stack")
    say("Loading the sample databases")
    load_sources(stack, say)
    phase("sample databases")
    say("Registering them through the application's API, as a user would")
    registered = register_sources(stack)
    ids = {name: identifier for name, (identifier, _) in registered.items()}
    say(f"Conversations in the application: {seed_application(stack, ids)}")
    known, states, first_done = _watch(console, stack, ids)
    phase("reading, indexing, training")
    api = DagsterApi(stack.ui_url)
    zone = settings.value_of(stack.environment, settings.TIMEZONE)
    say(f"Statistics of the last days: {measure_last_days(api, zone)}")
    phase("statistics")

    times = {name: moment for name, (_, moment) in registered.items()}
    print_built(console, known, times, states, first_done)
    print_questions(console, stack, ids)
    split = ", ".join(f"{title} {seconds:.1f} s" for title, seconds in phases)
    say(f"\nDone in {time.time() - begun:.0f} s: {split}")
    say(f"\nDagster UI       {stack.ui_url}")
    say('Ask yourself     make ask DB=pagila Q="Which actors play in comedies?"')
    say("Your database    make connect NAME=shop DSN=postgresql://reader:…@host:5432/shop")
    say("Stop             make down")


def _watch(
    console: Console, stack: Stack, ids: Mapping[str, int]
) -> tuple[dict[str, Known], dict[tuple[str, str], AssetState], dict[tuple[str, str], float]]:
    """Show the progress until every asset of every sample is done.

    Returns: the connections, their assets' last states, and when each asset was done first.
    Raises: StackError.
    """
    # An asset may be brought up to date again meanwhile: what counts is when it was usable.
    first_done: dict[tuple[str, str], float] = {}
    api = DagsterApi(stack.ui_url)
    database = MetadataDatabase(settings.value_of(stack.environment, settings.METADATA_DSN))
    started = time.time()
    try:
        with ProgressScreen(console, list(ids), started) as screen:
            while True:
                by_id = read_known(database, list(ids.values()))
                known = {name: by_id[one] for name, one in ids.items() if one in by_id}
                by_partition = asset_states(api, [one.partition for one in known.values()])
                states = {
                    (name, asset): by_partition[one.partition, asset]
                    for name, one in known.items()
                    for asset in ASSETS
                }
                for key, state in states.items():
                    if state.done_at is not None:
                        first_done.setdefault(key, state.done_at)
                problems = [f"{name}: {one.problem}" for name, one in known.items() if one.problem]
                screen.show(states, problems)
                if len(known) == len(ids) and all(one.state == "done" for one in states.values()):
                    return known, states, first_done
                _stop_on_failure(api, started, [one.partition for one in known.values()])
                if time.time() - started > _DEADLINE_SECONDS:
                    raise _too_late(stack, states, known, ids, problems)
                time.sleep(0.5)
    finally:
        database.close()


def _stop_on_failure(api: DagsterApi, started: float, partitions: list[str]) -> None:
    # Other databases may be connected too: what fails there is none of the demo's business.
    failed = failed_run(api, started, partitions)
    if failed is not None:
        raise StackError(
            f"A run of {failed.job} for {failed.partition} failed: "
            f"{failed.reason}\n"
            f"See {api.url}/runs/{failed.run_id}. When the cause is put right, make demo resumes."
        )


def _too_late(
    stack: Stack,
    states: Mapping[tuple[str, str], AssetState],
    known: Mapping[str, Known],
    ids: Mapping[str, int],
    problems: list[str],
) -> StackError:
    unseen = [name for name in ids if name not in known]
    undone = [f"{asset} of {name}" for (name, asset), one in states.items() if one.state != "done"]
    what = ", ".join([*(f"{name} is not seen yet" for name in unseen), *undone])
    because = f" ({'; '.join(problems)})" if problems else ""
    return StackError(
        f"Not finished after {_DEADLINE_SECONDS:.0f} s: {what}{because}. Sensors and their errors: "
        f"{stack.ui_url}/automation. make demo goes on from here."
    )


if __name__ == "__main__":
    run_command(main)
