"""How many tokens a text has for a model whose tokenizer is not here: an estimate from above.

How densely a model reads words is measured once, on a few texts whose tokens its server counted;
what no tokenizer exceeds is taken as it is. Pure: the server is asked in `ollama.py`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Sample = Literal["identifiers", "prose", "accented", "scripts"]

SAMPLES: Mapping[Sample, str] = {
    # Abbreviations and run-together words, as schemas have them, are the densest English there is.
    "identifiers": (
        "CREATE TABLE customer_address_history (addr_hist_id bigint NOT NULL, cust_fk_id integer, "
        "shpmt_trk_nbr varchar, qtyOnHnd numeric, lastUpdTmstmp timestamp, isDelFlg boolean, "
        "inv_line_itm_dscnt_pct numeric, wh_bin_loc_cd char, empNatlIdCardNbr text, "
        "mgmt_org_hier_lvl smallint, prd_sku_xref_cd text, acct_recv_ledgr_bal money)"
    ),
    "prose": (
        "Each rental belongs to exactly one customer and one inventory item. A payment may be made "
        "later than the rental itself, sometimes by somebody else; unpaid rentals are reminded of "
        "weekly. Warehouses replenish wholesale beverages, confectionery and dairy products."
    ),
    "accented": (
        "Khách hàng đặt nhiều đơn hàng trong tháng này; mỗi đơn hàng thuộc về đúng một nhân viên "
        "bán hàng. Những sản phẩm nào được mua nhiều nhất? Größenänderungsverzeichnis, "
        "référence de l'employé, dirección del envío, číslo objednávky, müşteri siparişi."
    ),
    "scripts": (
        "顧客ごとの注文数と売上合計を表示する。每个客户的订单总额是多少？"
        "고객별 주문 합계를 보여 주세요. ลูกค้าแต่ละรายสั่งซื้อเท่าไร 📦🧾💳 "
        "Сколько заказов сделал каждый клиент? كم عدد الطلبات لكل عميل؟"
    ),
}
"""Texts whose tokens the server counts, each for one kind of characters."""

SURE_CONTEXT = 2048
"""Tokens that are relied on at most, whatever a model declares.

Ollama gives a model 2,048 or 4,096 by default (`num_ctx`), and servers were seen that cut at 2,048
what was declared as 8,192: https://github.com/ollama/ollama/issues/14259
"""
WRITING_CONTEXT_TOKENS = 8192
"""How much a language model reads, prompt and answer together, whoever asks it to write.

By default Ollama reads 4,096, and drops the beginning of more without a word: what it is asked.
With another number for another prompt it would load the model anew each time.
https://github.com/ollama/ollama/blob/main/docs/faq.md
"""
SQL_ANSWER_TOKENS = 2048
"""How much of that is left to an answer in SQL; the longest prompt takes no more than the rest."""

UNKNOWN_CONTEXT = 512
"""Tokens that are relied on when a server does not say: BERT's, the shortest of usual models."""

SPECIAL_TOKENS = 8
"""Room for what a model adds to a text ([CLS], [SEP], a leading space)."""

# The samples are not the texts: what was measured is raised by this much.
_MARGIN = 1.15
# No tokenizer reads more than five letters of identifiers in one token on average; a server that
# counts less than that counts something else.
_DENSEST, _STEP = 0.2, 0.02

# Latin letters: of ASCII, or with at least one outside it, as Vietnamese has.
_ASCII_WORD = re.compile(r"[A-Za-z]+")
_LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff\u0300-\u036f"
_LATIN_WORD = re.compile(f"[{_LATIN}]+")
_OTHER = re.compile(f"[^\\x00-\\x7f{_LATIN}]")


@dataclass(frozen=True, slots=True)
class TokenRates:
    """Tokens a character: of plain Latin words, of accented ones, of any other script."""

    plain: float
    accented: float
    other: float


