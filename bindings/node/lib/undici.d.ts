import type { Client } from '../index.js';

// Described by its form, so that it fits each version of undici.
type Dispatch = (options: any, handler: any) => boolean;

/**
 * Returns an interceptor for `Dispatcher.compose` of undici 6.9 or later. It adds the Authorization
 * header to requests for the API of the client that have none. If the API replies with 401, it
 * invalidates the token and sends the request once more with another one, unless its body is a
 * stream.
 *
 * @throws {TokenwellError} The client has no base URL.
 */
export function interceptor(client: Client): (dispatch: Dispatch) => Dispatch;
