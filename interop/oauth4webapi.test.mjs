// npm oauth4webapi, a certified FAPI 2.0 client: nothing is done for it that the
// library does not do by itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { Browser, callback, issuer, keyPair, makeClient, user } from './keystone.mjs'

test('FAPI 2.0: discovery, pushed request, code, refresh, userinfo, revocation', async () => {
  const key = await keyPair('ES256')
  const app = await makeClient({ profile: 'fapi2', token_endpoint_auth_method: 'private_key_jwt', jwks: key.jwks, id_token_signed_response_alg: 'ES256' })
  assert.ok(app.require_par && app.dpop_bound)
  const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer)))
  const client = { client_id: app.client_id, id_token_signed_response_alg: 'ES256' }
  const proven = oauth.PrivateKeyJwt({ key: key.privateKey, kid: key.kid })
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256', { extractable: false }))
  // again sends a request once more where the server asks for a nonce in the proof.
  const again = async (send, read) => {
    try {
      return await read(await send())
    } catch (problem) {
      if (!oauth.isDPoPNonceError(problem)) throw problem
      return await read(await send())
    }
  }

  const verifier = oauth.generateRandomCodeVerifier(), state = oauth.generateRandomState(), nonce = oauth.generateRandomNonce()
  const request = new URLSearchParams({
    client_id: app.client_id, redirect_uri: callback, response_type: 'code', scope: 'openid profile offline_access', state, nonce, prompt: 'consent',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  })
  const pushed = await again(() => oauth.pushedAuthorizationRequest(as, client, proven, request, { DPoP }),
    (response) => oauth.processPushedAuthorizationResponse(as, client, response))
  const to = new URL(as.authorization_endpoint)
  to.search = new URLSearchParams({ client_id: app.client_id, request_uri: pushed.request_uri })
  const answer = oauth.validateAuthResponse(as, client, await new Browser().through(to), state)

  const tokens = await again(() => oauth.authorizationCodeGrantRequest(as, client, proven, answer, callback, verifier, { DPoP }),
    (response) => oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true }))
  assert.equal(tokens.token_type, 'dpop')
  assert.equal(oauth.getValidatedIdTokenClaims(tokens).sub, user.sub)
  const info = await again(() => oauth.userInfoRequest(as, client, tokens.access_token, { DPoP }),
    (response) => oauth.processUserInfoResponse(as, client, user.sub, response))
  assert.equal(info.preferred_username, user.username)
  const fresh = await again(() => oauth.refreshTokenGrantRequest(as, client, proven, tokens.refresh_token, { DPoP }),
    (response) => oauth.processRefreshTokenResponse(as, client, response))
  assert.equal(fresh.token_type, 'dpop')
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proven, tokens.refresh_token))
  const after = await oauth.userInfoRequest(as, client, fresh.access_token, { DPoP })
  assert.equal(after.status, 401)
})
