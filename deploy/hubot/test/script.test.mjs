import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TopicMessage, User } from 'hubot'
import { freePort, startRobot, startSeraph } from './room.mjs'

const echo = ({ body }) => ({ json: { text: `heard: ${body.text}` } })

test('a line goes to Seraph with the person, the room and the message', async t => {
  const seraph = await startSeraph(t, echo)
  const room = await startRobot(t, { ...seraph.env, HUBOT_SERAPH_WORKSPACE: 'T0ACME001' }, { name: '@x/hubot-slack' })
  await room.say('@Hubot: deploy api to staging', { id: '1700000000.000100' })

  assert.deepEqual(seraph.lines(), [{
    text: 'deploy api to staging',
    prefix: 'Hubot',
    person: { face: 'hubot-slack', workspace: 'T0ACME001', user: 'U0ALICE01' },
    place: 'C1',
    request: 'C1:1700000000.000100'
  }])
  assert.equal(seraph.requests[0].headers.authorization, 'Bearer a-token-of-at-least-32-characters')
  assert.deepEqual(room.sent, [{ room: 'C1', thread: undefined, text: 'heard: deploy api to staging' }])
})

test('a message that Slack delivers twice is one request', async t => {
  const seraph = await startSeraph(t, echo)
  const room = await startRobot(t, seraph.env, { name: 'hubot-slack' })
  await room.say('Hubot locks', { id: '1700000000.000100' })
  await room.say('Hubot locks', { id: '1700000000.000100' })
  const [first, second] = seraph.lines()
  assert.equal(first.request, second.request)
})

test('elsewhere each message is a request of its own', async t => {
  const seraph = await startSeraph(t, echo)
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot locks')
  await room.say('Hubot locks')
  const [first, second] = seraph.lines()
  assert.notEqual(first.request, second.request)
  assert.deepEqual(first.person, { face: 'hubot-room', workspace: 'local', user: 'U0ALICE01' })
})

test('somebody of another workspace is named by their own', async t => {
  const seraph = await startSeraph(t, echo)
  const room = await startRobot(t, { ...seraph.env, HUBOT_SERAPH_WORKSPACE: 'T0ACME001' }, { name: 'hubot-slack' })
  await room.say('Hubot locks', { team: 'T0STRANGE' })
  assert.equal(seraph.lines()[0].person.workspace, 'T0STRANGE')
})

test('the answer goes to the room and thread of the question', async t => {
  let release
  const held = new Promise(resolve => { release = resolve })
  const seraph = await startSeraph(t, async asked => {
    await (asked.body.place === 'C1' ? held : undefined)
    return echo(asked)
  })
  const room = await startRobot(t, seraph.env)
  const first = room.say('Hubot status', { room: 'C1', thread: '17.1' })
  await room.say('Hubot locks', { room: 'C2' }) // the adapter now says that the person is in C2
  release()
  await first
  assert.deepEqual(room.sent, [
    { room: 'C2', thread: undefined, text: 'heard: locks' },
    { room: 'C1', thread: '17.1', text: 'heard: status' }
  ])
})

test('what others are told, and what other scripts take, does not go to Seraph', async t => {
  const seraph = await startSeraph(t, echo)
  const room = await startRobot(t, seraph.env, {
    more: robot => robot.respond(/ping$/i, response => response.send('PONG'))
  })
  await room.robot.receive(new TopicMessage(new User('U0ALICE01', { room: 'C1' }), 'Hubot deploy api to production', '1'))
  for (const text of ['deploy api to production', 'Hubotdeploy api', 'please Hubot deploy api', 'Hubot ping', 'Hubot']) {
    await room.say(text)
  }
  assert.deepEqual(seraph.lines(), [])
  assert.deepEqual(room.sent.map(s => s.text), ['PONG'])
})

test('what nobody understands goes to Seraph, which says what is meant', async t => {
  const seraph = await startSeraph(t, echo)
  const room = await startRobot(t, seraph.env)
  for (const text of ["Hubot don't deploy api to prod", 'Hubot deply api', 'Hubot seraph help', 'Hubot deploy api\nto prod']) {
    await room.say(text)
  }
  assert.deepEqual(seraph.lines().map(l => l.text), ["don't deploy api to prod", 'deply api', 'help', 'deploy api\nto prod'])
})

test('the words of unknown messages can be left to other bots', async t => {
  const seraph = await startSeraph(t, echo)
  const room = await startRobot(t, { ...seraph.env, HUBOT_SERAPH_CATCH_ALL: 'false' })
  await room.say('Hubot what is this')
  await room.say('Hubot deploy! api because x')
  assert.deepEqual(seraph.lines().map(l => l.text), ['deploy! api because x'])
})

test('an answer names the help that Seraph gives, and not that of Hubot', async t => {
  const seraph = await startSeraph(t, () => ({ json: { text: 'That is no app. "Hubot help" lists it, "Hubot status" shows it.' } }))
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot deploy x')
  assert.equal(room.sent[0].text, 'That is no app. "Hubot seraph help" lists it, "Hubot status" shows it.')
})

