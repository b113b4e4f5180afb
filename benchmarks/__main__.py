"""``python -m benchmarks``."""

from benchmarks.command_line import main

main(prog_name="python -m benchmarks")
