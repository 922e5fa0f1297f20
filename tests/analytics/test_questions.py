"""How questions are compared, cut and told apart by language."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twd_analytics.messages.questions import cut, normalised
from twd_analytics.usage.languages import with_language
from twd_shared.store.open_questions import normalised_question

# Marks that stand alone, parts of a Korean syllable, and letters that stand for others.
_COMPOSING = "\u0301\u0302\u0323\u031b\u3099\u1112\u1161\u11ab\u212b\uf900"
# Letters as people type them; what is lower case of a few others depends on who is asked.
_TYPED = st.text(st.sampled_from("aAbđĐƠơéÉñ 了か\t\n.?!…？！。,;'\"12-" + _COMPOSING), max_size=40)


# Words that are common in a language, Vietnamese also without accents.
_COMMON = {
    "en": "a about after all also an and any are as at be been before between by can could did"
    " does each from find first for get give had has have her his how i if in into is it"
    " its last list many me month more most much my not number of on one only or our out"
    " over per please show so sum than that the their them then there they this to total"
    " two up us was we were what when where which who whom whose why will with would year",
    "vi": "ai anh bao bi cac cho chua co con cua da danh day den di do dong duoc em gi gia giua"
    " hai hang hay het hoa khach khi khong kho la lai lam loai lon luc mot moi mua nam nao"
    " nay ngay nguoi nhat nhieu nhung noi o qua ra sach san so sau tai tat ca te than"
    " thang thanh theo thi thu thuoc tien toi tong trong truoc tu tuan va vao ve vi voi"
    " xem có là và các nào",
    "fr": "a à au aucun aussi autre aux avec avoir bien ce ces cette chaque chez combien comme"
    " dans de des deux donne du elle en entre est et été être eu fait il ils je jour la le"
    " les leur leurs liste ma mais me mes moi moins mois mon montre ne nombre nos notre"
    " nous on ont ou où par pas plus plusieurs pour pourquoi qu quand que quel quelle"
    " quelles quels qui quoi sa sans se ses si somme son sont sur ta tous tout toutes très"
    " tu un une vente ventes vers votre vous y",
    "es": "a al algo año años aún bien cada como cómo con cual cuál cuáles cuando cuándo cuanto"
    " cuánto cuántas cuántos cuantas cuantos dame de del desde dime donde dónde dos"
    " durante e el ella ellos en entre era es esa ese eso esta está están este esto fue"
    " fueron ha han has hay hasta hizo la las le les lista lo los más me mes mi mis mucho"
    " muestra muy ni no nos nuestra nuestro nuestros o otra otro para pero por porque"
    " primero que qué quien quién se según ser si sí sin sobre son su suma sus también"
    " tiene tienen toda todas todo todos total tu tus un una unos venta ventas y ya",
    "de": "ab alle allen aller als also am an auch auf aus bei bis da das dass dem den der des"
    " die diese dieser doch durch ein eine einem einen einer es für gab gibt hat hatte"
    " haben im in ist ja je jede jeden jeder jedes kann kein keine liste man me mehr"
    " meisten mich mir mit monat nach nicht noch nun nur ob oder ohne pro sein seit sich"
    " sie sind so summe um und uns unsere unser vom von vor war waren was welche welchem"
    " welchen welcher welches wenn wer werden wie viel viele wieviele wird wo wurde wurden"
    " zeig zeige zu zum zur zwischen",
    "pt": "a ao aos as até cada com como da das de desde dia do dos e é ela ele eles em entre"
    " era essa esse está estão este eu foi foram for há isso já lista maior mais mas me"
    " média menos mês meu mostra mostre muito na não nao nas nem no nos nós nossa nossas"
    " nosso nossos o onde os ou para pela pelo pelos por porque qual quais quando quantas"
    " quanto quantos que quem se sem ser seu sua são sobre também tem têm ter teve toda"
    " todas todo todos total um uma vendas você vocês",
}


@given(_TYPED)
def test_a_column_of_questions_is_compared_as_a_single_one(text: str) -> None:
    [column] = pl.select(normalised(pl.lit(text))).to_series().to_list()
    assert column == normalised_question(text)


@pytest.mark.parametrize(
    "typed",
    [
        unicodedata.normalize("NFD", "Có bao nhiêu bộ phim?"),
        "có bao nhiêu bộ phim？",
        "Có  bao nhiêu bộ phim！。",
    ],
)
def test_a_question_is_the_same_however_its_letters_and_its_end_are_written(typed: str) -> None:
    column = pl.select(normalised(pl.lit(pl.Series([typed, None, "xin chào"])))).to_series()
    assert column.to_list() == ["có bao nhiêu bộ phim", None, "xin chào"]
    assert normalised_question(typed) == "có bao nhiêu bộ phim"


@pytest.mark.parametrize(
    ("most", "told"), [(20, "how many films"), (8, "how man…"), (1, "…"), (0, "")]
)
def test_a_question_is_cut_to_what_may_be_kept(most: int, told: str) -> None:
    assert cut("how many films", most) == told


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("how many films are there per rating", "en"),
        ("top customers by revenue", "en"),
        ("có bao nhiêu bộ phim trong danh mục", "vi"),
        ("co bao nhieu bo phim trong danh muc", "vi"),
        ("quels sont les dix films les plus longs", "fr"),
        ("¿cuántas películas hay por categoría", "es"),
        ("wie viele filme gibt es pro kategorie", "de"),
        ("quantos filmes existem por categoria", "pt"),
        ("montre-moi la somme", "fr"),
        ("où est la facture", "fr"),
        ("¿cuántos pedidos hay en la base", "es"),
        ("clientes con más pedidos", "es"),
        ("was ist der umsatz in berlin", "de"),
        ("me mostre as vendas", "pt"),
        ("list customers in hanoi", "en"),
        ("doanh thu theo thang", "vi"),
        ("la liste des clients", ""),
        ("lista de clientes con pedidos", ""),
        ("was kostet das produkt", ""),
        ("kunden in berlin", ""),
        ("c'est pour toi", "fr"),
        ("一番長い映画はどれですか", "ja"),
        ("有多少部电影", "zh"),
        ("영화가 몇 편 있나요", "ko"),
        ("сколько фильмов в каталоге", "ru"),
        ("كم عدد الأفلام", "ar"),
        ("film rating", ""),
        ("12345", ""),
        ("", ""),
    ],
)
def test_a_question_tells_its_language_or_none(question: str, language: str) -> None:
    told = with_language(pl.DataFrame({"question": ["how many films", question]}))
    assert told["language"].to_list() == ["en", language]


@pytest.mark.parametrize("language", _COMMON)
def test_a_common_word_of_a_language_tells_no_other(language: str) -> None:
    words = _COMMON[language].split()
    told = with_language(pl.DataFrame({"question": words}))
    others = told.filter(~pl.col("language").is_in([language, ""]))
    assert others.rows() == []
    assert told["language"].to_list().count(language) > 10


def test_languages_of_many_questions_stand_at_their_own() -> None:
    questions = ["how many films", "bao nhiêu phim", "xyz", "how many films"]
    told = with_language(pl.DataFrame({"question": questions, "count": [1, 2, 3, 4]}))
    assert told.rows() == list(zip(questions, [1, 2, 3, 4], ["en", "vi", "", "en"], strict=True))
