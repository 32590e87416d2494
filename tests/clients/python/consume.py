"""Takes one message from each queue named and prints its headers as JSON: name -> [type, value as text]."""

import asyncio
import json
import sys

PATIENCE_SECONDS = 20.0


def shown(headers):
    return json.dumps({name: [type(value).__name__, str(value)] for name, value in headers.items()}) + "\n"


def with_pika(url, queue):
    import pika  # noqa: PLC0415 - neither is needed for the other

    connection = pika.BlockingConnection(pika.URLParameters(url))
    for _, properties, _ in connection.channel().consume(queue, auto_ack=True, inactivity_timeout=PATIENCE_SECONDS):
        assert properties is not None, "no message came"
        sys.stdout.write(shown(properties.headers))
        break
    connection.close()


async def with_aio_pika(url, queue):
    import aio_pika  # noqa: PLC0415 - same as above

    connection = await aio_pika.connect(url, timeout=PATIENCE_SECONDS)
    channel = await connection.channel()
    async with (await channel.get_queue(queue)).iterator(no_ack=True, timeout=PATIENCE_SECONDS) as messages:
        async for message in messages:
            sys.stdout.write(shown(message.headers))
            break
    await connection.close()


client, url, *queues = sys.argv[1:]
for queue in queues:
    with_pika(url, queue) if client == "pika" else asyncio.run(with_aio_pika(url, queue))
