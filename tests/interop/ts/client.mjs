// The TypeScript client: client.mjs legacy|auto|REVISION PLAN -- COMMAND [ARG ...]; for the plan see ../peers/plan.py.

import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const [mode, plan, , command, ...args] = process.argv.slice(2);
const emit = event => process.stdout.write(JSON.stringify(event) + '\n');

const legacy = mode === 'legacy' || (mode !== 'auto' && mode < '2026');
const client = new Client(
    { name: 'typescript', version: '2.4.0' },
    {
        versionNegotiation: { mode: legacy ? 'legacy' : mode === 'auto' ? mode : { pin: mode } },
        ...(legacy && mode !== 'legacy' ? { supportedProtocolVersions: [mode] } : {})
    }
);
client.onerror = error => emit({ event: 'complaint', text: String(error.message ?? error).slice(0, 200) });
await client.connect(new StdioClientTransport({ command, args }));
const { tools } = await client.listTools();
emit({ event: 'connected', tools: Object.fromEntries(tools.map(tool => [tool.name, tool.inputSchema])) });

async function one(number, call) {
    const giveUp = new AbortController();
    let seen = 0;
    const onprogress = async ({ progress, total, message }) => {
        seen += 1;
        if (call.slow) await new Promise(resolve => setTimeout(resolve, Math.max(0, 11 - seen) * 20));
        emit({ event: 'progress', call: number, progress, total, message });
        if (seen === call.cancel_after) giveUp.abort('enough');
    };
    const options = { signal: giveUp.signal, timeout: 60_000, ...(call.progress === false ? {} : { onprogress }) };
    try {
        const result = await client.callTool({ name: call.tool, arguments: call.arguments ?? {} }, options);
        const text = result.content.map(block => block.text ?? '').join('');
        emit({ event: 'result', call: number, error: result.isError === true, text });
    } catch (error) {
        if (giveUp.signal.aborted) emit({ event: 'cancelled', call: number });
        else emit({ event: 'error', call: number, text: String(error) });
    }
}

let number = 0;
for (const calls of JSON.parse(plan)) {
    await Promise.all(calls.map((call, i) => one(number + i, call)));
    number += calls.length;
}
// Handlers that run after their call has ended get a moment, to be counted.
await new Promise(resolve => setTimeout(resolve, 500));
await client.close();
