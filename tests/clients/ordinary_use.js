// Ordinary use of ioredis against the server on the port given as argument; prints what it answered as a line of JSON.
"use strict";

const Redis = require("ioredis");

const redis = new Redis({
  port: Number(process.argv[2]),
  host: "127.0.0.1",
  connectionName: "ordinary-use",
  keyPrefix: "",
  maxRetriesPerRequest: 2,
  retryStrategy: (times) => (times > 3 ? null : 100),
});
const answers = [];

async function note(name, promise) {
  try {
    answers.push([name, await promise]);
  } catch (error) {
    answers.push([name, `${error.name}: ${error.message}`]);
  }
}

async function scanAll(options) {
  const keys = [];
  for await (const batch of redis.scanStream(options)) keys.push(...batch);
  return keys.sort();
}

async function main() {
  await note("ping", redis.ping());
  await note("name", redis.client("GETNAME"));
  await note("set", redis.set("greeting", "hällo", "EX", 100));
  await note("get", redis.get("greeting"));
  await note("getBuffer", redis.getBuffer("greeting").then((value) => value.toString("hex")));
  await note("missing", redis.get("missing"));
  await note("ttl", redis.ttl("greeting").then((seconds) => seconds > 90));
  await note("mset", redis.mset({ a: "1", b: "2", c: "3", d: "4" }));
  await note("mget", redis.mget("a", "missing", "d", "b"));
  await note("del", redis.del("a", "b", "missing"));
  await note("exists", redis.exists("a", "c", "d"));
  await note("incr", Promise.all(Array.from({ length: 20 }, () => redis.incr("count"))));
  await note("hset", redis.hset("user:1", { name: "Ada", born: 1815 }));
  await note("hgetall", redis.hgetall("user:1"));
  await note("lists", redis.rpush("queue", "x", "y", "z"));
  await note("lrange", redis.lrange("queue", 0, -1));
  await note("zadd", redis.zadd("scores", 3, "c", 1, "a", 2, "b"));
  await note("zrange", redis.zrange("scores", 0, -1, "WITHSCORES"));
  await note("sadd", redis.sadd("{tag}one", 1, 2, 3).then(() => redis.sadd("{tag}two", 2, 3, 4)));
  await note("sinter", redis.sinter("{tag}one", "{tag}two"));
  await note("xadd", redis.xadd("events", "1-1", "kind", "start"));
  await note("xread", redis.xread("COUNT", 10, "STREAMS", "events", "0"));
  await note("wrong type", redis.lpush("greeting", "x"));
  await note("no integer", redis.incr("greeting"));

  redis.defineCommand("append_twice", {
    numberOfKeys: 1,
    lua: "redis.call('append', KEYS[1], ARGV[1]) return redis.call('append', KEYS[1], ARGV[1])",
  });
  await note("script", redis.append_twice("text", "ab"));
  await note("script again", redis.append_twice("text", "cd"));

  const pipeline = redis.pipeline();
  for (let number = 0; number < 200; number++) pipeline.set(`bulk:${number}`, number).get(`bulk:${number}`);
  pipeline.lpush("greeting", "x");
  await note("pipeline", pipeline.exec().then((rows) => rows.map(([error, value]) => (error ? error.message : value))));
  await note("scan", scanAll({ match: "bulk:1*", count: 50 }));
  await note("dbsize", redis.dbsize());
  await note("keys", redis.keys("user:*"));
  await note("large", redis.set("large", "x".repeat(2_000_000)).then(() => redis.strlen("large")));
  await note("quit", redis.quit());
}

main().then(
  () => process.stdout.write(`${JSON.stringify(answers)}\n`),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
