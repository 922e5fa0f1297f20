"""Questions about Pagila, a chain of film rental shops. Data only."""

from __future__ import annotations

from twd_local.application.questions.pagila_templates import PAGILA_TEMPLATES
from twd_local.application.questions.question import Corpus, Question

_QUESTIONS = (
    Question(
        "How many films are in the catalog?",
        "SELECT count(*) AS films FROM film",
        vietnamese="Có bao nhiêu bộ phim trong danh mục?",
    ),
    Question(
        "Which are the ten longest films?",
        "SELECT title, length FROM film ORDER BY length DESC, title LIMIT 10",
        vietnamese="Mười bộ phim dài nhất là những phim nào?",
    ),
    Question(
        "How many films are there per rating?",
        "SELECT rating, count(*) AS films FROM film GROUP BY rating ORDER BY films DESC",
    ),
    Question(
        "Who are our ten best customers by amount paid?",
        "SELECT c.first_name, c.last_name, sum(p.amount) AS paid FROM customer c "
        "JOIN payment p ON p.customer_id = c.customer_id "
        "GROUP BY c.customer_id, c.first_name, c.last_name ORDER BY paid DESC LIMIT 10",
        2,
        "Mười khách hàng chi trả nhiều tiền nhất là ai?",
    ),
    Question(
        "What was the revenue of each month?",
        "SELECT date_trunc('month', payment_date) AS month, sum(amount) AS revenue FROM payment "
        "GROUP BY 1 ORDER BY 1",
        2,
        "Doanh thu của từng tháng là bao nhiêu?",
    ),
    Question(
        "Which film categories earn the most?",
        "SELECT c.name, sum(p.amount) AS revenue FROM payment p "
        "JOIN rental r ON r.rental_id = p.rental_id "
        "JOIN inventory i ON i.inventory_id = r.inventory_id "
        "JOIN film_category fc ON fc.film_id = i.film_id "
        "JOIN category c ON c.category_id = fc.category_id GROUP BY c.name ORDER BY revenue DESC",
        3,
        "Thể loại phim nào mang lại doanh thu cao nhất?",
    ),
    Question(
        "Which films were rented most often?",
        "SELECT f.title, count(*) AS rentals FROM rental r "
        "JOIN inventory i ON i.inventory_id = r.inventory_id "
        "JOIN film f ON f.film_id = i.film_id GROUP BY f.film_id, f.title "
        "ORDER BY rentals DESC, f.title LIMIT 10",
        2,
        "Những bộ phim nào được thuê nhiều nhất?",
    ),
    Question(
        "Which actors appear in more than 35 films?",
        "SELECT a.first_name, a.last_name, count(*) AS films FROM actor a "
        "JOIN film_actor fa ON fa.actor_id = a.actor_id "
        "GROUP BY a.actor_id, a.first_name, a.last_name HAVING count(*) > 35 ORDER BY films DESC",
        2,
    ),
    Question(
        "Which rentals have not been returned yet?",
        "SELECT rental_id, rental_date, customer_id FROM rental WHERE return_date IS NULL "
        "ORDER BY rental_date LIMIT 50",
        vietnamese="Những lượt thuê nào chưa được trả?",
    ),
    Question(
        "How many customers does each store have?",
        "SELECT store_id, count(*) AS customers FROM customer GROUP BY store_id ORDER BY store_id",
    ),
    Question(
        "How many customers do we have per country?",
        "SELECT co.country, count(*) AS customers FROM customer c "
        "JOIN address a ON a.address_id = c.address_id JOIN city ci ON ci.city_id = a.city_id "
        "JOIN country co ON co.country_id = ci.country_id "
        "GROUP BY co.country ORDER BY customers DESC LIMIT 15",
        3,
        "Mỗi quốc gia có bao nhiêu khách hàng?",
    ),
    Question(
        "What is the average rental duration in days per category?",
        "SELECT c.name, round(avg(f.rental_duration), 2) AS days FROM film f "
        "JOIN film_category fc ON fc.film_id = f.film_id "
        "JOIN category c ON c.category_id = fc.category_id GROUP BY c.name ORDER BY days DESC",
        2,
    ),
    Question(
        "Which films are not in any store's inventory?",
        "SELECT f.title FROM film f LEFT JOIN inventory i ON i.film_id = f.film_id "
        "WHERE i.inventory_id IS NULL ORDER BY f.title",
        2,
    ),
    Question(
        "Which customers have no e-mail address?",
        "SELECT customer_id, first_name, last_name FROM customer WHERE email IS NULL",
    ),
    Question(
        "Which films are in a language other than English?",
        "SELECT f.title, trim(l.name) AS language FROM film f "
        "JOIN language l ON l.language_id = f.language_id WHERE trim(l.name) <> 'English'",
        2,
    ),
    Question(
        "Which employee took the most payments?",
        "SELECT s.first_name, s.last_name, count(*) AS payments, sum(p.amount) AS amount "
        "FROM staff s JOIN payment p ON p.staff_id = s.staff_id "
        "GROUP BY s.staff_id, s.first_name, s.last_name ORDER BY payments DESC",
        2,
        "Nhân viên nào thu nhiều khoản thanh toán nhất?",
    ),
    Question(
        "What does it cost to replace all copies of our films?",
        "SELECT sum(f.replacement_cost) AS total FROM inventory i "
        "JOIN film f ON f.film_id = i.film_id",
        2,
    ),
    Question(
        "On which weekday are most films rented?",
        "SELECT trim(to_char(rental_date, 'Day')) AS weekday, count(*) AS rentals FROM rental "
        "GROUP BY 1 ORDER BY rentals DESC",
        2,
    ),
    Question(
        "What is the most rented film of each category?",
        "SELECT category, title, rentals FROM (SELECT c.name AS category, f.title, "
        "count(*) AS rentals, row_number() OVER "
        "(PARTITION BY c.name ORDER BY count(*) DESC, f.title) AS place "
        "FROM rental r JOIN inventory i ON i.inventory_id = r.inventory_id "
        "JOIN film f ON f.film_id = i.film_id JOIN film_category fc ON fc.film_id = f.film_id "
        "JOIN category c ON c.category_id = fc.category_id GROUP BY c.name, f.title) ranked "
        "WHERE place = 1 ORDER BY category",
        3,
    ),
    Question(
        "Which customers rented from both stores?",
        "SELECT c.first_name, c.last_name FROM customer c "
        "JOIN rental r ON r.customer_id = c.customer_id "
        "JOIN inventory i ON i.inventory_id = r.inventory_id "
        "GROUP BY c.customer_id, c.first_name, c.last_name "
        "HAVING count(DISTINCT i.store_id) = 2 ORDER BY c.last_name LIMIT 20",
        3,
    ),
)

