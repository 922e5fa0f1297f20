"""The application's database, as it is reached."""

from __future__ import annotations

import pytest

from twd_shared.clients.application import ApplicationDatabase
from twd_shared.errors import ConfigurationError

pytestmark = pytest.mark.integration

OF_LIBPQ = "channel_binding=prefer&connect_timeout=5&gssencmode=disable&keepalives_idle=30"


def test_an_address_may_hold_what_only_libpq_understands(application_dsn: str) -> None:
    database = ApplicationDatabase(f"{application_dsn}?{OF_LIBPQ}")
    assert database.fetch("select 1")[0][0] == 1
    # A driver that is built on libpq heeds it.
    assert OF_LIBPQ in database.dsn


@pytest.mark.parametrize("demand", ["channel_binding=require", "gssencmode=require"])
def test_a_proof_that_one_of_the_drivers_cannot_ask_for_is_not_dropped(demand: str) -> None:
    with pytest.raises(ConfigurationError, match=f"TWD_APPLICATION_DSN demands {demand}"):
        ApplicationDatabase(f"postgresql://u:p@h/d?{demand}")
