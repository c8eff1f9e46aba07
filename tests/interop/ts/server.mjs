// A server of the TypeScript SDK 2.4 over HTTP, both eras on one address; options and tools: see tools.mjs.
// Revisions before 2026-07-28 are served without sessions, as the SDK does by default, or with sessions that can be resumed (--store).

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createMcpHandler, isLegacyRequest, McpServer } from '@modelcontextprotocol/server';
import { localhostHostValidation, localhostOriginValidation, NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import { listen, options, register, Store } from './tools.mjs';

const build = () =>
    register(new McpServer({ name: 'interop', version: '1.0' }, { capabilities: { logging: {} } }), ({ mcpReq, http }) => ({
        token: mcpReq._meta?.progressToken,
        notify: notification => mcpReq.notify(notification),
        signal: mcpReq.signal,
        closeStream: http?.closeSSE
    }));

const modern = toNodeHandler(
    createMcpHandler(build, { legacy: options.store ? 'reject' : 'stateless', responseMode: options.json ? 'json' : 'auto' })
);

const sessions = new Map();
async function legacy(request, response, body) {
    let transport = sessions.get(request.headers['mcp-session-id']);
    if (!transport) {
        transport = new NodeStreamableHTTPServerTransport({
            sessionIdGenerator: randomUUID,
            enableJsonResponse: options.json,
            eventStore: new Store(),
            retryInterval: 200,
            onsessioninitialized: id => sessions.set(id, transport)
        });
        await build().connect(transport);
    }
    await transport.handleRequest(request, response, body);
}

const hostAllowed = localhostHostValidation();
const originAllowed = localhostOriginValidation();
const server = createServer(async (request, response) => {
    if (!hostAllowed(request, response) || !originAllowed(request, response)) return;
    if (!options.store) return modern(request, response);
    const text = await new Response(request).text();
    const body = text ? JSON.parse(text) : undefined;
    const old = request.method !== 'POST' || (await isLegacyRequest(await toWebRequest(request, body)));
    await (old ? legacy : modern)(request, response, body);
});
listen(server, '/mcp');
