// Prints every object that the Node package returns, in every common way to print it.
import { inspect } from 'node:util';
import { pathToFileURL } from 'node:url';

const { Client, TokenwellError } = await import(pathToFileURL(process.argv[2]));

function show(thing) {
  const everything = { depth: Infinity, showHidden: true, getters: true, maxStringLength: Infinity };
  for (const shown of [String(thing), inspect(thing), inspect(thing, everything), JSON.stringify(thing), JSON.stringify({ thing }), `${thing}`]) console.error(shown);
  console.error('%s %o %O %j', thing, thing, thing, thing);
  console.error(Object.entries(thing));
}

const client = Client.fromEnv();
const token = await client.token();
for (const each of [client, token, client.stats(), [token], { token }]) show(each);
process.env.MONGODB_ATLAS_CLIENT_SECRET = process.env.WRONG_SECRET;
try {
  await Client.fromEnv().token();
  throw new Error('the wrong secret was accepted');
} catch (error) {
  if (!(error instanceof TokenwellError)) throw error;
  show(error);
  console.error(error.stack);
}
client.close();
console.log('shown');
