"""The HTTP interface for operators and Prometheus."""
