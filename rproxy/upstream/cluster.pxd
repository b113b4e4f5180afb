cimport cython

from rproxy.metrics.counters cimport CommandStats
from rproxy.commands.spec cimport CommandSpec
from rproxy.transport.connection cimport Traffic, Turn
from rproxy.upstream.connection cimport UpstreamConnection
from rproxy.upstream.pool cimport Pool
from rproxy.upstream.shard_pools cimport ShardPools


cdef class Cluster:
    cdef readonly object settings
    cdef readonly str name
    cdef readonly object read_policy
    cdef readonly Turn turn
    cdef readonly Traffic traffic
    cdef readonly double op_timeout
    cdef readonly bint follows_redirections
    cdef readonly object topology
    cdef public object refresher
    cdef readonly object subscriptions
    cdef readonly object draw
    cdef readonly object slow_log
    cdef readonly object redirections
    cdef readonly object failures
    cdef public long long retries
    cdef public long long rate_limited
    cdef readonly object parking
    cdef readonly object pools
    cdef readonly object health
    cdef public bint has_parked
    cdef readonly bint is_single
    cdef readonly object tags
    cdef readonly object tls
    cdef double _owners_awaited_until
    cdef list _shards
    cdef list _shard_slots
    cdef const unsigned short[::1] _shard_at
    cdef list _stats
    @cython.locals(index=cython.int, shard=ShardPools, pool=Pool)
    cpdef UpstreamConnection connection_for(self, int slot, bint is_read, Py_ssize_t affinity)
    @cython.locals(index=cython.int, stats=CommandStats)
    cpdef CommandStats stats_of(self, CommandSpec spec)
