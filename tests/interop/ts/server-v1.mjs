// A server of the TypeScript SDK 1.32, over Streamable HTTP (--http) or HTTP+SSE (--sse); options and tools: see tools.mjs.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { listen, options, register, Store } from './tools.mjs';

const build = () =>
    register(new McpServer({ name: 'interop', version: '1.0' }, { capabilities: { logging: {} } }), extra => ({
        token: extra._meta?.progressToken,
        notify: notification => extra.sendNotification(notification),
        signal: extra.signal,
        closeStream: extra.closeSSEStream
    }));

const sessions = new Map();

async function streamable(request, response) {
    const id = request.headers['mcp-session-id'];
    let transport = sessions.get(id);
    if (id && !transport) return response.writeHead(404).end();
    if (!transport) {
        transport = new StreamableHTTPServerTransport({
            sessionIdGenerator: randomUUID,
            enableJsonResponse: options.json,
            ...(options.store ? { eventStore: new Store(), retryInterval: 200 } : {}),
            onsessioninitialized: id => sessions.set(id, transport)
        });
        await build().connect(transport);
    }
    await transport.handleRequest(request, response);
}

async function sse(request, response) {
    const url = new URL(request.url, 'http://localhost');
    if (request.method === 'GET' && url.pathname === '/sse') {
        const transport = new SSEServerTransport('/messages', response);
        sessions.set(transport.sessionId, transport);
        // A message may come after its stream has ended; the transport throws then.
        response.on('close', () => sessions.delete(transport.sessionId));
        await build().connect(transport);
        return;
    }
    const transport = sessions.get(url.searchParams.get('sessionId'));
    if (request.method === 'POST' && transport) return transport.handlePostMessage(request, response);
    response.writeHead(request.method === 'POST' && url.pathname === '/sse' ? 405 : 404).end();
}

listen(createServer(options.sse ? sse : streamable), options.sse ? '/sse' : '/mcp');
