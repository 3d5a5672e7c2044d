// Client calls the API of Seraph. Every call has a timeout, and nothing is repeated.
export class Client {
  constructor ({ url, token, timeout }) {
    this.url = url
    this.token = token
    this.timeout = timeout
  }

  // ask sends a line of text. It returns the answer, or throws a Refused, or a Lost where it is not known whether
  // Seraph has done it.
  async ask (request) {
    return await this.call('POST', '/api/v1/commands', request)
  }

  // deployment reads a deployment.
  async deployment (id) {
    return await this.call('GET', `/api/v1/deployments/${id}`)
  }

  async call (method, path, body) {
    let response, text
    try {
      response = await fetch(this.url + path, {
        method,
        headers: this.headers(body && { 'Content-Type': 'application/json' }),
        body: body && JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(this.timeout)
      })
      text = await response.text()
    } catch (error) {
      throw new Lost(error)
    }

    let answer
    try {
      answer = JSON.parse(text)
    } catch {
      throw response.status === 404 ? new Refused(404, {}) : new Lost(new Error(`status ${response.status}`))
    }
    if (!response.ok) {
      throw new Refused(response.status, answer?.error ?? {})
    }
    return answer
  }

  // events calls each for every deployment that changes, until the stream ends. opened is called once it is there.
  async events (signal, opened, each) {
    const response = await fetch(this.url + '/api/v1/events', {
      headers: this.headers({ Accept: 'text/event-stream' }),
      redirect: 'error',
      signal
    })
    if (!response.ok || !response.body) {
      await response.body?.cancel()
      throw new Refused(response.status, {})
    }

    opened()
    let event = { name: '', data: '' }
    for await (const line of lines(response.body)) {
      if (line === '') {
        if (event.name === 'deployment') {
          each(JSON.parse(event.data))
        }
        event = { name: '', data: '' }
      } else if (line.startsWith('event:')) {
        event.name = line.slice(6).trim()
      } else if (line.startsWith('data:')) {
        event.data += line.slice(5)
      }
    }
  }

  headers (more) {
    return { Authorization: `Bearer ${this.token}`, 'User-Agent': 'hubot-seraph', ...more }
  }
}

const maxLine = 1 << 20 // characters

// lines yields the lines of a stream.
async function * lines (stream) {
  let rest = ''
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    rest += chunk
    const all = rest.split(/\r?\n/)
    rest = all.pop()
    if (rest.length > maxLine) {
      throw new Error('a line of the stream is too long')
    }
    yield * all
  }
}

// Refused is an answer of Seraph that says no.
export class Refused extends Error {
  constructor (status, { code, message }) {
    super(message ?? `Seraph answered with status ${status}`)
    this.status = status
    this.code = code ?? ''
  }
}

// Lost says that no answer of Seraph came. sent is false if the question certainly did not reach it.
export class Lost extends Error {
  constructor (cause) {
    super(cause?.message ?? 'no answer', { cause })
    const code = cause?.cause?.code ?? cause?.code
    this.sent = !['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code)
  }
}
