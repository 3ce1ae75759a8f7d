"""A shop in Flask and SQLAlchemy, with faults planted for the dashboard to find.

    gunicorn --worker-class gthread --workers 2 --threads 4 shop:app

Every line with a planted fault says so in a comment; the tests read the expected line number from there.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from pathlib import Path

from flask import Flask, abort, jsonify, render_template
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

app = Flask(__name__)
if not os.environ.get("EXAMPLE_BARE"):  # the tests compare every answer with and without the agent
    from apm_agent.integrations.flask import init_app

    init_app(app)

DATABASE = Path(os.environ.get("EXAMPLE_DATA") or tempfile.gettempdir()) / "apm-agent-example-shop.db"
engine = create_engine(f"sqlite:///{DATABASE}")


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    cents: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    month: Mapped[int]
    cents: Mapped[int]
    customer: Mapped[Customer] = relationship()


@app.get("/")
def home():
    with Session(engine) as session:
        products = session.scalars(select(Product).limit(20)).all()
    return render_template("home.html", products=products)


@app.get("/orders")
def orders():
    with Session(engine) as session:
        latest = session.scalars(select(Order).order_by(Order.id.desc()).limit(150)).all()
        rows = []
        for order in latest:
            rows.append({"id": order.id, "customer": order.customer.name})  # planted: repeated_query
    return jsonify(rows)


@app.get("/orders/<int:order_id>")
def order(order_id: int):
    with Session(engine) as session:
        found = session.get(Order, order_id) or abort(404)
        return jsonify(id=found.id, cents=found.cents, month=found.month)


@app.get("/report")
def report():
    with Session(engine) as session:
        rows = session.scalars(select(Order)).all()
    return render_template("report.html", rows=rows)  # planted: slow_template


@app.get("/products/<int:product_id>/price")
def product_price(product_id: int):
    with Session(engine) as session:
        product = session.get(Product, product_id) or abort(404)
        return jsonify(product=product.name, cents=price(product.cents))


def price(cents: int) -> int:
    """Works out a price, much too often."""
    for step in range(1_200_000):
        cents = (cents * 48_271 + step * 7_919) % 99_991  # planted: hot_line
    return cents


#: What customers looked at; nobody takes anything out until it is cut, so that a long demo stays harmless.
seen: list[bytes] = []
_MOST_SEEN = 60


@app.get("/recommended")
def recommended():
    seen.append(zlib.compress(os.urandom(1_500_000)))  # planted: memory_growth
    if len(seen) > _MOST_SEEN:
        seen.clear()
    return jsonify(products=[3, 7, 21])


@app.get("/orders.csv")
def orders_csv():
    def lines():
        yield "id,month,cents\n"
        with Session(engine) as session:
            for row in session.scalars(select(Order).limit(100)):
                yield f"{row.id},{row.month},{row.cents}\n"

    return app.response_class(lines(), mimetype="text/csv")


@app.get("/checkout/<int:order_id>")
def checkout(order_id: int):
    if order_id % 3 == 0:
        raise ValueError(f"order {order_id} has no address")  # planted: failure
    return jsonify(paid=order_id)


def seed() -> None:
    """Makes the database beside its place and moves it there, so that two workers may start at once."""
    if DATABASE.exists():
        return
    building = DATABASE.with_suffix(f".{os.getpid()}")
    builder = create_engine(f"sqlite:///{building}")
    Base.metadata.create_all(builder)
    with Session(builder) as session:
        session.add_all(Customer(id=n, name=f"customer {n}") for n in range(1, 151))
        session.add_all(Product(id=n, name=f"product {n}", cents=100 + 37 * n) for n in range(1, 121))
        session.add_all(
            Order(id=n, customer_id=n % 150 + 1, month=n % 12 + 1, cents=n * 137 % 9_000)
            for n in range(1, 401)
        )
        session.commit()
    builder.dispose()
    os.replace(building, DATABASE)


seed()
