"""Questions with blanks about Pagila. Data only; the first templates are asked most."""

from __future__ import annotations

from datetime import date

from twd_local.application.questions.template import (
    AGGREGATES,
    LIMITS,
    Template,
    columns,
    days,
    id_lists,
)

_DAYS = days(date(2022, 1, 24), 200)
_RENTAL_DAYS = days(date(2022, 2, 14), 190)
_CATEGORIES = (
    *("Action", "Comedy", "Drama", "Horror", "Sci-Fi", "Family", "Animation", "Children"),
    *("Classics", "Documentary", "Foreign", "Games", "Music", "New", "Sports", "Travel"),
)
_TITLES = (
    *("ACADEMY DINOSAUR", "ANGELS LIFE", "BIRD INDEPENDENCE", "BROOKLYN DESERT", "DRAGON SQUAD"),
    *("CASSIDY WYOMING", "CIDER DESIRE", "CONFUSED CANDLES", "CURTAIN VIDEOTAPE", "STORY SIDE"),
    *("DESTINATION JERK", "EGYPT TENENBAUMS", "FALCON VOLUME", "FLOATS GARDEN", "ZORRO ARK"),
    *("GARDEN ISLAND", "GRAIL FRANKENSTEIN", "HARDLY ROBBERS", "HOLY TADPOLE", "TOWN ARK"),
    *("JAPANESE RUN", "KISS GLORY", "MAGUIRE APACHE", "PHANTOM GLORY", "SPEAKEASY DATE"),
)
_SURNAMES = (
    *("SMITH", "HARRIS", "KING", "PHILLIPS", "BAILEY", "SANDERS", "WASHINGTON", "SULLIVAN"),
    *("ORTIZ", "MASON", "DANIELS", "STEPHENS", "CUNNINGHAM", "SIMS", "OLIVER", "HARVEY"),
    *("WELCH", "PEARSON", "CURTIS", "MCKINNEY", "O'NEIL", "LOMBARDI", "CROMWELL", "SWAFFORD"),
)
_COUNTRIES = (
    *("Vietnam", "India", "China", "United States", "Japan", "Mexico", "Brazil", "Philippines"),
    *("France", "Canada", "Finland", "Greece", "Thailand", "United Kingdom", "Peru", "Romania"),
    *("Hungary", "Israel", "South Korea", "Argentina", "Iceland", "Côte d'Ivoire", "Norway"),
)

