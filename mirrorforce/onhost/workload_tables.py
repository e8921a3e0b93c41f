"""The tables that a workload writes to, in a schema of its own. Standard library only.

Rows of all runs lie side by side. Nothing here keeps a row from being there twice: that would be found by the
drills' checker, not prevented for it.
"""

from __future__ import annotations

from typing import Any

ACCOUNTS = 20
OPENING = 1000
"""What each account holds at first. Transfers may take it below zero; only the total counts."""

_CREATE = """
begin;
select pg_advisory_xact_lock(hashtext('mirrorforce workload'));
create schema if not exists mirrorforce;
create table if not exists mirrorforce.appends (
  position bigint generated always as identity primary key,
  run text not null, client text not null, number bigint not null, payload text not null);
create index if not exists appends_of_run on mirrorforce.appends (run, position);
create table if not exists mirrorforce.accounts (
  run text, account integer, opening bigint not null, balance bigint not null,
  primary key (run, account)) with (fillfactor = 50);
create table if not exists mirrorforce.transfers (
  position bigint generated always as identity primary key,
  run text not null, client text not null, number bigint not null,
  debit integer not null, credit integer not null, amount bigint not null);
create index if not exists transfers_of_run on mirrorforce.transfers (run, position);
create table if not exists mirrorforce.lists (
  run text, key text, elements text[] not null, primary key (run, key)) with (fillfactor = 50);
commit
"""
_OPEN = """
insert into mirrorforce.accounts (run, account, opening, balance)
select %s, account, %s, %s from generate_series(1, %s) account
"""

APPEND = "insert into mirrorforce.appends (run, client, number, payload) values (%s, %s, %s, %s)"
TRANSFER = """
begin;
insert into mirrorforce.transfers (run, client, number, debit, credit, amount)
  values (%(run)s, %(client)s, %(number)s, %(debit)s, %(credit)s, %(amount)s);
update mirrorforce.accounts set balance = balance - %(amount)s where run = %(run)s and account = %(debit)s;
update mirrorforce.accounts set balance = balance + %(amount)s where run = %(run)s and account = %(credit)s
"""
BEGIN_LIST = "begin isolation level serializable; "
LIST_APPEND = """insert into mirrorforce.lists (run, key, elements) values (%s, %s, array[%s])
on conflict (run, key) do update set elements = lists.elements || excluded.elements"""
LIST_READ = "select elements from mirrorforce.lists where run = %s and key = %s"
NEWEST = """
select (select position from mirrorforce.appends where run = %(run)s order by position desc limit 1),
       (select sum(balance)::bigint from mirrorforce.accounts where run = %(run)s)
"""
_FORGET = """
begin;
delete from mirrorforce.appends where run = %(run)s;
delete from mirrorforce.accounts where run = %(run)s;
delete from mirrorforce.transfers where run = %(run)s;
delete from mirrorforce.lists where run = %(run)s;
commit
"""


def prepare(connection: Any, run: str) -> None:  # noqa: ANN401 (psycopg2 has no types)
    """Create what is not there yet, and open this run's accounts; the connection commits by itself."""
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
        cursor.execute(_OPEN, (run, OPENING, OPENING, ACCOUNTS))
    connection.notices.clear()  # that things exist already


def forget(connection: Any, run: str) -> None:  # noqa: ANN401 (psycopg2 has no types)
    """Delete every row of the run."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"run": run})
