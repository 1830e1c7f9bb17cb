// A real browser: people sign in, consent, step up, log out and connect a device,
// with script and without it, on a desktop and a phone, light and dark. axe looks
// at every page. With SCREENSHOTS=folder it also takes the pictures of docs/img.
import assert from 'node:assert/strict'
import http from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import axe from 'axe-core'
import { chromium } from 'playwright-core'
import * as oidc from 'openid-client'
import { api, issuer, makeClient, user } from './keystone.mjs'

let browser, application, callback
before(async () => {
  application = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>app</title><p id="app">the application'))
  await new Promise((ready) => application.listen(0, '127.0.0.1', ready))
  callback = `http://127.0.0.1:${application.address().port}/cb`
  browser = await chromium.launch({
    executablePath: process.env.TEST_CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--disable-features=LocalNetworkAccessChecks'], // pages that a test makes up have no address, so Keystone's would be out of their reach
  })
})
after(async () => {
  await browser?.close()
  application.close()
})

const looks = {
  desktop: { viewport: { width: 1280, height: 800 } },
  'desktop-dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  phone: { viewport: { width: 375, height: 740 }, isMobile: true, hasTouch: true },
  'phone-dark': { viewport: { width: 375, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' },
  'without-script': { viewport: { width: 1280, height: 800 }, javaScriptEnabled: false },
}

// person opens a window of their own. Whatever a page asks of another host than
// Keystone's is noted, and so is what the content security policy forbids.
async function person(look, locale = 'en-GB') {
  const context = await browser.newContext({ ...looks[look], locale, ignoreHTTPSErrors: true, reducedMotion: 'reduce' })
  const page = await context.newPage()
  const strangers = [], complaints = []
  page.on('request', (r) => { if (!r.url().startsWith(issuer) && !r.url().startsWith(new URL(callback).origin)) strangers.push(r.url()) })
  // The browser also says so where a page itself answers 400 or 401.
  page.on('console', (m) => { if (m.type() === 'error' && m.location().url !== page.url()) complaints.push(m.text()) })
  page.on('pageerror', (e) => complaints.push(String(e)))
  return { page, context, look, strangers, complaints }
}

// seen examines the page: axe finds nothing serious, nothing runs over the edge.
async function seen({ page, look }, name) {
  if (process.env.SCREENSHOTS && look !== 'without-script') await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}-${look}.png`) })
  if (look !== 'without-script') {
    await page.evaluate(axe.source)
    const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
    assert.deepEqual(violations.map((v) => `${v.impact}: ${v.id}: ${v.nodes.map((n) => n.html)}`), [], `${name}, ${look}`)
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
    assert.equal(wide, false, `${name} is wider than the ${look}`)
  }
}

async function signIn({ page }) {
  await page.fill('#login', user.username)
  await page.fill('#password', user.password)
  await page.click('#submit')
}

async function relyingParty(more) {
  const app = await makeClient({ redirect_uris: [callback], ...more })
  const config = await oidc.discovery(new URL(issuer), app.client_id, undefined, oidc.ClientSecretBasic(app.client_secret))
  const verifier = oidc.randomPKCECodeVerifier(), challenge = await oidc.calculatePKCECodeChallenge(verifier)
  return {
    app, config,
    address: (more = {}) => oidc.buildAuthorizationUrl(config, {
      redirect_uri: callback, scope: 'openid profile email offline_access', state: 's', nonce: 'n', code_challenge: challenge, code_challenge_method: 'S256', ...more,
    }).href,
    tokens: async ({ page }) => {
      await page.waitForURL(callback + '**')
      return oidc.authorizationCodeGrant(config, new URL(page.url()), { pkceCodeVerifier: verifier, expectedState: 's', expectedNonce: 'n' })
    },
  }
}

for (const look of Object.keys(looks)) {
  test(`sign in, consent, step up, log out: ${look}`, async () => {
    const rp = await relyingParty(), me = await person(look), { page } = me
    await page.goto(rp.address())
    await seen(me, 'sign-in')
    await page.fill('#login', user.username)
    await page.fill('#password', 'not the password')
    await page.click('#submit')
    await page.waitForSelector('#error')
    await seen(me, 'sign-in-refused')
    await signIn(me)
    await page.waitForSelector('#consent-allow')
    await seen(me, 'consent')
    await page.click('#consent-allow')
    const tokens = await rp.tokens(me)
    assert.equal(tokens.claims().sub, user.sub)

    const cookies = (await me.context.cookies()).filter((c) => c.domain === new URL(issuer).hostname)
    for (const c of cookies) assert.ok(c.name.startsWith('__Host-') && c.secure && (c.name.endsWith('-state') || c.httpOnly && c.sameSite === 'Lax'), JSON.stringify(c))

    await page.goto(rp.address())
    await rp.tokens(me) // no questions: the session holds, the consent is remembered

    await page.goto(rp.address({ prompt: 'login' }))
    await page.waitForSelector('#password')
    await signIn(me)
    const again = await rp.tokens(me)
    assert.ok(again.claims().auth_time >= tokens.claims().auth_time)

    await page.goto(rp.address({ acr_values: 'nobody-can-reach-this', claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['nobody-can-reach-this'] } } }) }))
    await page.waitForURL(callback + '**')
    assert.equal(new URL(page.url()).searchParams.get('error'), 'unmet_authentication_requirements')

    await page.goto(rp.address({ prompt: 'select_account' }))
    await seen(me, 'choose-account')

    await page.goto(issuer + '/logout')
    await page.waitForSelector('#logout-confirm')
    await seen(me, 'logout')
    await page.click('#logout-confirm')
    await page.waitForLoadState()
    await seen(me, 'logged-out')
    await assert.rejects(oidc.fetchUserInfo(rp.config, again.access_token, user.sub))

    assert.deepEqual(me.strangers, [])
    assert.deepEqual(me.complaints, [])
    await me.context.close()
  })

  test(`refuse consent, connect a device, errors on the page: ${look}`, async () => {
    const rp = await relyingParty(), me = await person(look), { page } = me
    await page.goto(rp.address())
    await signIn(me)
    await page.click('#consent-deny')
    await page.waitForURL(callback + '**')
    assert.equal(new URL(page.url()).searchParams.get('error'), 'access_denied')

    const set = await makeClient({ name: 'Television', kind: 'native', grants: ['urn:ietf:params:oauth:grant-type:device_code'] })
    const tv = await oidc.discovery(new URL(issuer), set.client_id, undefined, oidc.None())
    const device = await oidc.initiateDeviceAuthorization(tv, { scope: 'openid profile' })
    await page.goto(device.verification_uri)
    await seen(me, 'device')
    await page.fill('#user-code', device.user_code)
    await page.click('#submit')
    await page.waitForSelector('#consent-allow')
    await seen(me, 'device-consent')
    await page.click('#consent-allow')
    await page.waitForLoadState()
    await seen(me, 'device-connected')
    const tokens = await oidc.pollDeviceAuthorizationGrant(tv, { ...device, interval: 1 })
    await oidc.fetchUserInfo(tv, tokens.access_token, user.sub)

    const desk = await makeClient({ name: 'Bank desk', redirect_uris: [], grants: ['urn:openid:params:grant-type:ciba'], authorization_details_types: ['payment'] })
    const bank = await oidc.discovery(new URL(issuer), desk.client_id, undefined, oidc.ClientSecretBasic(desk.client_secret))
    const asked = await oidc.initiateBackchannelAuthentication(bank, {
      scope: 'openid', login_hint: user.username, binding_message: 'W4SCT',
      authorization_details: JSON.stringify([{ type: 'payment', amount: '123.50 EUR', creditor: 'Merchant A' }]),
    })
    await page.goto(issuer + '/requests')
    await page.waitForSelector('#requests')
    await seen(me, 'requests')
    await page.click('#requests button')
    await page.waitForSelector('#consent-allow')
    assert.match(await page.textContent('#authorization-details'), /Pay 123\.50 EUR to Merchant A/)
    await seen(me, 'requests-consent')
    await page.click('#consent-allow')
    await page.waitForLoadState()
    const paid = await oidc.pollBackchannelAuthenticationGrant(bank, { ...asked, interval: 1 })
    assert.deepEqual(paid.authorization_details, [{ amount: '123.50 EUR', creditor: 'Merchant A', type: 'payment' }])
    await page.goto(issuer + '/requests')
    await page.waitForSelector('#no-requests')
    await seen(me, 'requests-none')

    await page.goto(rp.address({ redirect_uri: 'https://evil.example/' }))
    await page.waitForSelector('#error')
    await seen(me, 'error')
    assert.deepEqual(me.strangers, [])
    assert.deepEqual(me.complaints, [])
    await me.context.close()
  })

  test(`make an account, in German: ${look}`, async () => {
    const rp = await relyingParty(), me = await person(look, 'de-AT'), { page } = me
    const name = `neu-${look}`
    await page.goto(rp.address())
    assert.equal(await page.getAttribute('html', 'lang'), 'de')
    await seen(me, 'sign-in-german')
    await page.fill('#login', name)
    await page.fill('#password', 'not the password')
    await page.click('#submit')
    await page.waitForSelector('#error')
    await seen(me, 'sign-in-refused-german')
    await page.click('#register')
    await page.waitForSelector('#email')
    await seen(me, 'register-german')
    await page.fill('#username', 'user')
    await page.fill('#email', `${name}@example.com`)
    await page.fill('#password', 'iloveyou1234')
    await page.click('#submit')
    await page.waitForSelector('#password-problem')
    await seen(me, 'register-refused-german')
    await page.fill('#username', name)
    await page.fill('#password', 'ein gutes Passwort für Tests')
    await page.click('#submit')
    await page.waitForSelector('#consent-allow')
    await seen(me, 'consent-german')
    await page.click('#consent-allow')
    const tokens = await rp.tokens(me)
    const info = await oidc.fetchUserInfo(rp.config, tokens.access_token, tokens.claims().sub)
    assert.equal(info.preferred_username, name)

    await page.goto(rp.address({ prompt: 'login' }))
    assert.equal(await page.inputValue('#login'), name) // who is signed in need not type it
    await page.goto(rp.address({ prompt: 'create', ui_locales: 'en' }))
    await page.waitForSelector('#email')
    assert.equal(await page.getAttribute('html', 'lang'), 'en')
    await seen(me, 'register')
    for (const [name, address] of Object.entries({
      'choose-account-german': rp.address({ prompt: 'select_account' }), 'device-german': issuer + '/device', 'logout-german': issuer + '/logout',
      'error-german': rp.address({ redirect_uri: 'https://evil.example/' }), 'reset-refused-german': issuer + '/reset?token=x',
    })) {
      await page.goto(address)
      assert.equal(await page.getAttribute('html', 'lang'), 'de')
      await seen(me, name)
    }
    assert.deepEqual(me.strangers, [])
    assert.deepEqual(me.complaints, [])
    await me.context.close()
  })
}

for (const look of ['desktop', 'phone-dark']) {
  test(`pages that are seldom seen: ${look}`, async () => {
    const name = `reset-${look}`, out = 'https://app.example/out'
    const someone = await api('POST', '/api/v1/users', { username: name, email: `${name}@example.com`, password: 'a password that is gone soon' })
    const rp = await relyingParty({ redirect_uris: [callback, out], frontchannel_logout_uri: out, frontchannel_logout_session_required: true }), me = await person(look), { page } = me
    const link = await api('POST', `/api/v1/users/${someone.id}/password-reset`)
    await page.goto(link.reset_url)
    await page.waitForSelector('#password')
    await seen(me, 'reset')
    await page.fill('#password', 'short')
    await page.click('#submit')
    await page.waitForSelector('#error, #password-problem')
    await seen(me, 'reset-refused')
    await page.fill('#password', 'another password for this test')
    await page.click('#submit')
    await page.waitForLoadState()
    await seen(me, 'reset-done')
    await page.goto(issuer + '/setup?token=x') // there is an administrator
    await seen(me, 'setup-closed')

    await page.route(/submit[^/]*\.js/, (route) => route.abort()) // or the form sends itself before anybody looks
    await page.goto(rp.address({ response_mode: 'form_post' }))
    await signIn(me)
    await page.click('#consent-allow')
    await page.waitForSelector('#submit')
    await seen(me, 'form-post')
    await page.click('#submit')
    await page.waitForSelector('#app')

    await page.goto(rp.address())
    await rp.tokens(me)
    await page.goto(issuer + '/account/apps')
    await page.waitForSelector('main form')
    await seen(me, 'apps')
    await page.goto(issuer + '/')
    await seen(me, 'home')
    await page.goto(issuer + '/nowhere')
    await seen(me, 'not-found')
    const stranger = await (await fetch(issuer + '/oauth2/register', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ client_name: 'Somebody', redirect_uris: [out] }) })).json()
    await page.goto(`${issuer}/oauth2/authorize?client_id=${stranger.client_id}&redirect_uri=${encodeURIComponent(out)}`)
    assert.equal(new URL(page.url()).origin, issuer) // nobody is sent to a stranger's address unasked
    await seen(me, 'leave')
    await page.route(out + '**', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><html lang="en"><title>out</title><main><h1>out</h1></main>' }))
    await page.goto(issuer + '/logout')
    const [told] = await Promise.all([page.waitForRequest((r) => r.url().startsWith(out)), page.click('#logout-confirm')])
    assert.equal(new URL(told.url()).searchParams.get('iss'), issuer)
    assert.ok(new URL(told.url()).searchParams.get('sid'))
    await seen(me, 'logged-out-frames')
    assert.deepEqual(me.strangers.filter((url) => !url.startsWith(out)), [])
    await me.context.close()
  })
}

test('an application watches the session through the frame', async () => {
  // Of the same site as Keystone: browsers keep cookies from frames of other sites.
  // Nothing listens there; the page is made up here, which a redirect does not see.
  const watcher = 'https://127.0.0.1:9443/cb'
  const rp = await relyingParty({ redirect_uris: [watcher] }), me = await person('desktop'), { page } = me
  await page.goto(rp.address({ redirect_uri: watcher }))
  await signIn(me)
  const [back] = await Promise.all([page.waitForRequest((request) => request.url().startsWith(watcher)), page.click('#consent-allow')])
  const known = new URL(back.url()).searchParams.get('session_state')
  const app = await me.context.newPage()
  await app.route('https://127.0.0.1:9443/**', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>app</title>' }))
  await app.goto(watcher)
  await app.evaluate((address) => new Promise((ready) => {
    const frame = document.createElement('iframe')
    frame.onload = ready
    frame.src = address
    document.body.append(frame)
    window.ask = (text) => new Promise((answer) => {
      addEventListener('message', (event) => answer(`${event.origin} ${event.data}`), { once: true })
      frame.contentWindow.postMessage(text, new URL(address).origin)
    })
  }), rp.config.serverMetadata().check_session_iframe)
  const ask = (text) => app.evaluate((question) => window.ask(question), text)
  assert.equal(await ask(`${rp.app.client_id} ${known}`), `${issuer} unchanged`)
  assert.equal(await ask(`${rp.app.client_id}x ${known}`), `${issuer} changed`)
  for (const bad of ['', 'one', `${rp.app.client_id} x`, `${rp.app.client_id} ${known}.x`, `${rp.app.client_id} ${known} x`, { a: 1 }, 'x'.repeat(5000)]) {
    assert.equal(await ask(bad), `${issuer} error`, JSON.stringify(bad))
  }
  const other = await me.context.newPage() // logs out in another tab
  await other.goto(issuer + '/logout')
  await other.click('#logout-confirm')
  await other.waitForLoadState()
  assert.equal(await ask(`${rp.app.client_id} ${known}`), `${issuer} changed`)
  assert.deepEqual(me.complaints, [])
  await me.context.close()
})
