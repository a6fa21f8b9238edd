// opencode, an agent that speaks OpenAI's chat completions, with a scripted model: it reads a file,
// changes it with its own tools and says so.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ScriptedServer, call, think } from './scripted.mjs';
import { modules, temporaryFolder } from './server.mjs';

const program = ['x64', 'arm64']
  .map((machine) => path.join(modules, `opencode-linux-${machine}`, 'bin', 'opencode'))
  .find((file) => fs.existsSync(file));

function settings(server, dialect) {
  return {
    $schema: 'https://opencode.ai/config.json',
    autoupdate: false, share: 'disabled',
    model: 'local/scripted', small_model: 'local/scripted',
    permission: { edit: 'allow', bash: 'allow' },
    provider: { local: {
      npm: dialect, name: 'Local',
      options: { baseURL: `${server.url}/v1`, apiKey: 'local' },
      models: { scripted: { name: 'scripted', limit: { context: 200000, output: 8000 } } },
    } },
  };
}

async function ask(server, dialect, repository, home, prompt) {
  fs.writeFileSync(path.join(repository, 'opencode.json'), JSON.stringify(settings(server, dialect)));
  const child = spawn(program, ['run', '--format', 'json', prompt], {
    cwd: repository,
    env: {
      HOME: home, PATH: '/usr/bin:/bin', TERM: 'dumb',
      OPENCODE_DISABLE_MODELS_FETCH: 'true', OPENCODE_DISABLE_AUTOUPDATE: 'true',
      OPENCODE_DISABLE_LSP_DOWNLOAD: 'true', OPENCODE_DISABLE_DEFAULT_PLUGINS: 'true',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (errors += data));
  const code = await new Promise((resolve) => child.on('exit', resolve));
  assert.equal(code, 0, `${output}\n${errors}\n${JSON.stringify(server.replies)}\n${server.errors}`);
  return output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
}

for (const dialect of ['@ai-sdk/openai-compatible', '@ai-sdk/anthropic']) {
  test(`opencode changes a file through ${dialect}`,
    { timeout: 400_000, skip: program ? false : 'opencode is not installed: tools/bootstrap.sh --what test' },
    async () => {
      const repository = temporaryFolder();
      const home = temporaryFolder();
      const file = path.join(repository, 'greeting.txt');
      fs.writeFileSync(file, 'hello\n');
      const server = await ScriptedServer.start({ rules: [
        { last: 'Make it polite', turns: 0, reply: think('I read first.', call('read', { filePath: file })) },
        { last: 'hello', turns: 1, reply: think('Now edit.',
          call('edit', { filePath: file, oldString: 'hello', newString: 'good day' })) },
        { turns: 2, reply: think('Done.', 'The greeting is polite.') },
      ], otherwise: 'A title\n</think>\n\nA title' });
      try {
        const events = await ask(server, dialect, repository, home, 'Make it polite');
        assert.equal(fs.readFileSync(file, 'utf8'), 'good day\n', JSON.stringify(events));
        const texts = events.filter((event) => event.type === 'text').map((event) => event.part.text);
        assert.ok(texts.includes('The greeting is polite.'), JSON.stringify(events));
        const main = server.replies.filter((reply) => reply.tools > 0);
        assert.equal(main.length, 3, JSON.stringify(server.replies));
        assert.ok(main[2].cached > main[2].input, 'the conversation before comes from the cache');
      } finally {
        for (const folder of [repository, home]) fs.rmSync(folder, { recursive: true, force: true });
        assert.equal(await server.stop(), 0, server.errors);
      }
    });
}
