"""Questions about Chinook, a shop that sells music tracks. Data only."""

from __future__ import annotations

from twd_local.application.questions.chinook_templates import CHINOOK_TEMPLATES
from twd_local.application.questions.question import Corpus, Question

_QUESTIONS = (
    Question(
        "How many tracks do we sell?",
        "SELECT count(*) AS tracks FROM track",
        vietnamese="Chúng ta bán bao nhiêu bài hát?",
    ),
    Question(
        "Which artists have the most albums?",
        "SELECT ar.name, count(*) AS albums FROM artist ar "
        "JOIN album al ON al.artist_id = ar.artist_id GROUP BY ar.artist_id, ar.name "
        "ORDER BY albums DESC, ar.name LIMIT 10",
        2,
        "Nghệ sĩ nào có nhiều album nhất?",
    ),
    Question(
        "What are total sales per country?",
        "SELECT billing_country, sum(total) AS sales FROM invoice "
        "GROUP BY billing_country ORDER BY sales DESC",
        vietnamese="Tổng doanh số theo từng quốc gia là bao nhiêu?",
    ),
    Question(
        "How many tracks does each genre have?",
        "SELECT g.name, count(*) AS tracks FROM genre g JOIN track t ON t.genre_id = g.genre_id "
        "GROUP BY g.name ORDER BY tracks DESC",
        2,
    ),
    Question(
        "Which tracks are longer than ten minutes?",
        "SELECT name, milliseconds / 60000 AS minutes FROM track WHERE milliseconds > 600000 "
        "ORDER BY milliseconds DESC LIMIT 25",
        vietnamese="Những bài hát nào dài hơn mười phút?",
    ),
    Question(
        "Who are the ten customers who spent the most?",
        "SELECT c.first_name, c.last_name, sum(i.total) AS spent FROM customer c "
        "JOIN invoice i ON i.customer_id = c.customer_id "
        "GROUP BY c.customer_id, c.first_name, c.last_name ORDER BY spent DESC LIMIT 10",
        2,
        "Mười khách hàng chi tiêu nhiều nhất là ai?",
    ),
    Question(
        "What were the sales of each year?",
        "SELECT date_part('year', invoice_date)::int AS year, sum(total) AS sales FROM invoice "
        "GROUP BY 1 ORDER BY 1",
        2,
        "Doanh số từng năm là bao nhiêu?",
    ),
    Question(
        "Which sales support agent sold the most?",
        "SELECT e.first_name, e.last_name, sum(i.total) AS sales FROM employee e "
        "JOIN customer c ON c.support_rep_id = e.employee_id "
        "JOIN invoice i ON i.customer_id = c.customer_id "
        "GROUP BY e.employee_id, e.first_name, e.last_name ORDER BY sales DESC",
        3,
        "Nhân viên hỗ trợ nào bán được nhiều nhất?",
    ),
    Question(
        "Which genres sell best?",
        "SELECT g.name, sum(il.unit_price * il.quantity) AS revenue FROM invoice_line il "
        "JOIN track t ON t.track_id = il.track_id JOIN genre g ON g.genre_id = t.genre_id "
        "GROUP BY g.name ORDER BY revenue DESC",
        3,
    ),
    Question(
        "Which tracks have never been bought?",
        "SELECT t.name FROM track t LEFT JOIN invoice_line il ON il.track_id = t.track_id "
        "WHERE il.invoice_line_id IS NULL ORDER BY t.name LIMIT 50",
        2,
    ),
    Question(
        "How many tracks are in each playlist?",
        "SELECT p.name, count(pt.track_id) AS tracks FROM playlist p "
        "LEFT JOIN playlist_track pt ON pt.playlist_id = p.playlist_id "
        "GROUP BY p.playlist_id, p.name ORDER BY tracks DESC",
        2,
        "Mỗi danh sách phát có bao nhiêu bài hát?",
    ),
    Question(
        "Which albums did AC/DC publish?",
        "SELECT al.title FROM album al JOIN artist ar ON ar.artist_id = al.artist_id "
        "WHERE ar.name = 'AC/DC' ORDER BY al.title",
        2,
    ),
    Question(
        "Which customers live in Brazil?",
        "SELECT first_name, last_name, city FROM customer WHERE country = 'Brazil' "
        "ORDER BY last_name",
    ),
    Question(
        "Who reports to whom?",
        "SELECT e.first_name || ' ' || e.last_name AS employee, "
        "m.first_name || ' ' || m.last_name AS reports_to FROM employee e "
        "LEFT JOIN employee m ON m.employee_id = e.reports_to ORDER BY e.employee_id",
        2,
    ),
    Question(
        "What is the average invoice total?",
        "SELECT round(avg(total), 2) AS average_total FROM invoice",
        vietnamese="Giá trị hóa đơn trung bình là bao nhiêu?",
    ),
    Question(
        "Which customers in Vietnam bought something?",
        "SELECT c.first_name, c.last_name FROM customer c "
        "JOIN invoice i ON i.customer_id = c.customer_id WHERE c.country = 'Vietnam'",
        2,
        "Khách hàng nào ở Việt Nam đã mua hàng?",
    ),
    Question(
        "Which media types are used and how often?",
        "SELECT m.name, count(*) AS tracks FROM media_type m "
        "JOIN track t ON t.media_type_id = m.media_type_id GROUP BY m.name ORDER BY tracks DESC",
        2,
    ),
    Question(
        "What is the best selling track of each genre?",
        "WITH sold AS (SELECT g.name AS genre, t.name AS track, sum(il.quantity) AS copies "
        "FROM invoice_line il JOIN track t ON t.track_id = il.track_id "
        "JOIN genre g ON g.genre_id = t.genre_id GROUP BY g.name, t.name) "
        "SELECT DISTINCT ON (genre) genre, track, copies FROM sold "
        "ORDER BY genre, copies DESC, track",
        3,
    ),
    Question(
        "Which artists sold music in more than ten countries?",
        "SELECT ar.name, count(DISTINCT i.billing_country) AS countries FROM artist ar "
        "JOIN album al ON al.artist_id = ar.artist_id JOIN track t ON t.album_id = al.album_id "
        "JOIN invoice_line il ON il.track_id = t.track_id "
        "JOIN invoice i ON i.invoice_id = il.invoice_id "
        "GROUP BY ar.artist_id, ar.name HAVING count(DISTINCT i.billing_country) > 10 "
        "ORDER BY countries DESC",
        3,
    ),
    Question(
        "Which invoices have a total above 20?",
        "SELECT invoice_id, invoice_date, total FROM invoice WHERE total > 20 ORDER BY total DESC",
    ),
)

