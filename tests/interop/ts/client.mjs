// The client of the TypeScript SDK 2.4: client.mjs legacy|auto|REVISION PLAN -- (URL | COMMAND [ARG ...]); for the plan see ../peers/plan.py.

import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { carryOut, emit, parameters } from './plan.mjs';

const { mode, command, args } = parameters;

const legacy = mode === 'legacy' || (mode !== 'auto' && mode < '2026');
const client = new Client(
    { name: 'typescript', version: '2.4.0' },
    {
        versionNegotiation: { mode: legacy ? 'legacy' : mode === 'auto' ? mode : { pin: mode } },
        ...(legacy && mode !== 'legacy' ? { supportedProtocolVersions: [mode] } : {})
    }
);
client.onerror = error => emit({ event: 'complaint', text: String(error.message ?? error).slice(0, 200) });

function transport() {
    if (!command.startsWith('http')) return new StdioClientTransport({ command, args });
    const url = new URL(command);
    return url.pathname === '/sse' ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
}

const connection = transport();
await client.connect(connection);
await carryOut(client, (call, options) => client.callTool(call, options));
await connection.terminateSession?.();
await client.close();
