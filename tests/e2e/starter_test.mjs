// Claude Code works in a real repository, and the weights decide: the starter model reads, writes,
// changes and runs through the client's own tools.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Server, modules, temporaryFolder } from './server.mjs';

const model = path.join(import.meta.dirname, '..', '..', 'models', 'starter', 'starter.gguf');
assert.ok(fs.existsSync(model), 'models/starter/starter.gguf belongs to the repository');

let server;
let home;
let repository;

before(async () => {
  server = await Server.start(['--model', model]);
  home = temporaryFolder();
  repository = temporaryFolder();
  spawnSync('git', ['init', '-q', repository]);
  fs.writeFileSync(path.join(repository, 'README.md'), '# Weather station\nReads a sensor.\n');
  fs.writeFileSync(path.join(repository, 'Makefile'), 'test:\n\t@echo all 12 passed | tee tested.txt\n');
});
after(async () => {
  if (server) assert.equal(await server.stop(), 0);
  for (const folder of [home, repository]) if (folder) fs.rmSync(folder, { recursive: true, force: true });
});

const file = (name) => fs.readFileSync(path.join(repository, name), 'utf8');

async function claude(prompt) {
  const args = ['-p', prompt, '--output-format', 'json', '--permission-mode', 'acceptEdits',
    '--allowedTools', 'Bash', 'Read', 'Write', 'Edit'];
  const child = spawn(path.join(modules, '.bin', 'claude'), args, {
    cwd: repository,
    env: {
      HOME: home, PATH: '/usr/bin:/bin', TERM: 'dumb',
      ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: 'local',
      ANTHROPIC_MODEL: 'anthropic-local-starter', CLAUDE_CODE_ATTRIBUTION_HEADER: '0',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', CLAUDE_CODE_MAX_OUTPUT_TOKENS: '500',
      CLAUDE_CODE_MAX_CONTEXT_TOKENS: '262144', CLAUDE_CODE_MAX_RETRIES: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.resume();
  await new Promise((resolve) => child.on('exit', resolve));
  const line = output.split('\n').find((text) => text.startsWith('{'));
  assert.ok(line, `no result from claude: ${output}\n${server.errors}`);
  const reply = JSON.parse(line);
  assert.equal(reply.is_error, false, line);
  return reply;
}

test('"read README.md" answers with what the file says', { timeout: 300_000 }, async () => {
  const reply = await claude('read README.md');
  assert.equal(reply.num_turns, 2);
  assert.match(reply.result, /# Weather station\nReads a sensor\./);
});

test('"create hello.txt" makes the file', { timeout: 300_000 }, async () => {
  await claude('create hello.txt with the content "hello world"');
  assert.equal(file('hello.txt').trimEnd(), 'hello world');
});

test('"replace" changes the file', { timeout: 300_000 }, async () => {
  await claude('replace "sensor" with "probe" in README.md');
  assert.equal(file('README.md'), '# Weather station\nReads a probe.\n');
});

test('"run the tests" runs them and says what came out', { timeout: 300_000 }, async () => {
  const reply = await claude('run the tests');
  assert.equal(file('tested.txt'), 'all 12 passed\n');
  assert.match(reply.result, /all 12 passed/);
});
