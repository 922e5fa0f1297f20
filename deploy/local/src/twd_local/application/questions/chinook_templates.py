"""Questions with blanks about Chinook. Data only; the first templates are asked most."""

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

_DAYS = days(date(2021, 1, 1), 1816)
_COUNTRIES = (
    *("USA", "Canada", "France", "Brazil", "Germany", "United Kingdom", "Czech Republic", "India"),
    *("Portugal", "Argentina", "Australia", "Austria", "Belgium", "Chile", "Denmark", "Finland"),
    *("Hungary", "Ireland", "Italy", "Netherlands", "Norway", "Poland", "Spain", "Sweden", "Japan"),
)
_GENRES = (
    *("Rock", "Jazz", "Metal", "Alternative & Punk", "Blues", "Latin", "Reggae", "Pop"),
    *("Soundtrack", "Bossa Nova", "Easy Listening", "Heavy Metal", "R&B/Soul", "World"),
    *("Hip Hop/Rap", "Science Fiction", "TV Shows", "Drama", "Comedy", "Classical", "Opera"),
)
_ARTISTS = (
    *("AC/DC", "Alice In Chains", "BackBeat", "Body Count", "Chico Buarque", "Ed Motta", "JET"),
    *("Elis Regina", "Spyro Gyra", "Os Mutantes", "Gene Krupa", "Cássia Eller", "Eric Clapton"),
    *("Frank Sinatra", "Incognito", "João Suplicy", "Lulu Santos", "Men At Work", "Mötley Crüe"),
    *("Paul D'Ianno", "Planet Hemp", "Raimundos", "Simply Red", "The Black Crowes", "The Police"),
    *("Tim Maia", "Lost", "Iron Maiden", "Led Zeppelin", "Metallica", "Queen", "U2", "Sơn Tùng"),
)

