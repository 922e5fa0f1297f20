"""Questions with blanks about Northwind. Data only; the first templates are asked most."""

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

_DAYS = days(date(1996, 7, 4), 672)
_COUNTRIES = (
    *("Germany", "USA", "France", "Brazil", "UK", "Mexico", "Spain", "Venezuela", "Italy"),
    *("Argentina", "Austria", "Belgium", "Canada", "Denmark", "Finland", "Ireland", "Norway"),
    *("Poland", "Portugal", "Sweden", "Switzerland", "Vietnam", "Japan"),
)
_PRODUCTS = (
    *("Chai", "Chang", "Tofu", "Aniseed Syrup", "Chef Anton's Gumbo Mix", "Ikura", "Konbu"),
    *("Queso Cabrales", "Pavlova", "Alice Mutton", "Carnarvon Tigers", "Sir Rodney's Scones"),
    *("Tunnbröd", "Guaraná Fantástica", "Rössle Sauerkraut", "Geitost", "Gravad lax"),
    *("Côte de Blaye", "Ipoh Coffee", "Chocolade", "Filo Mix", "Perth Pasties", "Tourtière"),
    *("Sirop d'érable", "Vegie-spread", "Outback Lager", "Flotemysost", "Longlife Tofu"),
)
_CATEGORIES = (
    *("Beverages", "Seafood", "Condiments", "Confections", "Dairy Products", "Grains/Cereals"),
    *("Meat/Poultry", "Produce"),
)

