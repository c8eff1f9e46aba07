// What the two TypeScript clients share: they carry out a plan (see ../peers/plan.py) and print what their progress handlers saw.

const [mode, plan, , command, ...args] = process.argv.slice(2);

/** The command line: legacy|auto|REVISION PLAN -- (URL | COMMAND [ARG ...]). */
export const parameters = { mode, command, args };

export const emit = event => process.stdout.write(JSON.stringify(event) + '\n');

async function one(callTool, number, call) {
    const giveUp = new AbortController();
    let seen = 0;
    const onprogress = async ({ progress, total, message }) => {
        seen += 1;
        if (call.slow) await new Promise(resolve => setTimeout(resolve, Math.max(0, 11 - seen) * 20));
        emit({ event: 'progress', call: number, progress, total, message });
        if (seen === call.cancel_after) giveUp.abort('enough');
    };
    const options = { signal: giveUp.signal, timeout: (call.timeout ?? 60) * 1000, ...(call.progress === false ? {} : { onprogress }) };
    try {
        const result = await callTool({ name: call.tool, arguments: call.arguments ?? {} }, options);
        const text = result.content.map(block => block.text ?? '').join('');
        emit({ event: 'result', call: number, error: result.isError === true, text });
    } catch (error) {
        if (giveUp.signal.aborted) emit({ event: 'cancelled', call: number });
        else emit({ event: 'error', call: number, text: String(error) });
    }
}

/** Lists the tools of the server, then makes the calls of the plan with `callTool(call, options)`. */
export async function carryOut(client, callTool) {
    const { tools } = await client.listTools();
    emit({ event: 'connected', tools: Object.fromEntries(tools.map(tool => [tool.name, tool.inputSchema])) });
    let number = 0;
    for (const calls of JSON.parse(plan)) {
        await Promise.all(calls.map((call, i) => one(callTool, number + i, call)));
        number += calls.length;
    }
    // Handlers that run after their call has ended get a moment, to be counted.
    await new Promise(resolve => setTimeout(resolve, 500));
}