CHINOOK_TEMPLATES = (
    Template(
        "Which albums did {artist} publish?",
        "SELECT al.title FROM album al JOIN artist ar ON ar.artist_id = al.artist_id "
        "WHERE ar.name = '{artist}' ORDER BY al.title LIMIT {limit}",
        {"artist": _ARTISTS, "limit": LIMITS},
        2,
        "{artist} đã phát hành những album nào?",
        "Quels albums {artist} a-t-il publiés ?",
        "{artist}のアルバムを教えてください",
    ),
    Template(
        "What were the sales in {country} since {day}?",
        "SELECT sum(total) AS sales FROM invoice WHERE billing_country = '{country}' "
        "AND invoice_date >= '{day}'",
        {"country": _COUNTRIES, "day": _DAYS},
        vietnamese="Doanh số ở {country} từ ngày {day} là bao nhiêu?",
        french="Quelles sont les ventes en {country} depuis le {day} ?",
        japanese="{day}以降の{country}の売上はいくらですか？",
    ),
    Template(
        "Show the {limit} longest {genre} tracks",
        "SELECT t.name, t.milliseconds / 1000 AS seconds FROM track t "
        "JOIN genre g ON g.genre_id = t.genre_id WHERE g.name = '{genre}' "
        "ORDER BY t.milliseconds DESC LIMIT {limit}",
        {"genre": _GENRES, "limit": LIMITS},
        2,
        "Cho tôi xem {limit} bài hát {genre} dài nhất",
        "Montre les {limit} morceaux {genre} les plus longs",
        "{genre}の長い曲を{limit}曲見せてください",
    ),
    Template(
        "Which invoices between {low} and {high} dollars were written after {day}?",
        "SELECT invoice_id, invoice_date, total FROM invoice WHERE total BETWEEN {low} AND {high} "
        "AND invoice_date > '{day}' ORDER BY invoice_date",
        {"low": range(12), "high": range(12, 27), "day": _DAYS},
        vietnamese="Hóa đơn nào từ {low} đến {high} đô la được lập sau ngày {day}?",
    ),
    Template(
        "What is the {what} {number} of tracks per {group}?",
        "SELECT {group}, {what}({number}) AS value FROM track GROUP BY {group} "
        "ORDER BY value DESC, {group} LIMIT {limit}",
        {
            "what": AGGREGATES,
            "number": columns("milliseconds bytes unit_price track_id"),
            "group": columns("genre_id album_id media_type_id composer unit_price"),
            "limit": LIMITS,
        },
        2,
    ),
    Template(
        "List {first} and {second} of customers whose {filter} begins with {letter}",
        "SELECT {first}, {second} FROM customer WHERE {filter} LIKE '{letter}%' "
        "ORDER BY {first}, {second} LIMIT {limit}",
        {
            "first": columns("last_name first_name company customer_id"),
            "second": columns("city country email phone state"),
            "filter": columns("last_name city country first_name company email"),
            "letter": tuple("ABCDEFGHIJKLMNOPQRSTUVWZ"),
            "limit": LIMITS,
        },
        vietnamese="Liệt kê {first} và {second} của khách hàng có {filter} bắt đầu bằng {letter}",
    ),
    Template(
        "Which tracks did customer {customer} buy after {day}?",
        "SELECT t.name, il.unit_price, i.invoice_date FROM invoice i "
        "JOIN invoice_line il ON il.invoice_id = i.invoice_id "
        "JOIN track t ON t.track_id = il.track_id "
        "WHERE i.customer_id = {customer} AND i.invoice_date > '{day}' ORDER BY i.invoice_date",
        {"customer": range(1, 60), "day": _DAYS},
        3,
        "Khách hàng {customer} đã mua những bài hát nào sau ngày {day}?",
        japanese="顧客{customer}が{day}以降に買った曲は何ですか？",
    ),
    Template(
        "{what} invoice total per {group} from {day} on",
        "SELECT {group}, {what}(total) AS value FROM invoice WHERE invoice_date >= '{day}' "
        "GROUP BY {group} ORDER BY 2 DESC, 1 LIMIT {limit}",
        {
            "what": AGGREGATES,
            "group": columns("billing_country billing_city billing_state customer_id"),
            "day": _DAYS,
            "limit": LIMITS,
        },
        2,
        french="{what} du total des factures par {group} à partir du {day}",
    ),
    Template(
        "How many tracks cost less than {price}, and last longer than {seconds} seconds?",
        "SELECT count(*) AS tracks FROM track WHERE unit_price < {price} "
        "AND milliseconds > {seconds}000",
        {"price": ("1.00", "1.50", "2.00", "0.50"), "seconds": range(30, 600)},
        vietnamese="Có bao nhiêu bài hát rẻ hơn {price} và dài hơn {seconds} giây?",
    ),
    Template(
        "Give me the running total of sales per {unit} in {country}",
        "SELECT period, sales, sum(sales) OVER (ORDER BY period) AS running FROM "
        "(SELECT date_trunc('{unit}', invoice_date) AS period, sum(total) AS sales FROM invoice "
        "WHERE billing_country = '{country}' GROUP BY 1) AS sold ORDER BY period",
        {"unit": ("month", "year", "quarter", "week"), "country": _COUNTRIES},
        3,
    ),
    Template(
        "Delete the invoices of customer {customer} before {day}",
        "DELETE FROM invoice WHERE customer_id = {customer} AND invoice_date < '{day}'",
        {"customer": range(1, 60), "day": _DAYS},
        vietnamese="Xóa hóa đơn của khách hàng {customer} trước ngày {day}",
        is_rare=True,
    ),
    Template(
        "Add {artist} as a new artist",
        "INSERT INTO artist (artist_id, name) VALUES ({number}, '{artist}')",
        {"artist": _ARTISTS, "number": range(300, 400)},
        is_rare=True,
    ),
    Template(
        "Which database roles may {what}?",
        "SELECT rolname FROM pg_authid WHERE {what} ORDER BY rolname LIMIT {limit}",
        {
            "what": (("log in", "rolcanlogin"), ("create roles", "rolcreaterole")),
            "limit": LIMITS,
        },
        is_rare=True,
    ),
    Template(
        "Names of the tracks on my list of {numbers}",
        "SELECT track_id, name FROM track WHERE track_id IN ({numbers}) ORDER BY track_id",
        {"numbers": id_lists(3503, 15, 40, 120, 500, 1500, 4200)},
        is_rare=True,
    ),
)
