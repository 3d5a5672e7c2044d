// The whole way: Hubot with its shell adapter and this package as npm installs it, the real Seraph, and the simulated
// GitHub and CircleCI. `make hubot` builds the programs.
import assert from 'node:assert/strict'
import { spawn, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { freePort } from './room.mjs'

const here = fileURLToPath(new URL('..', import.meta.url))
const programs = process.env.PROGRAMS ?? join(here, '../../bin')
const token = 'a-token-of-at-least-32-characters'

const routes = `
people:
  - {id: 583231, login: alice, hubot-shell: local/1}
routes:
  - repository: acme/api
    environment: production
    circleci: {branch: main}
    parameters: {seraph_key: "{{ .Key }}", deploy_sha: "{{ .SHA }}"}
  - repository: acme/api
    environment: staging
    circleci: {branch: main}
    parameters: {seraph_key: "{{ .Key }}", deploy_sha: "{{ .SHA }}"}
`

// Program is a running program and what it has printed.
class Program {
  output = ''

  constructor (t, file, args, env, cwd) {
    this.child = spawn(file, args, { cwd, env: { PATH: process.env.PATH, HOME: cwd, ...env } })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        this.output += text
        this.child.emit('printed')
      })
    }
    this.child.on('exit', () => this.child.emit('printed'))
    t.after(async () => {
      if (this.child.exitCode === null && this.child.kill('SIGKILL')) {
        await once(this.child, 'exit')
      }
    })
  }

  // prints waits until the program has printed something that matches, behind what it had printed before.
  async prints (pattern, from = 0) {
    const signal = AbortSignal.timeout(180_000)
    for (;;) {
      const found = pattern.exec(this.output.slice(from))
      if (found) {
        return found
      }
      assert.equal(this.child.exitCode, null, `the program has ended:\n${this.output}`)
      await once(this.child, 'printed', { signal }).catch(() => assert.fail(`no ${pattern} in:\n${this.output}`))
    }
  }

  // say types a line and waits for an answer.
  async say (line, pattern) {
    const from = this.output.length
    this.child.stdin.write(line + '\n')
    return await this.prints(pattern, from)
  }
}

// startServices starts Seraph between the simulators and returns its address.
async function startServices (t, dir) {
  const [seraph, github, circleci, slack, control] = await Promise.all(Array.from({ length: 5 }, freePort))
  const local = port => `127.0.0.1:${port}`
  const simulators = new Program(t, join(programs, 'seraph-sim'), [
    '-github', local(github), '-circleci', local(circleci), '-slack', local(slack), '-control', local(control),
    '-step', '100ms',
    '-webhook', `http://${local(seraph)}/webhooks/github`, '-circleci-webhook', `http://${local(seraph)}/webhooks/circleci`
  ], {}, dir)
  await simulators.prints(/\n/)

  const program = new Program(t, join(programs, 'seraph'), ['serve'], {
    SERAPH_ADDR: local(seraph),
    SERAPH_DATABASE_URL: `sqlite:${join(dir, 'seraph.db')}`,
    SERAPH_ROUTES: routes,
    SERAPH_API_TOKENS: `hubot:behalf=hubot-shell/local:${token}`,
    SERAPH_GITHUB_API_URL: `http://${local(github)}`,
    SERAPH_GITHUB_TOKEN: 'simulated-github-token',
    SERAPH_GITHUB_WEBHOOK_SECRETS: 'simulated-github-secret',
    SERAPH_CIRCLECI_API_URL: `http://${local(circleci)}/api/v2`,
    SERAPH_CIRCLECI_TOKEN: 'simulated-circleci-token',
    SERAPH_CIRCLECI_WEBHOOK_SECRETS: 'simulated-circleci-secret',
    SERAPH_POLL_MIN: '200ms',
    SERAPH_POLL_MAX: '1s'
  }, dir)
  await program.prints(/"message":"ready"/)
  return `http://${local(seraph)}`
}

// installBot makes the folder of a bot as its owner does, with this package as npm packs it.
async function installBot (dir) {
  const modules = join(dir, 'node_modules')
  await cp(join(here, 'node_modules'), modules, { recursive: true, verbatimSymlinks: true })
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: here, encoding: 'utf8' }).trim()
  await mkdir(join(modules, 'hubot-seraph'))
  execFileSync('tar', ['-xzf', join(dir, packed), '-C', join(modules, 'hubot-seraph'), '--strip-components', '1'])
  await writeFile(join(dir, 'external-scripts.json'), '["hubot-seraph"]')
}

// answers are what Seraph says to each command in README.md.
const answers = {
  'deploy api to staging': /#(\d+) deploys acme\/api@main at [0-9a-f]{7} to staging\./,
  'status api in staging': /api in staging: main at [0-9a-f]{7}, deployed .* ago as #\d+ for alice\./,
  'why #3145728007': /#\d+ \(acme\/api@main at [0-9a-f]{7} to staging, asked for by alice\) succeeded after/,
  'lock api in production for 2h because of a migration': /acme\/api in production is locked by alice for 2 h/,
  locks: /acme\/api in production is locked by alice/,
  'unlock api in production': /acme\/api in production is no longer locked/,
  'rollback api in staging': /That was not done: staging of acme\/api: /, // nothing ran there before
  whoami: /For Seraph you are alice at GitHub \(id 583231\)/
}

// readmeCommands returns the commands that README.md lists.
async function readmeCommands () {
  const readme = await readFile(join(here, 'README.md'), 'utf8')
  const commands = readme.match(/^hubot .*$/gm).map(line => line.slice('hubot '.length))
  assert.ok(commands.length >= 8, 'README.md lists the commands')
  return commands
}

test('deploy api to staging ends in succeeded in the room', { timeout: 600_000 }, async t => {
  const dir = await mkdtemp(join(tmpdir(), 'hubot-seraph-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const [url] = await Promise.all([startServices(t, dir), installBot(dir)])
  const hubot = new Program(t, process.execPath, [join(dir, 'node_modules/hubot/bin/Hubot.mjs'), '-a', 'Shell'], {
    HUBOT_HTTPD: 'false',
    HUBOT_SERAPH_URL: url,
    HUBOT_SERAPH_TOKEN: token,
    HUBOT_SERAPH_POLL_MS: '60000', // the events are to be in time
    HUBOT_SHELL_USER_ID: '1',
    HUBOT_SHELL_USER_NAME: 'alice'
  }, dir)
  await hubot.prints(/hubot-seraph: ready, as hubot-shell\/local/)

  let id
  for (const line of await readmeCommands()) {
    assert.ok(line in answers, `README.md has the command ${line}, and this test no answer to it`)
    const from = hubot.output.length
    const found = await hubot.say(line.replace('3145728007', id), answers[line])
    if (line === 'deploy api to staging') {
      id = found[1]
      await hubot.prints(new RegExp(`#${id} \\(acme/api@main at [0-9a-f]{7} to staging, asked for by alice\\) succeeded after`), from)
    }
  }

  await hubot.say('deploy api to prod', /Did you mean "Hubot deploy api to production"\?/)
  await hubot.say('hubot whoami', /For Seraph you are/)
  await hubot.say("don't deploy api to prod", /Nothing was done: a command begins with its verb/)
  await hubot.say('deploy-token:set:github ghp_ThisIsATokenThatNobodyShouldType00', /Seraph takes no tokens through chat/)
  await hubot.say('seraph help', /deploy APP\[@REF\] \[to ENV\]/)
})
