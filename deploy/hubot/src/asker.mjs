import { randomUUID } from 'node:crypto'
import { Lost, Refused } from './client.mjs'
import { command, ownHelp, plain, prefix } from './text.mjs'

const maxLost = 100 // people whose lost lines are kept

// Asker carries lines of text to Seraph, and its answers back to the room and thread that they came from.
export class Asker {
  #lost = new Map() // of each person in each room: the request whose answer was lost

  constructor (robot, client, watcher, settings) {
    this.robot = robot
    this.client = client
    this.watcher = watcher
    this.settings = settings
  }

  // take answers one message.
  async take (message, text) {
    // The adapter may change message.user.room while this waits for Seraph, so that the room is read now.
    const envelope = { room: message.room, user: message.user, message }
    if (this.settings.problem) {
      await this.robot.send(envelope, `Nothing was done: ${this.settings.problem}.`)
      return
    }

    const who = `${message.user.id} ${message.room}`
    let request = {
      text: command(text),
      prefix: prefix(this.robot.name),
      person: this.#person(message),
      place: String(message.room ?? ''),
      request: this.#requestID(message)
    }
    if (/^again\W*$/i.test(request.text)) {
      request = this.#lost.get(who)
      if (!request) {
        await this.robot.send(envelope, 'No answer of Seraph was lost here: say what you want in full.')
        return
      }
    }

    this.#lost.delete(who)
    await this.robot.send(envelope, plain(await this.#ask(request, who, envelope)))
  }

  // #ask returns what to say.
  async #ask (request, who, envelope) {
    try {
      const answer = await this.client.ask(request)
      if (answer.deployment && /^\s*(deploy|rollback)/i.test(request.text)) {
        await this.watcher.add(answer.deployment, request.person, envelope)
      }
      return ownHelp(answer.text, prefix(this.robot.name))
    } catch (error) {
      return this.#failed(error, request, who)
    }
  }

  // #failed says what went wrong, and keeps the request where the person may want to send it again.
  #failed (error, request, who) {
    const mayAsk = error instanceof Lost || error.status >= 500 || error.status === 429
    if (mayAsk) {
      this.#keep(who, request)
    }

    const [again, status] = [`${this.robot.name} seraph again`, `${this.robot.name} status`]
    switch (true) {
      case error instanceof Lost && !error.sent:
        return `Seraph cannot be reached, and nothing was done. Once whoever looks after it has helped, say "${again}".`
      case error instanceof Lost:
        return `The answer of Seraph was lost, so that it is unknown whether this was done. Ask "${status}" to see. ` +
          `"${again}" asks for the same once more, and does nothing twice.`
      case mayAsk:
        return `Seraph could not do that now: ${error.message}. "${again}" tries it once more.`
      case error instanceof Refused && error.status === 401:
        return 'Nothing was done: Seraph does not accept the token of this bot. ' +
          'Whoever looks after the bot must set HUBOT_SERAPH_TOKEN.'
      case error instanceof Refused:
        return `Nothing was done: ${error.message}.`
      default:
        this.robot.logger.error(`hubot-seraph: ${error.stack}`)
        return `Something is wrong with this bot, and it is unknown whether this was done. Ask "${status}" to see.`
    }
  }

  #keep (who, request) {
    this.#lost.set(who, request)
    if (this.#lost.size > maxLost) {
      this.#lost.delete(this.#lost.keys().next().value)
    }
  }

  // #person names who says something as the chat does. Somebody of another workspace, who shares a channel, is named
  // by their own one, so that Seraph does not take them for one of ours with the same id.
  #person ({ user }) {
    return {
      face: this.settings.face,
      workspace: String(user.team_id ?? user.slack?.team_id ?? this.settings.workspace),
      user: String(user.id)
    }
  }

  // #requestID is the same for a message that the chat delivers twice. Only Slack's ids are known to be unique;
  // elsewhere each delivery is a message of its own.
  #requestID (message) {
    if (this.settings.face === 'hubot-slack' && /^\d+\.\d+$/.test(String(message.id))) {
      return `${message.room}:${message.id}`
    }
    return randomUUID()
  }
}
