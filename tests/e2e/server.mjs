// Starts the real binary on a free port with an empty home, and finds the real clients.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const modules = path.join(import.meta.dirname, '..', 'npm', 'node_modules');
// Packages live in tests/npm, not beside this file.
const require = createRequire(path.join(modules, 'resolve.cjs'));
export const load = (name) => require(name);

export const binary =
  process.env.ANYCLAUDE_BINARY ?? path.join(import.meta.dirname, '..', '..', 'build', 'anyclaude');

export function temporaryFolder() {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'anyclaude-e2e-'));
}

export class Server {
  static async start(args = [], environment = {}) {
    const server = new Server();
    server.home = temporaryFolder();
    // What these tests measure must not depend on whether a starter model is installed.
    const model = args.includes('--model') ? [] : ['--model', 'built-in'];
    server.child = spawn(binary, ['serve', '--port', '0', ...model, ...args], {
      env: { PATH: process.env.PATH, HOME: server.home, ANYCLAUDE_HOME: server.home,
        ANYCLAUDE_CHECK_STREAMS: 'true', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    server.output = '';
    server.errors = '';
    server.child.stderr.on('data', (data) => (server.errors += data));
    server.exited = new Promise((resolve) => server.child.on('exit', resolve));
    server.url = await new Promise((resolve, reject) => {
      server.child.stdout.on('data', (data) => {
        server.output += data;
        const found = /Serving at (\S+)/.exec(server.output);
        if (found && server.output.includes('Ctrl-C')) resolve(found[1]);
      });
      server.exited.then((code) => reject(new Error(`server exited ${code}: ${server.errors}`)));
    });
    return server;
  }

  async stop() {
    this.child.kill('SIGTERM');
    const code = await this.exited;
    fs.rmSync(this.home, { recursive: true, force: true });
    return code;
  }
}
