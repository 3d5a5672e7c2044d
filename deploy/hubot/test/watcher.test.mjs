import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRobot, startSeraph } from './room.mjs'

// world is a Seraph with one deployment, whose state the test sets. events says whether there is a stream.
async function world (t, { events }) {
  const streams = []
  const deployment = { id: 12, state: 'waiting' }
  const seraph = await startSeraph(t, ({ method, path, body }, response) => {
    if (path === '/api/v1/commands') {
      const sentence = `#12 is ${deployment.state}.\nand more`
      return { json: body.text === 'why #12' ? { text: sentence } : { text: 'asked', deployment: { ...deployment } } }
    }
    if (path === '/api/v1/events' && events) {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write(': hello\n\n')
      streams.push(response)
      response.on('close', () => streams.splice(streams.indexOf(response), 1))
      return undefined
    }
    if (path === '/api/v1/deployments/12') {
      return { json: { ...deployment } }
    }
    return { status: 404, json: { error: { code: 'not_found', message: `no ${method} ${path}` } } }
  })

  return {
    ...seraph,
    deployment,
    streams,
    change (state) {
      deployment.state = state
      for (const stream of streams) {
        stream.write(`event: deployment\r\nid: 7\r\ndata: ${JSON.stringify({ id: 12, state, version: 3 })}\r\n\r\n`)
      }
    },
    asks: path => seraph.requests.filter(r => r.path === path).length
  }
}

for (const events of [true, false]) {
  test(`the room hears how its deployment ends, ${events ? 'by the stream' : 'by looking'}`, async t => {
    const seraph = await world(t, { events })
    // With the stream, looking now and then alone would take too long for this test.
    const room = await startRobot(t, { ...seraph.env, HUBOT_SERAPH_POLL_MS: events ? '60000' : '20' })
    await room.say('Hubot deploy api to staging', { thread: '17.1' })
    while (events && seraph.asks('/api/v1/events') === 0) {
      await new Promise(resolve => setImmediate(resolve))
    }

    seraph.change('running')
    seraph.change('held')
    await room.heard(2)
    seraph.change('succeeded')
    await room.heard(3)
    assert.ok(seraph.lines().every(line => line.prefix === 'Hubot'))
    assert.deepEqual(room.sent.map(({ room, thread, text }) => [room, thread, text]), [
      ['C1', '17.1', 'asked'],
      ['C1', '17.1', '#12 is held.\nand more'],
      ['C1', '17.1', '#12 is succeeded.\nand more']
    ])
    // Once the room was told, the deployment is forgotten and the stream is given up.
    while (room.robot.brain.get('seraph.watches').length > 0 || seraph.streams.length > 0) {
      await new Promise(resolve => setImmediate(resolve))
    }
  })
}

test('what only asks about a deployment is not followed', async t => {
  const seraph = await world(t, { events: true })
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot cancel #12')
  assert.equal(room.robot.brain.get('seraph.watches'), null)
})

test('a new process goes on with what the brain remembers', async t => {
  const seraph = await world(t, { events: false })
  const first = await startRobot(t, seraph.env)
  await first.say('Hubot rollback api in production')
  const remembered = JSON.parse(JSON.stringify(first.robot.brain.get('seraph.watches')))
  first.robot.shutdown()

  seraph.change('failed')
  const second = await startRobot(t, seraph.env)
  second.robot.brain.mergeData({ _private: { 'seraph.watches': remembered } })
  await second.heard(1)
  assert.deepEqual(second.sent, [{ room: 'C1', thread: undefined, text: '#12 is failed.\nand more' }])
  assert.equal(first.sent.length, 1)
})

test('the brain holds no text', async t => {
  const seraph = await world(t, { events: false })
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot deploy api to staging because of something private')
  const [watch] = room.robot.brain.get('seraph.watches')
  assert.deepEqual(Object.keys(watch).sort(), ['id', 'person', 'room', 'since', 'state', 'thread'])
})
