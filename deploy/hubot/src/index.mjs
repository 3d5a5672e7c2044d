// Description:
//   Deploys with Seraph. Seraph reads the text, knows the people and writes the answers; this script only carries them.
//
// Configuration:
//   HUBOT_SERAPH_URL        where Seraph is, such as http://seraph:8080
//   HUBOT_SERAPH_TOKEN      an API token of Seraph with the scope behalf=FACE/WORKSPACE
//   HUBOT_SERAPH_WORKSPACE  the workspace of the chat, where its messages do not name it; default local
//   HUBOT_SERAPH_FACE       what Seraph calls this chat; default hubot- and the name of the adapter
//   HUBOT_SERAPH_CATCH_ALL  false: say nothing to what nobody understands
//
// Commands:
//   hubot deploy APP[@REF] [to ENV] - deploy a branch, a tag or a commit
//   hubot rollback APP in ENV - deploy again what ran before
//   hubot status [APP] [in ENV] - what runs where
//   hubot why #ID - what a deployment waits for
//   hubot seraph help - everything that Seraph understands

import { Client } from './client.mjs'
import { Asker } from './asker.mjs'
import { Watcher } from './watcher.mjs'
import { addressed, isCommand } from './text.mjs'

export default async function seraph (robot) {
  const settings = readSettings(robot)
  if (settings.problem) {
    robot.logger.error(`hubot-seraph: ${settings.problem}`)
  }

  const client = new Client(settings)
  const watcher = new Watcher(robot, client, settings)
  const asker = new Asker(robot, client, watcher, settings)

  robot.listen(
    message => isCommand(said(robot, message)),
    { id: 'seraph.command' },
    async response => {
      response.message.finish() // what another script said to it would be about the same words
      await asker.take(response.message, said(robot, response.message))
    }
  )

  if (settings.catchAll) {
    robot.catchAll({ id: 'seraph.unknown' }, async response => {
      const message = response.message.message
      const text = said(robot, message)
      if (text) {
        await asker.take(message, text)
      }
    })
  }

  watcher.resume()
  robot.logger.info(`hubot-seraph: ready, as ${settings.face}/${settings.workspace}`)
  robot.brain.on('close', () => watcher.stop()) // the robot closes its brain as it shuts down
}

// said returns what a message says to the bot. The topic of a room says nothing to it.
function said (robot, message) {
  return message?.constructor?.name === 'TopicMessage' ? '' : addressed(robot, message?.text)
}

// readSettings reads the environment. What is wrong with it is said to everybody who asks, too.
function readSettings (robot) {
  const env = process.env
  const adapter = String(robot.adapterName ?? 'shell').split('/').pop().toLowerCase()
  const settings = {
    url: (env.HUBOT_SERAPH_URL ?? '').replace(/\/+$/, ''),
    token: env.HUBOT_SERAPH_TOKEN ?? '',
    workspace: env.HUBOT_SERAPH_WORKSPACE || 'local',
    face: env.HUBOT_SERAPH_FACE || 'hubot-' + adapter.replace(/^hubot-|adapter$/g, '').replace(/[^a-z0-9-]/g, ''),
    catchAll: env.HUBOT_SERAPH_CATCH_ALL !== 'false',
    timeout: Number(env.HUBOT_SERAPH_TIMEOUT_MS) || 30_000, // Seraph itself answers after 25 s at the latest
    poll: Number(env.HUBOT_SERAPH_POLL_MS) || 5_000,
    problem: ''
  }

  if (!URL.canParse(settings.url) || !/^https?:/.test(settings.url)) {
    settings.problem = 'HUBOT_SERAPH_URL must be the address of Seraph, such as http://seraph:8080'
  } else if (settings.token.length < 32) {
    settings.problem = 'HUBOT_SERAPH_TOKEN must be an API token of Seraph'
  }
  return settings
}
