"""Questions about Northwind, a wholesaler of food. Data only."""

from __future__ import annotations

from twd_local.application.questions.northwind_templates import NORTHWIND_TEMPLATES
from twd_local.application.questions.question import Corpus, Question

_QUESTIONS = (
    Question(
        "How many orders have we received?",
        "SELECT count(*) AS orders FROM orders",
        vietnamese="Chúng ta đã nhận bao nhiêu đơn hàng?",
    ),
    Question(
        "Which products are out of stock?",
        "SELECT product_name FROM products WHERE units_in_stock = 0 ORDER BY product_name",
        vietnamese="Những sản phẩm nào đã hết hàng?",
    ),
    Question(
        "Which products must be reordered?",
        "SELECT product_name, units_in_stock, units_on_order, reorder_level FROM products "
        "WHERE discontinued = 0 AND units_in_stock + units_on_order <= reorder_level "
        "ORDER BY product_name",
    ),
    Question(
        "What is the revenue per product category?",
        "SELECT c.category_name, "
        "round(sum(d.unit_price * d.quantity * (1 - d.discount))::numeric, 2) AS revenue "
        "FROM order_details d JOIN products p ON p.product_id = d.product_id "
        "JOIN categories c ON c.category_id = p.category_id "
        "GROUP BY c.category_name ORDER BY revenue DESC",
        3,
        "Doanh thu theo từng loại sản phẩm là bao nhiêu?",
    ),
    Question(
        "Which customers placed the most orders?",
        "SELECT c.company_name, count(*) AS orders FROM customers c "
        "JOIN orders o ON o.customer_id = c.customer_id GROUP BY c.customer_id, c.company_name "
        "ORDER BY orders DESC LIMIT 10",
        2,
        "Khách hàng nào đặt nhiều đơn hàng nhất?",
    ),
    Question(
        "Which employee made the highest sales?",
        "SELECT e.first_name, e.last_name, "
        "round(sum(d.unit_price * d.quantity * (1 - d.discount))::numeric, 2) AS sales "
        "FROM employees e JOIN orders o ON o.employee_id = e.employee_id "
        "JOIN order_details d ON d.order_id = o.order_id "
        "GROUP BY e.employee_id, e.first_name, e.last_name ORDER BY sales DESC",
        3,
        "Nhân viên nào có doanh số cao nhất?",
    ),
    Question(
        "Which orders were shipped late?",
        "SELECT order_id, required_date, shipped_date FROM orders "
        "WHERE shipped_date > required_date ORDER BY shipped_date",
        vietnamese="Những đơn hàng nào giao trễ?",
    ),
    Question(
        "How many orders did each shipper carry?",
        "SELECT s.company_name, count(*) AS orders FROM shippers s "
        "JOIN orders o ON o.ship_via = s.shipper_id GROUP BY s.company_name ORDER BY orders DESC",
        2,
    ),
    Question(
        "How many suppliers are there per country?",
        "SELECT country, count(*) AS suppliers FROM suppliers GROUP BY country "
        "ORDER BY suppliers DESC, country",
    ),
    Question(
        "What is the monthly number of orders?",
        "SELECT date_trunc('month', order_date) AS month, count(*) AS orders FROM orders "
        "GROUP BY 1 ORDER BY 1",
        2,
        "Số đơn hàng mỗi tháng là bao nhiêu?",
    ),
    Question(
        "Which customers have never ordered?",
        "SELECT c.company_name FROM customers c "
        "LEFT JOIN orders o ON o.customer_id = c.customer_id WHERE o.order_id IS NULL",
        2,
    ),
    Question(
        "What are the ten most expensive products?",
        "SELECT product_name, unit_price FROM products ORDER BY unit_price DESC LIMIT 10",
        vietnamese="Mười sản phẩm đắt nhất là gì?",
    ),
    Question(
        "Which territories does each employee cover?",
        "SELECT e.last_name, t.territory_description, r.region_description FROM employees e "
        "JOIN employee_territories et ON et.employee_id = e.employee_id "
        "JOIN territories t ON t.territory_id = et.territory_id "
        "JOIN region r ON r.region_id = t.region_id ORDER BY e.last_name, 2",
        3,
    ),
    Question(
        "Which suppliers deliver seafood?",
        "SELECT DISTINCT s.company_name FROM suppliers s "
        "JOIN products p ON p.supplier_id = s.supplier_id "
        "JOIN categories c ON c.category_id = p.category_id "
        "WHERE c.category_name = 'Seafood' ORDER BY s.company_name",
        3,
        "Nhà cung cấp nào bán hải sản?",
    ),
    Question(
        "What is the average freight per destination country?",
        "SELECT ship_country, round(avg(freight)::numeric, 2) AS freight FROM orders "
        "GROUP BY ship_country ORDER BY freight DESC",
        2,
    ),
    Question(
        "Which customers belong to a demographic group?",
        "SELECT cu.company_name, cd.customer_desc FROM customers cu "
        "JOIN customer_customer_demo cc ON cc.customer_id = cu.customer_id "
        "JOIN customer_demographics cd ON cd.customer_type_id = cc.customer_type_id",
        3,
    ),
    Question(
        "Which discontinued products are still in stock?",
        "SELECT product_name, units_in_stock FROM products "
        "WHERE discontinued = 1 AND units_in_stock > 0 ORDER BY product_name",
    ),
    Question(
        "Which products do customers in Germany buy most?",
        "SELECT p.product_name, sum(d.quantity) AS pieces FROM orders o "
        "JOIN customers c ON c.customer_id = o.customer_id "
        "JOIN order_details d ON d.order_id = o.order_id "
        "JOIN products p ON p.product_id = d.product_id WHERE c.country = 'Germany' "
        "GROUP BY p.product_name ORDER BY pieces DESC LIMIT 10",
        3,
    ),
    Question(
        "Which orders have not been shipped?",
        "SELECT order_id, customer_id, required_date FROM orders WHERE shipped_date IS NULL "
        "ORDER BY required_date",
        vietnamese="Đơn hàng nào chưa được giao?",
    ),
    Question(
        "How does revenue grow from year to year?",
        "SELECT year, revenue, revenue - lag(revenue) OVER (ORDER BY year) AS growth "
        "FROM (SELECT date_part('year', o.order_date)::int AS year, "
        "round(sum(d.unit_price * d.quantity * (1 - d.discount))::numeric, 2) AS revenue "
        "FROM orders o JOIN order_details d ON d.order_id = o.order_id GROUP BY 1) yearly "
        "ORDER BY year",
        3,
    ),
)

