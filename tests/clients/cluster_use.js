// ioredis's Cluster on the port given as argument: what it found and was answered, as a line of JSON.
"use strict";

const Redis = require("ioredis");

const cluster = new Redis.Cluster([{ host: "127.0.0.1", port: Number(process.argv[2]) }], {
  clusterRetryStrategy: (times) => (times > 3 ? null : 100),
});

async function main() {
  const answers = {};
  const numbers = Array.from({ length: 100 }, (_, number) => number);
  await Promise.all(numbers.map((number) => cluster.set(`key:${number}`, number)));
  answers.values = await Promise.all(numbers.map((number) => cluster.get(`key:${number}`)));
  answers.masters = cluster.nodes("master").map((node) => node.options.port);
  answers.tagged = await cluster.mset("{tag}a", 1, "{tag}b", 2).then(() => cluster.mget("{tag}a", "{tag}b"));
  const pipeline = cluster.pipeline();
  for (const number of numbers.slice(0, 50)) pipeline.incr(`key:${number}`);
  answers.pipeline = await pipeline.exec().then((rows) => rows.map(([, value]) => value));
  answers.slots = await cluster.cluster("SLOTS").then(([[first, last]]) => [first, last]);
  await cluster.quit();
  return answers;
}

main().then(
  (answers) => process.stdout.write(`${JSON.stringify(answers)}\n`),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
