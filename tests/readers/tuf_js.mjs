// Reads a TUF repository with tuf-js, the client that npm and Sigstore use: another code base, another language.
//
// Usage: tuf_js.mjs METADATA_URL TARGETS_URL TRUSTED_ROOT WORK_DIR [TARGET_PATH ...]
//
// Arguments, output and exit code are those of python_tuf.py. The modules come from
// COUNTERSIGN_TEST_ENV/node, by default tests/.env/node.

import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const env = process.env.COUNTERSIGN_TEST_ENV ?? fileURLToPath(new URL('../.env', import.meta.url));
const { Updater } = createRequire(join(env, 'node', 'package.json'))('tuf-js');

async function main(metadataUrl, targetsUrl, trustedRoot, workDir, ...targetPaths) {
  const metadataDir = join(workDir, 'metadata');
  const targetDir = join(workDir, 'targets');
  mkdirSync(metadataDir, { recursive: true });
  mkdirSync(targetDir, { recursive: true });
  const held = join(metadataDir, 'root.json');
  if (!existsSync(held)) {
    copyFileSync(trustedRoot, held);
  }
  const updater = new Updater({
    metadataDir,
    metadataBaseUrl: metadataUrl,
    targetDir,
    targetBaseUrl: targetsUrl,
    // A test wants the first answer, not the one after some seconds of trying again.
    config: { fetchRetry: 0 },
  });
  await updater.refresh();
  for (const path of targetPaths) {
    const target = await updater.getTargetInfo(path);
    if (target === undefined) {
      const error = new Error(path);
      error.name = 'TargetNotFound';
      throw error;
    }
    const local = await updater.downloadTarget(target);
    const content = readFileSync(local);
    const sha256 = createHash('sha256').update(content).digest('hex');
    report({ path, sha256, length: content.length, local });
  }
}

function report(fields) {
  console.log(JSON.stringify(fields));
}

if (process.argv.length < 6) {
  console.error('usage: tuf_js.mjs METADATA_URL TARGETS_URL TRUSTED_ROOT WORK_DIR [TARGET_PATH ...]');
  process.exit(1);
}
try {
  await main(...process.argv.slice(2));
} catch (error) {
  report({ error: error.name === 'Error' ? error.constructor.name : error.name, message: error.message });
  process.exitCode = 1;
}
