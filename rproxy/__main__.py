"""``python -m rproxy``: the same as the ``rproxy`` command."""

from rproxy.cli.main import main

if __name__ == "__main__":
    main()
