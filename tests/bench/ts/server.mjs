// The same tools as in ../src/tools, on the TypeScript SDK, over standard input and output.

import { McpServer } from '@modelcontextprotocol/server';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

// As in ../src/messages.rs.
const STEP = 'step of many, all alike';
const TOTAL = 100_000;

const server = new McpServer({ name: 'bench', version: '1' });

const echo = { inputSchema: z.object({ text: z.string() }) };
server.registerTool('echo', echo, ({ text }) => ({ content: [{ type: 'text', text }] }));

const report = { inputSchema: z.object({ count: z.number() }) };
server.registerTool('report', report, async ({ count }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let progress = 1; progress <= count; progress++) {
        const params = { progressToken, progress, total: TOTAL, message: STEP };
        await mcpReq.notify({ method: 'notifications/progress', params });
    }
    return { content: [{ type: 'text', text: '' }] };
});

await server.connect(new StdioServerTransport());
