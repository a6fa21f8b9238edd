// The scripted server, and Claude Code in print mode against it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { modules, temporaryFolder } from './server.mjs';

// As the family's template writes it: the grammar of a reply lets the frame of a call pass in no
// other spelling.
export const call = (name, input) =>
  `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": ${JSON.stringify(input)}}\n</tool_call>`;
// The template opens the thoughts, the reply closes them.
export const think = (thought, rest) => `${thought}\n</think>\n\n${rest}`;

export class ScriptedServer {
  static async start(script, home = '') {
    const server = new ScriptedServer();
    server.folder = temporaryFolder();
    const file = path.join(server.folder, 'script.json');
    fs.writeFileSync(file, JSON.stringify(script));
    server.replies = [];
    server.errors = '';
    server.child = spawn(process.env.SCRIPTED_SERVER, home ? [file, home] : [file],
      { stdio: ['pipe', 'pipe', 'pipe'] });
    server.child.stderr.on('data', (data) => (server.errors += data));
    server.exited = new Promise((resolve) => server.child.on('exit', resolve));
    let rest = '';
    server.url = await new Promise((resolve, reject) => {
      server.child.stdout.on('data', (data) => {
        const lines = (rest + data).split('\n');
        rest = lines.pop();
        for (const line of lines) {
          const found = /^Serving at (\S+)/.exec(line);
          if (found) resolve(found[1]);
          else server.replies.push(JSON.parse(line));
        }
      });
      server.exited.then((code) => reject(new Error(`exited ${code}: ${server.errors}`)));
    });
    return server;
  }

  async stop() {
    this.child.stdin.end();
    const code = await this.exited;
    fs.rmSync(this.folder, { recursive: true, force: true });
    return code;
  }
}

// A home and a repository of their own.
export class Workplace {
  constructor() {
    this.home = temporaryFolder();
    this.repository = temporaryFolder();
  }

  // `program`: the client, or a launcher of it with its own words.
  spawn(server, args, environment = {}, program = ['claude']) {
    return spawn(program[0], [...program.slice(1), ...args], {
      cwd: this.repository,
      env: {
        HOME: this.home, PATH: `${modules}/.bin:/usr/bin:/bin`, TERM: 'dumb', IS_SANDBOX: '1',
        ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: 'local',
        ANTHROPIC_MODEL: 'anthropic-local-scripted',
        ANTHROPIC_DEFAULT_HAIKU_MODEL: 'anthropic-local-scripted',
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', CLAUDE_CODE_MAX_RETRIES: '1',
        CLAUDE_CODE_MAX_CONTEXT_TOKENS: '400000', CLAUDE_STREAM_IDLE_TIMEOUT_MS: '1800000',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async claude(server, prompt, args = [], environment = {}, program = ['claude']) {
    const child = this.spawn(server,
      ['-p', prompt, '--output-format', 'json', '--dangerously-skip-permissions', ...args],
      environment, program);
    let output = '';
    let errors = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (errors += data));
    await new Promise((resolve) => child.on('exit', resolve));
    const line = output.split('\n').find((text) => text.startsWith('{'));
    assert.ok(line, `no result from claude: ${output}\n${errors}\n${server.errors}`);
    return JSON.parse(line);
  }

  remove() {
    for (const folder of [this.home, this.repository]) {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }
}
