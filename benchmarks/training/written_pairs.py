"""The statements of the corpus that are written by hand, by database."""

from __future__ import annotations

PAGILA = (
    # What names mean: quoting, case, three parts, whole rows, system columns.
    'select "title", "film_id" from "public"."film" where "length" > 90',
    "SELECT Title, Length FROM Film WHERE Length > 120 ORDER BY LENGTH DESC",
    "select film.title, film.release_year from public.film where public.film.length < 60",
    "select (f).title from film f where (f).length > 100",
    "select row_to_json(c) from category c",
    "select ctid, title from film limit 1",
    'select "zip code", city from customer_list order by "zip code"',
    'select l.name as "Language", count(*) as "Films" from film f '
    'join language l on l.language_id = f.language_id group by l.name order by "Films" desc',
    # Stars.
    "select * from film where rating = 'PG'",
    "select f.*, l.name from film f join language l using (language_id)",
    "select distinct * from film_actor",
    "select * from (select title, length from film) as short where short.length < 60",
    "select * from film_actor union select * from film_category",
    # Names that only one table has, and names that both sides have.
    "select title, name from film join film_category using (film_id) "
    "join category using (category_id) where rental_rate > 2",
    "select first_name, last_name, amount from customer join payment using (customer_id)",
    "select title, store_id from film join inventory using (film_id) where length > 100",
    "select district, city from address join city using (city_id)",
    "select amount, rental_date from payment join rental using (rental_id)",
    # Names that reach out of a subquery.
    "select title from film where film_id in (select film_id from inventory where store_id = 1)",
    "select title from film f where exists "
    "(select 1 from inventory i where i.film_id = f.film_id and rental_duration > 3)",
    "select first_name from customer c where 10 < "
    "(select sum(amount) from payment where payment.customer_id = c.customer_id)",
    "select c.first_name, latest.payment_date from customer c cross join lateral "
    "(select payment_date from payment p where p.customer_id = c.customer_id "
    "order by payment_date desc limit 1) as latest",
    # Natural joins read all that both sides call alike.
    "select title from film natural join film_category",
    "select city, country from city natural join country",
    "select first_name, film_id from actor natural left join film_actor",
    # Columns of the result.
    "select customer_id, sum(amount) as total from payment group by customer_id order by total",
    "select extract(year from payment_date) as paid_year, sum(amount) from payment "
    "group by paid_year order by paid_year",
    "select upper(last_name) as shouted from actor order by shouted",
    "select rating, avg(length) as average_length from film group by rating order by 2",
    # Arithmetic and functions that only some types have.
    "select sum(amount), avg(amount), max(payment_date) from payment",
    "select title, rental_rate * rental_duration as price_of_all_days from film",
    "select date_trunc('month', rental_date) as month, count(*) from rental group by 1",
    "select upper(title), length(description) from film where description like '%Drama%'",
    "select return_date - rental_date as kept from rental where return_date is not null",
    "select title from film where 'Trailers' = any (special_features)",
    "select title from film where fulltext @@ to_tsquery('english', 'fate')",
    "select case when active = 1 then 'yes' else 'no' end, count(*) from customer group by 1",
    "select email from customer where activebool",
    "select coalesce(address2, district, 'none') from address",
    "select customer_id from payment where amount between 2 and 5 "
    "and payment_date >= date '2022-02-01'",
    # Literals of an enum.
    "select count(*) from film where rating in ('G', 'PG-13')",
    "select title from film where rating = 'NC-17'::mpaa_rating",
    "select enum_range(null::mpaa_rating)",
    "select rating, title from film_list where rating <> 'R'",
    # Functions of the database.
    "select inventory_id from inventory where inventory_in_stock(inventory_id)",
    "select film_in_stock(1, 1)",
    "select group_concat(first_name) from actor where actor_id < 10",
    # Set operations, windows, recursion, values.
    "select last_name from actor union select last_name from customer order by last_name",
    "select city_id from city except select city_id from address",
    "select first_name from staff intersect select first_name from customer",
    "select customer_id, amount, rank() over w from payment "
    "window w as (partition by customer_id order by amount desc)",
    "select title, lag(title) over (order by film_id) from film",
    "with recursive days (day) as (select date '2022-01-01' union all "
    "select day + 1 from days where day < date '2022-01-31') "
    "select days.day, count(r.rental_id) from days "
    "left join rental r on r.rental_date::date = days.day group by days.day",
    "with film as (select 1 as film_id, 'made here' as title) select title from film",
    "select c.name, wanted.least from category c "
    "join (values ('Action', 10), ('Drama', 20)) as wanted (name, least) using (name)",
    "select count(*) filter (where amount > 5), count(distinct customer_id) from payment",
    "select store_id, array_agg(first_name order by last_name) from customer group by store_id",
    "select rating, grouping(rating), count(*) from film group by rollup (rating)",
    # Partitions and views.
    "select sum(amount) from payment_p2022_01",
    "select p.amount from public.payment_p2022_02 p join customer using (customer_id)",
    "select category, total_sales from rental_by_category order by total_sales desc",
    "select store, total_sales from sales_by_store",
    "select s.name, s.city from staff_list s where s.country = 'Canada'",
    "select fid, title, price from film_list where category = 'Comedy'",
    "select f.title, v.actors from film f join film_list v on v.fid = f.film_id",
    "select actor_id, film_info from actor_info where last_name = 'GUINESS'",
)