# Two letters a token; an accented letter, and each byte of another script, a token of its own.
CONSERVATIVE = TokenRates(plain=0.5, accented=1.0, other=3.0)
"""What is assumed of a server that does not count tokens."""


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """How long a text may be for one model; plain data, the same for the same model."""

    limit: int
    """Tokens that a text may have; the model's document prefix is already subtracted."""
    rates: TokenRates

    def tokens(self, text: str) -> int:
        """Tokens of a text, estimated from above: of ordinary text the model counts no more.

        A string of random letters can have more; the server refuses what is too long after all.
        """
        return estimated_tokens(text, self.rates)

    def fits(self, text: str) -> bool:
        """Whether the text is within the limit by the estimate."""
        # No character of ASCII is more than a token, which spares most texts the closer look.
        return (len(text) <= self.limit and text.isascii()) or self.tokens(text) <= self.limit


def estimated_tokens(text: str, rates: TokenRates) -> int:
    """Tokens of a text at these rates: words are rounded up, a sign or digit is a token."""
    others = 0
    if text.isascii():
        words = _ASCII_WORD.findall(text)
        plain, accented = words, []
    else:
        words = _LATIN_WORD.findall(text)
        plain = [word for word in words if word.isascii()]
        accented = [word for word in words if not word.isascii()]
        others = len(_OTHER.findall(text))
    visible = sum(map(len, text.split()))
    signs = max(0, visible - sum(map(len, words)) - others)
    estimate = (
        _of_words(plain, rates.plain)
        + _of_words(accented, rates.accented)
        + math.ceil(others * rates.other)
        + signs
        # A line break can be a token; spaces are read with the word behind them.
        + text.count("\n")
    )
    # A token is a byte at least, in every tokenizer.
    return min(estimate, len(text.encode("utf-8", "replace")))


def _of_words(words: Iterable[str], rate: float) -> int:
    # Words of the same length cost the same, and a text has few lengths.
    return sum(
        math.ceil(length * rate) * count for length, count in Counter(map(len, words)).items()
    )


def measured_rates(counted: Mapping[Sample, int | None]) -> TokenRates:
    """Rates at which no sample is estimated below the tokens that were counted, and a margin.

    `CONSERVATIVE` when a count is missing.
    """
    counts = {sample: count for sample, count in counted.items() if count is not None}
    if counts.keys() != SAMPLES.keys():
        return CONSERVATIVE
    plain = max(
        _lowest(counts[sample], SAMPLES[sample], lambda rate: TokenRates(rate, 0, 0), 1.0)
        for sample in ("identifiers", "prose")
    )
    accented = _lowest(
        counts["accented"], SAMPLES["accented"], lambda rate: TokenRates(plain, rate, 0), 3.0
    )
    other = _lowest(
        counts["scripts"], SAMPLES["scripts"], lambda rate: TokenRates(plain, accented, rate), 3.0
    )
    # Scripts differ more among themselves than the sample's average shows.
    return TokenRates(
        plain=min(1.0, plain * _MARGIN),
        accented=max(plain, accented) * _MARGIN,
        other=max(1.0, other * _MARGIN),
    )


def _lowest(counted: int, text: str, rates: Callable[[float], TokenRates], highest: float) -> float:
    """The lowest rate, up to `highest`, at which the text is not estimated below `counted`."""
    rate = _DENSEST
    while rate < highest and estimated_tokens(text, rates(rate)) < counted:
        rate += _STEP
    return rate


def budget(rates: TokenRates, *, context_tokens: int | None, prefix: str) -> TokenBudget:
    """The budget of a model with this context (None = unknown) that wants `prefix` before texts."""
    taken = SPECIAL_TOKENS + estimated_tokens(prefix, rates)
    return TokenBudget(max(1, sure_context(context_tokens) - taken), rates)


def sure_context(declared: int | None) -> int:
    """Tokens that a model reads for sure, of those that it declares (None = it does not say)."""
    return min(declared or UNKNOWN_CONTEXT, SURE_CONTEXT)