// Seraph refuses such a name with 400, and with it every command.
for (const name of ['A'.repeat(51), '<Hubot>', 'a "bot"', 'Hubot`', 'Hu\u200bbot']) {
  test(`a bot's name that Seraph does not take is not sent: ${JSON.stringify(name)}`, async t => {
    const seraph = await startSeraph(t, () => ({ json: { text: 'That is no app. "help" lists it, "status" shows it.' } }))
    const room = await startRobot(t, seraph.env, { more: robot => { robot.name = name } })
    await room.say(`${name}: deploy x`)
    assert.equal(seraph.lines()[0].prefix, '')
    assert.equal(room.sent[0].text, 'That is no app. "seraph help" lists it, "status" shows it.')
  })
}

test('a bot\'s name of 50 characters is sent', async t => {
  const seraph = await startSeraph(t, echo)
  const name = '\u{1f916}'.repeat(50)
  const room = await startRobot(t, seraph.env, { more: robot => { robot.name = name } })
  await room.say(`${name}: status`)
  assert.equal(seraph.lines()[0].prefix, name)
})

test('an answer calls nobody', async t => {
  const seraph = await startSeraph(t, () => ({ json: { text: 'locked: <!channel> <@U1> @everyone @here, see <#C1>' } }))
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot locks')
  assert.equal(room.sent[0].text, 'locked: <\u200b!channel> <\u200b@U1> @\u200beveryone @\u200bhere, see <\u200b#C1>')
})

test('an answer shows no link as something else, and the output of programs as it is', async t => {
  const text = 'failed, see <https://evil.example|approve here>:\n  *bold* <https://evil.example|go on>\n  ``` <@U1>\nThat is all.'
  const seraph = await startSeraph(t, () => ({ json: { text } }))
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot why #5')
  assert.equal(room.sent[0].text, 'failed, see <\u200bhttps://evil.example|approve here>:\n' +
    '```\n*bold* <\u200bhttps://evil.example|go on>\n`\u200b`\u200b` <\u200b@U1>\n```\nThat is all.')
})

test('an answer that ends with the output of programs ends their fence', async t => {
  const seraph = await startSeraph(t, () => ({ json: { text: 'ended with:\n  exit 1' } }))
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot why #5')
  assert.equal(room.sent[0].text, 'ended with:\n```\nexit 1\n```')
})

test('after a lost answer nothing is known, and again asks for the same', async t => {
  let lose = true
  const seraph = await startSeraph(t, (asked, response) => {
    if (lose) {
      lose = false
      response.destroy()
      return undefined
    }
    return echo(asked)
  })
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot deploy api to staging')
  assert.match(room.sent[0].text, /unknown whether this was done\. Ask "Hubot status"/)
  await room.say('Hubot seraph again', { user: 'U0BOB' })
  assert.match(room.sent[1].text, /No answer of Seraph was lost here/)
  await room.say('Hubot seraph again')
  assert.equal(room.sent[2].text, 'heard: deploy api to staging')
  const [first, second] = seraph.lines()
  assert.deepEqual(first, second)
  await room.say('Hubot seraph again')
  assert.match(room.sent[3].text, /No answer of Seraph was lost here/)
})

test('an answer that does not come is lost after the timeout', async t => {
  const seraph = await startSeraph(t, () => undefined)
  const room = await startRobot(t, { ...seraph.env, HUBOT_SERAPH_TIMEOUT_MS: '50' })
  await room.say('Hubot deploy api to staging')
  assert.match(room.sent[0].text, /The answer of Seraph was lost/)
})

test('an answer of something that is not Seraph is lost', async t => {
  const seraph = await startSeraph(t, (_, response) => {
    response.writeHead(502)
    response.end('<html>bad gateway</html>')
  })
  const room = await startRobot(t, seraph.env)
  await room.say('Hubot deploy api to staging')
  assert.match(room.sent[0].text, /The answer of Seraph was lost/)
})

test('a Seraph that is not there has done nothing', async t => {
  const seraph = await startSeraph(t, echo)
  const room = await startRobot(t, { ...seraph.env, HUBOT_SERAPH_URL: `http://127.0.0.1:${await freePort()}` })
  await room.say('Hubot deploy api to staging')
  assert.match(room.sent[0].text, /^Seraph cannot be reached, and nothing was done/)
})

test('refusals are passed on', async t => {
  const refusals = {
    link: { status: 403, json: { error: { code: 'not_linked', message: 'the user is not linked' } } },
    unlink: { status: 401, json: { error: { code: 'unauthorized', message: 'a valid bearer token is required' } } },
    locks: { status: 503, json: { error: { code: 'unavailable', message: 'GitHub did not answer' } } }
  }
  const seraph = await startSeraph(t, ({ body }) => refusals[body.text])
  const room = await startRobot(t, seraph.env)
  for (const text of Object.keys(refusals)) {
    await room.say(`Hubot ${text}`)
  }
  assert.deepEqual(room.sent.map(s => s.text), [
    'Nothing was done: the user is not linked.',
    'Nothing was done: Seraph does not accept the token of this bot. Whoever looks after the bot must set HUBOT_SERAPH_TOKEN.',
    'Seraph could not do that now: GitHub did not answer. "Hubot seraph again" tries it once more.'
  ])
})

test('a bot without settings says so', async t => {
  const room = await startRobot(t, { HUBOT_SERAPH_URL: '', HUBOT_SERAPH_TOKEN: '' })
  await room.say('Hubot deploy api to staging')
  assert.match(room.sent[0].text, /^Nothing was done: HUBOT_SERAPH_URL must be the address of Seraph/)
})
