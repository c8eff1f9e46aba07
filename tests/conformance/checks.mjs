// Reads what the suite found in one scenario: `node checks.mjs FOLDER STATUS`, the second with which the suite ended. Prints `ok` or
// `FAIL`, the counts, and what is wrong. Nothing that the suite calls a failure or a warning is excused.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ended] = process.argv.slice(2);
const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('checks.json'));
const checks = files.flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')));
const counts = {};
for (const { status } of checks) counts[status] = (counts[status] ?? 0) + 1;
const wrong = checks.filter(({ status }) => ['FAILURE', 'WARNING'].includes(status));
const good = wrong.length === 0 && (counts.SUCCESS ?? 0) > 0 && ended === '0';
console.log(good ? 'ok' : 'FAIL');
console.log(Object.entries(counts).map(([status, count]) => `${count} ${status}`).join(', ') || 'no checks');
// 124 is a scenario that took too long as a whole; the suite has times of its own for a client.
if (ended !== '0') console.log(`    the suite ended with status ${ended}`);
for (const { id, status, errorMessage, details } of wrong) {
  console.log(`    ${status} ${id}: ${errorMessage ?? ''} ${JSON.stringify(details ?? {}).slice(0, 600)}`);
}
process.exit(good ? 0 : 1);
