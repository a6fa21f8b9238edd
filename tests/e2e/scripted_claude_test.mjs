// Claude Code's tools, sessions and sub-agents with a scripted model: what the model says is
// written here, everything else is real.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { ScriptedServer, Workplace, call, think } from './scripted.mjs';

const PAGE = 16;

// Every request of the main conversation after the first computes what is new and a page at most.
function assertOnlyNewTokens(replies) {
  for (let i = 1; i < replies.length; ++i) {
    const [before, now] = [replies[i - 1], replies[i]];
    const known = before.input + before.cached + before.output;
    const fresh = now.input + now.cached - known;
    assert.ok(now.input <= fresh + PAGE,
      `turn ${i}: ${now.input} tokens computed, ${fresh} are new: ${JSON.stringify([before, now])}`);
  }
}

async function withServer(script, body) {
  const server = await ScriptedServer.start(script);
  const place = new Workplace();
  try {
    await body(server, place);
  } finally {
    place.remove();
    assert.equal(await server.stop(), 0, server.errors);
  }
}

test('a conversation of 30 tool turns computes only what is new on every turn', { timeout: 400_000 }, async () => {
  const turns = 30;
  const rules = [];
  for (let i = 0; i < turns; ++i) {
    // Written as models write and clients do not keep it: odd key order, blanks, defaults left out.
    const input = i % 3 === 0
      ? `{"description": "Step  ${i}", "command": "echo step ${i} >> log.txt"}`
      : i % 3 === 1
        ? `{"content":"line ${i}   \\nend  \\n", "file_path": "FOLDER/file${i}.txt"}`
        : `{ "file_path":"FOLDER/file${i - 1}.txt" }`;
    const name = ['Bash', 'Write', 'Read'][i % 3];
    rules.push({ turns: i, reply: think(`Thought ${i}, <soon> done.`,
      `Step ${i}.\n<tool_call>\n{"name": "${name}", "arguments": ${input}}\n</tool_call>`) });
  }
  rules.push({ turns, reply: think('All done.', 'Finished all steps.') });
  const place = new Workplace();
  const script = JSON.parse(JSON.stringify({ rules }).replaceAll('FOLDER', place.repository));
  const server = await ScriptedServer.start(script);
  try {
    const result = await place.claude(server, 'Do thirty steps.');
    assert.equal(result.result, 'Finished all steps.', JSON.stringify(result));
    assert.equal(server.replies.length, turns + 1);
    assertOnlyNewTokens(server.replies);
    assert.equal(fs.readFileSync(path.join(place.repository, 'log.txt'), 'utf8').split('\n').length,
      turns / 3 + 1);
  } finally {
    place.remove();
    assert.equal(await server.stop(), 0, server.errors);
  }
});

test('Read, Edit, Write and Bash change a repository; the session goes on and is resumed', { timeout: 400_000 }, async () => {
  const place = new Workplace();
  const file = path.join(place.repository, 'greeting.py');
  fs.writeFileSync(file, 'def greet():\n    return "hello"\n');
  const server = await ScriptedServer.start({ rules: [
    { last: 'Make it polite', reply: think('I read first.', call('Read', { file_path: file })) },
    { turns: 1, reply: think('Now edit.', call('Edit',
      { new_string: '    return "good day"   ', old_string: '    return "hello"', file_path: file })) },
    { turns: 2, reply: think('And a test.', call('Write',
      { content: 'from greeting import greet\nassert greet() == "good day"\n', file_path: path.join(place.repository, 'test_greeting.py') })) },
    { turns: 3, reply: think('Run it.', call('Bash',
      { command: 'python3 test_greeting.py && echo passed > result.txt', description: 'Run the test' })) },
    { turns: 4, reply: think('Good.', 'The greeting is polite.') },
    { turns: 5, reply: think('Asked again.', 'Still polite.') },
    { turns: 6, reply: think('Resumed.', 'Yes, I remember.') },
  ] });
  try {
    const first = await place.claude(server, 'Make it polite');
    assert.equal(first.result, 'The greeting is polite.', JSON.stringify(first));
    assert.match(fs.readFileSync(file, 'utf8'), /return "good day"\n/);
    assert.equal(fs.readFileSync(path.join(place.repository, 'result.txt'), 'utf8'), 'passed\n');
    const second = await place.claude(server, 'Is it?', ['--continue']);
    assert.equal(second.result, 'Still polite.', JSON.stringify(second));
    const third = await place.claude(server, 'Do you remember?', ['--resume', first.session_id]);
    assert.equal(third.result, 'Yes, I remember.', JSON.stringify(third));
    assert.equal(server.replies.length, 7);
    assertOnlyNewTokens(server.replies);
  } finally {
    place.remove();
    assert.equal(await server.stop(), 0, server.errors);
  }
});

