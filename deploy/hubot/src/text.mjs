// The words with which commands of Seraph begin, those of hubot-deploy among them. Everything else that is said to the
// bot, and that no other script takes, goes to Seraph too: it answers with the nearest form.
const verbs = /^(seraph\s|(deploy|rollback|approve|approve-hold|cancel|why|status|deploys|where|lock|unlock|locks|whoami|link|unlink)([:!]\S*)?(\s|\?*$)|(deploy-token|auto-deploy):)/i

// addressed returns what is said to the bot; an empty text: it is said to somebody else. There must be a space behind
// the bot's name, so that a word which only begins with the name is no command.
export function addressed (robot, text) {
  if (typeof text !== 'string') {
    return ''
  }
  for (const name of [robot.name, robot.alias]) {
    if (!name) {
      continue
    }
    const space = /\w$/.test(name) ? '(?:[:,]\\s*|\\s+)' : '[:,]?\\s*'
    const match = new RegExp(`^\\s*@?${escape(name)}${space}([^]*\\S)\\s*$`, 'i').exec(text)
    if (match) {
      // Hubot's shell puts the bot's name before a line that begins with it in another case.
      return robot.adapterName === 'Shell' ? addressed(robot, match[1]) || match[1] : match[1]
    }
  }
  return ''
}

function escape (text) {
  return text.replace(/[-[\]{}()*+?.,\\^$|#\s]/g, '\\$&')
}

// isCommand says whether a text that is said to the bot begins like a command of Seraph.
export function isCommand (text) {
  return verbs.test(text)
}

// command takes the word away with which people say that they mean Seraph.
export function command (text) {
  return text.replace(/^seraph\s+/i, '')
}

// prefix returns what Seraph puts before the commands in its answers: the bot's name, or nothing if Seraph would
// refuse the name. Seraph takes at most 50 characters, none of them invisible, a double quote, a backtick, < or >.
export function prefix (name) {
  return /^[^\p{Cc}\p{Cf}<>`"]{1,50}$/u.test(name) ? name : ''
}

// ownHelp names Seraph where an answer says how to ask for help: Hubot answers that itself otherwise. prefix is the one
// that the answer was asked for with.
export function ownHelp (text, prefix) {
  const before = prefix ? `"${prefix} ` : '"'
  return text.replaceAll(`${before}help`, `${before}seraph help`)
}

// plain keeps a text from calling people, and from showing a link as something else: a zero-width space takes the meaning
// from <!channel>, <@U1>, <https://example.com|approve here> and @everyone. Lines that are set in, which programs have
// written, are shown as they are.
export function plain (text) {
  return fence(text.replace(/</g, '<\u200b').replace(/@(?=(everyone|here|channel|all)\b)/gi, '@\u200b'))
}

// fence puts lines that are set in between two lines of ```, and keeps them from ending that.
function fence (text) {
  const lines = []
  let fenced = false
  for (const line of text.split('\n')) {
    const setIn = line.startsWith('  ')
    if (setIn !== fenced) {
      lines.push('```')
      fenced = setIn
    }
    lines.push(setIn ? line.slice(2).replace(/`(?=`)/g, '`\u200b') : line)
  }
  if (fenced) {
    lines.push('```')
  }
  return lines.join('\n')
}
