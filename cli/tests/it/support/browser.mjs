// Drives a real Chromium for the tests: one JSON object a line comes in on stdin
// and says what to do, one goes out and says what came of it. The browser ends
// with stdin.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(join(process.argv[2], 'node_modules', '/'));
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const PATIENCE_MS = 30_000;
const POLL_MS = 20;
const SWITCHES = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const found = ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) => process.env.PATH.split(delimiter).map((place) => join(place, name))).find(existsSync);
const browser = await chromium.launch({ executablePath: found, args: SWITCHES });
let context = null;
let page = null;
let protocol = null;
let errors = [];

// Through the protocol: what Playwright evaluates itself would need `eval`, which the page's policy refuses.
async function evaluated(expression) {
  const { result, exceptionDetails } = await protocol.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

const actions = {
  async open({ url, width, scheme, reduced, answers }) {
    await context?.close();
    context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, reducedMotion: reduced ? 'reduce' : 'no-preference', locale: 'en-US', timezoneId: 'UTC' });
    page = await context.newPage();
    protocol = await context.newCDPSession(page);
    page.setDefaultTimeout(PATIENCE_MS);
    errors = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.addInitScript(() => {
      window.refused = [];
      document.addEventListener('securitypolicyviolation', (event) => window.refused.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    for (const [path, answer] of Object.entries(answers ?? {})) {
      await page.route(`**${path}`, (route) => (answer === null ? route.abort() : route.fulfill({ json: answer })));
    }
    await page.goto(url);
  },
  evaluate: ({ script }) => evaluated(script),
  async wait({ script }) {
    const deadline = performance.now() + PATIENCE_MS;
    while (!await evaluated(script)) {
      if (performance.now() > deadline) throw new Error(`not in ${PATIENCE_MS} ms; the page shows: ${await evaluated('document.body.innerText')}`);
      await new Promise((done) => { setTimeout(done, POLL_MS); });
    }
  },
  press: ({ key }) => page.keyboard.press(key),
  type: ({ text }) => page.keyboard.type(text),
  choose: ({ selector, value }) => page.selectOption(selector, value).then(() => null),
  check: ({ selector }) => page.check(selector, { force: true }),
  async judge() {
    await evaluated(`${axe.source}; null`);
    const { violations } = await evaluated('window.axe.run()');
    return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
  },
  async problems() {
    return [...errors, ...await evaluated('window.refused')];
  },
  cookies: () => context.cookies(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { act, ...what } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await actions[act](what) ?? null };
  } catch (error) {
    answer = { error: `${act} ${JSON.stringify(what)}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
