// Ordinary use of node-redis against the server on the port given as argument, in RESP3 if "3" follows; prints what was
// answered as a line of JSON.
"use strict";

const { createClient, WatchError } = require("redis");

const RESP = Number(process.argv[3] || 2);
const open = () => createClient({ url: `redis://127.0.0.1:${process.argv[2]}`, name: "ordinary-use", RESP, unstableResp3: true });
const answers = [];

async function note(name, promise) {
  try {
    answers.push([name, await promise]);
  } catch (error) {
    answers.push([name, error instanceof WatchError ? "WatchError" : `${error.name}: ${error.message}`]);
  }
}

async function data(redis) {
  await note("ping", redis.ping());
  await note("name", redis.clientGetName());
  await note("set", redis.set("greeting", "hällo", { EX: 100 }));
  await note("get", redis.get("greeting"));
  await note("missing", redis.get("missing"));
  await note("mset", redis.mSet({ a: "1", b: "2", c: "3", d: "4" }));
  await note("mget", redis.mGet(["a", "missing", "d", "b"]));
  await note("del", redis.del(["a", "b", "missing"]));
  await note("exists", redis.exists(["a", "c", "d"]));
  await note("incr", Promise.all(Array.from({ length: 20 }, () => redis.incr("count"))));
  await note("hset", redis.hSet("user:1", { name: "Ada", born: 1815 }));
  await note("hgetall", redis.hGetAll("user:1"));
  await note("rpush", redis.rPush("queue", ["x", "y", "z"]));
  await note("lrange", redis.lRange("queue", 0, -1));
  await note("zadd", redis.zAdd("scores", [{ score: 3, value: "c" }, { score: 1.5, value: "a" }]));
  await note("zrange", redis.zRangeWithScores("scores", 0, -1));
  await note("sadd", redis.sAdd("{tag}one", ["1", "2", "3"]).then(() => redis.sAdd("{tag}two", ["2", "3", "4"])));
  await note("sinter", redis.sInter(["{tag}one", "{tag}two"]).then((members) => [...members].sort()));
  await note("xadd", redis.xAdd("events", "1-1", { kind: "start" }));
  await note("xread", redis.xRead({ key: "events", id: "0" }, { COUNT: 10 }));
  await note("wrong type", redis.lPush("greeting", "x"));
  await note("script", redis.eval("return {KEYS[1], ARGV[1]}", { keys: ["k"], arguments: ["v"] }));
  await note("pipeline", Promise.all(Array.from({ length: 1000 }, (_, number) => redis.set(`bulk:${number}`, `${number}`))));
  const keys = [];
  for await (const batch of redis.scanIterator({ MATCH: "bulk:1*", COUNT: 50 })) keys.push(...batch);
  answers.push(["scan", keys.sort()]);
  await note("dbsize", redis.dbSize());
  await note("large", redis.set("large", "x".repeat(2_000_000)).then(() => redis.strLen("large")));
}

async function transactions(redis, other) {
  await note("multi", redis.multi().set("{t}a", "1").incr("{t}a").get("{t}a").exec());
  await note("watch", redis.watch("{t}a"));
  await note("kept", redis.multi().incr("{t}a").exec());
  await note("watch again", redis.watch("{t}a"));
  await note("other writes", other.set("{t}a", "100"));
  await note("lost", redis.multi().incr("{t}a").exec());
}

async function blocking(redis, other) {
  await note("blpop in vain", other.blPop("waiting", 0.05));
  const taken = other.blPop("waiting", 5);
  await note("push", redis.rPush("waiting", "element"));
  await note("blpop", taken);
}

async function channels(redis, other) {
  const heard = [];
  let done;
  const all = new Promise((resolve) => (done = resolve));
  const take = (message, channel) => heard.push(`${channel} ${message}`) === 3 && done();
  await note("subscribe", other.subscribe(["news", "weather"], take));
  await note("psubscribe", other.pSubscribe("n*", take));
  await note("publish", redis.publish("news", "hällo"));
  await note("publish again", redis.publish("weather", "rain"));
  await all;
  answers.push(["heard", heard.sort()]);
  await note("unsubscribe", other.unsubscribe(["news", "weather"]));
  await note("punsubscribe", other.pUnsubscribe("n*"));
  await note("after channels", other.get("greeting"));
}

async function main() {
  const redis = await open().connect();
  const other = await open().connect();
  await data(redis);
  await transactions(redis, other);
  await blocking(redis, other);
  await channels(redis, other);
  await Promise.all([redis.close(), other.close()]);
}

main().then(
  () => process.stdout.write(`${JSON.stringify(answers)}\n`),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
