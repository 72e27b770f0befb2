// One call of the official SDK, told on standard input what to do.
import { AlipaySdk } from 'alipay-sdk';
import { text } from 'node:stream/consumers';

const { config, method, path, options } = JSON.parse(await text(process.stdin));
try {
  const result = await new AlipaySdk(config).curl(method, path, options);
  console.log(JSON.stringify({ status: result.responseHttpStatus, data: result.data }));
} catch (error) {
  console.log(JSON.stringify({ error: String(error.message), code: error.code }));
}
