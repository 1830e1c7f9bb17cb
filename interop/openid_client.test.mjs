// npm openid-client, a certified relying party.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import { api, Browser, callback, issuer, keyPair, makeClient, user } from './keystone.mjs'

const scope = 'openid profile email offline_access'

// signIn is the code flow with PKCE, state and nonce: the tokens, checked by the
// library.
async function signIn(config, { build = client.buildAuthorizationUrl, browser = new Browser(), options } = {}) {
  const verifier = client.randomPKCECodeVerifier(), state = client.randomState(), nonce = client.randomNonce()
  const to = await build(config, {
    redirect_uri: callback, scope, state, nonce, prompt: 'consent',
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  }, options)
  const tokens = await client.authorizationCodeGrant(config, await browser.through(to),
    { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }, undefined, options)
  assert.equal(tokens.claims().sub, user.sub)
  return { tokens, browser, to }
}

for (const [name, method] of [
  ['client_secret_basic', client.ClientSecretBasic], ['client_secret_post', client.ClientSecretPost], ['client_secret_jwt', client.ClientSecretJwt],
]) {
  test(`code, userinfo, refresh, introspection, revocation: ${name}`, async () => {
    const app = await makeClient({ token_endpoint_auth_method: name })
    const config = await client.discovery(new URL(issuer), app.client_id, undefined, method(app.client_secret))
    const { tokens } = await signIn(config)
    const info = await client.fetchUserInfo(config, tokens.access_token, user.sub)
    assert.equal(info.email, user.email)
    const fresh = await client.refreshTokenGrant(config, tokens.refresh_token)
    assert.notEqual(fresh.refresh_token, tokens.refresh_token)
    assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, true)
    await client.tokenRevocation(config, fresh.refresh_token)
    assert.equal((await client.tokenIntrospection(config, fresh.access_token)).active, false)
    await assert.rejects(client.refreshTokenGrant(config, fresh.refresh_token), { error: 'invalid_grant' })
  })
}

test('public client', async () => {
  const app = await makeClient({ kind: 'spa' })
  const config = await client.discovery(new URL(issuer), app.client_id, undefined, client.None())
  const { tokens } = await signIn(config)
  await client.fetchUserInfo(config, tokens.access_token, user.sub)
})

test('public client with DPoP: the refresh token is bound too', async () => {
  const app = await makeClient({ kind: 'spa' })
  const config = await client.discovery(new URL(issuer), app.client_id, undefined, client.None())
  const options = { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
  const { tokens } = await signIn(config, { options })
  const stranger = { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token, undefined, stranger), 'with another key')
  await client.refreshTokenGrant(config, tokens.refresh_token, undefined, options)
})

for (const alg of ['ES256', 'PS256']) {
  test(`pushed request, private_key_jwt and DPoP: ${alg}`, async () => {
    const key = await keyPair(alg)
    const app = await makeClient({ token_endpoint_auth_method: 'private_key_jwt', jwks: key.jwks, require_par: true, dpop_bound: true, dpop_nonce: true })
    const config = await client.discovery(new URL(issuer), app.client_id, undefined, client.PrivateKeyJwt({ key: key.privateKey, kid: key.kid }))
    const options = { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg)) }
    const { tokens } = await signIn(config, { build: client.buildAuthorizationUrlWithPAR, options })
    assert.equal(tokens.token_type, 'dpop')
    await client.fetchUserInfo(config, tokens.access_token, user.sub, options)
    await assert.rejects(client.fetchUserInfo(config, tokens.access_token, user.sub), 'as a bearer token')
    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), 'without a proof')
    await client.refreshTokenGrant(config, tokens.refresh_token, undefined, options)
  })
}

