"""What the contract promises, one promise a line, beside what released locations rely on.

`make contract` adds what is new to `released_contract.txt`, for review. It takes nothing out: a
location that is not deployed again yet still relies on it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twd_shared import contract

SHARED_ASSETS = [item for item in vars(contract).values() if isinstance(item, contract.SharedAsset)]
FILE = Path(__file__).with_suffix(".txt")


def promises() -> set[str]:
    """What the sources promise now."""
    constants = {name: value for name, value in vars(contract).items() if name.isupper()}
    return {
        *(f"location {location}" for location in contract.LOCATIONS),
        *(
            f"asset {spec.key.to_user_string()}, made by {shared.owner}, "
            f"partitioned by {getattr(spec.partitions_def, 'name', 'nothing')}"
            for shared in SHARED_ASSETS
            for spec in contract.external_specs([shared])
        ),
        *(f"tag {value}" for name, value in constants.items() if name.endswith("_TAG")),
        *(f"pool {value}" for name, value in constants.items() if name.endswith("_POOL")),
    }


def released() -> set[str]:
    """What is written down as released."""
    return set(FILE.read_text().splitlines())


def advice(released: set[str], present: set[str]) -> str:
    """What to do about the difference; empty if there is none."""
    broken, added = sorted(released - present), sorted(present - released)
    if broken:
        return (
            "No longer in twd_shared/contract.py, though released:\n"
            + "".join(f"  {line}\n" for line in broken)
            + "Locations are deployed one by one: some still use it. Keep it and add the new "
            "beside it.\nWhen no deployed location uses the old one any more, delete it there and "
            f"its line in {FILE.name}."
        )
    if added:
        return (
            "New in twd_shared/contract.py:\n"
            + "".join(f"  {line}\n" for line in added)
            + "Once released it cannot be changed. If it is meant so, run: make contract"
        )
    return ""


if __name__ == "__main__":
    together = released() | promises()
    FILE.write_text("".join(f"{line}\n" for line in sorted(together)))
    sys.exit(advice(together, promises()) or 0)
