"""Words that business databases are made of: names of tables, columns and their types."""

from __future__ import annotations

from typing import NamedTuple


class Attribute(NamedTuple):
    """A usual column; `check` is a condition in which {} stands for its quoted name."""

    name: str
    type: str
    default: str | None = None
    check: str | None = None


SCHEMAS = (
    "public",
    "sales",
    "purchasing",
    "warehouse",
    "accounting",
    "people",
    "production",
    "marketing",
    "support",
    "audit",
    "Reporting",
    "kế_toán",
)

SUBJECTS = """
    account address agreement asset batch booking branch budget campaign carrier cart category
    claim client company contact contract cost_center country coupon course currency customer
    delivery department device discount document driver employee equipment event expense
    facility forecast fund grant_request incident insurance inventory invoice item job journal
    lead ledger license loan location machine material member message milestone offer opportunity
    order_line organization package partner patient payment payroll permission plan policy position
    price product project promotion purchase quote receipt refund region request reservation
    resource return review role route salary schedule segment service shift shipment site stock
    store subscription supplier survey task tax team territory ticket timesheet transaction
    transfer user_account vehicle vendor visit voucher warehouse warranty work_order zone
""".split()

ASPECTS = """
    archive attachment attribute audit balance change code comment condition detail entry export
    group history import link limit log mapping note option period preference rate reason result
    rule setting snapshot source state status step summary tag target template total type usage
    value version
""".split()

VIETNAMESE_SUBJECTS = """
    khách_hàng đơn_hàng sản_phẩm hóa_đơn nhân_viên phòng_ban kho_hàng nhà_cung_cấp hợp_đồng
    thanh_toán vận_chuyển báo_giá chi_nhánh khuyến_mãi công_nợ
""".split()

VIETNAMESE_ASPECTS = """
    chi_tiết lịch_sử ghi_chú trạng_thái loại tệp_đính_kèm số_dư định_mức tổng_hợp phiên_bản
""".split()

# Legal as table names only when quoted.
RESERVED = ("order", "user", "group", "check", "table", "references")

ATTRIBUTES = (
    Attribute("name", "text"),
    Attribute("code", "character varying(32)"),
    Attribute("title", "character varying(200)"),
    Attribute("description", "text", "''"),
    Attribute("email", "character varying(255)", None, "{} ~ '@'"),
    Attribute("phone", "character varying(40)"),
    Attribute("status", "text", "'new'", "{} in ('new', 'open', 'held', 'closed')"),
    Attribute("is_active", "boolean", "true"),
    Attribute("is_deleted", "boolean", "false"),
    Attribute("created_at", "timestamp with time zone", "now()"),
    Attribute("updated_at", "timestamp with time zone", "now()"),
    Attribute("deleted_at", "timestamp(3) without time zone"),
    Attribute("valid_during", "tstzrange"),
    Attribute("opens_at", "time without time zone"),
    Attribute("due_on", "date"),
    Attribute("amount", "numeric(14,2)", "0", "{} >= 0"),
    Attribute("unit_price", "numeric(12,4)", None, "{} > 0"),
    Attribute("tax_rate", "numeric(5,4)", None, "{} between 0 and 1"),
    Attribute("quantity", "integer", "1", "{} > 0"),
    Attribute("position", "smallint", "0"),
    Attribute("weight_kg", "double precision"),
    Attribute("score", "real"),
    Attribute("country_code", "character(2)", None, "{} = upper({})"),
    Attribute("locale", "text", "'vi-VN'"),
    Attribute("external_id", "uuid"),
    Attribute("properties", "jsonb", "'{}'"),
    Attribute("raw_message", "json"),
    Attribute("labels", "text[]", "'{}'"),
    Attribute("related_ids", "bigint[]"),
    Attribute("checksum", "bytea"),
    Attribute("last_seen_from", "inet"),
    Attribute("duration", "interval"),
    Attribute("place", "point"),
    Attribute("flags", "bit(8)"),
    Attribute("sort_name", 'text collate "C"'),
    Attribute("search_words", "tsvector"),
    Attribute("balance", "money"),
    Attribute("lockVersion", "integer", "0"),
    Attribute("displayName", "text"),
    Attribute("user", "text"),
    Attribute("default", "text"),
    Attribute("tên_gọi", "text"),
    Attribute("địa_chỉ", "text"),
    Attribute("ngày_tạo", "date", "current_date"),
    Attribute("số_lượng", "integer", None, "{} >= 0"),
)

REMARKS = (
    "Filled by the nightly import; do not edit by hand.",
    "As printed on the document that the customer gets.",
    "Kept for ten years by law.",
    "In the currency of the account.",
    "Replaced when the supplier sends a new list.",
    "Mã do hệ thống cũ cấp, không đổi.",
    "Shown to partners; the team of sales decides its wording.",
    "Null until the first review.",
    "It's what the warehouse scans: never reuse one.",
)