_TAUGHT = (
    Question(
        "How much revenue did each store make?",
        "SELECT i.store_id, sum(p.amount) AS revenue FROM payment p "
        "JOIN rental r ON r.rental_id = p.rental_id "
        "JOIN inventory i ON i.inventory_id = r.inventory_id "
        "GROUP BY i.store_id ORDER BY i.store_id",
        2,
        "Mỗi cửa hàng có doanh thu bao nhiêu?",
    ),
    Question(
        "How many copies of the film ACADEMY DINOSAUR does each store hold?",
        "SELECT i.store_id, count(*) AS copies FROM inventory i "
        "JOIN film f ON f.film_id = i.film_id WHERE f.title = 'ACADEMY DINOSAUR' "
        "GROUP BY i.store_id",
        2,
    ),
    Question(
        "Which actors played in the film ALONE TRIP?",
        "SELECT a.first_name, a.last_name FROM actor a "
        "JOIN film_actor fa ON fa.actor_id = a.actor_id "
        "JOIN film f ON f.film_id = fa.film_id WHERE f.title = 'ALONE TRIP'",
        2,
        "Những diễn viên nào đóng trong phim ALONE TRIP?",
    ),
    Question(
        "Which customers are inactive?",
        "SELECT customer_id, first_name, last_name FROM customer WHERE active = 0",
    ),
    Question(
        "What is the average payment?",
        "SELECT round(avg(amount), 2) AS average_payment FROM payment",
        vietnamese="Khoản thanh toán trung bình là bao nhiêu?",
    ),
    Question(
        "How many days do customers keep a film on average?",
        "SELECT avg(return_date - rental_date) AS kept FROM rental WHERE return_date IS NOT NULL",
    ),
    Question(
        "Which films cost the most to rent?",
        "SELECT title, rental_rate FROM film "
        "WHERE rental_rate = (SELECT max(rental_rate) FROM film) ORDER BY title",
    ),
)

PAGILA = Corpus(
    database="pagila",
    description="Film rental shops: films, actors, inventory, rentals, payments",
    questions=_QUESTIONS,
    templates=PAGILA_TEMPLATES,
    taught=_TAUGHT,
    documentation=(
        "A rental is one copy (inventory) lent to one customer. It is open while return_date is "
        "empty.",
        "Revenue always means the sum of payment.amount, by payment_date. The payment table is "
        "partitioned by month; query payment itself, never its partitions.",
        "A film belongs to categories through film_category and to actors through film_actor.",
        "Doanh thu là tổng payment.amount. Khách hàng ngừng hoạt động có customer.active = 0.",
    ),
)