PAGILA_TEMPLATES = (
    Template(
        "Which films are longer than {minutes} minutes?",
        "SELECT title, length FROM film WHERE length > {minutes} ORDER BY length DESC, title "
        "LIMIT {limit}",
        {"minutes": (120, 90, 150, 180, *range(60, 186)), "limit": LIMITS},
        vietnamese="Những bộ phim nào dài hơn {minutes} phút?",
        french="Quels films durent plus de {minutes} minutes ?",
        japanese="{minutes}分より長い映画はどれですか？",
    ),
    Template(
        "What did customer {customer} pay since {day}?",
        "SELECT payment_id, amount, payment_date FROM payment WHERE customer_id = {customer} "
        "AND payment_date >= '{day}' ORDER BY payment_date",
        {"customer": range(1, 600), "day": _DAYS},
        vietnamese="Khách hàng {customer} đã trả bao nhiêu từ ngày {day}?",
        french="Combien le client {customer} a-t-il payé depuis le {day} ?",
        japanese="顧客{customer}は{day}以降いくら支払いましたか？",
    ),
    Template(
        "Which {category} films are in the catalog, the first {limit}?",
        "SELECT f.title, f.rating FROM film f JOIN film_category fc ON fc.film_id = f.film_id "
        "JOIN category c ON c.category_id = fc.category_id WHERE c.name = '{category}' "
        "ORDER BY f.title LIMIT {limit}",
        {"category": _CATEGORIES, "limit": LIMITS},
        3,
        "Cho xem {limit} phim thể loại {category} đầu tiên",
        "Quels films de la catégorie {category} avons-nous, les {limit} premiers ?",
        "カテゴリ{category}の映画を{limit}件見せてください",
    ),
    Template(
        "How much money came in on {day}?",
        "SELECT sum(amount) AS revenue FROM payment WHERE payment_date >= '{day}' "
        "AND payment_date < date '{day}' + 1",
        {"day": _DAYS},
        vietnamese="Doanh thu ngày {day} là bao nhiêu?",
        french="Quel est le chiffre d'affaires du {day} ?",
        japanese="{day}の売上はいくらですか？",
    ),
    Template(
        "What is the {what} {number} of films per {group}?",
        "SELECT {group}, {what}({number}) AS value FROM film GROUP BY {group} "
        "ORDER BY value DESC, {group} LIMIT {limit}",
        {
            "what": AGGREGATES,
            "number": columns("length rental_rate replacement_cost rental_duration release_year"),
            "group": columns("rating rental_duration rental_rate release_year language_id length"),
            "limit": LIMITS,
        },
        2,
        "Giá trị {what} của {number} theo {group} trong bảng phim là bao nhiêu?",
    ),
    Template(
        "List {first} and {second} of films with {number} above {bound}",
        "SELECT {first}, {second} FROM film WHERE {number} > {bound} ORDER BY {first}, {second} "
        "LIMIT {limit}",
        {
            "first": columns("title film_id rating length"),
            "second": columns("release_year rental_rate replacement_cost rental_duration"),
            "number": columns("length replacement_cost rental_rate rental_duration film_id"),
            "bound": range(1, 200),
            "limit": LIMITS,
        },
        french="Liste {first} et {second} des films dont {number} dépasse {bound}",
    ),
    Template(
        "Which customers are called {surname}?",
        "SELECT customer_id, first_name, last_name, email FROM customer "
        "WHERE last_name = '{surname}' ORDER BY first_name",
        {"surname": _SURNAMES},
        vietnamese="Khách hàng nào có họ {surname}?",
    ),
    Template(
        "Where is the film {title} in stock, and how many copies?",
        "SELECT i.store_id, count(*) AS copies FROM inventory i "
        "JOIN film f ON f.film_id = i.film_id WHERE f.title = '{title}' "
        "GROUP BY i.store_id ORDER BY i.store_id",
        {"title": _TITLES},
        2,
        "Phim {title} còn ở cửa hàng nào, bao nhiêu bản?",
        japanese="映画「{title}」はどの店舗に何本ありますか？",
    ),
    Template(
        "How many rentals were there from {day} on, per {unit}?",
        "SELECT date_trunc('{unit}', rental_date) AS period, count(*) AS rentals FROM rental "
        "WHERE rental_date >= '{day}' GROUP BY 1 ORDER BY 1 LIMIT {limit}",
        {"day": _RENTAL_DAYS, "unit": ("month", "week", "day", "hour"), "limit": LIMITS},
        2,
        "Có bao nhiêu lượt thuê từ ngày {day}, tính theo {unit}?",
    ),
    Template(
        "Which customers live in {country}?",
        "SELECT c.first_name, c.last_name, ci.city FROM customer c "
        "JOIN address a ON a.address_id = c.address_id JOIN city ci ON ci.city_id = a.city_id "
        "JOIN country co ON co.country_id = ci.country_id WHERE co.country = '{country}' "
        "ORDER BY c.last_name LIMIT {limit}",
        {"country": _COUNTRIES, "limit": LIMITS},
        3,
        "Khách hàng nào sống ở {country}?",
        "Quels clients habitent en {country} ?",
        "{country}に住んでいる顧客は誰ですか？",
    ),
    Template(
        "Count the rentals of customer {customer} by {unit}, only {unit}s with more than {least}",
        "WITH counted AS (SELECT date_trunc('{unit}', rental_date) AS period, count(*) AS rentals "
        "FROM rental WHERE customer_id = {customer} GROUP BY 1) "
        "SELECT period, rentals FROM counted WHERE rentals > {least} ORDER BY period",
        {
            "customer": range(1, 600),
            "unit": ("month", "week", "day"),
            "least": (1, 2, 5, 3, 10),
        },
        2,
    ),
    Template(
        "{what} payment amount per {group} between {low} and {high} dollars",
        "SELECT {group}, {what}(amount) AS value, count(*) AS payments FROM payment "
        "WHERE amount BETWEEN {low} AND {high} GROUP BY {group} ORDER BY 2 DESC, 1 LIMIT {limit}",
        {
            "what": AGGREGATES,
            "group": columns("customer_id staff_id payment_date::date amount"),
            "low": (0, 1, 2, 3, 4),
            "high": (5, 6, 7, 8, 9, 10, 11),
            "limit": LIMITS,
        },
        2,
    ),
    Template(
        "How did {group} rank by {number} and what is the gap to the next?",
        "SELECT {group}, {number}, rank() OVER (ORDER BY {number} DESC) AS place, "
        "{number} - lead({number}) OVER (ORDER BY {number} DESC) AS gap FROM film "
        "ORDER BY place, {group} LIMIT {limit}",
        {
            "group": columns("title film_id rating"),
            "number": columns("length rental_rate replacement_cost rental_duration"),
            "limit": LIMITS,
        },
        3,
    ),
    Template(
        "Remove the payments of customer {customer} before {day}",
        "DELETE FROM payment WHERE customer_id = {customer} AND payment_date < '{day}'",
        {"customer": range(1, 600), "day": _DAYS},
        vietnamese="Xóa các khoản thanh toán của khách hàng {customer} trước ngày {day}",
        is_rare=True,
    ),
    Template(
        "Set the rental rate of {title} to {rate}",
        "UPDATE film SET rental_rate = {rate} WHERE title = '{title}'",
        {"title": _TITLES, "rate": ("2.99", "0.99", "4.99", "3.49")},
        is_rare=True,
    ),
    Template(
        "Which database roles may {what}?",
        "SELECT rolname FROM pg_authid WHERE {what} ORDER BY rolname LIMIT {limit}",
        {
            "what": (("log in", "rolcanlogin"), ("create databases", "rolcreatedb")),
            "limit": LIMITS,
        },
        is_rare=True,
    ),
    Template(
        "Titles of the films on my list of {numbers}",
        "SELECT film_id, title FROM film WHERE film_id IN ({numbers}) ORDER BY film_id",
        {"numbers": id_lists(1000, 12, 30, 75, 200, 900, 4500)},
        is_rare=True,
    ),
)
