"""An embedded Redis Cluster and the guided tour of what rproxy does with it."""
