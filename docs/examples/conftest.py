"""The people and places of the tests: those of the test kit."""

from bot.testing import alice, bob, dan, environ, group, kit, plugins, vera

__all__ = ["alice", "bob", "dan", "environ", "group", "kit", "plugins", "vera"]
