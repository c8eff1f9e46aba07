// The tools of the two TypeScript servers: those of ../peers/tools.py that these tests need.

import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';

/** The options; see ../peers/tools.py. */
export const options = parseArgs({
    options: {
        http: { type: 'boolean' },
        sse: { type: 'boolean' },
        json: { type: 'boolean' },
        store: { type: 'boolean' },
        'sign-off': { type: 'string' }
    }
}).values;

const text = text => ({ content: [{ type: 'text', text }] });

/**
 * Gives the server its tools. `of(context)` makes of what the SDK hands to a tool: `token`, the progress token; `notify(notification)`;
 * `signal`, which tells of a cancellation; and `closeStream()`, where that can be done.
 */
export function register(server, of) {
    const tool = (name, description, shape, work) =>
        server.registerTool(name, { description, inputSchema: z.object(shape) }, async (args, context) => {
            const { token, notify, ...rest } = of(context);
            const report = async (progress, total, message) => {
                if (token === undefined) return;
                await notify({ method: 'notifications/progress', params: { progressToken: token, progress, total, message } });
            };
            return work(args, { report, notify, ...rest });
        });
    const n = z.number().int();

    tool('count', 'Reports 1 to n of n, each with a message', { n }, async ({ n }, { report }) => {
        for (let i = 1; i <= n; i++) await report(i, n, `step ${i} of ${n}`);
        return text(`counted to ${n}`);
    });
    tool('unknown_total', 'Reports 1 to n without a total and without a message', { n }, async ({ n }, { report }) => {
        for (let i = 1; i <= n; i++) await report(i);
        return text('done');
    });
    tool('from_zero', 'Reports 0 to 9 of 10 with messages in Chinese, and never 10', {}, async (_, { report }) => {
        for (let i = 0; i < 10; i++) await report(i, 10, `正在处理步骤 ${i + 1}/10`);
        return text('完成');
    });
    tool('fails', 'Reports n times, then throws', { n }, async ({ n }, { report }) => {
        for (let i = 1; i <= n; i++) await report(i, 2 * n);
        throw new Error('the disk is full');
    });
    tool('dies', 'Reports n times, then ends the whole process', { n }, async ({ n }, { report }) => {
        for (let i = 1; i <= n; i++) await report(i, 2 * n);
        await sleep(200);
        process.exit(7);
    });
    tool(
        'sleeps',
        'Works for some seconds; with `every` it reports at that pace, else it is silent',
        { seconds: z.number(), every: z.number().default(0) },
        async ({ seconds, every }, { report, signal }) => {
            try {
                if (every === 0) await sleep(seconds * 1000, undefined, { signal });
                else {
                    for (let i = 1; i <= Math.round(seconds / every); i++) {
                        await sleep(every * 1000, undefined, { signal });
                        await report(i, undefined, 'still at it');
                    }
                }
            } catch (error) {
                if (signal.aborted && options['sign-off']) appendFileSync(options['sign-off'], 'cancelled\n');
                throw error;
            }
            return text('slept');
        }
    );
    tool('polls', 'Reports 1 to n, and closes the stream after every fourth', { n }, async ({ n }, { report, closeStream }) => {
        for (let i = 1; i <= n; i++) {
            await report(i, n, `step ${i} of ${n}`);
            if (i % 4 === 0) {
                await sleep(50);
                closeStream?.();
            }
        }
        return text(`polled ${n}`);
    });
    tool('logs', 'Sends n log messages and as many reports, in turn', { n }, async ({ n }, { report, notify }) => {
        for (let i = 1; i <= n; i++) {
            await notify({ method: 'notifications/message', params: { level: 'info', data: `log line ${i}` } });
            await report(i, n);
        }
        return text('logged');
    });
    server.registerTool(
        'add',
        {
            description: 'Adds two numbers; structured content, no progress',
            inputSchema: z.object({ a: n, b: n.default(1) }),
            outputSchema: z.object({ result: n })
        },
        async ({ a, b }) => ({ ...text(String(a + b)), structuredContent: { result: a + b } })
    );
    return server;
}

/** Keeps every event; what follows an event is what was stored after it for the same stream. */
export class Store {
    events = [];

    async storeEvent(stream, message) {
        this.events.push({ stream, message });
        return String(this.events.length);
    }

    async replayEventsAfter(id, { send }) {
        const stream = this.events[id - 1].stream;
        for (let i = Number(id); i < this.events.length; i++) {
            const event = this.events[i];
            // The empty event that opens a stream is no message.
            if (event.stream === stream && event.message.jsonrpc) await send(String(i + 1), event.message);
        }
        return stream;
    }
}

/** Serves on a free port of loopback and prints the address. */
export function listen(server, path) {
    server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}${path}`));
}
