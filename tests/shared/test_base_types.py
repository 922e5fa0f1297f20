"""What columns' types stand on: domains on domains, on arrays and on enums."""

import pytest

from twd_shared.schema_model.base_types import bases_of_domains, enums_by_type, types_within
from twd_shared.schema_model.models import DomainType, EnumType, Snapshot

MOOD = EnumType(schema="Sales", name="mood", labels=("sad", "ok"))
SHOP = Snapshot(
    dialect="postgresql",
    database_name="shop",
    server_version="18.0",
    enums=(MOOD,),
    domains=(
        DomainType(schema="public", name="feelings", type="public.feeling[]"),
        DomainType(schema="public", name="feeling", type='"Sales".mood'),
        DomainType(schema="public", name="word", type="character varying(10)"),
    ),
)


@pytest.mark.parametrize(
    ("column_type", "within"),
    [
        ("text", ("text",)),
        ("public.word[]", ("public.word", "character varying(10)")),
        ("public.feelings", ("public.feelings", "public.feeling", '"Sales".mood')),
    ],
)
def test_a_type_stands_on_its_elements_and_bases(column_type: str, within: tuple[str, ...]) -> None:
    assert types_within(column_type, bases_of_domains(SHOP)) == within


def test_domains_over_an_enum_and_over_its_arrays_stand_for_it() -> None:
    assert enums_by_type(SHOP) == dict.fromkeys(
        ('"Sales".mood', "public.feelings", "public.feeling"), MOOD
    )