_TAUGHT = (
    Question(
        "How many customers does each support agent look after?",
        "SELECT e.first_name, e.last_name, count(*) AS customers FROM employee e "
        "JOIN customer c ON c.support_rep_id = e.employee_id "
        "GROUP BY e.employee_id, e.first_name, e.last_name ORDER BY customers DESC",
        2,
        "Mỗi nhân viên hỗ trợ phụ trách bao nhiêu khách hàng?",
    ),
    Question(
        "How long does each album play?",
        "SELECT al.title, sum(t.milliseconds) / 60000 AS minutes FROM album al "
        "JOIN track t ON t.album_id = al.album_id GROUP BY al.album_id, al.title "
        "ORDER BY minutes DESC",
        2,
    ),
    Question(
        "Which tracks belong to the playlist Grunge?",
        "SELECT t.name FROM playlist p "
        "JOIN playlist_track pt ON pt.playlist_id = p.playlist_id "
        "JOIN track t ON t.track_id = pt.track_id WHERE p.name = 'Grunge' ORDER BY t.name",
        2,
        "Danh sách phát Grunge có những bài hát nào?",
    ),
    Question(
        "What did the customer with id 5 buy?",
        "SELECT t.name, il.quantity, il.unit_price FROM invoice i "
        "JOIN invoice_line il ON il.invoice_id = i.invoice_id "
        "JOIN track t ON t.track_id = il.track_id WHERE i.customer_id = 5",
        2,
    ),
    Question(
        "Which artists have no album?",
        "SELECT ar.name FROM artist ar LEFT JOIN album al ON al.artist_id = ar.artist_id "
        "WHERE al.album_id IS NULL ORDER BY ar.name",
        2,
    ),
    Question(
        "How many invoices were written in each month?",
        "SELECT date_trunc('month', invoice_date) AS month, count(*) AS invoices FROM invoice "
        "GROUP BY 1 ORDER BY 1",
        vietnamese="Mỗi tháng có bao nhiêu hóa đơn?",
    ),
    Question(
        "Which composers wrote the most tracks?",
        "SELECT composer, count(*) AS tracks FROM track WHERE composer IS NOT NULL "
        "GROUP BY composer ORDER BY tracks DESC LIMIT 10",
    ),
)

CHINOOK = Corpus(
    database="chinook",
    description="Music shop: artists, albums, tracks, playlists, customers, invoices",
    questions=_QUESTIONS,
    templates=CHINOOK_TEMPLATES,
    taught=_TAUGHT,
    documentation=(
        "Sales are the sum of invoice.total. Per track, genre or artist they are the sum of "
        "unit_price times quantity over invoice_line.",
        "The support agent of a customer is the employee in customer.support_rep_id.",
        "track.milliseconds is the playing time; divide by 60000 for minutes.",
        "Nghệ sĩ (artist) có nhiều album; mỗi album có nhiều bài hát (track).",
    ),
)