test('signed request (JAR), signed response (JARM), signed userinfo', async () => {
  const key = await keyPair('PS256')
  const app = await makeClient({
    token_endpoint_auth_method: 'private_key_jwt', jwks: key.jwks, require_signed_request_object: true,
    authorization_signed_response_alg: 'ES256', id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256',
  })
  const signing = { key: key.privateKey, kid: key.kid }
  const config = await client.discovery(new URL(issuer), app.client_id,
    { authorization_signed_response_alg: 'ES256', id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256' }, client.PrivateKeyJwt(signing))
  client.useJwtResponseMode(config)
  const { tokens, to } = await signIn(config, { build: (config, params) => client.buildAuthorizationUrlWithJAR(config, params, signing) })
  assert.deepEqual([...to.searchParams.keys()].sort(), ['client_id', 'request'])
  await client.fetchUserInfo(config, tokens.access_token, user.sub)

  const pushed = async (config, params) => client.buildAuthorizationUrlWithPAR(config, (await client.buildAuthorizationUrlWithJAR(config, params, signing)).searchParams)
  await signIn(config, { build: pushed })

  await assert.rejects(client.buildAuthorizationUrlWithPAR(config, { redirect_uri: callback, scope }), { error: 'invalid_request_object' }, 'unsigned')
})

test('device', async () => {
  const app = await makeClient({ kind: 'native', grants: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'] })
  const config = await client.discovery(new URL(issuer), app.client_id, undefined, client.None())
  const device = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' })
  const browser = new Browser()
  await browser.open(device.verification_uri)
  if (browser.has('user-code')) await browser.submit({ 'user-code': device.user_code })
  if (browser.has('password')) await browser.submit({ login: user.username, password: user.password })
  if (browser.has('user-code')) await browser.submit({ 'user-code': device.user_code })
  assert.ok(browser.has('consent-allow'), browser.body)
  await browser.submit({ decision: 'allow' })
  const tokens = await client.pollDeviceAuthorizationGrant(config, { ...device, interval: 1 })
  await client.fetchUserInfo(config, tokens.access_token, user.sub)
})

test('backchannel authentication (CIBA)', async () => {
  const app = await makeClient({ redirect_uris: [], grants: ['urn:openid:params:grant-type:ciba', 'refresh_token'] })
  const config = await client.discovery(new URL(issuer), app.client_id, undefined, client.ClientSecretBasic(app.client_secret))
  const asked = await client.initiateBackchannelAuthentication(config, { scope, login_hint: user.username, binding_message: 'W4SCT' })
  const browser = new Browser()
  await browser.open(issuer + '/requests')
  await browser.submit({ login: user.username, password: user.password })
  assert.ok(browser.has('requests'), browser.body)
  await browser.submit({})
  assert.ok(browser.body.includes('W4SCT'), browser.body)
  await browser.submit({ decision: 'allow' })
  const tokens = await client.pollBackchannelAuthenticationGrant(config, { ...asked, interval: 1 })
  assert.equal(tokens.claims().sub, user.sub)
  await client.fetchUserInfo(config, tokens.access_token, user.sub)
  await client.refreshTokenGrant(config, tokens.refresh_token)

  const refused = await client.initiateBackchannelAuthentication(config, { scope: 'openid', id_token_hint: tokens.id_token })
  await browser.open(issuer + '/requests')
  await browser.submit({})
  await browser.submit({ decision: 'deny' })
  await assert.rejects(client.pollBackchannelAuthenticationGrant(config, { ...refused, interval: 1 }), { error: 'access_denied' })
  await assert.rejects(client.initiateBackchannelAuthentication(config, { scope: 'openid', login_hint: 'nobody' }), { error: 'unknown_user_id' })
})

test('client credentials and token exchange', async () => {
  const app = await makeClient()
  const broker = await makeClient({
    name: 'Broker', kind: 'service', redirect_uris: [], grants: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    token_exchange: [{ client_id: app.client_id, mode: 'delegation' }],
  })
  const config = await client.discovery(new URL(issuer), app.client_id, undefined, client.ClientSecretBasic(app.client_secret))
  const by = await client.discovery(new URL(issuer), broker.client_id, undefined, client.ClientSecretBasic(broker.client_secret))
  assert.equal((await client.clientCredentialsGrant(by)).token_type, 'bearer')
  const { tokens } = await signIn(config)
  const subject = { subject_token: tokens.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' }
  const exchanged = await client.genericGrantRequest(by, 'urn:ietf:params:oauth:grant-type:token-exchange', { ...subject, scope: 'profile' })
  assert.equal(exchanged.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token')
  const claims = JSON.parse(Buffer.from(exchanged.access_token.split('.')[1], 'base64url'))
  assert.equal(claims.sub, user.sub)
  assert.equal(claims.act.sub, broker.client_id)
})

test('logout', async () => {
  const back = 'https://app.example/bye'
  const app = await makeClient({ post_logout_redirect_uris: [back] })
  const config = await client.discovery(new URL(issuer), app.client_id, undefined, client.ClientSecretBasic(app.client_secret))
  const { tokens, browser } = await signIn(config)
  await browser.open(client.buildEndSessionUrl(config, { post_logout_redirect_uri: back, id_token_hint: tokens.id_token, state: 'after' }))
  assert.equal(browser.url.href, back + '?state=after')
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' })
})

test('dynamic registration', async () => {
  const { registration_token: token } = await api('POST', '/api/v1/admin/registration-tokens', { name: 'interop', scopes: scope.split(' ') })
  const config = await client.dynamicClientRegistration(new URL(issuer), { redirect_uris: [callback], scope, grant_types: ['authorization_code', 'refresh_token'] }, client.ClientSecretBasic(), { initialAccessToken: token })
  await signIn(config)
})
