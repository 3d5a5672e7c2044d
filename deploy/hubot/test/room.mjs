// A robot in rooms of its own, and a server that answers as Seraph does.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { Adapter, Robot, TextMessage, User } from 'hubot'

// Room is an adapter that keeps what the robot sends.
class Room extends Adapter {
  sent = []

  async send (envelope, ...strings) {
    for (const text of strings) {
      this.sent.push({ room: envelope.room, thread: envelope.message?.thread_ts, text })
    }
    this.emit('sent')
  }

  async reply (envelope, ...strings) {
    await this.send(envelope, ...strings)
  }

  async run () {
    this.emit('connected')
  }
}

// startRobot starts Hubot with the script of this package. Its settings are the environment, which is put back when the
// robot stops.
export async function startRobot (t, env, { name = 'room', more } = {}) {
  const before = { ...process.env }
  Object.assign(process.env, { HUBOT_LOG_LEVEL: 'silent' }, env)
  const robot = new Robot({ name, use: robot => Object.assign(new Room(robot), { name }) }, false, 'Hubot', false)
  await robot.loadAdapter()
  await more?.(robot)
  await robot.loadFile(new URL('../src/', import.meta.url).pathname, 'index.mjs')
  await robot.run()
  t.after(() => {
    robot.shutdown()
    process.env = before
  })

  const users = new Map()
  return {
    robot,
    sent: robot.adapter.sent,
    // say sends a message to the robot and waits until it has dealt with it.
    async say (text, { user = 'U0ALICE01', room = 'C1', id = 'id', thread, team } = {}) {
      if (!users.has(user)) {
        users.set(user, new User(user, { name: user }))
      }
      const author = Object.assign(users.get(user), { room }, team && { team_id: team })
      const message = Object.assign(new TextMessage(author, text, id), { thread_ts: thread })
      await robot.receive(message)
    },
    // heard waits until the robot has sent n messages.
    async heard (n) {
      while (robot.adapter.sent.length < n) {
        await once(robot.adapter, 'sent', { signal: AbortSignal.timeout(60_000) })
      }
      return robot.adapter.sent
    }
  }
}

// startSeraph serves the API with one function: what it returns is the answer. It may also answer by itself.
export async function startSeraph (t, answer) {
  const requests = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) {
      body += chunk
    }
    const asked = { method: request.method, path: request.url, headers: request.headers, body: body && JSON.parse(body) }
    requests.push(asked)
    const given = await answer(asked, response)
    if (given && !response.headersSent && !response.destroyed) {
      response.writeHead(given.status ?? 200, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(given.json))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })

  const env = {
    HUBOT_SERAPH_URL: `http://127.0.0.1:${server.address().port}`,
    HUBOT_SERAPH_TOKEN: 'a-token-of-at-least-32-characters',
    HUBOT_SERAPH_POLL_MS: '20'
  }
  return { requests, env, lines: () => requests.filter(r => r.path === '/api/v1/commands').map(r => r.body) }
}

// Processes begin at different ports. All are below those that the system takes for outgoing connections and for port
// 0, so that none of these takes a port before the program that it is for listens there.
let lastPort = 10_000 + process.pid % 100 * 50

// freePort returns a port at which nothing listens, and never the same one twice.
export async function freePort () {
  for (;;) {
    const port = ++lastPort
    const server = createServer()
    try {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening') // throws where something listens there
    } catch (problem) {
      if (problem.code === 'EADDRINUSE') {
        continue
      }
      throw problem
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
