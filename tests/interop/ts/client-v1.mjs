// The client of the TypeScript SDK 1.32: client-v1.mjs legacy|REVISION PLAN -- URL; for the plan see ../peers/plan.py.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { carryOut, emit, parameters } from './plan.mjs';

const client = new Client({ name: 'typescript-v1', version: '1.32.2' });
client.onerror = error => emit({ event: 'complaint', text: String(error.message ?? error).slice(0, 200) });

const url = new URL(parameters.command);
const connection = url.pathname === '/sse' ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
await client.connect(connection);
await carryOut(client, (call, options) => client.callTool(call, undefined, options));
await connection.terminateSession?.();
await client.close();
