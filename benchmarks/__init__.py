"""The benchmark harness: rproxy and its peers under the same load, in turn, in one run. See docs/performance.md."""
