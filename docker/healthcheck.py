"""The container's health check: exit 0 if the admin server answers 200, else 1 with one line.

The slim image has no curl. ``RPROXY_HEALTH_URL`` names the address; a proxy of the environment is not asked.
"""

import os
import sys
from urllib.request import ProxyHandler, build_opener

URL = os.environ.get("RPROXY_HEALTH_URL", "http://127.0.0.1:9900/healthz")


def main() -> int:
    """The exit status for Docker."""
    try:
        with build_opener(ProxyHandler({})).open(URL, timeout=2) as answer:
            return 0 if answer.status == 200 else 1
    except (OSError, ValueError) as error:
        print(f"unhealthy: {URL}: {error}", file=sys.stderr)  # noqa: T201 - Docker shows it in `docker inspect`
        return 1


if __name__ == "__main__":
    sys.exit(main())
