// The page at / in a real browser, against a real server.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { Browser, chromium } from './browser.mjs';
import { Server } from './server.mjs';

const missing = chromium || process.env.CI ? false : 'chromium is not installed: tools/bootstrap.sh --what test';
let server;
let browser;
let page;
let studio;

before(async () => {
  if (missing) return;
  assert.ok(chromium, 'chromium is not installed: tools/bootstrap.sh --what test');
  studio = http.createServer((request, reply) => {
    reply.setHeader('content-type', 'application/json');
    reply.end('{"data":[{"id":"m","state":"loaded"}]}');
  });
  await new Promise((resolve) => studio.listen(0, '127.0.0.1', resolve));
  server = await Server.start([], { LMSTUDIO_URL: `http://127.0.0.1:${studio.address().port}`,
    VLLM_URL: 'http://127.0.0.1:9', OPENROUTER_API_KEY: 'k' });
  browser = await Browser.start();
  page = await browser.open(`${server.url}/`);
});
after(async () => {
  if (browser) await browser.stop();
  if (studio) studio.close();
  if (server) assert.equal(await server.stop(), 0);
});

const ask = (body) => fetch(`${server.url}/v1/messages`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', ...body }),
});
const text = (id) => page.evaluate(`document.getElementById('${id}').textContent`);

test('it loads and says what is served', { skip: missing }, async () => {
  await page.until("document.getElementById('state').textContent === 'live'", 'the page is live');
  assert.match(await text('mode'), /^local - built-in - up /);
  assert.match(await text('running'), /nothing/);
  assert.match(await text('engine'), /pages kept, [\d,]+ free of [\d,]+/);
});

test('a running request appears with its progress, and ends in the table', { skip: missing }, async () => {
  const abort = new AbortController();
  const long = 'All work and no play makes a long prompt. '.repeat(5000);  // seconds of reading
  const reading = fetch(`${server.url}/v1/messages`, {
    method: 'POST', signal: abort.signal, headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', max_tokens: 5, stream: true, messages: [{ role: 'user', content: long }] }),
  }).then((reply) => reply.text()).catch(() => {});
  await page.until("/#1  prefill.* of [\\d,]+ prompt tokens read/.test(document.getElementById('running').textContent)", 'its progress is shown');
  abort.abort();
  await reading;
  await page.until("document.querySelectorAll('#recent tr').length === 1", 'it is finished');
  assert.match(await text('recent'), /cancelled/);
});

test('which other modes would work is shown', { skip: missing }, async () => {
  await page.until("/lmstudio: answers at/.test(document.getElementById('modes').textContent)", 'the modes were asked');
  const modes = await text('modes');
  assert.match(modes, /^local: serving/);
  assert.match(modes, /vllm: no answer at http:\/\/127.0.0.1:9\/v1/);
  assert.match(modes, /openrouter: a key is set/);
  assert.doesNotMatch(modes, /gemini/);
});

test('what was reused is shown', { skip: missing }, async () => {
  const question = { max_tokens: 2, temperature: 0.5, messages: [{ role: 'user', content: 'Count to ten, please. '.repeat(60) }] };
  await (await ask(question)).json();
  await (await ask(question)).json();
  await page.until("document.querySelectorAll('#recent tr').length === 3", 'both are finished');
  await page.until("document.querySelectorAll('#chart rect').length >= 2", 'the chart has bars');
  assert.match(await text('rate'), /^\d+\.\d %$/);
  const [computed, reused] = await page.evaluate("[4, 5].map((n) => Number(document.querySelector(`#recent tr td:nth-child(${n})`).textContent.replaceAll(',', '')))");
  const split = await page.evaluate("document.querySelector('#recent tr .bar').getAttribute('aria-label')");
  assert.equal(split.replaceAll(',', ''), `${reused} from memory 0 from disk ${computed} computed`);
  assert.ok(reused > computed, `${reused} reused, ${computed} computed`);
  assert.match(await text('cost'), /unknown/);
});

test('an error is shown without markup of its own', { skip: missing }, async () => {
  await (await ask({ model: '<img src=x onerror=alert(1)>', max_tokens: 2, messages: [{ role: 'user', content: 'hi' }] })).json();
  await page.until("document.querySelectorAll('#recent tr').length === 4", 'it is finished');
  assert.equal(await page.evaluate("document.querySelectorAll('img').length"), 0);
});

test('it is usable by keyboard', { skip: missing }, async () => {
  await page.press('Tab', 'Tab');
  assert.equal(await page.evaluate('document.activeElement.id'), 'pause');
  await page.press('Tab', 'Tab');
  assert.equal(await page.evaluate('document.activeElement.id'), 'running');
  await page.press('p', 'KeyP');
  assert.equal(await text('state'), 'paused');
  await page.press('p', 'KeyP');
  await page.until("document.getElementById('state').textContent === 'live'", 'it goes on');
});

test('it has a dark and a light face', { skip: missing }, async () => {
  const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
  const faces = [];
  for (const value of ['light', 'dark']) {
    await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
    faces.push(await background());
  }
  assert.notEqual(faces[0], faces[1]);
});

test('the console stayed clean', { skip: missing }, async () => {
  if (process.env.SCREENSHOT) await page.screenshot(process.env.SCREENSHOT);
  assert.deepEqual(page.errors, []);
});
