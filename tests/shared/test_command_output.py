"""What commands write, where the reader has gone."""

from __future__ import annotations

from ..closed_output import run_unread


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    code = "from twd_shared.command_output import write_output as out; out('1'); out('2')"
    done = run_unread("-c", code)
    assert (done.returncode, done.stderr) == (0, b"")
