"""The tables that a rebuild names at each of its steps. Each function returns the same tables when it is repeated.

A table keeps its own policy from its first item on: items never return to an older policy. So the table of the older
policy stays usable for a rollback, whichever of both is live.
"""

import msgspec

from pipeline.aws.stack import SuppressionTables
from pipeline.errors import UsageError
from pipeline.rebuild import Rebuild


def shadowed(tables: SuppressionTables, rebuild: Rebuild) -> SuppressionTables:
    """Return the tables with the new one written too."""
    if rebuild.new_table in tables.shadow_tables:
        return tables
    _check_live(tables, rebuild.old_table)
    if rebuild.policy and tables.shadow_tables:
        raise UsageError("other tables are written too, which would get the new policy: remove them first")
    return msgspec.structs.replace(
        tables, shadow_tables=(*tables.shadow_tables, rebuild.new_table), shadow_policy=rebuild.policy
    )


def flipped(tables: SuppressionTables, rebuild: Rebuild) -> SuppressionTables:
    """Return the tables with the new one live, and the old one written too."""
    if rebuild.policy is None:
        return _exchanged(tables, live=rebuild.old_table, new=rebuild.new_table)
    if tables.live == rebuild.old_table and tables.policy and tables.policy.version >= rebuild.policy.version:
        raise UsageError(
            f"a policy of version {tables.policy.version} was published meanwhile: cancel this rebuild, and begin "
            "another with a greater version"
        )
    changed = _exchanged(tables, live=rebuild.old_table, new=rebuild.new_table)
    if changed is tables:
        return tables
    old_policy = tables.policy or rebuild.old_policy
    return msgspec.structs.replace(changed, policy=rebuild.policy, shadow_policy=old_policy)


def rolled_back(tables: SuppressionTables, rebuild: Rebuild) -> SuppressionTables:
    """Return the tables with the old one live, and the new one written too."""
    changed = _exchanged(tables, live=rebuild.new_table, new=rebuild.old_table)
    if changed is tables or rebuild.policy is None:
        return changed
    return msgspec.structs.replace(changed, policy=tables.shadow_policy, shadow_policy=tables.policy)


def finished(tables: SuppressionTables, rebuild: Rebuild) -> SuppressionTables:
    """Return the tables without the old one."""
    _check_live(tables, rebuild.new_table)
    return _without(tables, rebuild.old_table)


def cancelled(tables: SuppressionTables, rebuild: Rebuild) -> SuppressionTables:
    """Return the tables without the new one."""
    if tables.live == rebuild.new_table:
        raise UsageError(f"{rebuild.new_table} is the live table: use --rollback first")
    return _without(tables, rebuild.new_table)


def _exchanged(tables: SuppressionTables, *, live: str, new: str) -> SuppressionTables:
    if tables.live == new and live in tables.shadow_tables:
        return tables
    _check_live(tables, live)
    if new not in tables.shadow_tables:
        raise UsageError(f"{new} is not written any more, and may lack facts: cancel this rebuild, and begin another")
    others = (name for name in tables.shadow_tables if name != new)
    return msgspec.structs.replace(tables, live=new, shadow_tables=(*others, live))


def _without(tables: SuppressionTables, name: str) -> SuppressionTables:
    if name not in tables.shadow_tables:
        return tables
    remaining = tuple(table for table in tables.shadow_tables if table != name)
    return msgspec.structs.replace(tables, shadow_tables=remaining, shadow_policy=None)


def _check_live(tables: SuppressionTables, name: str) -> None:
    if tables.live != name:
        raise UsageError(f"the live table is {tables.live}, and not {name}: another process changed it")
