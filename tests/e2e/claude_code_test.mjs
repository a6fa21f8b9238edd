// Claude Code itself, in print mode with a clean home, against the real server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Server, modules, temporaryFolder } from './server.mjs';

let server;
let home;
let repository;

before(async () => {
  server = await Server.start();
  home = temporaryFolder();
  repository = temporaryFolder();
  fs.writeFileSync(path.join(repository, 'README.md'), 'A test repository.\n');
});
after(async () => {
  if (server) assert.equal(await server.stop(), 0);
  for (const folder of [home, repository]) fs.rmSync(folder, { recursive: true, force: true });
});

// The built-in model rambles: a capital letter ends its turn, so that every reply is short.
const extraBody = JSON.stringify({ stop_sequences: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'] });

async function claude(...args) {
  const child = spawn(path.join(modules, '.bin', 'claude'), [...args, '--output-format', 'json'], {
    cwd: repository,
    env: {
      HOME: home, PATH: '/usr/bin:/bin', TERM: 'dumb',
      ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: 'local',
      ANTHROPIC_MODEL: 'anthropic-local-built-in', CLAUDE_CODE_ATTRIBUTION_HEADER: '0',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', CLAUDE_CODE_MAX_OUTPUT_TOKENS: '2000', CLAUDE_CODE_EXTRA_BODY: extraBody,
      CLAUDE_CODE_MAX_CONTEXT_TOKENS: '262144', CLAUDE_STREAM_IDLE_TIMEOUT_MS: '1800000',
      CLAUDE_CODE_MAX_RETRIES: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (errors += data));
  await new Promise((resolve) => child.on('exit', resolve));
  const line = output.split('\n').find((text) => text.startsWith('{'));
  assert.ok(line, `no result from claude: ${output}\n${errors}\n${server.errors}`);
  return JSON.parse(line);
}

// What was not in the cache, stored for the client or not.
const computed = (usage) => usage.input_tokens + usage.cache_creation_input_tokens;

test('a first turn with the whole agent prompt, then a warm one', { timeout: 600_000 }, async () => {
  const first = await claude('-p', 'say hello');
  assert.equal(first.is_error, false, JSON.stringify(first));
  assert.ok(computed(first.usage) > 10_000, 'the agent sends its whole prompt');

  const next = await claude('-p', 'and again', '--continue');
  assert.equal(next.is_error, false, JSON.stringify(next));
  assert.ok(next.usage.cache_read_input_tokens >= computed(first.usage) - 1,
    `only ${next.usage.cache_read_input_tokens} of ${computed(first.usage)} tokens were reused`);
  assert.ok(computed(next.usage) < 2_000, `${computed(next.usage)} tokens were computed again`);
});

test('a new session in the same repository reuses tools and system prompt', { timeout: 600_000 }, async () => {
  const reply = await claude('-p', 'a different question');
  assert.equal(reply.is_error, false, JSON.stringify(reply));
  const share = reply.usage.cache_read_input_tokens /
    (computed(reply.usage) + reply.usage.cache_read_input_tokens);
  assert.ok(share > 0.6, `only ${(100 * share).toFixed(1)} % came from the cache`);
});