NORTHWIND_TEMPLATES = (
    Template(
        "Which orders came in on {day} or later from {country}?",
        "SELECT o.order_id, o.order_date, c.company_name FROM orders o "
        "JOIN customers c ON c.customer_id = o.customer_id "
        "WHERE c.country = '{country}' AND o.order_date >= '{day}' ORDER BY o.order_id",
        {"day": _DAYS, "country": _COUNTRIES},
        2,
        "Những đơn hàng nào từ {country} được đặt từ ngày {day}?",
        "Quelles commandes de {country} sont arrivées depuis le {day} ?",
        "{day}以降の{country}からの注文はどれですか？",
    ),
    Template(
        "How many pieces of {product} did we sell since {day}?",
        "SELECT sum(d.quantity) AS pieces FROM order_details d "
        "JOIN products p ON p.product_id = d.product_id "
        "JOIN orders o ON o.order_id = d.order_id "
        "WHERE p.product_name = '{product}' AND o.order_date >= '{day}'",
        {"product": _PRODUCTS, "day": _DAYS},
        3,
        "Đã bán bao nhiêu {product} từ ngày {day}?",
        "Combien de {product} avons-nous vendus depuis le {day} ?",
        "{day}以降に{product}はいくつ売れましたか？",
    ),
    Template(
        "What is in order {order}?",
        "SELECT p.product_name, d.quantity, d.unit_price, d.discount FROM order_details d "
        "JOIN products p ON p.product_id = d.product_id WHERE d.order_id = {order} "
        "ORDER BY p.product_name",
        {"order": range(11077, 10200, -1)},
        2,
        "Đơn hàng {order} gồm những gì?",
        "Que contient la commande {order} ?",
        "注文{order}の内容は何ですか？",
    ),
    Template(
        "Which products cost between {low} and {high}?",
        "SELECT product_name, unit_price FROM products WHERE unit_price BETWEEN {low} AND {high} "
        "ORDER BY unit_price LIMIT {limit}",
        {"low": range(1, 40), "high": range(40, 120), "limit": LIMITS},
        vietnamese="Sản phẩm nào có giá từ {low} đến {high}?",
        french="Quels produits coûtent entre {low} et {high} ?",
    ),
    Template(
        "What is the {what} {number} of products per {group}?",
        "SELECT {group}, {what}({number}) AS value FROM products GROUP BY {group} "
        "ORDER BY value DESC, {group} LIMIT {limit}",
        {
            "what": AGGREGATES,
            "number": columns("unit_price units_in_stock units_on_order reorder_level"),
            "group": columns("category_id supplier_id discontinued quantity_per_unit"),
            "limit": LIMITS,
        },
        2,
        "Giá trị {what} của {number} theo {group} là bao nhiêu?",
    ),
    Template(
        "{what} {number} of orders per {group} since {day}",
        "SELECT {group}, {what}({number}) AS value, count(*) AS orders FROM orders "
        "WHERE order_date >= '{day}' GROUP BY {group} ORDER BY 2 DESC, 1 LIMIT {limit}",
        {
            "what": AGGREGATES,
            "number": columns("freight ship_via"),
            "group": columns("ship_country ship_city employee_id customer_id ship_region"),
            "day": _DAYS,
            "limit": LIMITS,
        },
        2,
    ),
    Template(
        "List {first} and {second} of customers in {country}",
        "SELECT {first}, {second} FROM customers WHERE country = '{country}' "
        "ORDER BY {first} LIMIT {limit}",
        {
            "first": columns("company_name contact_name customer_id city"),
            "second": columns("phone contact_title address postal_code region fax"),
            "country": _COUNTRIES,
            "limit": LIMITS,
        },
        vietnamese="Liệt kê {first} và {second} của khách hàng ở {country}",
    ),
    Template(
        "Which {category} products have fewer than {pieces} pieces in stock?",
        "SELECT p.product_name, p.units_in_stock FROM products p "
        "JOIN categories c ON c.category_id = p.category_id "
        "WHERE c.category_name = '{category}' AND p.units_in_stock < {pieces} "
        "ORDER BY p.units_in_stock, p.product_name",
        {"category": _CATEGORIES, "pieces": range(5, 130)},
        2,
        "Sản phẩm {category} nào còn dưới {pieces} trong kho?",
        japanese="在庫が{pieces}個未満の{category}はどれですか？",
    ),
    Template(
        "Compare the {unit}ly freight with the {unit} before, for {country}",
        "WITH carried AS (SELECT date_trunc('{unit}', order_date) AS period, "
        "sum(freight) AS freight FROM orders WHERE ship_country = '{country}' GROUP BY 1) "
        "SELECT period, freight, freight - lag(freight) OVER (ORDER BY period) AS change "
        "FROM carried ORDER BY period",
        {"unit": ("month", "year", "quarter", "week"), "country": _COUNTRIES},
        3,
    ),
    Template(
        "Orders with freight above {freight} shipped by {shipper}, last {limit}",
        "SELECT o.order_id, o.freight, o.shipped_date FROM orders o "
        "JOIN shippers s ON s.shipper_id = o.ship_via "
        "WHERE s.company_name = '{shipper}' AND o.freight > {freight} "
        "ORDER BY o.shipped_date DESC NULLS LAST LIMIT {limit}",
        {
            "freight": range(5, 400),
            "shipper": ("Speedy Express", "United Package", "Federal Shipping"),
            "limit": LIMITS,
        },
        2,
    ),
    Template(
        "Cancel order {order}",
        "DELETE FROM orders WHERE order_id = {order}",
        {"order": range(11077, 10200, -1)},
        vietnamese="Hủy đơn hàng {order}",
        french="Annule la commande {order}",
        is_rare=True,
    ),
    Template(
        "Raise the price of {product} by {percent} percent",
        "UPDATE products SET unit_price = unit_price * (1 + {percent} / 100.0) "
        "WHERE product_name = '{product}'",
        {"product": _PRODUCTS, "percent": (5, 10, 3, 2, 8, 15)},
        vietnamese="Tăng giá {product} thêm {percent} phần trăm",
        is_rare=True,
    ),
    Template(
        "Which database roles may {what}?",
        "SELECT rolname FROM pg_authid WHERE {what} ORDER BY rolname LIMIT {limit}",
        {
            "what": (("log in", "rolcanlogin"), ("do anything", "rolsuper")),
            "limit": LIMITS,
        },
        is_rare=True,
    ),
    Template(
        "Dates of the orders on my list of {numbers}",
        "SELECT order_id, order_date FROM orders WHERE order_id IN ({numbers}) ORDER BY order_id",
        {"numbers": id_lists(11077, 10, 25, 60, 150, 700, 3800)},
        is_rare=True,
    ),
)
