"""`python -m twd_local.deploy LOCATION [--target …] [--from FOLDER]`: replaces one code server."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from twd_local.deploy.cluster import deploy_with_helm
from twd_local.deploy.compose import deploy_with_compose
from twd_local.deploy.local import deploy_locally
from twd_local.stack.entry import run_command
from twd_local.stack.errors import FORESEEN, explained
from twd_local.stack.home import REPOSITORY
from twd_local.stack.names import LOCATIONS
from twd_local.stack.plan import chosen_home


def main(arguments: list[str] | None = None) -> int:
    """Deploy one location; 0 = it serves, 1 = it does not and stderr says why."""
    parser = argparse.ArgumentParser(prog="twd_local.deploy", description="Replace one code server")
    parser.add_argument("location", choices=LOCATIONS)
    parser.add_argument("--target", choices=("local", "compose", "k8s"), default="local")
    parser.add_argument(
        "--from",
        dest="sources",
        type=Path,
        metavar="FOLDER",
        help="a checkout other than this one; on this machine only",
    )
    chosen = parser.parse_args(arguments)
    if chosen.sources and chosen.target != "local":
        parser.error("--from goes with --target local")
    try:
        match chosen.target:
            case "local":
                deploy_locally(
                    chosen_home(os.environ), chosen.location, chosen.sources or REPOSITORY
                )
            case "compose":
                deploy_with_compose(chosen.location, os.environ, REPOSITORY)
            case _:
                deploy_with_helm(chosen.location, os.environ)
    except FORESEEN as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    run_command(main)
