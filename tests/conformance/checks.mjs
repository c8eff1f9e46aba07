// Reads what the suite found in one scenario: `node checks.mjs FOLDER`. Prints `ok` or `FAIL`, the counts, and what is wrong.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const files = readdirSync(process.argv[2], { recursive: true }).filter((file) => file.endsWith('checks.json'));
const checks = files.flatMap((file) => JSON.parse(readFileSync(join(process.argv[2], file), 'utf8')));
const counts = {};
for (const { status } of checks) counts[status] = (counts[status] ?? 0) + 1;
// A failure of the suite's own messages is none of ours.
const wrong = checks.filter(({ id, status }) => ['FAILURE', 'WARNING'].includes(status) && id !== 'wire-schema-harness-error');
const good = wrong.length === 0 && (counts.SUCCESS ?? 0) > 0;
console.log(good ? 'ok' : 'FAIL');
console.log(Object.entries(counts).map(([status, count]) => `${count} ${status}`).join(', ') || 'no checks');
for (const { id, status, errorMessage, details } of wrong) {
  console.log(`    ${status} ${id}: ${errorMessage ?? ''} ${JSON.stringify(details ?? {}).slice(0, 600)}`);
}
process.exit(good ? 0 : 1);
