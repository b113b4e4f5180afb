"""rproxy: a Redis Cluster proxy that clients see as one Redis server."""

from rproxy.form import force_pure_form

__version__ = "0.1.0"

force_pure_form()
