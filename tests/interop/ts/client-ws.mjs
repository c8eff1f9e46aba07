// The WebSocket client of the TypeScript SDK 1.32: client-ws.mjs URL TOOL ARGUMENTS. Prints what came over the wire and what
// its progress handler saw. Node 20 has a WebSocket behind --experimental-websocket.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';

const [url, tool, args] = process.argv.slice(2);
const emit = event => process.stdout.write(JSON.stringify(event) + '\n');

const transport = new WebSocketClientTransport(new URL(url));
const client = new Client({ name: 'typescript-v1', version: '1.32.2' });
client.onerror = error => emit({ event: 'complaint', text: String(error.message ?? error).slice(0, 200) });
await client.connect(transport);
const heard = transport.onmessage;
transport.onmessage = (message, ...more) => {
    emit({ event: 'wire', message });
    heard(message, ...more);
};
const { tools } = await client.listTools();
emit({ event: 'connected', tools: tools.map(tool => tool.name) });
const onprogress = ({ progress, total }) => emit({ event: 'progress', progress, total });
const result = await client.callTool({ name: tool, arguments: JSON.parse(args) }, undefined, { onprogress, timeout: 60_000 });
emit({ event: 'result', text: result.content.map(block => block.text ?? '').join('') });
await client.close();
