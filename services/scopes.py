"""Scopes: what a token of the REST API may be made for, and the least role that each needs."""

from __future__ import annotations

from enum import StrEnum

from staff import StaffRole


class Scope(StrEnum):
    """One thing that a token may do, as long as the role of its owner may."""

    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    USERS_ROLES = "users:roles"
    USERS_EXPORT = "users:export"
    USERS_ERASE = "users:erase"
    EVENTS_READ = "events:read"
    STATS_READ = "stats:read"
    PLUGINS_READ = "plugins:read"
    PLUGINS_WRITE = "plugins:write"
    FAILURES_READ = "failures:read"
    FAILURES_WRITE = "failures:write"
    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    HEALTH_READ = "health:read"

    @property
    def role(self) -> StaffRole:
        """The least role that may do this."""
        return _ROLES.get(self, StaffRole.VIEWER)

    @property
    def help(self) -> str:
        """What it is, in a few words."""
        return _HELP[self]


_ROLES = {
    Scope.USERS_WRITE: StaffRole.OPERATOR,
    Scope.FAILURES_WRITE: StaffRole.OPERATOR,
    Scope.MESSAGES_WRITE: StaffRole.OPERATOR,
    Scope.USERS_ROLES: StaffRole.ADMIN,
    Scope.USERS_EXPORT: StaffRole.ADMIN,
    Scope.USERS_ERASE: StaffRole.ADMIN,
    Scope.PLUGINS_WRITE: StaffRole.ADMIN,
}
_HELP = {
    Scope.USERS_READ: "see people",
    Scope.USERS_WRITE: "ban and unban people, change their language",
    Scope.USERS_ROLES: "give people roles",
    Scope.USERS_EXPORT: "get all that is held on a person",
    Scope.USERS_ERASE: "erase people",
    Scope.EVENTS_READ: "see events",
    Scope.STATS_READ: "see the numbers",
    Scope.PLUGINS_READ: "see plugins and their settings",
    Scope.PLUGINS_WRITE: "switch plugins and change their settings",
    Scope.FAILURES_READ: "see failures",
    Scope.FAILURES_WRITE: "replay and dismiss failures",
    Scope.MESSAGES_READ: "see what became of a message",
    Scope.MESSAGES_WRITE: "write to people",
    Scope.HEALTH_READ: "see how the bot is doing",
}


def open_to(role: StaffRole) -> list[Scope]:
    """The scopes that somebody with a role may give a token."""
    return [scope for scope in Scope if role.may(scope.role)]
