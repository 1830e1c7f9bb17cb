// OpenID Connect Session Management 1.0 section 3.2: an application asks with
// "client_id session_state" and is told unchanged, changed or error.
'use strict'

// state is what this browser shows, see internal/httpio/cookie.go.
function state() {
  const name = location.protocol === 'https:' ? '__Host-keystone-state' : 'keystone-state'
  const found = document.cookie.split('; ').filter((pair) => pair.startsWith(name + '='))
  return found.length === 1 ? found[0].slice(name.length + 1) : ''
}

async function answer(data, origin) {
  const parts = typeof data === 'string' && data.length < 4096 ? data.split(' ') : []
  const [hash, salt, ...more] = (parts[1] ?? '').split('.')
  if (parts.length !== 2 || !parts[0] || !hash || !salt || more.length) return 'error'
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode([parts[0], origin, state(), salt].join(' ')))
  const now = btoa(String.fromCharCode(...new Uint8Array(digest))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  return now === hash ? 'unchanged' : 'changed'
}

addEventListener('message', async (event) => {
  if (!event.source || event.origin === 'null') return
  event.source.postMessage(await answer(event.data, event.origin), event.origin)
})
