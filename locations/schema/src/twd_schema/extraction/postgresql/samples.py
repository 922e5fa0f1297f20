"""The few values of a column, from the planner's statistics, with a guard for personal data.

Only for connections that opted in. A column is told only if all its values are known, each stands
in many rows, and neither its name nor a value looks like data of a person or a secret. Nor may
most of the values look like names of people.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

import msgspec

from twd_schema.extraction.postgresql.values import Row, Rows
from twd_shared.schema_model.models import Snapshot
from twd_shared.schema_model.wording import words

LARGEST_CATEGORY = 30
"""Most values that a category has."""
# A value of fewer rows may point to a person.
_LEAST_ROWS = 10
_LONGEST_VALUE = 40

# Names are compared without accents and in lower case. A name too many costs a category that would
# have helped; a name too few tells the data of a person.
# Parts of a name, wherever they stand in it: people also write customername and sodienthoai.
_PERSONAL_PARTS = tuple(
    """
    name mail phone mobile telefon address adresse street postal postcode zipcode birth geburt
    gender passport iban account credential password passwd secret token apikey cookie session
    signature hash salt latitude longitude location religion ethnic nationality marital diagnos
    disease health blood allerg medical pregnan salary income comment descri message
    body remark login nombre apellido prenom correo
    hoten dienthoai diachi ngaysinh namsinh quequan cancuoc hochieu taikhoan matkhau gioitinh
    tongiao dantoc quoctich benh nhommau khuyettat honnhan luong ghichu mota noidung masothue
    """.split()
)
# Words too short or too common inside other words.
_PERSONAL_WORDS = frozenset(
    """
    user users fax tel zip dob age sex race hiv ssn card cvv pin pwd key otp ip mac lat lon lng note
    notes text ho ten sdt cmnd cccd stk tuoi
    """.split()
)
# Last words of a column that names a person: `sales_manager` does, `manager_level` does not.
_PEOPLE = frozenset(
    """
    by contact person people customer client employee staff manager supervisor owner author
    creator editor reviewer approver assignee reporter agent seller buyer vendor doctor physician
    nurse patient teacher student pupil driver courier member guest tenant recipient sender
    rep representative technician engineer operator cashier worker contractor consultant lawyer
    instructor trainer dentist pharmacist therapist candidate applicant passenger resident
    borrower payer payee beneficiary subscriber shipper
    spouse husband wife father mother guardian first last
    assigned responsible salesperson salesman mentor coach tutor handler requester requestor
    reported referred referrer attendee broker host pic witness executive exec lead
    """.split()
)
# `assigned_to` names whom `assigned` does.
_DIRECTIONS = frozenset(("to", "from"))
# In Vietnamese they stand first: `nhan_vien_kinh_doanh` does, `loai_khach_hang` does not.
_PEOPLE_FIRST = tuple(
    """
    nguoi nhanvien khachhang bacsi giaovien giangvien taixe laixe hocsinh sinhvien hocvien congnhan
    thanhvien kythuatvien tuvanvien congtacvien dieuduong luatsu kysu quanly giamdoc truongphong
    truongnhom thungan tacgia hanhkhach cudan chuho chunha chuxe phutrach
    """.split()
)
# Abbreviated, as `nv_ban_hang`: so short that only a whole word counts.
_PEOPLE_FIRST_WORDS = frozenset("nv nvkd bs gv hs sv tx".split())
_PERSONAL_VALUE = re.compile(
    r"@|://|\d{6,}"
    r"|(?:\d[\s.()/+-]*){7,}"  # telephone and card numbers, dates
    r"|\d{1,3}(?:\.\d{1,3}){3}|(?:[\da-f]{0,4}:){3,}"  # addresses of machines
    r"|^eyJ|(?=[\w+/=-]*\d)(?=[\w+/=-]*[a-z])[\w+/=-]{16,}"  # tokens
    # Keys say by how they begin what they are for. sk_SK is a language.
    r"|^(?:sk[_-]\w{3}|[pr]k_(?:live|test)|whsec_|gh[oprsu]_|github_pat_|glpat-|xox[a-z]|xapp-"
    r"|akia|aiza|ya29|npm_|hf_|shpat_|pypi-|bearer |-----begin)",
    re.IGNORECASE,
)


def with_categories(snapshot: Snapshot, samples: Rows) -> Snapshot:
    """The snapshot with the values of its columns of few values, as the rows of `samples` say."""
    if not samples:
        return snapshot
    found: defaultdict[tuple[str, str], dict[str, tuple[str, ...]]] = defaultdict(dict)
    estimates = {(item.schema, item.table): item.row_estimate for item in snapshot.statistics}
    types = {
        (table.schema, table.name, column.name): column.type
        for table in snapshot.tables
        for column in table.columns
    }
    for row in samples:
        place = (row["nspname"], row["relname"])
        values = category(row, estimates.get(place) or 0)
        if values and not _is_personal_type(types.get((*place, row["attname"]), "")):
            found[place][row["attname"]] = values
    return msgspec.structs.replace(
        snapshot,
        statistics=tuple(
            msgspec.structs.replace(item, categories=found[item.schema, item.table])
            if (item.schema, item.table) in found
            else item
            for item in snapshot.statistics
        ),
    )


def category(row: Row, row_estimate: int) -> tuple[str, ...]:
    """The values in a row of pg_stats in sorted order, or none if they may not be told.

    `row` has attname, n_distinct, values and frequencies (shares of all rows, with commas).
    """
    values = row["values"]
    least_frequent = min(float(share) for share in row["frequencies"].split(","))
    if len(values) != round(row["n_distinct"]) or _names_a_person(row["attname"]):
        return ()
    if least_frequent * row_estimate < _LEAST_ROWS:
        return ()
    if any(not _may_be_told(value) for value in values):
        return ()
    if sum(map(_is_like_a_persons_name, values)) * 2 > len(values):
        return ()
    return tuple(sorted(values))


def _may_be_told(value: str) -> bool:
    return (
        len(value) <= _LONGEST_VALUE and value.isprintable() and not _PERSONAL_VALUE.search(value)
    )


def _is_like_a_persons_name(value: str) -> bool:
    parts = re.sub("[.,'’-]", "", unicodedata.normalize("NFC", value)).split()
    # Places and titles are written so too: telling fewer categories is the smaller harm.
    return 2 <= len(parts) <= 4 and all(part.isalpha() and part[0].isupper() for part in parts)


def _is_personal_type(type_: str) -> bool:
    # Only a type that a user made stands in a schema: the name of others says nothing.
    return "." in type_ and _names_a_person(type_)


def _names_a_person(name: str) -> bool:
    decomposed = unicodedata.normalize("NFKD", name.replace("Đ", "D").replace("đ", "d"))
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    parts = words(plain).split()
    together = "".join(parts)
    last = [part for part in parts if part not in _DIRECTIONS][-1:]
    return (
        any(part in together for part in _PERSONAL_PARTS)
        or not _PERSONAL_WORDS.isdisjoint(parts)
        or any(part.removesuffix("s") in _PEOPLE for part in last)
        or not _PEOPLE_FIRST_WORDS.isdisjoint(parts[:1])
        or together.startswith(_PEOPLE_FIRST)
        # createdby, approvedby
        or together.endswith("edby")
    )
