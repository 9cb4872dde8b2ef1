// Prints every object that the Node package returns, in every common way to print it.
import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { pathToFileURL } from 'node:url';

const { ApiError, Client, ServiceAccounts, TokenwellError } = await import(pathToFileURL(process.argv[2]));

function show(thing) {
  const everything = { depth: Infinity, showHidden: true, getters: true, maxStringLength: Infinity };
  for (const shown of [String(thing), inspect(thing), inspect(thing, everything), JSON.stringify(thing), JSON.stringify({ thing }), `${thing}`]) console.error(shown);
  console.error('%s %o %O %j', thing, thing, thing, thing);
  console.error(Object.entries(thing));
}

const client = Client.fromEnv();
const token = await client.token();
for (const each of [client, token, client.stats(), [token], { token }]) show(each);

// A new secret, which the suite learns from a file.
const accounts = new ServiceAccounts(client, { organization: '0e0000000000000000000001' });
const created = await accounts.create({ name: 'Shown by Node', description: 'Canary', roles: ['ORG_MEMBER'], secretExpiresAfterHours: 8 });
writeFileSync(process.env.NEW_SECRET_FILE, created.secret.value);
for (const each of [accounts, created, created.secret, created.account, [created], { ...created }]) show(each);
for (const id of ['mdb_sa_id_000000000000000000000000', created.secret.value]) {
  const error = await accounts.get(id).catch((caught) => caught);
  if (!(error instanceof ApiError || error instanceof TokenwellError)) throw error;
  show(error);
  console.error(error.stack);
}

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
