"""Advisory locks that end with their transaction: one statement for all of them.

A name may not change: a location of the release before waits for the same lock.
"""

from __future__ import annotations

import sqlalchemy as sa

KEEPALIVES = (
    "set_config('tcp_keepalives_idle', '60', false),"
    " set_config('tcp_keepalives_interval', '15', false),"
    " set_config('tcp_keepalives_count', '4', false)"
)
"""What a session selects that holds a lock.

A machine that is cut off or switched off closes no session: two minutes later the server does.
"""


def take_lock(
    transaction: sa.Connection, name: str, *, wait: bool = True, shared: bool = False
) -> bool:
    """Hold the lock of that name until the transaction ends; False if another has it.

    With `wait`, only once it is free. A `shared` one is held by many, while nobody has it alone.
    """
    function = f"pg_{'' if wait else 'try_'}advisory_xact_lock{'_shared' if shared else ''}"
    # The functions that wait give nothing, which PostgreSQL calls void.
    *_, answer = transaction.execute(
        sa.text(f"select {KEEPALIVES}, {function}(hashtextextended(:name, 0))::text"),
        {"name": name},
    ).one()
    return answer != "false"
