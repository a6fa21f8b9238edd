// Drives Chromium over its DevTools protocol, with Node's own WebSocket.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from './server.mjs';

const programs = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
export const chromium = programs.find((file) => fs.existsSync(file));

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--remote-debugging-port=0'];

export class Browser {
  static async start() {
    const browser = new Browser();
    browser.profile = temporaryFolder();
    browser.child = spawn(chromium, [...flags, `--user-data-dir=${browser.profile}`, 'about:blank'],
      { stdio: 'ignore', env: { ...process.env, HOME: browser.profile } });
    browser.exited = new Promise((resolve) => browser.child.on('exit', resolve));
    const file = path.join(browser.profile, 'DevToolsActivePort');
    await until(() => fs.existsSync(file) && fs.readFileSync(file, 'utf8').includes('\n'), 'the browser started');
    browser.port = Number(fs.readFileSync(file, 'utf8').split('\n')[0]);
    return browser;
  }

  async open(url) {
    const made = await fetch(`http://127.0.0.1:${this.port}/json/new?about:blank`, { method: 'PUT' });
    const page = new Page(new WebSocket((await made.json()).webSocketDebuggerUrl));
    await page.ready;
    for (const domain of ['Page', 'Runtime', 'Log']) await page.send(`${domain}.enable`);
    await page.send('Page.navigate', { url });
    await page.until("document.readyState === 'complete'", 'the page loaded');
    return page;
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.exited;
    fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Page {
  constructor(socket) {
    this.socket = socket;
    this.errors = [];
    this.waiting = new Map();
    this.next = 0;
    this.ready = new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    socket.onmessage = (message) => this.receive(JSON.parse(message.data));
  }

  receive({ id, result, error, method, params }) {
    if (id !== undefined) {
      const [resolve, reject] = this.waiting.get(id);
      this.waiting.delete(id);
      return error ? reject(new Error(error.message)) : resolve(result);
    }
    if (method === 'Runtime.exceptionThrown') this.errors.push(params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.errors.push(JSON.stringify(params.args));
    if (method === 'Log.entryAdded' && params.entry.level === 'error') this.errors.push(`${params.entry.text} ${params.entry.url ?? ''}`);
  }

  send(method, params = {}) {
    const id = ++this.next;
    this.socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.waiting.set(id, [resolve, reject]));
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  }

  until(expression, what) {
    return until(() => this.evaluate(expression), what);
  }

  async press(key, code = key, text = key.length === 1 ? key : '') {
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', key, code, text });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code });
  }

  async screenshot(file, width = 1080, height = 900) {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    fs.writeFileSync(file, Buffer.from(data, 'base64'));
  }
}

export async function until(check, what, seconds = 30) {
  for (let i = 0; i < seconds * 20; ++i) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${seconds} s`);
}
