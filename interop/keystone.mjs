// What the tests share: the server that the Go test started, a browser without
// script, and clients made over the administration API.
import assert from 'node:assert/strict'

export const { issuer, admin, user } = JSON.parse(process.env.KEYSTONE)
export const callback = 'https://app.example/cb'

// api sends JSON to the administration API and returns the answer.
export async function api(method, path, body) {
  const response = await fetch(issuer + path, {
    method,
    headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = await response.json()
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${JSON.stringify(answer)}`)
  return answer
}

// makeClient registers a client of kind web, with what is given besides.
export function makeClient(more = {}) {
  return api('POST', '/api/v1/admin/clients', {
    name: 'Orders', kind: 'web', redirect_uris: [callback],
    scopes: ['openid', 'profile', 'email', 'offline_access'], ...more,
  })
}

// keyPair makes a key for signing and its public JWK set.
export async function keyPair(alg = 'ES256') {
  const params = { ES256: { name: 'ECDSA', namedCurve: 'P-256' }, PS256: { name: 'RSA-PSS', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' } }[alg]
  const pair = await crypto.subtle.generateKey(params, true, ['sign', 'verify'])
  const { kty, crv, x, y, n, e } = await crypto.subtle.exportKey('jwk', pair.publicKey)
  return { ...pair, kid: 'one', jwks: { keys: [JSON.parse(JSON.stringify({ kty, crv, x, y, n, e, kid: 'one', use: 'sig', alg }))] } }
}

const text = (html) => html.replaceAll('&#43;', '+').replaceAll('&#34;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

// Browser keeps cookies, follows redirects up to the application, and sends forms.
export class Browser {
  #cookies = new Map()

  async open(address, form) {
    let url = new URL(address)
    for (let hops = 0; hops < 20; hops++) {
      const response = await fetch(url, {
        method: form ? 'POST' : 'GET', redirect: 'manual',
        headers: {
          cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
          ...(form && { 'content-type': 'application/x-www-form-urlencoded', origin: issuer, 'sec-fetch-site': 'same-origin' }),
        },
        body: form && new URLSearchParams(form).toString(),
      })
      for (const cookie of response.headers.getSetCookie()) {
        const [pair] = cookie.split(';')
        const at = pair.indexOf('=')
        this.#cookies.set(pair.slice(0, at), pair.slice(at + 1))
      }
      this.body = await response.text()
      this.url = url
      const to = response.headers.get('location')
      if (!to) return this
      url = new URL(to, url)
      form = undefined
      if (url.origin !== issuer) {
        this.url = url
        return this
      }
    }
    assert.fail('too many redirects')
  }

  has(id) { return this.body.includes(`id="${id}"`) }

  // submit sends the first form of the page with the fields given.
  submit(fields) {
    const form = /<form method="post" action="([^"]*)">(.*?)<\/form>/s.exec(this.body)
    assert.ok(form, `no form at ${this.url}:\n${this.body}`)
    const values = {}
    for (const [input, name] of form[2].matchAll(/<input[^>]*\bname="([^"]*)"[^>]*>/g)) {
      values[name] = text(/\bvalue="([^"]*)"/.exec(input)?.[1] ?? '')
    }
    return this.open(new URL(text(form[1]), this.url), { ...values, ...fields })
  }

  // through signs in and consents, whichever is asked, and returns where the
  // application was called.
  async through(address) {
    await this.open(address)
    if (this.has('password')) await this.submit({ login: user.username, password: user.password })
    if (this.has('consent-allow')) await this.submit({ decision: 'allow' })
    assert.equal(this.url.origin + this.url.pathname, callback, `not at the application but at ${this.url}:\n${this.body}`)
    return this.url
  }
}
