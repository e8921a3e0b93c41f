"""What PostgreSQL says of itself, asked locally as its superuser; runs on hosts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirrorforce.onhost.commands import output_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# pg_current_wal_lsn() is an error on a standby, hence the CASE.
_REPLICATION = """
select json_build_object(
  'in_recovery', pg_is_in_recovery(),
  'standbys', coalesce((
    select json_agg(json_build_object(
      'name', r.application_name, 'state', r.state, 'sync', r.sync_state, 'user', r.usename,
      'ssl', coalesce(s.ssl, false), 'client_dn', s.client_dn,
      'lag_bytes', case when pg_is_in_recovery() then null else
         greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn))::bigint end))
    from pg_stat_replication r left join pg_stat_ssl s using (pid)), '[]'::json));
"""

# `setting` is this session's view: over the local socket the keepalives of TCP show as 0. What other sessions
# begin with is `reset_val`.
_SETTINGS = """
select json_build_object(
  'in_recovery', pg_is_in_recovery(),
  'timeline', (select timeline_id from pg_control_checkpoint()),
  'settings', (select json_object_agg(name, setting) from pg_settings),
  'in_force', (select json_object_agg(name, reset_val) from pg_settings),
  'units', (select json_object_agg(name, unit) from pg_settings where unit is not null),
  'pending_restart', coalesce((select json_agg(name) from pg_settings where pending_restart), '[]'::json),
  'overrides', coalesce((
    select json_agg(json_build_object(
      'database', d.datname, 'role', r.rolname, 'setting', item))
    from pg_db_role_setting o
      left join pg_database d on d.oid = o.setdatabase
      left join pg_roles r on r.oid = o.setrole,
      unnest(o.setconfig) item), '[]'::json),
  'slots', coalesce((
    select json_agg(json_build_object(
      'name', slot_name, 'type', slot_type, 'active', active, 'wal_status', wal_status))
    from pg_replication_slots), '[]'::json),
  'roles', coalesce((
    select json_agg(json_build_object(
      'name', rolname, 'superuser', rolsuper, 'replication', rolreplication, 'login', rolcanlogin,
      'password', case when rolpassword is null then 'none'
                       when rolpassword like 'SCRAM-SHA-256$%' then 'scram-sha-256' else 'other' end))
    from pg_authid where rolname !~ '^pg_'), '[]'::json),
  'databases', (select json_agg(datname) from pg_database where not datistemplate),
  'hba', coalesce((
    select json_agg(json_build_object(
      'line', line_number, 'type', type, 'database', database, 'user', user_name,
      'address', address, 'method', auth_method, 'options', options, 'error', error))
    from pg_hba_file_rules), '[]'::json));
"""


def query(sql: str, *, database: str = "postgres", timeout: float = 5.0) -> str:
    """The text that `sql` gives, as the operating system's user postgres over the local socket."""
    command = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database]
    return output_of(command, stdin=sql, timeout=timeout, environment={"PGCONNECT_TIMEOUT": "2"})


def replication(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Whether this member is a standby, and the standbys that stream from it with their lag."""
    return _of_request(_REPLICATION, arguments)


def settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that verify asks of a running server, in one query."""
    return _of_request(_SETTINGS, arguments)


def document(sql: str, *, timeout: float) -> Any:  # noqa: ANN401 (whatever JSON the query gives)
    """The JSON document that a query gives."""
    return json.loads(query(sql, timeout=timeout))


def _of_request(sql: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document(sql, timeout=float(arguments.get("timeout", 5.0)))
    return found
