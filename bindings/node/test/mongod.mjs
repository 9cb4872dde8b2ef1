// A server that speaks as much of the MongoDB protocol as a driver needs to authenticate with
// MONGODB-OIDC and to send a command.
import { createServer } from 'node:net';
import { BSON } from 'mongodb';

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const LIMITS = { maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000, minWireVersion: 0, maxWireVersion: 21 };

/**
 * Starts the server. `rejected` contains the tokens that it rejects, `presented` those that it has
 * received.
 */
export async function startMongod(t) {
  const state = { presented: [], rejected: new Set() };
  const sockets = new Set();
  const server = createServer((socket) => {
    const connection = { token: undefined };
    let received = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= received.readInt32LE(0)) {
        const length = received.readInt32LE(0);
        socket.write(replyTo(received.subarray(0, length), state, connection));
        received = received.subarray(length);
      }
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { ...state, uri: `mongodb://127.0.0.1:${server.address().port}/?directConnection=true` };
}

function replyTo(message, state, connection) {
  const requestId = message.readInt32LE(4);
  const isQuery = message.readInt32LE(12) === OP_QUERY;
  // The header is followed by flags and the name of a collection, or by flags and the kind of the section.
  const start = isQuery ? message.indexOf(0, 20) + 1 + 8 : 16 + 4 + 1;
  const command = BSON.deserialize(message.subarray(start, start + message.readInt32LE(start)));
  const body = BSON.serialize(answer(command, state, connection));
  const prefix = Buffer.alloc(isQuery ? 20 : 5);
  if (isQuery) prefix.writeInt32LE(1, 16);
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + prefix.length + body.length, 0);
  header.writeInt32LE(requestId, 8);
  header.writeInt32LE(isQuery ? OP_REPLY : OP_MSG, 12);
  return Buffer.concat([header, prefix, body]);
}

function answer(command, state, connection) {
  const [name] = Object.keys(command);
  switch (name.toLowerCase()) {
    case 'hello':
    case 'ismaster':
      return { ok: 1, helloOk: true, isWritablePrimary: true, ismaster: true, localTime: new Date(), ...LIMITS };
    case 'saslstart':
    case 'saslcontinue': {
      const { jwt } = BSON.deserialize(command.payload.buffer);
      // A human callback learns of the identity provider first.
      if (jwt === undefined) return { ok: 1, conversationId: 1, done: false, payload: BSON.serialize({ issuer: 'https://issuer.example', clientId: 'id' }) };
      state.presented.push(jwt);
      if (state.rejected.has(jwt)) return { ok: 0, code: 18, codeName: 'AuthenticationFailed', errmsg: 'the token was rejected' };
      connection.token = jwt;
      return { ok: 1, conversationId: 1, done: true, payload: Buffer.alloc(0) };
    }
    default:
      if (state.rejected.has(connection.token)) return { ok: 0, code: 391, codeName: 'ReauthenticationRequired', errmsg: 'the token was revoked' };
      return { ok: 1, from: name };
  }
}
