// Consumes one message from each queue named and prints its headers as JSON: name -> [type, value as text].
const [, , client, url, ...queues] = process.argv;
const amqp = require(client);

const fail = (error) => {
  console.error(String(error));
  process.exit(1);
};

const one = async (queue) => {
  const connection = await amqp.connect(url);
  connection.on("error", fail);
  const channel = await connection.createChannel();
  const message = await new Promise((resolve) => channel.consume(queue, resolve, { noAck: true }));
  const shown = {};
  for (const [name, value] of Object.entries(message.properties.headers)) shown[name] = [typeof value, String(value)];
  console.log(JSON.stringify(shown));
  await connection.close();
};

setTimeout(() => fail("no message came"), 20_000).unref();
process.on("uncaughtException", fail);
queues.reduce((before, queue) => before.then(() => one(queue)), Promise.resolve()).catch(fail);
