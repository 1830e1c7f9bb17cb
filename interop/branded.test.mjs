// The pages in an operator's own look: the logo is there, nothing in it runs, and
// text in the colour and on it can be read, on light pages and on dark ones.
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import axe from 'axe-core'
import { chromium } from 'playwright-core'
import { callback, issuer, makeClient } from './keystone.mjs'

const looks = {
  desktop: { viewport: { width: 1280, height: 800 } },
  'phone-dark': { viewport: { width: 375, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'dark' },
}

test(`an operator's own look: ${process.env.COLOR}`, async () => {
  const browser = await chromium.launch({ executablePath: process.env.TEST_CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
  const app = await makeClient()
  const request = new URLSearchParams({ client_id: app.client_id, redirect_uri: callback, response_type: 'code', scope: 'openid', code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' })
  for (const [look, options] of Object.entries(looks)) {
    const context = await browser.newContext({ ...options, locale: 'fr-FR', ignoreHTTPSErrors: true, reducedMotion: 'reduce' })
    const page = await context.newPage()
    const complaints = []
    page.on('console', (m) => { if (m.type() === 'error') complaints.push(m.text()) })
    await page.goto(`${issuer}/oauth2/authorize?${request}`)
    for (const where of ['sign-in', 'register']) {
      if (where === 'register') await page.click('#register')
      assert.equal(await page.getAttribute('html', 'lang'), 'fr')
      assert.ok(await page.$eval('.logo', (image) => image.complete && image.naturalWidth > 0), 'the logo is not shown')
      assert.notEqual(await page.title(), 'run')
      await page.evaluate(axe.source)
      const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
      assert.deepEqual(violations.map((v) => `${v.impact}: ${v.id}: ${v.nodes.map((n) => n.html)}`), [], `${where}, ${look}`)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
      assert.equal(wide, false, `${where} is wider than the ${look}`)
      if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `branded-${where}-${look}-${process.env.COLOR.slice(1)}.png`) })
    }
    await page.goto(`${issuer}/static/logo.svg`) // opened by itself it is a document, and nothing in it runs
    assert.notEqual(await page.title(), 'run')
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !text.includes('sandboxed')))
    assert.deepEqual(complaints, [])
    await context.close()
  }
  await browser.close()
})
