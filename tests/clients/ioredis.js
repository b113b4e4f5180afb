// Ordinary use of ioredis against the server on the port given as argument, with its cluster client if "cluster"
// follows; prints what was answered as a line of JSON.
"use strict";

const Redis = require("ioredis");

const port = Number(process.argv[2]);
const isCluster = process.argv[3] === "cluster";
const options = { connectionName: "ordinary-use", maxRetriesPerRequest: 2, retryStrategy: (times) => (times > 3 ? null : 100) };
const open = () =>
  isCluster ? new Redis.Cluster([{ host: "127.0.0.1", port }], { redisOptions: options }) : new Redis({ port, host: "127.0.0.1", ...options });
const redis = open();
const other = open();
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
  const node = isCluster ? redis.nodes("master")[0] : redis;
  for await (const batch of node.scanStream(options)) keys.push(...batch);
  return keys.sort();
}

async function transactions() {
  await note("multi", redis.multi().set("{t}a", 1).incr("{t}a").lpush("{t}a", "x").get("{t}a").exec().then(texts));
  await note("watch", redis.watch("{t}a"));
  await note("kept", redis.multi().incr("{t}a").exec());
  await note("watch again", redis.watch("{t}a"));
  await note("other writes", other.set("{t}a", 100));
  await note("lost", redis.multi().incr("{t}a").exec());
  await note("after", redis.get("{t}a"));
}

async function blocking() {
  await note("blpop in vain", other.blpop("waiting", 0.05));
  const taken = other.blpop("waiting", 5);
  await note("push", redis.rpush("waiting", "element"));
  await note("blpop", taken);
  await note("xadd 2", redis.xadd("waited", "1-1", "f", "v"));
  await note("xread block", other.xread("BLOCK", 1000, "STREAMS", "waited", "0"));
}

async function channels() {
  const heard = [];
  const all = new Promise((resolve) => {
    const take = (...words) => heard.push(words) === 3 && resolve();
    other.on("message", take);
    other.on("pmessage", take);
  });
  await note("subscribe", other.subscribe("news", "weather"));
  await note("psubscribe", other.psubscribe("n*"));
  await note("publish", redis.publish("news", "hällo"));
  await note("publish again", redis.publish("weather", "rain"));
  await all;
  answers.push(["heard", heard.map((words) => words.join(" ")).sort()]);
  await note("unsubscribe", other.unsubscribe("news", "weather"));
  await note("punsubscribe", other.punsubscribe("n*"));
  await note("after channels", other.get("greeting"));
}

const texts = (rows) => rows.map(([error, value]) => (error ? error.message : value));

async function main() {
  await note("ping", redis.ping());
  if (!isCluster) await note("name", redis.client("GETNAME"));
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
  for (let number = 0; number < 1000; number++) pipeline.set(`bulk:${number}`, number).get(`bulk:${number}`);
  pipeline.lpush("greeting", "x");
  await note("pipeline", pipeline.exec().then(texts));
  await transactions();
  await blocking();
  await channels();
  await note("scan", scanAll({ match: "bulk:1*", count: 50 }));
  await note("dbsize", redis.dbsize());
  await note("keys", redis.keys("user:*"));
  await note("large", redis.set("large", "x".repeat(2_000_000)).then(() => redis.strlen("large")));
  await note("quit", redis.quit());
  await note("quit other", other.quit());
}

main().then(
  () => process.stdout.write(`${JSON.stringify(answers)}\n`),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
