import { randomUUID } from 'node:crypto'
import { plain, prefix } from './text.mjs'

const key = 'seraph.watches' // in the brain
const maxWatches = 200
const maxAge = 48 * 3_600_000 // milliseconds
const newsworthy = ['held', 'succeeded', 'failed', 'errored', 'canceled', 'rejected']

// Watcher tells a room what becomes of the deployments that were asked for there: when one is held, and how it ends.
// Seraph's event stream says when to look. Where it is not to be had, it looks every few seconds.
export class Watcher {
  #watches = new Map() // by deployment id: {id, state, person, room, thread, since}
  #looking = new Set() // ids that are being looked at
  #stop = new AbortController()
  #stream = null // ends the stream, while one is open or being opened
  #live = false
  #timer = null

  constructor (robot, client, settings) {
    this.robot = robot
    this.client = client
    this.poll = settings.poll
  }

  // resume goes on with what an earlier process watched, if the brain remembers it.
  resume () {
    const load = () => {
      for (const watch of this.robot.brain.get(key) ?? []) {
        this.#watches.set(watch.id, watch)
      }
      this.#run()
    }
    load()
    this.robot.brain.on('loaded', load)
  }

  // stop ends all watching.
  stop () {
    this.#stop.abort()
    clearTimeout(this.#timer)
    this.#watches.clear()
  }

  // add watches a deployment for the room of an envelope.
  async add ({ id, state }, person, { room, message }) {
    if (newsworthy.includes(state) && state !== 'held') {
      return // the answer has said it
    }
    if (this.#watches.size >= maxWatches) {
      this.#watches.delete(this.#watches.keys().next().value)
    }
    this.#watches.set(id, { id, state, person, room, thread: message?.thread_ts, since: Date.now() })
    this.#save()
    this.#run()
  }

  #save () {
    this.robot.brain.set(key, [...this.#watches.values()])
    if (this.#watches.size === 0) {
      this.#stream?.abort() // Seraph serves only so many
    }
  }

  // #run looks at each deployment now and then, and listens to the stream.
  #run () {
    if (this.#stop.signal.aborted || this.#watches.size === 0) {
      return
    }
    if (this.#stream === null) {
      this.#listen()
    }
    if (this.#timer === null) {
      this.#timer = setTimeout(() => this.#tick(), this.#live ? 12 * this.poll : this.poll)
      this.#timer.unref()
    }
  }

  async #tick () {
    await Promise.all([...this.#watches.keys()].map(id => this.#look(id)))
    this.#timer = null
    this.#run()
  }

  // #listen looks at a deployment as soon as the stream says that it has changed.
  async #listen () {
    this.#stream = new AbortController()
    const signal = AbortSignal.any([this.#stop.signal, this.#stream.signal])
    try {
      await this.client.events(signal, () => { this.#live = true }, ({ id }) => this.#look(id))
    } catch (error) {
      this.robot.logger.debug(`hubot-seraph: no events: ${error.message}`)
    }
    this.#live = false
    this.#stream = null
  }

  // #look tells the room what is new about a deployment.
  async #look (id) {
    const watch = this.#watches.get(id)
    if (!watch || this.#looking.has(id)) {
      return
    }

    this.#looking.add(id)
    try {
      const { state } = await this.client.deployment(id)
      if (state === watch.state) {
        this.#forgetOld(watch)
        return
      }

      watch.state = state
      if (newsworthy.includes(state)) {
        await this.#tell(watch)
      }
      if (newsworthy.includes(state) && state !== 'held') {
        this.#watches.delete(id)
      }
      this.#save()
    } catch (error) {
      this.robot.logger.debug(`hubot-seraph: deployment ${id} not read: ${error.message}`)
      this.#forgetOld(watch)
    } finally {
      this.#looking.delete(id)
    }
  }

  #forgetOld (watch) {
    if (Date.now() - watch.since > maxAge) {
      this.#watches.delete(watch.id)
      this.#save()
    }
  }

  // #tell says Seraph's own sentence about a deployment.
  async #tell ({ id, state, person, room, thread }) {
    let text = `#${id} is ${state}.`
    try {
      const answer = await this.client.ask({
        text: `why #${id}`,
        prefix: prefix(this.robot.name),
        person,
        place: String(room ?? ''),
        request: randomUUID()
      })
      text = answer.text
    } catch (error) {
      this.robot.logger.debug(`hubot-seraph: no sentence about ${id}: ${error.message}`)
    }
    await this.robot.send({ room, message: { thread_ts: thread }, user: { room } }, plain(text))
  }
}
