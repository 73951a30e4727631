// Opens a page in Chromium as people see it, and prints what is wrong with it, as JSON.
//
//   node main.js CHROMIUM DIR URL NAME...      writes DIR/NAME-{light,dark}.png; NAME is WIDTHxHEIGHT
//
// Speaks the DevTools protocol over Node's own WebSocket: no library between. For each size, in light and in dark, it loads the
// page, opens everything that can be opened, and takes: violations of the page's Content-Security-Policy, messages on the
// console, requests that were made, how wide the content is, and what axe finds (WCAG 2.2 AA and its best practices).

'use strict';

const { spawn } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const [chromium, directory, url, ...sizes] = process.argv.slice(2);
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

// Runs before anything of the page does.
const WATCH = `window.refused = [];
document.addEventListener('securitypolicyviolation', (event) => window.refused.push(event.violatedDirective + ' ' + event.blockedURI));`;

/** Starts Chromium; resolves to its process, its profile and the address of its DevTools. */
function launch() {
  const profile = mkdtempSync(join(tmpdir(), 'chancery-browser-'));
  const options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'];
  const child = spawn(chromium, options, { stdio: ['ignore', 'ignore', 'pipe'] });
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (data) => {
      said += data;
      const found = /DevTools listening on (ws:\S+)/.exec(said);
      if (found) resolve({ child, profile, address: found[1] });
    });
    child.on('exit', (code) => reject(new Error(`${chromium} ended with ${code}: ${said}`)));
    child.on('error', reject);
  });
}

/** A connection to DevTools: `send` for commands, `on` for what the browser tells. */
async function connect(address) {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error('no DevTools')); });
  const waiting = new Map();
  const listeners = [];
  let number = 0;
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.id === undefined) { listeners.forEach((listener) => listener(message)); return; }
    const { resolve, reject } = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) reject(new Error(message.error.message)); else resolve(message.result);
  };
  const send = (method, params = {}, sessionId = undefined) => new Promise((resolve, reject) => {
    number += 1;
    waiting.set(number, { resolve, reject });
    socket.send(JSON.stringify({ id: number, method, params, sessionId }));
  });
  return { send, on: (listener) => listeners.push(listener), close: () => socket.close() };
}

/** What is to be said of the page at one size, in one colour scheme. */
async function look(devtools, size, scheme) {
  const [width, height] = size.split('x').map(Number);
  const { targetId } = await devtools.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await devtools.send('Target.attachToTarget', { targetId, flatten: true });
  const send = (method, params) => devtools.send(method, params, sessionId);
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  const [messages, requests] = [[], []];
  let loaded;
  const load = new Promise((resolve) => { loaded = resolve; });
  devtools.on(({ method, params, sessionId: from }) => {
    if (from !== sessionId) return;
    if (method === 'Log.entryAdded') messages.push(params.entry.text);
    if (method === 'Network.requestWillBeSent') requests.push(params.request.url);
    if (method === 'Page.loadEventFired') loaded();
  });
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`);
  await send('Page.addScriptToEvaluateOnNewDocument', { source: WATCH });
  await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  await send('Page.navigate', { url });
  await load;
  const picture = async (name, whole) => {
    const { data } = await send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole });
    writeFileSync(join(directory, `${name}.png`), Buffer.from(data, 'base64'));
  };
  await picture(`${size}-${scheme}`, false);
  const { cssContentSize } = await send('Page.getLayoutMetrics');
  const clip = { x: 0, y: 0, width: cssContentSize.width, height: cssContentSize.height, scale: 1 };
  const whole = await send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
  writeFileSync(join(directory, `${size}-${scheme}-whole.png`), Buffer.from(whole.data, 'base64'));
  const contentWidth = () => evaluate('document.documentElement.scrollWidth');
  const closed = await contentWidth();
  await evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
  const open = await contentWidth();
  const background = await evaluate('getComputedStyle(document.body).backgroundColor');
  const title = await evaluate('document.title');
  const refused = await evaluate('window.refused');
  await evaluate(axe);
  const found = await evaluate(`axe.run(document, { runOnly: ${JSON.stringify(RULES)} }).then(({ violations, passes }) => ({
    passes: passes.length,
    violations: violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.target.join(' ') + ' ' + node.failureSummary).join('; ')),
  }))`);
  await devtools.send('Target.closeTarget', { targetId });
  return { size, scheme, width, content_width: Math.max(closed, open), background, title, refused, messages, requests, ...found };
}

async function main() {
  const { child, profile, address } = await launch();
  try {
    const devtools = await connect(address);
    const looks = [];
    for (const size of sizes) {
      for (const scheme of ['light', 'dark']) looks.push(await look(devtools, size, scheme));
    }
    devtools.close();
    console.log(JSON.stringify(looks, null, 1));
  } finally {
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => { child.on('exit', resolve); });
    child.kill('SIGKILL');
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

main().catch((error) => { console.error(error); process.exitCode = 1; });
