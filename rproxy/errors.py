"""The exceptions of rproxy. Each carries one line that can be shown to a user."""


class RproxyError(Exception):
    """The root of rproxy's own exceptions."""


class ConfigError(RproxyError):
    """The configuration is wrong; the text names each place."""


class TopologyError(RproxyError):
    """A node's answer about the topology cannot be used; the text says why."""


class StartError(RproxyError):
    """The process cannot start (port taken, unreadable file); the text is one line."""