test('a sub-agent works beside the main conversation and leaves its cache warm', { timeout: 400_000 }, async () => {
  await withServer({ rules: [
    { last: 'Ask an agent', reply: think('Delegate.', call('Agent',
      { description: 'Count files', prompt: 'SUBTASK: count the files', subagent_type: 'general-purpose', run_in_background: false })) },
    { last: 'SUBTASK', reply: think('Counting.', 'There are zero files.') },
    { last: 'zero files', reply: think('It said so.', 'The agent counted zero files.') },
  ] }, async (server, place) => {
    const result = await place.claude(server, 'Ask an agent');
    assert.equal(result.result, 'The agent counted zero files.', JSON.stringify([result, server.replies]));
    const main = server.replies.filter((reply) => reply.agent === '');
    assert.equal(server.replies.length - main.length, 1, 'one request of the sub-agent');
    assertOnlyNewTokens(main);
  });
});

test('when the context is full the conversation is compacted and goes on', { timeout: 400_000 }, async () => {
  // One token a byte: the first prompt takes some 50,000 of them.
  const noise = 'noise '.repeat(4000);
  await withServer({ context: 80_000, rules: [
    { last: '<summary>', reply: think('Short.', '<summary>We wrote noise.</summary>') },
    { last: 'Second question', reply: think('Fine.', 'The answer after compaction.') },
    { last: 'First question', reply: think('Long.', noise) },
  ] }, async (server, place) => {
    const first = await place.claude(server, 'First question');
    assert.equal(first.is_error, false, JSON.stringify(first).slice(0, 500));
    const second = await place.claude(server, `Second question ${'x'.repeat(9000)}`, ['--continue']);
    assert.equal(second.result, 'The answer after compaction.',
      JSON.stringify([second, server.replies]).slice(0, 3000));
    assert.ok(server.replies.some((reply) => /prompt is too long/.test(reply.error ?? '')),
      'the overflow was answered with the text that makes the client compact');
  });
});

test('interrupting the client stops the model at once', { timeout: 400_000 }, async () => {
  await withServer({ seconds_per_token: 0.02, rules: [
    { last: 'Talk', reply: think('Endless.', 'word '.repeat(5000)) },
    { last: 'Short', reply: 'ok\n</think>\n\nok' },
  ] }, async (server, place) => {
    const child = place.spawn(server, ['-p', 'Talk', '--output-format', 'stream-json', '--verbose',
      '--include-partial-messages']);
    let output = '';
    await new Promise((resolve) => child.stdout.on('data', (data) => {
      output += data;
      if (output.includes('text_delta')) resolve();
    }));
    child.kill('SIGINT');
    await new Promise((resolve) => child.on('exit', resolve));
    for (let i = 0; i < 100 && server.replies.length === 0; ++i) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(server.replies[0]?.ending, 2, 'the reply was cancelled');
    const next = await place.claude(server, 'Short');
    assert.equal(next.result, 'ok');
  });
});

// A proxy that connects nobody and remembers who was asked for.
async function refusingProxy() {
  const asked = [];
  const server = http.createServer((request, reply) => {
    asked.push(request.url);
    reply.writeHead(502).end();
  });
  server.on('connect', (request, socket) => {
    asked.push(request.url);
    socket.end('HTTP/1.1 502 refused\r\n\r\n');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { asked, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

test('behind the launcher a page is fetched without asking a far server for leave', { timeout: 400_000 }, async () => {
  await withServer({ rules: [
    { last: 'Fetch it', turns: 0, reply: think('I fetch.',
      call('WebFetch', { url: 'https://page.test/x', prompt: 'What is it?' })) },
    { turns: 1, reply: think('Seen.', 'Done.') },
  ] }, async (server, place) => {
    const proxy = await refusingProxy();
    const environment = { HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1', ENABLE_TOOL_SEARCH: 'false' };
    const bare = await place.claude(server, 'Fetch it', [], environment);
    assert.equal(bare.result, 'Done.', JSON.stringify(bare));
    assert.deepEqual(proxy.asked, ['api.anthropic.com:443'], 'what the client does by itself');
    proxy.asked.length = 0;
    const launched = await place.claude(server, 'Fetch it', [], { ...environment, ANYCLAUDE_HOME: `${place.home}/ours`,
      CUSTOM_URL: server.url }, [process.env.ANYCLAUDE_BINARY, '--mode', 'custom']);
    assert.equal(launched.result, 'Done.', JSON.stringify(launched));
    assert.deepEqual(proxy.asked, ['page.test:443']);
    proxy.close();
  });
});
