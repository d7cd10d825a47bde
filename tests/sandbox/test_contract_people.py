"""Users, groups, roles and API tokens."""

from __future__ import annotations

import pytest
from helpers import VERTICA, admin_role, new_connection, save, unique
from pyatlan.model.assets import Connection


def test_current_user(atlan):
    user = atlan.user.get_current()

    assert user.username
    assert user.id


def test_all_users_page_by_page(atlan):
    everybody = [user.username for user in atlan.user.get_all(limit=20)]
    one_by_one = [user.username for user in atlan.user.get_all(limit=1)]

    assert everybody
    assert one_by_one == everybody == sorted(everybody)
    assert len(set(everybody)) == len(everybody) == atlan.user.get_all().total_record


def test_find_users(atlan):
    first = next(iter(atlan.user.get_all()))

    assert atlan.user.get_by_username(first.username).id == first.id
    assert [u.id for u in atlan.user.get_by_email(first.email)] == [first.id]
    assert [u.id for u in atlan.user.get_by_emails([first.email])] == [first.id]
    assert [u.id for u in atlan.user.get_by_usernames([first.username, unique("nobody")])] == [first.id]
    assert atlan.user.get_by_username(unique("nobody")) is None


def test_all_groups_page_by_page(atlan):
    everything = [group.name for group in atlan.group.get_all(limit=20)]
    one_by_one = [group.name for group in atlan.group.get_all(limit=1)]

    assert one_by_one == everything == sorted(everything)
    assert len(everything) == atlan.group.get_all().total_record


def test_find_groups(atlan):
    for group in atlan.group.get_all():
        assert group.id in {found.id for found in atlan.group.get_by_name(group.alias)}
    assert not list(atlan.group.get_by_name(unique("nobody")))


def test_roles(atlan):
    roles = {role.name: role for role in atlan.role.get_all().records}

    assert {"$admin", "$member", "$guest"} <= set(roles)
    assert roles["$admin"].id == admin_role(atlan)
    assert roles["$admin"].level == "workspace"
    assert atlan.role_cache.get_name_for_id(admin_role(atlan)) == "$admin"
    assert atlan.role_cache.get_id_for_name("$no-such-role") is None


def test_whoami(atlan):
    assert atlan.role_cache.is_api_token_user() in (True, False)


def test_api_tokens(atlan):
    tokens = atlan.token.get()

    assert tokens.total_record == len(tokens.records or [])
    assert atlan.token.get_by_name(unique("token")) is None
    assert atlan.token.get_by_id(unique("token")) is None
    for token in tokens.records or []:
        assert atlan.token.get_by_id(token.client_id).guid == token.guid
        assert atlan.token.get_by_name(token.display_name).display_name == token.display_name


def test_connection_with_users_and_groups_as_admins(atlan):
    user = next(iter(atlan.user.get_all()))
    group = next(iter(atlan.group.get_all()))
    connection = Connection.creator(
        client=atlan,
        name=unique("admins"),
        connector_type=VERTICA,
        admin_users=[user.username],
        admin_groups=[group.name],
    )
    connection.qualified_name = new_connection(atlan) + "1"

    [guid] = save(atlan, connection)

    read = atlan.asset.get_by_guid(guid, Connection)
    assert user.username in read.admin_users
    assert read.admin_groups == {group.name}


def test_unknown_admins_are_refused(atlan):
    for admins in ({"admin_users": [unique("user")]}, {"admin_groups": [unique("group")]}, {"admin_roles": ["x"]}):
        with pytest.raises(ValueError, match="not found"):
            Connection.creator(client=atlan, name="c", connector_type=VERTICA, **admins)