NORTHWIND = (
    "select company_name, contact_name from customers where country = 'Germany'",
    'select "company_name" as "Company" from "customers" order by "Company"',
    "SELECT Product_Name, Unit_Price FROM Products WHERE Discontinued = 1",
    "select * from orders where freight > 100",
    "select o.* from orders o join customers c on c.customer_id = o.customer_id "
    "where c.city = 'London'",
    "select order_id, sum(unit_price * quantity * (1 - discount)) as total from order_details "
    "group by order_id order by total desc limit 5",
    "select c.company_name, count(o.order_id) from customers c "
    "left join orders o using (customer_id) group by c.company_name",
    "select product_name, category_name from products join categories using (category_id) "
    "where units_in_stock < reorder_level",
    "select ship_name, contact_title from orders join customers using (customer_id)",
    "select e.last_name, boss.last_name from employees e "
    "left join employees boss on boss.employee_id = e.reports_to",
    "with recursive chain as (select employee_id, reports_to, 1 as depth from employees "
    "where reports_to is null union all select e.employee_id, e.reports_to, chain.depth + 1 "
    "from employees e join chain on e.reports_to = chain.employee_id) "
    "select max(depth) from chain",
    "select to_char(order_date, 'YYYY-MM') as month, count(*) from orders group by month",
    "select order_date as ordered, shipped_date - order_date as days from orders "
    "where shipped_date > required_date order by days",
    "select product_name from products where supplier_id in "
    "(select supplier_id from suppliers where country = 'Japan')",
    "select company_name from suppliers s where exists "
    "(select 1 from products p where p.supplier_id = s.supplier_id and discontinued = 1)",
    "select city from customers union select city from suppliers order by city",
    "select country from customers except select country from suppliers",
    "select region_description, territory_description from region natural join territories",
    "select last_name, territory_id from employees natural join employee_territories",
    "select last_name || ', ' || first_name as full_name from employees order by full_name",
    "select extract(year from hire_date) as hired, count(*) from employees group by hired",
    "select category_id, product_name, rank() over (partition by category_id "
    "order by unit_price desc) from products",
    "select avg(unit_price), min(unit_price) from products where units_on_order = 0",
    "select s.company_name, avg(o.freight) from shippers s "
    "join orders o on o.ship_via = s.shipper_id group by s.company_name",
    "select employee_id, count(*) filter (where ship_country = 'USA') from orders "
    "group by employee_id having count(*) > 50",
    "select state_name, state_abbr from us_states where state_region = 'south'",
    "select * from customers where customer_id not in "
    "(select customer_id from orders where customer_id is not null)",
    "select sum(t.line) from (select unit_price * quantity as line from order_details) t",
    "select d.order_id, p.product_name, c.category_name from order_details d "
    "join products p on p.product_id = d.product_id "
    "join categories c on c.category_id = p.category_id",
    "select upper(company_name), length(address), substring(phone from 1 for 3) from customers",
    "select count(distinct ship_city) from orders where order_date between '1997-01-01' "
    "and '1997-12-31'",
    "select postal_code, region from customers where region is not null",
    "select territory_description from territories where region_id = 1",
    "select max(birth_date), age(min(birth_date)) from employees",
    "select freight::numeric(10, 2), round(freight::numeric) from orders",
)
