// SPDX-License-Identifier: Apache-2.0
// MQTT.js against a running broker: node mqttjs_client.js ADDRESS PORT. Started by test_clients.py.
'use strict'
const assert = require('assert')
const mqtt = require('mqtt')

const url = `mqtt://${process.argv[2]}:${process.argv[3]}`
const options = (clientId, clean) =>
  ({ clientId, clean, reconnectPeriod: 0, connectTimeout: 20000, protocolVersion: 4 })

const connect = (clientId, clean = true) => new Promise((resolve, reject) => {
  const client = mqtt.connect(url, options(clientId, clean))
  client.received = []
  client.on('message', (topic, payload, packet) => client.received.push(packet))
  client.once('connect', (connack) => { client.connack = connack; resolve(client) })
  client.once('error', reject)
})
const call = (client, name, ...args) => new Promise((resolve, reject) =>
  client[name](...args, (error, value) => error ? reject(error) : resolve(value)))
const received = async (client, count) => {
  while (client.received.length < count) {
    await new Promise((resolve) => client.once('packetreceive', () => setImmediate(resolve)))
  }
  return client.received
}

const main = async () => {
  const publisher = await connect('js-publisher')
  let subscriber = await connect('js-subscriber', false)
  const granted = await call(subscriber, 'subscribe', { 'js/+/value': { qos: 2 } })
  assert.strictEqual(granted[0].qos, 2)

  for (const qos of [0, 1, 2]) await call(publisher, 'publish', `js/${qos}/value`, `m${qos}`, { qos })
  const live = await received(subscriber, 3)
  assert.deepStrictEqual(live.map((p) => [p.topic, p.payload.toString(), p.qos]).sort(),
    [['js/0/value', 'm0', 0], ['js/1/value', 'm1', 1], ['js/2/value', 'm2', 2]])

  await call(subscriber, 'end', false, {})
  for (let i = 0; i < 20; i++) await call(publisher, 'publish', 'js/x/value', String(i), { qos: 1 })
  subscriber = await connect('js-subscriber', false)
  assert.strictEqual(subscriber.connack.sessionPresent, true)
  const queued = await received(subscriber, 20)
  assert.deepStrictEqual(queued.map((p) => Number(p.payload)), [...Array(20).keys()])
  await call(subscriber, 'end', false, {})

  await call(await connect('js-subscriber', true), 'end', false, {})
  await call(publisher, 'end', false, {})
  console.log('good')
}
main().catch((error) => { console.error(error); process.exit(1) })