_TAUGHT = (
    Question(
        "What was the value of each order?",
        "SELECT order_id, round(sum(unit_price * quantity * (1 - discount))::numeric, 2) AS value "
        "FROM order_details GROUP BY order_id ORDER BY order_id",
        2,
        "Giá trị của từng đơn hàng là bao nhiêu?",
    ),
    Question(
        "Which products does each supplier deliver?",
        "SELECT s.company_name, p.product_name FROM suppliers s "
        "JOIN products p ON p.supplier_id = s.supplier_id ORDER BY 1, 2",
        2,
    ),
    Question(
        "How many products are in each category?",
        "SELECT c.category_name, count(*) AS products FROM categories c "
        "JOIN products p ON p.category_id = c.category_id "
        "GROUP BY c.category_name ORDER BY products DESC",
        2,
        "Mỗi loại có bao nhiêu sản phẩm?",
    ),
    Question(
        "Who is the manager of each employee?",
        "SELECT e.last_name AS employee, m.last_name AS manager FROM employees e "
        "LEFT JOIN employees m ON m.employee_id = e.reports_to ORDER BY e.last_name",
        2,
    ),
    Question(
        "How many days does shipping take on average?",
        "SELECT round(avg(shipped_date - order_date), 1) AS days FROM orders "
        "WHERE shipped_date IS NOT NULL",
    ),
    Question(
        "Which customers are in London?",
        "SELECT company_name, contact_name, phone FROM customers WHERE city = 'London'",
        vietnamese="Những khách hàng nào ở London?",
    ),
    Question(
        "What is the highest discount given on each product?",
        "SELECT p.product_name, max(d.discount) AS discount FROM products p "
        "JOIN order_details d ON d.product_id = p.product_id "
        "GROUP BY p.product_name ORDER BY discount DESC, p.product_name",
        2,
    ),
)

NORTHWIND = Corpus(
    database="northwind",
    description="Food wholesaler: products, suppliers, customers, orders, employees",
    questions=_QUESTIONS,
    templates=NORTHWIND_TEMPLATES,
    taught=_TAUGHT,
    documentation=(
        "Revenue of an order line is unit_price * quantity * (1 - discount) in order_details; "
        "freight is not part of it.",
        "An order is late when shipped_date is after required_date, and open while shipped_date "
        "is empty.",
        "orders.ship_via refers to shippers.shipper_id.",
        "Sản phẩm ngừng kinh doanh có discontinued = 1.",
    ),
)
