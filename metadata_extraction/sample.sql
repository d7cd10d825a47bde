-- The sample: the eight tables of the sandbox's tenant, with some more of what a database can hold.
create schema "SALES_ORDERS";
set search_path to "SALES_ORDERS";
comment on schema "SALES_ORDERS" is 'Orders of a food and beverage wholesaler';

create table "CATEGORIES" (
    "CATEGORYID" integer primary key,
    "CATEGORYNAME" varchar(40) not null,
    "DESCRIPTION" text
);
create table "CUSTOMERS" (
    "CUSTOMERID" integer primary key,
    "CUSTOMERNAME" varchar(80) not null,
    "CONTACTNAME" varchar(80),
    "ADDRESS" text,
    "CITY" varchar(40),
    "POSTALCODE" varchar(10),
    "COUNTRY" varchar(40) default 'France'
);
create table "EMPLOYEES" (
    "EMPLOYEEID" integer primary key,
    "LASTNAME" varchar(40) not null,
    "FIRSTNAME" varchar(40),
    "BIRTHDATE" date,
    "NOTES" text
);
create table "SHIPPERS" (
    "SHIPPERID" integer primary key,
    "SHIPPERNAME" varchar(40) not null,
    "PHONE" varchar(20)
);
create table "SUPPLIERS" (
    "SUPPLIERID" integer primary key,
    "SUPPLIERNAME" varchar(80) not null,
    "CONTACTNAME" varchar(80),
    "ADDRESS" text,
    "CITY" varchar(40),
    "POSTALCODE" varchar(10),
    "COUNTRY" varchar(40),
    "PHONE" varchar(20)
);
create table "PRODUCTS" (
    "PRODUCTID" integer primary key,
    "PRODUCTNAME" varchar(80) not null,
    "SUPPLIERID" integer references "SUPPLIERS",
    "CATEGORYID" integer references "CATEGORIES",
    "UNIT" varchar(40),
    "PRICE" numeric(10, 2) not null default 0
);
create table "ORDERS" (
    "ORDERID" integer primary key,
    "CUSTOMERID" integer not null references "CUSTOMERS",
    "EMPLOYEEID" integer references "EMPLOYEES",
    "ORDERDATE" date not null,
    "SHIPPERID" integer references "SHIPPERS"
);
create table "ORDERDETAILS" (
    "ORDERDETAILID" integer primary key,
    "ORDERID" integer not null references "ORDERS",
    "PRODUCTID" integer not null references "PRODUCTS",
    "QUANTITY" integer not null check ("QUANTITY" > 0)
);
comment on table "ORDERS" is 'One row for each order';
comment on column "PRODUCTS"."PRICE" is 'Price of one unit, in euros';

insert into "CATEGORIES" values (1, 'Beverages', 'Juices, teas and sodas'), (2, 'Condiments', 'Sauces and spreads');
insert into "CUSTOMERS" values (1, 'Harbour Deli', 'Ines Moreau', '4 Quay Street', 'Nantes', '44000', 'France');
insert into "EMPLOYEES" values (1, 'Okafor', 'Ada', '1986-03-14', 'Leads the night shift');
insert into "SHIPPERS" values (1, 'Blue Lorry', '555-0101');
insert into "SUPPLIERS" values (1, 'Orchard Works', 'Mina Dahl', '2 Orchard Road', 'Aarhus', '8000', 'Denmark', '555-0201');
insert into "PRODUCTS" values (1, 'Apple Juice', 1, 1, '12 bottles', 18.50);
insert into "ORDERS" values (1, 1, 1, '2025-09-18', 1);
insert into "ORDERDETAILS" values (1, 1, 1, 12);

create view "OPEN_ORDERS" as
    select "ORDERID", "CUSTOMERNAME" from "ORDERS" join "CUSTOMERS" using ("CUSTOMERID");
create materialized view "SALES_BY_PRODUCT" as
    select "PRODUCTID", sum("QUANTITY") as "SOLD" from "ORDERDETAILS" group by "PRODUCTID";
create function "ORDER_TOTAL"("ID" integer) returns numeric language sql stable as
    $$ select sum("PRICE" * "QUANTITY") from "ORDERDETAILS" join "PRODUCTS" using ("PRODUCTID") where "ORDERID" = "ID" $$;
create procedure "RESTOCK"("ID" integer, "AMOUNT" integer) language plpgsql as
    $$ begin update "PRODUCTS" set "UNIT" = "AMOUNT" || ' bottles' where "PRODUCTID" = "ID"; end $$;
analyze;
